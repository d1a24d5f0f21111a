//! The intake loop: takes new and waiting leads in order, decides, and starts their clocks; one transaction a tenant's
//! batch.
//!
//! Everything between reading and writing is a pure fold over a snapshot ([`route_batch`]).

mod apart;
mod duplicates;
mod effects;
pub(crate) mod screening;
mod set_aside;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use opentelemetry::{KeyValue, metrics::Histogram};
use reflex_pg::{
    DbError, Transaction,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::{pace::Pace, telemetry};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use self::{effects::Effects, screening::Drafts, set_aside::SetAside};
use super::{App, lead_facts};
use crate::{
    domain::{
        assign::{Snapshot, route_batch},
        calculated::Entity,
        decision::{Decision, Outcome, Trigger},
        ids::{CalendarId, LeadId},
        routing::{Conditions, Policy},
        tags::CAPTURED,
    },
    setup::Setup,
    store::{
        calculated_values::RecordValues,
        intake::{self, Standings, Work},
        leads::LeadRow,
    },
};

/// The safety net for what other replicas captured.
const POLL: Duration = Duration::from_millis(50);
/// Rounds of a shard start so far apart when there is much to route.
const GAP: Duration = Duration::from_millis(5);
/// Waiting leads looked at together.
const PAGE: i64 = 500;
/// Rounds after which it is looked whether leads are to be compared anew.
const COMPARED_EVERY: u32 = 8;
/// Most leads of files a round: so many may be in the way of a lead that comes by itself.
const FILE_BATCH: usize = 200;

/// What a round of work was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Nothing that could be done.
    Idle,
    /// Leads of files and nothing else.
    Files,
    /// Something somebody waits for.
    Prompt,
}

/// Routes the leads of a shard of tenants.
pub(crate) struct Intake {
    app: Arc<App>,
    batch_sizes: Histogram<u64>,
}

