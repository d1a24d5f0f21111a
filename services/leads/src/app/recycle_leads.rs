//! Leads go back to the pool when the time of a rule is over; fired by timers, under the lead's lock.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{LeadRecycled, RoutingDecision, routing_decision::Exclusion};
use reflex_timers::Timer;
use sqlx::PgConnection;

use super::{
    fire_timers::{FireError, LeadTimers},
    lead_facts,
    pool_clocks::{self, COOLDOWN_ENDED, PoolSweep, RECYCLE_DUE, RecycleDue},
};
use crate::{
    convert,
    domain::{
        decision::{ExclusionReason, QueueReason, Trigger},
        ids::CalendarId,
        lead::State,
        pool::{Cooldown, Pool, Rule, Then},
        routing::Policy,
    },
    events,
    setup::Setup,
    store::{
        decisions,
        history::{self, Entry},
        leads::{self, LeadRow},
        pools::{self, Owned, Recycled},
        reroute,
    },
};

/// Owned leads whose clocks are set together.
const SWEPT: i64 = 500;

/// A lead whose rule's time is over.
struct Forfeit<'a> {
    timer: &'a Timer,
    setup: &'a Setup,
    lead: &'a LeadRow,
    owned: &'a Owned,
    rule: &'a Rule,
    now: Timestamp,
}

impl LeadTimers {
    /// Looks whether the owner of a lead has had it for too long without doing anything, and sets the clock again if not.
    pub(super) async fn recycle(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let due: RecycleDue = serde_json::from_value(timer.payload.clone())?;
        let tenant = &timer.tenant;
        let Some(lead) = leads::find_for_update(tx, tenant, due.lead).await? else {
            return Ok(());
        };
        // Read under the lock that follow-ups take, too: either the follow-up came first, or it finds no owner.
        let owned = pools::find_owned(tx, tenant, due.lead).await?;
        let Some(owned) = owned.filter(|owned| owned.fencing_token == due.fencing_token) else {
            return Ok(());
        };
        let setup = self.0.setups.get(tx, tenant).await?;
        let Some(pool) = setup.pool.as_deref() else {
            return Ok(());
        };
        let now = self.now();
        let (over, running): (Vec<_>, Vec<_>) = pool_clocks::ends(&setup, pool, &owned.held)
            .into_iter()
            .partition(|(end, _)| *end <= now);
        if let Some(rule) = self.judge(tx, timer, &setup, pool, &lead, &over).await? {
            let forfeit = Forfeit {
                timer,
                setup: &setup,
                lead: &lead,
                owned: &owned,
                rule,
                now,
            };
            return self.send_back(tx, &forfeit).await;
        }
        if let Some((next, _)) = running.first() {
            let timer = pool_clocks::timer(RECYCLE_DUE, tenant, &due, *next, timer.traceparent.clone());
            reflex_timers::set(tx, &[timer]).await?;
        }
        Ok(())
    }

