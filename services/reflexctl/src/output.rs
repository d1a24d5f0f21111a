//! Printing: JSON for programs, tables for people.

mod table;

use std::io::{self, Write as _};

use jiff::tz::TimeZone;
use prost_types::value::Kind;
use reflex_proto::leads::v1::CalculatedValue;
use serde_json::Value;

use crate::cli::Format;
use crate::dynamic::to_json;

pub(crate) use table::{Table, one_line, width};

/// Standard output in the format asked for.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Zone of the times in tables.
    pub(crate) zone: TimeZone,
}

impl Output {
    /// Prints a response: as proto3 JSON, or as `render` writes it for people.
    pub(crate) fn response<M: prost::Message>(
        &self,
        full_name: &str,
        response: &M,
        render: impl FnOnce(&M) -> String,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => print(&format!("{:#}", to_json(full_name, response))),
            Format::Table => print(&render(response)),
        }
    }

    /// Prints an object: as JSON, or as `render` writes it for people.
    pub(crate) fn object(&self, object: &Value, render: impl FnOnce() -> String) -> io::Result<()> {
        match self.format {
            Format::Json => print(&format!("{object:#}")),
            Format::Table => print(&render()),
        }
    }

    /// Writes an instant as people read it; empty when there is none.
    pub(crate) fn time(&self, time: Option<&prost_types::Timestamp>) -> String {
        let instant = time.and_then(|time| jiff::Timestamp::new(time.seconds, time.nanos).ok());
        let shown = instant.map(|instant| {
            let local = instant.to_zoned(self.zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S").to_string()
        });
        shown.unwrap_or_default()
    }
}

/// Prints a text and ends its last line.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Returns an enum value as people write it: `STATE_QUEUED` is `queued`, and what is unspecified is empty.
pub(crate) fn word(value: &str, prefix: &str) -> String {
    let short = value.strip_prefix(prefix).unwrap_or(value).to_lowercase();
    if short == "unspecified" { String::new() } else { short }
}

/// Writes a calculated value as people read it; empty for a blank.
pub(crate) fn value(value: &CalculatedValue) -> String {
    match value.value.as_ref().and_then(|value| value.kind.as_ref()) {
        Some(Kind::BoolValue(value)) => if *value { "yes" } else { "no" }.to_owned(),
        Some(Kind::NumberValue(number)) => number.to_string(),
        Some(Kind::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

/// Writes calculated values by name, blank ones left out and failed ones with their reason.
pub(crate) fn values(values: &[CalculatedValue]) -> String {
    let told = values.iter().filter_map(|it| match (value(it), it.error_zh.as_str()) {
        (text, _) if !text.is_empty() => Some(format!("{} = {text}", it.field)),
        (_, "") => None,
        (_, error) => Some(format!("{} = ({error})", it.field)),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Returns the sentence below a page that is not the last one.
pub(crate) fn more(next_page_token: &str) -> String {
    if next_page_token.is_empty() {
        String::new()
    } else {
        format!("more with --page-token {next_page_token}\n")
    }
}
