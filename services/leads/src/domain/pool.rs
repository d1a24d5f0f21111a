//! The pool: when leads go back to it because their owner does nothing with them, and who may pick from it.
//!
//! A rule is judged when its time is over, never before: conditions may read what changes as time passes. Whether its time
//! is over follows from the ownership alone, so a clock that is late, or set twice, changes nothing.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use reflex_calendar::WorkingCalendar;
use reflex_expr::Lang;
use serde::{Deserialize, Serialize};

use super::assign::LeadFacts;
use super::calculated::Names;
use super::ids::MemberId;
use super::lead::State;
use super::routing::{Conditions, LONGEST_TERM, MAX_CONDITION_CHARACTERS, condition_fault};
use super::violation::{Violation, Violations};

const MAX_RULES: usize = 50;
const MAX_PICKS_PER_DAY: i32 = 1000;
/// Below it, a batch of leads could be recycled before anybody has seen them.
const SHORTEST_TERM: Duration = Duration::from_mins(1);
/// Cooldowns that a lead remembers; the oldest are forgotten.
const MOST_COOLDOWNS: usize = 50;

/// What an owner did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking {
    /// They neither claimed the lead nor recorded a follow-up.
    Claim,
    /// They recorded no follow-up, or none since the last one.
    FollowUp,
}

impl Lacking {
    /// Returns the word events and histories use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "no_claim",
            Self::FollowUp => "no_follow_up",
        }
    }
}

/// What becomes of a lead that goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is routed anew.
    Route,
    /// It waits until somebody picks it.
    Wait,
}

/// When a lead goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What people call it.
    pub title: String,
    /// What must hold for the lead, as it was written; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What its owner did not do.
    pub lacking: Lacking,
    /// How long they had.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub within: Duration,
    /// Whether that is wall time instead of their working time.
    pub wall_clock: bool,
    /// What becomes of the lead.
    pub then: Then,
    /// How long its former owner shall not have it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub cooldown: Duration,
}

/// What a tenant says about its pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// How many leads a member may pick a business day; 0 lets nobody pick.
    pub picks_per_day: i32,
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// A pool policy as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawPool {
    /// Picks a day.
    pub picks_per_day: i32,
    /// Rules.
    pub rules: Vec<RawRule>,
}

/// A rule as it was sent.
#[derive(Debug, Clone, Default)]
pub struct RawRule {
    /// What people call it.
    pub title: String,
    /// What must hold for the lead, or empty.
    pub when: String,
    /// What its owner did not do; `None` for a value we do not know.
    pub lacking: Option<Lacking>,
    /// How long they had.
    pub within: Duration,
    /// Whether that is wall time.
    pub wall_clock: bool,
    /// What becomes of the lead; `None` for a value we do not know.
    pub then: Option<Then>,
    /// How long its former owner shall not have it.
    pub cooldown: Duration,
}

impl PoolSpec {
    /// Checks a pool policy, whose conditions may read these names. Fields of the violations start with `policy.`.
    ///
    /// # Errors
    /// Returns everything that is wrong.
    pub fn parse(raw: &RawPool, names: &Names) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        violations.number("policy.picks_per_day", raw.picks_per_day, 0..=MAX_PICKS_PER_DAY);
        if raw.rules.len() > MAX_RULES {
            let count = raw.rules.len();
            violations.add("policy.rules", format!("must be at most {MAX_RULES}, has {count}"));
            return Err(violations.into_vec());
        }
        let mut titles = HashSet::new();
        let mut rules = Vec::with_capacity(raw.rules.len());
        for (place, rule) in raw.rules.iter().enumerate() {
            let at = |field: &str| format!("policy.rules[{place}].{field}");
            let parsed = parse_rule(&mut violations, &at, rule);
            if !titles.insert(rule.title.trim()) {
                violations.add(at("title"), "must differ from those of the other rules");
            }
            if rule.then == Some(Then::Wait) && raw.picks_per_day == 0 {
                violations.add(at("then"), "must not be WAIT where picks_per_day lets nobody pick");
            }
            rules.extend(parsed);
        }
        add_mistakes(&mut violations, raw, names);
        if !violations.is_empty() {
            return Err(violations.into_vec());
        }
        Ok(Self {
            picks_per_day: raw.picks_per_day,
            rules,
        })
    }

    /// Lists the conditions with the titles of their rules.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let conditions = |rule: &'_ Rule| rule.when.is_some();
        let rules = self.rules.iter().filter(move |rule| conditions(rule));
        rules.map(|rule| (rule.title.as_str(), rule.when.as_deref().unwrap_or_default()))
    }
}

fn parse_rule(violations: &mut Violations, at: &dyn Fn(&str) -> String, raw: &RawRule) -> Option<Rule> {
    let title = violations.line(&at("title"), &raw.title, 1..=100);
    let when = violations.text(&at("when"), &raw.when, 0..=MAX_CONDITION_CHARACTERS);
    if raw.lacking.is_none() {
        violations.add(at("lacking"), "must be CLAIM or FOLLOW_UP");
    }
    if raw.then.is_none() {
        violations.add(at("then"), "must be ROUTE or WAIT");
    }
    if raw.within < SHORTEST_TERM || raw.within > LONGEST_TERM {
        violations.add(at("within"), "must be 1 minute to 366 days");
    }
    if raw.cooldown > LONGEST_TERM {
        violations.add(at("cooldown"), "must be at most 366 days");
    }
    Some(Rule {
        title,
        when: Some(when).filter(|when| !when.is_empty()),
        lacking: raw.lacking?,
        within: raw.within,
        wall_clock: raw.wall_clock,
        then: raw.then?,
        cooldown: raw.cooldown,
    })
}