    /// Returns the first rule whose time is over and whose condition holds.
    async fn judge<'a>(
        &self,
        tx: &mut PgConnection,
        timer: &Timer,
        setup: &Setup,
        pool: &'a Pool,
        lead: &LeadRow,
        over: &[(Timestamp, usize)],
    ) -> Result<Option<&'a Rule>, FireError> {
        if over.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        let mut facts = lead_facts::full(lead, None);
        lead_facts::complete(tx, &timer.tenant, setup, now, vec![&mut facts]).await?;
        let zone = setup.calendar(&CalendarId::default_of_tenant()).time_zone();
        let meant = over.iter().find(|(_, place)| pool.holds(*place, &facts, now, zone));
        Ok(meant.map(|(_, place)| &pool.spec().rules[*place]))
    }

    /// Takes the lead from its owner and has it routed anew or wait to be picked.
    async fn send_back(&self, tx: &mut PgConnection, forfeit: &Forfeit<'_>) -> Result<(), FireError> {
        let Forfeit {
            timer,
            lead,
            owned,
            rule,
            now,
            ..
        } = *forfeit;
        let (tenant, id, owner) = (&timer.tenant, owned.lead, &owned.held.owner);
        let until = forfeit.cooldown_end();
        let mut cooldowns = lead.cooldowns.as_ref().map(|it| it.0.clone()).unwrap_or_default();
        if let Some(until) = until {
            cooldowns.add(Cooldown {
                member: owner.clone(),
                since: now,
                until,
            });
        }
        let waits = rule.then == Then::Wait;
        let recycled = Recycled {
            lead: id,
            queue_reason: if waits {
                QueueReason::Pooled.as_str()
            } else {
                Trigger::Recycled.as_str()
            },
            previous_owner: Some(owner).filter(|_| until.is_none()),
            cooldowns: &cooldowns,
        };
        pools::recycle(tx, tenant, &recycled).await?;
        leads::add_open_leads(tx, tenant, owner, -1).await?;
        let entry = Entry {
            lead_id: lead.lead_id,
            id: self.0.ids.next(),
            time: now,
            kind: "recycled",
            member: Some(owner.clone()),
            detail: forfeit.detail(),
        };
        history::add(tx, tenant, &[entry]).await?;
        if waits {
            let decision = forfeit.decision();
            decisions::insert(tx, tenant, id, self.0.ids.next(), (now, &decision)).await?;
        } else {
            reroute::request_leads(tx, tenant, Trigger::Recycled, &[lead.lead_id]).await?;
        }
        if let Some(until) = until.filter(|_| !waits) {
            let of = RecycleDue {
                lead: id,
                fencing_token: owned.fencing_token,
            };
            let ended = pool_clocks::timer(COOLDOWN_ENDED, tenant, &of, until, timer.traceparent.clone());
            reflex_timers::set(tx, &[ended]).await?;
        }
        // Whoever lost it has room for another.
        reroute::request(tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
        let told = LeadRecycled {
            lead: id.to_string(),
            number: lead.number_text(),
            member: owner.to_string(),
            team: lead.team().map(|team| team.to_string()).unwrap_or_default(),
            rule: rule.title.clone(),
            reason: rule.lacking.as_str().to_owned(),
            cooldown_end_time: until.map(convert::timestamp),
            pooled: waits,
            company: lead.company.clone(),
        };
        self.tell(tx, timer, events::LEAD_RECYCLED, id, &told).await
    }

    /// Has a lead looked at again that somebody may have now who had lost it.
    pub(super) async fn end_cooldown(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let due: RecycleDue = serde_json::from_value(timer.payload.clone())?;
        let lead = leads::find(tx, &timer.tenant, due.lead).await?;
        if let Some(lead) = lead.filter(|lead| lead.state() == State::Queued) {
            reroute::request_leads(tx, &timer.tenant, Trigger::CooldownEnded, &[lead.lead_id]).await?;
        }
        Ok(())
    }

    /// Sets the clocks of a batch of owned leads by the policy of now, and puts the next batch on the clock.
    pub(super) async fn sweep(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let PoolSweep { after } = serde_json::from_value(timer.payload.clone())?;
        let tenant = &timer.tenant;
        let setup = self.0.setups.get(tx, tenant).await?;
        // Not locked: who gets a lead meanwhile does so by the policy of now, and an ownership that ended has no clock.
        let owned = pools::list_owned(tx, tenant, after, SWEPT).await?;
        let clock = |owned: &Owned| {
            let of = RecycleDue {
                lead: owned.lead,
                fencing_token: owned.fencing_token,
            };
            pool_clocks::first(&setup, tenant, &of, &owned.held, None)
        };
        let mut timers: Vec<Timer> = owned.iter().filter_map(clock).collect();
        if let Some(last) = owned.last().filter(|_| owned.len() as u64 >= SWEPT.unsigned_abs()) {
            timers.push(pool_clocks::sweep(tenant, Some(last.lead), self.now()));
        }
        Ok(reflex_timers::set(tx, &timers).await?)
    }

    /// Returns the present to the microsecond, as tables keep it: a cooldown begins when the history says.
    fn now(&self) -> Timestamp {
        let now = self.0.clock.now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

impl Forfeit<'_> {
    /// Returns from when on the owner may have the lead again, if there is a time.
    fn cooldown_end(&self) -> Option<Timestamp> {
        let cooldown = Some(self.rule.cooldown).filter(|cooldown| !cooldown.is_zero())?;
        Some(self.now.saturating_add(cooldown).unwrap_or(Timestamp::MAX))
    }

    fn detail(&self) -> String {
        let within = SignedDuration::try_from(self.rule.within).unwrap_or(SignedDuration::MAX);
        let (title, reason) = (&self.rule.title, self.rule.lacking.as_str());
        match self.cooldown_end() {
            Some(until) => format!("{title}: {reason} within {within:#}, cooldown until {until}"),
            None => format!("{title}: {reason} within {within:#}"),
        }
    }

    /// Makes the decision that the lead waits to be picked.
    fn decision(&self) -> RoutingDecision {
        let cooldown = self.cooldown_end().map(|until| Exclusion {
            member: self.owned.held.owner.to_string(),
            reason: ExclusionReason::Cooldown.as_str().to_owned(),
            detail: format!("until {until}"),
        });
        RoutingDecision {
            decide_time: Some(convert::timestamp(self.now)),
            trigger: Trigger::Recycled.as_str().to_owned(),
            policy_version: self.setup.policy.as_deref().map_or(0, Policy::version),
            team: self.lead.team().map(|team| team.to_string()).unwrap_or_default(),
            exclusions: cooldown.into_iter().collect(),
            reason: QueueReason::Pooled.as_str().to_owned(),
            ..RoutingDecision::default()
        }
    }
}
