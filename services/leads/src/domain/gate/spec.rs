//! What a tenant says about its gate. Kept as it was sent: nothing set means the default, also a later one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{OutagePolicy, Verdict};
use crate::domain::violation::{Violation, Violations};

const DWELL_OVER: Duration = Duration::from_mins(3);
/// What pages of success cases are called where nobody says otherwise; found in the page's address or title.
const SUCCESS_CASES: [&str; 6] = [
    "成功案例",
    "客户案例",
    "success-case",
    "success_case",
    "case-stud",
    "/cases",
];
/// Manufacturing, section C of GB/T 4754 (divisions 13 to 43).
const MANUFACTURING: &str = "C";
const COMPETITOR_WINDOW: Duration = Duration::from_hours(30 * 24);
/// Companies change their trade seldom.
const COMPANIES_OLDEST: Duration = Duration::from_hours(366 * 24);
/// A list of visits says something about thirty days only if it is young.
const VISITS_OLDEST: Duration = Duration::from_hours(7 * 24);
const LONGEST_HOLD: Duration = Duration::from_hours(24);
const RETRY_EVERY: Duration = Duration::from_mins(10);
const MINUTE: Duration = Duration::from_mins(1);
const YEARS: Duration = Duration::from_hours(5 * 366 * 24);
const MONTH: Duration = Duration::from_hours(31 * 24);
const MAX_WORDS: usize = 100;
const MAX_COMPETITORS: usize = 500;
const MAX_STALE_DAYS: i32 = 3650;

/// What becomes of new leads that look like none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screening {
    /// Nobody looks.
    #[default]
    Off,
    /// What they look like is noted.
    Label,
    /// Invalid ones are set aside.
    SetAside,
}

/// Where companies are looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrySource {
    /// In the tenant's imported list.
    #[default]
    Snapshot,
    /// By the registry the service is connected to.
    Http,
}

/// The first part: did they look?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BehaviourSpec {
    /// More than this on the site; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub dwell_over: Duration,
    /// Words in the address or title of pages that count; none for the default.
    pub pages: Vec<String>,
    /// What nothing seen means.
    pub on_unknown: OutagePolicy,
}

impl BehaviourSpec {
    /// Returns the dwell time that must be exceeded.
    #[must_use]
    pub fn dwell_over(&self) -> Duration {
        or(self.dwell_over, DWELL_OVER)
    }

    /// Tells whether a page is one of those that must have been seen.
    #[must_use]
    pub fn wants(&self, page: &str) -> bool {
        let page = page.to_lowercase();
        if self.pages.is_empty() {
            SUCCESS_CASES.iter().any(|word| page.contains(word))
        } else {
            self.pages.iter().any(|word| page.contains(&word.to_lowercase()))
        }
    }
}

/// The second part: who are they?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndustrySpec {
    /// What industry codes begin with that are wanted; none for manufacturing.
    pub codes: Vec<String>,
    /// Where companies are looked up.
    pub source: RegistrySource,
    /// How old an answer may be; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub max_age: Duration,
    /// What an unknown company means.
    pub on_unknown: OutagePolicy,
}

impl IndustrySpec {
    /// Returns how old an answer may be.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        or(self.max_age, COMPANIES_OLDEST)
    }

    /// Tells whether a code, in its full form, is wanted.
    #[must_use]
    pub fn wants(&self, code: &str) -> bool {
        if self.codes.is_empty() {
            code.starts_with(MANUFACTURING)
        } else {
            self.codes.iter().any(|wanted| code.starts_with(wanted.as_str()))
        }
    }
}

/// The third part: whom else do they look at?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompetitorSpec {
    /// Domains of competitors, for own events.
    pub domains: Vec<String>,
    /// How far back a visit counts; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub window: Duration,
    /// How old the imported list may be; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub max_age: Duration,
    /// What no list and nothing seen mean.
    pub on_unknown: OutagePolicy,
}

impl CompetitorSpec {
    /// Returns how far back a visit counts.
    #[must_use]
    pub fn window(&self) -> Duration {
        or(self.window, COMPETITOR_WINDOW)
    }

    /// Returns how old the imported list may be.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        or(self.max_age, VISITS_OLDEST)
    }
}