impl Intake {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let batch_sizes = telemetry::meter().u64_histogram("intake.batch.size").build();
        Self { app, batch_sizes }
    }

    /// Does one round of work.
    async fn round(&self, hold: &Hold, aside: &mut SetAside) -> Result<Round, DbError> {
        let passed = aside.passed(Instant::now());
        let mut work = intake::list_work(&self.app.db.worker, hold.index(), &passed).await?;
        let only_files = work.iter().all(|item| item.from_file);
        if only_files {
            work.truncate(FILE_BATCH);
        } else {
            work.retain(|item| !item.from_file);
        }
        let mut tenants: Vec<&str> = work.iter().map(|item| item.tenant_id.as_str()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for tenant_id in &tenants {
            let tenant: TenantId = tenant_id.parse().expect("only valid tenants are stored");
            let items: Vec<&Work> = work.iter().filter(|item| item.tenant_id == *tenant_id).collect();
            self.route_tenant(hold, &tenant, items, aside).await?;
        }
        Ok(match (tenants.is_empty(), only_files) {
            (true, _) => Round::Idle,
            (false, true) => Round::Files,
            (false, false) => Round::Prompt,
        })
    }

    /// Works a tenant's items off, together if that can be done. Where it cannot, halves are tried, so that what is at
    /// fault is found and set aside, and neither the tenant's other leads nor other tenants' wait for it.
    async fn route_tenant(
        &self,
        hold: &Hold,
        tenant: &TenantId,
        items: Vec<&Work>,
        aside: &mut SetAside,
    ) -> Result<(), DbError> {
        let mut left = vec![items];
        while let Some(mut items) = left.pop() {
            match self.route_items(hold, tenant, &items).await {
                Ok(()) => aside.forget(&items),
                Err(error @ (DbError::LeaseLost | DbError::Unavailable(_))) => return Err(error),
                Err(_) if items.len() > 1 => {
                    // The later half is put back first: leads stay in order.
                    left.push(items.split_off(items.len() / 2));
                    left.push(items);
                }
                // Of many leads it may be one: the others need not wait for it.
                Err(_) if items[0].is_of_many() && self.set_apart(hold, tenant, items[0]).await? => left.push(items),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    for item in items {
                        let rest = aside.add(item, Instant::now());
                        let lead = item.lead_id.map(|lead| LeadId(lead).to_string());
                        warn!(%tenant, lead, %error, cause, ?rest, "work could not be done, will be tried again");
                    }
                }
            }
        }
        Ok(())
    }

    /// Has some leads compared anew after a round: when it left time, and now and then when there never is any. Looked for less
    /// often where nothing happens.
    async fn and_compare(
        &self,
        hold: &Hold,
        routed: Result<Round, DbError>,
        turns: &mut u32,
    ) -> Result<Round, DbError> {
        let routed = routed?;
        *turns += 1;
        if *turns < COMPARED_EVERY && routed != Round::Files {
            return Ok(routed);
        }
        *turns = 0;
        let compared = match self.compare_again(hold).await {
            Ok(compared) => compared,
            Err(error @ (DbError::LeaseLost | DbError::Unavailable(_))) => return Err(error),
            // New leads must not wait for what is wrong with old ones.
            Err(error) => {
                warn!(shard = hold.shard(), %error, "leads could not be compared anew, will go on");
                false
            }
        };
        if compared && routed == Round::Idle {
            // There may be more, and nobody waits.
            *turns = COMPARED_EVERY;
            return Ok(Round::Prompt);
        }
        Ok(routed)
    }

    /// How many times as long as a round about leads of files took everybody else has the time: those who import have
    /// most of it.
    fn rests_after_files(&self) -> u32 {
        if self.app.imports.any() { 5 } else { 1 }
    }

    /// Begins to route leads of a tenant. What everybody holds is read before the reasons are looked at: whoever freed capacity that
    /// is seen here left a reason as well.
    async fn begin(&self, hold: &Hold, tenant: &TenantId) -> Result<(Transaction, Standings, Arc<Setup>), DbError> {
        let tenants = TenantSet::one(tenant);
        let mut tx = self.app.db.begin_held("route_leads", &tenants, &[hold]).await?;
        let standings = intake::get_standings(&mut tx, tenant).await?;
        let setup = self.app.setups.at(&mut tx, tenant, standings.setup_version).await?;
        Ok((tx, standings, setup))
    }

    async fn route_items(&self, hold: &Hold, tenant: &TenantId, items: &[&Work]) -> Result<(), DbError> {
        let (mut tx, standings, setup) = self.begin(hold, tenant).await?;
        let mut batch = Batch::new(tenant, &setup, standings, &self.app);

        for item in items.iter().filter(|item| item.reroute.is_some()) {
            batch.effects.changes.reroutes.extend(item.reroute);
            let trigger = trigger_of(item);
            if let Some(lead) = item.lead_id {
                let leads = intake::list_leads_for_update(&mut tx, tenant, "queued", &[lead]).await?;
                batch.route(&mut tx, leads, trigger).await?;
            } else {
                batch.route_waiting(&mut tx, item.team.as_deref(), trigger).await?;
            }
        }
        let new: Vec<Uuid> = items
            .iter()
            .filter(|item| item.reroute.is_none())
            .filter_map(|item| item.lead_id)
            .collect();
        if !new.is_empty() {
            let leads = intake::list_leads_for_update(&mut tx, tenant, "captured", &new).await?;
            batch.route(&mut tx, leads, Trigger::Captured).await?;
        }
        self.finish(tx, tenant, batch).await
    }

    /// Writes what a batch came to, and wakes whoever has work now.
    async fn finish(&self, mut tx: Transaction, tenant: &TenantId, batch: Batch<'_>) -> Result<(), DbError> {
        let app = &self.app;
        let routed = batch.effects.changes.moves.len();
        let asks = batch.effects.screened.asks();
        batch.effects.save(&mut tx, app.clock.now()).await?;
        tx.commit().await?;
        app.relay.wake();
        if asks {
            app.lookups.wake(tenant);
        }
        self.batch_sizes
            .record(routed as u64, &[KeyValue::new("tenant", tenant.to_string())]);
        Ok(())
    }
}

/// Returns what a request to look at waiting leads was made for.
fn trigger_of(request: &Work) -> Trigger {
    let trigger = request.trigger.as_deref().and_then(Trigger::find);
    trigger.unwrap_or(Trigger::DirectoryChanged)
}

/// A tenant's leads that are routed together.
struct Batch<'a> {
    tenant: &'a TenantId,
    setup: &'a Setup,
    snapshot: Snapshot,
    effects: Effects<'a>,
    app: &'a App,
    /// Leads that were looked at, so that two reasons do not route one twice.
    seen: HashSet<Uuid>,
}

impl<'a> Batch<'a> {
    fn new(tenant: &'a TenantId, setup: &'a Setup, standings: Standings, app: &'a App) -> Self {
        let snapshot = Snapshot {
            directory: Arc::clone(&setup.directory),
            policy: setup.policy.clone(),
            leaves: Arc::clone(&setup.leaves),
            open_leads: standings.open_leads,
            turns: standings.turns,
            account_owners: HashMap::new(),
            lead_owners: HashMap::new(),
            zone: setup.calendar(&CalendarId::default_of_tenant()).time_zone().clone(),
        };
        let effects = Effects::new(tenant, setup, &app.ids, app.clock.now());
        Self {
            tenant,
            setup,
            snapshot,
            effects,
            app,
            seen: HashSet::new(),
        }
    }

