//! Rows of what holds between customers and contacts, devices and products.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::leads::stored;
use crate::domain::{
    ids::{AccountId, RelationId},
    relation::{MAX_RELATIONS, Object, PurchaseCycle, Relation},
};

/// A relation as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RelationRow {
    pub(crate) relation_id: Uuid,
    pub(crate) account: String,
    kind: String,
    object: String,
    role: String,
    period_days: Option<i32>,
    last_purchase_date: Option<SqlDate>,
    pub(crate) valid_from: SqlTimestamp,
    pub(crate) valid_to: Option<SqlTimestamp>,
}

impl RelationRow {
    /// Returns the relation.
    pub(crate) fn relation(&self) -> Relation {
        Relation {
            customer: stored(&self.account),
            object: match self.kind.as_str() {
                "contact" => Object::Contact(stored(&self.object)),
                "device" => Object::Device(stored(&self.object)),
                _ => Object::PurchaseCycle(PurchaseCycle {
                    product: self.object.clone(),
                    period_days: self.period_days.unwrap_or_default(),
                    last_purchase: self.last_purchase_date.map(SqlDate::to_jiff),
                }),
            },
            role: self.role.clone(),
            valid_from: self.valid_from.to_jiff(),
            valid_to: self.valid_to.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Writes a new relation; none where the customer has as many as it may.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: RelationId,
    relation: &Relation,
    now: Timestamp,
) -> Result<Option<RelationRow>, DbError> {
    let cycle = match &relation.object {
        Object::PurchaseCycle(cycle) => Some(cycle),
        Object::Contact(_) | Object::Device(_) => None,
    };
    let row = sqlx::query_as(
        "insert into account_relations (tenant_id, relation_id, account, kind, object, role, period_days,
             last_purchase_date, valid_from, valid_to, create_time)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
         where (select count(*) from account_relations where tenant_id = $1 and account = $3) < $12
         returning relation_id, account, kind, object, role, period_days, last_purchase_date, valid_from, valid_to",
    )
    .bind(tenant.as_str())
    .bind(id.0)
    .bind(relation.customer.key())
    .bind(relation.object.kind())
    .bind(relation.object.key())
    .bind(&relation.role)
    .bind(cycle.map(|cycle| cycle.period_days))
    .bind(cycle.and_then(|cycle| cycle.last_purchase).map(Date::to_sqlx))
    .bind(relation.valid_from.to_sqlx())
    .bind(relation.valid_to.map(Timestamp::to_sqlx))
    .bind(now.to_sqlx())
    .bind(MAX_RELATIONS)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Finds a relation and locks it.
pub(crate) async fn find_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: RelationId,
) -> Result<Option<RelationRow>, DbError> {
    let row = sqlx::query_as(
        "select relation_id, account, kind, object, role, period_days, last_purchase_date, valid_from, valid_to
         from account_relations where tenant_id = $1 and relation_id = $2 for update",
    )
    .bind(tenant.as_str())
    .bind(id.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Ends a relation.
pub(crate) async fn end(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: RelationId,
    time: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("update account_relations set valid_to = $3 where tenant_id = $1 and relation_id = $2")
        .bind(tenant.as_str())
        .bind(id.0)
        .bind(time.to_sqlx())
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the relations of a customer, newest first, older than `before`; those only that hold at `as_of`, if there is one.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    (account, as_of): (&AccountId, Option<Timestamp>),
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RelationRow>, DbError> {
    let rows = sqlx::query_as(
        "select relation_id, account, kind, object, role, period_days, last_purchase_date, valid_from, valid_to
         from account_relations
         where tenant_id = $1 and account = $2 and ($4::uuid is null or relation_id < $4)
             and ($3::timestamptz is null or tstzrange(valid_from, valid_to) @> $3)
         order by relation_id desc limit $5",
    )
    .bind(tenant.as_str())
    .bind(account.key())
    .bind(as_of.map(Timestamp::to_sqlx))
    .bind(before)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists the customers to which a contact or device is related at an instant, in their order.
pub(crate) async fn list_accounts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    (kind, object): (&str, &str),
    at: Timestamp,
) -> Result<Vec<String>, DbError> {
    let accounts = sqlx::query_scalar(
        "select distinct account from account_relations
         where tenant_id = $1 and kind = $2 and object = $3 and tstzrange(valid_from, valid_to) @> $4
         order by account limit 1000",
    )
    .bind(tenant.as_str())
    .bind(kind)
    .bind(object)
    .bind(at.to_sqlx())
    .fetch_all(tx)
    .await?;
    Ok(accounts)
}
