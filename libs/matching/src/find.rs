//! Which of many records are the same: pairs, and the clusters they form.

mod clusters;
mod judge;
mod rivals;

pub use judge::{Link, judge};

use std::collections::BTreeMap;

use crate::evidence::Comparison;
use crate::frequency::Frequencies;
use crate::keys;
use crate::leads::{self, Scales, Weights};
use crate::learned::Learned;
use crate::record::{FIELDS, Field, Record};

/// How records are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// As leads: people at companies.
    Leads,
    /// By weights that the records teach.
    Learned,
}

impl Model {
    /// Returns the model that suits records with these fields.
    #[must_use]
    pub fn suited(fields: &[Field]) -> Self {
        let has = |field| fields.contains(&field);
        let names_people = has(Field::Contact) || has(Field::Email);
        if !has(Field::BirthDate) && (has(Field::Mobile) || (has(Field::Company) && names_people)) {
            Self::Leads
        } else {
            Self::Learned
        }
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Learned => "learned",
        }
    }
}

/// Two records that are the same as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Place of the earlier one.
    pub left: usize,
    /// Place of the later one.
    pub right: usize,
    /// How likely they are the same.
    pub score: f64,
}

/// Pairs with a lower score are never worth a second look.
pub const LEAST: f64 = 0.3;

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Pairs from the threshold on, in the order of their records.
    pub pairs: Vec<Pair>,
    /// The cluster of each record, named by the place of its first one.
    pub clusters: Vec<usize>,
    /// How many pairs were compared.
    pub compared: u64,
    matcher: Matcher,
}

impl Found {
    /// Returns what the fields of two records say.
    #[must_use]
    pub fn explain(&self, left: &Record, right: &Record) -> Comparison {
        self.matcher.compare(left, right)
    }

    /// Returns how many records each cluster of more than one has, and how many clusters there are of each size.
    #[must_use]
    pub fn sizes(&self) -> BTreeMap<usize, usize> {
        let mut members: BTreeMap<usize, usize> = BTreeMap::new();
        for cluster in &self.clusters {
            *members.entry(*cluster).or_default() += 1;
        }
        let mut sizes = BTreeMap::new();
        for size in members.into_values() {
            *sizes.entry(size).or_default() += 1;
        }
        sizes
    }
}

/// How records are compared, with all that is needed for it.
#[derive(Debug)]
pub(crate) enum Matcher {
    Leads(Box<Frequencies>, Scales),
    Learned(Box<Learned>, [f64; FIELDS]),
}

impl Matcher {
    pub(crate) fn compare(&self, left: &Record, right: &Record) -> Comparison {
        match self {
            Self::Leads(frequencies, scales) => leads::compare(left, right, frequencies, scales),
            Self::Learned(learned, factors) => learned.compare(left, right, factors),
        }
    }
}

/// Finds which records are the same. `progress` is told now and then which share of the work is done.
#[must_use]
pub fn find(records: &[Record], model: Model, weights: &Weights, mut progress: impl FnMut(f64)) -> Found {
    /// Share of the work that learning takes.
    const LEARNING: f64 = 0.4;
    let keys: Vec<Vec<u64>> = match model {
        Model::Leads => records.iter().map(keys::of_lead).collect(),
        Model::Learned => records.iter().map(keys::of_any).collect(),
    };
    let names: Vec<String> = records.iter().map(|record| record.person.letters()).collect();
    let scales = weights.scales();
    let matcher = match model {
        Model::Leads => {
            let mut frequencies = Frequencies::default();
            for record in records {
                frequencies.add(record);
            }
            Matcher::Leads(Box::new(frequencies), scales)
        }
        Model::Learned => {
            let told = |share| progress(share * LEARNING);
            Matcher::Learned(Box::new(Learned::learn(records, &keys, &names, told)), scales.factors)
        }
    };
    let learned = if model == Model::Learned { LEARNING } else { 0.0 };
    let mut pairs = Vec::new();
    let mut compared = 0_u64;
    keys::visit_pairs(&keys, &names, |left, right, share| {
        compared += 1;
        if compared.is_multiple_of(10_000) {
            progress(learned + (1.0 - learned) * share);
        }
        let comparison = matcher.compare(&records[left], &records[right]);
        if comparison.score >= LEAST {
            pairs.push((
                Pair {
                    left,
                    right,
                    score: comparison.score,
                },
                comparison.is_identified,
            ));
        }
    });
    progress(1.0);
    pairs.sort_unstable_by_key(|(pair, _)| (pair.left, pair.right));
    pairs.dedup_by_key(|(pair, _)| (pair.left, pair.right));
    let compare = |left: usize, right: usize| matcher.compare(&records[left], &records[right]);
    rivals::settle(&mut pairs, &compare);
    let mut pairs: Vec<Pair> = pairs
        .into_iter()
        .map(|(pair, _)| pair)
        .filter(|pair| pair.score >= weights.threshold)
        .collect();
    let clusters = clusters::form(records.len(), &mut pairs, &compare);
    Found {
        pairs,
        clusters,
        compared,
        matcher,
    }
}
