//! A compiled calendar, and how it answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::instant::first_instant;
use crate::week::{Edge, Week, Window};
use crate::{
    CalendarError, CalendarSpec, DayKind, DayWindows, Due, Elapsed, OpenInterval, OpenIntervals, Openness, SpecError,
    StatutoryDay, StatutoryTable,
};

/// How far ahead a due instant is looked for, and how long a span may be measured: 40 years of 366 days.
const HORIZON: SignedDuration = SignedDuration::from_hours(40 * 366 * 24);

/// A calendar ready to add and measure working time; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkingCalendar {
    rules: Arc<Rules>,
    /// Ascending, disjoint and not touching.
    leave: Arc<[OpenInterval]>,
}

#[derive(Debug)]
struct Rules {
    zone: TimeZone,
    week: Week,
    /// The earliest opening and the latest closing that any date can have.
    reach: (Edge, Edge),
    statutory: Option<Arc<StatutoryTable>>,
    extra_off: BTreeSet<Date>,
    extra_on: BTreeSet<Date>,
}

/// How a date is planned, in wall-clock windows.
#[derive(Debug)]
pub(crate) struct Day<'a> {
    kind: DayKind<'a>,
    pub(crate) windows: &'a [Window],
    pub(crate) provisional: bool,
}

impl WorkingCalendar {
    /// Compiles a calendar; `statutory` is looked at only if the calendar names a region.
    ///
    /// # Errors
    ///
    /// A [`SpecError`] naming the key that is wrong, or the region for which `statutory` is not the table.
    pub fn new(spec: &CalendarSpec, statutory: Option<Arc<StatutoryTable>>) -> Result<Self, SpecError> {
        let zone = TimeZone::get(spec.time_zone.trim()).map_err(|_| SpecError::UnknownTimeZone {
            zone: spec.time_zone.clone(),
        })?;
        let week = Week::compile(spec)?;
        let statutory = match spec.statutory_region() {
            None => None,
            Some(region) => Some(
                statutory
                    .filter(|table| table.region().eq_ignore_ascii_case(region))
                    .ok_or_else(|| SpecError::NoStatutoryTable {
                        region: region.to_owned(),
                    })?,
            ),
        };
        let rules = Rules {
            zone,
            reach: week.reach(),
            week,
            statutory,
            extra_off: spec.extra_off.iter().copied().collect(),
            extra_on: spec.extra_on.iter().copied().collect(),
        };
        Ok(Self {
            rules: Arc::new(rules),
            leave: Arc::default(),
        })
    }

    /// Compiles a calendar with the shipped statutory table of mainland China.
    ///
    /// # Errors
    ///
    /// As [`WorkingCalendar::new`]; any other region than `CN` has no table here.
    pub fn from_spec(spec: &CalendarSpec) -> Result<Self, SpecError> {
        Self::new(spec, Some(StatutoryTable::china()))
    }

    /// Returns the calendar closed also during `leave`, from the first instant of each pair to before the second.
    ///
    /// Pairs may overlap; one that ends at or before its start closes nothing.
    #[must_use]
    pub fn with_leave(&self, leave: &[(Timestamp, Timestamp)]) -> Self {
        let added = leave.iter().map(|&(opens, closes)| OpenInterval { opens, closes });
        let mut all: Vec<OpenInterval> = self
            .leave
            .iter()
            .copied()
            .chain(added.filter(|absence| absence.opens < absence.closes))
            .collect();
        all.sort_by_key(|absence| absence.opens);
        all.dedup_by(|next, previous| {
            let touches = next.opens <= previous.closes;
            if touches {
                previous.closes = previous.closes.max(next.closes);
            }
            touches
        });
        Self {
            rules: Arc::clone(&self.rules),
            leave: all.into(),
        }
    }

