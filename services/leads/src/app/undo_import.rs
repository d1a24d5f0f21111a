//! Takes imports back, batch by batch from the last one: each batch is one transaction that also says how far the undoing is,
//! so one that broke off goes on where it was, and two that run at once take turns.
//!
//! Turns are given back at the end, all at once and while nobody takes any: until then whoever got leads of the file has had
//! them, and fairness among all others holds.

mod batch;
mod decisions;
mod refunds;

use std::{collections::HashMap, sync::Arc};

use reflex_pg::retried;
use reflex_proto::leads::v1::{UndoConflict, UndoImportRequest, UndoImportResponse};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use self::{batch::Outcome, decisions::Decisions, refunds::Policies};
use super::{App, list_directory::resource};
use crate::{
    domain::ids::{ImportId, MemberId},
    error::Error,
    store::lead_imports::{self, ImportRow},
};

/// Conflicts that a call tells; the rest is counted.
const LISTED_CONFLICTS: usize = 10_000;

/// An undoing that is under way.
pub(crate) struct ImportUndo {
    app: Arc<App>,
    caller: Caller,
    import: ImportId,
    decisions: Decisions,
    policies: Policies,
    listed: usize,
    /// What the last response said.
    told: UndoImportResponse,
}

impl App {
    /// Begins to undo an import, or goes on with that.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] for an import from before images were kept.
    pub(crate) async fn undo_import(
        self: &Arc<Self>,
        caller: &Caller,
        request: &UndoImportRequest,
    ) -> Result<ImportUndo, Error> {
        let import: ImportId = resource("name", &request.name)?;
        let decisions = Decisions::parse(request)?;
        let left = retried(|| self.begin_undo(caller, import, &decisions)).await?;
        Ok(ImportUndo {
            app: Arc::clone(self),
            caller: caller.clone(),
            import,
            decisions,
            policies: HashMap::new(),
            listed: 0,
            told: UndoImportResponse {
                left_count: left,
                ..UndoImportResponse::default()
            },
        })
    }

    /// Notes that the import is being undone, which keeps it from going on; returns how many rows are to be looked at.
    async fn begin_undo(&self, caller: &Caller, import: ImportId, decisions: &Decisions) -> Result<i64, Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let mut tx = self.db.begin("begin_import_undo", &TenantSet::one(tenant)).await?;
        let row = lock(&mut tx, caller, import).await?;
        if !row.keeps_images {
            return Err(Error::WrongState(format!(
                "{import} is from before imports kept what they stored"
            )));
        }
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        let decides_anew = row.undone_time.is_some() && row.kept_count > 0 && decisions.restore_something();
        if row.undo_time.is_none() || decides_anew {
            lead_imports::begin_undo(&mut tx, tenant, import, member.as_ref(), now).await?;
        }
        let cursor = if decides_anew { None } else { row.undo_cursor };
        let left = lead_imports::count_left(&mut tx, tenant, import, cursor).await?;
        tx.commit().await?;
        Ok(left)
    }
}

impl ImportUndo {
    /// Looks at the next batch and tells how far the undoing is; none after its end.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub(crate) async fn next(&mut self) -> Result<Option<UndoImportResponse>, Error> {
        if self.told.done {
            return Ok(None);
        }
        // Taken out, as a try that is repeated may have read some already.
        let mut policies = std::mem::take(&mut self.policies);
        let mut attempt = 0;
        let outcome = loop {
            attempt += 1;
            match self.step(&mut policies).await {
                Err(error) if attempt < 4 && reflex_pg::AsConflict::is_conflict(&error) => {}
                outcome => break outcome?,
            }
        };
        self.policies = policies;
        self.app.relay.wake();
        self.app.intake.wake(&self.caller.tenant);
        let room = LISTED_CONFLICTS.saturating_sub(self.listed);
        let conflicts: Vec<UndoConflict> = outcome.conflicts.into_iter().take(room).collect();
        self.listed += conflicts.len();
        let left = if outcome.is_last {
            0
        } else {
            (self.told.left_count - outcome.seen).max(0)
        };
        self.told = UndoImportResponse {
            removed_count: outcome.row.removed_count,
            restored_count: outcome.row.restored_count,
            kept_count: outcome.row.kept_count,
            left_count: left,
            conflicts: Vec::new(),
            done: outcome.is_last,
        };
        Ok(Some(UndoImportResponse {
            conflicts,
            ..self.told.clone()
        }))
    }

    /// Does one transaction.
    async fn step(&self, policies: &mut Policies) -> Result<Outcome, Error> {
        let tenant = &self.caller.tenant;
        let mut tx = self.app.db.begin("undo_import", &TenantSet::one(tenant)).await?;
        let row = lock(&mut tx, &self.caller, self.import).await?;
        let next = lead_imports::find_batch(&mut tx, tenant, self.import, row.undo_cursor).await?;
        if let Some(next) = next.filter(|_| row.undone_time.is_none()) {
            let mut outcome = self.undo_batch(&mut tx, &row, next, policies).await?;
            outcome.row = lead_imports::get(&mut tx, tenant, self.import).await?;
            tx.commit().await?;
            return Ok(outcome);
        }
        tx.commit().await?;
        self.finish().await
    }

    /// Gives the turns back and notes that the import is undone, if nobody has done so meanwhile.
    async fn finish(&self) -> Result<Outcome, Error> {
        let tenant = &self.caller.tenant;
        let mut tx = self.app.db.begin("end_import_undo", &TenantSet::one(tenant)).await?;
        let row = lock(&mut tx, &self.caller, self.import).await?;
        // Routing reads turns and writes them later: nobody may do so meanwhile.
        self.app.keep_turns(&mut tx, tenant).await?;
        let next = lead_imports::find_batch(&mut tx, tenant, self.import, row.undo_cursor).await?;
        let is_last = row.undone_time.is_some() || next.is_none();
        if row.undone_time.is_none() && is_last {
            self.app.give_turns_back(&mut tx, tenant, self.import).await?;
            lead_imports::end_undo(&mut tx, tenant, self.import, self.app.clock.now()).await?;
        }
        tx.commit().await?;
        Ok(Outcome {
            row,
            is_last,
            seen: 0,
            conflicts: Vec::new(),
        })
    }
}

/// Locks an import.
pub(super) async fn lock(tx: &mut sqlx::PgConnection, caller: &Caller, import: ImportId) -> Result<ImportRow, Error> {
    let found = lead_imports::find_for_update(tx, &caller.tenant, import).await?;
    found.ok_or_else(|| Error::NotFound(import.to_string()))
}
