//! Judges leads beside all that they have something in common with.
//!
//! What is suspected of a set of leads depends on the set alone, not on the order in which they came, as three things do:
//!
//! - Two leads are compared when they share a key that at most [`MOST_OF_A_KEY`] leads have. The count is one of the set: when
//!   a key gets crowded, the pairs that met by it alone are judged again and go.
//! - How two leads compare depends on both and on who else has their lines, mobiles and brand: again counts of the set. A lead
//!   that changes such a count asks for the linked leads of the same key to be compared anew.
//! - Rivals and clusters are told for all leads that are linked with each other, directly or by others, at once, in an order
//!   that their words give ([`Compared::rank`]), not their ids or times.
//!
//! So whatever comes first, when no request is left, each pair stands as if all leads had come at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use reflex_matching::{Comparison, Frequencies, LEAST, Link, Record, Weights, judge, keys, leads};
use uuid::Uuid;

use super::{FieldEvidence, State, Typed, evidence};

/// Most leads of a key that are compared with each other; what more have says nothing.
pub const MOST_OF_A_KEY: usize = 100;
/// Most leads that are linked with each other and judged together; no honest ones are so many.
pub const MOST_LINKED: usize = 2_000;

/// A lead as it is compared.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The lead.
    pub id: Uuid,
    /// What it says.
    pub record: Record,
    /// Its keys; of a lead that was only found, those it was found by.
    pub keys: Vec<u64>,
    /// What it says as a text, which gives leads their order.
    rank: String,
}

impl Compared {
    /// Reads a lead; `sign` tells it from another one that says the same, where its source did.
    #[must_use]
    pub fn new(id: Uuid, typed: &Typed<'_>, sign: [&str; 2]) -> Self {
        let values = typed.values();
        let record = Record::read(&values);
        let mut rank = String::new();
        for text in super::FIELDS.into_iter().map(|field| values.get(field)).chain(sign) {
            rank.push_str(text);
            rank.push('\u{1f}');
        }
        Self {
            id,
            keys: keys::of_lead(&record),
            record,
            rank,
        }
    }

    /// Makes it one that is not compared any more.
    #[must_use]
    pub fn gone(id: Uuid) -> Self {
        Self {
            id,
            record: Record::default(),
            keys: Vec::new(),
            rank: String::new(),
        }
    }

    /// Takes it as found by these keys.
    #[must_use]
    pub fn found_by(mut self, keys: Vec<u64>) -> Self {
        self.keys = keys;
        self
    }

    /// Returns the keys by which its lines, mobiles and brand are counted.
    fn counted(&self) -> impl Iterator<Item = u64> {
        let lines = self.record.phones.lines.iter().map(|line| keys::of_line(line.number));
        let mobiles = self.record.phones.mobiles.iter().map(|mobile| keys::of_mobile(*mobile));
        let brand = self
            .record
            .company
            .iter()
            .map(|company| keys::of_company(&company.spelled));
        lines.chain(mobiles).chain(brand)
    }

    fn place_before(&self, other: &Self) -> bool {
        (&self.rank, self.id) < (&other.rank, other.id)
    }
}

/// A lead that is to be compared with all others.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The lead.
    pub lead: Compared,
    /// The keys under which it is stored; none for a new one.
    pub stored_keys: Option<Vec<u64>>,
}

impl Subject {
    /// Whether others may stand otherwise because of it.
    fn is_changed(&self) -> bool {
        self.stored_keys.as_ref() != Some(&self.lead.keys)
    }
}

/// A pair as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: Uuid,
    /// The lead with the smaller id.
    pub earlier: Uuid,
    /// The other one.
    pub later: Uuid,
    /// How likely they are the same by themselves.
    pub raw: f64,
    /// Whether what identifies a person is the same.
    pub is_identified: bool,
    /// How likely they are the same beside their rivals.
    pub score: f64,
    /// Where it stands.
    pub state: State,
}

