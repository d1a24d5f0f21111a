//! Leads as rows: read, locked, listed, moved.

use std::collections::HashMap;

use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_proto::leads::v1 as pb;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::tags::TagRow;
use crate::{
    convert,
    domain::{
        decision::Trigger,
        ids::{LeadId, MemberId, ResourceId, TeamId},
        lead::{Standing, State},
        pool::Cooldowns,
    },
};

/// A lead as stored, without its raw payload.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct LeadRow {
    pub(crate) lead_id: Uuid,
    pub(crate) number: i64,
    pub(crate) state: String,
    pub(crate) source: String,
    pub(crate) external_id: Option<String>,
    pub(crate) company: String,
    pub(crate) contact_name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) territory: String,
    pub(crate) product: String,
    pub(crate) urgency: Option<String>,
    pub(crate) budget_min_fen: i64,
    pub(crate) budget_max_fen: i64,
    pub(crate) remark: String,
    pub(crate) account: String,
    pub(crate) form: Option<String>,
    pub(crate) form_version: Option<i32>,
    pub(crate) attributes: Json<HashMap<String, String>>,
    pub(crate) owner: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) previous_owner: Option<String>,
    pub(crate) fencing_token: i64,
    pub(crate) queue_reason: Option<String>,
    pub(crate) create_time: SqlTimestamp,
    pub(crate) assign_time: Option<SqlTimestamp>,
    pub(crate) claim_time: Option<SqlTimestamp>,
    pub(crate) first_contact_time: Option<SqlTimestamp>,
    pub(crate) claim_due_time: Option<SqlTimestamp>,
    pub(crate) contact_due_time: Option<SqlTimestamp>,
    pub(crate) due_provisional: bool,
    pub(crate) require_screening: bool,
    pub(crate) outcome: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) calculated: Option<Json<serde_json::Value>>,
    pub(crate) cooldowns: Option<Json<Cooldowns>>,
    /// Its tags by name; absent where it never had one.
    pub(crate) tags: Option<Json<Vec<TagRow>>>,
    pub(crate) merged_into: Option<Uuid>,
    /// When it came back after it was kept from salespeople.
    pub(crate) return_time: Option<SqlTimestamp>,
}

/// The columns of [`LeadRow`], for `concat!` into a statement.
macro_rules! lead_columns {
    () => {
        "lead_id, number, state, source, external_id, company, contact_name, phone, email, territory, product, urgency,
         budget_min_fen, budget_max_fen, remark, account, form, form_version, attributes, owner, team, previous_owner,
         fencing_token, queue_reason, create_time, assign_time, claim_time, first_contact_time, claim_due_time,
         contact_due_time, due_provisional, require_screening, outcome, traceparent, calculated,
         cooldowns, merged_into, return_time,
         case when tagged then (select jsonb_agg(to_jsonb(t) order by t.tag) from lead_tags t
             where t.tenant_id = leads.tenant_id and t.lead_id = leads.lead_id) end as tags"
    };
}
pub(crate) use lead_columns;

impl LeadRow {
    /// Returns the lead's state.
    pub(crate) fn state(&self) -> State {
        State::find(&self.state).expect("the table's check allows known states only")
    }

    /// Returns the owner.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }

    /// Returns the team the lead is with or waits for.
    pub(crate) fn team(&self) -> Option<TeamId> {
        self.team.as_deref().map(stored)
    }

