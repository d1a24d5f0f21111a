//! The rows of the file, read to be compared.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use reflex_matching::{Field, Record, Values};
use reflex_table::{Dialect, MAX_RECORD_BYTES, Table};

use super::columns::{self, Mapping, Role};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What is compared, the earliest row first.
pub(super) struct Rows {
    pub(super) ids: Vec<String>,
    pub(super) records: Vec<Record>,
    /// Place of each row in the file.
    pub(super) order: Vec<usize>,
    /// What is compared.
    pub(super) fields: Vec<Field>,
}

struct Row {
    id: String,
    time: Option<Timestamp>,
    record: Record,
}

impl Rows {
    pub(super) fn read(path: &Path, dialect: Dialect, mappings: &[Mapping]) -> anyhow::Result<Self> {
        let mut file = File::open(path).context("the file cannot be read")?;
        let mut reader = Reader {
            table: Table::new(dialect),
            columns: Vec::new(),
            mappings,
            rows: Vec::new(),
            lines: HashMap::new(),
        };
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = file.read(&mut piece).context("the file cannot be read")?;
            if count == 0 {
                break;
            }
            reader.table.feed(&piece[..count]);
            reader.take()?;
        }
        reader.table.end();
        reader.take()?;
        anyhow::ensure!(!reader.columns.is_empty(), "the file has no header line");
        Ok(reader.finish())
    }
}

struct Reader<'a> {
    table: Table,
    columns: Vec<(Role, usize)>,
    mappings: &'a [Mapping],
    rows: Vec<Row>,
    /// Line of each id, so that none is taken for two rows.
    lines: HashMap<String, u64>,
}

impl Reader<'_> {
    fn take(&mut self) -> anyhow::Result<()> {
        while let Some(record) = self.table.next_record() {
            let line = record.line();
            anyhow::ensure!(
                !record.is_oversized(),
                "line {line}: a row has at most {} KiB; most likely a quotation mark is never closed",
                MAX_RECORD_BYTES / 1024
            );
            if record.is_blank() {
                continue;
            }
            let cells: Vec<&str> = record.cells().collect();
            if self.columns.is_empty() {
                let header: Vec<String> = cells.iter().map(|heading| (*heading).to_owned()).collect();
                self.columns = columns::assign(&header, self.mappings)?;
                continue;
            }
            let (mut id, mut time, mut values) = (None, None, Values::default());
            for (role, column) in &self.columns {
                let cell = cells.get(*column).copied().unwrap_or_default();
                match role {
                    Role::Id => id = Some(cell.trim().to_owned()),
                    Role::Time => time = instant(cell.trim()),
                    Role::Field(field) => values.add(*field, cell),
                }
            }
            // Without ids, rows are called by their numbers.
            let id = id.unwrap_or_else(|| (self.rows.len() + 1).to_string());
            anyhow::ensure!(!id.is_empty(), "line {line}: the row has no id");
            if let Some(first) = self.lines.insert(id.clone(), line) {
                anyhow::bail!("line {line}: the id {id:?} is on line {first} already");
            }
            self.rows.push(Row {
                id,
                time,
                record: Record::read(&values),
            });
        }
        Ok(())
    }

    fn finish(self) -> Rows {
        let mut fields: Vec<Field> = Vec::new();
        for (role, _) in &self.columns {
            if let Role::Field(field) = role
                && !fields.contains(field)
            {
                fields.push(*field);
            }
        }
        fields.sort_unstable();
        let mut rows: Vec<(usize, Row)> = self.rows.into_iter().enumerate().collect();
        // Rows without a time come last, in the order of the file.
        rows.sort_by_key(|(_, row)| (row.time.is_none(), row.time));
        let mut read = Rows {
            ids: Vec::new(),
            records: Vec::new(),
            order: Vec::new(),
            fields,
        };
        for (place, row) in rows {
            read.ids.push(row.id);
            read.records.push(row.record);
            read.order.push(place);
        }
        read
    }
}

/// Reads an instant; where it names no zone, that of UTC, as only the order matters.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.replace('/', "-");
    let civil = || {
        text.parse::<DateTime>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    text.parse().ok().or_else(civil)
}
