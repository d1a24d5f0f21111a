//! What becomes of new leads before they are routed: what looks like none is set aside; the gate lets them pass, has them wait, or sends them to the nurture pool.
//! What is kept is not routed: no decision, no clock, and a rehearsal knows nothing of it until it comes back.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use reflex_events::NewEvent;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{LeadGated, LeadNurtured, LeadSetAside};
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Batch;
use crate::{
    app::gate::{Cause, GateDue, company_domain, kept_for, said},
    domain::{
        assign::LeadFacts,
        decision::Trigger,
        gate::{Gate, GateFacts, Judgement, Screening, Verdict, judge},
        ids::LeadId,
        lead::State,
        validity::Validity,
    },
    events::{self, Facts},
    store::{
        calculated_values::RecordValues,
        company_lookups, fingerprints,
        history::{self, Entry},
        intake::{self, Kept},
        lead_gates::{self, Judged},
        leads::LeadRow,
    },
};

/// People who come from one device within so long count together.
const DEVICE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

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
        let gate = self.setup.gate.clone().filter(|gate| gate.spec.screens());
        let Some(gate) = gate.filter(|_| trigger == Trigger::Captured && !drafts.leads.is_empty()) else {
            return Ok(drafts);
        };
        let now = self.effects.now;
        let leads: Vec<&LeadRow> = drafts.leads.iter().collect();
        let known = self.app.gate_knowledge(tx, self.tenant, &gate, &leads, now).await?;
        self.effects.screened.ask = known.ask;
        let people_alike = match gate.spec.screening {
            Screening::Off => HashMap::new(),
            Screening::Label | Screening::SetAside => self.people_alike(tx, &leads, now).await?,
        };
        let mut passed = Drafts {
            leads: Vec::new(),
            facts: Vec::new(),
            values: Vec::new(),
        };
        let drafts = drafts.leads.into_iter().zip(drafts.facts).zip(drafts.values);
        for (((lead, facts), values), known) in drafts.zip(known.facts) {
            let alike = people_alike.get(&lead.lead_id).copied().unwrap_or(1);
            match self.judge(&lead, &gate, &known, alike) {
                None => {
                    passed.leads.push(lead);
                    passed.facts.push(facts);
                    passed.values.push(values);
                }
                Some(state) => self.keep(&lead, state, values),
            }
        }
        Ok(passed)
    }

    /// Tells of leads that say what device they came from how many people came from it lately.
    async fn people_alike(
        &self,
        tx: &mut PgConnection,
        leads: &[&LeadRow],
        now: Timestamp,
    ) -> Result<HashMap<Uuid, u32>, DbError> {
        let device = |lead: &&LeadRow| Some((lead.lead_id, said(lead, 1).device()?));
        let devices: Vec<_> = leads.iter().filter_map(device).collect();
        fingerprints::note(tx, self.tenant, &devices, window_start(now), now).await
    }

    /// Returns where a lead is kept; `None` if it is to be routed.
    fn judge(&mut self, lead: &LeadRow, gate: &Gate, known: &GateFacts, people_alike: u32) -> Option<State> {
        let looks = || Validity::of(&said(lead, people_alike), &self.setup.learned);
        let validity = (gate.spec.screening != Screening::Off).then(looks);
        let validity = validity.filter(Validity::is_notable);
        let sets_aside = gate.spec.screening == Screening::SetAside;
        if let Some(invalid) = validity.as_ref().filter(|it| sets_aside && it.is_invalid()) {
            self.note_invalid(lead, invalid.clone());
            return Some(State::SetAside);
        }
        if !gate.spec.enabled {
            if validity.is_some() {
                self.effects.screened.judged.push(Judged {
                    validity,
                    ..noted(lead, self.effects.now)
                });
            }
            return None;
        }
        let judgement = judge(&gate.spec, gate.version, known, None, self.effects.now);
        let verdict = judgement.verdict;
        self.note(lead, gate, judgement, validity);
        match verdict {
            Verdict::Pass => None,
            Verdict::Hold => Some(State::Held),
            Verdict::Nurture => Some(State::Nurture),
        }
    }

    /// Notes that a lead looks like none, and tells it.
    fn note_invalid(&mut self, lead: &LeadRow, validity: Validity) {
        let (id, now, ids) = (LeadId(lead.lead_id), self.effects.now, self.effects.ids);
        let facts = Facts {
            tenant: self.tenant,
            ids,
            time: now,
        };
        let told = LeadSetAside {
            lead: id.to_string(),
            number: lead.number_text(),
            reasons: validity.reasons.clone(),
            ..LeadSetAside::default()
        };
        let screened = &mut self.effects.screened;
        screened
            .facts
            .push(facts.fact(events::LEAD_SET_ASIDE, &id, lead.traceparent.clone(), &told));
        screened.entries.push(Entry {
            lead_id: lead.lead_id,
            id: ids.next(),
            time: now,
            kind: "set_aside",
            member: None,
            detail: format!("invalid: {}", validity.reasons.join(", ")),
        });
        screened.judged.push(Judged {
            kept_for: Some("invalid"),
            validity: Some(validity),
            ..noted(lead, now)
        });
    }

    fn keep(&mut self, lead: &LeadRow, state: State, values: Option<RecordValues>) {
        let lead = LeadId(lead.lead_id);
        self.effects.screened.kept.push(Kept { lead, state, values });
    }

    /// Notes what the gate said of a lead, tells it, and has a lead that waits looked at again.
    fn note(&mut self, lead: &LeadRow, gate: &Gate, judgement: Judgement, validity: Option<Validity>) {
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
            kept_for: kept_for(&judgement),
            judgement: Some(judgement),
            validity,
            ..noted(lead, now)
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

/// Returns since when people of one device count together.
pub(crate) fn window_start(now: Timestamp) -> Timestamp {
    now.saturating_sub(DEVICE_WINDOW).unwrap_or(Timestamp::MIN)
}

/// Returns what is stored of a lead about which nothing is known yet.
fn noted(lead: &LeadRow, now: Timestamp) -> Judged {
    Judged {
        lead: LeadId(lead.lead_id),
        judgement: None,
        validity: None,
        since: now,
        kept_for: None,
        domain: company_domain(lead),
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
