//! What a calendar answers, and why it cannot.

use std::time::Duration;

use jiff::Timestamp;

use crate::OpenInterval;

/// The instant at which something falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The earliest instant by which the working time has passed.
    pub at: Timestamp,
    /// Whether a date of a year with unpublished holidays had to be guessed from its weekday.
    pub provisional: bool,
}

/// The open time between two instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    /// The open time, to the nanosecond.
    pub working: Duration,
    /// Whether a date of a year with unpublished holidays had to be guessed from its weekday.
    pub provisional: bool,
}

/// Whether a calendar is open at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Openness {
    /// Whether the instant lies in a window; the closing instant does not.
    pub open: bool,
    /// Whether a date of a year with unpublished holidays had to be guessed from its weekday.
    pub provisional: bool,
}

/// A date as the calendar plans it, before leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayWindows<'a> {
    /// What decided the date.
    pub kind: DayKind<'a>,
    /// The windows that start on the date, ascending.
    pub windows: Vec<OpenInterval>,
    /// Whether the date belongs to a year with unpublished holidays and was guessed from its weekday.
    pub provisional: bool,
}

/// What decides whether a date is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind<'a> {
    /// The calendar's own closing day.
    ExtraOff,
    /// The calendar's own opening day.
    ExtraOn,
    /// A statutory holiday, with its name.
    Holiday(&'a str),
    /// A make-up workday, with the name of the holiday it pays for.
    MakeupWorkday(&'a str),
    /// The windows of its weekday, if there are any.
    Weekday,
}

/// Why working time cannot be added or measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Too little is open after the start.
    #[error("the calendar has less than {working:?} of open time in the 40 years after {start}")]
    NotEnoughOpenTime {
        /// Where the search started.
        start: Timestamp,
        /// The open time looked for.
        working: Duration,
    },
    /// The span to measure runs backwards.
    #[error("the end {end} lies before the start {start}")]
    EndBeforeStart {
        /// The start of the span.
        start: Timestamp,
        /// The end of the span.
        end: Timestamp,
    },
    /// The span to measure is longer than any due instant can be ahead.
    #[error("from {start} to {end} is longer than 40 years")]
    SpanTooLong {
        /// The start of the span.
        start: Timestamp,
        /// The end of the span.
        end: Timestamp,
    },
    /// A text is no instant.
    #[error(
        "{text:?} is neither an instant with offset (2026-02-13T16:00:00+08:00) nor a local date and time: {reason}"
    )]
    Instant {
        /// The text as given.
        text: String,
        /// What the parser found.
        reason: String,
    },
}
