//! The loop that calculates stored values anew after a definition or an account changed: one transaction a batch, each of
//! which notes how far it has come, so that whoever takes over goes on from there.
//!
//! Values are always calculated with the setup of the moment, which the transaction keeps from changing, and leads are locked
//! before their accounts are read: whoever changes either later asks for another round.

use std::{sync::Arc, time::Duration};

use reflex_pg::{
    DbError,
    lease::{Hold, ShardWorker},
};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::{App, lead_facts};
use crate::{
    domain::{calculated::Entity, decision::Trigger, lead::State, routing::Policy},
    setup::Setup,
    store::{
        accounts, calculated_fields, calculated_keys,
        calculated_values::{self, RecordValues},
        field_recomputes::{self, RECOMPUTE_SHARDS, Recompute, Target, recompute_shard},
        leads::{self, LeadRow},
        reroute, setup_versions,
    },
};

/// The safety net for what other replicas asked for.
const POLL: Duration = Duration::from_millis(500);
/// Records a transaction, so that nobody who changes the setup waits long for it.
const BATCH: i64 = 500;

/// Wakes the loops of this process after a commit that gave them work; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecomputeWake(Arc<[Notify; RECOMPUTE_SHARDS as usize]>);

impl RecomputeWake {
    /// Wakes the loop that works for a tenant.
    pub(crate) fn wake(&self, tenant: &TenantId) {
        self.shard(recompute_shard(tenant)).notify_one();
    }

    fn shard(&self, shard: i16) -> &Notify {
        &self.0[usize::from(shard.unsigned_abs()) % self.0.len()]
    }
}

/// Recomputes for a shard of tenants.
pub(crate) struct FieldRecomputes(pub(crate) Arc<App>);

impl FieldRecomputes {
    /// Does one batch for each tenant that has work, and returns whether there was any.
    async fn round(&self, hold: &Hold) -> Result<bool, DbError> {
        let mut done = false;
        for tenant in field_recomputes::list_tenants(&self.0.db.worker, hold.index()).await? {
            let tenant: TenantId = tenant.parse().expect("only valid tenants are stored");
            match self.batch(hold, &tenant).await {
                Ok(()) => done = true,
                Err(error @ (DbError::LeaseLost | DbError::Unavailable(_))) => return Err(error),
                // One tenant's trouble must not keep the others waiting.
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(%tenant, %error, cause, "a tenant's fields could not be recomputed, will go on");
                }
            }
        }
        Ok(done)
    }

    async fn batch(&self, hold: &Hold, tenant: &TenantId) -> Result<(), DbError> {
        let app = &self.0;
        let tenants = TenantSet::one(tenant);
        let mut tx = app.db.begin_held("recompute_fields", &tenants, &[hold]).await?;
        let version = setup_versions::share(&mut tx, tenant).await?.unwrap_or_default();
        let setup = app.setups.at(&mut tx, tenant, version).await?;
        let Some(Recompute { target, cursor }) = field_recomputes::find_for_update(&mut tx, tenant).await? else {
            return Ok(());
        };
        let records = Records {
            app,
            tenant,
            setup: &setup,
            after: cursor.as_deref(),
        };
        let last = match &target {
            Target::Leads => records.leads(&mut tx, None).await?,
            Target::AccountLeads(account) => records.leads(&mut tx, Some(account)).await?,
            Target::Accounts => records.accounts(&mut tx).await?,
            Target::Keys(field_key) => {
                let deleted = calculated_keys::delete(&mut tx, tenant, *field_key, BATCH).await?;
                (deleted == BATCH.unsigned_abs()).then(String::new)
            }
        };
        if let Some(last) = last {
            field_recomputes::advance(&mut tx, tenant, &target, &last).await?;
        } else {
            field_recomputes::finish(&mut tx, tenant, &target).await?;
            match target {
                Target::Leads => calculated_fields::set_ready(&mut tx, tenant, Entity::Lead).await?,
                Target::Accounts => calculated_fields::set_ready(&mut tx, tenant, Entity::Account).await?,
                Target::AccountLeads(_) | Target::Keys(_) => {}
            }
        }
        tx.commit().await?;
        app.intake.wake(tenant);
        Ok(())
    }
}

