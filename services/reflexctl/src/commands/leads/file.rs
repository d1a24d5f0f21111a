//! Leads from a CSV file.
//!
//! Columns are known by their header, in any order: `tenant`, `source`, `external_id` (`lead_id`), `company`,
//! `contact_name` (`name`), `phone` (`mobile`), `email`, `territory` (else `province` and `city`), `product`, `urgency`
//! (红, 黄, 绿, red, yellow, green), `budget_min` and `budget_max` in yuan, `remark` (`message`), `account`, `form`. Every
//! other column that is not empty becomes an attribute.

use std::path::Path;

use anyhow::Context as _;
use csv::StringRecord;
use reflex_proto::leads::v1::{NewLead, StreamCaptureLeadsRequest, lead::Urgency};
use reflex_tenancy::TenantId;
use sha2::{Digest as _, Sha256};

/// A row that can be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Line of the file, from 1.
    pub(super) line: u64,
    /// The tenant the file names, if it does.
    pub(super) tenant: Option<TenantId>,
    pub(super) request: StreamCaptureLeadsRequest,
}

/// A row that was not taken, here or by the server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Refusal {
    /// Line of the file, from 1.
    pub(super) line: u64,
    /// The field at fault.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) description: String,
}

/// What a file's rows get where the file is silent.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) source: String,
    pub(super) form: String,
}

/// Reads a file; rows with a mistake we can see ourselves come back as refusals.
pub(super) fn read(file: &Path, defaults: &Defaults) -> anyhow::Result<(Vec<Row>, Vec<Refusal>)> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", file.display()))?;
    parse(text.trim_start_matches('\u{feff}'), defaults).with_context(|| file.display().to_string())
}

fn parse(text: &str, defaults: &Defaults) -> anyhow::Result<(Vec<Row>, Vec<Refusal>)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()?
        .iter()
        .map(|name| name.trim().to_lowercase())
        .collect();
    anyhow::ensure!(
        header.iter().any(|name| !name.is_empty()),
        "the file has no header line"
    );
    let (mut rows, mut refusals) = (Vec::new(), Vec::new());
    for (index, record) in reader.records().enumerate() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let refusal = |(field, description): (&str, String)| Refusal {
            line,
            field: field.to_owned(),
            description,
        };
        if record.len() != header.len() {
            let description = format!("the line has {} columns, the header {}", record.len(), header.len());
            refusals.push(refusal(("", description)));
            continue;
        }
        match read_row(&header, &record, defaults) {
            Ok((tenant, lead)) => {
                let request_id = request_id(index, &record);
                let lead = Some(lead);
                let request = StreamCaptureLeadsRequest { lead, request_id };
                rows.push(Row { line, tenant, request });
            }
            Err(problem) => refusals.push(refusal(problem)),
        }
    }
    Ok((rows, refusals))
}

