//! Compares leads with all that are there: the one way, whoever asks.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use reflex_events::NewEvent;
use reflex_pg::DbError;
use reflex_proto::leads::v1::LeadDuplicateSuspected;
use reflex_runtime::ids::SharedIds;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        duplicates::{
            DuplicatePolicy, State,
            board::{Board, Judged, Subject},
        },
        ids::{DuplicateId, LeadId, MemberId},
    },
    events::{self, Facts},
    store::duplicates::index::{self, Linked, SaidRow, Writes},
};

/// Leads that were compared, and what came of it.
pub(crate) struct Findings {
    /// The subjects: each with its keys, and those it is stored under.
    subjects: Vec<(Uuid, Vec<u64>, Option<Vec<u64>>)>,
    board: Board,
    /// The pairs that stand otherwise than they are stored.
    pub(crate) judged: Vec<Judged>,
    /// Who has the leads that are open.
    open: HashMap<Uuid, Option<MemberId>>,
}

impl Findings {
    /// Compares leads; reads once, and once more where leads are linked, or as often as so many are.
    pub(crate) async fn of(
        tx: &mut PgConnection,
        tenant: &TenantId,
        policy: &DuplicatePolicy,
        subjects: Vec<Subject>,
    ) -> Result<Self, DbError> {
        let keys: BTreeSet<u64> = subjects.iter().flat_map(|it| it.lead.keys.iter().copied()).collect();
        let keys: Vec<u64> = keys.into_iter().collect();
        let hits = index::find_by_keys(tx, tenant, &keys).await?;
        let stored: HashSet<Uuid> = subjects
            .iter()
            .filter(|it| it.stored_keys.is_some())
            .map(|it| it.lead.id)
            .collect();
        let listed = subjects
            .iter()
            .map(|it| (it.lead.id, it.lead.keys.clone(), it.stored_keys.clone()));
        let listed: Vec<_> = listed.collect();
        let mut open = HashMap::new();
        let mut see = |said: &SaidRow| {
            if said.is_open() {
                open.insert(said.lead_id(), said.owner());
            }
        };
        let mut found = Vec::with_capacity(hits.leads.len());
        for (said, keys) in hits.leads {
            see(&said);
            found.push(said.compared().found_by(keys));
        }
        let mut board = Board::new(subjects, found, hits.crowded, &policy.weights);
        let seeds = board.seeds(|lead| stored.contains(&lead));
        for linked in read_linked(tx, tenant, seeds).await? {
            linked.leads.iter().for_each(&mut see);
            let leads = linked.leads.iter().map(SaidRow::compared).collect();
            board.add_linked(leads, linked.pairs);
        }
        Ok(Self {
            subjects: listed,
            judged: board.judge(&policy.weights),
            board,
            open,
        })
    }

    /// How many pairs were compared.
    pub(crate) fn compared(&self) -> usize {
        self.board.compared()
    }

    /// Returns the leads that each subject is suspected to be the same as, the most likely first.
    pub(crate) fn suspected(&self) -> HashMap<Uuid, Vec<&Judged>> {
        let subjects: HashSet<Uuid> = self.subjects.iter().map(|(lead, ..)| *lead).collect();
        let mut suspected: HashMap<Uuid, Vec<&Judged>> = HashMap::new();
        for judged in self.judged.iter().filter(|it| it.state == State::Suspected) {
            for lead in [judged.earlier, judged.later] {
                if subjects.contains(&lead) {
                    suspected.entry(lead).or_default().push(judged);
                }
            }
        }
        for pairs in suspected.values_mut() {
            pairs.sort_by(|one, two| {
                let by_score = two.score.total_cmp(&one.score);
                by_score.then_with(|| (one.earlier, one.later).cmp(&(two.earlier, two.later)))
            });
        }
        suspected
    }

