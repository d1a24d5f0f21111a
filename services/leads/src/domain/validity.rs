//! Whether a lead looks like one, what is kept of that, and what people say of it. [`reflex_validity`] has the rules.

use std::{collections::HashMap, time::Duration};

use reflex_validity::{Judgement, Label, Lead, Learned, Reason, Signals, judge};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ids::LeadId;

/// Attribute of a field that people do not see.
const HONEYPOT: &str = "honeypot";
/// Attribute that says how long filling in took, in seconds.
const ELAPSED: &str = "elapsed_seconds";
/// Attribute that says what the program called itself.
const USER_AGENT: &str = "user_agent";
/// Attribute that says what device it was.
const FINGERPRINT: &str = "fingerprint";

/// What a lead looked like when it came, as it is kept: no word of the lead itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// "valid", "suspect" or "invalid".
    pub label: String,
    /// Probability that it is none.
    pub probability: f64,
    /// Codes of what speaks against it by itself or by what corrections taught, what weighs most first.
    pub reasons: Vec<String>,
    /// What each of them weighed, in nats; none where the weights were the shipped ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// How many corrections the weights rest on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub corrections: u32,
    /// What the lead would have looked like without corrections, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped_label: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(corrections: &u32) -> bool {
    *corrections == 0
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
    /// Different people that came lately from the same device, this one included.
    pub people_alike: u32,
}

/// The device that a lead came from and the person it is about, as hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Of the device.
    pub fingerprint: i64,
    /// Of the person: name and mail address, or the phone where there is neither.
    pub person: i64,
}

/// What somebody says of a lead, whatever it looks like.
#[derive(Debug, Clone)]
pub struct Correction<'a> {
    /// Of which.
    pub lead: LeadId,
    /// Whether it is none.
    pub is_invalid: bool,
    /// What is found about it.
    pub reasons: Vec<Reason>,
    /// Why.
    pub note: &'a str,
}

impl Correction<'_> {
    /// Returns the word tables use.
    #[must_use]
    pub fn label(&self) -> &'static str {
        let label = if self.is_invalid { Label::Invalid } else { Label::Valid };
        label.as_str()
    }
}

impl<'a> Said<'a> {
    fn attribute(&self, name: &str) -> &'a str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }

    fn lead(&self) -> Lead<'a> {
        let seconds: Option<f64> = self.attribute(ELAPSED).trim().parse().ok();
        Lead {
            company: self.company,
            contact: self.contact,
            phone: self.phone,
            email: self.email,
            remark: self.remark,
            signals: Signals {
                honeypot: self.attribute(HONEYPOT),
                elapsed: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                user_agent: self.attribute(USER_AGENT),
                people_alike: self.people_alike,
            },
        }
    }

    /// Returns the device the lead came from, if it says so.
    #[must_use]
    pub fn device(&self) -> Option<Device> {
        let fingerprint = self.attribute(FINGERPRINT).trim();
        if fingerprint.is_empty() {
            return None;
        }
        let plain = |text: &str| text.trim().to_lowercase();
        let mut person = [plain(self.contact), plain(self.email)];
        if person.iter().all(String::is_empty) {
            person[0] = self.phone.chars().filter(char::is_ascii_digit).collect();
        }
        Some(Device {
            fingerprint: hash(&plain(fingerprint)),
            person: hash(&person.join("|")),
        })
    }

    /// Returns everything that is found about the lead, for it and against it, and what was found when it came.
    #[must_use]
    pub fn found(&self, when_it_came: Option<&Validity>) -> Vec<Reason> {
        let findings = judge(&self.lead(), &Learned::default()).findings;
        let mut reasons: Vec<Reason> = findings.into_iter().map(|finding| finding.reason).collect();
        reasons.extend(when_it_came.into_iter().flat_map(Validity::reasons));
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }
}

fn hash(text: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    i64::from_be_bytes(*digest.first_chunk().expect("a digest is longer"))
}

impl Validity {
    /// Judges a lead by what it says and what corrections taught.
    #[must_use]
    pub fn of(said: &Said<'_>, learned: &Learned) -> Self {
        let lead = said.lead();
        let judgement = judge(&lead, learned);
        let mut validity = Self::from(&judgement);
        validity.corrections = learned.corrections();
        if validity.corrections > 0 {
            validity.weights = against(&judgement).map(|finding| finding.weight).collect();
            let shipped = judge(&lead, &Learned::default()).label;
            validity.shipped_label = (shipped != judgement.label).then(|| shipped.as_str().to_owned());
        }
        validity
    }

    /// Tells whether the lead looks like none.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.label == Label::Invalid.as_str()
    }

    /// Tells whether anything is to be said of it: something speaks against it, or did not any more because of corrections.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.label != Label::Valid.as_str() || self.shipped_label.is_some()
    }

    /// Returns what speaks against the lead.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> + '_ {
        self.weighed().map(|(reason, _)| reason)
    }

    /// Returns what speaks against the lead, and what each weighed.
    pub fn weighed(&self) -> impl Iterator<Item = (Reason, f64)> + '_ {
        self.reasons.iter().enumerate().filter_map(|(at, code)| {
            let reason = Reason::find(code)?;
            Some((reason, self.weights.get(at).copied().unwrap_or_else(|| reason.weight())))
        })
    }

    /// Returns how sure the label is, 0.5 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.probability.max(1.0 - self.probability)
    }
}

