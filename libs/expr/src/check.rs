//! Makes a typed tree of a tree as written, or tells why there is none: unknown names, types that do not fit, options that
//! do not exist, and costs beyond the limit are found here, when a formula is saved, and never when it is evaluated.

mod calls;
mod conditions;

use std::collections::BTreeSet;

use crate::ast::{ArithmeticOp, ChainOp, Expr, Literal, Node, UnaryOp};
use crate::error::{Error, Problem};
use crate::typed::{Any, Bool, BoolOp, DayOp, If, Kind, List, Moment, Number, NumberOp, Sign, TextOp, Typed};
use crate::{Failure, Field, Function, Item, Schema, Slot, Span, Type, limits};

/// What is known of a checked expression besides its tree.
pub(crate) struct Checked {
    pub(crate) any: Any,
    pub(crate) fields: BTreeSet<Slot>,
    pub(crate) cost: u32,
}

/// Checks an expression against a schema.
pub(crate) fn check(expr: &Expr, schema: &Schema) -> Result<Checked, Error> {
    let mut checker = Checker {
        schema,
        fields: BTreeSet::new(),
        cost: 0,
        nodes: 0,
        depth: 0,
    };
    let any = checker.any(expr)?;
    let cost = checker.cost;
    if cost > limits::COST {
        return Err(Error::new(Problem::TooCostly { cost }, expr.span));
    }
    Ok(Checked {
        any,
        fields: checker.fields,
        cost,
    })
}

struct Checker<'s> {
    schema: &'s Schema,
    fields: BTreeSet<Slot>,
    cost: u32,
    nodes: usize,
    depth: usize,
}

