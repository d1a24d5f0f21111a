//! The laws of the algebra on random calendars, and agreement with a reference that looks at every minute.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use proptest::array::{uniform2, uniform3};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use reflex_calendar::{CalendarSpec, StatutoryDay, StatutoryTable, WorkingCalendar};

const DAY: u32 = 1440;
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// First dates of the sampled fortnights: Spring Festival, both clock changes, the turn of a year.
const FORTNIGHTS: [(i16, i8, i8); 5] = [
    (2026, 2, 9),
    (2026, 3, 22),
    (2026, 9, 27),
    (2026, 10, 19),
    (2026, 12, 25),
];
const ZONES: [&str; 5] = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
];

/// A random calendar in the terms the reference understands.
#[derive(Clone, Debug)]
struct Sample {
    zone: &'static str,
    first: Date,
    /// Windows in minutes after the midnight of their day, ends up to the midnight after next.
    general: Vec<Range<u32>>,
    days: Vec<usize>,
    own: BTreeMap<usize, Vec<Range<u32>>>,
    statutory: bool,
    /// As days after `first`.
    extra_off: Vec<u8>,
    extra_on: Vec<u8>,
    /// As minutes after the start of `first`.
    leave: Vec<Range<u32>>,
}

fn windows() -> impl Strategy<Value = Vec<Range<u32>>> {
    (vec(0..DAY, 0..5), 0..DAY).prop_map(|(mut marks, overnight)| {
        marks.sort_unstable();
        marks.dedup();
        let mut windows: Vec<Range<u32>> = marks.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
        if let [.., last] = marks[..]
            && marks.len() % 2 == 1
        {
            // The odd mark opens a window that ends on the next day, at most 24 hours later.
            windows.push(last..DAY + overnight.min(last));
        }
        windows
    })
}

fn samples() -> impl Strategy<Value = Sample> {
    let general = windows().prop_filter("somewhat open", |windows| !windows.is_empty());
    let days = subsequence((0..7).collect::<Vec<usize>>(), 1..=7);
    let own = proptest::collection::btree_map(0..7_usize, windows(), 0..3);
    let leave = vec(
        (0..30 * DAY, 1..3 * DAY).prop_map(|(start, length)| start..start + length),
        0..4,
    );
    (
        (select(&ZONES[..]), select(&FORTNIGHTS[..])),
        (general, days, own),
        any::<bool>(),
        vec(0..30_u8, 0..3),
        vec(0..30_u8, 0..3),
        leave,
    )
        .prop_map(
            |((zone, (year, month, day)), (general, days, own), statutory, extra_off, extra_on, leave)| Sample {
                zone,
                first: date(year, month, day),
                general,
                days,
                own,
                statutory,
                extra_off,
                extra_on,
                leave,
            },
        )
}

impl Sample {
    fn zone(&self) -> TimeZone {
        TimeZone::get(self.zone).expect("bundled")
    }

    fn origin(&self) -> Timestamp {
        self.zone().to_timestamp(self.first.at(0, 0, 0, 0)).expect("in range")
    }

    fn instant(&self, seconds: u32) -> Timestamp {
        self.origin() + Duration::from_secs(seconds.into())
    }

    fn date(&self, day: u8) -> Date {
        self.first + Span::new().days(day)
    }

    /// The windows of a weekday, from Monday, without exceptions.
    fn week(&self, weekday: usize) -> &[Range<u32>] {
        match self.own.get(&weekday) {
            Some(own) => own,
            None if self.days.contains(&weekday) => &self.general,
            None => &[],
        }
    }

    /// Compiles the sample; `None` for a week so short that the longest sampled time would take decades.
    fn calendar(&self) -> Option<WorkingCalendar> {
        let weekly: u32 = (0..7)
            .flat_map(|weekday| self.week(weekday))
            .map(|window| window.end - window.start)
            .sum();
        if weekly < 60 {
            return None;
        }
        let clock = |minutes: u32| match minutes {
            DAY => "24:00".to_owned(),
            _ => format!("{:02}:{:02}", minutes % DAY / 60, minutes % 60),
        };
        let written = |windows: &[Range<u32>]| -> Vec<[String; 2]> {
            windows
                .iter()
                .map(|window| [clock(window.start), clock(window.end)])
                .collect()
        };
        let spec = CalendarSpec {
            time_zone: self.zone.to_owned(),
            days: self.days.iter().map(|&day| NAMES[day].to_owned()).collect(),
            windows: written(&self.general),
            per_day: self
                .own
                .iter()
                .map(|(&day, own)| (NAMES[day].to_owned(), written(own)))
                .collect(),
            statutory: self.statutory.then(|| "CN".to_owned()),
            extra_off: self.extra_off.iter().map(|&day| self.date(day)).collect(),
            extra_on: self.extra_on.iter().map(|&day| self.date(day)).collect(),
        };
        let leave: Vec<_> = self
            .leave
            .iter()
            .map(|leave| (self.instant(leave.start * 60), self.instant(leave.end * 60)))
            .collect();
        WorkingCalendar::from_spec(&spec)
            .ok()
            .map(|calendar| calendar.with_leave(&leave))
    }

    /// The windows of a date, by the rules of the README.
    fn windows_on(&self, table: &StatutoryTable, day: Date) -> &[Range<u32>] {
        let own = self.week(
            NAMES
                .iter()
                .position(|name| *name == short_name(day.weekday()))
                .expect("seven names"),
        );
        let listed = |days: &[u8]| days.iter().any(|&number| self.date(number) == day);
        if listed(&self.extra_off) {
            return &[];
        }
        if listed(&self.extra_on) {
            return if own.is_empty() { &self.general } else { own };
        }
        match table.day(day).filter(|_| self.statutory) {
            Some(StatutoryDay::Holiday { .. }) => &[],
            Some(StatutoryDay::MakeupWorkday { .. }) => &self.general,
            None => own,
        }
    }

