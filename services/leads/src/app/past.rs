//! What happened to a tenant's leads, and how everybody stood before it did.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use reflex_proto::leads::v1::{RoutingDecision, routing_decision};
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::lead_facts,
    domain::{
        assign::{LeadFacts, Snapshot},
        decision::{ChosenBy, QueueReason, Trigger},
        distribution::{Group, Turn, Turns},
        duplicates::Twin,
        ids::{CalendarId, LeadId, MemberId, TeamId},
        routing::Policy,
    },
    error::Error,
    setup::Setup,
    store::{
        self,
        intake::{LastTurns, instant},
        leads::LeadRow,
        past_leads::{self, DecisionRow, Happened, HistoryRow, PastRow},
        policies,
    },
};

/// A lead with all that happened to it takes some two kilobytes of memory.
const MOST_LEADS: i64 = 100_000;
/// Leads read at once.
const PAGE: i64 = 1000;
/// Leads whose accounts are read at once.
const COMPLETED: usize = 1000;

/// A place in the order of decisions: an instant, and an id for those of one instant.
pub(crate) type Moment = (Timestamp, Uuid);

/// A lead, and everything that happened to it that routing has to do with.
#[derive(Debug, Clone)]
pub(crate) struct PastLead {
    pub(crate) id: Uuid,
    pub(crate) number: i64,
    pub(crate) company: String,
    pub(crate) facts: LeadFacts,
    pub(crate) create_time: Timestamp,
    /// When its contact clock starts: with its capture, or with its return if it was kept from salespeople until then.
    pub(crate) clock_start: Timestamp,
    pub(crate) contact_time: Option<Timestamp>,
    pub(crate) closed: Option<Moment>,
    pub(crate) claim_due: Option<Timestamp>,
    pub(crate) contact_due: Option<Timestamp>,
    /// When it was claimed, in order.
    pub(crate) claims: Vec<Timestamp>,
    /// Every decision about it, in order.
    pub(crate) decisions: Vec<PastDecision>,
    /// Steps of its ladder that were taken: number and audience.
    pub(crate) steps: Vec<(i16, String)>,
}

/// A decision as it was made.
#[derive(Debug, Clone)]
pub(crate) struct PastDecision {
    /// In the order in which decisions were made.
    pub(crate) id: Uuid,
    pub(crate) time: Timestamp,
    pub(crate) trigger: Trigger,
    /// When the lead was lost by the owner of the decision before, if it had one.
    pub(crate) lost: Option<Moment>,
    /// Whether they lost it as they did not claim it.
    pub(crate) expired: bool,
    pub(crate) policy_version: i32,
    /// Number of the entry that matched.
    pub(crate) entry: Option<u32>,
    pub(crate) team: Option<TeamId>,
    pub(crate) owner: Option<MemberId>,
    pub(crate) reason: String,
    /// The turn the owner had taken before, where this was one; of number 0 if they had taken none.
    pub(crate) turn_before: Option<Turn>,
    /// Open leads that members were seen to hold.
    pub(crate) open_leads: Vec<(MemberId, u32)>,
    /// Who owned the lead's account.
    pub(crate) account_owner: Option<MemberId>,
    /// Open leads that it was suspected to be the same as, with who had them.
    pub(crate) twins: Vec<Twin>,
}

impl PastLead {
    /// Puts together what was read of a lead; `None` if nothing was decided about it.
    pub(crate) fn new(row: &PastRow, happened: &mut Happened) -> Option<Self> {
        let lead = &row.lead;
        let decisions = happened.decisions.remove(&lead.lead_id)?;
        let history = happened.history.remove(&lead.lead_id).unwrap_or_default();
        let trigger = decisions
            .first()
            .and_then(|first| Trigger::find(&first.decision.trigger));
        let mut facts = lead_facts::full(lead, None);
        facts.trigger = trigger.unwrap_or(Trigger::Captured);
        let claims = history.iter().filter(|entry| entry.kind == "claimed");
        Some(Self {
            id: lead.lead_id,
            number: lead.number,
            company: lead.company.clone(),
            facts,
            create_time: lead.create_time.to_jiff(),
            clock_start: clock_start(lead, &decisions),
            contact_time: instant(lead.first_contact_time),
            closed: instant(row.close_time).map(|time| {
                let entry = history.iter().rfind(|entry| entry.kind == "closed");
                entry.map_or((time, Uuid::nil()), HistoryRow::moment)
            }),
            claim_due: instant(lead.claim_due_time),
            contact_due: instant(lead.contact_due_time),
            claims: claims.map(|entry| entry.time).collect(),
            decisions: PastDecision::all(decisions, &history),
            steps: happened.escalations.remove(&lead.lead_id).unwrap_or_default(),
        })
    }

