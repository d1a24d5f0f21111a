//! Tables as files: bytes in pieces of any size become records of cells, in memory that does not grow with the file.
//!
//! Belongs here: encodings, delimiters, quotes, lines, headings, and cells that must not be formulas. Does not: what a column
//! means.

mod decoding;
mod formulas;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use decoding::Decoding;
pub use decoding::Encoding;
pub use formulas::{escape, unescape};

/// Largest record, in bytes of UTF-8; what is longer is most likely a quotation mark that is never closed.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// Most cells of a record.
pub const MAX_CELLS: usize = 1_000;

/// What may stand between cells, the first where a header says nothing.
pub const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// How a table is written, as far as somebody said it; the rest is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Its encoding.
    pub encoding: Option<Encoding>,
    /// What stands between its cells.
    pub delimiter: Option<u8>,
}

/// A table that is being read.
pub struct Table {
    decoding: Decoding,
    delimiter: Option<u8>,
    reader: Option<Box<Reader>>,
    /// Text that was decoded and not read.
    text: String,
    at: usize,
    /// Whether no more text comes.
    is_complete: bool,
    lines: Lines,
    record: Record,
    in_record: bool,
}

/// One record; blank lines are none.
#[derive(Debug)]
pub struct Record {
    line: u64,
    raw: Vec<u8>,
    cells: Vec<u8>,
    cells_end: usize,
    ends: Vec<usize>,
    count: usize,
    is_oversized: bool,
}

impl Table {
    /// Begins a table.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            decoding: Decoding::new(dialect.encoding),
            delimiter: dialect.delimiter,
            reader: None,
            text: String::new(),
            at: 0,
            is_complete: false,
            lines: Lines::default(),
            record: Record::new(),
            in_record: false,
        }
    }

    /// Takes the next piece of the file; read all records before the next one.
    pub fn feed(&mut self, piece: &[u8]) {
        self.decoding.decode(piece, false, &mut self.text);
    }

    /// Says that the file is complete.
    pub fn end(&mut self) {
        if !self.is_complete {
            self.decoding.decode(&[], true, &mut self.text);
            self.is_complete = true;
        }
    }

    /// Returns the encoding, once it is known; a file of ASCII alone never says more.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.decoding.encoding()
    }

    /// Returns what stands between cells, once the header was read.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(DELIMITERS[0])
    }

    /// Returns the next record; none where more of the file is needed, or at its end.
    pub fn next_record(&mut self) -> Option<&Record> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.find_reader()?,
        };
        let is_whole = self.read_record(&mut reader);
        self.reader = Some(reader);
        is_whole.then_some(&self.record)
    }

    /// Reads on to the end of a record; returns whether it is whole.
    fn read_record(&mut self, reader: &mut Reader) -> bool {
        loop {
            if !self.in_record {
                let rest = &self.text.as_bytes()[self.at..];
                let breaks = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
                self.lines.pass(&rest[..breaks]);
                self.at += breaks;
                self.record.clear(self.lines.line());
            }
            let input = &self.text.as_bytes()[self.at..];
            if input.is_empty() && !(self.is_complete && self.in_record) {
                self.text.clear();
                self.at = 0;
                return false;
            }
            self.in_record = true;
            let (result, read) = self.record.read(reader, input);
            self.record.keep(&input[..read]);
            self.lines.pass(&input[..read]);
            self.at += read;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.record.make_room_for_text(),
                ReadRecordResult::OutputEndsFull => self.record.make_room_for_cells(),
                ReadRecordResult::Record => {
                    self.in_record = false;
                    return true;
                }
                ReadRecordResult::End => {
                    self.in_record = false;
                    return false;
                }
            }
        }
    }

    /// Makes the reader once the first line tells the delimiter; none where more of the file is needed.
    fn find_reader(&mut self) -> Option<Box<Reader>> {
        let rest = self.text.trim_start_matches(['\n', '\r']);
        let mut counts = [0_usize; DELIMITERS.len()];
        let mut quoted = false;
        let mut is_whole = self.is_complete || rest.len() > MAX_RECORD_BYTES;
        for byte in rest.bytes() {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' | b'\r' if !quoted => {
                    is_whole = true;
                    break;
                }
                _ if quoted => {}
                _ => {
                    if let Some(kind) = DELIMITERS.iter().position(|delimiter| *delimiter == byte) {
                        counts[kind] += 1;
                    }
                }
            }
        }
        if !is_whole && self.delimiter.is_none() {
            return None;
        }
        // Of several that occur equally often, the first.
        let most = (0..DELIMITERS.len())
            .rev()
            .max_by_key(|kind| counts[*kind])
            .unwrap_or_default();
        let delimiter = *self.delimiter.get_or_insert(DELIMITERS[most]);
        Some(Box::new(ReaderBuilder::new().delimiter(delimiter).build()))
    }
}

