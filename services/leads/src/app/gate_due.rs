//! Another look at leads that are kept from salespeople, or that nobody worked on for long; fired by timers, under the lead's
//! lock. Here is also what it means for a lead to be nurtured and to come back.

use jiff::{SignedDuration, Timestamp};
use reflex_pg::DbError;
use reflex_proto::leads::v1::{LeadNurtured, LeadReturned, LeadSetAside, RoutingDecision};
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use sqlx::PgConnection;

use super::{
    App,
    fire_timers::{FireError, LeadTimers},
    gate::{Cause, GateDue, company_domain, kept_for},
    intake::screening::{detail, gated, retry_time},
};
use crate::{
    convert,
    domain::{
        decision::{QueueReason, Trigger},
        gate::{Judgement, Verdict, judge},
        ids::{LeadId, MemberId},
        lead::State,
        routing::Policy,
    },
    events::{self, Facts},
    setup::Setup,
    store::{
        company_lookups, decisions, history,
        lead_gates::{self, GateRow, Judged},
        leads::{self, LeadRow},
        reroute, running_clocks,
    },
};

/// What moves a lead, and whose it is.
pub(crate) struct Mover<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) lead: &'a LeadRow,
    /// Who does it; `None` for nobody.
    pub(crate) member: Option<MemberId>,
    pub(crate) traceparent: Option<String>,
}

/// Where a lead is taken so that salespeople do not have it any more, and why.
pub(crate) enum Aside<'a> {
    /// To the nurture pool, for a reason and with a sentence about it.
    Nurture(&'static str, &'a str),
    /// Out of the way as none, as somebody said; with what speaks against it.
    Corrected(Vec<String>),
}

impl Aside<'_> {
    fn state(&self) -> State {
        match self {
            Self::Nurture(..) => State::Nurture,
            Self::Corrected(_) => State::SetAside,
        }
    }

    fn kept_for(&self) -> &'static str {
        match self {
            Self::Nurture(kept_for, _) => kept_for,
            Self::Corrected(_) => "invalid",
        }
    }

    /// Returns why routing says that nobody has it.
    fn reason(&self) -> QueueReason {
        match self {
            Self::Nurture(..) => QueueReason::Nurture,
            Self::Corrected(_) => QueueReason::SetAside,
        }
    }

    /// Returns kind and words of its entry in the history.
    fn entry(&self) -> (&'static str, String) {
        match self {
            Self::Nurture(kept_for, detail) => ("nurtured", format!("{kept_for}: {detail}")),
            Self::Corrected(_) => ("set_aside", "invalid: corrected".to_owned()),
        }
    }
}

impl LeadTimers {
    /// Looks at a lead again.
    pub(super) async fn look_again(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let due: GateDue = serde_json::from_value(timer.payload.clone())?;
        let Some(lead) = leads::find_for_update(tx, &timer.tenant, due.lead).await? else {
            return Ok(());
        };
        let setup = self.0.setups.get(tx, &timer.tenant).await?;
        let mover = Mover {
            tenant: &timer.tenant,
            lead: &lead,
            member: None,
            traceparent: timer.traceparent.clone(),
        };
        match due.cause {
            Cause::Stale => self.0.nurture_stale(tx, &setup, &mover).await?,
            cause => self.0.judge_again(tx, &setup, &mover, cause).await?,
        }
        Ok(())
    }
}

