//! Whether a lead looks like one, and what is kept of that. [`reflex_validity`] has the rules.

use std::{collections::HashMap, time::Duration};

use reflex_validity::{Judgement, Label, Lead, Learned, Reason, Signals, judge};
use serde::{Deserialize, Serialize};

/// Attribute of a field that people do not see.
const HONEYPOT: &str = "honeypot";
/// Attribute that says how long filling in took, in seconds.
const ELAPSED: &str = "elapsed_seconds";
/// Attribute that says what the program called itself.
const USER_AGENT: &str = "user_agent";

/// What a lead looked like when it came, as it is kept: no word of the lead itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// "valid", "suspect" or "invalid".
    pub label: String,
    /// Probability that it is none.
    pub probability: f64,
    /// Codes of what speaks against it, what weighs most first.
    pub reasons: Vec<String>,
}

/// What a lead says, as far as it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Company as typed.
    pub company: &'a str,
    /// Contact person as typed.
    pub contact: &'a str,
    /// Phone as typed.
    pub phone: &'a str,
    /// Mail address as typed.
    pub email: &'a str,
    /// What the customer wrote.
    pub remark: &'a str,
    /// Further fields.
    pub attributes: &'a HashMap<String, String>,
}

impl Validity {
    /// Judges a lead by what it says.
    #[must_use]
    pub fn of(said: &Said<'_>) -> Self {
        let attribute = |name: &str| said.attributes.get(name).map(String::as_str).unwrap_or_default();
        let seconds: Option<f64> = attribute(ELAPSED).trim().parse().ok();
        let lead = Lead {
            company: said.company,
            contact: said.contact,
            phone: said.phone,
            email: said.email,
            remark: said.remark,
            signals: Signals {
                honeypot: attribute(HONEYPOT),
                elapsed: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                user_agent: attribute(USER_AGENT),
                people_alike: 1,
            },
        };
        Self::from(&judge(&lead, &Learned::default()))
    }

    /// Tells whether the lead looks like none.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.label == Label::Invalid.as_str()
    }

    /// Tells whether nothing is to be said of it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.label == Label::Valid.as_str()
    }

    /// Returns what speaks against the lead.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> + '_ {
        self.reasons.iter().filter_map(|code| Reason::find(code))
    }

    /// Returns how sure the label is, 0.5 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.probability.max(1.0 - self.probability)
    }
}

impl From<&Judgement> for Validity {
    fn from(judgement: &Judgement) -> Self {
        let against = judgement.findings.iter().filter(|finding| finding.weight > 0.0);
        Self {
            label: judgement.label.as_str().to_owned(),
            probability: judgement.probability,
            reasons: against.map(|finding| finding.reason.code().to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_tell_how_a_lead_came() {
        let said = |attributes: &[(&str, &str)]| {
            let attributes = attributes
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            let attributes: HashMap<String, String> = attributes.collect();
            let said = Said {
                company: "苏州锻压机床有限公司",
                contact: "王磊",
                phone: "13902173345",
                email: "",
                remark: "",
                attributes: &attributes,
            };
            Validity::of(&said)
        };
        assert!(said(&[]).is_valid() && said(&[]).reasons.is_empty());
        assert!(said(&[(HONEYPOT, "x")]).is_invalid());
        assert_eq!(said(&[(ELAPSED, "0.5")]).reasons, ["too_fast"]);
        assert_eq!(said(&[(ELAPSED, "nonsense")]).reasons, [""; 0]);
        let bot = said(&[(USER_AGENT, "curl/8.4.0")]);
        assert_eq!(bot.reasons().collect::<Vec<_>>(), [Reason::BotAgent]);
        assert!(!bot.is_valid() && bot.confidence() > 0.75);
    }
}
