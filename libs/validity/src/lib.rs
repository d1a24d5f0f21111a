//! Whether a lead is one: made-up numbers, disposable mail, test text, bots, repeated fingerprints. Needs no training: each
//! finding has a weight, written down beside it, and a tenant's corrections shift the weights.
//!
//! Belongs here: what speaks for and against a lead, from what it says alone. Does not: where leads are kept, and what becomes
//! of them.
//!
//! The probability that a lead is none is logistic in the sum of the weights of its findings, in nats, above a prior of one in
//! ten. What speaks for a lead counts only up to [`MOST_FOR`], so that no amount of plausible words makes a number reachable that
//! cannot exist.

mod agent;
mod learned;
mod mail;
mod phone;
mod reason;
mod text;

use std::time::Duration;

pub use learned::{Counts, Learned};
pub use reason::Reason;

/// Log-odds that a lead is none before anything is known of it: one in ten.
pub const PRIOR: f64 = -2.197;
/// How much everything that speaks for a lead counts together at most, in nats.
pub const MOST_FOR: f64 = 1.5;
/// From this probability on, a lead is taken for none.
const INVALID: f64 = 0.85;
/// From this one on it is doubtful.
const SUSPECT: f64 = 0.5;
/// Longest text looked at, in characters.
const LONGEST: usize = 4_000;
/// People fill in no form faster; two seconds is what copying and pasting takes at least.
const TOO_FAST: Duration = Duration::from_secs(2);

/// A lead as it came; texts that are not there are empty.
#[derive(Debug, Clone, Default)]
pub struct Lead<'a> {
    /// Company as typed.
    pub company: &'a str,
    /// Contact person as typed.
    pub contact: &'a str,
    /// Telephone numbers as typed.
    pub phone: &'a str,
    /// Mail address as typed.
    pub email: &'a str,
    /// What the customer wrote.
    pub remark: &'a str,
    /// How it came.
    pub signals: Signals<'a>,
}

/// What is known of how a lead came; nothing where it came otherwise than by a page.
#[derive(Debug, Clone, Default)]
pub struct Signals<'a> {
    /// What a field says that people do not see.
    pub honeypot: &'a str,
    /// How long filling in took.
    pub elapsed: Option<Duration>,
    /// What the program called itself.
    pub user_agent: &'a str,
    /// Different people that came lately with the same fingerprint or the same number, this one included.
    pub people_alike: u32,
}

/// What a lead is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// A lead.
    Valid,
    /// Perhaps none.
    Suspect,
    /// None.
    Invalid,
}

impl Label {
    /// Returns the word tables and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspect => "suspect",
            Self::Invalid => "invalid",
        }
    }
}

/// What is made of a lead, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What it is taken for.
    pub label: Label,
    /// Probability that it is none, 0 to 1.
    pub probability: f64,
    /// What was found, what weighs most first.
    pub findings: Vec<Finding>,
}

/// Something that speaks for or against a lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// What.
    pub reason: Reason,
    /// How much, in nats: positive against it.
    pub weight: f64,
}

impl Judgement {
    /// Returns how sure the label is, 0.5 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.probability.max(1.0 - self.probability)
    }

    /// Tells whether the lead is rather none: suspect or invalid.
    #[must_use]
    pub fn is_against(&self) -> bool {
        self.label != Label::Valid
    }
}

/// Judges a lead, with what corrections taught.
#[must_use]
pub fn judge(lead: &Lead<'_>, learned: &Learned) -> Judgement {
    let mut reasons = Vec::new();
    let lead = Lead {
        company: cut(lead.company),
        contact: cut(lead.contact),
        phone: cut(lead.phone),
        email: cut(lead.email),
        remark: cut(lead.remark),
        signals: lead.signals.clone(),
    };
    let phone = phone::look(lead.phone);
    let mail = mail::look(lead.email);
    reasons.extend(phone.reason());
    reasons.extend(mail.reason());
    if !phone.is_reachable() && !mail.is_reachable() && reasons.is_empty() {
        reasons.push(Reason::NoContact);
    }
    reasons.extend(text::look(&lead));
    let signals = &lead.signals;
    if !signals.honeypot.trim().is_empty() {
        reasons.push(Reason::Honeypot);
    }
    if signals.elapsed.is_some_and(|elapsed| elapsed < TOO_FAST) {
        reasons.push(Reason::TooFast);
    }
    if agent::is_program(signals.user_agent) {
        reasons.push(Reason::BotAgent);
    }
    reasons.extend(match signals.people_alike {
        0..=2 => None,
        3..=4 => Some(Reason::Repeated),
        _ => Some(Reason::RepeatedOften),
    });
    let mut findings: Vec<Finding> = reasons
        .into_iter()
        .map(|reason| Finding {
            reason,
            weight: learned.weight(reason),
        })
        .collect();
    findings.sort_by(|left, right| right.weight.abs().total_cmp(&left.weight.abs()));
    let against: f64 = findings.iter().map(|it| it.weight.max(0.0)).sum();
    let favour: f64 = findings.iter().map(|it| it.weight.min(0.0)).sum();
    let odds = PRIOR + against + favour.max(-MOST_FOR);
    let probability = 1.0 / (1.0 + (-odds).exp());
    let label = if probability >= INVALID {
        Label::Invalid
    } else if probability >= SUSPECT {
        Label::Suspect
    } else {
        Label::Valid
    };
    Judgement {
        label,
        probability,
        findings,
    }
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
