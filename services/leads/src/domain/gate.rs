//! The gate (线索熔断器): a lead goes to salespeople only if all three hold: somebody really looked (dwell and the success
//! cases), the e-mail's domain belongs to a wanted industry, and no competitor was visited lately.
//!
//! Three-valued: what a source cannot say is unknown, and never silently true. The conjunction is Kleene's: one false makes
//! it false whatever is unknown, and one unknown keeps it from being true. What an unknown part means for the lead is the
//! tenant's policy for that source.

mod evidence;
mod spec;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use evidence::{
    Company, CompanyAnswer, Evidence, GateFacts, Known, Seen, VisitAnswer, VisitSource, competitor_of, host_of,
    is_public_mail, judge_behaviour, judge_competitors, judge_industry, own_visits,
};
pub use spec::{BehaviourSpec, CompetitorSpec, GateSpec, IndustrySpec, RawGate, RegistrySource, Screening};

/// What is known of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::True, Self::False, Self::Unknown];

    /// Returns Kleene's conjunction.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What becomes of a lead about which a source says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutagePolicy {
    /// It waits until the source can say.
    #[default]
    Hold,
    /// The part counts as true, on record.
    Pass,
    /// The part counts as false, on record.
    Nurture,
}

impl OutagePolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Hold, Self::Pass, Self::Nurture];
}

/// What the gate says of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes to salespeople.
    Pass,
    /// It goes to the nurture pool.
    Nurture,
    /// It waits for a source.
    Hold,
}

impl Verdict {
    /// Returns the word tables and facts use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Nurture => "nurture",
            Self::Hold => "hold",
        }
    }

    /// Returns the verdict a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        [Self::Pass, Self::Nurture, Self::Hold]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }
}

/// One of the three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Long enough on the site, and on the success cases.
    Behaviour,
    /// A company of a wanted industry.
    Industry,
    /// No competitor visited lately.
    NoCompetitor,
}

/// Why a part is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// The source has nothing about this lead.
    NoData,
    /// It is being asked.
    Pending,
    /// It did not answer, or there is none.
    Down,
    /// What it said is older than allowed.
    Stale,
}

impl Unknown {
    /// Returns the word evidence and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Pending => "pending",
            Self::Down => "down",
            Self::Stale => "stale",
        }
    }
}

/// What one part says, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubVerdict {
    /// Which part.
    pub criterion: Criterion,
    /// What it says.
    pub truth: Truth,
    /// Why that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
    /// What unknown means for the lead.
    pub on_unknown: OutagePolicy,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

impl SubVerdict {
    /// Returns the value that counts: an unknown one as the policy of its source says. While a source is being asked nothing
    /// is out, so the lead waits whatever the policy.
    #[must_use]
    pub fn settled(&self) -> Truth {
        match (self.truth, self.unknown, self.on_unknown) {
            (Truth::Unknown, Some(Unknown::Pending), _) | (Truth::Unknown, _, OutagePolicy::Hold) => Truth::Unknown,
            (Truth::Unknown, _, OutagePolicy::Pass) => Truth::True,
            (Truth::Unknown, _, OutagePolicy::Nurture) => Truth::False,
            (known, ..) => known,
        }
    }

    /// Tells whether an unknown part was counted by its policy.
    #[must_use]
    pub fn by_policy(&self) -> bool {
        self.truth == Truth::Unknown && self.settled() != Truth::Unknown
    }
}

/// Puts the parts together.
#[must_use]
pub fn verdict(parts: &[SubVerdict]) -> Verdict {
    match parts.iter().map(SubVerdict::settled).fold(Truth::True, Truth::and) {
        Truth::True => Verdict::Pass,
        Truth::False => Verdict::Nurture,
        Truth::Unknown => Verdict::Hold,
    }
}

/// A tenant's gate, at one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// Grows with each change.
    pub version: i32,
    /// What it asks.
    pub spec: GateSpec,
}

/// A verdict with everything it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What becomes of the lead.
    pub verdict: Verdict,
    /// Whether the longest hold was over, and the policy's last word decided.
    #[serde(default)]
    pub hold_over: bool,
    /// The parts; none where the gate is off.
    pub parts: Vec<SubVerdict>,
    /// Version of the policy; 0 for none.
    pub policy_version: i32,
    /// Version of the imported companies that were asked; 0 for none.
    #[serde(default)]
    pub company_version: i32,
    /// Version of the imported visits that were asked; 0 for none.
    #[serde(default)]
    pub visit_version: i32,
}

impl Judgement {
    /// What a gate says that is off: everything passes.
    #[must_use]
    pub fn off(policy_version: i32) -> Self {
        Self {
            verdict: Verdict::Pass,
            hold_over: false,
            parts: Vec::new(),
            policy_version,
            company_version: 0,
            visit_version: 0,
        }
    }

    /// Tells whether an unknown part was counted by its policy, or the longest hold was over.
    #[must_use]
    pub fn by_policy(&self) -> bool {
        self.hold_over || self.parts.iter().any(SubVerdict::by_policy)
    }

    /// Returns the parts as histories write them: `behaviour=true industry=unknown(down)>pass no_competitor=false`.
    #[must_use]
    pub fn summary(&self) -> String {
        let word = |truth: Truth| match truth {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "unknown",
        };
        let part = |part: &SubVerdict| {
            let name = match part.criterion {
                Criterion::Behaviour => "behaviour",
                Criterion::Industry => "industry",
                Criterion::NoCompetitor => "no_competitor",
            };
            let why = part
                .unknown
                .map(|why| format!("({})", why.as_str()))
                .unwrap_or_default();
            let counted = if part.by_policy() {
                format!(" counts as {}", word(part.settled()))
            } else {
                String::new()
            };
            format!("{name} {}{why}{counted}", word(part.truth))
        };
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        parts.join(", ")
    }
}

/// Judges a lead; `held_since` is when it began to wait, if it does.
#[must_use]
pub fn judge(
    spec: &GateSpec,
    version: i32,
    facts: &GateFacts,
    held_since: Option<Timestamp>,
    now: Timestamp,
) -> Judgement {
    if !spec.enabled {
        return Judgement::off(version);
    }
    let parts = vec![
        judge_behaviour(&spec.behaviour, facts),
        judge_industry(&spec.industry, facts, now),
        judge_competitors(&spec.competitors, facts, now),
    ];
    let mut judgement = Judgement {
        verdict: verdict(&parts),
        parts,
        company_version: facts.company_version,
        visit_version: facts.visit_version,
        ..Judgement::off(version)
    };
    let over = |since: Timestamp| since.saturating_add(spec.max_hold()).is_ok_and(|end| end <= now);
    if judgement.verdict == Verdict::Hold && held_since.is_some_and(over) {
        judgement.verdict = spec.after_hold.unwrap_or(Verdict::Nurture);
        judgement.hold_over = true;
    }
    judgement
}

#[cfg(test)]
mod tests;
