//! Rows of what channels cost and of first orders, and what leads came to by channel.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use super::leads::stored;
use crate::domain::{
    channel_cost::ChannelCost,
    channel_report::{Channel, Figures, MAX_CHANNELS},
    first_order::FirstOrder,
    ids::LeadId,
    month::{Month, Period},
};

/// A cost as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct CostRow {
    channel_cost_id: String,
    source: String,
    title: String,
    amount_fen: i64,
    first_month: i32,
    month_count: i32,
    pub(crate) update_time: SqlTimestamp,
}

impl CostRow {
    /// Returns the cost.
    pub(crate) fn cost(&self) -> ChannelCost {
        ChannelCost {
            id: stored(&self.channel_cost_id),
            source: self.source.clone(),
            title: self.title.clone(),
            amount_fen: self.amount_fen,
            first_month: Month::of_number(self.first_month),
            month_count: self.month_count,
        }
    }
}

/// Writes a cost, whether it exists or not, and returns it; none where it would be one more than `most`.
pub(crate) async fn put_cost(
    tx: &mut PgConnection,
    tenant: &TenantId,
    cost: &ChannelCost,
    (most, now): (usize, Timestamp),
) -> Result<Option<CostRow>, DbError> {
    let row = sqlx::query_as(
        "insert into channel_costs as c
             (tenant_id, channel_cost_id, source, title, amount_fen, first_month, month_count, update_time)
         select $1, $2, $3, $4, $5, $6, $7, $8
         where (select count(*) from channel_costs where tenant_id = $1 and channel_cost_id <> $2) < $9
         on conflict (tenant_id, channel_cost_id) do update set source = excluded.source, title = excluded.title,
             amount_fen = excluded.amount_fen, first_month = excluded.first_month, month_count = excluded.month_count,
             update_time = case when (c.source, c.title, c.amount_fen, c.first_month, c.month_count)
                 is distinct from (excluded.source, excluded.title, excluded.amount_fen, excluded.first_month,
                     excluded.month_count)
                 then excluded.update_time else c.update_time end
         returning channel_cost_id, source, title, amount_fen, first_month, month_count, update_time",
    )
    .bind(tenant.as_str())
    .bind(cost.id.id())
    .bind(&cost.source)
    .bind(&cost.title)
    .bind(cost.amount_fen)
    .bind(cost.first_month.number())
    .bind(cost.month_count)
    .bind(now.to_sqlx())
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Lists costs by id, `limit` of them after `after`.
pub(crate) async fn list_costs(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<CostRow>, DbError> {
    let rows = sqlx::query_as(
        "select channel_cost_id, source, title, amount_fen, first_month, month_count, update_time from channel_costs
         where tenant_id = $1 and channel_cost_id > coalesce($2, '') order by channel_cost_id limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists the costs that months of a period bear something of.
pub(crate) async fn list_costs_of(
    tx: &mut PgConnection,
    tenant: &TenantId,
    period: Period,
) -> Result<Vec<ChannelCost>, DbError> {
    let rows: Vec<CostRow> = sqlx::query_as(
        "select channel_cost_id, source, title, amount_fen, first_month, month_count, update_time from channel_costs
         where tenant_id = $1 and first_month <= $3 and first_month + month_count > $2 order by channel_cost_id",
    )
    .bind(tenant.as_str())
    .bind(period.first.number())
    .bind(period.last.number())
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().map(CostRow::cost).collect())
}

/// Returns when a lead or one that is merged with it was captured first.
pub(crate) async fn find_capture_time(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Option<Timestamp>, DbError> {
    let time: Option<SqlTimestamp> = sqlx::query_scalar(
        "select min(l.create_time) from merged_leads($1, $2) as held (lead_id)
         join leads l on l.tenant_id = $1 and l.lead_id = held.lead_id",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_one(tx)
    .await?;
    Ok(time.map(SqlTimestamp::to_jiff))
}

/// Lists the first orders of a lead and of those merged into it, the earliest first, with whether each is its own; its own is
/// locked.
pub(crate) async fn list_orders(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<Vec<(bool, FirstOrder)>, DbError> {
    let rows: Vec<(bool, String, SqlTimestamp, i64)> = sqlx::query_as(
        "select o.lead_id = $2, o.order_id, o.order_time, o.amount_fen
         from merged_leads($1, $2) as held (lead_id)
         join first_orders o on o.tenant_id = $1 and o.lead_id = held.lead_id
         order by o.order_time, o.order_id for update of o",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .fetch_all(tx)
    .await?;
    let order = |(own, order, time, amount_fen): (bool, String, SqlTimestamp, i64)| {
        let time = time.to_jiff();
        (
            own,
            FirstOrder {
                order,
                time,
                amount_fen,
            },
        )
    };
    Ok(rows.into_iter().map(order).collect())
}

/// Writes the first order of a lead.
pub(crate) async fn put_order(
    tx: &mut PgConnection,
    tenant: &TenantId,
    lead: LeadId,
    order: &FirstOrder,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into first_orders (tenant_id, lead_id, order_id, order_time, amount_fen, update_time)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, lead_id) do update set order_id = excluded.order_id, order_time = excluded.order_time,
             amount_fen = excluded.amount_fen, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(lead.0)
    .bind(&order.order)
    .bind(order.time.to_sqlx())
    .bind(order.amount_fen)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// What a channel's leads came to, as counted.
#[derive(FromRow)]
struct CountRow {
    source: Option<String>,
    leads: i64,
    due: i64,
    followed: i64,
    open_followed: i64,
    converted: i64,
    orders: i64,
    order_seconds: i64,
    revenue_fen: i64,
}

/// Counts what the leads captured between two instants came to by `now`, by channel; of many channels the smaller ones
/// together, but never one of `named`.
///
/// Leads that are merged are one, captured when the first of them was; what belongs to any of them is the survivor's. This
/// reads a tenant's leads: an index on when they were captured would cost every capture.
pub(crate) async fn count_leads(
    tx: &mut PgConnection,
    tenant: &TenantId,
    (start, end): (Timestamp, Timestamp),
    named: &[String],
    now: Timestamp,
) -> Result<Vec<Channel>, DbError> {
    let rows: Vec<CountRow> = sqlx::query_as(
        "with merged as materialized (
             select l.lead_id, survivor_of($1, l.lead_id) as root, l.create_time from leads l
             where l.tenant_id = $1 and l.merged_into is not null
         ), earliest as materialized (
             select root, min(create_time) as create_time from merged group by root
         ), captured as materialized (
             select l.lead_id, l.source, l.outcome, least(l.create_time, e.create_time) as capture_time
             from leads l left join earliest e on e.root = l.lead_id
             where l.tenant_id = $1 and l.merged_into is null
                 and least(l.create_time, e.create_time) >= $2 and least(l.create_time, e.create_time) < $3
         ), held as materialized (
             select lead_id as root, lead_id from captured
             union all
             select m.root, m.lead_id from merged m join captured c on c.lead_id = m.root
         ), contacts as (
             select h.root, min(f.occur_time) as contact_time from held h
             join follow_ups f on f.tenant_id = $1 and f.lead_id = h.lead_id and f.kind in ('call', 'visit')
             group by h.root
         ), orders as (
             select distinct on (h.root) h.root, o.order_time, o.amount_fen from held h
             join first_orders o on o.tenant_id = $1 and o.lead_id = h.lead_id
             order by h.root, o.order_time, o.order_id
         ), judged as (
             select c.source, c.capture_time + interval '168 hours' <= $4 as due,
                 coalesce(k.contact_time <= c.capture_time + interval '168 hours', false) as followed,
                 c.outcome is not distinct from 'converted' or o.root is not null as converted, o.root is not null as ordered,
                 extract(epoch from greatest(o.order_time - c.capture_time, interval '0'))::bigint as order_seconds,
                 o.amount_fen
             from captured c left join contacts k on k.root = c.lead_id left join orders o on o.root = c.lead_id
         ), ranked as (
             select source, row_number() over (order by source = any ($5) desc, count(*) desc, source) as rank
             from judged group by source
         )
         select case when r.rank <= $6 then j.source end as source, count(*) as leads, count(*) filter (where due) as due,
             count(*) filter (where due and followed) as followed,
             count(*) filter (where not due and followed) as open_followed,
             count(*) filter (where converted) as converted, count(*) filter (where ordered) as orders,
             coalesce(sum(order_seconds), 0)::bigint as order_seconds,
             least(coalesce(sum(amount_fen), 0), 9000000000000000000)::bigint as revenue_fen
         from judged j join ranked r on r.source = j.source
         group by 1 order by 2 desc, 1",
    )
    .bind(tenant.as_str())
    .bind(start.to_sqlx())
    .bind(end.to_sqlx())
    .bind(now.to_sqlx())
    .bind(named)
    .bind(MAX_CHANNELS + i64::try_from(named.len()).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(channel).collect())
}

fn channel(row: CountRow) -> Channel {
    Channel {
        source: row.source,
        figures: Figures {
            leads: row.leads,
            due: row.due,
            followed: row.followed,
            open_followed: row.open_followed,
            converted: row.converted,
            orders: row.orders,
            order_seconds: row.order_seconds,
            revenue_fen: row.revenue_fen,
            cost_fen: 0,
        },
    }
}