    /// Looks at every minute of `length` minutes from the origin: is it open?
    fn reference(&self, length: u32) -> Vec<bool> {
        let (table, zone) = (StatutoryTable::china(), self.zone());
        let planned: BTreeMap<Date, &[Range<u32>]> = self
            .first
            .yesterday()
            .expect("in range")
            .series(Span::new().days(1))
            .take(usize::try_from(length / DAY).expect("few days") + 3)
            .map(|day| (day, self.windows_on(&table, day)))
            .collect();
        let origin = self.origin();
        let opens = |day: Date, minute: u32| planned[&day].iter().any(|window| window.contains(&minute));
        // In a repeated hour the clock stands still: an edge happens the first time only.
        let mut shown = DateTime::MIN;
        (0..length)
            .map(|minute| {
                shown = shown.max(zone.to_datetime(origin + Duration::from_secs(u64::from(minute) * 60)));
                let of_day = u32::try_from(i32::from(shown.hour()) * 60 + i32::from(shown.minute())).expect("positive");
                let yesterday = shown.date().yesterday().expect("in range");
                let open = opens(shown.date(), of_day) || opens(yesterday, of_day + DAY);
                open && !self.leave.iter().any(|leave| leave.contains(&minute))
            })
            .collect()
    }
}

fn short_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

fn measured(calendar: &WorkingCalendar, start: Timestamp, end: Timestamp) -> Duration {
    calendar.elapsed(start, end).expect("in order").working
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).expect("short")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_added_is_measured(sample in samples(), start in 0..30 * DAY * 60, nanos in 0..100 * 3_600_000_000_000_u64) {
        let Some(calendar) = sample.calendar() else { return Ok(()) };
        let start = sample.instant(start);
        let working = Duration::from_nanos(nanos);
        let due = calendar.add(start, working).expect("open every week").at;
        prop_assert_eq!(measured(&calendar, start, due), working);
        // The earliest such instant: a moment before it, that moment is still missing.
        if nanos > 0 {
            let moment = Duration::from_nanos(1);
            prop_assert_eq!(measured(&calendar, start, due - moment) + moment, working);
        }
    }

    #[test]
    fn adding_is_monotone_and_additive(
        sample in samples(),
        (start, wait) in (0..30 * DAY * 60, 0..3 * DAY * 60),
        (first, second) in (0..100_000_u64, 0..300_000_u64),
    ) {
        let Some(calendar) = sample.calendar() else { return Ok(()) };
        let (start, later) = (sample.instant(start), sample.instant(start + wait));
        let (first, second) = (Duration::from_secs(first), Duration::from_secs(second));
        let add = |from, working| calendar.add(from, working).expect("open every week").at;
        prop_assert_eq!(add(add(start, first), second), add(start, first + second));
        prop_assert!(add(start, first) <= add(start, first + second));
        // From a later start nothing is due earlier; nothing at all is due before its start.
        prop_assert!(start <= add(start, first));
        if !first.is_zero() {
            prop_assert!(add(start, first) <= add(later, first));
        }
    }

    #[test]
    fn measuring_is_additive(sample in samples(), mut marks in uniform3(0..60 * DAY * 60)) {
        let Some(calendar) = sample.calendar() else { return Ok(()) };
        marks.sort_unstable();
        let [start, middle, end] = marks.map(|mark| sample.instant(mark));
        let whole = measured(&calendar, start, end);
        prop_assert_eq!(measured(&calendar, start, middle) + measured(&calendar, middle, end), whole);
        prop_assert!(signed(whole) <= start.duration_until(end));
    }

    #[test]
    fn intervals_are_ascending_and_disjoint(sample in samples(), marks in uniform2(0..60 * DAY * 60)) {
        let Some(calendar) = sample.calendar() else { return Ok(()) };
        let (start, end) = (sample.instant(marks[0].min(marks[1])), sample.instant(marks[0].max(marks[1])));
        let mut covered = start;
        for interval in calendar.open_between(start, end) {
            prop_assert!(covered <= interval.opens && interval.opens < interval.closes && interval.closes <= end);
            prop_assert!(calendar.is_open(interval.opens).open);
            prop_assert_eq!(calendar.next_open(covered).expect("open").at, interval.opens);
            covered = interval.closes;
        }
        if covered < end {
            prop_assert!(!calendar.is_open(covered).open);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_minute_agrees_with_the_reference(
        sample in samples(),
        starts in vec(0..14 * DAY, 4),
        working in 1..60 * 60_u32,
    ) {
        let Some(calendar) = sample.calendar() else { return Ok(()) };
        // Two days of run-in, so that the reference has seen the clock before the first start.
        let open = sample.reference(18 * DAY);
        for minute in (2 * DAY..18 * DAY).step_by(7) {
            let at = sample.instant(minute * 60);
            prop_assert_eq!(calendar.is_open(at).open, open[minute as usize], "{}", at);
        }
        for start in starts.into_iter().map(|start| start + 2 * DAY) {
            let from = sample.instant(start * 60);
            let mut passed = 0;
            for minute in start..18 * DAY {
                prop_assert!(passed < working);
                passed += u32::from(open[minute as usize]);
                if passed == working {
                    let due = calendar.add(from, Duration::from_secs(u64::from(working) * 60)).expect("due").at;
                    prop_assert_eq!(due, sample.instant((minute + 1) * 60));
                    break;
                }
            }
            if passed < working {
                let end = sample.instant(18 * DAY * 60);
                prop_assert_eq!(measured(&calendar, from, end), Duration::from_secs(u64::from(passed) * 60));
            }
        }
    }
}