/// A pair that stands otherwise now.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The stored one, if there is.
    pub stored: Option<Stored>,
    /// The lead with the smaller id.
    pub earlier: Uuid,
    /// The other one.
    pub later: Uuid,
    /// How likely they are the same by themselves; 0 for leads that do not meet any more.
    pub raw: f64,
    /// Whether what identifies a person is the same.
    pub is_identified: bool,
    /// How likely they are the same beside their rivals.
    pub score: f64,
    /// Where it stands.
    pub state: State,
    /// What the fields say, where they were compared.
    pub evidence: Option<Vec<FieldEvidence>>,
}

impl Judged {
    /// Whether nothing is left of it, and nobody was told that there was.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.raw < LEAST && self.state == State::Linked
    }
}

#[derive(Debug, Clone)]
struct Edge {
    raw: f64,
    is_identified: bool,
    comparison: Option<Comparison>,
    stored: Option<Stored>,
}

/// Leads that are judged together.
#[derive(Debug)]
pub struct Board {
    leads: Vec<Compared>,
    /// The first ones are subjects.
    subjects: usize,
    changed: HashSet<usize>,
    places: HashMap<Uuid, usize>,
    crowded: HashSet<u64>,
    /// Leads by key; those that were found before the subjects.
    blocks: HashMap<u64, Vec<usize>>,
    /// Pairs by the places of their leads, the smaller first.
    edges: BTreeMap<(usize, usize), Edge>,
    compared: usize,
}

impl Board {
    /// Compares subjects with each other and with the leads that were found by their keys; `crowded` are the keys of which
    /// there were too many leads to be found.
    #[must_use]
    pub fn new(subjects: Vec<Subject>, found: Vec<Compared>, crowded: HashSet<u64>, weights: &Weights) -> Self {
        let changed = subjects.iter().enumerate().filter(|(_, it)| it.is_changed());
        let mut board = Self {
            changed: changed.map(|(place, _)| place).collect(),
            subjects: subjects.len(),
            leads: subjects.into_iter().map(|it| it.lead).collect(),
            places: HashMap::new(),
            crowded,
            blocks: HashMap::new(),
            edges: BTreeMap::new(),
            compared: 0,
        };
        board.places = board
            .leads
            .iter()
            .enumerate()
            .map(|(place, it)| (it.id, place))
            .collect();
        for lead in found {
            board.place(lead);
        }
        let others = board.subjects..board.leads.len();
        for place in others.chain(0..board.subjects) {
            for key in &board.leads[place].keys {
                board.blocks.entry(*key).or_default().push(place);
            }
        }
        let full = board.blocks.iter().filter(|(_, block)| block.len() > MOST_OF_A_KEY);
        let full: Vec<u64> = full.map(|(key, _)| *key).collect();
        board.crowded.extend(full);
        board.compare(weights);
        board
    }

