//! The policy's entries as a decision table: written for spreadsheets, and stored as they come back.

use reflex_expr::Lang;
use reflex_proto::leads::v1::{
    ExportRoutingTableRequest, ExportRoutingTableResponse, ImportRoutingTableRequest, ImportRoutingTableResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun, put_routing_policy::Wanted};
use crate::{
    convert,
    domain::routing::{PolicySpec, RawPolicy, Table, write_table},
    error::{Error, Obstacle},
};

impl App {
    /// Writes the entries of a version as a table.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`] for another language.
    pub(crate) async fn export_routing_table(
        &self,
        caller: &Caller,
        request: &ExportRoutingTableRequest,
    ) -> Result<ExportRoutingTableResponse, Error> {
        let headings = match request.language.as_str() {
            "" | "zh" => Lang::Zh,
            "en" => Lang::En,
            _ => return Err(Error::invalid("language", "must be \"zh\" or \"en\"")),
        };
        let (version, spec) = self.stored_policy(&caller.tenant, request.version).await?;
        let mut tx = self
            .db
            .begin("export_routing_table", &TenantSet::one(&caller.tenant))
            .await?;
        let setup = self.setups.get(&mut tx, &caller.tenant).await?;
        Ok(ExportRoutingTableResponse {
            csv: write_table(&spec.entries, &setup.directory, headings),
            version,
        })
    }

    /// Stores the policy that a table says, or only tells what speaks against it.
    ///
    /// # Errors
    /// [`Error::Violations`] by line and column, [`Error::NotFound`] for the base, and as
    /// [`put_routing_policy`](App::put_routing_policy).
    pub(crate) async fn import_routing_table(
        &self,
        caller: &Caller,
        request: &ImportRoutingTableRequest,
    ) -> Result<ImportRoutingTableResponse, Error> {
        let tenant = &caller.tenant;
        let base = match request.base_version {
            0 => None,
            version => Some(self.stored_policy(tenant, version).await?.1),
        };
        // Names are read before the setup is locked, which routing waits for; what they refer to is checked behind it.
        let mut tx = self.db.begin("read_routing_table", &TenantSet::one(tenant)).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        drop(tx);
        let table = Table::read(&request.csv, &setup.directory)?;
        let base = base.or_else(|| Some(setup.policy.as_ref()?.spec().clone()));
        let raw = raw_policy(&table, base.as_ref());
        let wanted = Wanted::parse(&raw, &request.note, request.draft, setup.fields.names());
        let wanted = wanted.map_err(|found| located(&table, found.into()))?;
        if request.validate_only {
            return self.validated(caller, &wanted).await;
        }
        let mut change = match self
            .begin_change("import_routing_table", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let kept = self.keep_policy(&mut change, caller, &wanted).await;
        let kept = kept.map_err(|error| located(&table, error))?;
        let directory = &change.before.directory;
        let (findings, finding_count) = convert::routing::findings(&kept.findings, &wanted.spec, directory);
        let response = ImportRoutingTableResponse {
            policy: Some(convert::routing::policy(kept.version, &wanted.spec)),
            findings,
            finding_count,
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    async fn validated(&self, caller: &Caller, wanted: &Wanted) -> Result<ImportRoutingTableResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("validate_routing_table", &TenantSet::one(tenant)).await?;
        let setup = self.setups.get(&mut tx, tenant).await?;
        let found = self.findings(&mut tx, tenant, &setup, &wanted.spec).await?;
        let (findings, finding_count) = convert::routing::findings(&found, &wanted.spec, &setup.directory);
        Ok(ImportRoutingTableResponse {
            policy: Some(convert::routing::policy(0, &wanted.spec)),
            findings,
            finding_count,
        })
    }
}

/// Puts the entries of a table into the rest of another policy.
fn raw_policy(table: &Table, base: Option<&PolicySpec>) -> RawPolicy {
    let entries = table.entries.clone();
    let Some(base) = base else {
        return RawPolicy {
            entries,
            ..RawPolicy::default()
        };
    };
    RawPolicy {
        entries,
        default_team: base.default_team.as_ref().map(ToString::to_string).unwrap_or_default(),
        claim_within: base.claim_within,
        claim_wall_clock: base.claim_wall_clock,
        reassign_unclaimed: base.reassign_unclaimed,
    }
}

/// Tells of an error in the lines and columns of the table.
fn located(table: &Table, error: Error) -> Error {
    match error {
        Error::Violations(violations) => Error::Violations(violations.into_iter().map(|it| table.locate(it)).collect()),
        Error::Obstacles(obstacles) => {
            let located = |it: Obstacle| Obstacle {
                code: it.code,
                violation: table.locate(it.violation),
            };
            Error::Obstacles(obstacles.into_iter().map(located).collect())
        }
        other => other,
    }
}
