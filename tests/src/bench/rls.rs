//! `rls`: two inserts in a transaction bound to its tenant, with row security and without.

use std::time::Duration;

use reflex_pg::{Database, DatabaseConfig};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::ExposeSecret;

use super::{
    floor::{BARE, GUARDED, TENANT, insert_both},
    ground::Ground,
    load::{Caller, closed_loop},
    measured::Measured,
    rounds::Contest,
    sample,
};

const IN_FLIGHT: usize = 32;

/// Writes leads into one of the two schemas, over pools that are alike.
struct Write {
    database: Database,
    tenants: TenantSet,
    source: String,
    number: usize,
}

impl Caller for Write {
    async fn call(&mut self) -> anyhow::Result<()> {
        let lead = sample::lead(&self.source, self.number);
        self.number += IN_FLIGHT;
        let mut tx = self.database.begin("bench_rls", &self.tenants).await?;
        insert_both(&mut tx, SystemIds.next(), &lead).await?;
        Ok(tx.commit().await?)
    }
}

/// `rls`.
pub(super) struct RowSecurity<'a> {
    ground: &'a Ground,
    bare: Database,
    guarded: Database,
    tenants: TenantSet,
}

impl<'a> RowSecurity<'a> {
    pub(super) fn new(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self {
            ground,
            bare: database(ground, BARE)?,
            guarded: database(ground, GUARDED)?,
            tenants: TenantSet::one(&TENANT.parse::<TenantId>()?),
        })
    }

    async fn write(&self, database: &Database, span: Duration) -> anyhow::Result<Measured> {
        let source = self.ground.new_source();
        let caller = |number: usize| Write {
            database: database.clone(),
            tenants: self.tenants.clone(),
            source: source.clone(),
            number,
        };
        Ok(closed_loop((0..IN_FLIGHT).map(caller).collect(), span).await?.1)
    }
}

impl Contest for RowSecurity<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.write(&self.bare, span).await
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.write(&self.guarded, span).await
    }
}

/// Opens the pool a service would have, on the tables of a schema.
fn database(ground: &Ground, schema: &str) -> anyhow::Result<Database> {
    let config = ground.floor_as_service();
    let url = format!("{}?options[search_path]={schema}", config.app_url.expose_secret());
    Ok(Database::connect(&DatabaseConfig {
        app_url: url.into(),
        max_connections: u32::try_from(IN_FLIGHT)?,
        ..config
    })?)
}
