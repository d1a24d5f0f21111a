//! Worked examples: the PLT-30 fixture, breaks, nights, clock changes, exceptions, unknown years and leave.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use reflex_calendar::{
    CalendarError, CalendarSpec, DayKind, Due, Elapsed, Openness, SpecError, StatutoryDay, StatutoryTable,
    WorkingCalendar, parse_instant,
};

const OFFICE: &str = "{time_zone: Asia/Shanghai, days: Mon-Fri, windows: [['09:00', '18:00']], statutory: CN}";

fn calendar(yaml: &str) -> WorkingCalendar {
    let spec = CalendarSpec::parse(yaml).expect(yaml);
    WorkingCalendar::from_spec(&spec).expect(yaml)
}

/// A calendar of `zone` with further keys, one a line or separated by `;`.
fn zoned(zone: &str, keys: &str) -> WorkingCalendar {
    calendar(&format!("time_zone: {zone}\n{}", keys.replace("; ", "\n")))
}

fn at(calendar: &WorkingCalendar, text: &str) -> Timestamp {
    parse_instant(text, calendar.time_zone()).expect(text)
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn local(calendar: &WorkingCalendar, instant: Timestamp) -> String {
    instant
        .to_zoned(calendar.time_zone().clone())
        .strftime("%Y-%m-%dT%H:%M")
        .to_string()
}

/// Checks a due time in both directions.
fn assert_due(calendar: &WorkingCalendar, start: &str, working_minutes: u64, expected: &str) {
    let start = at(calendar, start);
    let due = calendar.add(start, minutes(working_minutes)).expect("due");
    let shown = local(calendar, start);
    assert_eq!(
        local(calendar, due.at),
        expected,
        "{working_minutes} minutes from {shown}"
    );
    let elapsed = calendar.elapsed(start, due.at).expect("elapsed");
    assert_eq!(elapsed.working, minutes(working_minutes), "back to {shown}");
}

/// The shipped table without its make-up workdays.
fn holidays_only() -> Arc<StatutoryTable> {
    let table = StatutoryTable::china();
    let holidays = table
        .days()
        .filter(|(_, day)| matches!(day, StatutoryDay::Holiday { .. }));
    let holidays = holidays.map(|(date, day)| (date, day.clone()));
    Arc::new(StatutoryTable::new("CN", table.years(), holidays).expect("no date twice"))
}

#[test]
fn fixture_of_plt_30() {
    let spec = CalendarSpec::parse(OFFICE).expect("yaml");
    let correct = WorkingCalendar::from_spec(&spec).expect("calendar");
    let without_makeup = WorkingCalendar::new(&spec, Some(holidays_only())).expect("calendar");
    let weekends = calendar(&OFFICE.replace("statutory: CN", "statutory: none"));
    let rows = [
        (
            "2026-02-13T16:00",
            "2026-02-14T11:00",
            "2026-02-24T11:00",
            "2026-02-16T11:00",
        ),
        (
            "2026-02-16T10:00",
            "2026-02-24T13:00",
            "2026-02-24T13:00",
            "2026-02-16T14:00",
        ),
        (
            "2026-09-19T11:00",
            "2026-09-20T13:00",
            "2026-09-21T13:00",
            "2026-09-21T13:00",
        ),
        (
            "2026-09-30T17:00",
            "2026-10-08T12:00",
            "2026-10-08T12:00",
            "2026-10-01T12:00",
        ),
        (
            "2026-05-08T17:30",
            "2026-05-09T12:30",
            "2026-05-11T12:30",
            "2026-05-11T12:30",
        ),
    ];
    for (start, expected, expected_without_makeup, expected_weekends) in rows {
        assert_due(&correct, start, 240, expected);
        assert_due(&without_makeup, start, 240, expected_without_makeup);
        assert_due(&weekends, start, 240, expected_weekends);
        assert!(
            !correct.add(at(&correct, start), minutes(240)).expect("due").provisional,
            "{start}"
        );
    }
}

#[test]
fn breaks_and_closing_times() {
    let office =
        calendar("{time_zone: Asia/Shanghai, windows: [['13:00', '18:00'], ['09:00', '12:00']], statutory: CN}");
    let rows = [
        ("2026-03-02T09:00", 0, "2026-03-02T09:00"),
        ("2026-03-01T03:00", 0, "2026-03-01T03:00"),
        ("2026-03-02T09:00", 180, "2026-03-02T12:00"),
        ("2026-03-02T09:00", 181, "2026-03-02T13:01"),
        ("2026-03-02T12:30", 60, "2026-03-02T14:00"),
        ("2026-03-02T11:30", 60, "2026-03-02T13:30"),
        ("2026-03-02T09:00", 480, "2026-03-02T18:00"),
        ("2026-03-02T17:59", 1, "2026-03-02T18:00"),
        ("2026-03-02T18:00", 1, "2026-03-03T09:01"),
        ("2026-03-06T17:30", 60, "2026-03-09T09:30"),
        ("2026-03-07T12:00", 480, "2026-03-09T18:00"),
    ];
    for (start, working, expected) in rows {
        assert_due(&office, start, working, expected);
    }
}

#[test]
fn sub_minute_precision_is_kept() {
    let office = calendar(OFFICE);
    let start = at(&office, "2026-03-02T17:59:59.999999999");
    let due = office.add(start, Duration::from_nanos(3)).expect("due").at;
    assert_eq!(due, at(&office, "2026-03-03T09:00:00.000000002"));
    assert_eq!(
        office.elapsed(start, due).expect("elapsed").working,
        Duration::from_nanos(3)
    );
}

#[test]
fn night_shifts_belong_to_the_day_on_which_they_start() {
    let nights = zoned("Asia/Shanghai", "windows: [['22:00', '06:00']]; statutory: CN");
    let rows = [
        // Monday to Friday nights: the last one ends on Saturday morning.
        ("2026-03-07T05:00", 60, "2026-03-07T06:00"),
        ("2026-03-07T05:00", 61, "2026-03-09T22:01"),
        // Closed by Saturday's weekday although the clock shows a night hour.
        ("2026-03-08T23:00", 10, "2026-03-09T22:10"),
        // The night of the eve of the Spring Festival (2026-02-15 to 02-23 off) runs into the first day off.
        ("2026-02-14T23:00", 8 * 60, "2026-02-24T23:00"),
    ];
    for (start, working, expected) in rows {
        assert_due(&nights, start, working, expected);
    }
    assert!(nights.is_open(at(&nights, "2026-02-15T05:59")).open);
    assert!(!nights.is_open(at(&nights, "2026-02-15T06:00")).open);
}

#[test]
fn a_night_window_and_the_next_morning_are_counted_once() {
    // Friday's night overlaps Saturday's early shift from 04:00 to 06:00.
    let merged = zoned(
        "Asia/Shanghai",
        "days: []; per_day: {Fri: [['22:00', '06:00']], Sat: [['04:00', '08:00']]}",
    );
    assert_due(&merged, "2026-03-06T22:00", 10 * 60, "2026-03-07T08:00");
    assert_due(&merged, "2026-03-07T05:00", 120, "2026-03-07T07:00");
    // Swallowed whole: 23:00-12:00 covers 09:00-11:00.
    let swallowed = zoned(
        "Asia/Shanghai",
        "days: []; per_day: {Fri: [['23:00', '12:00']], Sat: [['09:00', '11:00']]}",
    );
    assert_due(&swallowed, "2026-03-06T23:00", 13 * 60, "2026-03-07T12:00");
    assert_due(&swallowed, "2026-03-06T23:00", 13 * 60 + 1, "2026-03-13T23:01");
    let always = zoned("Asia/Shanghai", "days: Mon-Sun; windows: [['09:00', '09:00']]");
    assert_due(&always, "2026-03-06T03:17", 100 * 1440, "2026-06-14T03:17");
}

#[test]
fn half_hour_zones() {
    let rows = [
        ("Asia/Kolkata", "2026-03-03T03:30:00Z"),
        ("Asia/Kathmandu", "2026-03-03T03:15:00Z"),
    ];
    for (zone, nine_in_the_morning) in rows {
        let office = zoned(zone, "windows: [['09:00', '18:00']]");
        assert_due(&office, "2026-03-02T17:30", 45, "2026-03-03T09:15");
        let next = office.next_open(at(&office, "2026-03-02T18:00")).expect("open");
        assert_eq!(next.at.to_string(), nine_in_the_morning);
    }
}

#[test]
fn clock_changes_count_elapsed_minutes() {
    // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
    let nights = zoned("Europe/Berlin", "days: Mon-Sun; windows: [['22:00', '06:00']]");
    assert_due(&nights, "2026-03-28T22:00", 7 * 60, "2026-03-29T06:00");
    assert_due(&nights, "2026-03-28T22:00", 7 * 60 + 1, "2026-03-29T22:01");
    assert_due(&nights, "2026-10-24T22:00", 9 * 60, "2026-10-25T06:00");
    assert_due(&nights, "2026-10-24T22:00", 9 * 60 + 1, "2026-10-25T22:01");

    // An opening in the skipped hour happens when the clock jumps; windows within the skipped hour do not happen.
    let early = zoned(
        "Europe/Berlin",
        "days: Mon-Sun; windows: [['02:10', '02:20'], ['02:30', '04:00']]",
    );
    assert_due(&early, "2026-03-29T00:00", 60, "2026-03-29T04:00");
    assert_eq!(early.windows_on(date(2026, 3, 29)).windows.len(), 1);
    assert_eq!(early.windows_on(date(2026, 3, 30)).windows.len(), 2);

    // An edge in the repeated hour happens the first time.
    let opens_in_fold = zoned("Europe/Berlin", "days: Mon-Sun; windows: [['02:30', '04:00']]");
    assert_due(&opens_in_fold, "2026-10-25T00:00", 150, "2026-10-25T04:00");
    let closes_in_fold = zoned("Europe/Berlin", "days: Mon-Sun; windows: [['01:00', '02:30']]");
    assert_due(&closes_in_fold, "2026-10-25T00:00", 90, "2026-10-25T02:30");
    assert!(
        !closes_in_fold
            .is_open(at(&closes_in_fold, "2026-10-25T02:15+01:00"))
            .open
    );

    // Half an hour forward, at night; and a whole date that never was.
    let island = zoned("Australia/Lord_Howe", "days: Mon-Sun; windows: [['00:00', '24:00']]");
    assert_due(&island, "2026-10-04T00:00", 23 * 60 + 30, "2026-10-05T00:00");
    let samoa = zoned("Pacific/Apia", "days: Mon-Sun; windows: [['09:00', '17:00']]");
    assert_due(&samoa, "2011-12-29T16:00", 120, "2011-12-31T10:00");
}

#[test]
fn exceptions_and_their_precedence() {
    let shop = calendar(
        "
time_zone: Asia/Shanghai
days: Mon-Fri
windows: [['09:00', '18:00']]
per_day: {Sat: [['10:00', '13:00']], Wed: []}
statutory: CN
extra_off: [2026-02-14, 2026-03-05, 2026-03-09]
extra_on: [2026-02-17, 2026-03-08, 2026-03-09, 2026-03-14]
",
    );
    let full = "09:00-18:00";
    let rows = [
        (date(2026, 3, 2), DayKind::Weekday, full),
        (date(2026, 3, 4), DayKind::Weekday, ""),
        (date(2026, 3, 5), DayKind::ExtraOff, ""),
        (date(2026, 3, 7), DayKind::Weekday, "10:00-13:00"),
        // extra_on on a closed weekday, on a weekday with its own windows, and on a holiday.
        (date(2026, 3, 8), DayKind::ExtraOn, full),
        (date(2026, 3, 14), DayKind::ExtraOn, "10:00-13:00"),
        (date(2026, 2, 17), DayKind::ExtraOn, full),
        // extra_off wins over extra_on and over a make-up workday.
        (date(2026, 3, 9), DayKind::ExtraOff, ""),
        (date(2026, 2, 14), DayKind::ExtraOff, ""),
        // Holidays close also the Saturday of a calendar that works on Saturdays.
        (date(2026, 2, 21), DayKind::Holiday("春节"), ""),
        // A make-up Saturday has the ordinary windows, not the short ones of a Saturday.
        (date(2026, 2, 28), DayKind::MakeupWorkday("春节"), full),
    ];
    for (day, kind, expected) in rows {
        let planned = shop.windows_on(day);
        let clock = |instant| local(&shop, instant).split_off(11);
        let windows: Vec<String> = planned
            .windows
            .iter()
            .map(|window| format!("{}-{}", clock(window.opens), clock(window.closes)))
            .collect();
        assert_eq!((planned.kind, windows.join(" ").as_str()), (kind, expected), "{day}");
        assert!(!planned.provisional, "{day}");
    }
}

#[test]
fn unknown_years_are_provisional() {
    let office = calendar(OFFICE);
    let provisional = |start: &str, working| {
        office
            .add(at(&office, start), minutes(working))
            .expect("due")
            .provisional
    };
    let rows = [
        ("2026-12-31T17:00", 60, false),
        ("2026-12-31T17:00", 61, true),
        ("2027-01-04T10:00", 60, true),
        ("2027-01-04T10:00", 0, false),
        // The evening before the first known year cannot change anything any more.
        ("2023-12-31T18:00", 60, false),
        ("2023-12-31T17:59", 60, true),
        ("2024-01-01T00:00", 60, false),
    ];
    for (start, working, expected) in rows {
        assert_eq!(provisional(start, working), expected, "{working} minutes from {start}");
    }
    let elapsed = |start, end| office.elapsed(at(&office, start), at(&office, end)).expect("elapsed");
    assert_eq!(
        elapsed("2026-12-31T09:00", "2027-01-01T09:00"),
        Elapsed {
            working: minutes(540),
            provisional: false
        }
    );
    assert_eq!(
        elapsed("2026-12-31T09:00", "2027-01-01T09:01"),
        Elapsed {
            working: minutes(541),
            provisional: true
        }
    );
    let openness = |text| office.is_open(at(&office, text));
    assert_eq!(
        openness("2027-10-01T10:00"),
        Openness {
            open: true,
            provisional: true
        }
    );
    assert_eq!(
        openness("2027-10-01T20:00"),
        Openness {
            open: false,
            provisional: false
        }
    );
    assert_eq!(
        openness("2026-10-01T10:00"),
        Openness {
            open: false,
            provisional: false
        }
    );
    assert!(office.windows_on(date(2027, 10, 1)).provisional);

    // A night shift of the last unknown evening reaches into the first known year.
    let nights = zoned(
        "Asia/Shanghai",
        "days: Mon-Sun; windows: [['22:00', '06:00']]; statutory: CN",
    );
    assert!(
        nights
            .add(at(&nights, "2024-01-01T05:00"), minutes(1))
            .expect("due")
            .provisional
    );
    assert!(
        !nights
            .add(at(&nights, "2024-01-01T06:00"), minutes(1))
            .expect("due")
            .provisional
    );

    let weekends = calendar(&OFFICE.replace(", statutory: CN", ""));
    assert!(
        !weekends
            .add(at(&weekends, "2027-10-01T10:00"), minutes(1))
            .expect("due")
            .provisional
    );
}

#[test]
fn dates_the_calendar_decides_itself_are_certain_in_an_unknown_year() {
    let office = calendar(&OFFICE.replace('}', ", extra_on: [2027-10-01], extra_off: [2027-10-02]}"));
    for day in [date(2027, 10, 1), date(2027, 10, 2)] {
        assert!(!office.windows_on(day).provisional, "{day}");
    }
    assert!(office.windows_on(date(2027, 10, 3)).provisional);
}

#[test]
fn a_year_listed_without_holidays_is_unknown_until_its_notice_is_merged() {
    let spec = CalendarSpec::parse(OFFICE).expect("yaml");
    let empty = StatutoryTable::parse(r#"{"region": "CN", "years": [2027], "holidays": []}"#).expect("table");
    let mut table = StatutoryTable::clone(&StatutoryTable::china());
    table.merge(empty).expect("same region");
    let before = WorkingCalendar::new(&spec, Some(Arc::new(table.clone()))).expect("calendar");
    let start = at(&before, "2027-09-30T17:00");
    let guessed = before.add(start, minutes(120)).expect("due");
    assert_eq!(
        guessed,
        Due {
            at: at(&before, "2027-10-01T10:00"),
            provisional: true
        }
    );

    let holiday = |day: Date| {
        (
            day,
            StatutoryDay::Holiday {
                name: "国庆节".into()
            },
        )
    };
    let notice = StatutoryTable::new("CN", [2027], (1..=7).map(|day| holiday(date(2027, 10, day)))).expect("table");
    table.merge(notice).expect("same region");
    let after = WorkingCalendar::new(&spec, Some(Arc::new(table))).expect("calendar");
    assert_eq!(
        after.add(start, minutes(120)).expect("due"),
        Due {
            at: at(&after, "2027-10-08T10:00"),
            provisional: false
        }
    );
}

#[test]
fn leave_closes_and_merges() {
    let office = calendar(OFFICE);
    let leave = |from, to| (at(&office, from), at(&office, to));
    let person = office.with_leave(&[
        leave("2026-03-03T12:00", "2026-03-03T15:00"),
        leave("2026-03-03T10:00", "2026-03-03T11:00"),
        leave("2026-03-03T14:00", "2026-03-04T10:00"),
        leave("2026-03-05T10:00", "2026-03-05T10:00"),
        leave("2026-03-06T10:00", "2026-03-05T10:00"),
    ]);
    let rows = [
        ("2026-03-02T17:00", 60, "2026-03-02T18:00"),
        ("2026-03-03T09:00", 60, "2026-03-03T10:00"),
        ("2026-03-03T09:00", 61, "2026-03-03T11:01"),
        ("2026-03-03T09:00", 121, "2026-03-04T10:01"),
        ("2026-03-03T10:30", 30, "2026-03-03T11:30"),
        ("2026-03-05T09:00", 540, "2026-03-05T18:00"),
    ];
    for (start, working, expected) in rows {
        assert_due(&person, start, working, expected);
    }
    let later = person.with_leave(&[leave("2026-03-02T00:00", "2026-03-03T00:00")]);
    assert_due(&later, "2026-03-02T09:00", 61, "2026-03-03T11:01");
    assert_due(&office, "2026-03-02T17:00", 61, "2026-03-03T09:01");
    let next = person.next_open(at(&person, "2026-03-03T12:00")).expect("open");
    assert_eq!(next.at, at(&person, "2026-03-04T10:00"));
}

#[test]
fn questions_without_an_answer_are_errors() {
    let office = calendar(OFFICE);
    let start = at(&office, "2026-03-02T09:00");
    let forever = office.with_leave(&[(start, Timestamp::MAX)]);
    assert_eq!(
        forever.add(start, minutes(1)),
        Err(CalendarError::NotEnoughOpenTime {
            start,
            working: minutes(1)
        })
    );
    assert!(forever.next_open(start).is_err());
    let error = office.add(start, Duration::MAX).expect_err("too long").to_string();
    assert!(error.contains("2026-03-02T01:00:00Z"), "{error}");
    let once = zoned("UTC", "days: []; windows: [['09:00', '10:00']]; extra_on: [2026-03-02]");
    assert_due(&once, "2026-03-01T00:00", 60, "2026-03-02T10:00");
    assert!(once.add(start, minutes(61)).is_err());

    let before = at(&office, "2026-03-02T08:59");
    assert_eq!(
        office.elapsed(start, before),
        Err(CalendarError::EndBeforeStart { start, end: before })
    );
    assert!(matches!(
        office.elapsed(start, Timestamp::MAX),
        Err(CalendarError::SpanTooLong { .. })
    ));
    assert!(office.add(Timestamp::MAX, minutes(1)).is_err());
    let ancient = office.add(Timestamp::MIN, minutes(1)).expect("open within days");
    assert!(ancient.provisional);
    assert!(!office.is_open(Timestamp::MAX).open);
}

#[test]
fn calendars_that_cannot_be_compiled() {
    let compile = |yaml: &str| WorkingCalendar::from_spec(&CalendarSpec::parse(yaml).expect(yaml)).map(drop);
    let zone = OFFICE.replace("Asia/Shanghai", "Asia/Shangai");
    assert_eq!(
        compile(&zone),
        Err(SpecError::UnknownTimeZone {
            zone: "Asia/Shangai".into()
        })
    );
    let region = OFFICE.replace("CN", "US");
    assert_eq!(
        compile(&region),
        Err(SpecError::NoStatutoryTable { region: "US".into() })
    );
    assert_eq!(compile("time_zone: UTC"), Err(SpecError::NeverOpen));
    let spec = CalendarSpec::parse(OFFICE).expect("yaml");
    assert_eq!(
        WorkingCalendar::new(&spec, None).map(drop),
        Err(SpecError::NoStatutoryTable { region: "CN".into() })
    );
}
