//! `reflexctl calendar`: working time without a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use reflex_calendar::{CalendarSpec, StatutoryTable, WorkingCalendar, parse_instant};
use serde_json::Value;

use crate::cli::Format;
use crate::output::{self, Output};

const NANOSECONDS_PER_MINUTE: u128 = 60_000_000_000;

/// Adds and measures working time by a calendar file; needs no server.
#[derive(Debug, Args)]
pub(crate) struct Calendar {
    #[command(subcommand)]
    command: CalendarCommand,
}

#[derive(Debug, Subcommand)]
enum CalendarCommand {
    /// Tells when a working time is over.
    #[command(after_help = "\
JSON: {\"due\": RFC 3339 with the zone's offset, \"provisional\": whether a year without published holidays was guessed}

Example:
  reflexctl calendar due --calendar office.yaml --start 2026-02-13T16:00 --working-minutes 240 -o json
  {\"due\":\"2026-02-14T11:00:00+08:00\",\"provisional\":false}

office.yaml:
  time_zone: Asia/Shanghai
  days: Mon-Fri
  windows: [[\"09:00\", \"18:00\"]]
  statutory: CN")]
    Due {
        #[command(flatten)]
        files: CalendarFiles,
        /// When it starts: with an offset, or local time of the calendar's zone.
        #[arg(long, value_name = "TIME")]
        start: String,
        /// How many working minutes.
        #[arg(long, value_name = "N", value_parser = parse_minutes)]
        working_minutes: Duration,
    },
    /// Measures the working time between two instants.
    #[command(after_help = "\
JSON: {\"working_minutes\": a whole number where it is one, \"provisional\": as above}

Example:
  reflexctl calendar elapsed --calendar office.yaml --start 2026-02-13T16:00 --end 2026-02-14T11:00 -o json
  {\"working_minutes\":240,\"provisional\":false}")]
    Elapsed {
        #[command(flatten)]
        files: CalendarFiles,
        /// From when: with an offset, or local time of the calendar's zone.
        #[arg(long, value_name = "TIME")]
        start: String,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        end: String,
    },
}

#[derive(Debug, Args)]
struct CalendarFiles {
    /// Calendar in YAML or JSON, as in the example.
    #[arg(long, value_name = "FILE")]
    calendar: PathBuf,
    /// Statutory table in JSON, in place of the built-in one of China 2024 to 2026.
    #[arg(long, value_name = "FILE")]
    holidays: Option<PathBuf>,
}

impl CalendarFiles {
    fn read(&self) -> anyhow::Result<WorkingCalendar> {
        let table = match &self.holidays {
            Some(file) => {
                let table = StatutoryTable::parse(&read(file)?);
                Arc::new(table.with_context(|| file.display().to_string())?)
            }
            None => StatutoryTable::china(),
        };
        let file = &self.calendar;
        let spec = CalendarSpec::parse(&read(file)?).with_context(|| file.display().to_string())?;
        WorkingCalendar::new(&spec, Some(table)).with_context(|| file.display().to_string())
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

impl Calendar {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        match &self.command {
            CalendarCommand::Due {
                files,
                start,
                working_minutes,
            } => {
                let calendar = files.read()?;
                let start = parse_instant(start, calendar.time_zone()).context("--start")?;
                let due = calendar.add(start, *working_minutes)?;
                let shown = local(&calendar, due.at);
                let provisional = due.provisional;
                let object = format!(r#"{{"due":"{shown}","provisional":{provisional}}}"#);
                print_answer(output, &object, &shown, provisional)
            }
            CalendarCommand::Elapsed { files, start, end } => {
                let calendar = files.read()?;
                let start = parse_instant(start, calendar.time_zone()).context("--start")?;
                let end = parse_instant(end, calendar.time_zone()).context("--end")?;
                let elapsed = calendar.elapsed(start, end)?;
                let minutes = minutes(elapsed.working);
                let shown = format!("{minutes} working minutes");
                let provisional = elapsed.provisional;
                let object = format!(r#"{{"working_minutes":{minutes},"provisional":{provisional}}}"#);
                print_answer(output, &object, &shown, provisional)
            }
        }
    }
}

/// Prints the answer, `object` where JSON was asked for.
fn print_answer(output: &Output, object: &str, shown: &str, provisional: bool) -> anyhow::Result<()> {
    let text = match output.format {
        Format::Json => object.to_owned(),
        Format::Table if provisional => format!("{shown} (provisional: holidays of a year are not published yet)"),
        Format::Table => shown.to_owned(),
    };
    output::print(&text)?;
    Ok(())
}

/// Writes an instant with the offset that the calendar's zone has then.
fn local(calendar: &WorkingCalendar, instant: Timestamp) -> String {
    let offset = calendar.time_zone().to_offset(instant);
    instant.display_with_offset(offset).to_string()
}

/// Returns a whole number where it is one, else a decimal.
#[expect(clippy::cast_precision_loss, reason = "40 years of nanoseconds, shown in minutes")]
fn minutes(time: Duration) -> Value {
    let nanoseconds = time.as_nanos();
    if nanoseconds.is_multiple_of(NANOSECONDS_PER_MINUTE) {
        let whole = u64::try_from(nanoseconds / NANOSECONDS_PER_MINUTE);
        return whole.expect("40 years have few minutes").into();
    }
    (nanoseconds as f64 / NANOSECONDS_PER_MINUTE as f64).into()
}

fn parse_minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text
        .trim()
        .parse()
        .map_err(|_| "must be a number of minutes".to_owned())?;
    Duration::try_from_secs_f64(minutes * 60.0).map_err(|_| "must be 0 or more, and not endless".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_whole_where_they_can_be() {
        for (seconds, expected) in [(0, "0"), (14_400, "240"), (90, "1.5"), (20, "0.3333333333333333")] {
            assert_eq!(minutes(Duration::from_secs(seconds)).to_string(), expected);
        }
        assert_eq!(parse_minutes("240"), Ok(Duration::from_hours(4)));
        assert_eq!(parse_minutes("0.5"), Ok(Duration::from_secs(30)));
        for bad in ["", "-1", "NaN", "inf", "4h"] {
            assert!(parse_minutes(bad).is_err(), "{bad:?}");
        }
    }
}
