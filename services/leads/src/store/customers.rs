//! Rows of customers, of the contacts and devices there, and of what holds between them.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx};
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::{FromRow, PgConnection};

use super::leads::stored;
use crate::domain::{
    contact::Contact,
    customer::{Customer, CustomerPolicy},
    device::Device,
    ids::{AccountId, ContactId, DeviceId, MemberId},
};

/// A customer as stored: its account, and what was put of it beyond that.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct CustomerRow {
    account: String,
    pub(crate) display_name: String,
    owner: Option<String>,
    pub(crate) credit_code: Option<String>,
    pub(crate) industry: Option<String>,
    pub(crate) industry_version: Option<i32>,
    since_date: Option<SqlDate>,
    pub(crate) create_time: SqlTimestamp,
    /// When anything of it was changed last.
    pub(crate) update_time: SqlTimestamp,
}

impl CustomerRow {
    /// Returns its account.
    pub(crate) fn id(&self) -> AccountId {
        stored(&self.account)
    }

    /// Returns who owns it.
    pub(crate) fn owner(&self) -> Option<MemberId> {
        self.owner.as_deref().map(stored)
    }

    /// Returns since when it is a customer, where somebody said so.
    pub(crate) fn since(&self) -> Option<Date> {
        self.since_date.map(SqlDate::to_jiff)
    }
}

