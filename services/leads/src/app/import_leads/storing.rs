//! Stores the leads of a file, batch by batch, and changes those that its rows know.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use prost::Message as _;
use reflex_pg::retried;
use reflex_proto::leads::v1::{KnownRow, known_row::Outcome};
use reflex_rpc::identity::Caller;
use reflex_runtime::telemetry;
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    known::{Access, KnownLeads},
    reader::{Batch, ReadRow},
};
use crate::{
    app::{
        App,
        change_contents::{Cause, NewContent},
    },
    convert::import::count,
    domain::{ids::ImportId, known_lead::OnKnown},
    error::Error,
    setup::Setup,
    store::{
        capture::{self, NewRow},
        file_capture,
        known_leads::{self, BatchKey},
        lead_imports::{self, Advance, NewImport, Progress},
    },
};

/// Conflicts that a call tells; the rest is counted.
const LISTED_CONFLICTS: usize = 1_000;
/// Bytes of those that one response tells: it has to fit into a message.
const CONFLICT_BYTES: usize = 1 << 20;

/// Where the leads of an import go.
pub(super) struct Store {
    app: Arc<App>,
    tenant: TenantId,
    import_id: Uuid,
    pub(super) progress: Progress,
    on_known: OnKnown,
    /// Whether a lead of the file was there already: then others may be, too.
    meets_known: bool,
    /// Rows refused so far, counted from the beginning of the file.
    refused_count: i64,
    /// Conflicts that are not told yet, and how many were.
    pub(super) conflicts: Vec<KnownRow>,
    listed: usize,
    shows_contact: bool,
    traceparent: Option<String>,
    /// Routing leaves it most of the time.
    _under_way: Arc<()>,
}

impl App {
    /// Begins an import, unless it was begun before.
    pub(super) async fn begin_lead_import(
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
    /// Stores a batch, unless an earlier call has done so.
    pub(super) async fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        self.refused_count += batch.refused_count;
        // What an earlier call has done.
        if count(batch.rows_done) <= self.progress.row_count && (self.progress.is_complete || !batch.is_last) {
            return Ok(());
        }
        let leads = std::mem::take(&mut batch.leads);
        let lines = leads.iter().map(|row| row.line).collect();
        let now = self.app.clock.now();
        let rows = leads.into_iter().map(|row| self.new_row(row, now)).collect();
        let rows = Rows { rows, lines };
        // Routing finds the leads by itself when it has the time.
        let (progress, updates) = match retried(|| self.write_once(&rows, batch)).await {
            Err(Error::Database(error)) if !self.meets_known && file_capture::is_there_already(&error) => {
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
        let mut tx = app
            .db
            .begin_held("import_leads", &TenantSet::one(&self.tenant), &[])
            .await?;
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
            _ => {
                file_capture::insert(&mut tx, rows).await?;
                rows.iter().map(|row| row.lead_id).collect()
            }
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

    fn new_row(&self, row: ReadRow, now: Timestamp) -> NewRow {
        let ReadRow { number, lead, .. } = row;
        NewRow {
            lead_id: self.app.ids.next(),
            event_id: self.app.ids.next(),
            tenant: self.tenant.clone(),
            request_id: lead.external_id.is_empty().then(|| row_id(self.import_id, number)),
            payload_hash: row.fingerprint,
            lead,
            traceparent: self.traceparent.clone(),
            create_time: now,
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
