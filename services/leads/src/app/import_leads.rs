//! Leads from a file, batch by batch. Each batch is one transaction that also says how far the import is, so one that
//! broke off goes on behind the last batch and stores nothing twice; while a batch is stored the next one is read.
//!
//! A file that is sent again is read from its beginning: faults are told again, and its digest shows that it is the same.

mod preview;
mod reader;

use std::sync::Arc;

use reflex_pg::retried;
use reflex_proto::leads::v1::ImportLeadsResponse;
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use self::{
    preview::Preview,
    reader::{Batch, Reader},
};
use super::{App, capture_lead::fingerprint};
use crate::{
    convert::import::count,
    domain::{
        lead_file::{LeadFile, Settings},
        new_lead::NewLead,
    },
    error::Error,
    store::{
        capture::{self, NewRow},
        lead_imports::{self, Progress},
    },
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

struct Store {
    app: Arc<App>,
    tenant: TenantId,
    import_id: Uuid,
    progress: Progress,
    /// Whether a lead of the file was there already: then others may be, too.
    meets_known: bool,
    traceparent: Option<String>,
    /// Routing leaves it most of the time.
    _under_way: Arc<()>,
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
        let file = LeadFile::new(settings, caller.tenant.as_str());
        let (writer, progress) = match purpose {
            Purpose::Preview => (Writer::Preview(Preview::default()), None),
            Purpose::Store(import_id) => {
                let store = self.begin_lead_import(caller, import_id, &file.digest()).await?;
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

    async fn begin_lead_import(
        self: &Arc<Self>,
        caller: &Caller,
        import_id: Uuid,
        digest: &[u8],
    ) -> Result<Store, Error> {
        let tenant = caller.tenant.clone();
        let mut tx = self.db.begin("begin_lead_import", &TenantSet::one(&tenant)).await?;
        let progress = lead_imports::begin(&mut tx, &tenant, import_id, digest, self.clock.now()).await?;
        tx.commit().await?;
        Ok(Store {
            app: Arc::clone(self),
            tenant,
            import_id,
            progress,
            meets_known: false,
            traceparent: telemetry::current_traceparent(),
            _under_way: self.imports.begin(),
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
            Self::Preview(preview) => {
                for row in &batch.leads {
                    preview.add(row.line, &row.lead);
                }
                Ok(())
            }
            Self::Store(store) => store.write(batch).await,
        }
    }

    fn tell(&mut self, response: &mut ImportLeadsResponse) {
        match self {
            Self::Preview(preview) => preview.tell(response),
            Self::Store(store) => {
                response.stored_count = store.progress.stored_count;
                response.existed_count = store.progress.existed_count;
            }
        }
    }
}

impl Store {
    async fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        // What an earlier call has done.
        if count(batch.rows_done) <= self.progress.row_count && (self.progress.is_complete || !batch.is_last) {
            return Ok(());
        }
        let leads = std::mem::take(&mut batch.leads).into_iter();
        let rows: Vec<NewRow> = leads.map(|row| self.new_row(row.number, row.lead)).collect();
        // Routing finds the leads by itself when it has the time.
        self.progress = match retried(|| self.write_once(&rows, batch)).await {
            Err(Error::Database(error)) if !self.meets_known && capture::is_there_already(&error) => {
                self.meets_known = true;
                retried(|| self.write_once(&rows, batch)).await?
            }
            outcome => outcome?,
        };
        Ok(())
    }

    async fn write_once(&self, rows: &[NewRow], batch: &Batch) -> Result<Progress, Error> {
        let app = &self.app;
        let mut tx = app.db.begin("import_leads", &TenantSet::one(&self.tenant)).await?;
        let stored = match rows {
            [] => 0,
            _ if self.meets_known => capture::insert_new(&mut tx, rows).await?,
            _ => capture::insert_all(&mut tx, rows).await?,
        };
        let before = &self.progress;
        let after = Progress {
            row_count: count(batch.rows_done),
            digest: batch.digest.to_vec(),
            stored_count: before.stored_count + count(stored as u64),
            existed_count: before.existed_count + count((rows.len() - stored) as u64),
            is_complete: batch.is_last,
        };
        let now = app.clock.now();
        if !lead_imports::advance(&mut tx, &self.tenant, self.import_id, before, &after, now).await? {
            return Err(Error::Stale("the import goes on elsewhere".into()));
        }
        tx.commit().await?;
        Ok(after)
    }

    fn new_row(&self, number: u64, lead: NewLead) -> NewRow {
        NewRow {
            lead_id: self.app.ids.next(),
            event_id: self.app.ids.next(),
            tenant: self.tenant.clone(),
            request_id: lead.external_id.is_empty().then(|| row_id(self.import_id, number)),
            payload_hash: fingerprint(&lead),
            lead,
            traceparent: self.traceparent.clone(),
            create_time: self.app.clock.now(),
            from_file: true,
        }
    }
}

/// Returns the id of a row that has none of its source, the same whenever the import is sent.
fn row_id(import_id: Uuid, number: u64) -> Uuid {
    let mut digest = Sha256::new();
    digest.update(b"import_leads");
    digest.update(import_id.as_bytes());
    digest.update(number.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