    /// Returns what decides about the lead's next move.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            state: self.state(),
            owner: self.owner(),
            fencing_token: self.fencing_token,
            first_contact_time: self.first_contact_time.map(SqlTimestamp::to_jiff),
        }
    }

    /// Returns the lead's tags, by name.
    pub(crate) fn tags(&self) -> &[TagRow] {
        self.tags.as_ref().map_or(&[], |Json(tags)| tags)
    }

    /// Returns the number as people quote it.
    pub(crate) fn number_text(&self) -> String {
        number_text(self.number)
    }

    /// Converts to the message, phone and e-mail as stored.
    pub(crate) fn to_message(&self) -> pb::Lead {
        let time = |at: Option<SqlTimestamp>| at.map(|at| convert::timestamp(at.to_jiff()));
        pb::Lead {
            name: LeadId(self.lead_id).to_string(),
            number: self.number_text(),
            state: convert::state(self.state()).into(),
            source: self.source.clone(),
            external_id: self.external_id.clone().unwrap_or_default(),
            company: self.company.clone(),
            contact_name: self.contact_name.clone(),
            phone: self.phone.clone(),
            email: self.email.clone(),
            territory: self.territory.clone(),
            product: self.product.clone(),
            urgency: convert::urgency_of(self.urgency.as_deref()).into(),
            budget_min_fen: self.budget_min_fen,
            budget_max_fen: self.budget_max_fen,
            remark: self.remark.clone(),
            account: self.account.clone(),
            owner: self.owner().map(|owner| owner.to_string()).unwrap_or_default(),
            team: self.team().map(|team| team.to_string()).unwrap_or_default(),
            fencing_token: self.fencing_token,
            create_time: Some(convert::timestamp(self.create_time.to_jiff())),
            assign_time: time(self.assign_time),
            claim_time: time(self.claim_time),
            first_contact_time: time(self.first_contact_time),
            claim_due_time: time(self.claim_due_time),
            contact_due_time: time(self.contact_due_time),
            due_provisional: self.due_provisional,
            queue_reason: self.queue_reason.clone().unwrap_or_default(),
            form: self
                .form
                .as_ref()
                .map(|form| format!("forms/{form}"))
                .unwrap_or_default(),
            form_version: self.form_version.unwrap_or_default(),
            attributes: self.attributes.0.clone(),
            outcome: convert::value_of(&convert::OUTCOMES, self.outcome.as_deref()),
            calculated_values: convert::fields::values(self.calculated.as_ref().map(|Json(values)| values)),
            tags: self.tags().iter().map(convert::tags::lead_tag).collect(),
            merged_into: self
                .merged_into
                .map(|survivor| LeadId(survivor).to_string())
                .unwrap_or_default(),
            return_time: time(self.return_time),
        }
    }
}

/// Returns a number as people quote it.
pub(crate) fn number_text(number: i64) -> String {
    format!("L{number:06}")
}

/// Reads an id that was checked before it was stored.
pub(crate) fn stored<Id: ResourceId>(id: &str) -> Id {
    Id::from_id(id).unwrap_or_else(|_| unreachable!("only valid ids are stored"))
}

/// Finds a lead.
pub(crate) async fn find(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Option<LeadRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds a lead and locks it, so that its owner, clock and ladder move one after the other.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<LeadRow>, DbError> {
    let found = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = $2 for update"
    ))
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(found)
}

/// Finds a lead, or the one that it was merged into.
pub(crate) async fn find_survivor(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<LeadRow>, DbError> {
    let found = find(tx, tenant, lead).await?;
    if found.as_ref().is_none_or(|row| row.merged_into.is_none()) {
        return Ok(found);
    }
    let survivor = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = (select survivor_of($1, $2))"
    ))
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(survivor)
}

