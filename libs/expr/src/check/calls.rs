//! Checks calls of functions.

use memchr::memmem::Finder;

use crate::ast::Expr;
use crate::error::{Error, Problem};
use crate::eval;
use crate::typed::{
    Any, Bool, BoolOp, Day, DayOp, DayPart, Extreme, Instant, InstantOp, List, Number, NumberOp, Quantity, Search,
    Sign, Text, TextOp, Typed, Values,
};
use crate::{Function, Span, Type};

use super::{Checker, LISTS, choice, coalesce, condition, of_kind, wrong_type};

impl Checker<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Expr], span: Span) -> Result<Any, Error> {
        let (least, most) = function.arity();
        if arguments.len() < least || arguments.len() > most {
            return Err(Error::new(Problem::argument_count(function, arguments.len()), span));
        }
        Ok(match function {
            Function::If => self.choice(arguments)?,
            Function::Coalesce => self.coalesce(arguments)?,
            Function::IsBlank => condition(BoolOp::IsBlank(Box::new(self.any(&arguments[0])?))),
            Function::Contains => condition(self.contains(arguments)?),
            Function::StartsWith => condition(self.search(Search::AtStart, arguments)?),
            Function::EndsWith => condition(self.search(Search::AtEnd, arguments)?),
            Function::AnyOf => condition(self.has(Quantity::One, arguments)?),
            Function::AllOf => condition(self.has(Quantity::All, arguments)?),
            Function::Lower => self.of_text(TextOp::Lower, arguments)?,
            Function::Upper => self.of_text(TextOp::Upper, arguments)?,
            Function::Trim => self.of_text(TextOp::Trim, arguments)?,
            Function::Len
            | Function::Round
            | Function::Abs
            | Function::Sum
            | Function::Count
            | Function::Days
            | Function::Hours
            | Function::Minutes
            | Function::Year
            | Function::Month
            | Function::Day
            | Function::Weekday
            | Function::Hour => Any::Number(Typed::Operation(self.number_call(function, arguments, span)?)),
            Function::Min => self.extreme(Extreme::Least, arguments)?,
            Function::Max => self.extreme(Extreme::Greatest, arguments)?,
            Function::Today => Any::Date(Typed::Operation(DayOp::Today)),
            Function::Now => Any::Time(Typed::Operation(InstantOp::Now)),
            Function::Date => Any::Date(self.make_date(arguments, span)?),
            Function::DateOf => Any::Date(Typed::Operation(DayOp::Of(Box::new(self.moment(&arguments[0])?)))),
            Function::AddDays => {
                self.charge(2);
                let day: Typed<Day> = self.typed(&arguments[0], &[Type::Date])?;
                let sides = Box::new((day, self.number(&arguments[1])?));
                Any::Date(Typed::Operation(DayOp::Add(Sign::Plus, span, sides)))
            }
            Function::AddHours => {
                self.charge(2);
                let time: Typed<Instant> = self.typed(&arguments[0], &[Type::Time])?;
                let sides = Box::new((time, self.number(&arguments[1])?));
                Any::Time(Typed::Operation(InstantOp::AddHours(span, sides)))
            }
        })
    }

    fn choice(&mut self, arguments: &[Expr]) -> Result<Any, Error> {
        let condition = self.bool(&arguments[0])?;
        let branches = self.branches(Function::If, &arguments[1..].iter().collect::<Vec<_>>())?;
        Ok(match branches[0].kind() {
            Type::Bool => Any::Bool(choice::<Bool>(condition, branches)),
            Type::Number => Any::Number(choice::<Number>(condition, branches)),
            Type::Text => Any::Text(choice::<Text>(condition, branches)),
            Type::Date => Any::Date(choice::<Day>(condition, branches)),
            Type::Time => Any::Time(choice::<Instant>(condition, branches)),
            Type::List(item) => Any::List(item, choice::<List>(condition, branches)),
        })
    }

    fn coalesce(&mut self, arguments: &[Expr]) -> Result<Any, Error> {
        let parts = self.branches(Function::Coalesce, &arguments.iter().collect::<Vec<_>>())?;
        Ok(match parts[0].kind() {
            Type::Bool => Any::Bool(coalesce(parts)),
            Type::Number => Any::Number(coalesce(parts)),
            Type::Text => Any::Text(coalesce(parts)),
            Type::Date => Any::Date(coalesce(parts)),
            Type::Time => Any::Time(coalesce(parts)),
            Type::List(item) => Any::List(item, coalesce(parts)),
        })
    }

    /// Checks `CONTAINS`: a text in a text, or a value in a list.
    fn contains(&mut self, arguments: &[Expr]) -> Result<BoolOp, Error> {
        match self.any(&arguments[0])? {
            Any::List(item, list) => {
                let wanted = self.items(&arguments[0], item.into(), &arguments[1..])?;
                Ok(BoolOp::Has(Quantity::One, Box::new((list, wanted))))
            }
            Any::Text(text) => {
                self.charge(4);
                Ok(match self.text(&arguments[1])? {
                    Typed::Constant(wanted) => {
                        let finder = Finder::new(wanted.as_bytes()).into_owned();
                        BoolOp::Contains(Box::new((text, finder)))
                    }
                    wanted => BoolOp::Search(Search::Anywhere, Box::new((text, wanted))),
                })
            }
            other => Err(wrong_type(&arguments[0], TEXT_OR_LIST, other.kind())),
        }
    }

    fn search(&mut self, search: Search, arguments: &[Expr]) -> Result<BoolOp, Error> {
        self.charge(4);
        Ok(BoolOp::Search(
            search,
            Box::new((self.text(&arguments[0])?, self.text(&arguments[1])?)),
        ))
    }

    fn has(&mut self, quantity: Quantity, arguments: &[Expr]) -> Result<BoolOp, Error> {
        let (item, list) = self.list(&arguments[0])?;
        let wanted = self.items(&arguments[0], item.into(), &arguments[1..])?;
        Ok(BoolOp::Has(quantity, Box::new((list, wanted))))
    }

    fn items(&mut self, list: &Expr, kind: Type, wanted: &[Expr]) -> Result<Box<[Any]>, Error> {
        let mut items = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            self.charge(4);
            let any = self.any(wanted)?;
            if any.kind() != kind {
                let expected: &'static [Type] = match kind {
                    Type::Number => &[Type::Number],
                    Type::Date => &[Type::Date],
                    _ => &[Type::Text],
                };
                return Err(wrong_type(wanted, expected, any.kind()));
            }
            self.option(list, wanted)?;
            items.push(any);
        }
        Ok(items.into())
    }

    fn of_text(&mut self, op: fn(Box<Typed<Text>>) -> TextOp, arguments: &[Expr]) -> Result<Any, Error> {
        self.charge(4);
        Ok(Any::Text(Typed::Operation(op(Box::new(self.text(&arguments[0])?)))))
    }

    fn number_call(&mut self, function: Function, arguments: &[Expr], span: Span) -> Result<NumberOp, Error> {
        let first = &arguments[0];
        self.charge(2);
        Ok(match function {
            Function::Len => NumberOp::Length(Box::new(self.text(first)?)),
            Function::Round => {
                let number = self.number(first)?;
                let places = match arguments.get(1) {
                    Some(places) => self.number(places)?,
                    None => Typed::Constant(rust_decimal::Decimal::ZERO),
                };
                NumberOp::Round(span, Box::new((number, places)))
            }
            Function::Abs => NumberOp::Abs(Box::new(self.number(first)?)),
            Function::Sum => NumberOp::Sum(span, self.values(arguments)?),
            Function::Count => NumberOp::Count(Box::new(self.list(first)?.1)),
            Function::Days => NumberOp::DaysBetween(Box::new((self.moment(first)?, self.moment(&arguments[1])?))),
            Function::Hour => NumberOp::Hour(Box::new(self.typed(first, &[Type::Time])?)),
            Function::Year => NumberOp::Part(DayPart::Year, Box::new(self.moment(first)?)),
            Function::Month => NumberOp::Part(DayPart::Month, Box::new(self.moment(first)?)),
            Function::Day => NumberOp::Part(DayPart::Day, Box::new(self.moment(first)?)),
            Function::Weekday => NumberOp::Part(DayPart::Weekday, Box::new(self.moment(first)?)),
            _ => {
                let seconds = if function == Function::Hours { 3_600 } else { 60 };
                let end = self.typed(first, &[Type::Time])?;
                NumberOp::Elapsed(seconds, Box::new((end, self.typed(&arguments[1], &[Type::Time])?)))
            }
        })
    }

    /// Checks several numbers, or one list of them.
    fn values(&mut self, arguments: &[Expr]) -> Result<Values<Number>, Error> {
        let first = self.any(&arguments[0])?;
        match first {
            Any::List(crate::Item::Number, list) if arguments.len() == 1 => Ok(Values::Items(Box::new(list))),
            first => {
                let mut numbers = vec![first];
                for argument in &arguments[1..] {
                    numbers.push(self.any(argument)?);
                }
                let wrong = numbers.iter().position(|any| any.kind() != Type::Number);
                if let Some(wrong) = wrong {
                    return Err(wrong_type(&arguments[wrong], NUMBERS, numbers[wrong].kind()));
                }
                Ok(Values::Each(of_kind(numbers).into()))
            }
        }
    }

    /// Checks `MIN` and `MAX`: of several values of one ordered type, or of one list.
    fn extreme(&mut self, which: Extreme, arguments: &[Expr]) -> Result<Any, Error> {
        self.charge(2);
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let any = self.any(argument)?;
            let kind = any.kind();
            match any {
                Any::List(crate::Item::Number, list) if arguments.len() == 1 => {
                    let op = NumberOp::Extreme(which, Values::Items(Box::new(list)));
                    return Ok(Any::Number(Typed::Operation(op)));
                }
                Any::List(crate::Item::Date, list) if arguments.len() == 1 => {
                    return Ok(Any::Date(Typed::Operation(DayOp::Extreme(
                        which,
                        Values::Items(Box::new(list)),
                    ))));
                }
                Any::Number(_) | Any::Date(_) | Any::Time(_) => {}
                _ => return Err(wrong_type(argument, ORDERED, kind)),
            }
            if values.first().is_some_and(|first: &Any| first.kind() != kind) {
                let expected: &'static [Type] = match values[0].kind() {
                    Type::Number => &[Type::Number],
                    Type::Date => &[Type::Date],
                    _ => &[Type::Time],
                };
                return Err(wrong_type(argument, expected, kind));
            }
            values.push(any);
        }
        Ok(match values[0].kind() {
            Type::Date => Any::Date(Typed::Operation(DayOp::Extreme(
                which,
                Values::Each(of_kind(values).into()),
            ))),
            Type::Time => Any::Time(Typed::Operation(InstantOp::Extreme(
                which,
                Values::Each(of_kind(values).into()),
            ))),
            _ => Any::Number(Typed::Operation(NumberOp::Extreme(
                which,
                Values::Each(of_kind(values).into()),
            ))),
        })
    }

    /// Checks `DATE`, and makes the day at once where its parts are written down.
    fn make_date(&mut self, arguments: &[Expr], span: Span) -> Result<Typed<Day>, Error> {
        let year = self.number(&arguments[0])?;
        let month = self.number(&arguments[1])?;
        let day = self.number(&arguments[2])?;
        self.charge(2);
        if let (Typed::Constant(year), Typed::Constant(month), Typed::Constant(day)) = (&year, &month, &day) {
            let day = eval::make_day(*year, *month, *day);
            return day
                .map(Typed::Constant)
                .map_err(|failure| Error::new(Problem::Failed(failure), span));
        }
        Ok(Typed::Operation(DayOp::Make(span, Box::new([year, month, day]))))
    }
}

const TEXT_OR_LIST: &[Type] = &[
    Type::Text,
    Type::List(crate::Item::Text),
    Type::List(crate::Item::Number),
    Type::List(crate::Item::Date),
];
const NUMBERS: &[Type] = &[Type::Number, Type::List(crate::Item::Number)];
const ORDERED: &[Type] = &[Type::Number, Type::Date, Type::Time, LISTS[1], LISTS[2]];
