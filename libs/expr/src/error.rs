//! What can be wrong with an expression: the problem, its place and its stable code. The sentences are in [`text`].

mod text;

use serde::Serialize;

use crate::ast::{Expr, Node};
use crate::{Field, Function, Position, Schema, Span, Type, formula, names};

/// A language that errors and explanations are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    Zh,
    En,
}

/// Something wrong with an expression, found where it was read, checked or evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub problem: Problem,
    pub span: Span,
}

impl Error {
    pub(crate) fn new(problem: Problem, span: Span) -> Self {
        Self { problem, span }
    }

    /// Says it in a sentence a sales manager understands.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        text::of(&self.problem, lang)
    }

    /// Gathers everything about it, ready for JSON.
    #[must_use]
    pub fn report(&self, source: &str) -> Report {
        Report {
            code: self.problem.code(),
            span: self.span,
            position: self.span.position(source),
            source: names::shortened(self.span.of(source), 80),
            suggestion: self.problem.suggestion().map(str::to_owned),
            zh: self.text(Lang::Zh),
            en: self.text(Lang::En),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for Error {}

/// An error as a program passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub code: &'static str,
    pub span: Span,
    pub position: Position,
    /// The text at the span, shortened.
    pub source: String,
    /// What to write in its place, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    pub zh: String,
    pub en: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    // Found while reading the text.
    SourceTooLong {
        bytes: usize,
    },
    TooDeep,
    TooManyNodes,
    Empty,
    UnexpectedCharacter {
        character: char,
    },
    UnclosedText,
    UnclosedName,
    BadName,
    BadNumber {
        text: String,
    },
    BadDate {
        text: String,
    },
    Unexpected {
        expected: Expected,
        found: String,
    },
    SpaceNeeded {
        word: &'static str,
        rest: String,
    },
    ChainedComparison,
    UnknownFunction {
        name: String,
        suggestion: Option<&'static str>,
    },
    ArgumentCount {
        name: &'static str,
        least: usize,
        most: usize,
        found: usize,
    },

    // Found while checking against the schema.
    UnknownField {
        name: String,
        suggestion: Option<String>,
    },
    UnknownOption {
        field: String,
        option: String,
        suggestion: Option<String>,
    },
    WrongType {
        expected: &'static [Type],
        found: Type,
        suggestion: Option<String>,
    },
    NotComparable {
        left: Type,
        right: Type,
        suggestion: Option<String>,
    },
    NoOrder {
        kind: Type,
    },
    BranchesDiffer {
        function: Function,
        first: Type,
        other: Type,
    },
    WrongResult {
        expected: Type,
        found: Type,
    },
    TooCostly {
        cost: u32,
    },

    /// Found while evaluating, or while checking where the values are written in the formula.
    Failed(Failure),
}

/// What the parser waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A value, a field, a function or an opening parenthesis.
    Operand,
    /// An operator or the end.
    Operator,
    /// A comma or a closing parenthesis.
    Closing,
    /// An opening parenthesis.
    Opening,
}

/// Why an evaluation has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    DivisionByZero,
    /// A number of more than 28 digits before the decimal point.
    NumberTooLarge,
    /// No such day, or outside of the calendar's years.
    NoSuchDate,
    NotWhole,
    /// Decimal places other than 0 to 28.
    DecimalPlaces,
    TooMuchData,
    /// The facts keep to another schema than the program.
    OtherSchema,
}

/// A failed evaluation. It is small and allocates nothing, unlike [`Error`], which it turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", text::of(&Problem::Failed(self.failure), Lang::En))]
pub struct EvalError {
    pub failure: Failure,
    pub span: Span,
}

impl From<EvalError> for Error {
    fn from(error: EvalError) -> Self {
        Self::new(Problem::Failed(error.failure), error.span)
    }
}

impl Problem {
    pub(crate) fn unknown_field(name: &str, schema: &Schema) -> Self {
        // As it is written: some names need brackets.
        let near = schema
            .nearest(name)
            .map(|near| Expr::new(Node::Field(near.to_owned()), Span::default()));
        Self::UnknownField {
            name: name.to_owned(),
            suggestion: near.map(|near| formula::print(&near)),
        }
    }

    pub(crate) fn unknown_option(field: &Field, option: &str) -> Self {
        let suggestion = names::nearest(option, field.options.iter().map(String::as_str));
        let suggestion = suggestion.map(|near| format!("'{}'", near.replace('\'', "''")));
        Self::UnknownOption {
            field: field.name.clone(),
            option: option.to_owned(),
            suggestion,
        }
    }

    pub(crate) fn argument_count(function: Function, found: usize) -> Self {
        let (least, most) = function.arity();
        Self::ArgumentCount {
            name: function.name(),
            least,
            most,
            found,
        }
    }

    /// Returns its code, which never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SourceTooLong { .. } => "SOURCE_TOO_LONG",
            Self::TooDeep => "TOO_DEEP",
            Self::TooManyNodes => "TOO_MANY_NODES",
            Self::Empty => "EMPTY",
            Self::UnexpectedCharacter { .. } => "UNEXPECTED_CHARACTER",
            Self::UnclosedText => "UNCLOSED_TEXT",
            Self::UnclosedName => "UNCLOSED_NAME",
            Self::BadName => "BAD_NAME",
            Self::BadNumber { .. } => "BAD_NUMBER",
            Self::BadDate { .. } => "BAD_DATE",
            Self::Unexpected { .. } => "UNEXPECTED",
            Self::SpaceNeeded { .. } => "SPACE_NEEDED",
            Self::ChainedComparison => "CHAINED_COMPARISON",
            Self::UnknownFunction { .. } => "UNKNOWN_FUNCTION",
            Self::ArgumentCount { .. } => "ARGUMENT_COUNT",
            Self::UnknownField { .. } => "UNKNOWN_FIELD",
            Self::UnknownOption { .. } => "UNKNOWN_OPTION",
            Self::WrongType { .. } => "WRONG_TYPE",
            Self::NotComparable { .. } => "NOT_COMPARABLE",
            Self::NoOrder { .. } => "NO_ORDER",
            Self::BranchesDiffer { .. } => "BRANCHES_DIFFER",
            Self::WrongResult { .. } => "WRONG_RESULT",
            Self::TooCostly { .. } => "TOO_COSTLY",
            Self::Failed(Failure::DivisionByZero) => "DIVISION_BY_ZERO",
            Self::Failed(Failure::NumberTooLarge) => "NUMBER_TOO_LARGE",
            Self::Failed(Failure::NoSuchDate) => "NO_SUCH_DATE",
            Self::Failed(Failure::NotWhole) => "NOT_WHOLE",
            Self::Failed(Failure::DecimalPlaces) => "DECIMAL_PLACES",
            Self::Failed(Failure::TooMuchData) => "TOO_MUCH_DATA",
            Self::Failed(Failure::OtherSchema) => "OTHER_SCHEMA",
        }
    }

    /// Returns what was most likely meant, ready to be written in place of the span.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::UnknownFunction { suggestion, .. } => *suggestion,
            Self::UnknownField { suggestion, .. }
            | Self::UnknownOption { suggestion, .. }
            | Self::WrongType { suggestion, .. }
            | Self::NotComparable { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}