    /// Returns the decisions made since `start`, that of `start` included, with their places among all.
    pub(crate) fn since(&self, start: Moment) -> impl Iterator<Item = (usize, &PastDecision)> {
        self.decisions
            .iter()
            .enumerate()
            .filter(move |(_, decision)| decision.moment() >= start)
    }

    /// Returns who had the lead at `start`, and who before them.
    pub(crate) fn owners_at(&self, start: Moment) -> (Option<&PastDecision>, Option<MemberId>) {
        let mut holding: Option<&PastDecision> = None;
        let mut previous = None;
        for decision in &self.decisions {
            let lost = holding.filter(|_| decision.lost.is_some_and(|lost| lost < start));
            if let Some(lost) = lost {
                let (from, to) = (lost.time, decision.time);
                let cools = |owner: &&MemberId| self.facts.cooldowns.began(owner, from, to);
                // A cooldown says until when they shall not have it, and nobody is the previous owner.
                previous = lost.owner.clone().filter(|owner| !cools(&owner));
                holding = None;
            }
            if decision.moment() >= start {
                break;
            }
            holding = Some(decision).filter(|decision| decision.owner.is_some());
        }
        (holding, previous)
    }
}

/// Returns when a lead's contact clock starts: later than its capture only if the gate kept it from being routed until then.
fn clock_start(lead: &LeadRow, decisions: &[DecisionRow]) -> Timestamp {
    let first = decisions.first().map(|first| first.time);
    let returned = instant(lead.return_time).filter(|returned| first.is_some_and(|first| first >= *returned));
    returned.unwrap_or_else(|| lead.create_time.to_jiff())
}

impl PastDecision {
    /// Puts the decisions about a lead together with what cost it its owners. The trigger does not tell: who looked at all
    /// that wait may have found it before the request to look at it.
    fn all(rows: Vec<DecisionRow>, history: &[HistoryRow]) -> Vec<Self> {
        let mut decisions: Vec<Self> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut decision = Self::new(row);
            if let Some(before) = decisions.last().filter(|before| before.owner.is_some()) {
                let span = before.moment()..=decision.moment();
                let costs = |entry: &&HistoryRow| {
                    let expired = entry.kind == "claim_expired" && decision.trigger != Trigger::OwnerLeft;
                    (expired || matches!(entry.kind.as_str(), "released" | "recycled" | "nurtured" | "set_aside"))
                        && span.contains(&entry.moment())
                };
                let cause = history.iter().rfind(costs);
                decision.expired = cause.is_some_and(|cause| cause.kind == "claim_expired");
                decision.lost = Some(cause.map_or(decision.moment(), HistoryRow::moment));
            }
            decisions.push(decision);
        }
        decisions
    }

    fn new(row: DecisionRow) -> Self {
        let DecisionRow { id, time, decision } = row;
        let trigger = Trigger::find(&decision.trigger).unwrap_or(Trigger::Captured);
        Self {
            id,
            time,
            trigger,
            lost: None,
            expired: false,
            policy_version: decision.policy_version,
            entry: u32::try_from(decision.matched_number).ok().filter(|number| *number > 0),
            team: decision.team.parse().ok(),
            owner: decision.chosen.parse().ok(),
            account_owner: account_owner(&decision),
            open_leads: open_leads(&decision),
            twins: twins(&decision),
            turn_before: decision.last_turn.as_ref().map(|turn| Turn {
                finish: turn.finish,
                number: turn.number,
            }),
            reason: decision.reason,
        }
    }

    /// Tells whether it was no decision of routing: somebody picked the lead from the pool, or it went there to be
    /// picked, or to be nurtured, or was set aside.
    pub(crate) fn is_of_pool(&self) -> bool {
        let reasons = [
            ChosenBy::Picked.as_str(),
            QueueReason::Pooled.as_str(),
            QueueReason::Nurture.as_str(),
            QueueReason::SetAside.as_str(),
        ];
        reasons.contains(&self.reason.as_str())
    }

    /// Returns its place in the order of all decisions.
    pub(crate) fn moment(&self) -> Moment {
        (self.time, self.id)
    }

    /// Returns the group whose turn was taken.
    fn group(&self, policies: &HashMap<i32, Arc<Policy>>) -> Option<Group> {
        let spec = policies.get(&self.policy_version)?.spec();
        match self.entry {
            Some(number) => {
                let entry = spec.entries.get(usize::try_from(number).ok()? - 1)?;
                Some(Group::new(entry.team.clone(), &entry.skills))
            }
            None => spec.default_team.clone().map(|team| Group::new(team, &[])),
        }
    }
}

