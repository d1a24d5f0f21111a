//! Devices that leads came from, as far as they said so: hashes, and of a few days.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::validity::Device;

/// Leads that are kept of one device within the window: enough to tell many people from few.
const MOST_KEPT: i64 = 50;

/// Notes which devices leads came from, in order, and tells of each lead how many people came from its device since
/// `since`, the lead's own included. What is older is dropped with that.
pub(crate) async fn note(
    tx: &mut PgConnection,
    tenant: &TenantId,
    devices: &[(Uuid, Device)],
    since: Timestamp,
    now: Timestamp,
) -> Result<HashMap<Uuid, u32>, DbError> {
    if devices.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "with came as (
             select *, row_number() over (partition by fingerprint order by place) as turn
             from unnest($2::uuid[], $3::bigint[], $4::bigint[]) with ordinality as came (lead_id, fingerprint, person, place)
         ), devices as (
             select distinct fingerprint from came
         ), known as (
             select k.* from devices d cross join lateral (
                 select f.fingerprint, f.person from lead_fingerprints f
                 where f.tenant_id = $1 and f.fingerprint = d.fingerprint and f.capture_time >= $5 limit $7
             ) k
         ), dropped as (
             delete from lead_fingerprints f using devices d
             where f.tenant_id = $1 and f.fingerprint = d.fingerprint and f.capture_time < $5
         ), noted as (
             insert into lead_fingerprints (tenant_id, fingerprint, lead_id, person, capture_time)
             select $1, c.fingerprint, c.lead_id, c.person, $6 from came c
             where c.turn + (select count(*) from known k where k.fingerprint = c.fingerprint) <= $7
             on conflict (tenant_id, fingerprint, lead_id) do nothing
         )
         select c.lead_id, (
             select count(*) from (
                 select k.person from known k where k.fingerprint = c.fingerprint
                 union
                 select o.person from came o where o.fingerprint = c.fingerprint and o.place <= c.place
             ) as people
         ) from came c",
    )
    .bind(tenant.as_str())
    .bind(devices.iter().map(|(lead, _)| *lead).collect::<Vec<_>>())
    .bind(devices.iter().map(|(_, device)| device.fingerprint).collect::<Vec<_>>())
    .bind(devices.iter().map(|(_, device)| device.person).collect::<Vec<_>>())
    .bind(since.to_sqlx())
    .bind(now.to_sqlx())
    .bind(MOST_KEPT)
    .fetch_all(tx)
    .await?;
    let people = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(rows.into_iter().map(|(lead, count)| (lead, people(count))).collect())
}

/// Drops what came before `since`.
pub(crate) async fn drop_old(tx: &mut PgConnection, tenant: &TenantId, since: Timestamp) -> Result<(), DbError> {
    sqlx::query("delete from lead_fingerprints where tenant_id = $1 and capture_time < $2")
        .bind(tenant.as_str())
        .bind(since.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}
