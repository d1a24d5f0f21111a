//! What people said about whether leads are ones.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use reflex_validity::{Counts, Learned, Reason};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::domain::{
    ids::{LeadId, MemberId},
    validity::Correction,
};

/// Corrections that are learned from, the latest ones: what leads look like changes, and reading them stays cheap.
const MOST_LEARNED: i64 = 2_000;

/// A correction as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct CorrectionRow {
    pub(crate) lead_id: Uuid,
    pub(crate) label: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) note: String,
    pub(crate) member: Option<String>,
    pub(crate) correct_time: SqlTimestamp,
}

/// Writes what somebody said of a lead; it takes the place of what was said of it before.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    correction: &Correction<'_>,
    member: Option<&MemberId>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into validity_corrections (tenant_id, lead_id, label, reasons, note, member, correct_time)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, lead_id) do update
             set label = excluded.label, reasons = excluded.reasons, note = excluded.note, member = excluded.member,
                 correct_time = excluded.correct_time",
    )
    .bind(tenant.as_str())
    .bind(correction.lead.0)
    .bind(correction.label())
    .bind(
        correction
            .reasons
            .iter()
            .map(|reason| reason.code())
            .collect::<Vec<_>>(),
    )
    .bind(correction.note)
    .bind(member.map(MemberId::id))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Finds what somebody said of a lead.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<CorrectionRow>, DbError> {
    let row = sqlx::query_as(
        "select lead_id, label, reasons, note, member, correct_time from validity_corrections
         where tenant_id = $1 and lead_id = $2",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Lists corrections, the latest first, that came before `before`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    before: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<CorrectionRow>, DbError> {
    let (time, lead) = before.unzip();
    let rows = sqlx::query_as(
        "select lead_id, label, reasons, note, member, correct_time from validity_corrections
         where tenant_id = $1 and ($2::timestamptz is null or (correct_time, lead_id) < ($2, $3))
         order by correct_time desc, lead_id desc limit $4",
    )
    .bind(tenant.as_str())
    .bind(time.map(ToSqlx::to_sqlx))
    .bind(lead)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Returns what the latest corrections teach.
pub(crate) async fn learn(tx: &mut PgConnection, tenant: &TenantId) -> Result<Learned, DbError> {
    let rows: Vec<(Option<String>, i64, i64)> = sqlx::query_as(
        "with latest as materialized (
             select label, reasons from validity_corrections where tenant_id = $1
             order by correct_time desc, lead_id desc limit $2
         )
         select null, count(*) filter (where label = 'invalid'), count(*) filter (where label = 'valid') from latest
         union all
         select reason, count(*) filter (where label = 'invalid'), count(*) filter (where label = 'valid')
         from latest cross join lateral unnest(reasons) as found (reason) group by reason",
    )
    .bind(tenant.as_str())
    .bind(MOST_LEARNED)
    .fetch_all(tx)
    .await?;
    let (mut all, mut by_reason) = (Counts::default(), HashMap::new());
    for (reason, invalid, valid) in rows {
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let counts = Counts {
            invalid: count(invalid),
            valid: count(valid),
        };
        match reason {
            None => all = counts,
            // A reason of another release says nothing to this one.
            Some(code) => drop(Reason::find(&code).map(|reason| by_reason.insert(reason, counts))),
        }
    }
    Ok(Learned::new(all, by_reason))
}
