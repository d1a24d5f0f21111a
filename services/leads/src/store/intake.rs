//! What the intake loop reads and writes: each as one statement a batch, but for the keys of calculated fields.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool, types::Json};
use uuid::Uuid;

use super::calculated_values::{self, RecordValues};
use super::leads::{LeadRow, lead_columns, stored};
use crate::domain::{
    account::Account,
    distribution::{Group, Turn, Turns},
    ids::{LeadId, MemberId, TeamId},
    lead::State,
};

/// Most new leads a round.
pub(crate) const BATCH: i64 = 500;

/// Something the loop has to look at.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Work {
    pub(crate) tenant_id: String,
    /// Set for a reason to look at waiting leads, absent for a new lead.
    pub(crate) reroute: Option<i64>,
    pub(crate) trigger: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) lead_id: Option<Uuid>,
    /// Whether the lead came with a file.
    pub(crate) from_file: bool,
}

impl Work {
    /// Tells whether it is about all leads that wait, or all that wait for a team.
    pub(crate) fn is_of_many(&self) -> bool {
        self.reroute.is_some() && self.lead_id.is_none()
    }
}

/// Work that is passed over.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Reasons to look at waiting leads.
    pub(crate) reroutes: Vec<i64>,
    /// New leads.
    pub(crate) leads: Vec<Uuid>,
}

/// Lists what is to be done in a shard, reasons before new leads and those before leads of files, each in order; run by
/// the worker role.
pub(crate) async fn list_work(worker: &PgPool, shard: i16, passed: &Passed) -> Result<Vec<Work>, DbError> {
    let work = sqlx::query_as(
        "(select tenant_id, id as reroute, trigger, team, lead_id, false as from_file from reroute_requests
          where shard = $1 and id <> all ($3) order by id limit $2)
         union all
         (select tenant_id, null, null, null, lead_id, from_file from leads
          where shard = $1 and state = 'captured' and lead_id <> all ($4) order by from_file, sequence limit $2)",
    )
    .bind(shard)
    .bind(BATCH)
    .bind(&passed.reroutes)
    .bind(&passed.leads)
    .fetch_all(worker)
    .await?;
    Ok(work)
}

/// What changes with every decision, and the version of what does not.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    pub(crate) setup_version: i64,
    pub(crate) open_leads: HashMap<MemberId, u32>,
    pub(crate) turns: HashMap<Group, Turns>,
}

#[derive(FromRow)]
struct StandingRow {
    team: Option<String>,
    skills: Option<String>,
    member: Option<String>,
    number: i64,
    finish: i64,
}

/// Reads a tenant's standings in one round trip, and keeps its setup from changing until the transaction ends: whoever
/// leaves does so before this batch or after it, and then its leads find new owners too.
pub(crate) async fn get_standings(tx: &mut PgConnection, tenant: &TenantId) -> Result<Standings, DbError> {
    let rows: Vec<StandingRow> = sqlx::query_as(
        "with setup as (select version from setup_versions where tenant_id = $1 for share)
         select null as team, null as skills, null as member, version as number, 0::bigint as finish from setup
         union all
         select null, null, member_id, open_leads, 0 from members where tenant_id = $1 and open_leads > 0
         union all
         select team, skills, member, number, finish from turns where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_all(tx)
    .await?;
    let (mut standings, turns) = sort(rows);
    standings.turns = turns
        .into_iter()
        .map(|(group, rows)| (group, Turns::new(rows)))
        .collect();
    Ok(standings)
}

/// The last turn of each member of each group.
pub(crate) type LastTurns = HashMap<Group, HashMap<MemberId, Turn>>;

/// Reads the turns that were taken last.
pub(crate) async fn list_turns(tx: &mut PgConnection, tenant: &TenantId) -> Result<LastTurns, DbError> {
    let rows = sqlx::query_as("select team, skills, member, number, finish from turns where tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_all(tx)
        .await?;
    Ok(sort(rows).1)
}

fn sort(rows: Vec<StandingRow>) -> (Standings, LastTurns) {
    let mut standings = Standings::default();
    let mut turns = LastTurns::new();
    for row in rows {
        match (row.team, row.member) {
            (Some(team), Some(member)) => {
                let group = Group {
                    team: stored::<TeamId>(&team),
                    skills: row.skills.unwrap_or_default(),
                };
                let turn = Turn {
                    finish: row.finish,
                    number: row.number,
                };
                turns.entry(group).or_default().insert(stored(&member), turn);
            }
            (None, Some(member)) => {
                standings
                    .open_leads
                    .insert(stored(&member), u32::try_from(row.number).unwrap_or(u32::MAX));
            }
            _ => standings.setup_version = row.number,
        }
    }
    (standings, turns)
}

/// Reads and locks these leads as far as they are still in `state` and not in the pool, in order of capture.
pub(crate) async fn list_leads_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    state: &str,
    leads: &[Uuid],
) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = any ($2) and state = $3
              and queue_reason is distinct from 'pooled' order by sequence for update"
    ))
    .bind(tenant.as_str())
    .bind(leads)
    .bind(state)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// The leads of a tenant that wait to be routed, or those that wait for one team, in order of capture; but for those that are only