impl App {
    /// Judges a kept lead again, and moves it where it belongs now. What somebody sent to be nurtured, and what nobody worked on,
    /// comes back only when something is seen of it.
    async fn judge_again(
        &self,
        tx: &mut PgConnection,
        setup: &Setup,
        mover: &Mover<'_>,
        cause: Cause,
    ) -> Result<(), DbError> {
        let Mover { tenant, lead, .. } = *mover;
        let state = lead.state();
        if !matches!(state, State::Held | State::Nurture) {
            return Ok(());
        }
        let id = LeadId(lead.lead_id);
        let Some(stored) = lead_gates::find(tx, tenant, id).await? else {
            return Ok(());
        };
        let of_gate = matches!(stored.kept_for.as_deref(), Some("gate" | "hold_over"));
        if !of_gate && cause != Cause::Facts {
            return Ok(());
        }
        let gate = setup.gate.as_deref().cloned().unwrap_or_default();
        let now = self.now_stored();
        let known = self.gate_knowledge(tx, tenant, &gate, &[lead], now).await?;
        company_lookups::request(tx, tenant, &known.ask, now).await?;
        let held_since = (state == State::Held).then(|| stored.since.to_jiff());
        let judgement = judge(&gate.spec, gate.version, &known.facts[0], held_since, now);
        self.note_judgement(tx, mover, &stored, &judgement, now).await?;
        match (judgement.verdict, state) {
            (Verdict::Pass, _) => {
                self.return_lead_kept(tx, mover, Trigger::GatePassed, detail(&judgement))
                    .await
            }
            (Verdict::Nurture, State::Held) => {
                let why = kept_for(&judgement).unwrap_or("gate");
                self.take_aside(tx, setup, mover, &Aside::Nurture(why, &detail(&judgement)))
                    .await
            }
            (Verdict::Hold, State::Held) if cause == Cause::Retry => {
                let due_time = retry_time(&gate, stored.since.to_jiff(), now);
                let again = GateDue { lead: id, cause }.timer(tenant, self.ids.next(), due_time);
                reflex_timers::set(tx, &[again]).await
            }
            _ => Ok(()),
        }
    }

    /// Keeps what the gate said; tells it where that is otherwise than before.
    async fn note_judgement(
        &self,
        tx: &mut PgConnection,
        mover: &Mover<'_>,
        stored: &GateRow,
        judgement: &Judgement,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let Mover { tenant, lead, .. } = *mover;
        let changed = stored.verdict.as_deref() != Some(judgement.verdict.as_str());
        let reason = match stored.kept_for.as_deref() {
            Some("stale") => Some("stale"),
            Some("manual") => Some("manual"),
            Some("hold_over") => Some("hold_over"),
            _ => kept_for(judgement).or(Some("gate")),
        };
        let judged = Judged {
            lead: LeadId(lead.lead_id),
            judgement: Some(judgement.clone()),
            validity: None,
            since: if changed { now } else { stored.since.to_jiff() },
            kept_for: reason,
            domain: company_domain(lead),
        };
        lead_gates::save(tx, tenant, &[judged], now).await?;
        if !changed {
            return Ok(());
        }
        let entry = self.entry(lead, "gated", None, detail(judgement));
        history::add(tx, tenant, &[entry]).await?;
        self.tell_of(tx, mover, events::LEAD_GATED, &gated(lead, judgement))
            .await
    }

    /// Has a lead that is kept routed anew; under its lock.
    pub(crate) async fn return_lead_kept(
        &self,
        tx: &mut PgConnection,
        mover: &Mover<'_>,
        trigger: Trigger,
        detail: String,
    ) -> Result<(), DbError> {
        let Mover { tenant, lead, .. } = *mover;
        let (id, now) = (LeadId(lead.lead_id), self.now_stored());
        let word = trigger.as_str();
        lead_gates::set_returned(tx, tenant, id, word, now).await?;
        lead_gates::set_kept(tx, tenant, id, None, now).await?;
        reroute::request_leads(tx, tenant, trigger, &[lead.lead_id]).await?;
        let entry = self.entry(lead, "returned", mover.member.clone(), detail);
        history::add(tx, tenant, &[entry]).await?;
        let told = LeadReturned {
            lead: id.to_string(),
            number: lead.number_text(),
            reason: word.to_owned(),
            member: mover.member.as_ref().map(ToString::to_string).unwrap_or_default(),
            from: lead.state().as_str().to_owned(),
        };
        self.tell_of(tx, mover, events::LEAD_RETURNED, &told).await
    }

