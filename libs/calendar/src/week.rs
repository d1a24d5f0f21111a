//! The week of a calendar: the windows of each weekday, checked and sorted.

use jiff::civil::{Date, DateTime, Time, Weekday};

use crate::{CalendarSpec, SpecError};

const MINUTES_PER_DAY: u16 = 24 * 60;

/// The windows of every weekday.
#[derive(Debug)]
pub(crate) struct Week {
    /// From Monday.
    days: [Vec<Window>; 7],
    /// What a make-up workday and an extra day on a closed weekday are open with.
    ordinary: Vec<Window>,
}

/// An open window of the day on which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) opens: Edge,
    pub(crate) closes: Edge,
}

/// A wall-clock time of a day or of the day after it; the earlier edge is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    next_day: bool,
    time: Time,
}

impl Week {
    pub(crate) fn compile(spec: &CalendarSpec) -> Result<Self, SpecError> {
        let general = parse_windows("windows", &spec.windows)?;
        let mut days: [Vec<Window>; 7] = Default::default();
        for (position, text) in spec.days.iter().enumerate() {
            for day in parse_weekdays(&format!("days[{position}]"), text)? {
                days[index(day)].clone_from(&general);
            }
        }
        let mut own = [false; 7];
        for (text, windows) in &spec.per_day {
            let key = format!("per_day.{text}");
            let windows = parse_windows(&key, windows)?;
            for day in parse_weekdays(&key, text)? {
                if std::mem::replace(&mut own[index(day)], true) {
                    return Err(SpecError::RepeatedWeekday { key });
                }
                days[index(day)].clone_from(&windows);
            }
        }
        let first_open = days.iter().find(|windows| !windows.is_empty());
        let ordinary = if general.is_empty() {
            first_open.cloned().unwrap_or_default()
        } else {
            general
        };
        let opens_extra = !ordinary.is_empty() && spec.extra_on.iter().any(|date| !spec.extra_off.contains(date));
        if days.iter().all(Vec::is_empty) && !opens_extra {
            return Err(SpecError::NeverOpen);
        }
        Ok(Self { days, ordinary })
    }

    pub(crate) fn on(&self, day: Weekday) -> &[Window] {
        &self.days[index(day)]
    }

    pub(crate) fn ordinary(&self) -> &[Window] {
        &self.ordinary
    }

    /// Returns the earliest opening and the latest closing edge that any date can have.
    pub(crate) fn reach(&self) -> (Edge, Edge) {
        let all = || self.days.iter().chain([&self.ordinary]).flatten();
        let earliest = all().map(|window| window.opens).min();
        let latest = all().map(|window| window.closes).max();
        earliest.zip(latest).expect("a compiled week has a window")
    }
}

impl Edge {
    fn new(minutes: u16) -> Self {
        let small = |number: u16| i8::try_from(number).expect("hours and minutes are below 60");
        let of_day = minutes % MINUTES_PER_DAY;
        let time = Time::new(small(of_day / 60), small(of_day % 60), 0, 0);
        Self {
            next_day: minutes >= MINUTES_PER_DAY,
            time: time.expect("hours are below 24"),
        }
    }

    /// Returns the edge on the wall clock of `date`.
    pub(crate) fn on(self, date: Date) -> DateTime {
        match (self.next_day, date.tomorrow()) {
            (false, _) => date.to_datetime(self.time),
            (true, Ok(next)) => next.to_datetime(self.time),
            (true, Err(_)) => DateTime::MAX,
        }
    }
}

fn index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).expect("0 to 6")
}

fn parse_windows(key: &str, windows: &[[String; 2]]) -> Result<Vec<Window>, SpecError> {
    let mut parsed = Vec::with_capacity(windows.len());
    for (position, [opens, closes]) in windows.iter().enumerate() {
        let time = |side: usize, text: &str, latest: u16| {
            parse_time(text)
                .filter(|&minutes| minutes <= latest)
                .ok_or_else(|| SpecError::TimeOfDay {
                    key: format!("{key}[{position}][{side}]"),
                    text: text.to_owned(),
                })
        };
        let start = time(0, opens, MINUTES_PER_DAY - 1)?;
        let mut end = time(1, closes, MINUTES_PER_DAY)?;
        if end <= start {
            end += MINUTES_PER_DAY;
        }
        let window = Window {
            opens: Edge::new(start),
            closes: Edge::new(end),
        };
        parsed.push((window, format!("{opens}-{closes}")));
    }
    parsed.sort_by_key(|(window, _)| window.opens);
    for pair in parsed.windows(2) {
        if pair[1].0.opens < pair[0].0.closes {
            return Err(SpecError::Overlap {
                key: key.to_owned(),
                earlier: pair[0].1.clone(),
                later: pair[1].1.clone(),
            });
        }
    }
    Ok(parsed.into_iter().map(|(window, _)| window).collect())
}

/// Reads `HH:MM` as minutes after midnight, 1440 for `24:00`.
fn parse_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str, lengths: &[usize]| {
        let valid = lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if valid { part.parse::<u16>().ok() } else { None }
    };
    let (hour, minute) = (digits(hour, &[1, 2])?, digits(minute, &[2])?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= MINUTES_PER_DAY).then_some(minutes)
}