/// tried by themselves.
macro_rules! waiting {
    ($columns:expr, $locking:literal) => {
        concat!(
            "select ",
            $columns,
            " from leads where tenant_id = $1 and state = 'queued' and queue_reason <> 'pooled'
                  and ($2::text is null or team = $2) and not exists (
                      select from reroute_requests r where r.tenant_id = $1 and r.lead_id = leads.lead_id and r.apart)
              order by sequence limit $3 offset $4",
            $locking
        )
    };
}

/// Lists leads of a tenant that wait to be routed.
pub(crate) async fn list_waiting(
    tx: &mut PgConnection,
    tenant: &TenantId,
    team: Option<&str>,
    limit: i64,
    skip: i64,
) -> Result<Vec<Uuid>, DbError> {
    let leads = sqlx::query_scalar(waiting!("lead_id", ""))
        .bind(tenant.as_str())
        .bind(team)
        .bind(limit)
        .bind(skip)
        .fetch_all(tx)
        .await?;
    Ok(leads)
}

/// Reads and locks leads of a tenant that wait to be routed.
pub(crate) async fn list_waiting_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    team: Option<&str>,
    limit: i64,
    skip: i64,
) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(waiting!(lead_columns!(), " for update"))
        .bind(tenant.as_str())
        .bind(team)
        .bind(limit)
        .bind(skip)
        .fetch_all(tx)
        .await?;
    Ok(rows)
}

/// What routing wants to know of an account.
#[derive(Debug)]
pub(crate) struct KnownAccount {
    pub(crate) owner: Option<MemberId>,
    /// What is known of it, where that was asked for.
    pub(crate) account: Option<Account>,
}

#[derive(FromRow)]
struct KnownAccountRow {
    account: String,
    owner: Option<String>,
    display_name: Option<String>,
    attributes: Option<Json<BTreeMap<String, String>>>,
}

/// Returns these accounts by key, with what is known of them if `profiles`.
pub(crate) async fn list_accounts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    accounts: &[&str],
    profiles: bool,
) -> Result<HashMap<String, KnownAccount>, DbError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = if profiles {
        "select wanted.account, a.owner, p.display_name, p.attributes from unnest($2::text[]) as wanted (account)
         left join accounts a on a.tenant_id = $1 and a.account = wanted.account
         left join account_profiles p on p.tenant_id = $1 and p.account = wanted.account"
    } else {
        "select account, owner, null as display_name, null::jsonb as attributes from accounts
         where tenant_id = $1 and account = any ($2)"
    };
    let rows: Vec<KnownAccountRow> = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(accounts)
        .fetch_all(tx)
        .await?;
    let known = |row: KnownAccountRow| {
        let profile = row.display_name.zip(row.attributes);
        let account = profile.map(|(display_name, Json(attributes))| Account {
            id: stored(&row.account),
            display_name,
            attributes,
        });
        let owner = row.owner.as_deref().map(stored);
        (row.account, KnownAccount { owner, account })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// What a decision does to a lead's row.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) lead: LeadId,
    pub(crate) decision_id: Uuid,
    pub(crate) decision: Vec<u8>,
    pub(crate) state: &'static str,
    pub(crate) owner: Option<MemberId>,
    pub(crate) team: Option<TeamId>,
    pub(crate) queue_reason: Option<&'static str>,
    pub(crate) claim_due: Option<Timestamp>,
    pub(crate) contact_due: Option<Timestamp>,
    pub(crate) provisional: bool,
    pub(crate) require_screening: bool,
    /// The lead's calculated values; `None` where the tenant has no such fields.
    pub(crate) values: Option<RecordValues>,
}

/// What decisions do to everything else.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) moves: Vec<Move>,
    /// Leads each member got.
    pub(crate) loads: HashMap<MemberId, i32>,
    /// The last turn each member took in each group.
    pub(crate) turns: HashMap<(Group, MemberId), Turn>,
    /// New owners of accounts.
    pub(crate) accounts: HashMap<String, MemberId>,
    /// Requests that are dealt with.
    pub(crate) reroutes: Vec<i64>,
}

