//! Rows of accounts: what is known of customers, with who owns them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, types::Json};

use super::leads::stored;
use crate::domain::{
    account::Account,
    ids::{AccountId, MemberId},
};

/// An account as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct AccountRow {
    account: String,
    display_name: String,
    attributes: Json<BTreeMap<String, String>>,
    pub(crate) calculated: Option<Json<Value>>,
    owner: Option<String>,
    pub(crate) create_time: SqlTimestamp,
    pub(crate) update_time: SqlTimestamp,
}

impl AccountRow {
    /// Returns what leads carry.
    pub(crate) fn key(&self) -> &str {
        &self.account
    }

    /// Returns who owns it.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }

    /// Returns what is known of it.
    pub(crate) fn account(&self) -> Account {
        Account {
            id: stored(&self.account),
            display_name: self.display_name.clone(),
            attributes: self.attributes.0.clone(),
        }
    }
}

/// Writes an account, whether it exists or not, and returns it; its values are written by whoever calculates them.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    account: &Account,
    calculated: Option<&Value>,
    now: Timestamp,
) -> Result<AccountRow, DbError> {
    let row = sqlx::query_as(
        "with profile as (
             insert into account_profiles
                 (tenant_id, account, display_name, attributes, calculated, create_time, update_time)
             values ($1, $2, $3, $4, $5, $6, $6)
             on conflict (tenant_id, account) do update set display_name = excluded.display_name,
                 attributes = excluded.attributes, calculated = excluded.calculated, update_time = excluded.update_time
             returning *
         )
         select p.account, p.display_name, p.attributes, p.calculated, a.owner, p.create_time, p.update_time
         from profile p left join accounts a on a.tenant_id = $1 and a.account = p.account",
    )
    .bind(tenant.as_str())
    .bind(account.id.key())
    .bind(&account.display_name)
    .bind(Json(&account.attributes))
    .bind(calculated.map(Json))
    .bind(now.to_sqlx())
    .fetch_one(tx)
    .await?;
    Ok(row)
}

/// Finds an account.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    account: &AccountId,
) -> Result<Option<AccountRow>, DbError> {
    let mut found = list_these(tx, tenant, &[account.key()]).await?;
    Ok(found.pop())
}

/// Lists accounts by key, `limit` of them after `after`.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<AccountRow>, DbError> {
    let rows = sqlx::query_as(
        "select p.account, p.display_name, p.attributes, p.calculated, a.owner, p.create_time, p.update_time
         from account_profiles p left join accounts a using (tenant_id, account)
         where p.tenant_id = $1 and p.account > coalesce($2, '') order by p.account limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Lists these accounts as far as they exist, in no order.
pub(crate) async fn list_these(
    tx: &mut PgConnection,
    tenant: &TenantId,
    accounts: &[&str],
) -> Result<Vec<AccountRow>, DbError> {
    let rows = sqlx::query_as(
        "select p.account, p.display_name, p.attributes, p.calculated, a.owner, p.create_time, p.update_time
         from account_profiles p left join accounts a using (tenant_id, account)
         where p.tenant_id = $1 and p.account = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(accounts)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Locks the next accounts after `after`, by key, and returns what is known of them.
pub(crate) async fn list_for_update(
    tx: &mut PgConnection,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Account>, DbError> {
    let rows: Vec<KnownRow> = sqlx::query_as(
        "select account, display_name, attributes from account_profiles
         where tenant_id = $1 and account > coalesce($2, '') order by account limit $3 for update",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(account).collect())
}

/// Returns what is known of these accounts, by key.
pub(crate) async fn get_known(
    tx: &mut PgConnection,
    tenant: &TenantId,
    accounts: &[&str],
) -> Result<HashMap<String, Account>, DbError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<KnownRow> = sqlx::query_as(
        "select account, display_name, attributes from account_profiles where tenant_id = $1 and account = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(accounts)
    .fetch_all(tx)
    .await?;
    let pair = |row: KnownRow| (row.0.clone(), account(row));
    Ok(rows.into_iter().map(pair).collect())
}

/// Key, display name and attributes.
type KnownRow = (String, String, Json<BTreeMap<String, String>>);

fn account((key, display_name, attributes): KnownRow) -> Account {
    Account {
        id: stored(&key),
        display_name,
        attributes: attributes.0,
    }
}

/// Lists the names of attributes that accounts have or had.
pub(crate) async fn list_attributes(tx: &mut PgConnection, tenant: &TenantId) -> Result<BTreeSet<String>, DbError> {
    let names: Vec<String> = sqlx::query_scalar("select name from account_attributes where tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_all(tx)
        .await?;
    Ok(names.into_iter().collect())
}

/// Notes names of attributes.
pub(crate) async fn add_attributes(tx: &mut PgConnection, tenant: &TenantId, names: &[&str]) -> Result<(), DbError> {
    sqlx::query(
        "insert into account_attributes (tenant_id, name) select $1, unnest($2::text[]) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(names)
    .execute(tx)
    .await?;
    Ok(())
}
