//! `rls`: two inserts in a transaction bound to its tenant under row security, against the same on plain tables.

use std::time::Duration;

use reflex_pg::{Database, DatabaseConfig};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};

use super::{
    floor::{BARE, GUARDED, TENANT, insert_both},
    ground::Ground,
    load::{Caller, closed_loop},
    measured::Measured,
    rounds::Contest,
    sample,
};

const IN_FLIGHT: usize = 32;

/// Writes leads by one of the two ways, over pools that are alike.
struct Write {
    database: Database,
    /// Bound to the transactions, where they are bound.
    tenants: Option<TenantSet>,
    source: String,
    number: usize,
}

impl Caller for Write {
    async fn call(&mut self) -> anyhow::Result<()> {
        let lead = sample::lead(&self.source, self.number);
        self.number += IN_FLIGHT;
        if let Some(tenants) = &self.tenants {
            let mut tx = self.database.begin("bench_rls", tenants).await?;
            insert_both(&mut tx, SystemIds.next(), &lead).await?;
            tx.commit().await?;
        } else {
            let mut tx = self.database.app.begin().await?;
            insert_both(&mut tx, SystemIds.next(), &lead).await?;
            tx.commit().await?;
        }
        Ok(())
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

    async fn write(
        &self,
        database: &Database,
        tenants: Option<&TenantSet>,
        span: Duration,
    ) -> anyhow::Result<Measured> {
        let source = self.ground.new_source();
        let caller = |number: usize| Write {
            database: database.clone(),
            tenants: tenants.cloned(),
            source: source.clone(),
            number,
        };
        Ok(closed_loop((0..IN_FLIGHT).map(caller).collect(), span).await?.1)
    }
}

impl Contest for RowSecurity<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.write(&self.bare, None, span).await
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.write(&self.guarded, Some(&self.tenants), span).await
    }
}

/// Opens the pool a service would have, on the tables of a schema.
fn database(ground: &Ground, schema: &str) -> anyhow::Result<Database> {
    let url = format!("{}?options[search_path]={schema}", ground.floor_url_of_app());
    Ok(Database::connect(&DatabaseConfig {
        app_url: url.clone().into(),
        worker_url: url.clone().into(),
        owner_url: url.into(),
        max_connections: u32::try_from(IN_FLIGHT)?,
    })?)
}
