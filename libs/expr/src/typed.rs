//! The checked tree: fields are slots, every node knows its type, and an ill-typed one cannot be written down.
//!
//! There is one [`Typed`] for each kind of value. What all kinds have in common is here; what only one kind can do is its
//! `Operation`, and the evaluation of both is in [`crate::eval`].

use jiff::Timestamp;
use jiff::civil::Date;
use memchr::memmem::Finder;
use rust_decimal::Decimal;

use crate::ast::{ArithmeticOp, CompareOp};
use crate::{Item, Slot, Span, Type};

/// A kind of value.
pub(crate) trait Kind: Sized {
    /// What a literal of the kind is kept as.
    type Constant: std::fmt::Debug + Clone;
    /// What results in the kind besides literals, fields, `IF` and `COALESCE`.
    type Operation: std::fmt::Debug + Clone;

    /// Recalls the kind of an expression, if it is this one.
    fn of(any: Any) -> Option<Typed<Self>>;
}

/// An expression of one kind.
#[derive(Debug, Clone)]
pub(crate) enum Typed<K: Kind> {
    Constant(K::Constant),
    Field(Slot),
    If(Box<If<K>>),
    Coalesce(Box<[Typed<K>]>),
    Operation(K::Operation),
}

/// A choice; without `otherwise` it is blank where the condition does not hold.
#[derive(Debug, Clone)]
pub(crate) struct If<K: Kind> {
    pub(crate) condition: Typed<Bool>,
    pub(crate) then: Typed<K>,
    pub(crate) otherwise: Option<Typed<K>>,
}

/// An expression of some kind.
#[derive(Debug, Clone)]
pub(crate) enum Any {
    Bool(Typed<Bool>),
    Number(Typed<Number>),
    Text(Typed<Text>),
    Date(Typed<Day>),
    Time(Typed<Instant>),
    List(Item, Typed<List>),
}

impl Any {
    /// Returns the type.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::Text(_) => Type::Text,
            Self::Date(_) => Type::Date,
            Self::Time(_) => Type::Time,
            Self::List(item, _) => Type::List(*item),
        }
    }
}

/// Conditions.
#[derive(Debug, Clone)]
pub(crate) struct Bool;

impl Kind for Bool {
    type Constant = bool;
    type Operation = BoolOp;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::Bool(typed) => Some(typed),
            _ => None,
        }
    }
}

/// Decimal numbers.
#[derive(Debug, Clone)]
pub(crate) struct Number;

impl Kind for Number {
    type Constant = Decimal;
    type Operation = NumberOp;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::Number(typed) => Some(typed),
            _ => None,
        }
    }
}

/// Texts.
#[derive(Debug, Clone)]
pub(crate) struct Text;

impl Kind for Text {
    type Constant = Box<str>;
    type Operation = TextOp;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::Text(typed) => Some(typed),
            _ => None,
        }
    }
}

/// Days of the calendar.
#[derive(Debug, Clone)]
pub(crate) struct Day;

impl Kind for Day {
    type Constant = Date;
    type Operation = DayOp;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::Date(typed) => Some(typed),
            _ => None,
        }
    }
}

/// Instants.
#[derive(Debug, Clone)]
pub(crate) struct Instant;

impl Kind for Instant {
    type Constant = Timestamp;
    type Operation = InstantOp;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::Time(typed) => Some(typed),
            _ => None,
        }
    }
}

/// Lists, which are read from facts only.
#[derive(Debug, Clone)]
pub(crate) struct List;

impl Kind for List {
    type Constant = Never;
    type Operation = Never;

    fn of(any: Any) -> Option<Typed<Self>> {
        match any {
            Any::List(_, typed) => Some(typed),
            _ => None,
        }
    }
}

/// What no expression is.
#[derive(Debug, Clone)]
pub(crate) enum Never {}

/// Conditions: they hold or they do not, and are never blank.
#[derive(Debug, Clone)]
pub(crate) enum BoolOp {
    And(Box<[Typed<Bool>]>),
    Or(Box<[Typed<Bool>]>),
    Not(Box<Typed<Bool>>),
    Numbers(CompareOp, Box<(Typed<Number>, Typed<Number>)>),
    Days(CompareOp, Box<(Typed<Day>, Typed<Day>)>),
    Instants(CompareOp, Box<(Typed<Instant>, Typed<Instant>)>),
    Texts(Equality, Box<(Typed<Text>, Typed<Text>)>),
    Bools(Equality, Box<(Typed<Bool>, Typed<Bool>)>),
    Search(Search, Box<(Typed<Text>, Typed<Text>)>),
    /// A text that has a constant in it, whose search is prepared.
    Contains(Box<(Typed<Text>, Finder<'static>)>),
    /// A text among constants, which are sorted.
    InTexts(Box<Typed<Text>>, Box<[Box<str>]>),
    In(Box<(Any, Box<[Any]>)>),
    /// A list that has one, or all, of some values.
    Has(Quantity, Box<(Typed<List>, Box<[Any]>)>),
    IsBlank(Box<Any>),
}

/// A comparison of what has no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Equality {
    Same,
    Different,
}

/// Where in a text another is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Anywhere,
    AtStart,
    AtEnd,
}

/// How many of several values are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    One,
    All,
}

#[derive(Debug, Clone)]
pub(crate) enum NumberOp {
    Arithmetic(ArithmeticOp, Span, Box<(Typed<Number>, Typed<Number>)>),
    Negate(Box<Typed<Number>>),
    Abs(Box<Typed<Number>>),
    Round(Span, Box<(Typed<Number>, Typed<Number>)>),
    Extreme(Extreme, Values<Number>),
    Sum(Span, Values<Number>),
    Count(Box<Typed<List>>),
    Length(Box<Typed<Text>>),
    /// Days from the second to the first.
    DaysBetween(Box<(Moment, Moment)>),
    /// Elapsed time from the second to the first, in units of so many seconds.
    Elapsed(u32, Box<(Typed<Instant>, Typed<Instant>)>),
    Part(DayPart, Box<Moment>),
    Hour(Box<Typed<Instant>>),
}

#[derive(Debug, Clone)]
pub(crate) enum TextOp {
    Join(Box<[Any]>),
    Lower(Box<Typed<Text>>),
    Upper(Box<Typed<Text>>),
    Trim(Box<Typed<Text>>),
}

#[derive(Debug, Clone)]
pub(crate) enum DayOp {
    Today,
    Of(Box<Moment>),
    Make(Span, Box<[Typed<Number>; 3]>),
    Add(Sign, Span, Box<(Typed<Day>, Typed<Number>)>),
    Extreme(Extreme, Values<Day>),
}

#[derive(Debug, Clone)]
pub(crate) enum InstantOp {
    Now,
    AddHours(Span, Box<(Typed<Instant>, Typed<Number>)>),
    Extreme(Extreme, Values<Instant>),
}

/// A day, or an instant that has a day in the zone of the evaluation.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    Day(Typed<Day>),
    Instant(Typed<Instant>),
}

/// A part of a day's date.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DayPart {
    Year,
    Month,
    Day,
    Weekday,
}

/// The direction of a shift.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// An end of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extreme {
    Least,
    Greatest,
}

/// Several values: one expression for each, or one for all.
#[derive(Debug, Clone)]
pub(crate) enum Values<K: Kind> {
    Each(Box<[Typed<K>]>),
    Items(Box<Typed<List>>),
}
