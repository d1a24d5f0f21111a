//! Days and instants. An instant has a day, and an hour, in the zone of the evaluation.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::typed::{DayOp, DayPart, InstantOp, Moment, Sign};
use crate::{EvalError, Failure};

use super::{Run, extreme, value};

/// Evaluates a day.
pub(super) fn calculate<'e>(run: &Run<'e>, operation: &'e DayOp) -> Result<Option<Date>, EvalError> {
    match operation {
        DayOp::Today => Ok(Some(run.context.today)),
        DayOp::Of(moment) => day_of(run, moment),
        DayOp::Make(span, parts) => {
            let [year, month, day] = &**parts;
            let (year, month, day) = (value(run, year)?, value(run, month)?, value(run, day)?);
            let (Some(year), Some(month), Some(day)) = (year, month, day) else {
                return Ok(None);
            };
            make(year, month, day)
                .map(Some)
                .map_err(|failure| EvalError { failure, span: *span })
        }
        DayOp::Add(sign, span, sides) => {
            let day = value(run, &sides.0)?;
            let days = value(run, &sides.1)?;
            let Some((day, days)) = day.zip(days) else {
                return Ok(None);
            };
            let days = match sign {
                Sign::Plus => days,
                Sign::Minus => -days,
            };
            add(day, days)
                .map(Some)
                .map_err(|failure| EvalError { failure, span: *span })
        }
        DayOp::Extreme(which, values) => extreme(run, *which, values),
    }
}

/// Evaluates an instant.
pub(super) fn calculate_instant<'e>(run: &Run<'e>, operation: &'e InstantOp) -> Result<Option<Timestamp>, EvalError> {
    match operation {
        InstantOp::Now => Ok(Some(run.context.now)),
        InstantOp::AddHours(span, sides) => {
            let time = value(run, &sides.0)?;
            let hours = value(run, &sides.1)?;
            let Some((time, hours)) = time.zip(hours) else {
                return Ok(None);
            };
            let sum = duration_of_hours(hours).and_then(|duration| time.checked_add(duration).ok());
            sum.map(Some).ok_or(EvalError {
                failure: Failure::NoSuchDate,
                span: *span,
            })
        }
        InstantOp::Extreme(which, values) => extreme(run, *which, values),
    }
}

/// Evaluates a day or the day of an instant.
pub(super) fn day_of<'e>(run: &Run<'e>, moment: &'e Moment) -> Result<Option<Date>, EvalError> {
    match moment {
        Moment::Day(day) => value(run, day),
        Moment::Instant(time) => Ok(value(run, time)?.map(|time| run.context.zone.to_datetime(time).date())),
    }
}

/// Counts the days from the second to the first.
pub(super) fn between(end: Date, start: Date) -> i64 {
    end.duration_since(start).as_hours() / 24
}

/// Returns a part of a date; the week starts on Monday with 1.
pub(super) fn part(day: Date, part: DayPart) -> i16 {
    match part {
        DayPart::Year => day.year(),
        DayPart::Month => day.month().into(),
        DayPart::Day => day.day().into(),
        DayPart::Weekday => day.weekday().to_monday_one_offset().into(),
    }
}

/// Makes a day of its parts.
pub(crate) fn make(year: Decimal, month: Decimal, day: Decimal) -> Result<Date, Failure> {
    if !(year.is_integer() && month.is_integer() && day.is_integer()) {
        return Err(Failure::NotWhole);
    }
    let day = (year.to_i16(), month.to_i8(), day.to_i8());
    let (Some(year), Some(month), Some(day)) = day else {
        return Err(Failure::NoSuchDate);
    };
    Date::new(year, month, day).map_err(|_| Failure::NoSuchDate)
}

fn add(day: Date, days: Decimal) -> Result<Date, Failure> {
    if !days.is_integer() {
        return Err(Failure::NotWhole);
    }
    let span = days.to_i64().and_then(|days| 0.days().try_days(days).ok());
    span.and_then(|span| day.checked_add(span).ok())
        .ok_or(Failure::NoSuchDate)
}

fn duration_of_hours(hours: Decimal) -> Option<SignedDuration> {
    // Beyond this no calendar goes, and all that follows fits.
    const MOST_HOURS: i64 = 1_000_000_000;
    if hours.abs() > Decimal::from(MOST_HOURS) {
        return None;
    }
    let nanoseconds = hours.checked_mul(Decimal::from(3_600_000_000_000_i64))?.round();
    let whole = nanoseconds.to_i128()?;
    let per_second = 1_000_000_000;
    let seconds = i64::try_from(whole / per_second).ok()?;
    Some(SignedDuration::new(seconds, i32::try_from(whole % per_second).ok()?))
}
