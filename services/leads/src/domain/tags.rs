//! Tags of leads: which rules give which tag for which fact, and the steps of a sale that people choose from.
//!
//! A rule gives its tag when its fact comes and its condition holds; the tag stays until it expires or somebody takes it away,
//! also when the condition holds no longer. Rules are asked in the order of their ids and see the tags from before the fact,
//! so none depends on another.

use jiff::{Timestamp, tz::TimeZone};

use super::assign::LeadFacts;
use super::calculated::{Names, read_names};
use super::ids::{ProgressTagId, TagRuleId};
use super::routing::{Conditions, MAX_CONDITION_CHARACTERS, condition_fault};
use super::violation::{Violation, Violations};
use reflex_expr::{Lang, formula};

/// Rules of a tenant.
pub const MAX_RULES: usize = 200;
/// Progress tags of a tenant.
pub const MAX_PROGRESS_TAGS: usize = 50;
/// Tags of a lead that people may give.
pub const MAX_TAGS: usize = 50;
/// Longest tag.
pub const MAX_TAG_CHARACTERS: usize = 40;
const MAX_EXPIRE_DAYS: i32 = 3650;
const MAX_EVENT_BYTES: usize = 64;

/// Kind of the first fact of every lead.
pub const CAPTURED: &str = "captured";
/// Kind of a recorded follow-up.
pub const FOLLOW_UP_RECORDED: &str = "follow_up_recorded";

/// A rule as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawTagRule {
    /// `tagRules/{tag_rule}`.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// Condition, or empty.
    pub condition: String,
    /// Kind of the fact, or empty.
    pub event: String,
    /// Days the tag lasts, 0 for ever.
    pub expire_days: i32,
    /// Whether it is asked.
    pub enabled: bool,
}

/// A rule that is sound by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// Its id.
    pub id: TagRuleId,
    /// The tag it gives.
    pub tag: String,
    /// What must hold for the lead; empty for any lead.
    pub condition: String,
    /// Kind of the fact it waits for; empty for the capture and each later fact.
    pub event: String,
    /// Days the tag lasts; 0 for ever.
    pub expire_days: i32,
    /// Whether it is asked.
    pub enabled: bool,
}

impl TagRule {
    /// Checks a rule; `names` is what its condition may read.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawTagRule, names: &Names) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("tag_rule.name", &raw.name);
        let rule = Self {
            id: TagRuleId::of_draft(),
            tag: violations.line("tag_rule.tag", &raw.tag, 1..=MAX_TAG_CHARACTERS),
            condition: violations.text("tag_rule.condition", &raw.condition, 0..=MAX_CONDITION_CHARACTERS),
            event: raw.event.trim().to_owned(),
            expire_days: violations.number("tag_rule.expire_days", raw.expire_days, 0..=MAX_EXPIRE_DAYS),
            enabled: raw.enabled,
        };
        if !rule.event.is_empty() {
            check_kind(&mut violations, "tag_rule.event", &rule.event);
        }
        if violations.is_empty() && !rule.condition.is_empty() {
            check_condition(&mut violations, &rule.condition, names);
        }
        match id {
            Some(id) if violations.is_empty() => Ok(Self { id, ..rule }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Returns when a tag that is given at `now` goes by itself.
    #[must_use]
    pub fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        expiry(self.expire_days, now)
    }

    fn listens_to(&self, event: &str) -> bool {
        self.enabled && (self.event.is_empty() || self.event == event)
    }
}

/// Returns when a tag that lasts so many days goes by itself, rounded up to the hour, so that a tag that is renewed with each
/// page somebody looks at does not leave a timer for each; never for 0.
#[must_use]
pub fn expiry(days: i32, now: Timestamp) -> Option<Timestamp> {
    const HOUR: i64 = 3600;
    let ends = now.as_second().saturating_add(i64::from(days) * 24 * HOUR);
    let hours = ends.div_euclid(HOUR) + i64::from(ends.rem_euclid(HOUR) > 0 || now.subsec_nanosecond() > 0);
    (days > 0).then(|| Timestamp::from_second(hours * HOUR).unwrap_or(Timestamp::MAX))
}

/// Checks a tag that somebody gives, with the days it is to last.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn parse_manual(tag: &str, expire_days: i32) -> Result<String, Vec<Violation>> {
    let mut violations = Violations::default();
    let tag = violations.line("tag", tag, 1..=MAX_TAG_CHARACTERS);
    violations.number("expire_days", expire_days, 0..=MAX_EXPIRE_DAYS);
    if violations.is_empty() {
        Ok(tag)
    } else {
        Err(violations.into_vec())
    }
}

/// Checks the kind of a fact.
pub fn check_kind(violations: &mut Violations, field: &str, kind: &str) {
    let letter = |byte: u8| byte.is_ascii_lowercase();
    let first = kind.bytes().next().is_some_and(letter);
    let rest = kind
        .bytes()
        .all(|byte| letter(byte) || byte.is_ascii_digit() || byte == b'_');
    if !first || !rest || kind.len() > MAX_EVENT_BYTES {
        violations.add(field, "must be 1 to 64 of a-z, 0-9, \"_\", the first a letter");
    }
}

