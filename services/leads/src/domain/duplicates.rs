//! Which leads may be the same: how a tenant wants them compared, what of a lead is compared, where a pair stands.

pub mod board;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reflex_matching::{Comparison, Field, Finding, Values, Weights};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::MemberId;
use super::violation::Violation;

/// The fields of a lead that are compared.
pub const FIELDS: [Field; 8] = [
    Field::Company,
    Field::Contact,
    Field::Mobile,
    Field::Phone,
    Field::Email,
    Field::Address,
    Field::City,
    Field::Code,
];

/// How a tenant's leads are compared; the default holds for whoever set up nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DuplicatePolicy {
    /// Whether they are not compared at all.
    pub disabled: bool,
    /// Threshold, weights, strong rules.
    pub weights: Weights,
}

/// A policy as it was sent, not checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawDuplicatePolicy {
    /// Whether leads are not compared.
    pub disabled: bool,
    /// 0 for the usual one.
    pub threshold: f64,
    /// How much fields count, by name.
    pub weights: BTreeMap<String, f64>,
    /// Strong rules that are switched off.
    pub weak: Vec<String>,
}

impl DuplicatePolicy {
    /// Checks what was sent.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(raw: &RawDuplicatePolicy) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let mut wrong = |field: String, description: String| violations.push(Violation { field, description });
        let threshold = if raw.threshold == 0.0 {
            Weights::THRESHOLD
        } else {
            raw.threshold
        };
        if !(0.5..=1.0).contains(&threshold) {
            wrong("policy.threshold".into(), "must be between 0.5 and 1".into());
        }
        let known = |name: &str| FIELDS.into_iter().find(|field| field.name() == name);
        let mut fields = BTreeMap::new();
        for (name, weight) in &raw.weights {
            let at = format!("policy.weights[{}]", name.chars().take(50).collect::<String>());
            match known(name) {
                None => wrong(
                    at,
                    format!("is no field; fields are {}", FIELDS.map(Field::name).join(", ")),
                ),
                Some(_) if !(0.0..=Weights::MOST).contains(weight) => {
                    wrong(at, format!("must be between 0 and {}", Weights::MOST));
                }
                Some(field) => drop(fields.insert(field, *weight)),
            }
        }
        let mut strong = BTreeSet::from(Weights::STRONG);
        for (place, name) in raw.weak.iter().enumerate() {
            if !known(name).is_some_and(|field| strong.remove(&field)) {
                let names = Weights::STRONG.map(Field::name).join(" or ");
                wrong(format!("policy.weak[{place}]"), format!("must be {names}, each once"));
            }
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            disabled: raw.disabled,
            weights: Weights {
                threshold,
                fields,
                strong,
            },
        })
    }

    /// Returns the strong rules that are switched off.
    #[must_use]
    pub fn weak(&self) -> Vec<Field> {
        let is_weak = |field: &Field| !self.weights.strong.contains(field);
        Weights::STRONG.into_iter().filter(is_weak).collect()
    }
}

/// What a lead says that is compared, as it was typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// Company.
    pub company: &'a str,
    /// Contact.
    pub contact: &'a str,
    /// Telephones.
    pub phone: &'a str,
    /// Mailbox.
    pub email: &'a str,
    /// Further fields by name; those called by one of [`attributes_of`] are compared.
    pub attributes: &'a HashMap<String, String>,
}

/// Returns what further fields are called that say this.
#[must_use]
pub fn attributes_of(field: Field) -> &'static [&'static str] {
    match field {
        Field::Mobile => &["mobile", "手机", "手机号"],
        Field::Phone => &["landline", "telephone", "电话", "座机", "固定电话"],
        Field::Address => &["address", "地址", "详细地址"],
        Field::City => &["city", "城市"],
        Field::Code => &["credit_code", "统一社会信用代码", "信用代码"],
        _ => &[],
    }
}

/// Most characters of a field that are compared; more are nobody's name.
const MOST_CHARACTERS: usize = 500;

impl Typed<'_> {
    /// Returns the values as they are compared.
    #[must_use]
    pub fn values(&self) -> Values {
        let mut values = Values::default();
        let mut add = |field: Field, text: &str| {
            let end = text
                .char_indices()
                .nth(MOST_CHARACTERS)
                .map_or(text.len(), |(at, _)| at);
            values.add(field, &text[..end]);
        };
        add(Field::Company, self.company);
        add(Field::Contact, self.contact);
        add(Field::Mobile, self.phone);
        add(Field::Email, self.email);
        for field in FIELDS {
            for name in attributes_of(field) {
                if let Some(text) = self.attributes.get(*name) {
                    add(field, text);
                }
            }
        }
        values
    }
}

