//! What decisions do, gathered over a batch and written together: rows, clocks, facts.

use jiff::Timestamp;
use prost::Message;
use reflex_events::NewEvent;
use reflex_pg::DbError;
use reflex_proto::leads::v1::{LeadAssigned, LeadQueued, RoutingDecision, routing_decision};
use reflex_runtime::{ids::SharedIds, telemetry};
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use sqlx::PgConnection;
use tracing::info_span;

use super::screening::Screened;
use crate::{
    app::{
        fire_timers::{ClaimFuse, LadderStep},
        pool_clocks::{self, RecycleDue},
        recompute::{By, ClockStart},
        tagging::{self, Occasion},
    },
    convert,
    domain::{
        assign::LeadFacts,
        decision::{Decision, Outcome},
        due,
        ids::{LeadId, MemberId, TeamId},
        lead::State,
        lead_fields::HeldTag,
        pool::Ownership,
        tags::CAPTURED,
    },
    events::{self, Facts},
    setup::Setup,
    store::{
        calculated_values::RecordValues,
        intake::{self, Changes, Move},
        leads::LeadRow,
        running_clocks::CLAIM_DUE,
        tags::{self, NewTag},
    },
};

/// What a batch of decisions does.
pub(super) struct Effects<'a> {
    pub(super) tenant: &'a TenantId,
    setup: &'a Setup,
    pub(super) ids: &'a SharedIds,
    /// The instant of all decisions of the batch.
    pub(super) now: Timestamp,
    pub(super) changes: Changes,
    timers: Vec<Timer>,
    tags: Vec<NewTag>,
    pub(super) facts: Vec<NewEvent>,
    /// What the gate says of the batch's leads.
    pub(super) screened: Screened,
}

/// By when a lead must be claimed and called.
#[derive(Default)]
struct Dues {
    claim: Option<Timestamp>,
    contact: Option<Timestamp>,
    provisional: bool,
    require_screening: bool,
}

impl<'a> Effects<'a> {
    pub(super) fn new(tenant: &'a TenantId, setup: &'a Setup, ids: &'a SharedIds, now: Timestamp) -> Self {
        Self {
            tenant,
            setup,
            ids,
            now,
            changes: Changes::default(),
            timers: Vec::new(),
            tags: Vec::new(),
            facts: Vec::new(),
            screened: Screened::default(),
        }
    }

    /// Adds what one decision does.
    pub(super) fn add(&mut self, lead: &LeadRow, sent: &LeadFacts, decision: &Decision, values: Option<RecordValues>) {
        // A span of its own, though the batch shares its work: the lead's trace shows when and how it was routed.
        let span = info_span!("route_lead", lead.id = %lead.lead_id);
        if let Some(traceparent) = &lead.traceparent {
            telemetry::set_parent(&span, traceparent);
        }
        let traceparent = span
            .in_scope(telemetry::current_traceparent)
            .or_else(|| lead.traceparent.clone());

        let dues = self.start_clocks(lead, decision, traceparent.as_deref());
        let (state, owner, team, queue_reason) = match &decision.outcome {
            Outcome::Assigned { owner, team, .. } => {
                let called = lead.first_contact_time.is_some();
                let state = if called { State::Contacted } else { State::Assigned };
                (state, Some(owner.clone()), Some(team.clone()), None)
            }
            Outcome::Queued { reason, team } => (State::Queued, None, team.clone(), Some(reason.as_str())),
        };
        if let Some(owner) = &owner {
            self.start_pool_clock(lead, owner, state, traceparent.as_deref());
        }
        self.tell(lead, decision, &dues, traceparent);
        if let Some(owner) = &owner {
            *self.changes.loads.entry(owner.clone()).or_default() += 1;
            if let Some(taken) = &decision.turn {
                self.changes
                    .turns
                    .insert((taken.group.clone(), owner.clone()), taken.turn);
            }
            if decision.opens_account {
                self.changes.accounts.insert(sent.account.clone(), owner.clone());
            }
        }
        self.changes.moves.push(Move {
            lead: LeadId(lead.lead_id),
            decision_id: self.ids.next(),
            decision: on_record(decision).encode_to_vec(),
            state: state.as_str(),
            owner,
            team,
            queue_reason,
            claim_due: dues.claim,
            contact_due: dues.contact,
            provisional: dues.provisional,
            require_screening: dues.require_screening,
            values,
        });
    }

    /// Gives a new lead the tags that rules give for its capture; conditions of the policy read them already.
    pub(super) fn tag(&mut self, lead: &LeadRow, facts: &mut LeadFacts) {
        let id = LeadId(lead.lead_id);
        let occasion = Occasion {
            kind: CAPTURED,
            evidence: id.to_string(),
        };
        let tags = tagging::given(self.setup, id, facts, &occasion, self.now);
        facts.details.tags.extend(tags.iter().map(|tag| HeldTag {
            tag: tag.tag.clone(),
            since: self.now,
            until: tag.expire_time,
            progress: false,
        }));
        self.timers
            .extend(tagging::timers(self.tenant, &tags, lead.traceparent.as_deref()));
        self.tags.extend(tags);
    }

