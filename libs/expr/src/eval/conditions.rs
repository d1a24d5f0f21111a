//! Conditions: what is compared with a blank does not hold, whatever the operator.

use crate::ast::CompareOp;
use crate::typed::{Any, BoolOp, Equality, Quantity, Search, Typed};
use crate::{EvalError, Value};

use super::{Evaluate, Run, any, holds as holds_typed, value};

/// Evaluates a condition.
pub(super) fn holds(run: &Run<'_>, operation: &BoolOp) -> Result<bool, EvalError> {
    match operation {
        BoolOp::And(parts) => {
            for part in parts {
                if !holds_typed(run, part)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        BoolOp::Or(parts) => {
            for part in parts {
                if holds_typed(run, part)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        BoolOp::Not(part) => Ok(!holds_typed(run, part)?),
        BoolOp::Numbers(op, sides) => compare(run, *op, sides),
        BoolOp::Days(op, sides) => compare(run, *op, sides),
        BoolOp::Instants(op, sides) => compare(run, *op, sides),
        BoolOp::Bools(equality, sides) => match both(run, sides)? {
            Some((left, right)) => Ok((left == right) == (*equality == Equality::Same)),
            None => Ok(false),
        },
        BoolOp::Texts(equality, sides) => match both(run, sides)? {
            Some((left, right)) => Ok(same_text(run, &left, &right)? == (*equality == Equality::Same)),
            None => Ok(false),
        },
        BoolOp::Search(search, sides) => match both(run, sides)? {
            Some((text, wanted)) => find(run, *search, &text, &wanted),
            None => Ok(false),
        },
        BoolOp::Contains(parts) => {
            let (text, wanted) = &**parts;
            let Some(text) = value(run, text)? else {
                return Ok(false);
            };
            run.spend(text.len() + wanted.needle().len())?;
            Ok(wanted.find(text.as_bytes()).is_some())
        }
        BoolOp::InTexts(subject, options) => {
            Ok(value(run, subject)?.is_some_and(|subject| is_option(&subject, options)))
        }
        BoolOp::In(member) => {
            let (subject, options) = &**member;
            is_one_of(run, subject, options)
        }
        BoolOp::Has(quantity, parts) => {
            let (list, wanted) = &**parts;
            let items = value(run, list)?.unwrap_or_default();
            has(run, *quantity, items, wanted)
        }
        BoolOp::IsBlank(part) => match &**part {
            // Lists are not copied only to see whether there is something in them.
            Any::List(_, list) => Ok(value(run, list)?.is_none_or(<[Value<'_>]>::is_empty)),
            other => Ok(any(run, other)?.is_blank()),
        },
    }
}

/// Both values, if neither is blank.
type Pair<V> = Option<(V, V)>;

fn both<'e, K: Evaluate>(run: &Run<'e>, sides: &'e (Typed<K>, Typed<K>)) -> Result<Pair<K::Value<'e>>, EvalError> {
    let left = value(run, &sides.0)?;
    let right = value(run, &sides.1)?;
    Ok(left.zip(right))
}

fn compare<'e, K: Evaluate>(run: &Run<'e>, op: CompareOp, sides: &'e (Typed<K>, Typed<K>)) -> Result<bool, EvalError>
where
    K::Value<'e>: Ord,
{
    Ok(both(run, sides)?.is_some_and(|(left, right)| op.accepts(left.cmp(&right))))
}

fn same_text(run: &Run<'_>, left: &str, right: &str) -> Result<bool, EvalError> {
    if left.len() != right.len() {
        return Ok(false);
    }
    run.spend(left.len())?;
    Ok(left == right)
}

fn same(run: &Run<'_>, left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvalError> {
    run.spend(1)?;
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => same_text(run, left, right),
        (left, right) => Ok(left == right),
    }
}

fn find(run: &Run<'_>, search: Search, text: &str, wanted: &str) -> Result<bool, EvalError> {
    run.spend(text.len() + wanted.len())?;
    Ok(match search {
        Search::Anywhere => text.contains(wanted),
        Search::AtStart => text.starts_with(wanted),
        Search::AtEnd => text.ends_with(wanted),
    })
}

fn is_option(subject: &str, options: &[Box<str>]) -> bool {
    const FEW: usize = 8;
    if options.len() <= FEW {
        options.iter().any(|option| **option == *subject)
    } else {
        options.binary_search_by(|option| (**option).cmp(subject)).is_ok()
    }
}

fn is_one_of<'e>(run: &Run<'e>, subject: &'e Any, options: &'e [Any]) -> Result<bool, EvalError> {
    let subject = any(run, subject)?;
    if subject == Value::Blank {
        return Ok(false);
    }
    for option in options {
        if same(run, &subject, &any(run, option)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has<'e>(run: &Run<'e>, quantity: Quantity, items: &[Value<'_>], wanted: &'e [Any]) -> Result<bool, EvalError> {
    for wanted in wanted {
        let wanted = any(run, wanted)?;
        let mut found = false;
        for item in items {
            if same(run, item, &wanted)? {
                found = true;
                break;
            }
        }
        if found == (quantity == Quantity::One) {
            return Ok(found);
        }
    }
    Ok(quantity == Quantity::All)
}
