//! The keys by which leads are found, the pairs that were judged, and what is still to be compared.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool, Row as _, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::super::{leads::stored, reroute::intake_shard};
use crate::domain::{
    duplicates::{
        FieldEvidence, State, Typed,
        board::{Compared, Judged, MOST_LINKED, MOST_OF_A_KEY, Stored},
    },
    ids::MemberId,
    lead,
};

/// What of a lead is compared, and who has it.
#[derive(Debug, FromRow)]
pub(crate) struct SaidRow {
    lead_id: Uuid,
    source: String,
    external_id: Option<String>,
    company: String,
    contact_name: String,
    phone: String,
    email: String,
    attributes: Json<HashMap<String, String>>,
    state: String,
    owner: Option<String>,
}

/// The columns of [`SaidRow`] of leads `l`, for `concat!` into a statement.
macro_rules! said_columns {
    () => {
        "l.lead_id, l.source, l.external_id, l.company, l.contact_name, l.phone, l.email, l.attributes, l.state, l.owner"
    };
}

impl SaidRow {
    /// Returns the lead as it is compared; one that was merged is not.
    pub(crate) fn compared(&self) -> Compared {
        if self.state() == lead::State::Merged {
            return Compared::gone(self.lead_id);
        }
        let typed = Typed {
            company: &self.company,
            contact: &self.contact_name,
            phone: &self.phone,
            email: &self.email,
            attributes: &self.attributes.0,
        };
        let sign = [self.source.as_str(), self.external_id.as_deref().unwrap_or_default()];
        Compared::new(self.lead_id, &typed, sign)
    }

    fn state(&self) -> lead::State {
        lead::State::find(&self.state).expect("the table's check allows known states only")
    }

    /// Returns the lead.
    pub(crate) fn lead_id(&self) -> Uuid {
        self.lead_id
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// Returns who has it.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }
}

/// Leads that were found by keys.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// Each with the keys it was found by.
    pub(crate) leads: Vec<(SaidRow, Vec<u64>)>,
    /// Keys that too many leads have.
    pub(crate) crowded: HashSet<u64>,
}

struct HitRow {
    keys: Vec<i64>,
    /// None for keys that too many leads have.
    said: Option<SaidRow>,
}

impl FromRow<'_, PgRow> for HitRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let lead: Option<Uuid> = row.try_get("lead_id")?;
        Ok(Self {
            keys: row.try_get("keys")?,
            said: lead.map(|_| SaidRow::from_row(row)).transpose()?,
        })
    }
}

/// Finds the leads that have one of these keys, in one round trip.
pub(crate) async fn find_by_keys(tx: &mut PgConnection, tenant: &TenantId, keys: &[u64]) -> Result<Hits, DbError> {
    if keys.is_empty() {
        return Ok(Hits::default());
    }
    let most = i64::try_from(MOST_OF_A_KEY).unwrap_or(i64::MAX);
    let rows: Vec<HitRow> = sqlx::query_as(concat!(
        "with hits as materialized (
             select w.key, k.lead_id, count(*) over (partition by w.key) as members
             from unnest($2::bigint[]) as w (key)
             cross join lateral (
                 select k.lead_id from duplicate_keys k where k.tenant_id = $1 and k.key = w.key limit $3 + 1
             ) k
         ), grouped as materialized (
             select case when members <= $3 then lead_id end as lead_id, array_agg(distinct key) as keys
             from hits group by 1
         )
         select g.keys, ",
        said_columns!(),
        " from grouped g left join leads l on l.tenant_id = $1 and l.lead_id = g.lead_id"
    ))
    .bind(tenant.as_str())
    .bind(signed(keys))
    .bind(most)
    .fetch_all(tx)
    .await?;
    let mut hits = Hits::default();
    for row in rows {
        match row.said {
            Some(said) if said.state() == lead::State::Merged => {}
            Some(said) => hits.leads.push((said, unsigned(row.keys))),
            None => hits.crowded.extend(unsigned(row.keys)),
        }
    }
    Ok(hits)
}