/// Writes what a batch of decisions changes: in one statement, and a second one for the keys of calculated fields, if any.
pub(crate) async fn save(
    tx: &mut PgConnection,
    tenant: &TenantId,
    changes: &Changes,
    now: Timestamp,
) -> Result<(), DbError> {
    let moves = &changes.moves;
    macro_rules! column {
        (|$item:ident| $value:expr) => {
            moves.iter().map(|$item| $value).collect::<Vec<_>>()
        };
    }
    let time = |at: Option<Timestamp>| at.map(ToSqlx::to_sqlx);
    sqlx::query(SAVE)
        .bind(tenant.as_str())
        .bind(now.to_sqlx())
        .bind(column!(|it| it.lead.0))
        .bind(column!(|it| it.decision_id))
        .bind(column!(|it| it.decision.as_slice()))
        .bind(column!(|it| it.state))
        .bind(column!(|it| it.owner.as_ref().map(MemberId::id)))
        .bind(column!(|it| it.team.as_ref().map(TeamId::id)))
        .bind(column!(|it| it.queue_reason))
        .bind(column!(|it| time(it.claim_due)))
        .bind(column!(|it| time(it.contact_due)))
        .bind(column!(|it| it.provisional))
        .bind(column!(|it| it.require_screening))
        .bind(changes.loads.keys().map(MemberId::id).collect::<Vec<_>>())
        .bind(changes.loads.values().copied().collect::<Vec<_>>())
        .bind(
            changes
                .turns
                .keys()
                .map(|(group, _)| group.team.id())
                .collect::<Vec<_>>(),
        )
        .bind(
            changes
                .turns
                .keys()
                .map(|(group, _)| group.skills.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(changes.turns.keys().map(|(_, member)| member.id()).collect::<Vec<_>>())
        .bind(changes.turns.values().map(|turn| turn.finish).collect::<Vec<_>>())
        .bind(changes.turns.values().map(|turn| turn.number).collect::<Vec<_>>())
        .bind(changes.accounts.keys().map(String::as_str).collect::<Vec<_>>())
        .bind(changes.accounts.values().map(MemberId::id).collect::<Vec<_>>())
        .bind(&changes.reroutes)
        .bind(column!(|it| it.values.as_ref().map(|values| Json(&values.json))))
        .execute(&mut *tx)
        .await?;
    calculated_values::save_keys(tx, tenant, moves.iter().filter_map(|it| it.values.as_ref())).await
}

const SAVE: &str = "
with decided as (
    select * from unnest($3::uuid[], $4::uuid[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::timestamptz[], $11::timestamptz[], $12::boolean[], $13::boolean[], $24::jsonb[])
        as decided (lead_id, decision_id, decision, state, owner, team, queue_reason,
            claim_due, contact_due, provisional, require_screening, calculated)
), moved as (
    update leads l set
        state = d.state, owner = d.owner, team = d.team, queue_reason = d.queue_reason,
        fencing_token = l.fencing_token + case when d.owner is null then 0 else 1 end,
        assign_time = case when d.owner is null then null else $2::timestamptz end,
        claim_due_time = d.claim_due,
        contact_due_time = coalesce(l.contact_due_time, d.contact_due),
        due_provisional = d.provisional,
        require_screening = case when l.contact_due_time is null then d.require_screening else l.require_screening end,
        calculated = coalesce(d.calculated, l.calculated)
    from decided d where l.tenant_id = $1 and l.lead_id = d.lead_id
), recorded as (
    insert into routing_decisions (tenant_id, lead_id, decision_id, decide_time, decision)
    select $1, lead_id, decision_id, $2, decision from decided
), loaded as (
    update members m set open_leads = m.open_leads + added.leads
    from unnest($14::text[], $15::integer[]) as added (member, leads)
    where m.tenant_id = $1 and m.member_id = added.member
), turned as (
    insert into turns (tenant_id, team, skills, member, finish, number)
    select $1, * from unnest($16::text[], $17::text[], $18::text[], $19::bigint[], $20::bigint[])
    on conflict (tenant_id, team, skills, member) do update set finish = excluded.finish, number = excluded.number
), owned as (
    insert into accounts (tenant_id, account, owner, update_time)
    select $1, account, owner, $2 from unnest($21::text[], $22::text[]) as opened (account, owner)
    on conflict (tenant_id, account) do update set owner = excluded.owner, update_time = excluded.update_time
)
delete from reroute_requests where tenant_id = $1 and id = any ($23)";

/// Reads a stored time.
pub(crate) fn instant(at: Option<SqlTimestamp>) -> Option<Timestamp> {
    at.map(SqlTimestamp::to_jiff)
}

/// A new lead that is kept from salespeople.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) lead: LeadId,
    pub(crate) state: State,
    /// Its calculated values; `None` where the tenant has no such fields.
    pub(crate) values: Option<RecordValues>,
}

/// Writes where new leads are kept.
pub(crate) async fn keep(tx: &mut PgConnection, tenant: &TenantId, kept: &[Kept]) -> Result<(), DbError> {
    if kept.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update leads l set state = k.state, calculated = coalesce(k.calculated, l.calculated)
         from unnest($2::uuid[], $3::text[], $4::jsonb[]) as k (lead_id, state, calculated)
         where l.tenant_id = $1 and l.lead_id = k.lead_id",
    )
    .bind(tenant.as_str())
    .bind(kept.iter().map(|it| it.lead.0).collect::<Vec<_>>())
    .bind(kept.iter().map(|it| it.state.as_str()).collect::<Vec<_>>())
    .bind(
        kept.iter()
            .map(|it| it.values.as_ref().map(|values| Json(&values.json)))
            .collect::<Vec<_>>(),
    )
    .execute(&mut *tx)
    .await?;
    calculated_values::save_keys(tx, tenant, kept.iter().filter_map(|it| it.values.as_ref())).await
}