/// Lists customers by key, `limit` of them after `after`; or this one alone.
pub(crate) async fn list(
    tx: &mut PgConnection,
    tenant: &TenantId,
    only: Option<&AccountId>,
    (after, limit): (Option<&str>, i64),
) -> Result<Vec<CustomerRow>, DbError> {
    let rows = sqlx::query_as(
        "select p.account, p.display_name, a.owner, c.credit_code, c.industry, c.industry_version, c.since_date,
             p.create_time, greatest(p.update_time, c.update_time) as update_time
         from account_profiles p
         left join customers c on c.tenant_id = $1 and c.account = p.account
         left join accounts a on a.tenant_id = $1 and a.account = p.account
         where p.tenant_id = $1 and p.account > coalesce($3, '') and ($2::text is null or p.account = $2)
         order by p.account limit $4",
    )
    .bind(tenant.as_str())
    .bind(only.map(AccountId::key))
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Finds a customer.
pub(crate) async fn find(
    tx: &mut PgConnection,
    tenant: &TenantId,
    id: &AccountId,
) -> Result<Option<CustomerRow>, DbError> {
    Ok(list(tx, tenant, Some(id), (None, 1)).await?.pop())
}

/// Writes what is known of a customer beyond its account; a day that is not said stays.
pub(crate) async fn put(
    tx: &mut PgConnection,
    tenant: &TenantId,
    customer: &Customer,
    industry_version: Option<i32>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into customers as c
             (tenant_id, account, credit_code, industry, industry_version, since_date, update_time)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, account) do update set credit_code = excluded.credit_code, industry = excluded.industry,
             industry_version = excluded.industry_version, since_date = coalesce(excluded.since_date, c.since_date),
             update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(customer.id.key())
    .bind(customer.credit_code.as_deref())
    .bind(customer.industry.as_ref().map(|(code, _)| code.as_str()))
    .bind(industry_version)
    .bind(customer.since.map(Date::to_sqlx))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that something of these customers was changed; in their order, so that nobody waits for each other.
pub(crate) async fn touch(
    tx: &mut PgConnection,
    tenant: &TenantId,
    accounts: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into customers (tenant_id, account, update_time)
         select $1, account, $3 from unnest($2::text[]) as touched (account) order by account
         on conflict (tenant_id, account) do update set update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(accounts)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct ContactRow {
    contact_id: String,
    display_name: String,
    title: String,
    phones: Vec<String>,
    emails: Vec<String>,
}

/// Writes a contact, whether it exists or not.
pub(crate) async fn put_contact(
    tx: &mut PgConnection,
    tenant: &TenantId,
    contact: &Contact,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into contacts (tenant_id, contact_id, display_name, title, phones, emails, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $7, $7)
         on conflict (tenant_id, contact_id) do update set display_name = excluded.display_name, title = excluded.title,
             phones = excluded.phones, emails = excluded.emails, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(contact.id.id())
    .bind(&contact.display_name)
    .bind(&contact.title)
    .bind(&contact.phones)
    .bind(&contact.emails)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists these contacts as far as they exist, in no order.
pub(crate) async fn list_contacts(
    tx: &mut PgConnection,
    tenant: &TenantId,
    contacts: &[&ContactId],
) -> Result<Vec<Contact>, DbError> {
    let rows: Vec<ContactRow> = sqlx::query_as(
        "select contact_id, display_name, title, phones, emails from contacts
         where tenant_id = $1 and contact_id = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(contacts.iter().map(|id| id.id()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let contact = |row: ContactRow| Contact {
        id: stored(&row.contact_id),
        display_name: row.display_name,
        title: row.title,
        phones: row.phones,
        emails: row.emails,
    };
    Ok(rows.into_iter().map(contact).collect())
}

#[derive(FromRow)]
struct DeviceRow {
    device_id: String,
    model: String,
    serial: String,
    install_date: Option<SqlDate>,
}

/// Writes a device, whether it exists or not.
pub(crate) async fn put_device(
    tx: &mut PgConnection,
    tenant: &TenantId,
    device: &Device,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into devices (tenant_id, device_id, model, serial, install_date, create_time, update_time)
         values ($1, $2, $3, $4, $5, $6, $6)
         on conflict (tenant_id, device_id) do update set model = excluded.model, serial = excluded.serial,
             install_date = excluded.install_date, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(device.id.id())
    .bind(&device.model)
    .bind(&device.serial)
    .bind(device.installed.map(Date::to_sqlx))
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}

/// Lists these devices as far as they exist, in no order.
pub(crate) async fn list_devices(
    tx: &mut PgConnection,
    tenant: &TenantId,
    devices: &[&DeviceId],
) -> Result<Vec<Device>, DbError> {
    let rows: Vec<DeviceRow> = sqlx::query_as(
        "select device_id, model, serial, install_date from devices where tenant_id = $1 and device_id = any ($2)",
    )
    .bind(tenant.as_str())
    .bind(devices.iter().map(|id| id.id()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let device = |row: DeviceRow| Device {
        id: stored(&row.device_id),
        model: row.model,
        serial: row.serial,
        installed: row.install_date.map(SqlDate::to_jiff),
    };
    Ok(rows.into_iter().map(device).collect())
}

/// Finds a tenant's policy, and when it was changed.
pub(crate) async fn find_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Option<(CustomerPolicy, Timestamp)>, DbError> {
    let found: Option<(Option<SqlDate>, i32, i32, SqlTimestamp)> = sqlx::query_as(
        "select cutover_date, fresh_days, stale_days, update_time from customer_policies where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_optional(tx)
    .await?;
    Ok(found.map(|(cutover, fresh_days, stale_days, at)| {
        let policy = CustomerPolicy {
            cutover: cutover.map(SqlDate::to_jiff),
            fresh_days,
            stale_days,
        };
        (policy, at.to_jiff())
    }))
}

/// Writes a tenant's policy, whether it has one or not.
pub(crate) async fn put_policy(
    tx: &mut PgConnection,
    tenant: &TenantId,
    policy: &CustomerPolicy,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into customer_policies (tenant_id, cutover_date, fresh_days, stale_days, update_time)
         values ($1, $2, $3, $4, $5)
         on conflict (tenant_id) do update set cutover_date = excluded.cutover_date, fresh_days = excluded.fresh_days,
             stale_days = excluded.stale_days, update_time = excluded.update_time",
    )
    .bind(tenant.as_str())
    .bind(policy.cutover.map(Date::to_sqlx))
    .bind(policy.fresh_days)
    .bind(policy.stale_days)
    .bind(now.to_sqlx())
    .execute(tx)
    .await?;
    Ok(())
}