/// Where a batch begins.
struct Records<'a> {
    app: &'a App,
    tenant: &'a TenantId,
    setup: &'a Setup,
    after: Option<&'a str>,
}

impl Records<'_> {
    /// Recomputes a batch of leads, of all or of one account, and returns the last one unless all are done.
    async fn leads(&self, tx: &mut PgConnection, account: Option<&str>) -> Result<Option<String>, DbError> {
        let after = self.after.and_then(|after| Uuid::try_parse(after).ok());
        let rows = leads::list_after_for_update(tx, self.tenant, account, after, BATCH).await?;
        let mut keys: Vec<&str> = rows.iter().map(|row| row.account.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        let customers = accounts::get_known(tx, self.tenant, &keys).await?;
        let context = self.setup.context(self.app.clock.now());
        let fields = &self.setup.fields;
        let definitions = fields.definitions(Entity::Lead);
        let values = |row: &LeadRow| {
            let customer = customers.get(&row.account).cloned().map(Arc::new);
            let outcomes = fields.complete(&mut lead_facts::full(row, customer.as_ref()), &context);
            let values = RecordValues::new(row.lead_id.to_string(), definitions, &outcomes);
            (row.lead_id, values)
        };
        let values: Vec<_> = rows.iter().map(values).collect();
        calculated_values::save_leads(tx, self.tenant, &values).await?;
        if account.is_some() {
            self.reroute_waiting(tx, &rows).await?;
        }
        let last = rows.iter().map(|row| row.lead_id).max();
        Ok(last.filter(|_| full(rows.len())).map(|last| last.to_string()))
    }

    /// Has the waiting leads of an account looked at again where conditions may now say something else.
    async fn reroute_waiting(&self, tx: &mut PgConnection, rows: &[LeadRow]) -> Result<(), DbError> {
        let conditions = self.setup.policy.as_deref().and_then(Policy::conditions);
        if !conditions.is_some_and(|conditions| conditions.read_accounts() || conditions.read_calculated()) {
            return Ok(());
        }
        let waiting = rows.iter().filter(|row| row.state() == State::Queued);
        let waiting: Vec<Uuid> = waiting.map(|row| row.lead_id).collect();
        reroute::request_leads(tx, self.tenant, Trigger::PolicyChanged, &waiting).await
    }

    /// Recomputes a batch of accounts, and returns the last one unless all are done.
    async fn accounts(&self, tx: &mut PgConnection) -> Result<Option<String>, DbError> {
        let rows = accounts::list_for_update(tx, self.tenant, self.after, BATCH).await?;
        let context = self.setup.context(self.app.clock.now());
        let definitions = self.setup.fields.definitions(Entity::Account);
        let values: Vec<RecordValues> = rows
            .iter()
            .map(|account| {
                let outcomes = self.setup.fields.of_account(account, &context);
                RecordValues::new(account.id.key().to_owned(), definitions, &outcomes)
            })
            .collect();
        calculated_values::save_accounts(tx, self.tenant, &values).await?;
        let last = rows.last().filter(|_| full(rows.len()));
        Ok(last.map(|account| account.id.key().to_owned()))
    }
}

/// Tells whether there may be more behind a batch of so many.
fn full(records: usize) -> bool {
    records as u64 == BATCH.unsigned_abs()
}

impl ShardWorker for FieldRecomputes {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.round(&hold).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(DbError::LeaseLost) => {
                    info!(shard = hold.shard(), "another replica recomputes now");
                    return;
                }
                Err(error) => warn!(shard = hold.shard(), %error, "recomputing failed, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.recomputes.shard(hold.index()).notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}