    /// How many pairs were compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.compared
    }

    /// Returns the leads whose links have to be known: the subjects that are stored, and whoever a subject is linked with.
    #[must_use]
    pub fn seeds(&self, stored: impl Fn(Uuid) -> bool) -> Vec<Uuid> {
        let linked: BTreeSet<usize> = self.edges.keys().flat_map(|(one, two)| [*one, *two]).collect();
        let subjects = (0..self.subjects).filter(|place| stored(self.leads[*place].id));
        let places: BTreeSet<usize> = linked.into_iter().chain(subjects).collect();
        places.into_iter().map(|place| self.leads[place].id).collect()
    }

    /// Adds leads that are linked with those, and how they are.
    pub fn add_linked(&mut self, leads: Vec<Compared>, stored: Vec<Stored>) {
        for lead in leads {
            self.place(lead);
        }
        for pair in stored {
            let (Some(one), Some(two)) = (self.places.get(&pair.earlier), self.places.get(&pair.later)) else {
                continue;
            };
            let (one, two) = (*one.min(two), *one.max(two));
            // What a subject is linked with was just found out.
            let is_known = one < self.subjects;
            let edge = self.edges.entry((one, two)).or_insert(Edge {
                raw: if is_known { 0.0 } else { pair.raw },
                is_identified: pair.is_identified,
                comparison: None,
                stored: None,
            });
            edge.stored = Some(pair);
        }
    }

    /// Returns the leads that have a line, a mobile or a brand of which more know now, or a key that got crowded: what they
    /// are linked with has to be judged again.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Uuid> {
        let mut unsettled = BTreeSet::new();
        for place in &self.changed {
            let lead = &self.leads[*place];
            let counted: HashSet<u64> = lead.counted().collect();
            for key in &lead.keys {
                let Some(block) = self.blocks.get(key) else { continue };
                let before: Vec<usize> = block.iter().copied().filter(|it| !self.changed.contains(it)).collect();
                if before.is_empty() || before.len() > MOST_OF_A_KEY {
                    continue;
                }
                let got_crowded = block.len() > MOST_OF_A_KEY;
                if got_crowded || (counted.contains(key) && self.counts(&before) != self.counts(block)) {
                    unsettled.extend(before.into_iter().filter(|it| *it >= self.subjects));
                }
            }
        }
        unsettled.into_iter().map(|place| self.leads[place].id).collect()
    }

    /// Judges all pairs together and returns those that stand otherwise than they are stored.
    #[must_use]
    pub fn judge(&self, weights: &Weights) -> Vec<Judged> {
        let mut judged = Vec::new();
        for places in self.linked() {
            let records: Vec<Record> = places.iter().map(|place| self.leads[*place].record.clone()).collect();
            let at: HashMap<usize, usize> = places.iter().enumerate().map(|(at, place)| (*place, at)).collect();
            let of_these = self
                .edges
                .iter()
                .filter(|((one, _), edge)| at.contains_key(one) && is_open(edge));
            let of_these: Vec<(&(usize, usize), &Edge)> = of_these.collect();
            let links: Vec<Link> = of_these
                .iter()
                .map(|((one, two), edge)| Link {
                    left: at[one].min(at[two]),
                    right: at[one].max(at[two]),
                    score: edge.raw,
                    is_identified: edge.is_identified,
                })
                .collect();
            let answers = judge(&records, &links, weights);
            for ((places, edge), (score, is_same)) in of_these.into_iter().zip(answers) {
                judged.extend(self.changed_pair(*places, edge, score, is_same));
            }
        }
        let lost = self.edges.iter().filter(|(_, edge)| {
            edge.raw < LEAST
                && edge
                    .stored
                    .is_some_and(|stored| stored.raw >= LEAST && !stored.state.is_decided())
        });
        for (places, edge) in lost {
            judged.extend(self.changed_pair(*places, edge, 0.0, false));
        }
        judged
    }

    fn changed_pair(&self, (one, two): (usize, usize), edge: &Edge, score: f64, is_same: bool) -> Option<Judged> {
        let (one, two) = (self.leads[one].id, self.leads[two].id);
        let before = edge.stored.map(|stored| stored.state);
        let state = match before {
            _ if is_same => State::Suspected,
            Some(State::Suspected | State::Withdrawn) => State::Withdrawn,
            _ => State::Linked,
        };
        let is_near = |one: f64, two: f64| (one - two).abs() < 1e-9;
        let stays = edge.stored.is_some_and(|stored| {
            stored.state == state && is_near(stored.raw, edge.raw) && is_near(stored.score, score)
        });
        (!stays).then(|| Judged {
            stored: edge.stored,
            earlier: one.min(two),
            later: one.max(two),
            raw: edge.raw,
            is_identified: edge.is_identified,
            score,
            state,
            evidence: edge.comparison.as_ref().map(evidence),
        })
    }

    /// Returns the places of leads that are linked with each other, each list in the order of what they say.
    fn linked(&self) -> Vec<Vec<usize>> {
        let mut group: HashMap<usize, usize> = HashMap::new();
        let open: Vec<(usize, usize)> = self
            .edges
            .iter()
            .filter(|(_, edge)| is_open(edge))
            .map(|(places, _)| *places)
            .collect();
        let first_of = |place: usize, group: &mut HashMap<usize, usize>| {
            let mut at = place;
            while let Some(next) = group.get(&at).copied().filter(|next| *next != at) {
                at = next;
            }
            group.insert(place, at);
            at
        };
        for (one, two) in &open {
            let (one, two) = (first_of(*one, &mut group), first_of(*two, &mut group));
            group.insert(one.max(two), one.min(two));
            group.insert(one.min(two), one.min(two));
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let places: BTreeSet<usize> = open.iter().flat_map(|(one, two)| [*one, *two]).collect();
        for place in places {
            groups.entry(first_of(place, &mut group)).or_default().push(place);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        for places in &mut groups {
            places.sort_unstable_by(|one, two| {
                let (one, two) = (&self.leads[*one], &self.leads[*two]);
                (&one.rank, one.id).cmp(&(&two.rank, two.id))
            });
        }
        groups
    }

    fn place(&mut self, lead: Compared) {
        if !self.places.contains_key(&lead.id) {
            self.places.insert(lead.id, self.leads.len());
            self.leads.push(lead);
        }
    }

    /// Returns how many companies, people and trades leads of a key have, each as far as it changes what is said.
    fn counts(&self, block: &[usize]) -> Vec<(u64, usize)> {
        /// More companies at a line are as bad.
        const MOST_AT_A_LINE: usize = 8;
        /// Up to so many people with a mobile are one who is called several names.
        const FEWEST_WITH_A_MOBILE: usize = 3;
        let mut shared = Frequencies::default();
        let (mut lines, mut mobiles, mut brands) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for place in block {
            let record = &self.leads[*place].record;
            shared.add_shared(record);
            lines.extend(record.phones.lines.iter().map(|line| line.number));
            mobiles.extend(record.phones.mobiles.iter().copied());
            brands.extend(record.company.iter().map(|company| company.brand.as_str()));
        }
        let lines = lines
            .into_iter()
            .map(|line| (line, shared.companies_at_line(line).min(MOST_AT_A_LINE)))
            .filter(|(_, companies)| *companies > 1);
        let mobiles = mobiles
            .into_iter()
            .map(|mobile| (mobile, shared.people_of_mobile(mobile)))
            .filter(|(_, people)| *people > FEWEST_WITH_A_MOBILE);
        let brands = brands
            .into_iter()
            .map(|brand| (keys::of_company(brand), shared.companies_of_brand(brand)))
            .filter(|(_, trades)| *trades > 1);
        lines.chain(mobiles).chain(brands).collect()
    }

    fn compare(&mut self, weights: &Weights) {
        let mut frequencies = Frequencies::default();
        for lead in &self.leads {
            frequencies.add_shared(&lead.record);
        }
        for key in &self.crowded {
            frequencies.crowd(*key);
        }
        let scales = weights.scales();
        for one in 0..self.subjects {
            let mut others: BTreeSet<usize> = BTreeSet::new();
            for key in self.leads[one].keys.iter().filter(|key| !self.crowded.contains(*key)) {
                let block = self.blocks.get(key).map_or(&[][..], Vec::as_slice);
                others.extend(block.iter().copied().filter(|two| *two > one));
            }
            for two in others {
                self.compared += 1;
                let (left, right) = (&self.leads[one], &self.leads[two]);
                // From the same side whoever came first.
                let compared = if left.place_before(right) {
                    leads::compare(&left.record, &right.record, &frequencies, &scales)
                } else {
                    leads::compare(&right.record, &left.record, &frequencies, &scales)
                };
                if compared.score >= LEAST {
                    let edge = Edge {
                        raw: compared.score,
                        is_identified: compared.is_identified,
                        comparison: Some(compared),
                        stored: None,
                    };
                    self.edges.insert((one, two), edge);
                }
            }
        }
    }
}

/// Whether a pair is still open and worth a look.
fn is_open(edge: &Edge) -> bool {
    edge.raw >= LEAST && !edge.stored.is_some_and(|stored| stored.state.is_decided())
}

#[cfg(test)]
mod tests;
