//! Reads a file into batches, and looks that one sent again is the same.

use futures_util::{StreamExt as _, stream::BoxStream};
use reflex_proto::leads::v1::{LeadFile as LeadFileMessage, RefusedRow};

use crate::{
    app::capture_lead::fingerprint,
    convert::import::{count, lead_file, refused_row},
    domain::{
        lead_file::{LeadFile, Row},
        new_lead::NewLead,
    },
    error::Error,
    store::lead_imports::Progress,
};

/// Leads stored together: a commit costs as much as a hundred of them.
const BATCH: usize = 2_000;
/// Rows after which a caller hears again, where few or none of them are stored.
const ROWS_OF_BATCH: i64 = 10_000;
/// Faults of one response at most, up to the last row's: it has to fit into a message.
const REFUSED_OF_BATCH: usize = 500;
/// Faults that are listed; the rest is counted.
const LISTED_REFUSALS: usize = 10_000;

/// A file as it comes.
pub(crate) type Pieces = BoxStream<'static, Result<Vec<u8>, Error>>;

/// Rows that were read.
#[derive(Default)]
pub(super) struct Batch {
    /// Leads to be stored.
    pub(super) leads: Vec<ReadRow>,
    /// Faults that are listed.
    pub(super) refused: Vec<RefusedRow>,
    pub(super) refused_count: i64,
    /// Rows of this batch that are not blank, also those stored by an earlier call.
    pub(super) row_count: i64,
    /// How the file is read, in the batch that follows its header.
    pub(super) file: Option<LeadFileMessage>,
    /// Rows and bytes of the file up to the end of this batch.
    pub(super) rows_done: u64,
    pub(super) read_bytes: u64,
    /// Digest of the file up to the end of this batch.
    pub(super) digest: [u8; 32],
    /// Whether the file ends with it.
    pub(super) is_last: bool,
}

/// A row that can be stored.
pub(super) struct ReadRow {
    pub(super) number: u64,
    pub(super) line: u64,
    pub(super) lead: NewLead,
    /// Of the lead; taken here, while the rows before are stored.
    pub(super) fingerprint: [u8; 32],
}

pub(super) struct Reader {
    file: LeadFile,
    pieces: Pieces,
    read_bytes: u64,
    is_at_end: bool,
    has_told_file: bool,
    listed: usize,
    /// How far an earlier call came; none for one that stores nothing.
    earlier: Option<Progress>,
    /// Whether the file is the same as far as an earlier call came.
    is_same: bool,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// [`Error::WrongState`] for other settings than those of an earlier call.
    pub(super) fn new(file: LeadFile, pieces: Pieces, earlier: Option<Progress>) -> Result<Self, Error> {
        let is_new = |earlier: &Progress| earlier.row_count == 0 && !earlier.is_complete;
        let begins = earlier.as_ref().is_none_or(is_new);
        let mut reader = Self {
            file,
            pieces,
            read_bytes: 0,
            is_at_end: false,
            has_told_file: false,
            listed: 0,
            earlier,
            is_same: false,
        };
        if begins {
            reader.compare()?;
        }
        Ok(reader)
    }

    /// Reads until a batch is full or the file ends.
    ///
    /// # Errors
    /// [`Error::Violations`] for a header that cannot be used, [`Error::WrongState`] for another file than an earlier call
    /// sent, and what `pieces` says.
    pub(super) async fn read_batch(&mut self) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        while !batch.is_full() {
            if let Some(row) = self.file.next_row()? {
                self.add(&mut batch, row)?;
            } else if self.is_at_end {
                self.check_end()?;
                batch.is_last = true;
                break;
            } else if let Some(piece) = self.pieces.next().await {
                let piece = piece?;
                self.read_bytes += piece.len() as u64;
                self.file.feed(&piece);
            } else {
                self.is_at_end = true;
                self.file.end();
            }
        }
        if let (false, Some(columns)) = (self.has_told_file, self.file.columns()) {
            batch.file = Some(lead_file(&self.file, columns));
            self.has_told_file = true;
        }
        batch.rows_done = self.file.rows();
        batch.read_bytes = self.read_bytes;
        batch.digest = self.file.digest();
        Ok(batch)
    }

    fn add(&mut self, batch: &mut Batch, row: Row) -> Result<(), Error> {
        let is_done = self.is_done(row.number)?;
        batch.row_count += 1;
        match row.lead {
            Ok(_) if is_done => {}
            Ok(lead) => batch.leads.push(ReadRow {
                number: row.number,
                line: row.line,
                fingerprint: fingerprint(&lead),
                lead,
            }),
            Err(refusals) => {
                batch.refused_count += 1;
                let room = LISTED_REFUSALS.saturating_sub(self.listed);
                let listed = refusals.into_iter().take(room);
                let before = batch.refused.len();
                batch
                    .refused
                    .extend(listed.map(|refusal| refused_row(row.line, refusal)));
                self.listed += batch.refused.len() - before;
            }
        }
        Ok(())
    }

    /// Tells whether an earlier call has done a row.
    fn is_done(&mut self, number: u64) -> Result<bool, Error> {
        let Some(earlier) = &self.earlier else {
            return Ok(false);
        };
        let number = count(number);
        if number < earlier.row_count {
            return Ok(true);
        }
        if number == earlier.row_count {
            self.compare()?;
            return Ok(true);
        }
        if !self.is_same || earlier.is_complete {
            return Err(other_file());
        }
        Ok(false)
    }

    fn check_end(&mut self) -> Result<(), Error> {
        if self.file.columns().is_none() {
            return Err(Error::invalid("file", "is empty"));
        }
        let is_where_it_was = |earlier: &Progress| count(self.file.rows()) == earlier.row_count;
        match &self.earlier {
            Some(earlier) if is_where_it_was(earlier) && earlier.is_complete => self.compare(),
            Some(_) if !self.is_same => Err(other_file()),
            _ => Ok(()),
        }
    }

    /// Compares what was read with what an earlier call had read to the same row.
    fn compare(&mut self) -> Result<(), Error> {
        let is_same = |earlier: &Progress| earlier.digest == self.file.digest();
        if self.earlier.as_ref().is_none_or(is_same) {
            self.is_same = true;
            Ok(())
        } else {
            Err(other_file())
        }
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.leads.len() >= BATCH || self.row_count >= ROWS_OF_BATCH || self.refused.len() >= REFUSED_OF_BATCH
    }
}

fn other_file() -> Error {
    Error::WrongState("the import began with another file or other settings; give it an id of its own".into())
}
