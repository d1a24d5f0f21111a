//! The working-time algebra: adds and measures open time of a calendar with shifts, breaks, statutory holidays, make-up
//! workdays (调休) and personal leave.
//!
//! [`CalendarSpec`] is the calendar as a person writes it, [`StatutoryTable`] a country's holidays as published, and
//! [`WorkingCalendar`] both of them compiled. For every instant `t` and duration `d`, `elapsed(t, add(t, d)) = d`.
//!
//! The crate is pure: it reads no clock, no file and no database. Which calendar applies to whom is decided elsewhere.
//!
//! # How a date is decided
//!
//! The first of these that speaks of the date wins:
//!
//! 1. `extra_off` closes it, even where `extra_on` names it too;
//! 2. `extra_on` opens it with the windows of its weekday, or the ordinary windows if that weekday is closed;
//! 3. a statutory holiday closes it, and a make-up workday opens it with the ordinary windows;
//! 4. the weekday's own windows (`per_day`, else `windows` on the listed `days`).
//!
//! The ordinary windows are `windows`, or those of the first open weekday from Monday where only `per_day` is given.
//!
//! # How a clock change counts
//!
//! Windows are wall-clock times, and what is added and measured is elapsed time. A window opens or closes at the first
//! instant at which the wall clock shows its time or a later one: a time in a skipped hour happens when the clock jumps, a
//! time in a repeated hour happens the first time. A shift 22:00-06:00 is seven or nine hours long in such a night.

mod answers;
mod instant;
mod intervals;
mod spec;
mod statutory;
mod week;
mod working;

pub use answers::{CalendarError, DayKind, DayWindows, Due, Elapsed, Openness};
pub use instant::parse_instant;
pub use intervals::{OpenInterval, OpenIntervals};
pub use spec::{CalendarSpec, SpecError};
pub use statutory::{StatutoryDay, StatutoryError, StatutoryTable};
pub use working::WorkingCalendar;