fn open_leads(decision: &RoutingDecision) -> Vec<(MemberId, u32)> {
    let candidates = decision.candidates.iter().filter_map(|candidate| {
        let open = u32::try_from(candidate.open_leads).ok()?;
        Some((candidate.member.parse().ok()?, open))
    });
    // Told as "8 of 8".
    let full = decision.exclusions.iter().filter_map(|exclusion| {
        let (open, _) = exclusion.detail.rsplit_once(" of ")?;
        let open = open.rsplit(' ').next()?.parse().ok()?;
        Some((exclusion.member.parse().ok()?, open))
    });
    candidates.chain(full).collect()
}

fn twins(decision: &RoutingDecision) -> Vec<Twin> {
    let twins = decision.suspected_duplicates.iter().filter_map(|twin| {
        Some(Twin {
            lead: twin.lead.parse::<LeadId>().ok()?.0,
            owner: twin.owner.parse().ok(),
        })
    });
    twins.collect()
}

fn account_owner(decision: &RoutingDecision) -> Option<MemberId> {
    if let Ok(owner) = decision.account_owner.parse() {
        return Some(owner);
    }
    if decision.reason == ChosenBy::AccountOwner.as_str() {
        return decision.chosen.parse().ok();
    }
    let is_theirs = |exclusion: &&routing_decision::Exclusion| exclusion.detail.starts_with("account owner");
    decision.exclusions.iter().find(is_theirs)?.member.parse().ok()
}

/// What happened since a moment, and how everybody stood then.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) versions: HashMap<i32, Arc<Policy>>,
    pub(crate) leads: Vec<PastLead>,
    pub(crate) standing: Standing,
}

/// Reads what happened since a moment, page by page.
#[derive(Debug)]
pub(crate) struct Reading {
    start: Moment,
    after: Option<Uuid>,
    leads: Vec<PastLead>,
    /// Leads there are.
    pub(crate) count: i64,
    /// Leads that were read.
    pub(crate) read: i64,
}

impl Reading {
    /// Begins to read.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is too much.
    pub(crate) async fn begin(tx: &mut PgConnection, tenant: &TenantId, start: Moment) -> Result<Self, Error> {
        let count = past_leads::count(tx, tenant, start.0).await?;
        if count > MOST_LEADS {
            return Err(Error::WrongState(format!(
                "{count} leads came or were open since then, at most {MOST_LEADS} can be looked back on"
            )));
        }
        Ok(Self {
            start,
            after: None,
            leads: Vec::new(),
            count,
            read: 0,
        })
    }