/// Returns what speaks against a lead. What corrections have taken the weight from is still told.
fn against(judgement: &Judgement) -> impl Iterator<Item = &reflex_validity::Finding> {
    let findings = judgement.findings.iter();
    findings.filter(|finding| finding.weight > 0.0 || finding.reason.weight() > 0.0)
}

impl From<&Judgement> for Validity {
    fn from(judgement: &Judgement) -> Self {
        Self {
            label: judgement.label.as_str().to_owned(),
            probability: judgement.probability,
            reasons: against(judgement)
                .map(|finding| finding.reason.code().to_owned())
                .collect(),
            weights: Vec::new(),
            corrections: 0,
            shipped_label: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(attributes: &HashMap<String, String>, people_alike: u32) -> Said<'_> {
        Said {
            company: "苏州锻压机床有限公司",
            contact: "王磊",
            phone: "13902173345",
            email: "",
            remark: "",
            attributes,
            people_alike,
        }
    }

    fn attributes(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    #[test]
    fn attributes_tell_how_a_lead_came() {
        let judged = |pairs: &[(&str, &str)], people_alike: u32| {
            Validity::of(&said(&attributes(pairs), people_alike), &Learned::default())
        };
        assert!(!judged(&[], 1).is_notable() && judged(&[], 1).reasons.is_empty());
        assert!(judged(&[(HONEYPOT, "x")], 1).is_invalid());
        assert_eq!(judged(&[(ELAPSED, "0.5")], 1).reasons, ["too_fast"]);
        assert_eq!(judged(&[(ELAPSED, "nonsense")], 1).reasons, [""; 0]);
        let bot = judged(&[(USER_AGENT, "curl/8.4.0")], 1);
        assert_eq!(bot.reasons().collect::<Vec<_>>(), [Reason::BotAgent]);
        assert!(bot.is_notable() && bot.confidence() > 0.75);
        assert_eq!(judged(&[], 3).reasons, ["repeated"]);
        assert_eq!(judged(&[], 5).reasons, ["repeated_often"]);
    }

    #[test]
    fn what_corrections_changed_is_told() {
        let bot = attributes(&[(USER_AGENT, "curl/8.4.0"), (HONEYPOT, "x")]);
        let shipped = Validity::of(&said(&bot, 1), &Learned::default());
        assert!(shipped.is_invalid() && shipped.weights.is_empty() && shipped.shipped_label.is_none());
        let mut learned = Learned::default();
        for _ in 0..200 {
            learned.add(false, [Reason::BotAgent, Reason::Honeypot]);
        }
        let after = Validity::of(&said(&bot, 1), &learned);
        assert_eq!(
            (after.corrections, after.shipped_label.as_deref()),
            (200, Some("invalid"))
        );
        assert!(!after.is_invalid() && after.is_notable());
        assert!(after.weighed().all(|(reason, weight)| weight < reason.weight()));
        assert_eq!(after.reasons().count(), 2);
        let stored = serde_json::to_value(&shipped).unwrap();
        assert!(stored.get("corrections").is_none(), "{stored}");
        assert_eq!(serde_json::from_value::<Validity>(stored).unwrap(), shipped);
    }

    #[test]
    fn a_correction_rests_on_what_is_found_now_and_was_found_then() {
        let none = attributes(&[]);
        let mut then = Validity::of(&said(&none, 5), &Learned::default());
        then.reasons.push("of another release".into());
        let found = said(&none, 1).found(Some(&then));
        for expected in [Reason::RepeatedOften, Reason::PhoneSound, Reason::CompanySound] {
            assert!(found.contains(&expected), "{found:?}");
        }
        assert!(!said(&none, 1).found(None).contains(&Reason::RepeatedOften));
    }

    #[test]
    fn devices_are_told_apart_and_people_on_them() {
        let device = |fingerprint: &str, contact: &str, email: &str, phone: &str| {
            let attributes = attributes(&[(FINGERPRINT, fingerprint)]);
            let said = Said {
                contact,
                phone,
                email,
                ..said(&attributes, 1)
            };
            said.device()
        };
        assert_eq!(device(" ", "王磊", "", ""), None);
        let one = device("f1", "王磊", "W@a.cn", "1").unwrap();
        assert_eq!(one, device(" F1 ", "王磊 ", "w@A.cn", "2").unwrap());
        let two = device("f1", "李雷", "w@a.cn", "1").unwrap();
        assert!(one.fingerprint == two.fingerprint && one.person != two.person);
        let bare = |phone: &str| device("f1", "", "", phone).unwrap().person;
        assert!(bare("139 0217 3345") == bare("13902173345") && bare("1") != bare("2"));
    }
}
