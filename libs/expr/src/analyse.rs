//! What can be said of conditions without any facts, so that a rule that never fires is refused when it is saved.
//!
//! Both answers are sound and incomplete: "yes" is certain, "no" means "not that anybody could tell". What is understood are
//! `AND`, `OR` and `NOT` of comparisons of one field with literals, of `IN`, `ISBLANK` and of yes/no fields; other
//! conditions imply only themselves.

mod set;

use std::collections::BTreeMap;

use crate::ast::{ChainOp, CompareOp, Expr, Literal, Node, UnaryOp};
use crate::{Field, Function, Predicate, Schema, Slot, Type};

use set::{Point, Set};

/// Tells whether a condition certainly holds for no facts at all.
#[must_use]
pub fn is_never(predicate: &Predicate, schema: &Schema) -> bool {
    never(predicate.source(), schema)
}

/// Tells whether the first condition certainly holds wherever the second does, so that it shadows a later entry.
#[must_use]
pub fn covers(earlier: &Predicate, later: &Predicate, schema: &Schema) -> bool {
    covers_expr(earlier.source(), later.source(), schema)
}

fn never(expr: &Expr, schema: &Schema) -> bool {
    match alternatives(expr, schema) {
        Some(operands) => operands.iter().all(|operand| never(operand, schema)),
        None => Known::new(expr, schema).is_contradiction(),
    }
}

fn covers_expr(earlier: &Expr, later: &Expr, schema: &Schema) -> bool {
    if let Some(operands) = alternatives(later, schema) {
        return operands.iter().all(|operand| covers_expr(earlier, operand, schema));
    }
    let known = Known::new(later, schema);
    known.is_contradiction() || known.implies(earlier)
}

/// Returns the operands of an `OR` that is about more than one field.
fn alternatives<'x>(expr: &'x Expr, schema: &Schema) -> Option<&'x [Expr]> {
    match &expr.node {
        Node::Chain {
            op: ChainOp::Or,
            operands,
        } if shape(expr, schema).is_none() => Some(operands),
        _ => None,
    }
}

/// What is known where a conjunction holds.
struct Known<'x> {
    schema: &'x Schema,
    /// The values a field can have; that of every other field is anything.
    fields: BTreeMap<Slot, Set>,
    /// Conditions that are not understood.
    opaque: Vec<&'x Expr>,
    contradiction: bool,
}

impl<'x> Known<'x> {
    fn new(expr: &'x Expr, schema: &'x Schema) -> Self {
        let mut known = Self {
            schema,
            fields: BTreeMap::new(),
            opaque: Vec::new(),
            contradiction: false,
        };
        known.learn(expr);
        known
    }

    fn learn(&mut self, expr: &'x Expr) {
        match (shape(expr, self.schema), &expr.node) {
            (Some(Shape::Constant(holds)), _) => self.contradiction |= !holds,
            (Some(Shape::Field(slot, set)), _) => {
                let before = self
                    .fields
                    .remove(&slot)
                    .unwrap_or_else(|| universe(self.schema.field(slot)));
                let both = before.intersection(&set);
                self.contradiction |= both.is_empty();
                self.fields.insert(slot, both);
            }
            (
                None,
                Node::Chain {
                    op: ChainOp::And,
                    operands,
                },
            ) => operands.iter().for_each(|part| self.learn(part)),
            (None, _) => {
                self.contradiction |= alternatives(expr, self.schema).is_some() && never(expr, self.schema);
                self.opaque.push(expr);
            }
        }
    }

    fn is_contradiction(&self) -> bool {
        self.contradiction
    }

    fn implies(&self, expr: &Expr) -> bool {
        match (shape(expr, self.schema), &expr.node) {
            (Some(Shape::Constant(holds)), _) => holds,
            (Some(Shape::Field(slot, set)), _) => match self.fields.get(&slot) {
                Some(possible) => possible.is_subset_of(&set),
                None => universe(self.schema.field(slot)).is_subset_of(&set),
            },
            (
                None,
                Node::Chain {
                    op: ChainOp::And,
                    operands,
                },
            ) => operands.iter().all(|part| self.implies(part)),
            (
                None,
                Node::Chain {
                    op: ChainOp::Or,
                    operands,
                },
            ) if operands.iter().any(|part| self.implies(part)) => true,
            (None, _) => self.opaque.contains(&expr),
        }
    }
}

/// A condition that is understood: it does not fail, and holds exactly for these values.
enum Shape {
    Constant(bool),
    Field(Slot, Set),
}

