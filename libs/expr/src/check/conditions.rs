//! Checks comparisons and memberships: of one type on both sides, and of options that exist.

use crate::ast::{CompareOp, Expr, Literal, Node};
use crate::error::{Error, Problem};
use crate::typed::{Any, BoolOp, Equality, Quantity, Typed};
use crate::{Type, formula};

use super::{Checker, rewritten, wrong_type};

impl Checker<'_> {
    pub(super) fn comparison(&mut self, op: CompareOp, left: &Expr, right: &Expr) -> Result<BoolOp, Error> {
        let first = self.any(left)?;
        let second = self.any(right)?;
        let equality = if op == CompareOp::Equal {
            Equality::Same
        } else {
            Equality::Different
        };
        let kind = first.kind();
        let unordered = || Error::new(Problem::NoOrder { kind }, left.span.to(right.span));
        Ok(match (first, second) {
            (Any::Number(first), Any::Number(second)) => BoolOp::Numbers(op, Box::new((first, second))),
            (Any::Date(first), Any::Date(second)) => BoolOp::Days(op, Box::new((first, second))),
            (Any::Time(first), Any::Time(second)) => BoolOp::Instants(op, Box::new((first, second))),
            (Any::Text(_), Any::Text(_)) | (Any::Bool(_), Any::Bool(_)) if op.orders() => return Err(unordered()),
            (Any::Text(first), Any::Text(second)) => {
                self.option(left, right)?;
                self.option(right, left)?;
                match (equality, first, second) {
                    (Equality::Same, text, Typed::Constant(option))
                    | (Equality::Same, Typed::Constant(option), text) => {
                        BoolOp::InTexts(Box::new(text), [option].into())
                    }
                    (equality, first, second) => BoolOp::Texts(equality, Box::new((first, second))),
                }
            }
            (Any::Bool(first), Any::Bool(second)) => BoolOp::Bools(equality, Box::new((first, second))),
            (first, second) => return Err(not_comparable((left, first.kind()), (right, second.kind()))),
        })
    }

    pub(super) fn membership(&mut self, subject: &Expr, options: &[Expr]) -> Result<BoolOp, Error> {
        let first = self.any(subject)?;
        let kind = first.kind();
        if options.is_empty() {
            let problem = Problem::ArgumentCount {
                name: "IN",
                least: 2,
                most: usize::MAX,
                found: 1,
            };
            return Err(Error::new(problem, subject.span));
        }
        let mut checked = Vec::with_capacity(options.len());
        for option in options {
            let any = self.any(option)?;
            match &any {
                // One list in the parentheses: what is meant is that the list has the subject.
                Any::List(item, list) if options.len() == 1 && Type::from(*item) == kind => {
                    self.option(option, subject)?;
                    return Ok(BoolOp::Has(Quantity::One, Box::new((list.clone(), [first].into()))));
                }
                Any::List(..) => return Err(not_comparable((subject, kind), (option, any.kind()))),
                same if same.kind() == kind => self.option(subject, option)?,
                other => return Err(not_comparable((subject, kind), (option, other.kind()))),
            }
            checked.push(any);
        }
        if matches!(kind, Type::List(_)) {
            return Err(wrong_type(subject, super::SCALARS, kind));
        }
        Ok(membership(first, checked))
    }

    /// Checks that a text compared with a field that has options is one of them.
    pub(super) fn option(&self, field: &Expr, value: &Expr) -> Result<(), Error> {
        let (Some(field), Node::Literal(Literal::Text(option))) = (self.field_of(field), &value.node) else {
            return Ok(());
        };
        if field.options.is_empty() || field.options.contains(option) {
            return Ok(());
        }
        Err(Error::new(Problem::unknown_option(field, option), value.span))
    }
}

/// Prefers the quick search where all options are texts that are known already.
fn membership(subject: Any, options: Vec<Any>) -> BoolOp {
    let constants = options.iter().map(|option| match option {
        Any::Text(Typed::Constant(text)) => Some(text.clone()),
        _ => None,
    });
    match (subject, constants.collect::<Option<Vec<_>>>()) {
        (Any::Text(subject), Some(mut texts)) => {
            texts.sort_unstable();
            texts.dedup();
            BoolOp::InTexts(Box::new(subject), texts.into())
        }
        (subject, _) => BoolOp::In(Box::new((subject, options.into()))),
    }
}

fn not_comparable((left, left_kind): (&Expr, Type), (right, right_kind): (&Expr, Type)) -> Error {
    let (span, suggestion) = if let Some(suggestion) = rewritten(right, left_kind) {
        (right.span, Some(suggestion))
    } else if let Some(suggestion) = rewritten(left, right_kind) {
        (left.span, Some(suggestion))
    } else {
        let of = |expr| Some(format!("DATEOF({})", formula::print(expr)));
        match (left_kind, right_kind) {
            (Type::Time, Type::Date) => (left.span, of(left)),
            (Type::Date, Type::Time) => (right.span, of(right)),
            _ => (left.span.to(right.span), None),
        }
    };
    Error::new(
        Problem::NotComparable {
            left: left_kind,
            right: right_kind,
            suggestion,
        },
        span,
    )
}
