//! The functions every face can call. Their words belong to the faces; the names here are the canonical ones.

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    If,
    Coalesce,
    IsBlank,
    Contains,
    StartsWith,
    EndsWith,
    AnyOf,
    AllOf,
    Len,
    Lower,
    Upper,
    Trim,
    Round,
    Abs,
    Min,
    Max,
    Sum,
    Count,
    Today,
    Now,
    Date,
    DateOf,
    Days,
    Hours,
    Minutes,
    Year,
    Month,
    Day,
    Weekday,
    Hour,
    AddDays,
    AddHours,
}

impl Function {
    /// Lists them all.
    pub const ALL: [Self; 32] = [
        Self::If,
        Self::Coalesce,
        Self::IsBlank,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::AnyOf,
        Self::AllOf,
        Self::Len,
        Self::Lower,
        Self::Upper,
        Self::Trim,
        Self::Round,
        Self::Abs,
        Self::Min,
        Self::Max,
        Self::Sum,
        Self::Count,
        Self::Today,
        Self::Now,
        Self::Date,
        Self::DateOf,
        Self::Days,
        Self::Hours,
        Self::Minutes,
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::Hour,
        Self::AddDays,
        Self::AddHours,
    ];

    /// Returns its canonical name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::If => "IF",
            Self::Coalesce => "COALESCE",
            Self::IsBlank => "ISBLANK",
            Self::Contains => "CONTAINS",
            Self::StartsWith => "STARTSWITH",
            Self::EndsWith => "ENDSWITH",
            Self::AnyOf => "ANYOF",
            Self::AllOf => "ALLOF",
            Self::Len => "LEN",
            Self::Lower => "LOWER",
            Self::Upper => "UPPER",
            Self::Trim => "TRIM",
            Self::Round => "ROUND",
            Self::Abs => "ABS",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Sum => "SUM",
            Self::Count => "COUNT",
            Self::Today => "TODAY",
            Self::Now => "NOW",
            Self::Date => "DATE",
            Self::DateOf => "DATEOF",
            Self::Days => "DAYS",
            Self::Hours => "HOURS",
            Self::Minutes => "MINUTES",
            Self::Year => "YEAR",
            Self::Month => "MONTH",
            Self::Day => "DAY",
            Self::Weekday => "WEEKDAY",
            Self::Hour => "HOUR",
            Self::AddDays => "ADDDAYS",
            Self::AddHours => "ADDHOURS",
        }
    }

    /// Returns the least and the greatest number of arguments.
    #[must_use]
    pub fn arity(self) -> (usize, usize) {
        match self {
            Self::Today | Self::Now => (0, 0),
            Self::IsBlank
            | Self::Len
            | Self::Lower
            | Self::Upper
            | Self::Trim
            | Self::Abs
            | Self::Count
            | Self::DateOf
            | Self::Year
            | Self::Month
            | Self::Day
            | Self::Weekday
            | Self::Hour => (1, 1),
            Self::Round => (1, 2),
            Self::Contains
            | Self::StartsWith
            | Self::EndsWith
            | Self::Days
            | Self::Hours
            | Self::Minutes
            | Self::AddDays
            | Self::AddHours => (2, 2),
            Self::If => (2, 3),
            Self::Date => (3, 3),
            Self::Coalesce | Self::Min | Self::Max | Self::Sum => (1, usize::MAX),
            Self::AnyOf | Self::AllOf => (2, usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_listed_once() {
        let mut names: Vec<_> = Function::ALL.iter().map(|function| function.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Function::ALL.len());
    }
}
