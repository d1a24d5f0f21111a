//! Evaluation of a checked tree over facts.
//!
//! Nothing is allocated but for texts that are put together, changed in case, or trimmed after that. `AND`, `OR`, `IF`,
//! `COALESCE` and `IN` stop at the first part that decides; everything else evaluates all its parts, from left to right, so
//! it depends on the formula only which failure is reported. What blanks mean is told in the crate's documentation.

mod conditions;
mod days;
mod numbers;
mod texts;

pub(crate) use days::make as make_day;

use std::borrow::Cow;
use std::cell::Cell;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::typed::{Any, Bool, BoolOp, Day, Extreme, Instant, Kind, List, Number, Text, Typed, Values};
use crate::{Context, EvalError, Facts, Failure, Span, Value, limits};

/// One evaluation.
pub(crate) struct Run<'e> {
    facts: &'e Facts<'e>,
    context: &'e Context,
    /// The whole formula, which is to blame for a failure that no part of it is.
    whole: Span,
    data_left: Cell<u32>,
}

impl<'e> Run<'e> {
    /// Starts an evaluation.
    pub(crate) fn new(facts: &'e Facts<'e>, context: &'e Context, whole: Span) -> Self {
        Self {
            facts,
            context,
            whole,
            data_left: Cell::new(limits::DATA),
        }
    }

    /// Takes so many bytes or items off what the evaluation may search or produce.
    fn spend(&self, units: usize) -> Result<(), EvalError> {
        let left = u32::try_from(units)
            .ok()
            .and_then(|units| self.data_left.get().checked_sub(units));
        self.data_left.set(left.ok_or(EvalError {
            failure: Failure::TooMuchData,
            span: self.whole,
        })?);
        Ok(())
    }
}

/// How values of a kind are read and calculated.
pub(crate) trait Evaluate: Kind {
    /// A value of the kind.
    type Value<'e>;

    /// Reads a fact; `None` if it is blank.
    fn fact<'e>(value: &'e Value<'e>) -> Option<Self::Value<'e>>;

    /// Reads a literal.
    fn constant(constant: &Self::Constant) -> Self::Value<'_>;

    /// Tells whether a value that is there counts as blank nevertheless.
    fn is_empty(_: &Self::Value<'_>) -> bool {
        false
    }

    /// Calculates; `None` if the result is blank.
    fn operate<'e>(run: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<Self::Value<'e>>, EvalError>;
}

/// Evaluates an expression of one kind; `None` if the result is blank.
#[inline]
pub(crate) fn value<'e, K: Evaluate>(run: &Run<'e>, typed: &'e Typed<K>) -> Result<Option<K::Value<'e>>, EvalError> {
    // Most conditions compare a field with a constant: inlined, that costs a third less.
    match typed {
        Typed::Field(slot) => Ok(K::fact(run.facts.get(*slot))),
        Typed::Constant(constant) => Ok(Some(K::constant(constant))),
        compound => value_of_compound(run, compound),
    }
}