/// Reads leads and locks them in order of capture, as everybody does who locks more than one.
pub(crate) async fn list_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[LeadId],
) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = any ($2) order by sequence for update"
    ))
    .bind(tenant.as_str())
    .bind(leads.iter().map(|lead| lead.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Locks leads of several tenants in order of capture, which is the order of everybody who locks more than one.
pub(crate) async fn lock(tx: &mut PgConnection, leads: &[(&TenantId, LeadId)]) -> Result<(), DbError> {
    sqlx::query(
        "select from leads l
         join unnest($1::text[], $2::uuid[]) as wanted (tenant_id, lead_id) using (tenant_id, lead_id)
         order by l.sequence for update of l",
    )
    .bind(leads.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
    .bind(leads.iter().map(|(_, lead)| lead.0).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What a list of leads is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Filter {
    pub(crate) state: Option<State>,
    pub(crate) owner: Option<MemberId>,
    pub(crate) team: Option<TeamId>,
    pub(crate) number: Option<i64>,
    pub(crate) tag: Option<String>,
}

/// Lists leads, newest first, older than `before`; those that stand for others only if asked for.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LeadRow>, DbError> {
    // Two statements, as the tag's index is of use only where a tag is asked for.
    let statement = match filter.tag {
        None => concat!(
            "select ",
            lead_columns!(),
            " from leads where tenant_id = $1 and ($2::uuid is null or lead_id < $2)
                  and (state = $3 or $3::text is null and (state <> 'merged' or $6::bigint is not null))
                  and ($4::text is null or owner = $4)
                  and ($5::text is null or team = $5) and ($6::bigint is null or number = $6) and $8::text is null
              order by lead_id desc limit $7"
        ),
        Some(_) => concat!(
            "select ",
            lead_columns!(),
            " from leads where tenant_id = $1 and ($2::uuid is null or lead_id < $2)
                  and (state = $3 or $3::text is null and (state <> 'merged' or $6::bigint is not null))
                  and ($4::text is null or owner = $4)
                  and ($5::text is null or team = $5) and ($6::bigint is null or number = $6)
                  and lead_id in (select h.lead_id from lead_tags h where h.tenant_id = $1 and h.tag = $8)
              order by lead_id desc limit $7"
        ),
    };
    let rows = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(before)
        .bind(filter.state.map(State::as_str))
        .bind(filter.owner.as_ref().map(MemberId::id))
        .bind(filter.team.as_ref().map(TeamId::id))
        .bind(filter.number)
        .bind(limit)
        .bind(filter.tag.as_deref())
        .fetch_all(tx)
        .await?;
    Ok(rows)
}

/// Lists these leads as far as they fit, in no order.
pub(crate) async fn list_these(
    tx: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    leads: &[Uuid],
) -> Result<Vec<LeadRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        lead_columns!(),
        " from leads where tenant_id = $1 and lead_id = any ($2)
              and (state = $3 or $3::text is null and (state <> 'merged' or $6::bigint is not null))
              and ($4::text is null or owner = $4)
              and ($5::text is null or team = $5) and ($6::bigint is null or number = $6)
              and ($7::text is null or exists (
                  select from lead_tags h where h.tenant_id = $1 and h.lead_id = leads.lead_id and h.tag = $7))"
    ))
    .bind(tenant.as_str())
    .bind(leads)
    .bind(filter.state.map(State::as_str))
    .bind(filter.owner.as_ref().map(MemberId::id))
    .bind(filter.team.as_ref().map(TeamId::id))
    .bind(filter.number)
    .bind(filter.tag.as_deref())
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Locks the next leads after `after`, by id, of all or of one account.
pub(crate) async fn list_after_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    account: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LeadRow>, DbError> {
    // Two statements, as a plan for both would go by neither index; locked in order of capture, as everybody does.
    let statement = match account {
        None => concat!(
            "select ",
            lead_columns!(),
            " from leads where tenant_id = $1 and lead_id = any (array(
                  select lead_id from leads where tenant_id = $1 and lead_id > $2 and $3::text is null
                  order by lead_id limit $4))
              order by sequence for update"
        ),
        Some(_) => concat!(
            "select ",
            lead_columns!(),
            " from leads where tenant_id = $1 and lead_id = any (array(
                  select lead_id from leads where tenant_id = $1 and lead_id > $2 and account = $3 and account <> ''
                  order by lead_id limit $4))
              order by sequence for update"
        ),
    };
    let rows = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(after.unwrap_or_default())
        .bind(account)
        .bind(limit)
        .fetch_all(tx)
        .await?;
    Ok(rows)
}

/// Changes how many open leads a member holds.
pub(crate) async fn add_open_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
    change: i32,
) -> Result<(), DbError> {
    sqlx::query("update members set open_leads = open_leads + $3 where tenant_id = $1 and member_id = $2")
        .bind(tenant.as_str())
        .bind(member.id())
        .bind(change)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes that the owner took the lead.
pub(crate) async fn set_claimed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    now: jiff::Timestamp,
) -> Result<(), DbError> {
    sqlx::query("update leads set state = 'claimed', claim_time = $3 where tenant_id = $1 and lead_id = $2")
        .bind(tenant.as_str())
        .bind(lead.0)
        .bind(now.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes leads from their owners and puts them back in line, in front of what was captured after them.
pub(crate) async fn set_queued(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
    trigger: Trigger,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = 'queued', previous_owner = owner, owner = null, queue_reason = $3,
             fencing_token = fencing_token + 1, assign_time = null, claim_time = null, claim_due_time = null
         where tenant_id = $1 and lead_id = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .bind(trigger.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes the first contact; an owned lead counts as contacted from now on.
pub(crate) async fn set_contacted(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    at: jiff::Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set first_contact_time = $3,
             state = case when state in ('assigned', 'claimed') then 'contacted' else state end
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(at.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Closes a lead; it keeps its last owner on record.
pub(crate) async fn set_closed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    outcome: &str,
    now: jiff::Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set state = 'closed', outcome = $3, close_time = $4, queue_reason = null
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(outcome)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists the open leads of a member, locked, in order of capture.
pub(crate) async fn list_owned_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    member: &MemberId,
) -> Result<Vec<Uuid>, DbError> {
    let leads = sqlx::query_scalar(
        "select lead_id from leads where tenant_id = $1 and owner = $2 and state in ('assigned', 'claimed', 'contacted')
         order by sequence for update",
    )
    .bind(tenant.as_str())
    .bind(member.id())
    .fetch_all(tx)
    .await?;
    Ok(leads)
}