/// A tenant's gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSpec {
    /// Whether leads are judged.
    pub enabled: bool,
    /// Did they look?
    pub behaviour: BehaviourSpec,
    /// Who are they?
    pub industry: IndustrySpec,
    /// Whom else do they look at?
    pub competitors: CompetitorSpec,
    /// How long a lead waits at most; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub max_hold: Duration,
    /// How often a waiting lead is judged again; zero for the default.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::required")]
    pub retry_every: Duration,
    /// What becomes of a lead that waited too long; `None` for the default.
    pub after_hold: Option<Verdict>,
    /// After how many days without contact an open lead goes to the nurture pool; 0 for never.
    pub stale_after_days: i32,
    /// What becomes of new leads that look like none.
    #[serde(default)]
    pub screening: Screening,
}

/// A gate as it was sent; `None` for values we do not know.
#[derive(Debug, Clone, Default)]
pub struct RawGate {
    /// Everything that needs no look-up.
    pub spec: GateSpec,
    /// The fields with values we do not know.
    pub unknown: Vec<&'static str>,
}

impl GateSpec {
    /// Checks a gate. Fields of the violations start with `policy.`.
    ///
    /// # Errors
    /// Returns everything that is wrong.
    pub fn parse(raw: RawGate) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        for field in raw.unknown {
            violations.add(field, "is no known value");
        }
        let mut spec = raw.spec;
        let terms = [
            (
                "policy.behaviour.dwell_over",
                spec.behaviour.dwell_over,
                Duration::from_secs(1),
                MONTH,
            ),
            ("policy.industry.max_age", spec.industry.max_age, MINUTE, YEARS),
            ("policy.competitors.window", spec.competitors.window, MINUTE, YEARS),
            ("policy.competitors.max_age", spec.competitors.max_age, MINUTE, YEARS),
            ("policy.max_hold", spec.max_hold, MINUTE, MONTH),
            ("policy.retry_every", spec.retry_every, MINUTE, MONTH),
        ];
        for (field, term, least, most) in terms {
            if !term.is_zero() && !(least..=most).contains(&term) {
                violations.add(
                    field,
                    format!("must be {} to {} seconds", least.as_secs(), most.as_secs()),
                );
            }
        }
        violations.number("policy.stale_after_days", spec.stale_after_days, 0..=MAX_STALE_DAYS);
        let pages = words(
            &mut violations,
            "policy.behaviour.pages",
            &spec.behaviour.pages,
            MAX_WORDS,
        );
        let codes = words(
            &mut violations,
            "policy.industry.codes",
            &spec.industry.codes,
            MAX_WORDS,
        );
        let domains = words(
            &mut violations,
            "policy.competitors.domains",
            &spec.competitors.domains,
            MAX_COMPETITORS,
        );
        for (at, domain) in domains.iter().enumerate() {
            if !reads_as_domain(domain) {
                let field = format!("policy.competitors.domains[{at}]");
                violations.add(field, "must be a domain, such as \"example.com\"");
            }
        }
        spec.behaviour.pages = pages;
        spec.industry.codes = codes;
        spec.competitors.domains = domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        if violations.is_empty() {
            Ok(spec)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Tells whether new leads are looked at before they are routed.
    #[must_use]
    pub fn screens(&self) -> bool {
        self.enabled || self.screening != Screening::Off
    }

    /// Returns how long a lead waits at most.
    #[must_use]
    pub fn max_hold(&self) -> Duration {
        or(self.max_hold, LONGEST_HOLD)
    }

    /// Returns how often a waiting lead is judged again.
    #[must_use]
    pub fn retry_every(&self) -> Duration {
        or(self.retry_every, RETRY_EVERY)
    }
}

/// Tells whether a text has the form of a domain in small or capital letters.
#[must_use]
pub(crate) fn reads_as_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn or(given: Duration, default: Duration) -> Duration {
    if given.is_zero() { default } else { given }
}

fn words(violations: &mut Violations, field: &str, sent: &[String], most: usize) -> Vec<String> {
    if sent.len() > most {
        violations.add(field, format!("must be at most {most}, has {}", sent.len()));
        return Vec::new();
    }
    let each = sent.iter().enumerate();
    each.map(|(at, word)| violations.line(&format!("{field}[{at}]"), word, 1..=253))
        .collect()
}
