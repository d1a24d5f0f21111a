//! Walks a calendar's open intervals in order; adding, measuring and asking are all this walk.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::WorkingCalendar;
use crate::working::Day;

/// Half-open stretch of open time: `opens` belongs to it, `closes` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterval {
    /// First open instant.
    pub opens: Timestamp,
    /// First instant after it that is closed or belongs to the next interval.
    pub closes: Timestamp,
}

/// The open intervals of a calendar between two instants, ascending and disjoint, leave taken out.
#[derive(Debug)]
pub struct OpenIntervals<'a> {
    calendar: &'a WorkingCalendar,
    leave: &'a [OpenInterval],
    /// The date whose windows are being walked.
    date: Date,
    day: Day<'a>,
    next_window: usize,
    /// Everything before it has been given out or is closed. Windows of later dates start later, so one mark is enough to
    /// keep a night shift and the morning after it from being counted twice.
    covered: Timestamp,
    until: Timestamp,
    last_date: Date,
    provisional: bool,
    finished: bool,
}

impl<'a> OpenIntervals<'a> {
    pub(crate) fn new(calendar: &'a WorkingCalendar, from: Timestamp, until: Timestamp) -> Self {
        let today = calendar.date_of(from);
        // Yesterday matters while one of its windows can still be open, today until the last one can have closed.
        let mut date = today.yesterday().unwrap_or(today);
        while calendar.latest_close_on(date) <= from
            && let Ok(next) = date.tomorrow()
        {
            date = next;
        }
        let mut intervals = Self {
            calendar,
            leave: calendar.leave_after(from),
            date,
            day: calendar.day(date),
            next_window: 0,
            covered: from,
            until,
            last_date: calendar.date_of(until),
            provisional: false,
            finished: false,
        };
        intervals.look_at(date);
        intervals
    }

    /// Tells whether a date of a year with unpublished holidays has been looked at so far.
    #[must_use]
    pub fn provisional(&self) -> bool {
        self.provisional
    }

    fn look_at(&mut self, date: Date) {
        // Dates before the last one open before `until` for sure; asking the zone is spared for them.
        if date >= self.last_date && self.calendar.earliest_open_on(date) >= self.until {
            self.finished = true;
            return;
        }
        self.date = date;
        self.day = self.calendar.day(date);
        self.next_window = 0;
        self.provisional |= self.day.provisional;
    }

    /// Returns the end of the leave that covers `instant`, and drops the leave before it.
    fn skip_leave(&mut self, instant: Timestamp) -> Timestamp {
        while let [first, rest @ ..] = self.leave {
            if first.opens > instant {
                break;
            }
            self.leave = rest;
            if first.closes > instant {
                return first.closes;
            }
        }
        instant
    }
}

impl Iterator for OpenIntervals<'_> {
    type Item = OpenInterval;

    fn next(&mut self) -> Option<OpenInterval> {
        while !self.finished {
            let Some(&window) = self.day.windows.get(self.next_window) else {
                match self.date.tomorrow() {
                    Ok(tomorrow) => self.look_at(tomorrow),
                    Err(_) => self.finished = true,
                }
                continue;
            };
            let closes = self.calendar.instant_of(self.date, window.closes).min(self.until);
            let opens = self.calendar.instant_of(self.date, window.opens).max(self.covered);
            let opens = if opens < closes { self.skip_leave(opens) } else { opens };
            if opens >= closes {
                self.covered = opens;
                self.next_window += 1;
                continue;
            }
            // What remains of the window after the next leave is found by looking at the same window again.
            let next_leave = self.leave.first().map_or(closes, |leave| leave.opens);
            self.covered = closes.min(next_leave);
            return Some(OpenInterval {
                opens,
                closes: self.covered,
            });
        }
        None
    }
}