    /// Reads a page and returns whether there was one.
    pub(crate) async fn page(&mut self, tx: &mut PgConnection, tenant: &TenantId) -> Result<bool, Error> {
        let rows = past_leads::list(tx, tenant, self.start.0, self.after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        self.after = Some(last.lead.lead_id);
        let ids: Vec<_> = rows.iter().map(|row| row.lead.lead_id).collect();
        let mut happened = past_leads::happened(tx, tenant, &ids).await?;
        let leads = rows.iter().filter_map(|row| PastLead::new(row, &mut happened));
        self.leads.extend(leads);
        self.read += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(true)
    }

    /// Puts it together after the last page.
    pub(crate) async fn end(mut self, tx: &mut PgConnection, tenant: &TenantId, setup: &Setup) -> Result<Past, Error> {
        for leads in self.leads.chunks_mut(COMPLETED) {
            let facts = leads.iter_mut().map(|lead| &mut lead.facts);
            lead_facts::complete(tx, tenant, setup, self.start.0, facts.collect()).await?;
        }
        let turns = store::intake::list_turns(tx, tenant).await?;
        let versions = versions(tx, tenant, setup, &self.leads).await?;
        Ok(Past {
            standing: Standing::at(self.start, &self.leads, turns, &versions),
            versions,
            leads: self.leads,
        })
    }
}

/// Reads the versions of the policy that decisions were made with.
async fn versions(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    leads: &[PastLead],
) -> Result<HashMap<i32, Arc<Policy>>, Error> {
    let decisions = leads.iter().flat_map(|lead| &lead.decisions);
    let used: BTreeSet<i32> = decisions.map(|decision| decision.policy_version).collect();
    let mut versions = HashMap::new();
    for version in used.into_iter().filter(|version| *version > 0) {
        if let Some((version, spec)) = policies::find(tx, tenant, Some(version)).await? {
            versions.insert(version, Arc::new(Policy::new(version, spec, setup.fields.names())));
        }
    }
    Ok(versions)
}

/// Returns what the last decision of routing about a lead was made on, as everybody stood then, and when it was made.
///
/// # Errors
/// As [`Reading::begin`].
pub(crate) async fn before_last_decision(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    lead: &PastLead,
) -> Result<(Snapshot, LeadFacts, Timestamp), Error> {
    let last = lead.decisions.iter().rfind(|decision| !decision.is_of_pool());
    let last = last.ok_or_else(|| Error::WrongState("nothing was decided about the lead yet".into()))?;
    let start = last.moment();
    let mut reading = Reading::begin(tx, tenant, start).await?;
    while reading.page(tx, tenant).await? {}
    let past = reading.end(tx, tenant, setup).await?;
    let mut standing = past.standing;
    let (holding, mut previous) = lead.owners_at(start);
    if let Some(owner) = holding.and_then(|decision| decision.owner.clone()) {
        // It was taken from them for this decision.
        if let Some(open) = standing.open_leads.get_mut(&owner) {
            *open = open.saturating_sub(1);
        }
        previous = Some(owner);
    }
    let mut facts = lead.facts.clone();
    lead_facts::complete(tx, tenant, setup, start.0, vec![&mut facts]).await?;
    facts.trigger = last.trigger;
    facts.previous_owner = previous;
    facts.twins.clone_from(&last.twins);
    let mut snapshot = standing.snapshot(setup);
    let owned = last
        .twins
        .iter()
        .filter_map(|twin| Some((twin.lead, twin.owner.clone()?)));
    snapshot.lead_owners = owned.collect();
    snapshot.policy = past.versions.get(&last.policy_version).cloned();
    Ok((snapshot, facts, last.time))
}

/// How everybody stood at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) open_leads: HashMap<MemberId, u32>,
    pub(crate) turns: HashMap<Group, Turns>,
    pub(crate) account_owners: HashMap<String, MemberId>,
    /// Of the leads that were looked back on.
    pub(crate) lead_owners: HashMap<Uuid, MemberId>,
}

impl Standing {
    /// Tells how everybody stood at `start`, from what has happened since and how turns stand now. A turn is taken back by
    /// the one that its decision remembers; who took none since stands as they do now.
    pub(crate) fn at(
        start: Moment,
        leads: &[PastLead],
        mut turns: LastTurns,
        policies: &HashMap<i32, Arc<Policy>>,
    ) -> Self {
        let mut standing = Self::default();
        let mut since = BTreeMap::new();
        let mut accounts: HashMap<&str, &PastDecision> = HashMap::new();
        for lead in leads {
            if let (Some(PastDecision { owner: Some(owner), .. }), _) = lead.owners_at(start) {
                *standing.open_leads.entry(owner.clone()).or_default() += 1;
                standing.lead_owners.insert(lead.id, owner.clone());
            }
            for (_, decision) in lead.since(start) {
                since.insert(decision.moment(), decision);
                let first = accounts.entry(&lead.facts.account).or_insert(decision);
                if decision.moment() < first.moment() {
                    *first = decision;
                }
            }
        }
        for decision in since.values().rev() {
            let (Some(owner), Some(before), Some(group)) =
                (&decision.owner, decision.turn_before, decision.group(policies))
            else {
                continue;
            };
            let members = turns.entry(group).or_default();
            if before.number > 0 {
                members.insert(owner.clone(), before);
            } else {
                members.remove(owner);
            }
        }
        standing.turns = turns
            .into_iter()
            .map(|(group, last)| (group, Turns::new(last)))
            .collect();
        let owned = accounts.into_iter().filter(|(account, _)| !account.is_empty());
        standing.account_owners = owned
            .filter_map(|(account, first)| Some((account.to_owned(), first.account_owner.clone()?)))
            .collect();
        standing
    }

    /// Makes what routing wants to know of a tenant.
    pub(crate) fn snapshot(self, setup: &Setup) -> Snapshot {
        Snapshot {
            directory: Arc::clone(&setup.directory),
            policy: setup.policy.clone(),
            leaves: Arc::clone(&setup.leaves),
            open_leads: self.open_leads,
            turns: self.turns,
            account_owners: self.account_owners,
            lead_owners: self.lead_owners,
            zone: setup.calendar(&CalendarId::default_of_tenant()).time_zone().clone(),
        }
    }
}
