//! Values to be calculated anew, and how far that has come.

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection, PgPool};

use crate::domain::calculated::Entity;

/// Shards of the loop that recomputes; a tenant belongs to one.
pub(crate) const RECOMPUTE_SHARDS: i16 = 2;

/// Returns the shard of a tenant.
pub(crate) fn recompute_shard(tenant: &TenantId) -> i16 {
    reflex_events::envelope::shard_of(tenant, "", RECOMPUTE_SHARDS)
}

/// What is to be calculated anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// All leads.
    Leads,
    /// The leads of one account.
    AccountLeads(String),
    /// All accounts.
    Accounts,
    /// The keys of a field that was deleted, which go.
    Keys(i64),
}

impl Target {
    /// Returns all records of an entity.
    pub(crate) fn all(entity: Entity) -> Self {
        match entity {
            Entity::Lead => Self::Leads,
            Entity::Account => Self::Accounts,
        }
    }

    fn columns(&self) -> (&'static str, &str, i64) {
        match self {
            Self::Leads => ("leads", "", 0),
            Self::AccountLeads(account) => ("account_leads", account, 0),
            Self::Accounts => ("accounts", "", 0),
            Self::Keys(field_key) => ("keys", "", *field_key),
        }
    }
}

/// Work of a tenant, and the last record that is done.
#[derive(Debug)]
pub(crate) struct Recompute {
    pub(crate) target: Target,
    pub(crate) cursor: Option<String>,
}

/// Asks for values to be calculated anew, from the first record on, also where that is under way.
pub(crate) async fn request(tx: &mut PgConnection, tenant: &TenantId, target: &Target) -> Result<(), DbError> {
    let (word, account, field_key) = target.columns();
    sqlx::query(
        "insert into field_recomputes (tenant_id, shard, target, account, field_key) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, target, account, field_key) do update set cursor = null",
    )
    .bind(tenant.as_str())
    .bind(recompute_shard(tenant))
    .bind(word)
    .bind(account)
    .bind(field_key)
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists the tenants of a shard that have work; run by the worker role.
pub(crate) async fn list_tenants(worker: &PgPool, shard: i16) -> Result<Vec<String>, DbError> {
    let tenants = sqlx::query_scalar(
        "select tenant_id from field_recomputes where shard = $1 group by tenant_id order by min(id) limit 100",
    )
    .bind(shard)
    .fetch_all(worker)
    .await?;
    Ok(tenants)
}

#[derive(FromRow)]
struct RecomputeRow {
    target: String,
    account: String,
    field_key: i64,
    cursor: Option<String>,
}

/// Finds the oldest work of a tenant and locks it, so that whoever asks for it again waits and starts it over.
pub(crate) async fn find_for_update(tx: &mut PgConnection, tenant: &TenantId) -> Result<Option<Recompute>, DbError> {
    let row: Option<RecomputeRow> = sqlx::query_as(
        "select target, account, field_key, cursor from field_recomputes where tenant_id = $1
         order by id limit 1 for update",
    )
    .bind(tenant.as_str())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Recompute {
        target: match row.target.as_str() {
            "accounts" => Target::Accounts,
            "account_leads" => Target::AccountLeads(row.account),
            "keys" => Target::Keys(row.field_key),
            _ => Target::Leads,
        },
        cursor: row.cursor,
    }))
}

/// Notes how far the work has come.
pub(crate) async fn advance(
    tx: &mut PgConnection,
    tenant: &TenantId,
    target: &Target,
    cursor: &str,
) -> Result<(), DbError> {
    let (word, account, field_key) = target.columns();
    sqlx::query(
        "update field_recomputes set cursor = $5
         where tenant_id = $1 and target = $2 and account = $3 and field_key = $4",
    )
    .bind(tenant.as_str())
    .bind(word)
    .bind(account)
    .bind(field_key)
    .bind(cursor)
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that all is done.
pub(crate) async fn finish(tx: &mut PgConnection, tenant: &TenantId, target: &Target) -> Result<(), DbError> {
    let (word, account, field_key) = target.columns();
    sqlx::query(
        "delete from field_recomputes where tenant_id = $1 and target = $2 and account = $3 and field_key = $4",
    )
    .bind(tenant.as_str())
    .bind(word)
    .bind(account)
    .bind(field_key)
    .execute(tx)
    .await?;
    Ok(())
}

/// Tells which entities have values that are being calculated anew.
pub(crate) async fn list_entities(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<Entity>, DbError> {
    let targets: Vec<String> =
        sqlx::query_scalar("select distinct target from field_recomputes where tenant_id = $1 and target <> 'keys'")
            .bind(tenant.as_str())
            .fetch_all(tx)
            .await?;
    let entity = |target: &String| {
        if target == "accounts" {
            Entity::Account
        } else {
            Entity::Lead
        }
    };
    Ok(targets.iter().map(entity).collect())
}
