//! Whether two leads are the same person at the same company.
//!
//! Three explanations compete for what the fields say: the same person (and so the same company), another person of the same
//! company, and another person of another company. Each field has its evidence in bits, the binary logarithm of how much more
//! often it is found so with the one than with the other (I. P. Fellegi, A. B. Sunter, *A Theory for Record Linkage*, 1969);
//! the score is what remains for the first explanation. So the same company alone makes no duplicate, nor the same name alone.

mod contact;
mod ways;

use serde::{Deserialize, Serialize};

use crate::address::{AddressLikeness, cities_differ};
use crate::company::{Company, CompanyLikeness};
use crate::evidence::{Comparison, Evidence, Finding};
use crate::frequency::Frequencies;
use crate::record::{FIELDS, Field, Record};

/// What may be set: the threshold, and how much each field counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// Score from which two leads are suspected to be the same, between 0.5 and 1.
    pub threshold: f64,
    /// How much fields count, each between 0 (not at all) and 3; 1 is usual.
    pub fields: std::collections::BTreeMap<Field, f64>,
    /// Fields that decide by themselves where they are the same: the mobile, and the code whose check holds.
    pub strong: std::collections::BTreeSet<Field>,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            threshold: Self::THRESHOLD,
            fields: std::collections::BTreeMap::new(),
            strong: Self::STRONG.into(),
        }
    }
}

impl Weights {
    /// The threshold where nobody set one.
    pub const THRESHOLD: f64 = 0.85;
    /// How much a field may count at most.
    pub const MOST: f64 = 3.0;
    /// The fields that may decide by themselves.
    pub const STRONG: [Field; 2] = [Field::Mobile, Field::Code];

    /// Returns what is wrong with them: the field, and a sentence.
    #[must_use]
    pub fn fault(&self) -> Option<(String, String)> {
        if !(0.5..=1.0).contains(&self.threshold) {
            return Some((
                "threshold".to_owned(),
                format!("{} is not between 0.5 and 1", self.threshold),
            ));
        }
        if let Some(field) = self.strong.iter().find(|field| !Self::STRONG.contains(field)) {
            let description = format!("{} cannot decide by itself", field.name());
            return Some(("strong".to_owned(), description));
        }
        let wrong = self
            .fields
            .iter()
            .find(|(_, weight)| !(0.0..=Self::MOST).contains(*weight))?;
        Some((
            format!("fields.{}", wrong.0.name()),
            format!("{} is not between 0 and {}", wrong.1, Self::MOST),
        ))
    }

    /// Returns them as comparisons use them.
    #[must_use]
    pub fn scales(&self) -> Scales {
        let mut scales = Scales {
            factors: [1.0; FIELDS],
            decides: Field::ALL.map(|field| self.strong.contains(&field)),
        };
        for (field, weight) in &self.fields {
            scales.factors[field.place()] = *weight;
        }
        scales
    }
}

/// Weights by the places of fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// How much each counts.
    pub(crate) factors: [f64; FIELDS],
    /// Whether each decides by itself.
    decides: [bool; FIELDS],
}

/// Odds that two records of one company are about one person, before anything else is compared, in bits.
const PRIOR_PERSON: f64 = -0.5;
/// Odds that two records that have some key in common are about one person, in bits.
const PRIOR_ANY: f64 = -12.0;

/// Compares two leads.
#[must_use]
pub fn compare(left: &Record, right: &Record, frequencies: &Frequencies, scales: &Scales) -> Comparison {
    let mut fields = [Evidence::NONE; FIELDS];
    let mut set = |field: Field, evidence: Evidence| fields[field.place()] = evidence;
    set(Field::Company, company(left, right, frequencies));
    let name = left.person.compare(&right.person);
    set(Field::Contact, contact::name(left, right, name, frequencies));
    set(Field::Email, contact::mailbox(left, right, name));
    set(Field::Mobile, ways::mobile(left, right, name, frequencies));
    set(Field::Phone, ways::line(left, right, frequencies));
    set(Field::Address, address(left, right));
    set(Field::City, city(left, right));
    set(Field::Postcode, equal(&left.postcode, &right.postcode, 2.0, -1.0));
    set(Field::BirthDate, contact::birth_date(left, right));
    set(Field::Code, code(left, right));
    judge(fields, scales)
}

fn judge(mut fields: [Evidence; FIELDS], scales: &Scales) -> Comparison {
    let (mut company, mut person) = (0.0, 0.0);
    for (evidence, factor) in fields.iter_mut().zip(scales.factors) {
        evidence.company_bits *= factor;
        evidence.person_bits *= factor;
        company += evidence.company_bits;
        person += evidence.person_bits;
    }
    let other_person = (-(PRIOR_PERSON + person)).exp2();
    let other_company = (-(PRIOR_ANY + company + person)).exp2();
    let mut score = 1.0 / (1.0 + other_person + other_company);
    // What decides by itself is told even where the rest speaks against it; somebody has to look then.
    let decides = fields
        .iter()
        .zip(scales.decides)
        .any(|(evidence, decides)| decides && evidence.finding == Finding::Decides && evidence.bits() > 0.0);
    let names_differ = matches!(
        fields[Field::Contact.place()].finding,
        Finding::Other | Finding::OtherGiven | Finding::OtherGender
    );
    let company_differs = matches!(
        fields[Field::Company.place()].finding,
        Finding::Other | Finding::OtherTrade | Finding::OtherPlace | Finding::OtherBranch
    );
    if decides {
        score = score.max(STRONG);
        if names_differ || company_differs {
            score = score.min(LOOK);
        }
    }
    let contradicts = fields.iter().any(|evidence| evidence.bits() <= -3.0);
    let is_identified = [Field::Mobile, Field::Email, Field::Contact].iter().any(|field| {
        matches!(
            fields[field.place()].finding,
            Finding::Decides | Finding::Same | Finding::Sounds
        )
    });
    Comparison {
        fields,
        score,
        is_excluded: score < 0.3 && contradicts,
        is_identified,
    }
}