impl Checker<'_> {
    /// Checks an expression of whatever type.
    fn any(&mut self, expr: &Expr) -> Result<Any, Error> {
        // Faces have the same limits, but a tree may come from somewhere else.
        self.nodes += 1;
        self.depth += 1;
        self.cost += 1;
        if self.nodes > limits::NODES {
            return Err(Error::new(Problem::TooManyNodes, expr.span));
        }
        if self.depth > limits::DEPTH {
            return Err(Error::new(Problem::TooDeep, expr.span));
        }
        let any = match &expr.node {
            Node::Literal(literal) => constant(literal),
            Node::Field(name) => self.field(name, expr.span)?,
            Node::Unary {
                op: UnaryOp::Not,
                operand,
            } => condition(BoolOp::Not(Box::new(self.bool(operand)?))),
            Node::Unary {
                op: UnaryOp::Negate,
                operand,
            } => Any::Number(match self.number(operand)? {
                Typed::Constant(number) => Typed::Constant(-number),
                other => Typed::Operation(NumberOp::Negate(Box::new(other))),
            }),
            Node::Arithmetic { op, left, right } => self.arithmetic(*op, left, right, expr.span)?,
            Node::Compare { op, left, right } => condition(self.comparison(*op, left, right)?),
            Node::Chain { op, operands } => self.chain(*op, operands, expr.span)?,
            Node::In { subject, options } => condition(self.membership(subject, options)?),
            Node::Call { function, arguments } => self.call(*function, arguments, expr.span)?,
        };
        self.depth -= 1;
        Ok(any)
    }

    /// Adds what an operation costs beyond the visit of its node.
    fn charge(&mut self, cost: u32) {
        self.cost = self.cost.saturating_add(cost);
    }

    /// Checks an expression that must be of one kind.
    fn typed<K: Kind>(&mut self, expr: &Expr, expected: &'static [Type]) -> Result<Typed<K>, Error> {
        let any = self.any(expr)?;
        let found = any.kind();
        K::of(any).ok_or_else(|| wrong_type(expr, expected, found))
    }

    fn bool(&mut self, expr: &Expr) -> Result<Typed<Bool>, Error> {
        self.typed(expr, &[Type::Bool])
    }

    fn number(&mut self, expr: &Expr) -> Result<Typed<Number>, Error> {
        self.typed(expr, &[Type::Number])
    }

    fn text(&mut self, expr: &Expr) -> Result<Typed<crate::typed::Text>, Error> {
        self.typed(expr, &[Type::Text])
    }

    fn list(&mut self, expr: &Expr) -> Result<(Item, Typed<List>), Error> {
        match self.any(expr)? {
            Any::List(item, list) => Ok((item, list)),
            other => Err(wrong_type(expr, LISTS, other.kind())),
        }
    }

    fn moment(&mut self, expr: &Expr) -> Result<Moment, Error> {
        match self.any(expr)? {
            Any::Date(day) => Ok(Moment::Day(day)),
            Any::Time(time) => Ok(Moment::Instant(time)),
            other => Err(wrong_type(expr, &[Type::Date, Type::Time], other.kind())),
        }
    }

    fn field(&mut self, name: &str, span: Span) -> Result<Any, Error> {
        let Some((slot, field)) = self.schema.find(name) else {
            return Err(Error::new(Problem::unknown_field(name, self.schema), span));
        };
        self.fields.insert(slot);
        Ok(match field.kind {
            Type::Bool => Any::Bool(Typed::Field(slot)),
            Type::Number => Any::Number(Typed::Field(slot)),
            Type::Text => Any::Text(Typed::Field(slot)),
            Type::Date => Any::Date(Typed::Field(slot)),
            Type::Time => Any::Time(Typed::Field(slot)),
            Type::List(item) => Any::List(item, Typed::Field(slot)),
        })
    }

    fn arithmetic(&mut self, op: ArithmeticOp, left: &Expr, right: &Expr, span: Span) -> Result<Any, Error> {
        let first = self.any(left)?;
        if let (Any::Date(day), ArithmeticOp::Add | ArithmeticOp::Subtract) = (&first, op) {
            let day = day.clone();
            return self.shift(op, day, right, span);
        }
        let found = first.kind();
        let first = Number::of(first).ok_or_else(|| wrong_type(left, &[Type::Number], found))?;
        let second = self.number(right)?;
        let divides = matches!(op, ArithmeticOp::Divide | ArithmeticOp::Remainder);
        if divides && matches!(&second, Typed::Constant(divisor) if divisor.is_zero()) {
            return Err(Error::new(Problem::Failed(Failure::DivisionByZero), right.span));
        }
        Ok(Any::Number(Typed::Operation(NumberOp::Arithmetic(
            op,
            span,
            Box::new((first, second)),
        ))))
    }

    /// Checks `day + number`, `day - number` and `day - day`.
    fn shift(
        &mut self,
        op: ArithmeticOp,
        day: Typed<crate::typed::Day>,
        right: &Expr,
        span: Span,
    ) -> Result<Any, Error> {
        let sign = if op == ArithmeticOp::Add {
            Sign::Plus
        } else {
            Sign::Minus
        };
        self.charge(2);
        match (self.any(right)?, sign) {
            (Any::Number(days), sign) => Ok(Any::Date(Typed::Operation(DayOp::Add(
                sign,
                span,
                Box::new((day, days)),
            )))),
            (Any::Date(start), Sign::Minus) => {
                let moments = Box::new((Moment::Day(day), Moment::Day(start)));
                Ok(Any::Number(Typed::Operation(NumberOp::DaysBetween(moments))))
            }
            (other, Sign::Minus) => Err(wrong_type(right, &[Type::Number, Type::Date], other.kind())),
            (other, Sign::Plus) => Err(wrong_type(right, &[Type::Number], other.kind())),
        }
    }

    fn chain(&mut self, op: ChainOp, operands: &[Expr], span: Span) -> Result<Any, Error> {
        if operands.is_empty() {
            let problem = Problem::ArgumentCount {
                name: "AND",
                least: 1,
                most: usize::MAX,
                found: 0,
            };
            return Err(Error::new(problem, span));
        }
        if op == ChainOp::Join {
            self.charge(4);
            let mut parts = Vec::with_capacity(operands.len());
            for operand in operands {
                match self.any(operand)? {
                    list @ Any::List(..) => return Err(wrong_type(operand, SCALARS, list.kind())),
                    part => parts.push(part),
                }
            }
            return Ok(Any::Text(Typed::Operation(TextOp::Join(parts.into()))));
        }
        let parts = operands
            .iter()
            .map(|operand| self.bool(operand))
            .collect::<Result<_, _>>()?;
        Ok(condition(if op == ChainOp::And {
            BoolOp::And(parts)
        } else {
            BoolOp::Or(parts)
        }))
    }

    /// Checks the results of `IF` or `COALESCE`, which are of the type of the first.
    fn branches(&mut self, function: Function, branches: &[&Expr]) -> Result<Vec<Any>, Error> {
        let mut checked: Vec<Any> = Vec::with_capacity(branches.len());
        for branch in branches {
            let any = self.any(branch)?;
            if let Some(first) = checked.first().map(Any::kind)
                && first != any.kind()
            {
                let problem = Problem::BranchesDiffer {
                    function,
                    first,
                    other: any.kind(),
                };
                return Err(Error::new(problem, branch.span));
            }
            checked.push(any);
        }
        Ok(checked)
    }

    /// Returns the field that an expression is, to check its options.
    fn field_of(&self, expr: &Expr) -> Option<&Field> {
        match &expr.node {
            Node::Field(name) => self.schema.find(name).map(|(_, field)| field),
            _ => None,
        }
    }
}

