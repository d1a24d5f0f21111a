//! Leads from a file, batch by batch. Each batch is one transaction that also says how far the import is, so one that
//! broke off goes on behind the last batch and stores nothing twice; while a batch is stored the next one is read.
//!
//! A file that is sent again is read from its beginning: faults are told again, and its digest shows that it is the same.

mod known;
mod preview;
mod reader;
mod storing;

use std::sync::Arc;

use reflex_proto::leads::v1::ImportLeadsResponse;
use reflex_rpc::identity::Caller;
use uuid::Uuid;

use self::{
    preview::{Preview, Seen},
    reader::{Batch, Reader},
    storing::Store,
};
use super::App;
use crate::{
    convert::import::count,
    domain::{
        ids::MemberId,
        lead_file::{LeadFile, Settings},
    },
    error::Error,
    store::lead_imports::NewImport,
};

pub(crate) use reader::Pieces;

/// What becomes of the leads of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They are stored under the id of the import.
    Store(Uuid),
    /// They are only shown.
    Preview,
}

/// An import that is under way.
pub(crate) struct LeadImport {
    reader: Reader,
    writer: Writer,
    /// What was read and is not stored; none before the first.
    read: Option<Result<Batch, Error>>,
    /// What the last response said.
    told: ImportLeadsResponse,
}

/// Where the leads go.
enum Writer {
    Store(Store),
    Preview(Preview),
}

impl App {
    /// Begins an import, or goes on with one.
    ///
    /// # Errors
    /// [`Error::WrongState`] for an import that began with other settings.
    pub(crate) async fn import_leads(
        self: &Arc<Self>,
        caller: &Caller,
        settings: Settings,
        purpose: Purpose,
        pieces: Pieces,
    ) -> Result<LeadImport, Error> {
        let (on_known, source) = (settings.on_known, settings.source.clone());
        let file = LeadFile::new(settings, caller.tenant.as_str());
        let (writer, progress) = match purpose {
            Purpose::Preview => {
                let preview = Preview {
                    app: Arc::clone(self),
                    tenant: caller.tenant.clone(),
                    on_known,
                    shows_contact: caller.may("leads.read_contact"),
                    seen: Seen::default(),
                };
                (Writer::Preview(preview), None)
            }
            Purpose::Store(import_id) => {
                let digest = file.digest();
                let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
                let import = NewImport {
                    import_id,
                    digest: &digest,
                    member: member.as_ref(),
                    source: &source,
                    now: self.clock.now(),
                };
                let store = self.begin_lead_import(caller, &import, on_known).await?;
                let progress = store.progress.clone();
                (Writer::Store(store), Some(progress))
            }
        };
        Ok(LeadImport {
            reader: Reader::new(file, pieces, progress)?,
            writer,
            read: None,
            told: ImportLeadsResponse::default(),
        })
    }
}

impl LeadImport {
    /// Stores the next batch and tells how far the import is; none after its end.
    ///
    /// # Errors
    /// [`Error::Violations`] for a header that cannot be used, [`Error::WrongState`] for another file than the import
    /// began with, [`Error::Stale`] when the import goes on elsewhere, [`Error::Database`].
    pub(crate) async fn next(&mut self) -> Result<Option<ImportLeadsResponse>, Error> {
        if self.told.done {
            return Ok(None);
        }
        let mut batch = match self.read.take() {
            Some(batch) => batch?,
            None => self.reader.read_batch().await?,
        };
        if batch.is_last {
            self.writer.write(&mut batch).await?;
        } else {
            // The commit's time is spent on reading.
            let (written, following) = tokio::join!(self.writer.write(&mut batch), self.reader.read_batch());
            written?;
            self.read = Some(following);
        }
        let mut response = ImportLeadsResponse {
            read_bytes: count(batch.read_bytes),
            row_count: self.told.row_count + batch.row_count,
            refused_count: self.told.refused_count + batch.refused_count,
            refused: batch.refused,
            file: batch.file,
            done: batch.is_last,
            ..ImportLeadsResponse::default()
        };
        self.writer.tell(&mut response);
        self.told = ImportLeadsResponse {
            row_count: response.row_count,
            refused_count: response.refused_count,
            done: response.done,
            ..ImportLeadsResponse::default()
        };
        Ok(Some(response))
    }
}

impl Writer {
    async fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        match self {
            Self::Preview(preview) => preview.add(&batch.leads).await,
            Self::Store(store) => store.write(batch).await,
        }
    }

    fn tell(&mut self, response: &mut ImportLeadsResponse) {
        match self {
            Self::Preview(preview) => preview.seen.tell(response),
            Self::Store(store) => {
                response.stored_count = store.progress.stored_count;
                response.existed_count = store.progress.existed_count;
                response.updated_count = store.progress.updated_count;
                response.conflict_count = store.progress.conflict_count;
                response.known_rows = std::mem::take(&mut store.conflicts);
            }
        }
    }
}