impl Record {
    fn new() -> Self {
        Self {
            line: 1,
            raw: Vec::new(),
            cells: vec![0; 1024],
            cells_end: 0,
            ends: vec![0; 32],
            count: 0,
            is_oversized: false,
        }
    }

    /// Returns the line of the file it starts on, from 1, as an editor counts.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns its text as it stands in the file, decoded, without the line break behind it; of an oversized one its
    /// beginning.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        let is_text = |byte: &u8| !matches!(byte, b'\n' | b'\r');
        let end = self.raw.iter().rposition(is_text).map_or(0, |last| last + 1);
        &self.raw[..end]
    }

    /// Returns whether it is longer than may be; it has no cells then.
    #[must_use]
    pub fn is_oversized(&self) -> bool {
        self.is_oversized
    }

    /// Returns whether bytes of it are none of the file's encoding.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.cells().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER))
    }

    /// Returns how many cells it has.
    #[must_use]
    pub fn count(&self) -> usize {
        if self.is_oversized { 0 } else { self.count }
    }

    /// Returns its cells in their order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        // Delimiters and quotes are ASCII, so what is between them is text as the whole is.
        let text = std::str::from_utf8(&self.cells[..self.cells_end]).unwrap_or_default();
        let mut start = 0;
        self.ends[..self.count()].iter().map(move |&end| {
            let cell = text.get(start..end).unwrap_or_default();
            start = end;
            cell
        })
    }

    /// Returns whether nothing is in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        !self.is_oversized && self.cells().all(|cell| cell.trim().is_empty())
    }

    fn clear(&mut self, line: u64) {
        self.line = line;
        self.raw.clear();
        self.cells_end = 0;
        self.count = 0;
        self.is_oversized = false;
    }

    fn read(&mut self, reader: &mut Reader, input: &[u8]) -> (ReadRecordResult, usize) {
        let (result, read, written, ended) =
            reader.read_record(input, &mut self.cells[self.cells_end..], &mut self.ends[self.count..]);
        self.cells_end += written;
        self.count += ended;
        (result, read)
    }

    fn keep(&mut self, text: &[u8]) {
        if self.raw.len() + text.len() > MAX_RECORD_BYTES {
            self.give_up();
        }
        if !self.is_oversized {
            self.raw.extend_from_slice(text);
        }
    }

    fn make_room_for_text(&mut self) {
        if self.cells.len() < MAX_RECORD_BYTES {
            self.cells.resize(self.cells.len() * 2, 0);
        } else {
            self.give_up();
        }
    }

    fn make_room_for_cells(&mut self) {
        if self.ends.len() < MAX_CELLS {
            self.ends.resize(self.ends.len() * 2, 0);
        } else {
            self.give_up();
        }
    }

    /// Goes on to the end of the record without keeping any of it.
    fn give_up(&mut self) {
        self.is_oversized = true;
        self.cells_end = 0;
        self.count = 0;
    }
}

/// Counts lines as an editor does: `\n`, `\r\n` and `\r` end one.
#[derive(Debug, Default)]
struct Lines {
    ended: u64,
    after_return: bool,
}

impl Lines {
    fn line(&self) -> u64 {
        self.ended + 1
    }

    fn pass(&mut self, text: &[u8]) {
        for byte in text {
            self.ended += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.after_return));
            self.after_return = *byte == b'\r';
        }
    }
}

/// Returns a heading as headings are compared: without what stands in brackets, marks of required fields and case.
#[must_use]
pub fn heading_key(heading: &str) -> String {
    let name = heading.split(['(', '（']).next().unwrap_or_default();
    let name = name.trim_matches(|mark: char| mark.is_whitespace() || matches!(mark, '*' | ':' | '：' | '＊'));
    name.to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests;