    /// Writes everything that was added.
    pub(super) async fn save(self, tx: &mut PgConnection, now: Timestamp) -> Result<(), DbError> {
        self.screened.save(tx, self.tenant, self.now).await?;
        // Who is kept from salespeople has tags, too.
        if self.changes.moves.is_empty() && self.changes.reroutes.is_empty() && self.tags.is_empty() {
            return Ok(());
        }
        intake::save(tx, self.tenant, &self.changes, now).await?;
        reflex_timers::set(tx, &self.timers).await?;
        // As of the decisions, so that a rehearsal of them finds the tags held.
        tags::save(tx, self.tenant, &self.tags, self.now).await?;
        reflex_events::outbox::push(tx, &self.facts).await
    }

    /// Starts the claim fuse of a new owner, and the ladder once in a lead's life.
    fn start_clocks(&mut self, lead: &LeadRow, decision: &Decision, traceparent: Option<&str>) -> Dues {
        let mut dues = Dues {
            provisional: lead.due_provisional,
            ..Dues::default()
        };
        if lead.first_contact_time.is_some() {
            return dues;
        }
        let (owner, team) = match &decision.outcome {
            Outcome::Assigned { owner, team, .. } => (Some(owner), Some(team)),
            Outcome::Queued { team, .. } => (None, team.as_ref()),
        };
        if let Some(owner) = owner {
            self.start_fuse(lead, owner, &mut dues, traceparent);
        }
        if lead.contact_due_time.is_none() {
            self.start_ladder(lead, team, decision, &mut dues, traceparent);
        }
        dues
    }

    fn start_fuse(&mut self, lead: &LeadRow, owner: &MemberId, dues: &mut Dues, traceparent: Option<&str>) {
        let Some(policy) = &self.setup.policy else { return };
        let by = if policy.spec().claim_wall_clock {
            By::Wall
        } else {
            By::Member(owner.clone())
        };
        let clock = ClockStart {
            start: self.now,
            run: policy.spec().claim_within,
            by,
        };
        // A calendar without open time for decades: nobody can be late by it.
        let Ok(due) = clock.due(self.setup) else { return };
        dues.claim = Some(due.at);
        dues.provisional |= due.provisional;
        let fencing_token = lead.fencing_token + 1;
        let fuse = ClaimFuse {
            lead: LeadId(lead.lead_id),
            fencing_token,
            clock,
        };
        self.timers.push(Timer {
            tenant: self.tenant.clone(),
            kind: CLAIM_DUE.to_owned(),
            key: format!("{}/{fencing_token}", fuse.lead),
            due_time: due.at,
            payload: serde_json::to_value(&fuse).expect("plain data becomes JSON"),
            traceparent: traceparent.map(str::to_owned),
        });
    }

    /// Starts the clock of the pool's rules for a new owner.
    fn start_pool_clock(&mut self, lead: &LeadRow, owner: &MemberId, state: State, traceparent: Option<&str>) {
        let held = Ownership {
            owner: owner.clone(),
            since: self.now,
            state,
            last_follow_up: None,
        };
        let of = RecycleDue {
            lead: LeadId(lead.lead_id),
            fencing_token: lead.fencing_token + 1,
        };
        let clock = pool_clocks::first(self.setup, self.tenant, &of, &held, traceparent);
        self.timers.extend(clock);
    }

    fn start_ladder(
        &mut self,
        lead: &LeadRow,
        team: Option<&TeamId>,
        decision: &Decision,
        dues: &mut Dues,
        traceparent: Option<&str>,
    ) {
        let ladder = self.setup.ladders.choose(&decision.trace.product_path);
        let calendar = self.setup.calendar_of_team(team);
        // Who was kept from salespeople until now could not be called before.
        let start = lead.return_time.unwrap_or(lead.create_time).to_jiff();
        let Ok(plan) = due::plan(ladder, self.setup.calendar(&calendar), start) else {
            return;
        };
        dues.contact = Some(plan.contact_due);
        dues.provisional |= plan.provisional;
        dues.require_screening = ladder.require_screening;
        let by = if ladder.wall_clock {
            By::Wall
        } else {
            By::Calendar(calendar)
        };
        let first = LadderStep::first(LeadId(lead.lead_id), ladder, start, by);
        if let (Some(first), Some(planned)) = (first, plan.steps.first()) {
            let timer = first.timer(self.tenant, planned.due, traceparent.map(str::to_owned));
            self.timers.push(timer);
        }
    }

