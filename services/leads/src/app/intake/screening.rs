//! What becomes of new leads before they are routed: the gate lets them pass, has them wait, or sends them to the nurture pool.
//! What is kept is not routed: no decision, no clock, and a rehearsal knows nothing of it until it comes back.

use jiff::Timestamp;
use reflex_events::NewEvent;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{LeadGated, LeadNurtured};
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use sqlx::PgConnection;

use super::Batch;
use crate::{
    app::gate::{Cause, GateDue, company_domain, kept_for},
    domain::{
        assign::LeadFacts,
        decision::Trigger,
        gate::{Gate, Judgement, Verdict, judge},
        ids::LeadId,
        lead::State,
    },
    events::{self, Facts},
    store::{
        calculated_values::RecordValues,
        company_lookups,
        history::{self, Entry},
        intake::{self, Kept},
        lead_gates::{self, Judged},
        leads::LeadRow,
    },
};

/// Leads on their way to be routed.
pub(super) struct Drafts {
    pub(super) leads: Vec<LeadRow>,
    pub(super) facts: Vec<LeadFacts>,
    pub(super) values: Vec<Option<RecordValues>>,
}

/// What screening does, gathered over a batch and written together.
#[derive(Default)]
pub(super) struct Screened {
    judged: Vec<Judged>,
    kept: Vec<Kept>,
    entries: Vec<Entry>,
    timers: Vec<Timer>,
    facts: Vec<NewEvent>,
    /// Domains to ask the registry about.
    ask: Vec<String>,
}

impl Batch<'_> {
    /// Judges new leads, and returns those that are to be routed.
    pub(super) async fn screen(
        &mut self,
        tx: &mut PgConnection,
        trigger: Trigger,
        drafts: Drafts,
    ) -> Result<Drafts, DbError> {
        let gate = self.setup.gate.clone().filter(|gate| gate.spec.enabled);
        let Some(gate) = gate.filter(|_| trigger == Trigger::Captured && !drafts.leads.is_empty()) else {
            return Ok(drafts);
        };
        let now = self.effects.now;
        let leads: Vec<&LeadRow> = drafts.leads.iter().collect();
        let known = self.app.gate_knowledge(tx, self.tenant, &gate, &leads, now).await?;
        self.effects.screened.ask = known.ask;
        let mut passed = Drafts {
            leads: Vec::new(),
            facts: Vec::new(),
            values: Vec::new(),
        };
        let drafts = drafts.leads.into_iter().zip(drafts.facts).zip(drafts.values);
        for (((lead, facts), values), known) in drafts.zip(known.facts) {
            let judgement = judge(&gate.spec, gate.version, &known, None, now);
            let verdict = judgement.verdict;
            self.note(&lead, &gate, judgement);
            match verdict {
                Verdict::Pass => {
                    passed.leads.push(lead);
                    passed.facts.push(facts);
                    passed.values.push(values);
                }
                Verdict::Hold => self.keep(&lead, State::Held, values),
                Verdict::Nurture => self.keep(&lead, State::Nurture, values),
            }
        }
        Ok(passed)
    }

    fn keep(&mut self, lead: &LeadRow, state: State, values: Option<RecordValues>) {
        let lead = LeadId(lead.lead_id);
        self.effects.screened.kept.push(Kept { lead, state, values });
    }

    /// Notes what the gate said of a lead, tells it, and has a lead that waits looked at again.
    fn note(&mut self, lead: &LeadRow, gate: &Gate, judgement: Judgement) {
        let (id, now, ids) = (LeadId(lead.lead_id), self.effects.now, self.effects.ids);
        let facts = Facts {
            tenant: self.tenant,
            ids,
            time: now,
        };
        let screened = &mut self.effects.screened;
        let told = gated(lead, &judgement);
        let traceparent = lead.traceparent.clone();
        screened
            .facts
            .push(facts.fact(events::LEAD_GATED, &id, traceparent.clone(), &told));
        if judgement.verdict == Verdict::Nurture {
            let told = LeadNurtured {
                lead: id.to_string(),
                number: lead.number_text(),
                reason: kept_for(&judgement).unwrap_or_default().to_owned(),
                member: String::new(),
                company: lead.company.clone(),
            };
            screened
                .facts
                .push(facts.fact(events::LEAD_NURTURED, &id, traceparent, &told));
        }
        if judgement.verdict == Verdict::Hold {
            let cause = Cause::Retry;
            let due = retry_time(gate, now, now);
            screened
                .timers
                .push(GateDue { lead: id, cause }.timer(self.tenant, ids.next(), due));
        }
        screened.entries.push(Entry {
            lead_id: lead.lead_id,
            id: ids.next(),
            time: now,
            kind: "gated",
            member: None,
            detail: detail(&judgement),
        });
        screened.judged.push(Judged {
            lead: id,
            kept_for: kept_for(&judgement),
            since: now,
            domain: company_domain(lead),
            judgement,
        });
    }
}

impl Screened {
    /// Writes everything that was gathered.
    pub(super) async fn save(&self, tx: &mut PgConnection, tenant: &TenantId, now: Timestamp) -> Result<(), DbError> {
        if self.judged.is_empty() {
            return Ok(());
        }
        intake::keep(tx, tenant, &self.kept).await?;
        lead_gates::save(tx, tenant, &self.judged, now).await?;
        company_lookups::request(tx, tenant, &self.ask, now).await?;
        history::add(tx, tenant, &self.entries).await?;
        reflex_timers::set(tx, &self.timers).await?;
        reflex_events::outbox::push(tx, &self.facts).await
    }

    /// Tells whether the registry is to be asked.
    pub(super) fn asks(&self) -> bool {
        !self.ask.is_empty()
    }
}

/// Returns when a lead that waits since `since` is judged again.
pub(crate) fn retry_time(gate: &Gate, since: Timestamp, now: Timestamp) -> Timestamp {
    let retry = now.saturating_add(gate.spec.retry_every()).unwrap_or(Timestamp::MAX);
    let end = since.saturating_add(gate.spec.max_hold()).unwrap_or(Timestamp::MAX);
    if end > now { retry.min(end) } else { retry }
}

/// Makes the fact of a verdict.
pub(crate) fn gated(lead: &LeadRow, judgement: &Judgement) -> LeadGated {
    LeadGated {
        lead: LeadId(lead.lead_id).to_string(),
        number: lead.number_text(),
        verdict: judgement.verdict.as_str().to_owned(),
        summary: judgement.summary(),
        by_policy: judgement.by_policy(),
        policy_version: judgement.policy_version,
    }
}

/// Returns what the history says of a verdict.
pub(crate) fn detail(judgement: &Judgement) -> String {
    let verdict = judgement.verdict.as_str();
    let over = if judgement.hold_over { ", waited too long" } else { "" };
    if judgement.parts.is_empty() {
        format!("{verdict}: the gate is off")
    } else {
        format!("{verdict}{over}: {}", judgement.summary())
    }
}