fn add_mistakes(violations: &mut Violations, raw: &RawPool, names: &Names) {
    let condition = |rule: &'_ RawRule| Some(rule.when.trim().to_owned()).filter(|when| !when.is_empty());
    let sources: Vec<Option<String>> = raw.rules.iter().map(condition).collect();
    let Some(conditions) = Conditions::compile(sources.iter().map(Option::as_deref), names) else {
        return;
    };
    for (place, source) in sources.iter().enumerate() {
        let source = source.as_deref().unwrap_or_default();
        if let Some(error) = conditions.error(place) {
            let said = |lang| condition_fault(error, source, lang);
            let field = format!("policy.rules[{place}].when");
            violations.add(field, format!("{} / {}", said(Lang::Zh), said(Lang::En)));
        } else if conditions.is_never(place) {
            let field = format!("policy.rules[{place}].when");
            violations.add(field, "条件永远不成立 / the condition never holds");
        }
    }
}

/// A pool policy with its conditions compiled.
#[derive(Debug, Clone)]
pub struct Pool {
    spec: PoolSpec,
    conditions: Option<Conditions>,
}

/// Somebody's having a lead, as far as it decides whether they keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Who has it.
    pub owner: MemberId,
    /// Since when.
    pub since: Timestamp,
    /// Where the lead stands.
    pub state: State,
    /// When the last follow-up was recorded since then.
    pub last_follow_up: Option<Timestamp>,
}

impl Pool {
    /// Compiles a policy.
    #[must_use]
    pub fn new(spec: PoolSpec, names: &Names) -> Self {
        let conditions = Conditions::compile(spec.rules.iter().map(|rule| rule.when.as_deref()), names);
        Self { spec, conditions }
    }

    /// Returns what the tenant says.
    #[must_use]
    pub fn spec(&self) -> &PoolSpec {
        &self.spec
    }

    /// Lists the rules that the owner has not satisfied for good, with the instant since which they had done nothing, in
    /// the order of the policy.
    pub fn running<'a>(&'a self, held: &'a Ownership) -> impl Iterator<Item = (usize, &'a Rule, Timestamp)> {
        let rules = self.spec.rules.iter().enumerate();
        rules.filter_map(|(place, rule)| {
            let since = match rule.lacking {
                Lacking::Claim if held.state != State::Assigned || held.last_follow_up.is_some() => return None,
                Lacking::Claim => held.since,
                Lacking::FollowUp => held.last_follow_up.map_or(held.since, |at| at.max(held.since)),
            };
            held.state.is_owned().then_some((place, rule, since))
        })
    }

    /// Tells whether a condition reads anything of an account but its key.
    #[must_use]
    pub fn reads_accounts(&self) -> bool {
        self.conditions.as_ref().is_some_and(Conditions::read_accounts)
    }

    /// Tells whether the condition of the rule at a place holds for a lead; one that cannot be calculated does not.
    #[must_use]
    pub fn holds(&self, place: usize, lead: &LeadFacts, now: Timestamp, zone: &TimeZone) -> bool {
        let conditions = self.conditions.as_ref();
        conditions.is_none_or(|conditions| conditions.inquire(lead, now, zone).holds(place))
    }
}

/// A time in which somebody shall not have a lead again, as they lost it to the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cooldown {
    /// Who.
    pub member: MemberId,
    /// When they lost it.
    pub since: Timestamp,
    /// From when on they may have it.
    pub until: Timestamp,
}

/// The cooldowns of a lead, those that are over included: whoever looks back asks for the ones of another time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cooldowns(Vec<Cooldown>);

impl Cooldowns {
    /// Adds one; the oldest is forgotten where there are too many.
    pub fn add(&mut self, cooldown: Cooldown) {
        if self.0.len() >= MOST_COOLDOWNS {
            self.0.remove(0);
        }
        self.0.push(cooldown);
    }

    /// Returns until when a member shall not have the lead, if at all.
    #[must_use]
    pub fn until(&self, member: &MemberId, now: Timestamp) -> Option<Timestamp> {
        let theirs = self.0.iter().filter(|it| it.member == *member);
        let running = theirs.filter(|it| it.since <= now && now < it.until);
        running.map(|it| it.until).max()
    }

    /// Tells whether a member, who got the lead at `from`, had lost it by `to` to a cooldown: then that says until when they
    /// shall not have it, and not that they had it last.
    #[must_use]
    pub fn began(&self, member: &MemberId, from: Timestamp, to: Timestamp) -> bool {
        let began = |it: &Cooldown| it.member == *member && from <= it.since && it.since <= to;
        self.0.iter().any(began)
    }
}

/// Returns the business day that an instant counts for: its date, or the next one on which the calendar is open at all.
#[must_use]
pub fn business_day(calendar: &WorkingCalendar, now: Timestamp) -> Date {
    const LONGEST_CLOSURE: usize = 366;
    let today = now.to_zoned(calendar.time_zone().clone()).date();
    let days = today.series(jiff::Span::new().days(1)).take(LONGEST_CLOSURE);
    let mut open = days.filter(|date| !calendar.windows_on(*date).windows.is_empty());
    open.next().unwrap_or(today)
}

#[cfg(test)]
mod tests;
