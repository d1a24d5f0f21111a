//! Importing the lists that the gate asks, taking imports back, and listing them.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    GateImport, ImportCompaniesRequest, ImportCompaniesResponse, ImportCompetitorVisitsRequest,
    ImportCompetitorVisitsResponse, ListGateImportsRequest, ListGateImportsResponse, UndoGateImportRequest,
    UndoGateImportResponse, gate_import,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{
    App,
    change_setup::{Begun, Change},
    gate_sweep::sweep,
    paging::Page,
};
use crate::{
    convert,
    domain::{
        gate_file::{self, CompanyLine, VisitLine},
        ids::CalendarId,
    },
    error::Error,
    store::gate_imports::{self, ActiveImport, ImportKind, ImportRow},
};

const LARGEST_PAGE: i32 = 500;
/// How far the clock of whoever made a list may be ahead of ours.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

impl App {
    /// Imports companies as the next version.
    ///
    /// # Errors
    /// [`Error::Violations`] by line and column.
    pub(crate) async fn import_companies(
        &self,
        caller: &Caller,
        request: &ImportCompaniesRequest,
    ) -> Result<ImportCompaniesResponse, Error> {
        let as_of = self.as_of(request.as_of.as_ref())?;
        let lines: Vec<CompanyLine> = gate_file::companies(&request.csv)?;
        if request.dry_run {
            let import = Some(rehearsed(ImportKind::Companies, as_of, lines.len()));
            return Ok(ImportCompaniesResponse { import });
        }
        let mut change = match self
            .begin_change("import_companies", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let times = (as_of, self.now_stored());
        let (tx, tenant) = (&mut change.tx, &change.tenant);
        let row = gate_imports::insert(tx, tenant, ImportKind::Companies, times, lines.len()).await?;
        gate_imports::insert_companies(tx, tenant, row.version, &lines).await?;
        self.look_at_kept(&mut change).await?;
        let response = ImportCompaniesResponse {
            import: Some(shown(ImportKind::Companies, &row, Some(row.version))),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Imports visits of competitors' sites as the next version.
    ///
    /// # Errors
    /// [`Error::Violations`] by line and column.
    pub(crate) async fn import_competitor_visits(
        &self,
        caller: &Caller,
        request: &ImportCompetitorVisitsRequest,
    ) -> Result<ImportCompetitorVisitsResponse, Error> {
        let as_of = self.as_of(request.as_of.as_ref())?;
        let mut tx = self.db.begin("read_visits", &TenantSet::one(&caller.tenant)).await?;
        let setup = self.setups.get(&mut tx, &caller.tenant).await?;
        drop(tx);
        let zone = setup.calendar(&CalendarId::default_of_tenant()).time_zone();
        let lines: Vec<VisitLine> = gate_file::visits(&request.csv, zone, self.clock.now())?;
        if request.dry_run {
            let import = Some(rehearsed(ImportKind::Visits, as_of, lines.len()));
            return Ok(ImportCompetitorVisitsResponse { import });
        }
        let mut change = match self
            .begin_change("import_competitor_visits", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let times = (as_of, self.now_stored());
        let (tx, tenant) = (&mut change.tx, &change.tenant);
        let row = gate_imports::insert(tx, tenant, ImportKind::Visits, times, distinct(&lines)).await?;
        gate_imports::insert_visits(tx, tenant, row.version, &lines).await?;
        self.look_at_kept(&mut change).await?;
        let response = ImportCompetitorVisitsResponse {
            import: Some(shown(ImportKind::Visits, &row, Some(row.version))),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Takes an import back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongState`] when it was taken back or is not kept any more, [`Error::Violations`].
    pub(crate) async fn undo_gate_import(
        &self,
        caller: &Caller,
        request: &UndoGateImportRequest,
    ) -> Result<UndoGateImportResponse, Error> {
        let kind = kind_of(request.kind)?;
        let mut change = match self
            .begin_change("undo_gate_import", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let (tx, tenant) = (&mut change.tx, &change.tenant);
        let found = gate_imports::find_for_update(tx, tenant, kind, request.version).await?;
        let missing = || Error::NotFound(format!("version {} of the {}", request.version, kind.as_str()));
        let mut row = found.ok_or_else(missing)?;
        if row.undo_time.is_some() {
            return Err(Error::WrongState("the import was taken back before".into()));
        }
        if !gate_imports::is_kept(tx, tenant, kind, request.version).await? {
            return Err(Error::WrongState("the import is too old to be taken back".into()));
        }
        let now = self.now_stored();
        gate_imports::undo(tx, tenant, kind, request.version, now).await?;
        row.undo_time = Some(jiff_sqlx::ToSqlx::to_sqlx(now));
        let active_version = active(tx, tenant, kind).await?.map_or(0, |active| active.version);
        self.look_at_kept(&mut change).await?;
        let response = UndoGateImportResponse {
            import: Some(shown(kind, &row, None)),
            active_version,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists imports, newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_gate_imports(
        &self,
        caller: &Caller,
        request: &ListGateImportsRequest,
    ) -> Result<ListGateImportsResponse, Error> {
        let kind = kind_of(request.kind)?;
        let tenant = &caller.tenant;
        let query = ("gate_imports", tenant.as_str(), kind.as_str());
        let page: Page<_, i32> = Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_gate_imports", &TenantSet::one(tenant)).await?;
        let mut rows = gate_imports::list(&mut tx, tenant, kind, page.after, page.limit()).await?;
        let active = active(&mut tx, tenant, kind).await?.map(|active| active.version);
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.version);
        Ok(ListGateImportsResponse {
            imports: rows.iter().map(|row| shown(kind, row, active)).collect(),
            next_page_token,
        })
    }

    /// Has everything judged again that the gate keeps.
    async fn look_at_kept(&self, change: &mut Change) -> Result<(), Error> {
        if change.before.gate.is_some() {
            reflex_timers::set(&mut change.tx, &[sweep(&change.tenant, self.now_stored())]).await?;
        }
        Ok(())
    }

    fn as_of(&self, sent: Option<&prost_types::Timestamp>) -> Result<Timestamp, Error> {
        let now = self.now_stored();
        let Some(sent) = sent else { return Ok(now) };
        let as_of = convert::instant("as_of", sent).map_err(|violation| vec![violation])?;
        if as_of > now + TOLERANCE {
            return Err(Error::invalid("as_of", "must not be in the future"));
        }
        Ok(as_of.min(now))
    }
}

async fn active(tx: &mut PgConnection, tenant: &TenantId, kind: ImportKind) -> Result<Option<ActiveImport>, Error> {
    let (companies, visits) = gate_imports::find_active(tx, tenant).await?;
    Ok(match kind {
        ImportKind::Companies => companies,
        ImportKind::Visits => visits,
    })
}

/// Counts the visitors and whom they visited.
fn distinct(lines: &[VisitLine]) -> usize {
    let pairs: std::collections::HashSet<_> = lines.iter().map(|line| (&line.visitor, &line.competitor)).collect();
    pairs.len()
}

fn kind_of(value: i32) -> Result<ImportKind, Error> {
    match gate_import::Kind::try_from(value) {
        Ok(gate_import::Kind::Companies) => Ok(ImportKind::Companies),
        Ok(gate_import::Kind::Visits) => Ok(ImportKind::Visits),
        _ => Err(Error::invalid("kind", "must be COMPANIES or VISITS")),
    }
}

fn message_kind(kind: ImportKind) -> i32 {
    match kind {
        ImportKind::Companies => gate_import::Kind::Companies,
        ImportKind::Visits => gate_import::Kind::Visits,
    }
    .into()
}

/// Shows what an import would be.
fn rehearsed(kind: ImportKind, as_of: Timestamp, rows: usize) -> GateImport {
    GateImport {
        kind: message_kind(kind),
        as_of: Some(convert::timestamp(as_of)),
        row_count: i32::try_from(rows).unwrap_or(i32::MAX),
        ..GateImport::default()
    }
}

fn shown(kind: ImportKind, row: &ImportRow, active: Option<i32>) -> GateImport {
    GateImport {
        kind: message_kind(kind),
        version: row.version,
        as_of: Some(convert::timestamp(row.as_of.to_jiff())),
        import_time: Some(convert::timestamp(row.import_time.to_jiff())),
        row_count: row.row_count,
        undo_time: row.undo_time.map(|at| convert::timestamp(at.to_jiff())),
        active: active == Some(row.version),
    }
}