    /// Looks at the leads that wait, oldest first, as long as looking helps.
    async fn route_waiting(
        &mut self,
        tx: &mut PgConnection,
        team: Option<&str>,
        trigger: Trigger,
    ) -> Result<(), DbError> {
        let mut skip = 0;
        loop {
            let leads = intake::list_waiting_for_update(tx, self.tenant, team, PAGE, skip).await?;
            let found = i64::try_from(leads.len()).unwrap_or(i64::MAX);
            let placed = self.route(tx, leads, trigger).await?;
            // A whole page of which nobody could be placed: what waits behind it waits for the same people.
            if found < PAGE || placed == 0 {
                return Ok(());
            }
            skip += PAGE;
        }
    }

    /// Decides about leads in order, and returns how many got an owner.
    async fn route(
        &mut self,
        tx: &mut PgConnection,
        mut leads: Vec<LeadRow>,
        trigger: Trigger,
    ) -> Result<usize, DbError> {
        leads.retain(|lead| self.seen.insert(lead.lead_id));
        let policy = self.snapshot.policy.clone();
        let conditions = policy.as_deref().and_then(Policy::conditions);
        let fields = Arc::clone(&self.setup.fields);
        let tagging = trigger == Trigger::Captured && self.setup.tags.listen_to(CAPTURED);
        let wants_profiles = fields.leads_read_accounts()
            || conditions.is_some_and(Conditions::read_accounts)
            || (tagging && self.setup.tags.read_accounts());
        let wants_details = conditions.is_some() || !fields.is_empty() || tagging;
        let accounts: Vec<&str> = leads
            .iter()
            .map(|lead| lead.account.as_str())
            .filter(|account| !account.is_empty())
            .collect();
        let mut customers = HashMap::new();
        for (account, known) in intake::list_accounts(tx, self.tenant, &accounts, wants_profiles).await? {
            if let Some(customer) = known.account {
                customers.insert(account.clone(), Arc::new(customer));
            }
            if let Some(owner) = known.owner {
                self.snapshot.account_owners.entry(account).or_insert(owner);
            }
        }
        let mut twins = duplicates::find_twins(self, tx, &leads, trigger).await?;
        let now = self.effects.now;
        let context = self.setup.context(now);
        let mut facts = Vec::with_capacity(leads.len());
        let mut values = Vec::with_capacity(leads.len());
        for lead in &leads {
            let customer = customers.get(&lead.account);
            let mut lead_facts = lead_facts::bare(lead, trigger);
            lead_facts.twins = twins.remove(&lead.lead_id).unwrap_or_default();
            if wants_details {
                lead_facts.details = lead_facts::details(lead, customer);
            }
            // Calculated here and not with the capture, which is the hottest path and would have to read the setup.
            let outcomes = fields.complete(&mut lead_facts, &context);
            if tagging {
                self.effects.tag(lead, &mut lead_facts);
            }
            facts.push(lead_facts);
            let definitions = fields.definitions(Entity::Lead);
            let record = || RecordValues::new(lead.lead_id.to_string(), definitions, &outcomes);
            values.push((!definitions.is_empty()).then(record));
        }
        let Drafts { leads, facts, values } = self.screen(tx, trigger, Drafts { leads, facts, values }).await?;
        let decisions = route_batch(&facts, &mut self.snapshot, now);
        let mut placed = 0;
        for (((lead, facts), decision), values) in leads.iter().zip(&facts).zip(&decisions).zip(values) {
            placed += usize::from(matches!(decision.outcome, Outcome::Assigned { .. }));
            if changes_something(lead, decision) {
                self.effects.add(lead, facts, decision, values);
            }
        }
        Ok(placed)
    }
}

/// Tells a decision from one that only says again why the lead waits.
fn changes_something(lead: &LeadRow, decision: &Decision) -> bool {
    match &decision.outcome {
        Outcome::Assigned { .. } => true,
        Outcome::Queued { reason, team } => {
            lead.queue_reason.as_deref() != Some(reason.as_str()) || lead.team() != *team
        }
    }
}

impl ShardWorker for Intake {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        let mut pace = Pace::new(GAP);
        let mut turns = COMPARED_EVERY;
        let mut aside = SetAside::default();
        while !stop.is_cancelled() {
            pace.next().await;
            let started = Instant::now();
            let routed = self.round(&hold, &mut aside).await;
            let rest = match self.and_compare(&hold, routed, &mut turns).await {
                Ok(Round::Prompt) => continue,
                Ok(Round::Files) => started.elapsed() * self.rests_after_files(),
                Ok(Round::Idle) => POLL,
                Err(DbError::LeaseLost) => {
                    info!(shard = hold.shard(), "another replica routes now");
                    return;
                }
                Err(error) => {
                    warn!(shard = hold.shard(), %error, "routing failed, will go on");
                    POLL
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.app.intake.shard(hold.index()).notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }
}