fn check_condition(violations: &mut Violations, condition: &str, names: &Names) {
    let compiled = Conditions::compile([Some(condition)], names);
    if let Some(error) = compiled.as_ref().and_then(|conditions| conditions.error(0)) {
        let said = |lang| condition_fault(error, condition, lang);
        violations.add("tag_rule.condition", format!("{} / {}", said(Lang::Zh), said(Lang::En)));
    } else if compiled.is_some_and(|conditions| conditions.is_never(0)) {
        violations.add(
            "tag_rule.condition",
            "条件永远不成立 / the condition holds for no lead at all",
        );
    }
}

/// A rule with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// What it says.
    pub rule: TagRule,
    /// From 1.
    pub version: i32,
}

/// The rules of a tenant, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct TagRules {
    /// By id.
    rules: Vec<Versioned>,
    conditions: Option<Conditions>,
}

impl TagRules {
    /// Compiles rules that come in the order of their ids; those that are not enabled are left out.
    #[must_use]
    pub fn new(mut rules: Vec<Versioned>, names: &Names) -> Self {
        rules.retain(|versioned| versioned.rule.enabled);
        let sources = rules.iter().map(|versioned| {
            let condition = versioned.rule.condition.as_str();
            Some(condition).filter(|condition| !condition.is_empty())
        });
        let conditions = Conditions::compile(sources, names);
        Self { rules, conditions }
    }

    /// Tells whether a fact of this kind may give a tag.
    #[must_use]
    pub fn listen_to(&self, event: &str) -> bool {
        self.rules.iter().any(|versioned| versioned.rule.listens_to(event))
    }

    /// Tells whether a condition reads anything of an account but its key.
    #[must_use]
    pub fn read_accounts(&self) -> bool {
        self.conditions.as_ref().is_some_and(Conditions::read_accounts)
    }

    /// Lists the rules that give their tags for a fact of a lead; of several that give the same tag only the first.
    #[must_use]
    pub fn matching(&self, event: &str, lead: &LeadFacts, now: Timestamp, zone: &TimeZone) -> Vec<&Versioned> {
        let mut inquiry = None;
        let mut found: Vec<&Versioned> = Vec::new();
        for (place, versioned) in self.rules.iter().enumerate() {
            let rule = &versioned.rule;
            if !rule.listens_to(event) || found.iter().any(|earlier| earlier.rule.tag == rule.tag) {
                continue;
            }
            let holds = match &self.conditions {
                Some(conditions) if !rule.condition.is_empty() => inquiry
                    .get_or_insert_with(|| conditions.inquire(lead, now, zone))
                    .holds(place),
                _ => true,
            };
            if holds {
                found.push(versioned);
            }
        }
        found
    }

    /// Lists how messages name the rules whose condition `loses` what it reads.
    pub fn readers(&self, loses: impl Fn(&std::collections::BTreeSet<String>) -> bool) -> Vec<String> {
        let reads = |versioned: &&Versioned| {
            formula::parse(&versioned.rule.condition).is_ok_and(|expr| loses(&read_names(&expr)))
        };
        let label = |versioned: &Versioned| format!("标签规则 {id} / tag rule {id}", id = versioned.rule.id);
        self.rules.iter().filter(reads).map(label).collect()
    }
}

/// What a progress tag means for the sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// 初步接触: they know us.
    Contact,
    /// 需求确认: what they need is clear.
    Needs,
    /// 试用评估: they try or test it.
    Evaluation,
    /// 报价: they know the price.
    Quotation,
    /// 内部审批: whoever decides is asked.
    Approval,
    /// 合同: terms are agreed.
    Contract,
}

impl Stage {
    /// Every stage, in the order of a sale.
    pub const ALL: [Self; 6] = [
        Self::Contact,
        Self::Needs,
        Self::Evaluation,
        Self::Quotation,
        Self::Approval,
        Self::Contract,
    ];

    /// Returns the word tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Needs => "needs",
            Self::Evaluation => "evaluation",
            Self::Quotation => "quotation",
            Self::Approval => "approval",
            Self::Contract => "contract",
        }
    }

    /// Returns the stage a word stands for.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}

/// One of the steps of a sale that people choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressTag {
    /// Its id.
    pub id: ProgressTagId,
    /// What people read.
    pub label: String,
    /// What it means.
    pub stage: Stage,
    /// Whether it is offered.
    pub enabled: bool,
}

impl ProgressTag {
    /// Checks a progress tag; `stage` is `None` where it was not given or is not known.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(name: &str, label: &str, stage: Option<Stage>, enabled: bool) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("progress_tag.name", name);
        let label = violations.line("progress_tag.label", label, 1..=MAX_TAG_CHARACTERS);
        if stage.is_none() {
            violations.add("progress_tag.stage", "must be a stage that is known");
        }
        match (id, stage) {
            (Some(id), Some(stage)) if violations.is_empty() => Ok(Self {
                id,
                label,
                stage,
                enabled,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

#[cfg(test)]
mod tests;