/// Leads that are linked with others, and how.
#[derive(Debug, Default)]
pub(crate) struct Linked {
    pub(crate) leads: Vec<SaidRow>,
    pub(crate) pairs: Vec<Stored>,
    /// Whether there may be more of them.
    pub(crate) is_cut: bool,
}

#[derive(FromRow)]
struct LinkedRow {
    pairs: Json<Vec<PairColumn>>,
    #[sqlx(flatten)]
    said: SaidRow,
}

#[derive(serde::Deserialize)]
struct PairColumn {
    id: Uuid,
    later: Uuid,
    raw: f64,
    identified: bool,
    score: f64,
    state: String,
}

/// Reads leads that are linked with these, directly or by others, and all pairs among them: [`MOST_LINKED`] at most, or as many
/// as are asked for.
pub(crate) async fn list_linked(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<Linked, DbError> {
    if leads.is_empty() {
        return Ok(Linked::default());
    }
    let most = MOST_LINKED.max(leads.len());
    let rows: Vec<LinkedRow> = sqlx::query_as(concat!(
        "with recursive linked (lead_id) as (
             select unnest($2::uuid[])
             union
             select other.lead_id from linked r cross join lateral (
                 select d.later_id as lead_id from lead_duplicates d where d.tenant_id = $1 and d.earlier_id = r.lead_id
                     and d.raw >= 0.3 and d.state not in ('distinct', 'merged')
                 union all
                 select d.earlier_id from lead_duplicates d where d.tenant_id = $1 and d.later_id = r.lead_id
                     and d.raw >= 0.3 and d.state not in ('distinct', 'merged')
             ) other
         ), those as materialized (select lead_id from linked limit $3)
         select coalesce((select jsonb_agg(jsonb_build_object('id', d.duplicate_id, 'later', d.later_id, 'raw', d.raw,
                     'identified', d.identified, 'score', d.score, 'state', d.state))
                 from lead_duplicates d where d.tenant_id = $1 and d.earlier_id = l.lead_id
                     and d.later_id in (select lead_id from those)), '[]') as pairs, ",
        said_columns!(),
        " from those join leads l on l.tenant_id = $1 and l.lead_id = those.lead_id"
    ))
    .bind(tenant.as_str())
    .bind(leads)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await?;
    let mut linked = Linked {
        is_cut: rows.len() == most,
        ..Linked::default()
    };
    for row in rows {
        let earlier = row.said.lead_id;
        linked.pairs.extend(row.pairs.0.into_iter().map(|pair| Stored {
            id: pair.id,
            earlier,
            later: pair.later,
            raw: pair.raw,
            is_identified: pair.identified,
            score: pair.score,
            state: State::find(&pair.state).expect("the table's check allows known states only"),
        }));
        linked.leads.push(row.said);
    }
    Ok(linked)
}

/// What a comparison writes.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// The keys of compared leads; empty for one that is not compared any more.
    pub(crate) records: Vec<(Uuid, Vec<u64>)>,
    /// Keys that go.
    pub(crate) lost_keys: Vec<(u64, Uuid)>,
    /// Pairs that are new or stand otherwise, with the ids of new ones.
    pub(crate) pairs: Vec<(Uuid, Judged)>,
    /// Pairs that nobody was told of and that are none any more.
    pub(crate) lost_pairs: Vec<Uuid>,
    /// Leads to be compared anew.
    pub(crate) requests: Vec<Uuid>,
}

impl Writes {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.lost_keys.is_empty()
            && self.pairs.is_empty()
            && self.lost_pairs.is_empty()
            && self.requests.is_empty()
    }
}

