//! The rows that were refused, as a table for a spreadsheet.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use reflex_proto::leads::v1::RefusedRow;

use crate::cli::Language;

/// A report that is being written.
pub(super) struct Report {
    rows: csv::Writer<File>,
    lang: Language,
}

impl Report {
    /// Begins a report in place of what the file holds.
    pub(super) fn create(path: &Path, lang: Language) -> anyhow::Result<Self> {
        let unwritable = || format!("{} cannot be written", path.display());
        let mut file = File::create(path).with_context(unwritable)?;
        // Without the mark, spreadsheets take it for the encoding of the country.
        file.write_all("\u{feff}".as_bytes()).with_context(unwritable)?;
        let mut rows = csv::Writer::from_writer(file);
        rows.write_record(match lang {
            Language::Zh => ["行", "列", "值", "原因"],
            Language::En => ["line", "column", "value", "reason"],
        })?;
        Ok(Self { rows, lang })
    }

    pub(super) fn add(&mut self, refused: &[RefusedRow]) -> anyhow::Result<()> {
        for row in refused {
            let reason = reason(row, self.lang);
            let cells = [&row.line.to_string(), &row.column, &row.value, reason];
            self.rows.write_record(cells.map(|cell| harmless(cell)))?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        Ok(self.rows.flush()?)
    }
}

/// Returns the reason in a language.
pub(super) fn reason(row: &RefusedRow, lang: Language) -> &String {
    match lang {
        Language::Zh => &row.description_zh,
        Language::En => &row.description,
    }
}

/// Returns a cell that no spreadsheet takes for a formula: one that begins like it gets an apostrophe, as people write it.
fn harmless(cell: &str) -> String {
    const BEGINNINGS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    if cell.starts_with(BEGINNINGS) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_shown_and_never_run() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut report = Report::create(file.path(), Language::En).expect("a report");
        let row = |value: &str| RefusedRow {
            line: 3,
            column: "备注".to_owned(),
            value: value.to_owned(),
            description: "must be, \"so\"".to_owned(),
            description_zh: "应".to_owned(),
        };
        let values = ["=HYPERLINK(\"http://x\",\"y\")", "+86 138", "@x", "a=b", "\ta", "＝1"];
        report.add(&values.map(row)).expect("written");
        report.finish().expect("written");
        let text = std::fs::read_to_string(file.path()).expect("a text");
        let table = text.strip_prefix('\u{feff}').expect("a mark");
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let read: Vec<String> = reader
            .records()
            .map(|record| record.expect("a record")[2].to_owned())
            .collect();
        assert_eq!(
            read,
            [
                "'=HYPERLINK(\"http://x\",\"y\")",
                "'+86 138",
                "'@x",
                "a=b",
                "'\ta",
                "'＝1"
            ]
        );
        assert!(table.starts_with("line,column,value,reason\n3,备注,"));
    }
}