/// Returns the same id for the same row of the same file, so that sending a file again takes nothing in twice.
fn request_id(index: usize, record: &StringRecord) -> String {
    let mut digest = Sha256::new();
    digest.update(b"reflexctl leads capture");
    digest.update(index.to_be_bytes());
    for cell in record {
        digest.update(cell.len().to_be_bytes());
        digest.update(cell);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn read_row(
    header: &[String],
    record: &StringRecord,
    defaults: &Defaults,
) -> Result<(Option<TenantId>, NewLead), (&'static str, String)> {
    let mut cells = Cells::new(header, record);
    let tenant = match cells.take(&["tenant"]) {
        text if text.is_empty() => None,
        text => Some(text.parse().map_err(|error| ("tenant", format!("{text:?}: {error}")))?),
    };
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let territory = match cells.take(&["territory"]) {
        text if text.is_empty() => cells.take(&["province"]) + &cells.take(&["city"]),
        text => text,
    };
    let form = match or(cells.take(&["form"]), &defaults.form) {
        form if form.is_empty() || form.starts_with("forms/") => form,
        form => format!("forms/{form}"),
    };
    let lead = NewLead {
        source: or(cells.take(&["source"]), &defaults.source),
        external_id: cells.take(&["external_id", "lead_id"]),
        company: cells.take(&["company"]),
        contact_name: cells.take(&["contact_name", "name"]),
        phone: cells.take(&["phone", "mobile"]),
        email: cells.take(&["email"]),
        territory,
        product: cells.take(&["product"]),
        urgency: parse_urgency(&cells.take(&["urgency"]))
            .map_err(|problem| ("urgency", problem))?
            .into(),
        budget_min_fen: parse_yuan(&cells.take(&["budget_min"])).map_err(|problem| ("budget_min", problem))?,
        budget_max_fen: parse_yuan(&cells.take(&["budget_max"])).map_err(|problem| ("budget_max", problem))?,
        remark: cells.take(&["remark", "message"]),
        account: cells.take(&["account"]),
        form,
        attributes: cells.rest(),
        raw_payload: Vec::new(),
    };
    Ok((tenant, lead))
}

/// The cells of a row that have not been used yet.
struct Cells<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Cells<'a> {
    fn new(header: &'a [String], record: &'a StringRecord) -> Self {
        let cells = header.iter().map(String::as_str).zip(record.iter().map(str::trim));
        Self(
            cells
                .filter(|(name, cell)| !name.is_empty() && !cell.is_empty())
                .collect(),
        )
    }

    /// Takes the first of these columns that has something in it.
    fn take(&mut self, names: &[&str]) -> String {
        let found = names
            .iter()
            .find_map(|name| self.0.iter().position(|(cell, _)| cell == name));
        found.map(|at| self.0.remove(at).1.to_owned()).unwrap_or_default()
    }

    fn rest(self) -> std::collections::HashMap<String, String> {
        let rest = self.0.into_iter();
        rest.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
    }
}

pub(super) fn parse_urgency(text: &str) -> Result<Urgency, String> {
    match text.to_lowercase().as_str() {
        "" => Ok(Urgency::Unspecified),
        "red" | "红" | "红色" => Ok(Urgency::Red),
        "yellow" | "黄" | "黄色" => Ok(Urgency::Yellow),
        "green" | "绿" | "绿色" => Ok(Urgency::Green),
        _ => Err(format!("{text:?} is none of red, yellow, green, 红, 黄, 绿")),
    }
}

/// Reads yuan with at most two decimals; returns fen.
pub(super) fn parse_yuan(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no amount in yuan, such as 120000 or 99.50");
    if text.is_empty() {
        return Ok(0);
    }
    let (yuan, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || !digits(yuan) || !digits(decimals) || decimals.len() > 2 {
        return Err(wrong());
    }
    format!("{yuan}{decimals:0<2}").parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn columns_are_known_by_their_header() {
        let text = "lead_id,Company,mobile,phone,province,city,urgency,budget_max,title,tenant,source\n\
            L1,华东骨科医院,13900000000,0512-1,江苏省,苏州,红,1200.5,院长,huadong,\n";
        let defaults = Defaults {
            source: "file".to_owned(),
            form: "expo".to_owned(),
        };
        let (rows, refusals) = parse(text, &defaults).expect("a good file");
        assert_eq!(refusals, []);
        let row = &rows[0];
        assert_eq!(
            (row.line, row.tenant.as_ref().map(TenantId::as_str)),
            (2, Some("huadong"))
        );
        let lead = row.request.lead.clone().expect("a lead");
        assert_eq!(lead.external_id, "L1");
        assert_eq!((lead.source.as_str(), lead.form.as_str()), ("file", "forms/expo"));
        assert_eq!((lead.phone.as_str(), lead.territory.as_str()), ("0512-1", "江苏省苏州"));
        assert_eq!((lead.urgency(), lead.budget_max_fen), (Urgency::Red, 120_050));
        assert_eq!(lead.attributes["title"], "院长");
        assert_eq!(lead.attributes["mobile"], "13900000000");
    }

    #[test]
    fn the_same_file_has_the_same_ids() {
        let text = "company\nA\nA\nB\n";
        let ids = |text| {
            let (rows, _) = parse(text, &Defaults::default()).expect("a good file");
            rows.into_iter().map(|row| row.request.request_id).collect::<Vec<_>>()
        };
        let first = ids(text);
        assert_eq!(first, ids(text));
        assert_ne!(first[0], first[1], "two equal rows are two leads");
        assert!(Uuid::parse_str(&first[2]).is_ok());
    }

    #[test]
    fn bad_rows_are_told_by_line() {
        let text = "company,urgency,budget_min,tenant\nA,purple,,\nB,,1万,\nC,,,A_B\nD,,\n\"E\nE\",,,\nF,x,,\n";
        let (rows, refusals) = parse(text, &Defaults::default()).expect("readable");
        let found: Vec<_> = refusals
            .iter()
            .map(|refusal| (refusal.line, refusal.field.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (2, "urgency"),
                (3, "budget_min"),
                (4, "tenant"),
                (5, ""),
                (8, "urgency")
            ]
        );
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [6]);
        assert!(parse("", &Defaults::default()).is_err());
    }

    #[test]
    fn yuan_are_exact() {
        for (text, fen) in [("", 0), ("0", 0), ("12", 1_200), ("0.5", 50), ("99.99", 9_999)] {
            assert_eq!(parse_yuan(text), Ok(fen), "{text:?}");
        }
        for bad in ["-1", "1.234", ".5", "1,000", "12万", "99999999999999999999"] {
            assert!(parse_yuan(bad).is_err(), "{bad:?}");
        }
    }
}