/// Reads a weekday or a range of weekdays; a range may run over the week's end (`Sat-Tue`).
fn parse_weekdays(key: &str, text: &str) -> Result<Vec<Weekday>, SpecError> {
    let (first, last) = text.split_once(['-', '–']).unwrap_or((text, text));
    let (Some(first), Some(last)) = (parse_weekday(first), parse_weekday(last)) else {
        return Err(SpecError::Weekday {
            key: key.to_owned(),
            text: text.to_owned(),
        });
    };
    let mut days = vec![first];
    let mut day = first;
    while day != last {
        day = day.next();
        days.push(day);
    }
    Ok(days)
}

fn parse_weekday(text: &str) -> Option<Weekday> {
    let text = text.trim().to_ascii_lowercase();
    Some(match text.as_str() {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(yaml: &str) -> Result<Week, SpecError> {
        Week::compile(&CalendarSpec::parse(&format!("time_zone: UTC\n{yaml}")).expect(yaml))
    }

    fn window(opens: u16, closes: u16) -> Window {
        Window {
            opens: Edge::new(opens * 60),
            closes: Edge::new(closes * 60),
        }
    }

    #[test]
    fn windows_of_a_week() {
        let week = compile(
            "days: [Mon-Thu, sunday]\nwindows: [['13:00', '24:00'], ['9:00', '12:00']]\nper_day: {Fri: [['22:00', '06:00']], Tue: []}",
        )
        .expect("week");
        let ordinary = [window(9, 12), window(13, 24)];
        assert_eq!(week.ordinary(), ordinary);
        for day in [Weekday::Monday, Weekday::Wednesday, Weekday::Thursday, Weekday::Sunday] {
            assert_eq!(week.on(day), ordinary, "{day:?}");
        }
        assert_eq!(week.on(Weekday::Friday), [window(22, 30)]);
        for day in [Weekday::Tuesday, Weekday::Saturday] {
            assert!(week.on(day).is_empty(), "{day:?}");
        }
        assert_eq!(week.reach(), (Edge::new(9 * 60), Edge::new(30 * 60)));
    }

    #[test]
    fn ordinary_windows_without_general_ones_are_those_of_the_first_open_weekday() {
        let week = compile("per_day: {Sat-Sun: [['10:00', '16:00']], Wed: [['09:00', '17:00']]}").expect("week");
        assert_eq!(week.ordinary(), [window(9, 17)]);
        assert_eq!(week.on(Weekday::Sunday), [window(10, 16)]);
        assert!(week.on(Weekday::Monday).is_empty());
    }

    #[test]
    fn a_window_may_last_a_whole_day() {
        for (windows, closes) in [
            ("[['00:00', '24:00']]", 24),
            ("[['00:00', '00:00']]", 24),
            ("[['09:00', '09:00']]", 33),
        ] {
            let week = compile(&format!("windows: {windows}")).expect(windows);
            assert_eq!(week.on(Weekday::Monday)[0].closes, Edge::new(closes * 60), "{windows}");
        }
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            (
                "windows: [['09:00', '12:00'], ['12:75', '18:00']]",
                "windows[1][0]: \"12:75\" is not a time of day",
            ),
            ("windows: [['24:00', '06:00']]", "windows[0][0]: \"24:00\""),
            ("windows: [['09:00', '24:01']]", "windows[0][1]: \"24:01\""),
            ("windows: [['nine', '18:00']]", "windows[0][0]: \"nine\""),
            ("windows: [['+9:00', '18:00']]", "windows[0][0]: \"+9:00\""),
            ("windows: [['09:00', '99:99']]", "windows[0][1]: \"99:99\""),
            ("per_day: {Sat: [['09:00', '18']]}", "per_day.Sat[0][1]: \"18\""),
            (
                "windows: [['12:30', '18:00'], ['09:00', '13:00']]",
                "windows: 12:30-18:00 overlaps 09:00-13:00",
            ),
            (
                "per_day: {Sun: [['20:00', '04:00'], ['23:00', '24:00']]}",
                "per_day.Sun: 23:00-24:00 overlaps 20:00-04:00",
            ),
            ("days: [Mon, Fry]", "days[1]: \"Fry\" is not a weekday"),
            ("days: Mon-", "days[0]: \"Mon-\""),
            (
                "per_day: {Holiday: []}",
                "per_day.Holiday: \"Holiday\" is not a weekday",
            ),
            ("per_day: {Mon-Wed: [], tue: []}", "per_day.tue: another key"),
            ("days: Mon-Fri", "windows: the calendar has no working minute"),
            ("days: []\nwindows: [['09:00', '18:00']]", "no working minute"),
            (
                "days: Mon\nwindows: [['09:00', '18:00']]\nper_day: {Mon: []}",
                "no working minute",
            ),
            (
                "days: []\nwindows: [['09:00', '18:00']]\nextra_on: [2026-01-01]\nextra_off: [2026-01-01]",
                "no working minute",
            ),
        ];
        for (yaml, expected) in cases {
            let error = compile(yaml).expect_err(yaml).to_string();
            assert!(error.contains(expected), "{yaml:?} gave {error:?}");
        }
        compile("days: []\nwindows: [['09:00', '18:00']]\nextra_on: [2026-01-01]").expect("open on one extra day");
    }
}
