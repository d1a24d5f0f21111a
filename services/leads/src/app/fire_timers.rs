//! What happens when a lead's clock runs out: the claim fuse, the steps of the ladder, the end of a leave.
//!
//! Each effect locks the lead and looks again, in the transaction that deletes the timer: a step is taken once or, after
//! a call was recorded, not at all. A call does not cancel timers: they find it when they are due. So locks are always
//! taken in the order timer, lead.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{ClaimExpired, LeadEscalated};
use reflex_tenancy::TenantId;
use reflex_timers::{Fire, Timer};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracing::warn;

use super::{
    App,
    decision_maps::DECISION_MAP_DUE,
    gate::{GATE_DUE, GATE_SWEEP},
    pool_clocks::{COOLDOWN_ENDED, POOL_SWEEP, RECYCLE_DUE},
    recompute::{By, ClockStart},
    tagging::TAG_EXPIRED,
};
use crate::{
    convert,
    domain::{
        claim,
        decision::Trigger,
        escalation::{Concerned, Recipient, StepOutcome, resolve_audience, step_outcome},
        ids::{LeadId, TeamId},
        ladder::{Audience, Channel, Ladder, Step},
    },
    events::{self, Facts},
    setup::Setup,
    store::{
        escalations::{self, Escalation},
        history,
        intake::instant,
        leads::{self, LeadRow},
        reroute,
        running_clocks::{CLAIM_DUE, LADDER_STEP},
    },
};

/// Timer of a leave's end; key `leaves/{leave}`.
pub(crate) const LEAVE_ENDED: &str = "leave_ended";

/// What a claim fuse remembers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClaimFuse {
    pub(crate) lead: LeadId,
    pub(crate) fencing_token: i64,
    pub(crate) clock: ClockStart,
}

/// What a step of a ladder remembers: the rest of the ladder as it was when the clock started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LadderStep {
    pub(crate) lead: LeadId,
    pub(crate) step: i16,
    pub(crate) step_count: i16,
    pub(crate) audience: Audience,
    pub(crate) channels: Vec<Channel>,
    /// How long after the contact is due; part of what the clock runs.
    pub(crate) after: Duration,
    pub(crate) clock: ClockStart,
    /// Whether the ladder ends once somebody it told acknowledges; not said by ladders that started before they could.
    #[serde(default)]
    pub(crate) acknowledge_stops: bool,
    /// The steps after this one: each is put on the clock when the one below it is taken.
    pub(crate) then: Vec<Step>,
}

impl LadderStep {
    /// Returns the first step of a ladder, or none of a ladder without steps.
    pub(crate) fn first(lead: LeadId, ladder: &Ladder, start: Timestamp, by: By) -> Option<Self> {
        let contact = ClockStart {
            start,
            run: ladder.contact_within,
            by,
        };
        let before = Self {
            lead,
            step: 0,
            step_count: i16::try_from(ladder.steps.len()).unwrap_or(i16::MAX),
            audience: Audience::Owner,
            channels: Vec::new(),
            after: Duration::ZERO,
            clock: contact,
            acknowledge_stops: ladder.acknowledge_stops,
            then: ladder.steps.clone(),
        };
        before.next()
    }

    fn next(&self) -> Option<Self> {
        let (step, then) = self.then.split_first()?;
        let contact = self.contact();
        Some(Self {
            lead: self.lead,
            step: self.step + 1,
            step_count: self.step_count,
            acknowledge_stops: self.acknowledge_stops,
            audience: step.audience,
            channels: step.channels.clone(),
            after: step.after,
            clock: ClockStart {
                run: contact.run + step.after,
                ..contact
            },
            then: then.to_vec(),
        })
    }

    /// Returns the clock that runs out when the contact is due.
    pub(crate) fn contact(&self) -> ClockStart {
        ClockStart {
            run: self.clock.run.saturating_sub(self.after),
            ..self.clock.clone()
        }
    }

    /// Returns the timer that takes the step at `due_time`.
    pub(crate) fn timer(&self, tenant: &TenantId, due_time: Timestamp, traceparent: Option<String>) -> Timer {
        Timer {
            tenant: tenant.clone(),
            kind: LADDER_STEP.to_owned(),
            key: format!("{}/{}", self.lead, self.step),
            due_time,
            payload: serde_json::to_value(self).expect("plain data becomes JSON"),
            traceparent,
        }
    }
}

/// What all clocks of leads say about the lead.
#[derive(Deserialize)]
struct AboutLead {
    lead: LeadId,
}