/// Score of what decides by itself.
const STRONG: f64 = 0.9;
/// Highest score of what decides by itself where names speak against it.
const LOOK: f64 = 0.95;

fn company(left: &Record, right: &Record, frequencies: &Frequencies) -> Evidence {
    use CompanyLikeness::{
        Alike, Former, Missing, Near, Other, OtherBranch, OtherPlace, OtherTrade, Same, Short, Sounds,
    };
    let (Some(one), Some(two)) = (&left.company, &right.company) else {
        return Evidence::NONE;
    };
    let likeness = one.compare(two);
    let is_western = !one.words.is_empty() && !two.words.is_empty();
    let letters = one.brand.chars().count().min(two.brand.chars().count());
    let is_long = if is_western { letters >= 8 } else { letters >= 3 };
    let says_trade = |company: &Company| is_western || !company.trade.is_empty() || company.brand.chars().count() >= 4;
    let both_trades = says_trade(one) && says_trade(two);
    let long = |bits: f64| if is_long { bits + 2.5 } else { bits };
    let finding = finding(likeness);
    let mut bits = match likeness {
        Missing => return Evidence::NONE,
        Same if both_trades => 14.0,
        Same => long(9.5),
        Short if both_trades => long(11.0),
        Short => long(9.0) - crate::similarity::real(frequencies.companies_of_brand(&one.brand)).log2(),
        Sounds => long(9.0),
        Near => long(8.0),
        Former => 13.0,
        Alike => 1.0,
        OtherBranch => -4.0,
        OtherPlace | OtherTrade => -4.5,
        Other => -7.0,
    };
    if bits > 2.0 {
        let (here, there) = (left.place(), right.place());
        if cities_differ(here, there) {
            bits -= 4.0;
        } else if !here.is_empty() && here == there {
            bits += 1.5;
        }
    }
    Evidence {
        similarity: one.similarity(two, likeness),
        ..Evidence::new(finding, bits, 0.0)
    }
}

fn finding(likeness: CompanyLikeness) -> Finding {
    match likeness {
        CompanyLikeness::Missing => Finding::Missing,
        CompanyLikeness::Same => Finding::Same,
        CompanyLikeness::Short => Finding::Short,
        CompanyLikeness::Sounds => Finding::Sounds,
        CompanyLikeness::Near => Finding::Near,
        CompanyLikeness::Former => Finding::Former,
        CompanyLikeness::Alike => Finding::Alike,
        CompanyLikeness::OtherBranch => Finding::OtherBranch,
        CompanyLikeness::OtherPlace => Finding::OtherPlace,
        CompanyLikeness::OtherTrade => Finding::OtherTrade,
        CompanyLikeness::Other => Finding::Other,
    }
}

fn address(left: &Record, right: &Record) -> Evidence {
    let (Some(one), Some(two)) = (&left.address, &right.address) else {
        return Evidence::NONE;
    };
    match one.compare(two) {
        AddressLikeness::Missing => Evidence::NONE,
        AddressLikeness::Same => Evidence::new(Finding::Same, 5.0, 0.5),
        AddressLikeness::SameHouse => Evidence::new(Finding::SameHouse, 2.0, 0.0),
        AddressLikeness::Near => Evidence::new(Finding::Near, 3.0, 0.0),
        AddressLikeness::Alike => Evidence::new(Finding::Alike, 0.0, 0.0),
        AddressLikeness::Other => Evidence::new(Finding::Other, -1.5, 0.0),
    }
}

fn city(left: &Record, right: &Record) -> Evidence {
    if left.city.is_empty() || right.city.is_empty() {
        Evidence::NONE
    } else if left.city == right.city {
        Evidence::new(Finding::Same, 1.0, 0.0)
    } else if cities_differ(&left.city, &right.city) {
        Evidence::new(Finding::Other, -1.5, 0.0)
    } else {
        Evidence::new(Finding::Alike, 0.0, 0.0)
    }
}

fn equal(left: &str, right: &str, same: f64, other: f64) -> Evidence {
    if left.is_empty() || right.is_empty() {
        Evidence::NONE
    } else if left == right {
        Evidence::new(Finding::Same, same, 0.0)
    } else {
        Evidence::new(Finding::Other, other, 0.0)
    }
}

fn code(left: &Record, right: &Record) -> Evidence {
    match (&left.code, &right.code) {
        (Some((one, true)), Some((two, true))) if one == two => Evidence::new(Finding::Decides, 20.0, 0.0),
        (Some((one, true)), Some((two, true))) if one != two => Evidence::new(Finding::Other, -10.0, 0.0),
        (Some((one, _)), Some((two, _))) => equal(one, two, 12.0, -4.0),
        _ => Evidence::NONE,
    }
}

#[cfg(test)]
mod tests;
