//! What is held about people, found in every table, and erased from it.

use std::collections::BTreeMap;

use prost::Message as _;
use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::domain::ids::LeadId;

/// Rows by what they are.
pub(crate) type Counts = BTreeMap<String, i64>;

/// Lets the statements of this transaction read all of a tenant's rows; a request that people make once in a while.
pub(crate) async fn allow_long_statements(tx: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query("set local statement_timeout = '10min'").execute(tx).await?;
    Ok(())
}

/// Lists the leads of whoever a pattern finds in contact details, and all that are merged with these.
pub(crate) async fn list_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
) -> Result<Vec<LeadId>, DbError> {
    let leads: Vec<Uuid> = sqlx::query_scalar(
        "select distinct held.lead_id from leads l
         cross join lateral merged_leads($1, survivor_of($1, l.lead_id)) as held (lead_id)
         where l.tenant_id = $1 and (l.phone ~ $2 or l.email ~ $2) order by held.lead_id",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .fetch_all(tx)
    .await?;
    Ok(leads.into_iter().map(LeadId).collect())
}

/// Lists a lead and all that are merged with it.
pub(crate) async fn list_merged(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<LeadId>, DbError> {
    let leads: Vec<Uuid> = sqlx::query_scalar("select merged_leads($1, survivor_of($1, $2))")
        .bind(tenant.as_str())
        .bind(lead.0)
        .fetch_all(tx)
        .await?;
    Ok(leads.into_iter().map(LeadId).collect())
}

/// Lists the names of people in leads.
pub(crate) async fn list_names(tx: &mut PgConnection, tenant: &TenantId, own: &[Uuid]) -> Result<Vec<String>, DbError> {
    let names = sqlx::query_scalar(
        "select distinct contact_name from leads where tenant_id = $1 and lead_id = any ($2) and length(contact_name) > 1
         order by contact_name",
    )
    .bind(tenant.as_str())
    .bind(own)
    .fetch_all(tx)
    .await?;
    Ok(names)
}

/// Lists the leads of others in whose words a pattern finds somebody.
pub(crate) async fn list_mentions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    own: &[Uuid],
) -> Result<Vec<LeadId>, DbError> {
    let leads: Vec<Uuid> = sqlx::query_scalar(
        "select lead_id from leads where tenant_id = $1 and lead_id <> all ($3)
             and (concat_ws(' ', company, contact_name, remark, account, territory, product, external_id) ~ $2
                 or attributes::text ~ $2 or calculated::text ~ $2 or encode(raw_payload, 'escape') ~ $2)
         order by lead_id",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .bind(own)
    .fetch_all(tx)
    .await?;
    Ok(leads.into_iter().map(LeadId).collect())
}

/// Counts the other rows that are about these leads or in whose words a pattern finds somebody.
pub(crate) async fn count(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    own: &[Uuid],
) -> Result<Counts, DbError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select 'leads', count(*) from leads where tenant_id = $1 and lead_id = any ($3)
             and (contact_name, phone, email, remark, attributes, raw_payload)
                 is distinct from ('', '', '', '', '{}'::jsonb, ''::bytea)
         union all
         select 'follow_ups', count(*) from follow_ups where tenant_id = $1
             and (lead_id = any ($3) and (note <> '' or next_action <> '') or concat_ws(' ', note, next_action) ~ $2)
         union all
         select 'history', count(*) from lead_history where tenant_id = $1
             and (lead_id = any ($3) and kind in ('closed', 'corrected', 'released', 'returned', 'nurtured', 'tagged', 'untagged',
                         'tag_expired')
                     and detail not in ('', 'converted', 'lost', 'invalid', 'valid')
                 or detail ~ $2)
         union all
         select 'lead_facts', count(*) from lead_facts where tenant_id = $1 and (lead_id = any ($3) or object ~ $2)
         union all
         select 'gates', count(*) from lead_gates where tenant_id = $1 and (lead_id = any ($3) or judgement::text ~ $2)
         union all
         select 'corrections', count(*) from validity_corrections where tenant_id = $1 and note <> ''
             and (lead_id = any ($3) or note ~ $2)
         union all
         select 'fingerprints', count(*) from lead_fingerprints where tenant_id = $1 and lead_id = any ($3)
         union all
         select 'visits', count(*) from gate_visits where tenant_id = $1 and visitor ~ $2
         union all
         select 'tags', count(*) from lead_tags where tenant_id = $1
             and (lead_id = any ($3) or concat_ws(' ', tag, evidence) ~ $2)
         union all
         select 'imports', count(*) from lead_import_updates where tenant_id = $1
             and (lead_id = any ($3) and after <> '{}' or concat_ws(' ', before::text, after::text) ~ $2)
         union all
         select 'merges', count(*) from lead_merges where tenant_id = $1
             and ((survivor = any ($3) or loser = any ($3)) and images -> 'loser' <> '{}'
                 or concat_ws(' ', reason, unmerge_reason, images::text) ~ $2)
         union all
         select 'disputes', count(*) from lead_disputes where tenant_id = $1
             and (lead_id = any ($3) and (reason <> '' or decision <> '') or concat_ws(' ', reason, decision) ~ $2)
         union all
         select 'duplicates', count(*) from lead_duplicates where tenant_id = $1 and reason <> ''
             and (earlier_id = any ($3) or later_id = any ($3) or reason ~ $2)
         union all
         select 'first_orders', count(*) from first_orders where tenant_id = $1
             and (lead_id = any ($3) and order_id <> '' or order_id ~ $2)
         union all
         select 'channel_costs', count(*) from channel_costs where tenant_id = $1 and concat_ws(' ', source, title) ~ $2
         union all
         select 'decision_roles', count(*) from decision_roles where tenant_id = $1
             and (lead_id = any ($3) and (person, minutes, minutes_url) is distinct from ('', '', '')
                 or concat_ws(' ', person, minutes, minutes_url) ~ $2)
         union all
         select 'contacts', count(*) from contacts where tenant_id = $1
             and concat_ws(' ', display_name, title, array_to_string(phones || emails, ' ')) ~ $2
         union all
         select 'relations', count(*) from account_relations where tenant_id = $1
             and (role ~ $2 or kind = 'purchase_cycle' and object ~ $2)
         union all
         select 'accounts', count(*) from account_profiles where tenant_id = $1
             and concat_ws(' ', account, display_name, attributes::text, calculated::text) ~ $2",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .bind(own)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// Returns what is held about the person of these leads.
pub(crate) async fn export(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    own: &[Uuid],
) -> Result<serde_json::Value, DbError> {
    let Json(held) = sqlx::query_scalar(
        "select jsonb_build_object(
             'leads', (select coalesce(jsonb_agg(to_jsonb(l) - array['payload_hash', 'shard', 'sequence', 'traceparent']
                     || jsonb_build_object('raw_payload', encode(l.raw_payload, 'escape')) order by l.lead_id), '[]')
                 from leads l where l.tenant_id = $1 and l.lead_id = any ($3)),
             'follow_ups', (select coalesce(jsonb_agg(to_jsonb(f) order by f.follow_up_id), '[]')
                 from follow_ups f where f.tenant_id = $1 and f.lead_id = any ($3)),
             'history', (select coalesce(jsonb_agg(to_jsonb(h) order by h.entry_id), '[]')
                 from lead_history h where h.tenant_id = $1 and h.lead_id = any ($3)),
             'lead_facts', (select coalesce(jsonb_agg(to_jsonb(f) order by f.fact_id), '[]')
                 from lead_facts f where f.tenant_id = $1 and f.lead_id = any ($3)),
             'gates', (select coalesce(jsonb_agg(to_jsonb(g) order by g.lead_id), '[]')
                 from lead_gates g where g.tenant_id = $1 and g.lead_id = any ($3)),
             'corrections', (select coalesce(jsonb_agg(to_jsonb(c) order by c.lead_id), '[]')
                 from validity_corrections c where c.tenant_id = $1 and c.lead_id = any ($3)),
             'fingerprints', (select coalesce(jsonb_agg(to_jsonb(f) order by f.lead_id), '[]')
                 from lead_fingerprints f where f.tenant_id = $1 and f.lead_id = any ($3)),
             'visits', (select coalesce(jsonb_agg(to_jsonb(v) order by v.version, v.visitor, v.competitor), '[]')
                 from gate_visits v where v.tenant_id = $1 and v.visitor ~ $2),
             'tags', (select coalesce(jsonb_agg(to_jsonb(t) order by t.lead_id, t.tag), '[]')
                 from lead_tags t where t.tenant_id = $1 and t.lead_id = any ($3)),
             'imports', (select coalesce(jsonb_agg(to_jsonb(u) order by u.import_id, u.batch, u.lead_id), '[]')
                 from lead_import_updates u where u.tenant_id = $1 and u.lead_id = any ($3)),
             'escalations', (select coalesce(jsonb_agg(to_jsonb(e) order by e.lead_id, e.step), '[]')
                 from escalations e where e.tenant_id = $1 and e.lead_id = any ($3)),
             'merges', (select coalesce(jsonb_agg(to_jsonb(m) - array['loser_timers', 'survivor_timers']
                     order by m.merge_id), '[]')
                 from lead_merges m where m.tenant_id = $1 and (m.survivor = any ($3) or m.loser = any ($3))),
             'duplicates', (select coalesce(jsonb_agg(to_jsonb(d) order by d.duplicate_id), '[]')
                 from lead_duplicates d where d.tenant_id = $1 and (d.earlier_id = any ($3) or d.later_id = any ($3))),
             'disputes', (select coalesce(jsonb_agg(to_jsonb(d) - 'evidence' order by d.dispute_id), '[]')
                 from lead_disputes d where d.tenant_id = $1 and d.lead_id = any ($3)),
             'first_orders', (select coalesce(jsonb_agg(to_jsonb(o) order by o.lead_id), '[]')
                 from first_orders o where o.tenant_id = $1 and o.lead_id = any ($3)),
             'decision_roles', (select coalesce(jsonb_agg(to_jsonb(r) order by r.lead_id, r.role), '[]')
                 from decision_roles r where r.tenant_id = $1 and r.lead_id = any ($3)),
             'contacts', (select coalesce(jsonb_agg(to_jsonb(c) order by c.contact_id), '[]')
                 from contacts c where c.tenant_id = $1
                     and concat_ws(' ', c.display_name, c.title, array_to_string(c.phones || c.emails, ' ')) ~ $2),
             'accounts', (select coalesce(jsonb_agg(to_jsonb(a) order by a.account), '[]') from account_profiles a
                 where a.tenant_id = $1
                     and concat_ws(' ', a.account, a.display_name, a.attributes::text, a.calculated::text) ~ $2),
             'mentions', (select coalesce(jsonb_agg(jsonb_build_object('lead_id', l.lead_id, 'remark', l.remark)
                     order by l.lead_id), '[]')
                 from leads l where l.tenant_id = $1 and l.lead_id <> all ($3) and l.remark ~ $2))",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .bind(own)
    .fetch_one(tx)
    .await?;
    Ok(held)
}

/// Erases what these leads say about the person; what is left of the company and the account is masked where it names them.
pub(crate) async fn erase_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    own: &[Uuid],
) -> Result<(), DbError> {
    sqlx::query(
        "update leads l set contact_name = '', phone = '', email = '', remark = '', attributes = '{}', raw_payload = '',
             calculated = null, traceparent = null,
             company = regexp_replace(replace(company, names.contact, '***'), $2, '***', 'g'),
             account = regexp_replace(replace(account, names.contact, '***'), $2, '***', 'g'),
             territory = regexp_replace(territory, $2, '***', 'g'), product = regexp_replace(product, $2, '***', 'g'),
             external_id = case when external_id ~ $2 then 'erased ' || l.lead_id else external_id end
         from (select lead_id, case when length(contact_name) > 1 then contact_name else E'\\n' end as contact from leads
             where tenant_id = $1 and lead_id = any ($3)) as names
         where l.tenant_id = $1 and l.lead_id = names.lead_id
             and (l.contact_name, l.phone, l.email, l.remark, l.attributes, l.raw_payload)
                 is distinct from ('', '', '', '', '{}'::jsonb, ''::bytea)",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .bind(own)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "delete from calculated_keys where tenant_id = $1 and record = any ($2)
             and field_key in (select field_key from calculated_fields where tenant_id = $1 and entity = 'lead')",
    )
    .bind(tenant.as_str())
    .bind(own.iter().map(Uuid::to_string).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Masks the person in what the leads of others say.
pub(crate) async fn mask_mentions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    mentions: &[Uuid],
) -> Result<(), DbError> {
    sqlx::query(
        "update leads set company = regexp_replace(company, $2, '***', 'g'),
             contact_name = regexp_replace(contact_name, $2, '***', 'g'), remark = regexp_replace(remark, $2, '***', 'g'),
             account = regexp_replace(account, $2, '***', 'g'), territory = regexp_replace(territory, $2, '***', 'g'),
             product = regexp_replace(product, $2, '***', 'g'),
             external_id = case when external_id ~ $2 then 'erased ' || lead_id else external_id end,
             attributes = regexp_replace(attributes::text, $2, '***', 'g')::jsonb,
             calculated = regexp_replace(calculated::text, $2, '***', 'g')::jsonb,
             raw_payload = decode(regexp_replace(encode(raw_payload, 'escape'), $2, '***', 'g'), 'escape')
         where tenant_id = $1 and lead_id = any ($3)",
    )
    .bind(tenant.as_str())
    .bind(pattern)
    .bind(mentions)
    .execute(tx)
    .await?;
    Ok(())
}

/// Erases what stands in the rows that belong to these leads, and masks the person in those of others.
pub(crate) async fn erase_children(
    tx: &mut PgConnection,
    tenant: &TenantId,
    pattern: &str,
    own: &[Uuid],
) -> Result<(), DbError> {
    for statement in CHILDREN {
        sqlx::query(*statement)
            .bind(tenant.as_str())
            .bind(pattern)
            .bind(own)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

const CHILDREN: &[&str] = &[
    "update follow_ups set note = case when lead_id = any ($3) then '' else regexp_replace(note, $2, '***', 'g') end,
         next_action = case when lead_id = any ($3) then '' else regexp_replace(next_action, $2, '***', 'g') end
     where tenant_id = $1 and (lead_id = any ($3) and (note <> '' or next_action <> '')
         or concat_ws(' ', note, next_action) ~ $2)",
    "update lead_history set detail = case
         when lead_id = any ($3) and kind in ('closed', 'corrected') then split_part(detail, ':', 1)
         when lead_id = any ($3) and kind in ('released', 'returned', 'nurtured', 'tagged', 'untagged', 'tag_expired') then ''
         else regexp_replace(detail, $2, '***', 'g') end
     where tenant_id = $1 and (lead_id = any ($3) and kind in ('closed', 'corrected', 'released', 'returned', 'nurtured', 'tagged',
             'untagged', 'tag_expired')
         or detail ~ $2)",
    "delete from lead_facts where tenant_id = $1 and (lead_id = any ($3) or object ~ $2)",
    "update lead_import_updates set
         before = case when lead_id = any ($3) then '{}' else regexp_replace(before::text, $2, '***', 'g')::jsonb end,
         after = case when lead_id = any ($3) then '{}' else regexp_replace(after::text, $2, '***', 'g')::jsonb end
     where tenant_id = $1 and (lead_id = any ($3) and after <> '{}' or concat_ws(' ', before::text, after::text) ~ $2)",
    // Its key and what it carries name the tag.
    "delete from timers t using lead_tags h where t.tenant_id = $1 and t.kind = 'tag_expired' and h.tenant_id = $1
         and t.key like 'leads/' || h.lead_id || '/%'
         and (h.lead_id = any ($3) or concat_ws(' ', h.tag, h.evidence) ~ $2)",
    "delete from lead_gates where tenant_id = $1 and (lead_id = any ($3) or judgement::text ~ $2)",
    "update validity_corrections set note = case when lead_id = any ($3) then '' else regexp_replace(note, $2, '***', 'g') end
     where tenant_id = $1 and note <> '' and (lead_id = any ($3) or note ~ $2)",
    "delete from lead_fingerprints where tenant_id = $1 and lead_id = any ($3) and $2 <> ''",
    "delete from gate_visits where tenant_id = $1 and visitor ~ $2 and cardinality($3::uuid[]) >= 0",
    "delete from lead_tags where tenant_id = $1 and (lead_id = any ($3) or concat_ws(' ', tag, evidence) ~ $2)",
    "update lead_merges set
         reason = case when survivor = any ($3) or loser = any ($3) then '' else regexp_replace(reason, $2, '***', 'g') end,
         unmerge_reason = case when survivor = any ($3) or loser = any ($3) then null
             else regexp_replace(unmerge_reason, $2, '***', 'g') end,
         images = case when survivor = any ($3) or loser = any ($3)
             then images || '{\"before\": {}, \"after\": {}, \"loser\": {}, \"fields\": []}'
             else regexp_replace(images::text, $2, '***', 'g')::jsonb end
     where tenant_id = $1 and (survivor = any ($3) or loser = any ($3)
         or concat_ws(' ', reason, unmerge_reason, images::text) ~ $2)",
    "update lead_duplicates set
         reason = case when earlier_id = any ($3) or later_id = any ($3) then '' else regexp_replace(reason, $2, '***', 'g') end
     where tenant_id = $1 and reason <> '' and (earlier_id = any ($3) or later_id = any ($3) or reason ~ $2)",
    "update lead_disputes set
         reason = case when lead_id = any ($3) then '' else regexp_replace(reason, $2, '***', 'g') end,
         decision = case when lead_id = any ($3) then '' else regexp_replace(decision, $2, '***', 'g') end
     where tenant_id = $1 and (lead_id = any ($3) or concat_ws(' ', reason, decision) ~ $2)",
    "update first_orders set order_id = case when lead_id = any ($3) then '' else regexp_replace(order_id, $2, '***', 'g') end
     where tenant_id = $1 and (lead_id = any ($3) or order_id ~ $2)",
    "update channel_costs set source = regexp_replace(source, $2, '***', 'g'), title = regexp_replace(title, $2, '***', 'g')
     where tenant_id = $1 and cardinality($3::uuid[]) >= 0 and concat_ws(' ', source, title) ~ $2",
    "update decision_roles set
         person = case when lead_id = any ($3) then '' else regexp_replace(person, $2, '***', 'g') end,
         minutes = case when lead_id = any ($3) then '' else regexp_replace(minutes, $2, '***', 'g') end,
         minutes_url = case when lead_id = any ($3) then '' else regexp_replace(minutes_url, $2, '***', 'g') end
     where tenant_id = $1 and (lead_id = any ($3) or concat_ws(' ', person, minutes, minutes_url) ~ $2)",
    "update contacts set display_name = '', title = '', phones = '{}', emails = '{}'
     where tenant_id = $1 and cardinality($3::uuid[]) >= 0
         and concat_ws(' ', display_name, title, array_to_string(phones || emails, ' ')) ~ $2",
    // Whole, with an id that keeps two of them apart: what is masked alike would exclude each other.
    "update account_relations set role = case when role ~ $2 then 'erased ' || relation_id else role end,
         object = case when kind = 'purchase_cycle' and object ~ $2 then 'erased ' || relation_id else object end
     where tenant_id = $1 and cardinality($3::uuid[]) >= 0 and (role ~ $2 or kind = 'purchase_cycle' and object ~ $2)",
    "update account_profiles set display_name = regexp_replace(display_name, $2, '***', 'g'),
         attributes = regexp_replace(attributes::text, $2, '***', 'g')::jsonb,
         calculated = regexp_replace(calculated::text, $2, '***', 'g')::jsonb
     where tenant_id = $1 and cardinality($3::uuid[]) >= 0
         and concat_ws(' ', display_name, attributes::text, calculated::text) ~ $2",
];

/// A decision that quotes a lead, as it is without the quotes.
pub(crate) struct BlankDecision {
    lead: Uuid,
    id: Uuid,
    decision: Vec<u8>,
}

/// Lists the decisions that quote these leads: with what was missing for entries that did not match.
pub(crate) async fn list_decisions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    own: &[Uuid],
) -> Result<Vec<BlankDecision>, DbError> {
    let rows: Vec<(Uuid, Uuid, Vec<u8>)> = sqlx::query_as(
        "select lead_id, decision_id, decision from routing_decisions where tenant_id = $1 and lead_id = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(own)
    .fetch_all(tx)
    .await?;
    let mut quoting = Vec::new();
    for (lead, id, decision) in rows {
        let Ok(mut message) = RoutingDecision::decode(decision.as_slice()) else {
            continue;
        };
        for skipped in &mut message.skipped_entries {
            skipped.missing_zh.clear();
            skipped.missing_en.clear();
        }
        let blank = message.encode_to_vec();
        if blank != decision {
            let decision = blank;
            quoting.push(BlankDecision { lead, id, decision });
        }
    }
    Ok(quoting)
}

/// Writes decisions without their quotes.
pub(crate) async fn set_decisions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    decisions: &[BlankDecision],
) -> Result<(), DbError> {
    sqlx::query(
        "update routing_decisions d set decision = blank.decision
         from unnest($2::uuid[], $3::uuid[], $4::bytea[]) as blank (lead_id, decision_id, decision)
         where d.tenant_id = $1 and d.lead_id = blank.lead_id and d.decision_id = blank.decision_id",
    )
    .bind(tenant.as_str())
    .bind(decisions.iter().map(|it| it.lead).collect::<Vec<_>>())
    .bind(decisions.iter().map(|it| it.id).collect::<Vec<_>>())
    .bind(decisions.iter().map(|it| it.decision.as_slice()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
