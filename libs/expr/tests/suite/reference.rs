//! The naive evaluator that the real one must agree with: it walks the tree as written, knows no types and copies
//! everything. Days are counted by its own calendar, instants by their nanoseconds.

use jiff::Timestamp;
use jiff::civil::Date;
use reflex_expr::ast::{ArithmeticOp, ChainOp, CompareOp, Expr, Literal, Node, UnaryOp};
use reflex_expr::{Failure, Function, Value};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::world::Known;

type Owned = Value<'static>;
type Result = std::result::Result<Owned, Failure>;

/// Eight hours, as in [`crate::world::context`].
const OFFSET_SECONDS: i64 = 8 * 3600;

pub(crate) struct Reference<'k> {
    pub(crate) known: &'k Known,
    pub(crate) now: Timestamp,
}

impl Reference<'_> {
    pub(crate) fn eval(&self, expr: &Expr) -> Result {
        match &expr.node {
            Node::Literal(literal) => Ok(match literal {
                Literal::Bool(value) => Value::Bool(*value),
                Literal::Number(value) => Value::Number(*value),
                Literal::Text(value) => Value::Text(value.clone().into()),
                Literal::Date(value) => Value::Date(*value),
                Literal::Time(value) => Value::Time(*value),
            }),
            Node::Field(name) => Ok(self.known.get(name).cloned().unwrap_or(Value::Blank)),
            Node::Unary {
                op: UnaryOp::Not,
                operand,
            } => Ok(Value::Bool(!self.holds(operand)?)),
            Node::Unary {
                op: UnaryOp::Negate,
                operand,
            } => Ok(match self.eval(operand)? {
                Value::Number(number) => Value::Number(Decimal::ZERO - number),
                _ => Value::Blank,
            }),
            Node::Arithmetic { op, left, right } => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                arithmetic(*op, left, right)
            }
            Node::Compare { op, left, right } => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                Ok(Value::Bool(compare(*op, &left, &right)))
            }
            Node::Chain {
                op: ChainOp::And,
                operands,
            } => {
                for operand in operands {
                    if !self.holds(operand)? {
                        return Ok(Value::Bool(false));
                    }
                }
                Ok(Value::Bool(true))
            }
            Node::Chain {
                op: ChainOp::Or,
                operands,
            } => {
                for operand in operands {
                    if self.holds(operand)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Node::Chain {
                op: ChainOp::Join,
                operands,
            } => {
                let mut text = String::new();
                for operand in operands {
                    text += &self.eval(operand)?.to_string();
                }
                Ok(Value::Text(text.into()))
            }
            Node::In { subject, options } => {
                let subject = self.eval(subject)?;
                if subject == Value::Blank {
                    return Ok(Value::Bool(false));
                }
                for option in options {
                    if self.eval(option)? == subject {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Node::Call { function, arguments } => self.call(*function, arguments),
        }
    }

    fn holds(&self, expr: &Expr) -> std::result::Result<bool, Failure> {
        Ok(self.eval(expr)? == Value::Bool(true))
    }

    fn call(&self, function: Function, arguments: &[Expr]) -> Result {
        match function {
            Function::If => {
                return if self.holds(&arguments[0])? {
                    self.eval(&arguments[1])
                } else {
                    arguments.get(2).map_or(Ok(Value::Blank), |expr| self.eval(expr))
                };
            }
            Function::Coalesce => {
                for argument in arguments {
                    let value = self.eval(argument)?;
                    if !blank(&value) {
                        return Ok(value);
                    }
                }
                return Ok(Value::Blank);
            }
            // They look for one value after the other, and stop when the answer is known.
            Function::AnyOf | Function::AllOf | Function::Contains => {
                let all = function == Function::AllOf;
                let first = self.eval(&arguments[0])?;
                if let Value::Text(text) = &first {
                    let wanted = self.eval(&arguments[1])?;
                    return Ok(Value::Bool(
                        matches!(wanted, Value::Text(wanted) if text.contains(&*wanted)),
                    ));
                }
                for wanted in &arguments[1..] {
                    let wanted = self.eval(wanted)?;
                    let found = matches!(&first, Value::List(items) if items.contains(&wanted));
                    if found != all {
                        return Ok(Value::Bool(found));
                    }
                }
                return Ok(Value::Bool(all));
            }
            _ => {}
        }
        let values = arguments
            .iter()
            .map(|argument| self.eval(argument))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        strict(function, &values, self.now)
    }
}

/// Calls a function that evaluates all its arguments.
fn strict(function: Function, values: &[Owned], now: Timestamp) -> Result {
    let flat = match values {
        [Value::List(items)] => items.clone(),
        _ => values.iter().filter(|value| **value != Value::Blank).cloned().collect(),
    };
    let skips_blanks = matches!(
        function,
        Function::IsBlank | Function::Len | Function::Count | Function::Sum | Function::Min | Function::Max
    );
    if !skips_blanks && values.contains(&Value::Blank) {
        let condition = matches!(function, Function::StartsWith | Function::EndsWith);
        return Ok(if condition { Value::Bool(false) } else { Value::Blank });
    }
    Ok(match (function, values) {
        (Function::IsBlank, [value]) => Value::Bool(blank(value)),
        (Function::Len, [value]) => number(value.to_string().chars().count()),
        (Function::Count, _) => number(flat.len()),
        (Function::Sum, _) => {
            let mut sum = Decimal::ZERO;
            for value in &flat {
                sum = sum.checked_add(decimal(value)).ok_or(Failure::NumberTooLarge)?;
            }
            Value::Number(sum)
        }
        (Function::Min, _) => flat
            .into_iter()
            .reduce(|a, b| if less(&b, &a) { b } else { a })
            .unwrap_or(Value::Blank),
        (Function::Max, _) => flat
            .into_iter()
            .reduce(|a, b| if less(&a, &b) { b } else { a })
            .unwrap_or(Value::Blank),
        (Function::StartsWith, [text, start]) => Value::Bool(text.to_string().starts_with(&start.to_string())),
        (Function::EndsWith, [text, end]) => Value::Bool(text.to_string().ends_with(&end.to_string())),
        (Function::Lower, [text]) => Value::Text(text.to_string().to_lowercase().into()),
        (Function::Upper, [text]) => Value::Text(text.to_string().to_uppercase().into()),
        (Function::Trim, [text]) => Value::Text(text.to_string().trim().to_owned().into()),
        (Function::Abs, [n]) => Value::Number(if decimal(n) < Decimal::ZERO {
            -decimal(n)
        } else {
            decimal(n)
        }),
        (Function::Round, [n]) => round(decimal(n), Decimal::ZERO)?,
        (Function::Round, [n, places]) => round(decimal(n), decimal(places))?,
        (Function::Today, []) => Value::Date(date_of(day_of(&Value::Time(now)))?),
        (Function::Now, []) => Value::Time(now),
        (Function::DateOf, [moment]) => Value::Date(date_of(day_of(moment))?),
        (Function::Days, [end, start]) => number(day_of(end) - day_of(start)),
        (Function::Hours, [end, start]) => Value::Number(seconds(end, start) / Decimal::from(3600)),
        (Function::Minutes, [end, start]) => Value::Number(seconds(end, start) / Decimal::from(60)),
        (Function::Year, [moment]) => number(date_of(day_of(moment))?.year()),
        (Function::Month, [moment]) => number(date_of(day_of(moment))?.month()),
        (Function::Day, [moment]) => number(date_of(day_of(moment))?.day()),
        // The first of January 1970 was a Thursday.
        (Function::Weekday, [moment]) => number((day_of(moment) + 3).rem_euclid(7) + 1),
        (Function::Hour, [Value::Time(time)]) => number(
            (time.as_nanosecond().div_euclid(1_000_000_000) + i128::from(OFFSET_SECONDS)).rem_euclid(86_400) / 3600,
        ),
        (Function::Date, [year, month, day]) => {
            let parts = [decimal(year), decimal(month), decimal(day)];
            if parts.iter().any(|part| !part.fract().is_zero()) {
                return Err(Failure::NotWhole);
            }
            let [year, month, day] = parts.map(|part| part.to_i64().unwrap_or(i64::MAX));
            let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let length = usize::try_from(month - 1).ok().and_then(|index| lengths.get(index));
            if !length.is_some_and(|length| (1..=*length).contains(&day)) || !(-9999..=9999).contains(&year) {
                return Err(Failure::NoSuchDate);
            }
            Value::Date(date_of(day_number(year, month, day))?)
        }
        (Function::AddDays, [day, days]) => return arithmetic(ArithmeticOp::Add, day.clone(), days.clone()),
        (Function::AddHours, [Value::Time(time), hours]) => {
            let nanoseconds = decimal(hours).checked_mul(Decimal::from(3_600_000_000_000_i64));
            let sum = nanoseconds
                .and_then(|n| n.round().to_i128())
                .and_then(|n| time.as_nanosecond().checked_add(n));
            let time = sum.and_then(|sum| Timestamp::from_nanosecond(sum).ok());
            Value::Time(time.ok_or(Failure::NoSuchDate)?)
        }
        other => panic!("no such call: {other:?}"),
    })
}

fn arithmetic(op: ArithmeticOp, left: Owned, right: Owned) -> Result {
    Ok(match (op, left, right) {
        (_, Value::Blank, _) | (_, _, Value::Blank) => Value::Blank,
        (ArithmeticOp::Subtract, left @ Value::Date(_), right @ Value::Date(_)) => {
            number(day_of(&left) - day_of(&right))
        }
        (op, left @ Value::Date(_), right) => {
            let days = decimal(&right);
            if !days.fract().is_zero() {
                return Err(Failure::NotWhole);
            }
            let days = days
                .to_i64()
                .filter(|days| days.abs() < 10_000_000)
                .ok_or(Failure::NoSuchDate)?;
            let days = if op == ArithmeticOp::Add { days } else { -days };
            Value::Date(date_of(day_of(&left) + days)?)
        }
        (op, left, right) => {
            let (left, right) = (decimal(&left), decimal(&right));
            let result = match op {
                ArithmeticOp::Add => left.checked_add(right),
                ArithmeticOp::Subtract => left.checked_sub(right),
                ArithmeticOp::Multiply => left.checked_mul(right),
                _ if right == Decimal::ZERO => return Err(Failure::DivisionByZero),
                ArithmeticOp::Divide => left.checked_div(right),
                ArithmeticOp::Remainder => left.checked_rem(right),
            };
            Value::Number(result.ok_or(Failure::NumberTooLarge)?)
        }
    })
}

fn compare(op: CompareOp, left: &Owned, right: &Owned) -> bool {
    if *left == Value::Blank || *right == Value::Blank {
        return false;
    }
    match op {
        CompareOp::Equal => left == right,
        CompareOp::NotEqual => left != right,
        CompareOp::Less => less(left, right),
        CompareOp::LessOrEqual => !less(right, left),
        CompareOp::Greater => less(right, left),
        CompareOp::GreaterOrEqual => !less(left, right),
    }
}

fn less(left: &Owned, right: &Owned) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left < right,
        (Value::Date(_), Value::Date(_)) => day_of(left) < day_of(right),
        (Value::Time(left), Value::Time(right)) => left.as_nanosecond() < right.as_nanosecond(),
        other => panic!("no order: {other:?}"),
    }
}