    /// Takes a lead to where it is kept from salespeople; under the lock of its timers and its own.
    pub(crate) async fn take_aside(
        &self,
        tx: &mut PgConnection,
        setup: &Setup,
        mover: &Mover<'_>,
        aside: &Aside<'_>,
    ) -> Result<(), DbError> {
        let Mover { tenant, lead, .. } = *mover;
        let (id, now) = (LeadId(lead.lead_id), self.now_stored());
        let owner = lead.owner().filter(|_| lead.state().is_owned());
        running_clocks::stop(tx, tenant, id).await?;
        lead_gates::set_aside(tx, tenant, id, aside.state()).await?;
        lead_gates::set_kept(tx, tenant, id, Some(aside.kept_for()), now).await?;
        let (kind, detail) = aside.entry();
        let entry = self.entry(lead, kind, owner.clone().or_else(|| mover.member.clone()), detail);
        history::add(tx, tenant, &[entry]).await?;
        if !lead.state().is_aside() && lead.state() != State::Captured {
            // A rehearsal must know that nobody has it from now on.
            let decision = RoutingDecision {
                decide_time: Some(convert::timestamp(now)),
                trigger: Trigger::Recycled.as_str().to_owned(),
                policy_version: setup.policy.as_deref().map_or(0, Policy::version),
                team: lead.team().map(|team| team.to_string()).unwrap_or_default(),
                reason: aside.reason().as_str().to_owned(),
                ..RoutingDecision::default()
            };
            decisions::insert(tx, tenant, id, self.ids.next(), (now, &decision)).await?;
        }
        if let Some(owner) = &owner {
            leads::add_open_leads(tx, tenant, owner, -1).await?;
            reroute::request(tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
        }
        let (lead_name, number) = (id.to_string(), lead.number_text());
        let member = owner.as_ref().map(ToString::to_string).unwrap_or_default();
        match aside {
            Aside::Nurture(kept_for, _) => {
                let told = LeadNurtured {
                    lead: lead_name,
                    number,
                    reason: (*kept_for).to_owned(),
                    member,
                    company: lead.company.clone(),
                };
                self.tell_of(tx, mover, events::LEAD_NURTURED, &told).await
            }
            Aside::Corrected(reasons) => {
                let told = LeadSetAside {
                    lead: lead_name,
                    number,
                    reasons: reasons.clone(),
                    member,
                    corrected: true,
                };
                self.tell_of(tx, mover, events::LEAD_SET_ASIDE, &told).await
            }
        }
    }

    /// Sends a lead to the nurture pool that nobody worked on for as long as the policy says.
    async fn nurture_stale(&self, tx: &mut PgConnection, setup: &Setup, mover: &Mover<'_>) -> Result<(), DbError> {
        let (tenant, lead) = (mover.tenant, mover.lead);
        let days = setup.gate.as_deref().map_or(0, |gate| gate.spec.stale_after_days);
        let workable = lead.state() == State::Queued || lead.state().is_owned();
        if days == 0 || !workable {
            return Ok(());
        }
        let since = stale_since(self.clock.now(), days);
        if !lead_gates::is_stale(tx, tenant, LeadId(lead.lead_id), since).await? {
            return Ok(());
        }
        let detail = format!("no follow-up within {days} days");
        self.take_aside(tx, setup, mover, &Aside::Nurture("stale", &detail))
            .await
    }

    async fn tell_of(
        &self,
        tx: &mut PgConnection,
        mover: &Mover<'_>,
        kind: &'static str,
        message: &impl prost::Message,
    ) -> Result<(), DbError> {
        let facts = Facts {
            tenant: mover.tenant,
            ids: &self.ids,
            time: self.clock.now(),
        };
        let lead = LeadId(mover.lead.lead_id);
        let fact = facts.fact(kind, &lead, mover.traceparent.clone(), message);
        reflex_events::outbox::push(tx, &[fact]).await
    }

    /// Returns the present to the microsecond, as tables keep it.
    pub(crate) fn now_stored(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// Returns since when nothing may have happened to a lead that is stale after so many days.
pub(crate) fn stale_since(now: Timestamp, days: i32) -> Timestamp {
    let term = SignedDuration::from_hours(24) * days;
    now.saturating_sub(term).unwrap_or(Timestamp::MIN)
}