    /// Returns the zone in which the windows are wall-clock times.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.rules.zone
    }

    /// Returns the earliest instant by which `working` of open time has passed since `start`.
    ///
    /// Zero is due at `start` itself, and what is due on a closing time stays there (18:00, not 09:00 of the next day).
    ///
    /// # Errors
    ///
    /// [`CalendarError::NotEnoughOpenTime`] when the 40 years after `start` do not hold that much open time.
    pub fn add(&self, start: Timestamp, working: Duration) -> Result<Due, CalendarError> {
        if working.is_zero() {
            return Ok(Due {
                at: start,
                provisional: false,
            });
        }
        let too_little = CalendarError::NotEnoughOpenTime { start, working };
        let Ok(mut remaining) = SignedDuration::try_from(working) else {
            return Err(too_little);
        };
        let mut open = self.open_between(start, horizon(start));
        while let Some(interval) = open.next() {
            let length = interval.opens.duration_until(interval.closes);
            if remaining <= length {
                return Ok(Due {
                    at: interval.opens + remaining,
                    provisional: open.provisional(),
                });
            }
            remaining -= length;
        }
        Err(too_little)
    }

    /// Measures the open time from `start` to `end`.
    ///
    /// # Errors
    ///
    /// [`CalendarError::EndBeforeStart`] when `end` lies before `start`; [`CalendarError::SpanTooLong`] over 40 years.
    pub fn elapsed(&self, start: Timestamp, end: Timestamp) -> Result<Elapsed, CalendarError> {
        if end < start {
            return Err(CalendarError::EndBeforeStart { start, end });
        }
        if end > horizon(start) {
            return Err(CalendarError::SpanTooLong { start, end });
        }
        let mut open = self.open_between(start, end);
        let total: SignedDuration = open
            .by_ref()
            .map(|interval| interval.opens.duration_until(interval.closes))
            .sum();
        Ok(Elapsed {
            working: total.unsigned_abs(),
            provisional: open.provisional(),
        })
    }

    /// Tells whether `at` is open.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> Openness {
        let just_after = at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at);
        let mut open = self.open_between(at, just_after);
        Openness {
            open: open.next().is_some(),
            provisional: open.provisional(),
        }
    }

    /// Returns the first open instant at or after `at`.
    ///
    /// # Errors
    ///
    /// [`CalendarError::NotEnoughOpenTime`] when nothing is open in the 40 years after `at`.
    pub fn next_open(&self, at: Timestamp) -> Result<Due, CalendarError> {
        let mut open = self.open_between(at, horizon(at));
        match open.next() {
            Some(interval) => Ok(Due {
                at: interval.opens,
                provisional: open.provisional(),
            }),
            None => Err(CalendarError::NotEnoughOpenTime {
                start: at,
                working: Duration::from_nanos(1),
            }),
        }
    }

    /// Walks the open intervals from `start` to `end`.
    #[must_use]
    pub fn open_between(&self, start: Timestamp, end: Timestamp) -> OpenIntervals<'_> {
        OpenIntervals::new(self, start, end)
    }

    /// Returns the windows that start on `date` and what decided them; leave is not taken out.
    #[must_use]
    pub fn windows_on(&self, date: Date) -> DayWindows<'_> {
        let Day {
            kind,
            windows,
            provisional,
        } = self.day(date);
        let windows = windows
            .iter()
            .map(|window| OpenInterval {
                opens: self.instant_of(date, window.opens),
                closes: self.instant_of(date, window.closes),
            })
            .filter(|window| window.opens < window.closes)
            .collect();
        DayWindows {
            kind,
            windows,
            provisional,
        }
    }

    pub(crate) fn day(&self, date: Date) -> Day<'_> {
        let Rules {
            week,
            statutory,
            extra_off,
            extra_on,
            ..
        } = &*self.rules;
        let known = |kind, windows| Day {
            kind,
            windows,
            provisional: false,
        };
        let own = week.on(date.weekday());
        if extra_off.contains(&date) {
            return known(DayKind::ExtraOff, &[]);
        }
        if extra_on.contains(&date) {
            return known(DayKind::ExtraOn, if own.is_empty() { week.ordinary() } else { own });
        }
        let Some(table) = statutory else {
            return known(DayKind::Weekday, own);
        };
        match table.day(date) {
            Some(StatutoryDay::Holiday { name }) => known(DayKind::Holiday(name), &[]),
            Some(StatutoryDay::MakeupWorkday { name }) => known(DayKind::MakeupWorkday(name), week.ordinary()),
            None => Day {
                kind: DayKind::Weekday,
                windows: own,
                provisional: !table.covers(date.year()),
            },
        }
    }

    pub(crate) fn date_of(&self, instant: Timestamp) -> Date {
        self.rules.zone.to_datetime(instant).date()
    }

    pub(crate) fn instant_of(&self, date: Date, edge: Edge) -> Timestamp {
        first_instant(&self.rules.zone, edge.on(date))
    }

    pub(crate) fn earliest_open_on(&self, date: Date) -> Timestamp {
        self.instant_of(date, self.rules.reach.0)
    }

    pub(crate) fn latest_close_on(&self, date: Date) -> Timestamp {
        self.instant_of(date, self.rules.reach.1)
    }

    /// Returns the absences that end after `instant`.
    pub(crate) fn leave_after(&self, instant: Timestamp) -> &[OpenInterval] {
        &self.leave[self.leave.partition_point(|absence| absence.closes <= instant)..]
    }
}

fn horizon(start: Timestamp) -> Timestamp {
    start.checked_add(HORIZON).unwrap_or(Timestamp::MAX)
}