fn shape(expr: &Expr, schema: &Schema) -> Option<Shape> {
    match &expr.node {
        Node::Literal(Literal::Bool(value)) => Some(Shape::Constant(*value)),
        Node::Field(name) => {
            let (slot, field) = schema.find(name)?;
            (field.kind == Type::Bool).then(|| Shape::Field(slot, Set::of(Point::Bool(true))))
        }
        Node::Unary {
            op: UnaryOp::Not,
            operand,
        } => Some(match shape(operand, schema)? {
            Shape::Constant(value) => Shape::Constant(!value),
            Shape::Field(slot, set) => Shape::Field(slot, set.complement()),
        }),
        Node::Compare { op, left, right } => {
            let (slot, op, point) = match (field(left, schema), field(right, schema)) {
                (Some((slot, _)), None) => (slot, *op, literal(right)?),
                (None, Some((slot, _))) => (slot, op.mirrored(), literal(left)?),
                _ => return None,
            };
            Some(Shape::Field(slot, compared(op, point)))
        }
        Node::In { subject, options } => {
            let (slot, _) = field(subject, schema)?;
            let points = options.iter().map(literal).collect::<Option<Vec<_>>>()?;
            Some(Shape::Field(slot, Set::of_all(points)))
        }
        Node::Call {
            function: Function::IsBlank,
            arguments,
        } => {
            let (slot, field) = field(arguments.first()?, schema)?;
            let blank = match field.kind {
                Type::List(_) => return None,
                Type::Text => Set::blank().union(&Set::of(Point::Text(String::new()))),
                _ => Set::blank(),
            };
            Some(Shape::Field(slot, blank))
        }
        Node::Chain {
            op: ChainOp::And,
            operands,
        } => combined(operands, schema, true, Set::intersection),
        Node::Chain {
            op: ChainOp::Or,
            operands,
        } => combined(operands, schema, false, Set::union),
        _ => None,
    }
}

/// Combines operands about one field; `neutral` is the constant that changes nothing, and the other decides alone.
fn combined(operands: &[Expr], schema: &Schema, neutral: bool, combine: fn(&Set, &Set) -> Set) -> Option<Shape> {
    let mut slot = None;
    let mut sets = Vec::new();
    let mut decided = false;
    for operand in operands {
        match shape(operand, schema)? {
            Shape::Constant(value) => decided |= value != neutral,
            Shape::Field(found, set) => {
                if *slot.get_or_insert(found) != found {
                    return None;
                }
                sets.push(set);
            }
        }
    }
    if decided {
        return Some(Shape::Constant(!neutral));
    }
    // By halves: one after the other, a long chain would take the square of its length.
    while sets.len() > 1 {
        sets = sets
            .chunks(2)
            .map(|pair| pair.iter().skip(1).fold(pair[0].clone(), |a, b| combine(&a, b)))
            .collect();
    }
    Some(
        slot.zip(sets.pop())
            .map_or(Shape::Constant(neutral), |(slot, set)| Shape::Field(slot, set)),
    )
}

fn field<'s>(expr: &Expr, schema: &'s Schema) -> Option<(Slot, &'s Field)> {
    match &expr.node {
        Node::Field(name) => schema.find(name),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<Point> {
    match &expr.node {
        Node::Literal(Literal::Bool(value)) => Some(Point::Bool(*value)),
        Node::Literal(Literal::Number(value)) => Some(Point::Number(*value)),
        Node::Literal(Literal::Text(value)) => Some(Point::Text(value.clone())),
        Node::Literal(Literal::Date(value)) => Some(Point::Date(*value)),
        Node::Literal(Literal::Time(value)) => Some(Point::Time(*value)),
        Node::Unary {
            op: UnaryOp::Negate,
            operand,
        } => match &operand.node {
            Node::Literal(Literal::Number(value)) => Some(Point::Number(-*value)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the values for which a comparison holds; a blank is never one.
fn compared(op: CompareOp, point: Point) -> Set {
    match op {
        CompareOp::Equal => Set::of(point),
        CompareOp::NotEqual => Set::below(point.clone(), false).union(&Set::above(point, false)),
        CompareOp::Less => Set::below(point, false),
        CompareOp::LessOrEqual => Set::below(point, true),
        CompareOp::Greater => Set::above(point, false),
        CompareOp::GreaterOrEqual => Set::above(point, true),
    }
}

/// Returns the values that the facts admit: a field with options has no others.
fn universe(field: Option<&Field>) -> Set {
    let points: Vec<Point> = match field {
        Some(field) if field.kind == Type::Bool => vec![Point::Bool(false), Point::Bool(true)],
        Some(field) if !field.options.is_empty() => field.options.iter().cloned().map(Point::Text).collect(),
        _ => return Set::everything(),
    };
    Set::of_all(points).union(&Set::blank())
}