fn round(number: Decimal, places: Decimal) -> Result {
    let places = places
        .to_i64()
        .and_then(|whole| u32::try_from(whole).ok())
        .filter(|whole| Decimal::from(*whole) == places && *whole <= 28);
    let places = places.ok_or(Failure::DecimalPlaces)?;
    let shift = Decimal::from(10_i64.checked_pow(places).unwrap_or(0));
    if shift.is_zero() || number.abs() > Decimal::from(1_000_000_000) || number.scale() + places > 12 {
        return Ok(Value::Number(
            number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero),
        ));
    }
    let half = if number < Decimal::ZERO {
        Decimal::new(-5, 1)
    } else {
        Decimal::new(5, 1)
    };
    Ok(Value::Number((number * shift + half).trunc() / shift))
}

fn blank(value: &Owned) -> bool {
    match value {
        Value::Blank => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

fn number(value: impl TryInto<i64, Error: std::fmt::Debug>) -> Owned {
    Value::Number(Decimal::from(value.try_into().unwrap()))
}

fn decimal(value: &Owned) -> Decimal {
    match value {
        Value::Number(number) => *number,
        other => panic!("no number: {other:?}"),
    }
}

fn seconds(end: &Owned, start: &Owned) -> Decimal {
    match (end, start) {
        (Value::Time(end), Value::Time(start)) => {
            Decimal::from_i128_with_scale(end.as_nanosecond() - start.as_nanosecond(), 9)
        }
        other => panic!("no times: {other:?}"),
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Counts the days since 1970-01-01.
fn day_of(moment: &Owned) -> i64 {
    match moment {
        Value::Date(date) => day_number(date.year().into(), date.month().into(), date.day().into()),
        Value::Time(time) => {
            let seconds = time.as_nanosecond().div_euclid(1_000_000_000) + i128::from(OFFSET_SECONDS);
            i64::try_from(seconds.div_euclid(86_400)).unwrap()
        }
        other => panic!("no moment: {other:?}"),
    }
}

/// Counts the days since 1970-01-01, with years that start in March.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_of(days: i64) -> std::result::Result<Date, Failure> {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    match parts {
        (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).map_err(|_| Failure::NoSuchDate),
        _ => Err(Failure::NoSuchDate),
    }
}
