//! Members from a CSV file: all rows or none.

use std::collections::{HashMap, HashSet};

use reflex_pg::retried;
use reflex_proto::leads::v1::{ImportMembersRequest, ImportMembersResponse, MemberChange as ChangeMessage};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{App, change_setup::Begun};
use crate::{
    convert,
    domain::{
        directory::{Directory, DirectoryError, DirectoryRows},
        ids::MemberId,
        member::Member,
        member_change::MemberChange,
        member_file::{self, Line},
        tree::PlacementError,
        violation::Violation,
    },
    error::Error,
    setup::Setup,
    store::{members, teams},
};

/// What a file asks for.
struct Plan {
    /// Members as they shall be: those of the file in its order, then who leaves because the file does not list them.
    members: Vec<Member>,
    /// Open leads of those who leave.
    leads_to_rehome: i32,
}

impl App {
    /// Imports members, or only tells what an import would change.
    ///
    /// # Errors
    /// [`Error::Violations`] by line and column.
    pub(crate) async fn import_members(
        &self,
        caller: &Caller,
        request: &ImportMembersRequest,
    ) -> Result<ImportMembersResponse, Error> {
        if request.dry_run {
            let mut tx = self
                .db
                .begin("preview_members", &TenantSet::one(&caller.tenant))
                .await?;
            let setup = self.setups.get(&mut tx, &caller.tenant).await?;
            let plan = plan(&mut tx, &caller.tenant, &setup, request).await?;
            return Ok(plan.told(&setup.directory, plan.leads_to_rehome));
        }
        // For the same reason as a single member.
        retried(|| self.import_members_once(caller, request)).await
    }

    async fn import_members_once(
        &self,
        caller: &Caller,
        request: &ImportMembersRequest,
    ) -> Result<ImportMembersResponse, Error> {
        let mut change = match self
            .begin_change("import_members", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let plan = plan(&mut change.tx, &change.tenant, &change.before, request).await?;
        let rehomed_leads = self.write_members(&mut change, &plan.members).await?;
        let response = plan.told(&change.before.directory, rehomed_leads);
        self.commit_change(change, &response).await?;
        Ok(response)
    }
}

impl Plan {
    /// Returns what changes against a directory.
    fn told(&self, directory: &Directory, rehomed_leads: i32) -> ImportMembersResponse {
        let mut response = ImportMembersResponse {
            rehomed_leads,
            ..ImportMembersResponse::default()
        };
        for member in &self.members {
            let change = MemberChange::new(directory.find_member(&member.id), member);
            match change.kind() {
                None => response.unchanged_count += 1,
                Some(kind) => response.changes.push(ChangeMessage {
                    member: member.id.to_string(),
                    kind: convert::directory::change_kind(kind).into(),
                    fields: change.fields().into_iter().map(str::to_owned).collect(),
                }),
            }
        }
        response
    }
}

/// Reads the file and checks it against everything it refers to, as it will be after the import.
async fn plan(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    request: &ImportMembersRequest,
) -> Result<Plan, Error> {
    let lines = member_file::parse(&request.csv, &setup.directory)?;
    let listed: HashSet<&MemberId> = lines.iter().map(|line| &line.member.id).collect();
    let mut others = members::list(tx, tenant, &members::Filter::default()).await?;
    let open_leads: HashMap<MemberId, i32> = others
        .iter()
        .map(|stored| (stored.member.id.clone(), stored.open_leads))
        .collect();
    others.retain(|stored| !listed.contains(&stored.member.id));
    let mut leavers = Vec::new();
    for stored in &mut others {
        if request.deactivate_missing && stored.member.active {
            stored.member.active = false;
            leavers.push(stored.member.clone());
        }
    }
    let after = Directory::new(DirectoryRows {
        members: others
            .into_iter()
            .map(|stored| stored.member)
            .chain(lines.iter().map(|it| it.member.clone()))
            .collect(),
        teams: teams::list(tx, tenant, None, None).await?,
        ..DirectoryRows::default()
    });
    let faults: Vec<Violation> = lines.iter().filter_map(|line| misfit(line, &after, setup)).collect();
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let members: Vec<Member> = lines.into_iter().map(|line| line.member).chain(leavers).collect();
    let left = |member: &&Member| MemberChange::new(setup.directory.find_member(&member.id), member).leaves();
    let leads_to_rehome = members
        .iter()
        .filter(left)
        .filter_map(|member| open_leads.get(&member.id))
        .sum();
    Ok(Plan {
        members,
        leads_to_rehome,
    })
}

/// Tells what a line refers to in vain.
fn misfit(line: &Line, after: &Directory, setup: &Setup) -> Option<Violation> {
    let member = &line.member;
    if let Err(error) = after.check_member(member) {
        let column = match &error {
            DirectoryError::Team(_) => "team",
            DirectoryError::Member(PlacementError::Unknown(id)) if Some(id) == member.deputy.as_ref() => "deputy",
            DirectoryError::Member(_) => "supervisor",
        };
        return Some(member_file::violation(line.number, column, &error.to_string()));
    }
    let calendar = member
        .calendar
        .as_ref()
        .filter(|id| !setup.calendars.contains_key(*id))?;
    Some(member_file::violation(
        line.number,
        "calendar",
        &format!("{calendar} does not exist"),
    ))
}
