//! How common names, brands and numbers are among the records at hand: what is rare says more.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::keys;
use crate::record::Record;
use crate::spelling;
use crate::tables::tables;

/// What the records at hand have in common; empty, it knows what holds of everybody.
#[derive(Debug, Default)]
pub struct Frequencies {
    records: u32,
    surnames: FxHashMap<String, u32>,
    /// Companies of each brand.
    brands: FxHashMap<String, FxHashSet<String>>,
    /// Brands at each line.
    lines: FxHashMap<u64, FxHashSet<String>>,
    /// Names with each mobile.
    mobiles: FxHashMap<u64, FxHashSet<String>>,
    /// Keys that so many have that nobody counts any more.
    crowded: FxHashSet<u64>,
}

/// Most different values that are told apart; more are as bad.
const MOST: usize = 64;
/// How many records the table of surnames is worth.
const PRIOR_RECORDS: f64 = 200.0;

impl Frequencies {
    /// Counts a record.
    pub fn add(&mut self, record: &Record) {
        self.records = self.records.saturating_add(1);
        if !record.person.surname.is_empty() {
            *self.surnames.entry(record.person.surname.clone()).or_default() += 1;
        }
        self.add_shared(record);
    }

    /// Takes it that everybody has what this key stands for; see [`crate::keys`].
    pub fn crowd(&mut self, key: u64) {
        self.crowded.insert(key);
    }

    /// Counts who has a record's lines, mobiles and brand, and not how common its names are: for records that are there
    /// because they have something in common, among which every name is.
    pub fn add_shared(&mut self, record: &Record) {
        let company = record.company.as_ref();
        if let Some(company) = company
            && !company.trade.is_empty()
        {
            keep(self.brands.entry(company.brand.clone()).or_default(), || {
                company.trade.clone()
            });
        }
        for line in &record.phones.lines {
            let brand = company.map(|company| company.spelled.clone()).unwrap_or_default();
            keep(self.lines.entry(line.number).or_default(), || brand);
        }
        if record.person.is_whole() {
            for mobile in &record.phones.mobiles {
                keep(self.mobiles.entry(*mobile).or_default(), || record.person.letters());
            }
        }
    }

    /// Returns how much the same surname says, in bits.
    #[must_use]
    pub fn surname_bits(&self, surname: &str) -> f64 {
        /// Share of a surname that no table has.
        const RARE: f64 = 0.002;
        let known = tables().surname_shares.get(surname).copied().unwrap_or(RARE);
        let counted = f64::from(self.surnames.get(surname).copied().unwrap_or_default());
        let share = (counted + PRIOR_RECORDS * known) / (f64::from(self.records) + PRIOR_RECORDS);
        (1.0 / share).log2().clamp(2.5, 7.0)
    }

    /// Returns how many trades share a brand.
    #[must_use]
    pub fn companies_of_brand(&self, brand: &str) -> usize {
        if self.is_crowded(|| keys::of_company(&spelling::spell(brand))) {
            return MOST;
        }
        self.brands.get(brand).map_or(1, |trades| trades.len().max(1))
    }

    /// Returns how many companies share a line.
    #[must_use]
    pub fn companies_at_line(&self, line: u64) -> usize {
        if self.is_crowded(|| keys::of_line(line)) {
            return MOST;
        }
        self.lines.get(&line).map_or(1, |brands| brands.len().max(1))
    }

    /// Returns how many people share a mobile.
    #[must_use]
    pub fn people_of_mobile(&self, mobile: u64) -> usize {
        if self.is_crowded(|| keys::of_mobile(mobile)) {
            return MOST;
        }
        self.mobiles.get(&mobile).map_or(1, |names| names.len().max(1))
    }

    fn is_crowded(&self, key: impl FnOnce() -> u64) -> bool {
        !self.crowded.is_empty() && self.crowded.contains(&key())
    }
}

fn keep(set: &mut FxHashSet<String>, value: impl FnOnce() -> String) {
    if set.len() < MOST {
        set.insert(value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Field, Values};

    #[test]
    fn what_is_rare_says_more() {
        let mut frequencies = Frequencies::default();
        assert!(frequencies.surname_bits("王") < frequencies.surname_bits("邹"));
        let before = frequencies.surname_bits("逄");
        for at in 0..1_000 {
            let values = Values::default()
                .with(Field::Contact, "逄伟")
                .with(Field::Company, &format!("言雅{}有限公司", ["家具", "玻璃"][at % 2]))
                .with(Field::Phone, "0371-88106811");
            frequencies.add(&Record::read(&values));
        }
        assert!(frequencies.surname_bits("逄") < before);
        assert_eq!(frequencies.companies_of_brand("言雅"), 2);
        assert_eq!(frequencies.companies_at_line(37_188_106_811), 1);
        assert_eq!(frequencies.companies_at_line(1), 1);
    }
}
