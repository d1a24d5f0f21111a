//! Leads as a table: a file with a header, as a trade fair, an ad platform or a spreadsheet exports it.
//!
//! Columns are known by their headings in Chinese or English, or by a mapping; any other becomes a further field of the
//! lead. A row that is shorter than the header has blank cells at its end. Texts are kept as typed, also those that a
//! spreadsheet would take for a formula.

mod cells;
mod columns;
mod reason;
mod settings;

use reflex_table::{Encoding, MAX_CELLS, MAX_RECORD_BYTES, Record, Table};
use sha2::{Digest as _, Sha256};

use super::new_lead::{NewLead, RawLead};
use super::violation::{Violation, Violations};

pub use columns::{Column, Field};
pub use reason::Reason;
pub use settings::{RawSettings, Settings};

/// Most characters of a value that a refusal quotes.
const QUOTED: usize = 100;

/// A file of leads that is being read.
pub struct LeadFile {
    table: Table,
    settings: Settings,
    tenant: String,
    columns: Option<Vec<Column>>,
    digest: Sha256,
    rows: u64,
}

/// A row that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number among all rows below the header, blank ones too, from 1.
    pub number: u64,
    /// Line of the file, from 1.
    pub line: u64,
    /// The lead, or what is wrong.
    pub lead: Result<NewLead, Vec<Refusal>>,
}

/// A fault of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Heading of the column, empty where it is the whole row.
    pub column: String,
    /// What stands there, shortened.
    pub value: String,
    /// What is wrong.
    pub reason: Reason,
}

impl LeadFile {
    /// Begins a file of leads of a tenant.
    #[must_use]
    pub fn new(settings: Settings, tenant: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(settings.digest());
        Self {
            table: Table::new(settings.dialect),
            settings,
            tenant: tenant.to_owned(),
            columns: None,
            digest,
            rows: 0,
        }
    }

    /// Takes the next piece of the file; read all rows before the next one.
    pub fn feed(&mut self, piece: &[u8]) {
        self.table.feed(piece);
    }

    /// Says that the file is complete.
    pub fn end(&mut self) {
        self.table.end();
    }

    /// Returns the next row that is not blank; none where more of the file is needed, or at its end.
    ///
    /// # Errors
    /// When the header cannot be used.
    pub fn next_row(&mut self) -> Result<Option<Row>, Vec<Violation>> {
        if self.columns.is_none() {
            let Some(header) = self.table.next_record() else {
                return Ok(None);
            };
            add(&mut self.digest, header);
            self.columns = Some(columns::read(header, &self.settings)?);
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        while let Some(record) = self.table.next_record() {
            add(&mut self.digest, record);
            self.rows += 1;
            if record.is_blank() {
                continue;
            }
            return Ok(Some(Row {
                number: self.rows,
                line: record.line(),
                lead: read_row(columns, record, &self.settings, &self.tenant),
            }));
        }
        Ok(None)
    }

    /// Returns the columns, once the header was read.
    #[must_use]
    pub fn columns(&self) -> Option<&[Column]> {
        self.columns.as_deref()
    }

    /// Returns the encoding, as far as it is known.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.table.encoding()
    }

    /// Returns what stands between cells, once the header was read.
    #[must_use]
    pub fn delimiter(&self) -> char {
        char::from(self.table.delimiter())
    }