/// Where a pair stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They have something in common; nobody was told.
    Linked,
    /// Somebody has to decide.
    Suspected,
    /// It was suspected, and is no more.
    Withdrawn,
    /// Somebody decided that they are two.
    Distinct,
    /// They were merged.
    Merged,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Linked,
        Self::Suspected,
        Self::Withdrawn,
        Self::Distinct,
        Self::Merged,
    ];

    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Suspected => "suspected",
            Self::Withdrawn => "withdrawn",
            Self::Distinct => "distinct",
            Self::Merged => "merged",
        }
    }

    /// Returns the state a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether somebody decided, which nothing but a decision changes.
    #[must_use]
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Distinct | Self::Merged)
    }
}

/// What one field of a pair says, as it is kept: without a word of what the leads say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldEvidence {
    /// Name of the field.
    pub field: String,
    /// Name of the finding.
    pub finding: String,
    /// How alike both are.
    pub similarity: f64,
    /// How much it says, in bits.
    pub bits: f64,
}

/// Returns what the fields say that both leads have.
#[must_use]
pub fn evidence(comparison: &Comparison) -> Vec<FieldEvidence> {
    let says = |field: &Field| comparison.field(*field).finding != Finding::Missing;
    FIELDS
        .into_iter()
        .filter(says)
        .map(|field| {
            let evidence = comparison.field(field);
            FieldEvidence {
                field: field.name().to_owned(),
                finding: evidence.finding.name().to_owned(),
                similarity: evidence.similarity,
                bits: evidence.bits(),
            }
        })
        .collect()
}

/// An open lead that another one is suspected to be the same as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// The lead.
    pub lead: Uuid,
    /// Who had it when that was last seen.
    pub owner: Option<MemberId>,
}

/// Most of them that a decision of routing knows.
pub const MOST_TWINS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(raw: &RawDuplicatePolicy) -> Vec<String> {
        let wrong = DuplicatePolicy::parse(raw).unwrap_err();
        wrong.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn policies_are_checked() {
        let usual = DuplicatePolicy::parse(&RawDuplicatePolicy::default()).unwrap();
        assert_eq!(usual, DuplicatePolicy::default());
        assert!(!usual.disabled && usual.weak().is_empty());
        let own = RawDuplicatePolicy {
            threshold: 0.9,
            weights: BTreeMap::from([("company".to_owned(), 0.5)]),
            weak: vec!["mobile".into()],
            ..RawDuplicatePolicy::default()
        };
        let own = DuplicatePolicy::parse(&own).unwrap();
        assert_eq!(own.weak(), [Field::Mobile]);
        assert_eq!(own.weights.fault(), None);
        let wrong = RawDuplicatePolicy {
            threshold: f64::NAN,
            weights: BTreeMap::from([("postcode".to_owned(), 1.0), ("email".to_owned(), 3.5)]),
            weak: vec!["code".into(), "code".into(), "email".into()],
            disabled: false,
        };
        let expected = [
            "policy.threshold",
            "policy.weights[email]",
            "policy.weights[postcode]",
            "policy.weak[1]",
            "policy.weak[2]",
        ];
        assert_eq!(faults(&wrong), expected);
    }

    #[test]
    fn what_further_fields_say_is_compared() {
        let attributes = HashMap::from([
            ("座机".to_owned(), "021-58881234".to_owned()),
            ("统一社会信用代码".to_owned(), "91350100M000100Y43".to_owned()),
            ("备注".to_owned(), "021-58881299".to_owned()),
        ]);
        let long = "司".repeat(600);
        let typed = Typed {
            company: &long,
            contact: "王怡新",
            phone: "13800138001",
            email: "",
            attributes: &attributes,
        };
        let values = typed.values();
        assert_eq!(values.get(Field::Phone), "021-58881234");
        assert_eq!(values.get(Field::Code), "91350100M000100Y43");
        assert_eq!(values.get(Field::Company).chars().count(), 500);
    }

    #[test]
    fn words_of_states_are_found_again() {
        assert!(
            State::ALL
                .into_iter()
                .all(|state| State::find(state.as_str()) == Some(state))
        );
        assert_eq!(State::find("open"), None);
    }
}