fn value_of_compound<'e, K: Evaluate>(run: &Run<'e>, typed: &'e Typed<K>) -> Result<Option<K::Value<'e>>, EvalError> {
    match typed {
        Typed::Field(_) | Typed::Constant(_) => value(run, typed),
        Typed::Operation(operation) => K::operate(run, operation),
        Typed::If(choice) => {
            if holds(run, &choice.condition)? {
                value(run, &choice.then)
            } else {
                choice
                    .otherwise
                    .as_ref()
                    .map_or(Ok(None), |otherwise| value(run, otherwise))
            }
        }
        Typed::Coalesce(parts) => {
            for part in parts {
                if let Some(found) = value(run, part)?
                    && !K::is_empty(&found)
                {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
    }
}

/// Evaluates a condition; one that is blank does not hold.
pub(crate) fn holds(run: &Run<'_>, condition: &Typed<Bool>) -> Result<bool, EvalError> {
    match condition {
        Typed::Operation(operation) => conditions::holds(run, operation),
        other => Ok(value(run, other)?.unwrap_or(false)),
    }
}

/// Evaluates an expression of any kind.
pub(crate) fn any<'e>(run: &Run<'e>, any: &'e Any) -> Result<Value<'e>, EvalError> {
    Ok(match any {
        Any::Bool(typed) => value(run, typed)?.map(Value::Bool),
        Any::Number(typed) => value(run, typed)?.map(Value::Number),
        Any::Text(typed) => value(run, typed)?.map(Value::Text),
        Any::Date(typed) => value(run, typed)?.map(Value::Date),
        Any::Time(typed) => value(run, typed)?.map(Value::Time),
        Any::List(_, typed) => value(run, typed)?.map(|items| Value::List(items.to_vec())),
    }
    .unwrap_or(Value::Blank))
}

/// Finds the least or the greatest of several values, of which blank ones do not count.
fn extreme<'e, K: Evaluate>(
    run: &Run<'e>,
    extreme: Extreme,
    values: &'e Values<K>,
) -> Result<Option<K::Value<'e>>, EvalError>
where
    K::Value<'e>: Ord,
{
    let mut best = None;
    each(run, values, |value| {
        best = Some(match (best.take(), extreme) {
            (None, _) => value,
            (Some(best), Extreme::Least) => value.min(best),
            (Some(best), Extreme::Greatest) => value.max(best),
        });
        Ok(())
    })?;
    Ok(best)
}

/// Visits several values, but not the blank ones.
fn each<'e, K: Evaluate>(
    run: &Run<'e>,
    values: &'e Values<K>,
    mut visit: impl FnMut(K::Value<'e>) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    match values {
        Values::Each(parts) => {
            for part in parts {
                if let Some(value) = value(run, part)? {
                    visit(value)?;
                }
            }
        }
        Values::Items(list) => {
            let items = value(run, list)?.unwrap_or_default();
            run.spend(items.len())?;
            for value in items.iter().filter_map(K::fact) {
                visit(value)?;
            }
        }
    }
    Ok(())
}

impl Evaluate for Bool {
    type Value<'e> = bool;

    fn fact<'e>(value: &'e Value<'e>) -> Option<bool> {
        if let Value::Bool(value) = value {
            Some(*value)
        } else {
            None
        }
    }

    fn constant(constant: &bool) -> bool {
        *constant
    }

    fn operate<'e>(run: &Run<'e>, operation: &'e BoolOp) -> Result<Option<bool>, EvalError> {
        conditions::holds(run, operation).map(Some)
    }
}

impl Evaluate for Number {
    type Value<'e> = Decimal;

    fn fact<'e>(value: &'e Value<'e>) -> Option<Decimal> {
        if let Value::Number(value) = value {
            Some(*value)
        } else {
            None
        }
    }

    fn constant(constant: &Decimal) -> Decimal {
        *constant
    }

    fn operate<'e>(run: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<Decimal>, EvalError> {
        numbers::calculate(run, operation)
    }
}

impl Evaluate for Text {
    type Value<'e> = Cow<'e, str>;

    fn fact<'e>(value: &'e Value<'e>) -> Option<Cow<'e, str>> {
        if let Value::Text(value) = value {
            Some(Cow::Borrowed(value))
        } else {
            None
        }
    }

    fn is_empty(value: &Cow<'_, str>) -> bool {
        value.as_ref().is_empty()
    }

    fn constant(constant: &Box<str>) -> Cow<'_, str> {
        Cow::Borrowed(constant)
    }

    fn operate<'e>(run: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<Cow<'e, str>>, EvalError> {
        texts::calculate(run, operation)
    }
}

impl Evaluate for Day {
    type Value<'e> = Date;

    fn fact<'e>(value: &'e Value<'e>) -> Option<Date> {
        if let Value::Date(value) = value {
            Some(*value)
        } else {
            None
        }
    }

    fn constant(constant: &Date) -> Date {
        *constant
    }

    fn operate<'e>(run: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<Date>, EvalError> {
        days::calculate(run, operation)
    }
}

impl Evaluate for Instant {
    type Value<'e> = Timestamp;

    fn fact<'e>(value: &'e Value<'e>) -> Option<Timestamp> {
        if let Value::Time(value) = value {
            Some(*value)
        } else {
            None
        }
    }

    fn constant(constant: &Timestamp) -> Timestamp {
        *constant
    }

    fn operate<'e>(run: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<Timestamp>, EvalError> {
        days::calculate_instant(run, operation)
    }
}

impl Evaluate for List {
    type Value<'e> = &'e [Value<'e>];

    fn fact<'e>(value: &'e Value<'e>) -> Option<&'e [Value<'e>]> {
        if let Value::List(items) = value {
            Some(items)
        } else {
            None
        }
    }

    fn is_empty(value: &&[Value<'_>]) -> bool {
        value.is_empty()
    }

    fn constant(constant: &Self::Constant) -> Self::Value<'_> {
        match *constant {}
    }

    fn operate<'e>(_: &Run<'e>, operation: &'e Self::Operation) -> Result<Option<&'e [Value<'e>]>, EvalError> {
        match *operation {}
    }
}