    /// Whether a lead is open; subjects are.
    pub(crate) fn is_open(&self, lead: Uuid) -> bool {
        self.open.contains_key(&lead) || self.subjects.iter().any(|(subject, ..)| *subject == lead)
    }

    /// Returns who has a lead that is open.
    pub(crate) fn owner_of(&self, lead: Uuid) -> Option<&MemberId> {
        self.open.get(&lead)?.as_ref()
    }

    /// Writes what was found, and returns the facts that tell it.
    pub(crate) async fn save(
        self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        ids: &SharedIds,
        now: Timestamp,
    ) -> Result<Vec<NewEvent>, DbError> {
        let mut writes = Writes {
            requests: self.board.unsettled(),
            ..Writes::default()
        };
        for (lead, keys, stored) in &self.subjects {
            if stored.as_ref() == Some(keys) {
                continue;
            }
            writes.records.push((*lead, keys.clone()));
            let lost = stored.iter().flatten().filter(|key| !keys.contains(key));
            writes.lost_keys.extend(lost.map(|key| (*key, *lead)));
        }
        let facts = Facts { tenant, ids, time: now };
        let mut told = Vec::new();
        for judged in &self.judged {
            let before = judged.stored.map(|stored| stored.state);
            if judged.is_over() {
                writes.lost_pairs.extend(judged.stored.map(|stored| stored.id));
                continue;
            }
            let id = judged.stored.map_or_else(|| ids.next(), |stored| stored.id);
            if judged.state == State::Suspected && matches!(before, None | Some(State::Linked)) {
                told.push(self.fact(&facts, DuplicateId(id), judged));
            }
            writes.pairs.push((id, judged.clone()));
        }
        if !writes.is_empty() {
            index::save(tx, tenant, &writes, now).await?;
        }
        Ok(told)
    }

    fn fact(&self, facts: &Facts<'_>, id: DuplicateId, judged: &Judged) -> NewEvent {
        let lead = LeadId(judged.later);
        let owner = self.owner_of(judged.earlier);
        let findings = judged.evidence.iter().flatten();
        let message = LeadDuplicateSuspected {
            lead: lead.to_string(),
            earlier: LeadId(judged.earlier).to_string(),
            duplicate: id.to_string(),
            score: judged.score,
            owner: owner.map(ToString::to_string).unwrap_or_default(),
            findings: findings.map(|it| format!("{}: {}", it.field, it.finding)).collect(),
        };
        facts.fact(events::LEAD_DUPLICATE_SUSPECTED, &lead, None, &message)
    }
}

/// Reads whom these leads are linked with, all who are linked with each other at once, as they can only be judged together.
/// What is linked further than any honest leads are is read in part.
async fn read_linked(tx: &mut PgConnection, tenant: &TenantId, seeds: Vec<Uuid>) -> Result<Vec<Linked>, DbError> {
    /// Leads to begin with: with what they are linked with, they rarely are too many for one read.
    const AT_ONCE: usize = 500;
    /// Rows after which nothing more is read, whatever somebody linked.
    const MOST_READ: usize = 40_000;
    let mut waiting: Vec<Vec<Uuid>> = seeds.chunks(AT_ONCE).rev().map(<[Uuid]>::to_vec).collect();
    let (mut whole, mut known, mut read) = (Vec::new(), HashSet::new(), 0);
    while let Some(mut seeds) = waiting.pop() {
        seeds.retain(|lead| !known.contains(lead));
        let linked = index::list_linked(tx, tenant, &seeds).await?;
        read += linked.leads.len();
        if linked.is_cut && seeds.len() > 1 && read < MOST_READ {
            let rest = seeds.split_off(seeds.len() / 2);
            waiting.extend([rest, seeds]);
            continue;
        }
        known.extend(linked.leads.iter().map(SaidRow::lead_id));
        whole.push(linked);
        if read >= MOST_READ {
            tracing::warn!(%tenant, unread = waiting.len(), "too many leads are linked to be judged together");
            break;
        }
    }
    Ok(whole)
}
