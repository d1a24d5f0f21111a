//! Calculation with decimals: exact up to 28 digits, and rounded to 28 digits where the result has more.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::ast::ArithmeticOp;
use crate::typed::{Instant, NumberOp, Typed};
use crate::{EvalError, Failure};

use super::{Run, days, each, extreme, value};

/// Evaluates a number.
pub(super) fn calculate<'e>(run: &Run<'e>, operation: &'e NumberOp) -> Result<Option<Decimal>, EvalError> {
    match operation {
        NumberOp::Arithmetic(op, span, sides) => {
            let left = value(run, &sides.0)?;
            let right = value(run, &sides.1)?;
            let Some((left, right)) = left.zip(right) else {
                return Ok(None);
            };
            arithmetic(*op, left, right)
                .map(Some)
                .map_err(|failure| EvalError { failure, span: *span })
        }
        NumberOp::Negate(number) => Ok(value(run, number)?.map(|number| -number)),
        NumberOp::Abs(number) => Ok(value(run, number)?.map(|number| number.abs())),
        NumberOp::Round(span, sides) => {
            let number = value(run, &sides.0)?;
            let places = value(run, &sides.1)?;
            let Some((number, places)) = number.zip(places) else {
                return Ok(None);
            };
            let places = places_of(places).ok_or(EvalError {
                failure: Failure::DecimalPlaces,
                span: *span,
            })?;
            Ok(Some(number.round_dp_with_strategy(
                places,
                RoundingStrategy::MidpointAwayFromZero,
            )))
        }
        NumberOp::Extreme(which, values) => extreme(run, *which, values),
        NumberOp::Sum(span, values) => {
            let mut sum = Decimal::ZERO;
            let too_large = EvalError {
                failure: Failure::NumberTooLarge,
                span: *span,
            };
            each(run, values, |number| {
                sum = sum.checked_add(number).ok_or(too_large)?;
                Ok(())
            })?;
            Ok(Some(sum))
        }
        NumberOp::Count(list) => Ok(Some(Decimal::from(value(run, list)?.unwrap_or_default().len()))),
        NumberOp::Length(text) => {
            let text = value(run, text)?.unwrap_or_default();
            run.spend(text.len())?;
            Ok(Some(Decimal::from(text.chars().count())))
        }
        NumberOp::DaysBetween(moments) => {
            let end = days::day_of(run, &moments.0)?;
            let start = days::day_of(run, &moments.1)?;
            Ok(end
                .zip(start)
                .map(|(end, start)| Decimal::from(days::between(end, start))))
        }
        NumberOp::Elapsed(unit, moments) => elapsed(run, *unit, moments),
        NumberOp::Part(part, moment) => Ok(days::day_of(run, moment)?.map(|day| Decimal::from(days::part(day, *part)))),
        NumberOp::Hour(time) => {
            let time = value(run, time)?;
            Ok(time.map(|time| Decimal::from(run.context.zone.to_datetime(time).hour())))
        }
    }
}

fn places_of(number: Decimal) -> Option<u32> {
    // By way of a signed number: zero may have a sign.
    let places = number.is_integer().then(|| number.to_i64()).flatten()?;
    u32::try_from(places)
        .ok()
        .filter(|places| *places <= Decimal::MAX_SCALE)
}

/// Calculates with two numbers.
fn arithmetic(op: ArithmeticOp, left: Decimal, right: Decimal) -> Result<Decimal, Failure> {
    let result = match op {
        ArithmeticOp::Add => left.checked_add(right),
        ArithmeticOp::Subtract => left.checked_sub(right),
        ArithmeticOp::Multiply => left.checked_mul(right),
        ArithmeticOp::Divide | ArithmeticOp::Remainder if right.is_zero() => return Err(Failure::DivisionByZero),
        ArithmeticOp::Divide => left.checked_div(right),
        ArithmeticOp::Remainder => left.checked_rem(right),
    };
    result.ok_or(Failure::NumberTooLarge)
}

fn elapsed<'e>(
    run: &Run<'e>,
    unit: u32,
    moments: &'e (Typed<Instant>, Typed<Instant>),
) -> Result<Option<Decimal>, EvalError> {
    let end = value(run, &moments.0)?;
    let start = value(run, &moments.1)?;
    let Some((end, start)) = end.zip(start) else {
        return Ok(None);
    };
    // Twenty thousand years are less than 10^21 nanoseconds, and a decimal has 28 digits.
    let seconds = Decimal::try_from_i128_with_scale(end.duration_since(start).as_nanos(), 9);
    let elapsed = seconds
        .ok()
        .and_then(|seconds| seconds.checked_div(Decimal::from(unit)));
    elapsed.map(Some).ok_or(EvalError {
        failure: Failure::NumberTooLarge,
        span: run.whole,
    })
}