    /// Returns how many rows were read, blank ones too.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the digest of the settings and everything read so far, the same only for the same beginning.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

fn add(digest: &mut Sha256, record: &Record) {
    digest.update(record.raw());
    // No record ends with it.
    digest.update(b"\n");
}

fn read_row(columns: &[Column], record: &Record, settings: &Settings, tenant: &str) -> Result<NewLead, Vec<Refusal>> {
    if record.is_oversized() {
        return Err(vec![refusal(None, "", reason::oversized(MAX_RECORD_BYTES, MAX_CELLS))]);
    }
    let mut surplus = record.cells().skip(columns.len());
    if let Some(cell) = surplus.find(|cell| !cell.trim().is_empty()) {
        let reason = reason::too_many_cells(record.count(), columns.len());
        return Err(vec![refusal(None, cell, reason)]);
    }
    let mut refusals = Vec::new();
    let mut raw = RawLead {
        raw_payload: record.raw().to_vec(),
        ..RawLead::default()
    };
    let (mut province, mut city) = ("", "");
    for (column, cell) in columns.iter().zip(record.cells()) {
        let cell = cell.trim();
        if cell.is_empty() || column.field == Field::Ignore {
            continue;
        }
        if cell.contains(char::REPLACEMENT_CHARACTER) {
            refusals.push(refusal(Some(column), cell, reason::damaged()));
            continue;
        }
        let mut amount = || {
            cells::amount(cell, column.in_ten_thousands).unwrap_or_else(|reason| {
                refusals.push(refusal(Some(column), cell, reason));
                0
            })
        };
        match column.field {
            Field::Source => cell.clone_into(&mut raw.source),
            Field::ExternalId => cell.clone_into(&mut raw.external_id),
            Field::Company => cell.clone_into(&mut raw.company),
            Field::ContactName => cell.clone_into(&mut raw.contact_name),
            Field::Phone if cells::is_cut_number(cell) => {
                refusals.push(refusal(Some(column), cell, reason::cut_number()));
            }
            Field::Phone => cell.clone_into(&mut raw.phone),
            Field::Email => cell.clone_into(&mut raw.email),
            Field::Territory => cell.clone_into(&mut raw.territory),
            Field::Province => province = cell,
            Field::City => city = cell,
            Field::Product => cell.clone_into(&mut raw.product),
            Field::Urgency => match cells::urgency(cell) {
                Some(urgency) => raw.urgency = Some(urgency),
                None => refusals.push(refusal(Some(column), cell, reason::unknown_urgency())),
            },
            Field::BudgetMin => raw.budget_min_fen = amount(),
            Field::BudgetMax => raw.budget_max_fen = amount(),
            Field::Remark => cell.clone_into(&mut raw.remark),
            Field::Account => cell.clone_into(&mut raw.account),
            Field::Form => raw.form = form_name(cell),
            Field::Tenant if cell == tenant => {}
            Field::Tenant => refusals.push(refusal(Some(column), cell, reason::other_tenant())),
            Field::Attribute => {
                raw.attributes.insert(column.heading.clone(), cell.to_owned());
            }
            Field::Ignore => {}
        }
    }
    if raw.territory.is_empty() {
        raw.territory = place(province, city);
    }
    for (field, default) in [(&mut raw.source, &settings.source), (&mut raw.form, &settings.form)] {
        if field.is_empty() {
            default.clone_into(field);
        }
    }
    match NewLead::parse(raw) {
        Ok(lead) if refusals.is_empty() => Ok(lead),
        Ok(_) => Err(refusals),
        Err(violations) => {
            refusals.extend(violations.iter().map(|violation| at_column(columns, record, violation)));
            Err(refusals)
        }
    }
}

/// Writes a province and a city as one place; files of municipalities have the same name in both.
fn place(province: &str, city: &str) -> String {
    if province == city || city.starts_with(province) {
        city.to_owned()
    } else {
        format!("{province}{city}")
    }
}

fn form_name(cell: &str) -> String {
    if cell.starts_with("forms/") {
        cell.to_owned()
    } else {
        format!("forms/{cell}")
    }
}

/// Finds the column that a lead's fault comes from.
fn at_column(columns: &[Column], record: &Record, violation: &Violation) -> Refusal {
    let field = violation.field.strip_prefix("lead.").unwrap_or_default();
    let cells = || columns.iter().zip(record.cells());
    let found = if field == "attributes.value" {
        cells().find(|(column, cell)| column.field == Field::Attribute && is_at_fault(cell))
    } else {
        let of_field = |column: &Column| column.field.name() == field.trim_end_matches("_fen");
        cells().find(|(column, _)| of_field(column))
    };
    let reason = Reason::of(violation);
    match found {
        Some((column, cell)) => refusal(Some(column), cell, reason),
        None => refusal(None, "", reason),
    }
}

fn is_at_fault(cell: &str) -> bool {
    let mut violations = Violations::default();
    violations.text("", cell, 0..=super::new_lead::MAX_ATTRIBUTE_CHARACTERS);
    !violations.is_empty()
}

fn refusal(column: Option<&Column>, value: &str, reason: Reason) -> Refusal {
    let quoted = |text: &str| text.trim().chars().take(QUOTED).collect();
    Refusal {
        column: column.map(|column| quoted(&column.heading)).unwrap_or_default(),
        value: quoted(value),
        reason,
    }
}

#[cfg(test)]
mod tests;
