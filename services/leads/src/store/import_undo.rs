//! Takes leads out of the database with everything that came of them, as if they had never been in the file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use prost::Message as _;
use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::duplicates::index;
use crate::domain::{
    distribution::{Group, Turn},
    ids::{ImportId, LeadId, MemberId, ResourceId},
};

/// A lead of an import, as far as its removal needs to know it.
#[derive(Debug, FromRow)]
pub(crate) struct CreatedRow {
    pub(crate) lead_id: Uuid,
    pub(crate) state: String,
    pub(crate) owner: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) account: String,
    /// What somebody has done with it, if anything.
    pub(crate) worked: Option<String>,
}

/// The timers of leads, of whatever kind: their keys begin with the lead. The first part lists the kinds there are, which
/// are few, without reading all timers; the last one looks into the key's index once a kind and lead.
macro_rules! timers_of {
    ($locking:literal) => {
        concat!(
            "with recursive kinds as (
                 select min(kind) as kind from timers where tenant_id = $1
                 union all
                 select (select min(t.kind) from timers t where t.tenant_id = $1 and t.kind > k.kind) from kinds k
                 where k.kind is not null
             )
             select found.place from kinds k cross join unnest($2::text[]) as asked (lead)
             cross join lateral (
                 select t.ctid as place from timers t where t.tenant_id = $1 and t.kind = k.kind
                     and t.key >= asked.lead and t.key < asked.lead || '0' order by t.key",
            $locking,
            ") as found"
        )
    };
}

