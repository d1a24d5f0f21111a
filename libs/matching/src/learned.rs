//! Whether two records of any kind are the same, by weights that the records themselves teach.
//!
//! The model is that of Fellegi and Sunter with the frequencies of values. How often a field is found so in two records that are
//! not the same is counted in random pairs; how often in two that are, is estimated by expectation and maximisation over the
//! pairs that have a key in common (W. E. Winkler, *Using the EM Algorithm for Weight Computation*, 1988). No labels are needed.

mod levels;

use rustc_hash::FxHashMap;

use crate::evidence::{Comparison, Evidence, Finding};
use crate::record::{FIELDS, Field, Record};
use crate::similarity::real;
use levels::{LEVELS, MISSING, Pattern, TOP, value};

/// What was learned.
#[derive(Debug)]
pub struct Learned {
    /// How often each finding is made in pairs that are the same.
    same: [[f64; LEVELS]; FIELDS],
    /// And in pairs that are not.
    other: [[f64; LEVELS]; FIELDS],
    /// Odds that two records are the same, in bits.
    prior: f64,
    /// How many records have each value.
    values: [FxHashMap<String, u32>; FIELDS],
    filled: [u32; FIELDS],
}

/// Random pairs that are looked at.
const SAMPLE: usize = 200_000;
const ROUNDS: usize = 25;
/// How many pairs what is usual counts as, so that few duplicates do not teach nonsense.
const USUAL_PAIRS: f64 = 8.0;
/// How often a field is found so in records that are the same, before anything was learned: other, alike, near, the same.
const USUAL: [f64; LEVELS] = [0.06, 0.05, 0.06, 0.08, 0.75];

impl Learned {
    /// Learns from records; `keys` are those by which they meet. `progress` is told now and then which share is done.
    #[must_use]
    pub fn learn(records: &[Record], keys: &[Vec<u64>], names: &[String], mut progress: impl FnMut(f64)) -> Self {
        let mut learned = Self {
            same: [USUAL; FIELDS],
            other: [[0.0; LEVELS]; FIELDS],
            prior: -(real(records.len().max(2))).log2(),
            values: std::array::from_fn(|_| FxHashMap::default()),
            filled: [0; FIELDS],
        };
        for record in records {
            for field in Field::ALL {
                let value = value(record, field);
                if !value.is_empty() {
                    learned.filled[field.place()] += 1;
                    *learned.values[field.place()].entry(value).or_default() += 1;
                }
            }
        }
        learned.count_random_pairs(records);
        let mut patterns: FxHashMap<Pattern, f64> = FxHashMap::default();
        let mut compared = 0_u64;
        crate::keys::visit_pairs(keys, names, |left, right, share| {
            compared += 1;
            if compared.is_multiple_of(10_000) {
                progress(share);
            }
            *patterns
                .entry(levels::pattern(&records[left], &records[right]))
                .or_default() += 1.0;
        });
        // Sums of floats in one order, whatever the map's.
        let mut patterns: Vec<(Pattern, f64)> = patterns.into_iter().collect();
        patterns.sort_unstable_by_key(|(pattern, _)| *pattern);
        for _ in 0..ROUNDS {
            learned.improve(&patterns, records.len());
        }
        learned
    }