/// Writes what was found out, in one round trip.
pub(crate) async fn save(
    tx: &mut PgConnection,
    tenant: &TenantId,
    writes: &Writes,
    now: Timestamp,
) -> Result<(), DbError> {
    let keys = || {
        writes
            .records
            .iter()
            .flat_map(|(lead, keys)| keys.iter().map(move |key| (*key, *lead)))
    };
    let records = writes.records.iter();
    macro_rules! column {
        (|$pair:ident| $value:expr) => {
            writes.pairs.iter().map(|(_, $pair)| $value).collect::<Vec<_>>()
        };
    }
    let evidence = |judged: &Judged| -> Option<Json<Vec<FieldEvidence>>> { judged.evidence.clone().map(Json) };
    sqlx::query(SAVE)
        .bind(tenant.as_str())
        .bind(intake_shard(tenant))
        .bind(now.to_sqlx())
        .bind(records.clone().map(|(lead, _)| *lead).collect::<Vec<_>>())
        .bind(records.map(|(_, keys)| Json(signed(keys))).collect::<Vec<_>>())
        .bind(signed(&keys().map(|(key, _)| key).collect::<Vec<_>>()))
        .bind(keys().map(|(_, lead)| lead).collect::<Vec<_>>())
        .bind(signed(
            &writes.lost_keys.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        ))
        .bind(writes.lost_keys.iter().map(|(_, lead)| *lead).collect::<Vec<_>>())
        .bind(writes.pairs.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(column!(|it| it.earlier))
        .bind(column!(|it| it.later))
        .bind(column!(|it| it.raw))
        .bind(column!(|it| it.is_identified))
        .bind(column!(|it| it.score))
        .bind(column!(|it| evidence(it)))
        .bind(column!(|it| it.state.as_str()))
        .bind(&writes.lost_pairs)
        .bind(&writes.requests)
        .execute(tx)
        .await?;
    Ok(())
}

const SAVE: &str = "
with recorded as (
    insert into duplicate_records (tenant_id, lead_id, keys)
    select $1, lead_id, array(select jsonb_array_elements_text(keys)::bigint)
    from unnest($4::uuid[], $5::jsonb[]) as r (lead_id, keys)
    on conflict (tenant_id, lead_id) do update set keys = excluded.keys
), keyed as (
    insert into duplicate_keys (tenant_id, key, lead_id)
    select $1, * from unnest($6::bigint[], $7::uuid[])
    on conflict do nothing
), unkeyed as (
    delete from duplicate_keys k using unnest($8::bigint[], $9::uuid[]) as lost (key, lead_id)
    where k.tenant_id = $1 and k.key = lost.key and k.lead_id = lost.lead_id
), paired as (
    insert into lead_duplicates as d
        (tenant_id, duplicate_id, earlier_id, later_id, raw, identified, score, evidence, state, suspect_time)
    select $1, duplicate_id, earlier_id, later_id, raw, identified, score, coalesce(evidence, '[]'), state,
        case when state = 'suspected' then $3::timestamptz end
    from unnest($10::uuid[], $11::uuid[], $12::uuid[], $13::double precision[], $14::boolean[], $15::double precision[],
        $16::jsonb[], $17::text[])
        as p (duplicate_id, earlier_id, later_id, raw, identified, score, evidence, state)
    on conflict (tenant_id, earlier_id, later_id) do update set raw = excluded.raw, identified = excluded.identified,
        score = excluded.score, state = excluded.state,
        evidence = case when excluded.evidence = '[]' then d.evidence else excluded.evidence end,
        suspect_time = coalesce(d.suspect_time, excluded.suspect_time)
    where d.state not in ('distinct', 'merged')
), parted as (
    delete from lead_duplicates where tenant_id = $1 and duplicate_id = any ($18) and state = 'linked'
)
insert into duplicate_requests (tenant_id, lead_id, shard)
select $1, wanted.lead_id, $2 from unnest($19::uuid[]) as wanted (lead_id)
where exists (select from lead_duplicates d where d.tenant_id = $1 and d.earlier_id = wanted.lead_id and d.raw >= 0.3)
    or exists (select from lead_duplicates d where d.tenant_id = $1 and d.later_id = wanted.lead_id and d.raw >= 0.3)
on conflict do nothing";

/// Asks the intake loop to compare these leads anew.
pub(crate) async fn request(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<(), DbError> {
    sqlx::query(
        "insert into duplicate_requests (tenant_id, lead_id, shard) select $1, unnest($2::uuid[]), $3
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .bind(intake_shard(tenant))
    .execute(tx)
    .await?;
    Ok(())
}

/// Asks the intake loop to compare those anew that have a key in common with these leads: what they share with others changes
/// as these go.
pub(crate) async fn request_neighbours(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into duplicate_requests (tenant_id, lead_id, shard)
         select distinct $1, n.lead_id, $3::smallint from duplicate_records r
         cross join lateral unnest(r.keys) as w (key)
         cross join lateral (
             select k.lead_id from duplicate_keys k where k.tenant_id = $1 and k.key = w.key limit $4 + 1
         ) n
         where r.tenant_id = $1 and r.lead_id = any ($2) and n.lead_id <> all ($2)
         on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .bind(intake_shard(tenant))
    .bind(i64::try_from(MOST_OF_A_KEY).unwrap_or(i64::MAX))
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes away everything by which leads are found, and the pairs nobody decided about; they are to be locked.
pub(crate) async fn forget(tx: &mut PgConnection, tenant: &TenantId, leads: &[Uuid]) -> Result<(), DbError> {
    sqlx::query(
        "with gone as (
             delete from duplicate_records where tenant_id = $1 and lead_id = any ($2) returning lead_id, keys
         ), unkeyed as (
             delete from duplicate_keys k using (select lead_id, unnest(keys) as key from gone) as g
             where k.tenant_id = $1 and k.key = g.key and k.lead_id = g.lead_id
         )
         delete from lead_duplicates where tenant_id = $1 and (earlier_id = any ($2) or later_id = any ($2))
             and state not in ('distinct', 'merged')",
    )
    .bind(tenant.as_str())
    .bind(leads)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes everything that a tenant wanted compared off the lists.
pub(crate) async fn give_up(tx: &mut PgConnection, tenant: &TenantId) -> Result<(), DbError> {
    sqlx::query(
        "with requests as (delete from duplicate_requests where tenant_id = $1)
         delete from duplicate_sweeps where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Finds a tenant of a shard that has leads to be compared anew; run by the worker role.
pub(crate) async fn find_work(worker: &PgPool, shard: i16) -> Result<Option<String>, DbError> {
    let tenant = sqlx::query_scalar(
        "(select tenant_id from duplicate_requests where shard = $1 order by id limit 1)
         union all
         (select tenant_id from duplicate_sweeps where shard = $1 order by tenant_id limit 1)
         limit 1",
    )
    .bind(shard)
    .fetch_optional(worker)
    .await?;
    Ok(tenant)
}

/// Takes the leads of a tenant that shall be compared anew off the list, the oldest wishes first.
pub(crate) async fn take_requests(tx: &mut PgConnection, tenant: &TenantId, most: i64) -> Result<Vec<Uuid>, DbError> {
    let leads = sqlx::query_scalar(
        "delete from duplicate_requests where tenant_id = $1 and lead_id in
             (select lead_id from duplicate_requests where tenant_id = $1 order by id limit $2)
         returning lead_id",
    )
    .bind(tenant.as_str())
    .bind(most)
    .fetch_all(tx)
    .await?;
    Ok(leads)
}

/// A lead to be compared anew, and the keys it is stored under.
#[derive(Debug, FromRow)]
pub(crate) struct SubjectRow {
    #[sqlx(flatten)]
    pub(crate) said: SaidRow,
    keys: Option<Vec<i64>>,
}

impl SubjectRow {
    /// Returns the keys it is stored under, sorted; none where it was never compared.
    pub(crate) fn stored_keys(&self) -> Option<Vec<u64>> {
        let mut keys = unsigned(self.keys.clone()?);
        keys.sort_unstable();
        Some(keys)
    }
}

/// Reads and locks leads that are to be compared anew, in order of capture; not those that routing has yet to see.
pub(crate) async fn list_subjects_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    leads: &[Uuid],
) -> Result<Vec<SubjectRow>, DbError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        said_columns!(),
        ", r.keys from leads l left join duplicate_records r on r.tenant_id = l.tenant_id and r.lead_id = l.lead_id
          where l.tenant_id = $1 and l.lead_id = any ($2) and l.state <> 'captured' order by l.sequence for update of l"
    ))
    .bind(tenant.as_str())
    .bind(leads)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

fn signed(keys: &[u64]) -> Vec<i64> {
    keys.iter().map(|key| key.cast_signed()).collect()
}

fn unsigned(keys: Vec<i64>) -> Vec<u64> {
    keys.into_iter().map(i64::cast_unsigned).collect()
}