/// Locks leads with their timers, in the order in which everybody does.
pub(crate) async fn lock(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<(), DbError> {
    sqlx::query(timers_of!(" for update"))
        .bind(tenant.as_str())
        .bind(names(leads))
        .execute(&mut *tx)
        .await?;
    sqlx::query("select from leads where tenant_id = $1 and lead_id = any ($2) order by sequence for update")
        .bind(tenant.as_str())
        .bind(leads)
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists locked leads that an import stored, as far as they are still there.
pub(crate) async fn list_created(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    leads: &[Uuid],
) -> Result<Vec<CreatedRow>, DbError> {
    let rows = sqlx::query_as(
        "select l.lead_id, l.state, l.owner, l.team, l.account, case
             when l.state = 'merged' or exists (
                 select from lead_merges m where m.tenant_id = $1 and (m.survivor = l.lead_id or m.loser = l.lead_id))
                 then 'merged'
             when l.state in ('closed', 'claimed', 'contacted') then l.state
             when exists (select from first_orders o where o.tenant_id = $1 and o.lead_id = l.lead_id) then 'ordered'
             when exists (select from validity_corrections c where c.tenant_id = $1 and c.lead_id = l.lead_id) then 'corrected'
             when exists (select from follow_ups f where f.tenant_id = $1 and f.lead_id = l.lead_id) then 'follow_up'
             when exists (select from lead_disputes d where d.tenant_id = $1 and d.lead_id = l.lead_id) then 'disputed'
             when exists (
                 select from lead_tags t where t.tenant_id = $1 and t.lead_id = l.lead_id and t.rule is null) then 'tagged'
             when exists (select from lead_facts f where f.tenant_id = $1 and f.lead_id = l.lead_id) then 'fact'
             when exists (
                 select from lead_import_updates u
                 where u.tenant_id = $1 and u.lead_id = l.lead_id and u.import_id <> $2) then 'updated'
             else (
                 select h.kind from lead_history h where h.tenant_id = $1 and h.lead_id = l.lead_id
                     and h.kind in ('claimed', 'released', 'picked', 'tagged', 'untagged', 'progressed', 'awarded')
                 order by h.entry_id limit 1)
             end as worked
         from leads l where l.tenant_id = $1 and l.lead_id = any ($3) order by l.sequence",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(leads)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists the decisions about leads, in their order.
pub(crate) async fn list_decisions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<Vec<(Uuid, RoutingDecision)>, DbError> {
    let rows: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
        "select decision_id, decision from routing_decisions where tenant_id = $1 and lead_id = any ($2)
         order by decision_id",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(tx)
    .await?;
    let decoded = rows.into_iter().filter_map(|(id, decision)| {
        let decision = RoutingDecision::decode(decision.as_slice()).ok()?;
        Some((id, decision))
    });
    Ok(decoded.collect())
}

/// Deletes locked leads and everything that came of them.
pub(crate) async fn delete(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<(), DbError> {
    sqlx::query(concat!(
        "delete from timers where tenant_id = $1 and ctid = any (array(",
        timers_of!(""),
        "))"
    ))
    .bind(tenant.as_str())
    .bind(names(leads))
    .execute(&mut *tx)
    .await?;
    index::request_neighbours(tx, tenant, leads).await?;
    index::forget(tx, tenant, leads).await?;
    for statement in DELETIONS {
        sqlx::query(*statement)
            .bind(tenant.as_str())
            .bind(leads)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The lead itself comes last, as the others point to it.
const DELETIONS: &[&str] = &[
    "delete from routing_decisions where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_history where tenant_id = $1 and lead_id = any ($2)",
    "delete from escalations where tenant_id = $1 and lead_id = any ($2)",
    "delete from follow_ups where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_tags where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_facts where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_disputes where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_import_updates where tenant_id = $1 and lead_id = any ($2)",
    "delete from reroute_requests where tenant_id = $1 and lead_id = any ($2)",
    "delete from duplicate_requests where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_duplicates where tenant_id = $1 and (earlier_id = any ($2) or later_id = any ($2))",
    "delete from validity_corrections where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_fingerprints where tenant_id = $1 and lead_id = any ($2)",
    "delete from lead_gates where tenant_id = $1 and lead_id = any ($2)",
    "delete from first_orders where tenant_id = $1 and lead_id = any ($2)",
    "delete from decision_roles where tenant_id = $1 and lead_id = any ($2)",
    "delete from decision_maps where tenant_id = $1 and lead_id = any ($2)",
    "delete from calculated_keys where tenant_id = $1 and record = any ($2::text[])
         and field_key in (select field_key from calculated_fields where tenant_id = $1 and entity = 'lead')",
    "delete from leads where tenant_id = $1 and lead_id = any ($2)",
];

/// Takes the owners of accounts away that they got with leads of an import, where no other lead is the account's.
pub(crate) async fn delete_accounts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    accounts: &[&str],
    since: Timestamp,
) -> Result<(), DbError> {
    if accounts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from accounts a where a.tenant_id = $1 and a.account = any ($2) and a.update_time >= $3
             and not exists (
                 select from leads l where l.tenant_id = $1 and l.account = a.account and l.account <> '')",
    )
    .bind(tenant.as_str())
    .bind(accounts)
    .bind(since.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes leads off what members hold.
pub(crate) async fn free(
    tx: &mut PgConnection,
    tenant: &TenantId,
    held: &BTreeMap<MemberId, i32>,
) -> Result<(), DbError> {
    if held.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update members m set open_leads = m.open_leads - freed.leads
         from unnest($2::text[], $3::integer[]) as freed (member, leads)
         where m.tenant_id = $1 and m.member_id = freed.member",
    )
    .bind(tenant.as_str())
    .bind(held.keys().map(MemberId::id).collect::<Vec<_>>())
    .bind(held.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the turns of a member in a group cost that were taken for leads that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) cost: i64,
    pub(crate) first_decision: Uuid,
    /// The member's turn before the first of them.
    pub(crate) before: Option<Turn>,
}

/// Refunds by group and member.
pub(crate) type Refunds = BTreeMap<(Group, MemberId), Refund>;

/// Adds refunds to those of an import.
pub(crate) async fn add_refunds(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
    refunds: &Refunds,
) -> Result<(), DbError> {
    if refunds.is_empty() {
        return Ok(());
    }
    let before = |refund: &Refund| refund.before.unwrap_or(Turn { finish: 0, number: 0 });
    sqlx::query(
        "insert into lead_import_refunds as r (tenant_id, import_id, team, skills, member, cost, first_decision,
             finish_before, number_before)
         select $1, $2, * from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::uuid[], $8::bigint[], $9::bigint[])
         on conflict (tenant_id, import_id, team, skills, member) do update set cost = r.cost + excluded.cost,
             first_decision = least(r.first_decision, excluded.first_decision),
             finish_before = case when excluded.first_decision < r.first_decision
                 then excluded.finish_before else r.finish_before end,
             number_before = case when excluded.first_decision < r.first_decision
                 then excluded.number_before else r.number_before end",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .bind(refunds.keys().map(|(group, _)| group.team.id()).collect::<Vec<_>>())
    .bind(refunds.keys().map(|(group, _)| group.skills.as_str()).collect::<Vec<_>>())
    .bind(refunds.keys().map(|(_, member)| member.id()).collect::<Vec<_>>())
    .bind(refunds.values().map(|refund| refund.cost).collect::<Vec<_>>())
    .bind(refunds.values().map(|refund| refund.first_decision).collect::<Vec<_>>())
    .bind(refunds.values().map(|refund| before(refund).finish).collect::<Vec<_>>())
    .bind(refunds.values().map(|refund| before(refund).number).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct RefundRow {
    team: String,
    skills: String,
    member: String,
    cost: i64,
    first_decision: Uuid,
    finish_before: i64,
    number_before: i64,
    finish: i64,
    number: i64,
}

/// Takes the refunds of an import out, each with the member's last turn.
pub(crate) async fn take_refunds(
    tx: &mut PgConnection,
    tenant: &TenantId,
    import: ImportId,
) -> Result<Vec<((Group, MemberId), Refund, Turn)>, DbError> {
    let rows: Vec<RefundRow> = sqlx::query_as(
        "with taken as (delete from lead_import_refunds where tenant_id = $1 and import_id = $2 returning *)
         select r.team, r.skills, r.member, r.cost, r.first_decision, r.finish_before, r.number_before, t.finish, t.number
         from taken r join turns t using (tenant_id, team, skills, member)",
    )
    .bind(tenant.as_str())
    .bind(import.0)
    .fetch_all(tx)
    .await?;
    let taken = rows.into_iter().filter_map(|row| {
        let group = Group {
            team: ResourceId::from_id(&row.team).ok()?,
            skills: row.skills,
        };
        let before = Turn {
            finish: row.finish_before,
            number: row.number_before,
        };
        let refund = Refund {
            cost: row.cost,
            first_decision: row.first_decision,
            before: Some(before).filter(|turn| turn.number > 0),
        };
        let now = Turn {
            finish: row.finish,
            number: row.number,
        };
        Some(((group, ResourceId::from_id(&row.member).ok()?), refund, now))
    });
    Ok(taken.collect())
}

/// Sets the last turns of members; `None` for those who have taken none. Routing must be kept from taking any meanwhile.
pub(crate) async fn set_turns(
    tx: &mut PgConnection,
    tenant: &TenantId,
    turns: &[((Group, MemberId), Option<Turn>)],
) -> Result<(), DbError> {
    sqlx::query(
        "with given as (
             select * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
                 as given (team, skills, member, finish, number)
         ), gone as (
             delete from turns t using given g where t.tenant_id = $1 and t.team = g.team and t.skills = g.skills
                 and t.member = g.member and g.number is null
         )
         update turns t set finish = g.finish, number = g.number from given g
         where t.tenant_id = $1 and t.team = g.team and t.skills = g.skills and t.member = g.member
             and g.number is not null",
    )
    .bind(tenant.as_str())
    .bind(turns.iter().map(|((group, _), _)| group.team.id()).collect::<Vec<_>>())
    .bind(
        turns
            .iter()
            .map(|((group, _), _)| group.skills.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(turns.iter().map(|((_, member), _)| member.id()).collect::<Vec<_>>())
    .bind(
        turns
            .iter()
            .map(|(_, turn)| turn.map(|turn| turn.finish))
            .collect::<Vec<_>>(),
    )
    .bind(
        turns
            .iter()
            .map(|(_, turn)| turn.map(|turn| turn.number))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn names(leads: &[Uuid]) -> Vec<String> {
    leads.iter().map(|lead| LeadId(*lead).to_string()).collect()
}