/// What the end of a leave remembers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeaveEnd {
    pub(crate) team: TeamId,
}

/// A timer's effect failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FireError {
    #[error("the database failed")]
    Database(#[from] DbError),
    #[error("the timer's payload cannot be read")]
    Payload(#[from] serde_json::Error),
}

/// Carries out the timers of leads.
pub(crate) struct LeadTimers(pub(crate) Arc<App>);

impl Fire for LeadTimers {
    type Error = FireError;

    async fn fire(&self, tx: &mut PgConnection, timers: &[Timer]) -> Result<(), FireError> {
        lock_leads(tx, timers).await?;
        for timer in timers {
            match timer.kind.as_str() {
                LADDER_STEP => self.climb(tx, timer).await?,
                CLAIM_DUE => self.burn_fuse(tx, timer).await?,
                RECYCLE_DUE => self.recycle(tx, timer).await?,
                COOLDOWN_ENDED => self.end_cooldown(tx, timer).await?,
                POOL_SWEEP => self.sweep(tx, timer).await?,
                LEAVE_ENDED => {
                    let leave: LeaveEnd = serde_json::from_value(timer.payload.clone())?;
                    reroute::request(tx, &timer.tenant, Trigger::LeaveEnded, Some(&leave.team)).await?;
                }
                GATE_DUE => self.look_again(tx, timer).await?,
                GATE_SWEEP => self.sweep_gate(tx, timer).await?,
                TAG_EXPIRED => self.0.expire_tag(tx, timer).await?,
                DECISION_MAP_DUE => self.map_due(tx, timer).await?,
                unknown => warn!(kind = unknown, "a timer of an unknown kind was passed over"),
            }
        }
        Ok(())
    }

    fn fired(&self) {
        self.0.relay.wake();
        for shard in 0..reroute::INTAKE_SHARDS {
            self.0.intake.shard(shard).notify_one();
        }
    }
}

impl LeadTimers {
    /// Takes a step, and those above it that are due as well; puts the next one on the clock.
    async fn climb(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let mut step: LadderStep = serde_json::from_value(timer.payload.clone())?;
        let Some(lead) = leads::find_for_update(tx, &timer.tenant, step.lead).await? else {
            return Ok(());
        };
        if step_outcome(&lead.standing()) != StepOutcome::Fire {
            return Ok(());
        }
        let start = step.clock.start;
        if step.acknowledge_stops && escalations::is_acknowledged(tx, &timer.tenant, step.lead, start).await? {
            return Ok(());
        }
        let setup = self.0.setups.get(tx, &timer.tenant).await?;
        loop {
            self.take_step(tx, timer, &setup, &lead, &step).await?;
            let Some(next) = step.next() else { return Ok(()) };
            match next.clock.due(&setup) {
                Ok(due) if due.at <= self.0.clock.now() => step = next,
                Ok(due) => {
                    let timer = next.timer(&timer.tenant, due.at, timer.traceparent.clone());
                    return Ok(reflex_timers::set(tx, &[timer]).await?);
                }
                Err(error) => {
                    warn!(tenant = %timer.tenant, lead = %next.lead, %error, "a ladder ends where its calendar does");
                    return Ok(());
                }
            }
        }
    }

    async fn take_step(
        &self,
        tx: &mut PgConnection,
        timer: &Timer,
        setup: &Setup,
        lead: &LeadRow,
        step: &LadderStep,
    ) -> Result<(), FireError> {
        let owner = lead.owner();
        let recipient = self.recipient(setup, lead, step.audience);
        let escalation = Escalation {
            lead: step.lead,
            step: step.step,
            clock_start: step.clock.start,
            acknowledge_stops: step.acknowledge_stops,
            recipient: recipient.as_ref().map(|it| it.member.clone()),
            deputising_for: recipient.as_ref().and_then(|it| it.deputising_for.clone()),
            audience: step.audience,
            time: self.0.clock.now(),
        };
        if !escalations::insert(tx, &timer.tenant, &escalation).await? {
            return Ok(());
        }
        let detail = format!("step {} of {}, {}", step.step, step.step_count, step.audience.as_str());
        let entry = self.0.entry(lead, "escalated", escalation.recipient.clone(), detail);
        history::add(tx, &timer.tenant, &[entry]).await?;
        let Some(recipient) = escalation.recipient else {
            warn!(tenant = %timer.tenant, lead = %step.lead, step = step.step, "a step of a ladder has nobody to tell");
            return Ok(());
        };
        let owner_name = owner.as_ref().and_then(|owner| setup.directory.find_member(owner));
        let told = LeadEscalated {
            lead: step.lead.to_string(),
            number: lead.number_text(),
            step: step.step.into(),
            step_count: step.step_count.into(),
            recipient: recipient.to_string(),
            deputising_for: escalation
                .deputising_for
                .map(|member| member.to_string())
                .unwrap_or_default(),
            audience: step.audience.as_str().into(),
            channels: step
                .channels
                .iter()
                .map(|channel| channel.as_str().to_owned())
                .collect(),
            owner: owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            owner_display_name: owner_name.map(|member| member.display_name.clone()).unwrap_or_default(),
            company: lead.company.clone(),
            product: lead.product.clone(),
            contact_due_time: instant(lead.contact_due_time).map(convert::timestamp),
            fencing_token: lead.fencing_token,
        };
        self.tell(tx, timer, events::LEAD_ESCALATED, step.lead, &told).await
    }

    async fn burn_fuse(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let fuse: ClaimFuse = serde_json::from_value(timer.payload.clone())?;
        let Some(lead) = leads::find_for_update(tx, &timer.tenant, fuse.lead).await? else {
            return Ok(());
        };
        if !claim::claim_expires(&lead.standing(), fuse.fencing_token) {
            return Ok(());
        }
        let setup = self.0.setups.get(tx, &timer.tenant).await?;
        let member = lead.owner();
        let entry = self.0.entry(&lead, "claim_expired", member.clone(), String::new());
        history::add(tx, &timer.tenant, &[entry]).await?;
        let told = self.claim_expired(&setup, &lead);
        self.tell(tx, timer, events::CLAIM_EXPIRED, fuse.lead, &told).await?;
        let reassign = setup
            .policy
            .as_ref()
            .is_some_and(|policy| policy.spec().reassign_unclaimed);
        if let (true, Some(member)) = (reassign, &member) {
            leads::set_queued(tx, &timer.tenant, &[fuse.lead.0], Trigger::ClaimExpired).await?;
            leads::add_open_leads(tx, &timer.tenant, member, -1).await?;
            reroute::request_leads(tx, &timer.tenant, Trigger::ClaimExpired, &[fuse.lead.0]).await?;
        }
        Ok(())
    }

    fn claim_expired(&self, setup: &Setup, lead: &LeadRow) -> ClaimExpired {
        let director = self.recipient(setup, lead, Audience::Director);
        ClaimExpired {
            lead: LeadId(lead.lead_id).to_string(),
            number: lead.number_text(),
            member: lead.owner().map(|member| member.to_string()).unwrap_or_default(),
            team: lead.team().map(|team| team.to_string()).unwrap_or_default(),
            director: director.map(|it| it.member.to_string()).unwrap_or_default(),
            company: lead.company.clone(),
        }
    }

    pub(super) fn recipient(&self, setup: &Setup, lead: &LeadRow, audience: Audience) -> Option<Recipient> {
        let (owner, team) = (lead.owner(), lead.team());
        let concerned = Concerned {
            owner: owner.as_ref(),
            team: team.as_ref(),
        };
        resolve_audience(&setup.directory, &setup.leaves, concerned, audience, self.0.clock.now())
    }

    pub(super) async fn tell(
        &self,
        tx: &mut PgConnection,
        timer: &Timer,
        kind: &'static str,
        lead: LeadId,
        message: &impl prost::Message,
    ) -> Result<(), FireError> {
        let facts = Facts {
            tenant: &timer.tenant,
            ids: &self.0.ids,
            time: self.0.clock.now(),
        };
        let fact = facts.fact(kind, &lead, timer.traceparent.clone(), message);
        reflex_events::outbox::push(tx, &[fact]).await?;
        Ok(())
    }
}

/// Locks the leads of a batch before its effects lock them one by one, in the order of their timers: two loops that lock
/// several leads must not wait for each other.
async fn lock_leads(tx: &mut PgConnection, timers: &[Timer]) -> Result<(), FireError> {
    let mut leads = Vec::with_capacity(timers.len());
    for timer in timers.iter().filter(|timer| {
        [LADDER_STEP, CLAIM_DUE, RECYCLE_DUE, GATE_DUE, DECISION_MAP_DUE].contains(&timer.kind.as_str())
    }) {
        leads.push((&timer.tenant, AboutLead::deserialize(&timer.payload)?.lead));
    }
    leads::lock(tx, &leads).await?;
    Ok(())
}