const SCALARS: &[Type] = &[Type::Text, Type::Number, Type::Date, Type::Time, Type::Bool];
const LISTS: &[Type] = &[Type::List(Item::Text), Type::List(Item::Number), Type::List(Item::Date)];

/// Recalls the kind of parts that were found to be of one type.
fn of_kind<K: Kind>(parts: Vec<Any>) -> Vec<Typed<K>> {
    parts.into_iter().filter_map(K::of).collect()
}

fn choice<K: Kind>(condition: Typed<Bool>, branches: Vec<Any>) -> Typed<K> {
    let mut branches = of_kind(branches).into_iter();
    let then = branches.next().expect("IF was found to have a result");
    Typed::If(Box::new(If {
        condition,
        then,
        otherwise: branches.next(),
    }))
}

fn coalesce<K: Kind>(parts: Vec<Any>) -> Typed<K> {
    Typed::Coalesce(of_kind(parts).into())
}

fn condition(operation: BoolOp) -> Any {
    Any::Bool(Typed::Operation(operation))
}

fn constant(literal: &Literal) -> Any {
    match literal {
        Literal::Bool(value) => Any::Bool(Typed::Constant(*value)),
        Literal::Number(value) => Any::Number(Typed::Constant(*value)),
        Literal::Text(value) => Any::Text(Typed::Constant(value.as_str().into())),
        Literal::Date(value) => Any::Date(Typed::Constant(*value)),
        Literal::Time(value) => Any::Time(Typed::Constant(*value)),
    }
}

/// Tells that an expression is of the wrong type, and how its literal would be of the right one.
fn wrong_type(expr: &Expr, expected: &'static [Type], found: Type) -> Error {
    let suggestion = expected.iter().find_map(|kind| rewritten(expr, *kind));
    Error::new(
        Problem::WrongType {
            expected,
            found,
            suggestion,
        },
        expr.span,
    )
}

/// Writes an expression as one of another type, where that is easily done: `'5'` as `5`, a time as its date.
fn rewritten(expr: &Expr, kind: Type) -> Option<String> {
    match (&expr.node, kind) {
        (Node::Literal(Literal::Text(text)), Type::Number) => crate::value::parse_number(text.trim())
            .filter(|number| !number.is_sign_negative())
            .map(|n| n.to_string()),
        (Node::Literal(Literal::Text(text)), Type::Date) => text
            .trim()
            .parse::<jiff::civil::Date>()
            .ok()
            .map(|date| format!("#{date}#")),
        (Node::Literal(Literal::Text(text)), Type::Time) => text
            .trim()
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|time| format!("#{time}#")),
        (Node::Literal(Literal::Number(number)), Type::Text) => Some(format!("'{}'", number.normalize())),
        _ => None,
    }
}
