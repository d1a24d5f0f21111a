//! Columns that line up, also with Chinese in them.

use std::fmt::Write as _;

/// Rows of texts under headings.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self {
            rows: vec![headings.map(str::to_owned).to_vec()],
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Writes the table, each line indented by `indent` spaces.
    pub(crate) fn render(&self, indent: usize) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width_of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(&one_line(cell))).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width_of).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (cell, width_of_column) in row.iter().zip(&widths) {
                let cell = one_line(cell);
                let padding = " ".repeat(width_of_column - width(&cell) + 2);
                let _ = write!(line, "{cell}{padding}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Keeps a cell on its line, and terminal control sequences out of the terminal.
pub(crate) fn one_line(cell: &str) -> String {
    cell.replace(char::is_control, " ")
}

/// Returns how many columns of a terminal a text takes: two for each Chinese, Japanese, Korean or full-width character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|char| if is_wide(char) { 2 } else { 1 }).sum()
}

fn is_wide(char: char) -> bool {
    matches!(u32::from(char),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["NAME", "COMPANY", "STATE"]);
        table.row(["L000001".to_owned(), "华东骨科医院".to_owned(), "queued".to_owned()]);
        table.row(["L000002".to_owned(), "A\u{1b}[31m\nB".to_owned(), String::new()]);
        let expected = [
            " NAME     COMPANY       STATE",
            " L000001  华东骨科医院  queued",
            " L000002  A [31m B",
            "",
        ];
        assert_eq!(table.render(1), expected.join("\n"));
    }
}
