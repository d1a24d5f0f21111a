//! Leads from a file, batch by batch. Each batch is one transaction that also says how far the import is, so one that
//! broke off goes on behind the last batch and stores nothing twice; while a batch is stored the next one is read.
//!
//! A file that is sent again is read from its beginning: faults are told again, and its digest shows that it is the same.

mod known;
mod preview;
mod reader;

use std::{collections::HashSet, sync::Arc};

use prost::Message as _;
use reflex_pg::retried;
use reflex_proto::leads::v1::{ImportLeadsResponse, KnownRow, known_row::Outcome};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use self::{
    known::{Access, KnownLeads},
    preview::{Preview, Seen},
    reader::{Batch, Reader},
};
use super::{
    App,
    capture_lead::fingerprint,
    change_contents::{Cause, NewContent},
};
use crate::{
    convert::import::count,
    domain::{
        ids::{ImportId, MemberId},
        known_lead::OnKnown,
        lead_file::{LeadFile, Settings},
        new_lead::NewLead,
    },
    error::Error,
    setup::Setup,
    store::{
        capture::{self, NewRow},
        known_leads::{self, BatchKey},
        lead_imports::{self, Advance, NewImport, Progress},
    },
};

pub(crate) use reader::Pieces;

/// Conflicts that a call tells; the rest is counted.
const LISTED_CONFLICTS: usize = 1_000;
/// Bytes of those that one response tells: it has to fit into a message.
const CONFLICT_BYTES: usize = 1 << 20;

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
    on_known: OnKnown,
    /// Whether a lead of the file was there already: then others may be, too.
    meets_known: bool,
    /// Rows refused so far, counted from the beginning of the file.
    refused_count: i64,
    /// Conflicts that are not told yet, and how many were.
    conflicts: Vec<KnownRow>,
    listed: usize,
    shows_contact: bool,
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

    async fn begin_lead_import(
        self: &Arc<Self>,
        caller: &Caller,
        import: &NewImport<'_>,
        on_known: OnKnown,
    ) -> Result<Store, Error> {
        let tenant = caller.tenant.clone();
        let mut tx = self.db.begin("begin_lead_import", &TenantSet::one(&tenant)).await?;
        let progress = lead_imports::begin(&mut tx, &tenant, import).await?;
        tx.commit().await?;
        if progress.is_stopped {
            let description = "the import was cancelled or undone; give it an id of its own";
            return Err(Error::WrongState(description.into()));
        }
        Ok(Store {
            app: Arc::clone(self),
            tenant,
            import_id: import.import_id,
            progress,
            on_known,
            meets_known: false,
            refused_count: 0,
            conflicts: Vec::new(),
            listed: 0,
            shows_contact: caller.may("leads.read_contact"),
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

/// What a batch does to known leads.
#[derive(Default)]
struct Updates {
    updated: i64,
    conflicts: i64,
    told: Vec<KnownRow>,
    has_changes: bool,
}

/// Rows to be written, each with its line.
struct Rows {
    rows: Vec<NewRow>,
    lines: Vec<u64>,
}

impl Store {
    async fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        self.refused_count += batch.refused_count;
        // What an earlier call has done.
        if count(batch.rows_done) <= self.progress.row_count && (self.progress.is_complete || !batch.is_last) {
            return Ok(());
        }
        let leads = std::mem::take(&mut batch.leads);
        let lines = leads.iter().map(|row| row.line).collect();
        let rows = leads
            .into_iter()
            .map(|row| self.new_row(row.number, row.lead))
            .collect();
        let rows = Rows { rows, lines };
        // Routing finds the leads by itself when it has the time.
        let (progress, updates) = match retried(|| self.write_once(&rows, batch)).await {
            Err(Error::Database(error)) if !self.meets_known && capture::is_there_already(&error) => {
                self.meets_known = true;
                retried(|| self.write_once(&rows, batch)).await?
            }
            outcome => outcome?,
        };
        self.progress = progress;
        let room = LISTED_CONFLICTS.saturating_sub(self.listed);
        self.conflicts.extend(updates.told.into_iter().take(room));
        self.listed += self.conflicts.len();
        if updates.has_changes {
            self.app.relay.wake();
            self.app.intake.wake(&self.tenant);
        }
        Ok(())
    }

    async fn write_once(&self, Rows { rows, lines }: &Rows, batch: &Batch) -> Result<(Progress, Updates), Error> {
        let app = &self.app;
        let mut tx = app.db.begin("import_leads", &TenantSet::one(&self.tenant)).await?;
        let changes_known = self.meets_known && self.on_known != OnKnown::Skip;
        // Before any lead is locked, as everybody does who needs both.
        let setup = if changes_known {
            Some(app.hold_setup(&mut tx, &self.tenant).await?)
        } else {
            None
        };
        let created = match rows.as_slice() {
            [] => Vec::new(),
            _ if self.meets_known => capture::insert_new(&mut tx, rows).await?,
            _ => capture::insert_all(&mut tx, rows).await?,
        };
        let updates = match &setup {
            Some(setup) if created.len() < rows.len() => {
                let new: HashSet<Uuid> = created.iter().copied().collect();
                let is_known = |(row, _): &(&NewRow, &u64)| !new.contains(&row.lead_id);
                let known: Vec<_> = rows.iter().zip(lines).filter(is_known).collect();
                self.update(&mut tx, setup, &known, batch).await?
            }
            _ => Updates::default(),
        };
        let before = &self.progress;
        let after = Progress {
            row_count: count(batch.rows_done),
            digest: batch.digest.to_vec(),
            stored_count: before.stored_count + count(created.len() as u64),
            existed_count: before.existed_count + count((rows.len() - created.len()) as u64),
            updated_count: before.updated_count + updates.updated,
            conflict_count: before.conflict_count + updates.conflicts,
            refused_count: self.refused_count,
            is_complete: batch.is_last,
            is_stopped: false,
        };
        let advance = Advance {
            import_id: self.import_id,
            before,
            after: &after,
            created: &created,
            has_updates: updates.has_changes,
            now: app.clock.now(),
        };
        if !lead_imports::advance(&mut tx, &self.tenant, &advance).await? {
            return Err(Error::Stale(
                "the import goes on elsewhere, or was cancelled or undone".into(),
            ));
        }
        tx.commit().await?;
        Ok((after, updates))
    }

    /// Changes the leads that rows know, and keeps what they said before.
    async fn update(
        &self,
        tx: &mut PgConnection,
        setup: &Setup,
        rows: &[(&NewRow, &u64)],
        batch: &Batch,
    ) -> Result<Updates, Error> {
        let tenant = &self.tenant;
        let leads = rows.iter().map(|(row, _)| &row.lead);
        let mut known = KnownLeads::find(tx, tenant, self.on_known, leads, Access::Lock).await?;
        let mut updates = Updates::default();
        let mut bytes = 0;
        for (row, line) in rows {
            let Some(judged) = known.judge(&row.lead) else { continue };
            match judged.outcome() {
                Outcome::Updated => updates.updated += 1,
                Outcome::Conflict => {
                    updates.conflicts += 1;
                    if updates.told.len() < LISTED_CONFLICTS && bytes < CONFLICT_BYTES {
                        let told = judged.told(**line, &row.lead, self.shows_contact);
                        bytes += told.encoded_len();
                        updates.told.push(told);
                    }
                }
                Outcome::Skipped | Outcome::Unspecified => {}
            }
        }
        let changed = known.changed();
        if changed.is_empty() {
            return Ok(updates);
        }
        updates.has_changes = true;
        let key = BatchKey {
            import_id: self.import_id,
            batch: count(batch.rows_done),
        };
        let (contents, kept): (Vec<_>, Vec<_>) = changed
            .into_iter()
            .map(|(lead, content, change)| {
                let fields = change.after.keys().cloned().collect();
                let new = NewContent { lead, content, fields };
                (new, (lead, change))
            })
            .unzip();
        known_leads::keep_changes(tx, tenant, key, &kept).await?;
        let cause = Cause {
            import: ImportId(self.import_id),
            taken_back: false,
        };
        self.app.change_contents(tx, tenant, setup, contents, cause).await?;
        Ok(updates)
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
