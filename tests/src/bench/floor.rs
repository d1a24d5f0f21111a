//! The bare loops: what a program costs that does the same work and keeps none of the promises around it.
//!
//! Belongs here: statements and loops as short as they can be. Does not: anything of Reflex besides its messages.

pub(super) mod chain;
pub(super) mod relay;

use std::time::Duration;

use prost::Message;
use reflex_proto::leads::v1::{LeadCaptured, NewLead};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    types::Json,
};
use uuid::Uuid;

use super::{load::Caller, sample};

/// Schema of the bare loops' tables.
pub(super) const BARE: &str = "bare";
/// Schema with the same tables under row security.
pub(super) const GUARDED: &str = "guarded";
/// Tenant of all rows.
pub(super) const TENANT: &str = "bench-floor";

/// Makes the tables of both schemas.
pub(super) async fn create_tables(owner_url: &str) -> anyhow::Result<()> {
    let mut owner = PgConnection::connect(owner_url).await?;
    owner.execute("create schema bare; create schema guarded").await?;
    for schema in [BARE, GUARDED] {
        sqlx::query("select set_config('search_path', $1, false)")
            .bind(schema)
            .execute(&mut owner)
            .await?;
        owner.execute(include_str!("floor/tables.sql")).await?;
    }
    owner.execute(include_str!("floor/guard.sql")).await?;
    owner.close().await?;
    Ok(())
}

/// Opens a pool that connects at once and never asks whether a connection still lives.
pub(super) async fn pool(options: PgConnectOptions, connections: u32) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10));
    Ok(pool.connect_with(options).await?)
}

/// Writes a lead and its fact, as two statements.
pub(super) async fn insert_both(tx: &mut PgConnection, lead_id: Uuid, lead: &NewLead) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leads (tenant_id, lead_id, state, source, external_id, payload_hash, company, contact_name,
             phone, email, territory, product, urgency, budget_min_fen, budget_max_fen, remark, account, attributes,
             raw_payload)
         values ($1, $2, 'captured', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(TENANT)
    .bind(lead_id)
    .bind(&lead.source)
    .bind(&lead.external_id)
    .bind([0_u8; 32].as_slice())
    .bind(&lead.company)
    .bind(&lead.contact_name)
    .bind(&lead.phone)
    .bind(&lead.email)
    .bind(&lead.territory)
    .bind(&lead.product)
    .bind("red")
    .bind(lead.budget_min_fen)
    .bind(lead.budget_max_fen)
    .bind(&lead.remark)
    .bind(&lead.account)
    .bind(Json(&lead.attributes))
    .bind(lead.raw_payload.as_slice())
    .execute(&mut *tx)
    .await?;
    let subject = format!("leads/{lead_id}");
    let fact = LeadCaptured {
        lead: subject.clone(),
        source: lead.source.clone(),
        capture_time: None,
    };
    sqlx::query("insert into outbox (tenant_id, event_id, kind, subject, data) values ($1, $2, $3, $4, $5)")
        .bind(TENANT)
        .bind(SystemIds.next())
        .bind("reflex.leads.v1.LeadCaptured")
        .bind(subject)
        .bind(fact.encode_to_vec())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Stores leads one transaction each, over a connection of its own.
pub(super) struct BareCapture {
    connection: PgConnection,
    source: String,
    /// Number of this caller's next lead, and how far its numbers are apart.
    number: usize,
    step: usize,
}

impl BareCapture {
    /// Connects `count` callers.
    pub(super) async fn callers(options: &PgConnectOptions, count: usize) -> anyhow::Result<Vec<Self>> {
        let mut callers = Vec::with_capacity(count);
        for number in 0..count {
            callers.push(Self {
                connection: PgConnection::connect_with(options).await?,
                source: String::new(),
                number,
                step: count,
            });
        }
        Ok(callers)
    }

    /// Lets the next leads come from another source.
    pub(super) fn set_source(&mut self, source: &str) {
        source.clone_into(&mut self.source);
    }
}

impl Caller for BareCapture {
    async fn call(&mut self) -> anyhow::Result<()> {
        let lead = sample::lead(&self.source, self.number);
        self.number += self.step;
        let mut tx = self.connection.begin().await?;
        insert_both(&mut tx, SystemIds.next(), &lead).await?;
        tx.commit().await?;
        Ok(())
    }
}