    /// Counts how often fields are found so in records that are most likely not the same.
    fn count_random_pairs(&mut self, records: &[Record]) {
        let mut counts = [[0.5; LEVELS]; FIELDS];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            // Xorshift: pairs need no better chance, and the same records teach the same each time.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap_or(1)).unwrap_or_default()
        };
        let pairs = if records.len() < 2 {
            0
        } else {
            SAMPLE.min(records.len() * 50)
        };
        for _ in 0..pairs {
            let (left, right) = (random(records.len()), random(records.len()));
            if left == right {
                continue;
            }
            for (place, level) in levels::pattern(&records[left], &records[right]).into_iter().enumerate() {
                if level != MISSING {
                    counts[place][usize::from(level)] += 1.0;
                }
            }
        }
        for (place, counts) in counts.iter().enumerate() {
            let filled = f64::from(self.filled[place].max(1));
            // The same value is too rare for a sample; frequencies tell exactly.
            let counts_of_values = self.values[place].values();
            let same: f64 = counts_of_values
                .map(|count| f64::from(*count) / filled * others_with_it(*count) / filled)
                .sum();
            let sum: f64 = counts[..TOP].iter().sum();
            for (level, count) in counts.iter().enumerate() {
                self.other[place][level] = count / sum;
            }
            self.other[place][TOP] = same.clamp((0.5 / filled / filled).min(0.5), 0.9);
        }
    }

    fn improve(&mut self, patterns: &[(Pattern, f64)], records: usize) {
        let mut counts = [[0.0; LEVELS]; FIELDS];
        let mut expected = 0.0;
        for (pattern, count) in patterns {
            let bits: f64 = self.prior
                + dampen(
                    pattern
                        .iter()
                        .enumerate()
                        .map(|(place, level)| self.bits(place, *level, None)),
                );
            let probability = 1.0 / (1.0 + (-bits).exp2());
            expected += probability * count;
            for (place, level) in pattern.iter().enumerate() {
                if *level != MISSING {
                    counts[place][usize::from(*level)] += probability * count;
                }
            }
        }
        for (place, counts) in counts.iter().enumerate() {
            let sum: f64 = counts.iter().sum::<f64>() + USUAL_PAIRS;
            for (level, count) in counts.iter().enumerate() {
                self.same[place][level] = (count + USUAL_PAIRS * USUAL[level]) / sum;
            }
            keep_meaning(&mut self.same[place]);
        }
        let pairs = (real(records) * (real(records) - 1.0) / 2.0).max(1.0);
        self.prior = ((expected + 0.5) / pairs).clamp(1e-12, 0.5).log2();
    }

    /// Returns how much a finding says, in bits; the same rare value says more than the same common one.
    fn bits(&self, place: usize, level: u8, value: Option<&str>) -> f64 {
        if level == MISSING {
            return 0.0;
        }
        let level = usize::from(level);
        let mut other = self.other[place][level];
        if let Some(value) = value.filter(|_| level == TOP) {
            let count = self.values[place].get(value).copied().unwrap_or(1);
            let share = others_with_it(count) / f64::from(self.filled[place].max(1));
            // Half way: values differ in how often they are mistyped, too.
            other = (other * share).sqrt();
        }
        (self.same[place][level] / other.max(1e-9)).log2().clamp(-9.0, 16.0)
    }

    /// Compares two records.
    #[must_use]
    pub fn compare(&self, left: &Record, right: &Record, factors: &[f64; FIELDS]) -> Comparison {
        let pattern = levels::pattern(left, right);
        let mut fields = [Evidence::NONE; FIELDS];
        for field in Field::ALL {
            let place = field.place();
            // Only the same value is looked up by how often it occurs.
            let same = usize::from(pattern[place]) == TOP;
            let value = same.then(|| value(left, field));
            let bits = factors[place] * self.bits(place, pattern[place], value.as_deref());
            fields[place] = Evidence::new(levels::finding(pattern[place]), bits, 0.0);
        }
        let sum = dampen(fields.iter().map(Evidence::bits));
        let score = 1.0 / (1.0 + (-(self.prior + sum)).exp2());
        let is_identified = fields
            .iter()
            .any(|evidence| evidence.finding == Finding::Same && evidence.bits() > 0.0);
        Comparison {
            fields,
            score,
            is_excluded: score < 0.001,
            is_identified,
        }
    }
}

/// Keeps the same what people mean by it. Where records have no duplicates at all, what is estimated drifts to whatever is most
/// alike in them, neighbours or namesakes; a field that differs in more than a quarter of what is the same is not learned.
fn keep_meaning(same: &mut [f64; LEVELS]) {
    const MOST_OTHER: f64 = 0.25;
    const LEAST_SAME: f64 = 0.4;
    let others: f64 = same[..=1].iter().sum();
    if others > MOST_OTHER {
        for share in &mut same[..=1] {
            *share *= MOST_OTHER / others;
        }
    }
    same[TOP] = same[TOP].max(LEAST_SAME);
}

/// Returns how many records have a value beside two that are perhaps the same; never none, as more records would have it.
fn others_with_it(count: u32) -> f64 {
    f64::from(count.saturating_sub(2)) + 0.5
}

/// Adds evidence; of address, city and postcode, which say much the same, what speaks for it counts once whole and else half.
fn dampen(bits: impl Iterator<Item = f64>) -> f64 {
    const PLACES: [Field; 3] = [Field::Address, Field::City, Field::Postcode];
    let (mut sum, mut largest, mut rest) = (0.0, 0.0_f64, 0.0);
    for (place, bits) in bits.enumerate() {
        if bits > 0.0 && PLACES.iter().any(|field| field.place() == place) {
            rest += bits;
            largest = largest.max(bits);
        } else {
            sum += bits;
        }
    }
    sum + largest + (rest - largest) / 2.0
}