    fn tell(&mut self, lead: &LeadRow, decision: &Decision, dues: &Dues, traceparent: Option<String>) {
        let id = LeadId(lead.lead_id);
        let facts = Facts {
            tenant: self.tenant,
            ids: self.ids,
            time: self.now,
        };
        let fact = match &decision.outcome {
            Outcome::Assigned { owner, team, .. } => {
                let contact_due = lead
                    .contact_due_time
                    .map(jiff_sqlx::Timestamp::to_jiff)
                    .or(dues.contact);
                let message = LeadAssigned {
                    lead: id.to_string(),
                    number: lead.number_text(),
                    owner: owner.to_string(),
                    team: team.to_string(),
                    company: lead.company.clone(),
                    contact_name: lead.contact_name.clone(),
                    product: lead.product.clone(),
                    territory: lead.territory.clone(),
                    source: lead.source.clone(),
                    fencing_token: lead.fencing_token + 1,
                    trigger: decision.trace.trigger.as_str().into(),
                    capture_time: Some(convert::timestamp(lead.create_time.to_jiff())),
                    assign_time: Some(convert::timestamp(self.now)),
                    claim_due_time: dues.claim.map(convert::timestamp),
                    contact_due_time: contact_due.map(convert::timestamp),
                };
                facts.fact(events::LEAD_ASSIGNED, &id, traceparent, &message)
            }
            Outcome::Queued { reason, team } => {
                let message = LeadQueued {
                    lead: id.to_string(),
                    number: lead.number_text(),
                    reason: reason.as_str().into(),
                    team: team.as_ref().map(ToString::to_string).unwrap_or_default(),
                };
                facts.fact(events::LEAD_QUEUED, &id, traceparent, &message)
            }
        };
        self.facts.push(fact);
    }
}

/// Converts a decision to the message that is kept and shown.
fn on_record(decision: &Decision) -> RoutingDecision {
    let trace = &decision.trace;
    let (team, chosen, reason) = match &decision.outcome {
        Outcome::Assigned { owner, team, chosen_by } => (Some(team), owner.to_string(), chosen_by.as_str()),
        Outcome::Queued { reason, team } => (team.as_ref(), String::new(), reason.as_str()),
    };
    let candidates = trace.candidates.iter().map(|candidate| routing_decision::Candidate {
        member: candidate.member.to_string(),
        weight: i32::try_from(candidate.weight).unwrap_or(i32::MAX),
        deficit: candidate.deficit,
        open_leads: i32::try_from(candidate.open_leads).unwrap_or(i32::MAX),
        capacity: i32::try_from(candidate.capacity).unwrap_or(i32::MAX),
    });
    let exclusions = trace.exclusions.iter().map(|exclusion| routing_decision::Exclusion {
        member: exclusion.member.to_string(),
        reason: exclusion.reason.as_str().into(),
        detail: exclusion.detail.clone(),
    });
    let skipped = trace.skipped.iter().map(|skipped| routing_decision::SkippedEntry {
        number: i32::try_from(skipped.number).unwrap_or(i32::MAX),
        entry: skipped.entry.clone(),
        when: skipped.when.clone(),
        missing_zh: skipped.missing.zh.clone(),
        missing_en: skipped.missing.en.clone(),
    });
    let matched_number = trace.matched_number.unwrap_or_default();
    let twins = trace.twins.iter().map(|twin| routing_decision::SuspectedDuplicate {
        lead: LeadId(twin.lead).to_string(),
        owner: twin.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
    });
    let last_turn = decision.turn.as_ref().map(|taken| match taken.before {
        Some(turn) => routing_decision::LastTurn {
            finish: turn.finish,
            number: turn.number,
        },
        None => routing_decision::LastTurn::default(),
    });
    RoutingDecision {
        decide_time: Some(convert::timestamp(trace.decide_time)),
        trigger: trace.trigger.as_str().into(),
        policy_version: trace.policy_version,
        territory_path: trace.territory_path.iter().map(ToString::to_string).collect(),
        product_path: trace.product_path.iter().map(ToString::to_string).collect(),
        matched_entry: trace.matched_entry.clone().unwrap_or_default(),
        team: team.map(ToString::to_string).unwrap_or_default(),
        candidates: candidates.collect(),
        exclusions: exclusions.collect(),
        chosen,
        reason: reason.into(),
        matched_number: i32::try_from(matched_number).unwrap_or(i32::MAX),
        matched_when: trace.matched_when.clone().unwrap_or_default(),
        skipped_entries: skipped.collect(),
        skipped_count: i32::try_from(trace.skipped_count).unwrap_or(i32::MAX),
        last_turn,
        suspected_duplicates: twins.collect(),
        account_owner: trace
            .account_owner
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}
