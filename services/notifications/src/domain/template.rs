//! The words of messages: templates with `{{variable}}` and nothing else, so that there is nothing to inject into.

use std::fmt::Write as _;

use super::Problem;

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest body, in characters.
pub const MAX_BODY: usize = 4_000;

/// Kind of message a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A lead got an owner.
    LeadAssigned,
    /// Nobody took a lead in time.
    ClaimExpired,
    /// A step of the ladder was reached.
    LeadEscalated,
    /// The map of who decides about a lead is overdue.
    DecisionMapOverdue,
    /// Several messages in one.
    Digest,
    /// A month's messages are nearly or wholly used up.
    QuotaReached,
}

/// A variable a template may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name between the braces.
    pub name: &'static str,
    /// Whether title or body must use it.
    pub is_required: bool,
}

const fn required(name: &'static str) -> Variable {
    Variable {
        name,
        is_required: true,
    }
}

const fn optional(name: &'static str) -> Variable {
    Variable {
        name,
        is_required: false,
    }
}

impl Key {
    /// Every key, by name.
    pub const ALL: [Self; 5] = [
        Self::ClaimExpired,
        Self::DecisionMapOverdue,
        Self::Digest,
        Self::LeadAssigned,
        Self::LeadEscalated,
        Self::QuotaReached,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeadAssigned => "lead_assigned",
            Self::ClaimExpired => "claim_expired",
            Self::LeadEscalated => "lead_escalated",
            Self::DecisionMapOverdue => "decision_map_overdue",
            Self::Digest => "digest",
            Self::QuotaReached => "quota_reached",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == text)
    }

    /// Returns what its events carry.
    #[must_use]
    pub const fn variables(self) -> &'static [Variable] {
        match self {
            Self::LeadAssigned => {
                const {
                    &[
                        required("number"),
                        required("company"),
                        optional("recipient"),
                        optional("contact_name"),
                        optional("product"),
                        optional("territory"),
                        optional("source"),
                        optional("claim_due_time"),
                        optional("contact_due_time"),
                    ]
                }
            }
            Self::ClaimExpired => {
                const {
                    &[
                        required("number"),
                        required("member"),
                        optional("company"),
                        optional("recipient"),
                    ]
                }
            }
            Self::LeadEscalated => {
                const {
                    &[
                        required("number"),
                        required("owner"),
                        optional("recipient"),
                        optional("deputising_for"),
                        optional("company"),
                        optional("product"),
                        optional("contact_due_time"),
                        optional("step"),
                        optional("step_count"),
                    ]
                }
            }
            Self::DecisionMapOverdue => {
                const {
                    &[
                        required("number"),
                        required("missing_roles"),
                        optional("owner"),
                        optional("recipient"),
                        optional("due_time"),
                    ]
                }
            }
            Self::Digest => const { &[required("count"), required("lines")] },
            Self::QuotaReached => {
                const {
                    &[
                        required("quota"),
                        required("percent"),
                        optional("month"),
                        optional("used"),
                        optional("messages"),
                    ]
                }
            }
        }
    }
}

/// Language of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    /// English.
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Locale {
    /// Every locale, by name.
    pub const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.as_str() == text)
    }

    /// Returns the language for a person: English for those who ask for it, Chinese for everybody else.
    #[must_use]
    pub fn of_person(text: &str) -> Self {
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("en")) {
            Self::En
        } else {
            Self::ZhCn
        }
    }
}

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    title: Vec<Piece>,
    body: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(&'static str),
}

/// A title and a body, ready to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

impl Template {
    /// Reads a template and checks it against what the events of `key` carry.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(key: Key, title: &str, body: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let title = pieces(key, "template.title", title, MAX_TITLE, &mut problems);
        let body = pieces(key, "template.body", body, MAX_BODY, &mut problems);
        let uses = |name| title.iter().chain(&body).any(|piece| *piece == Piece::Variable(name));
        for variable in key.variables() {
            if variable.is_required && !uses(variable.name) {
                let description = format!("must use {{{{{}}}}}, here or in the title", variable.name);
                problems.push(Problem::new("template.body", description));
            }
        }
        if problems.is_empty() {
            Ok(Self { title, body })
        } else {
            Err(problems)
        }
    }

    /// Puts values in: `title_value` as plain text, `body_value` as Markdown.
    #[must_use]
    pub fn render<'v>(&self, title_value: impl Fn(&str) -> &'v str, body_value: impl Fn(&str) -> &'v str) -> Words {
        Words {
            title: fill(&self.title, title_value),
            body: fill(&self.body, body_value),
        }
    }
}

fn fill<'v>(pieces: &[Piece], value: impl Fn(&str) -> &'v str) -> String {
    let mut text = String::new();
    for piece in pieces {
        text.push_str(match piece {
            Piece::Text(text) => text,
            Piece::Variable(name) => value(name),
        });
    }
    text
}

fn pieces(key: Key, field: &'static str, text: &str, max: usize, problems: &mut Vec<Problem>) -> Vec<Piece> {
    if text.trim().is_empty() {
        problems.push(Problem::new(field, "must be set"));
    }
    if text.chars().count() > max {
        problems.push(Problem::new(field, format!("must have at most {max} characters")));
        return Vec::new();
    }
    let is_line = field == "template.title";
    if text.chars().any(|char| char.is_control() && (is_line || char != '\n')) {
        problems.push(Problem::new(field, "must not contain control characters"));
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            problems.push(Problem::new(field, "has {{ without }}"));
            return pieces;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        match key.variables().iter().find(|variable| variable.name == name.trim()) {
            Some(variable) => pieces.push(Piece::Variable(variable.name)),
            None => problems.push(Problem::new(field, unknown(key, name.trim()))),
        }
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

fn unknown(key: Key, name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let mut text = format!("{{{{{name}}}}} is not known to {}, which has", key.as_str());
    for (at, variable) in key.variables().iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(text, "{comma} {}", variable.name).expect("a String takes everything");
    }
    text
}

/// Returns the title and body of a built-in template.
///
/// # Panics
/// Never: a test reads every one.
#[must_use]
pub fn built_in(key: Key, locale: Locale) -> (&'static str, &'static str) {
    let text = match (key, locale) {
        (Key::LeadAssigned, Locale::ZhCn) => include_str!("templates/lead_assigned.zh-CN.md"),
        (Key::LeadAssigned, Locale::En) => include_str!("templates/lead_assigned.en.md"),
        (Key::ClaimExpired, Locale::ZhCn) => include_str!("templates/claim_expired.zh-CN.md"),
        (Key::ClaimExpired, Locale::En) => include_str!("templates/claim_expired.en.md"),
        (Key::LeadEscalated, Locale::ZhCn) => include_str!("templates/lead_escalated.zh-CN.md"),
        (Key::LeadEscalated, Locale::En) => include_str!("templates/lead_escalated.en.md"),
        (Key::DecisionMapOverdue, Locale::ZhCn) => include_str!("templates/decision_map_overdue.zh-CN.md"),
        (Key::DecisionMapOverdue, Locale::En) => include_str!("templates/decision_map_overdue.en.md"),
        (Key::Digest, Locale::ZhCn) => include_str!("templates/digest.zh-CN.md"),
        (Key::Digest, Locale::En) => include_str!("templates/digest.en.md"),
        (Key::QuotaReached, Locale::ZhCn) => include_str!("templates/quota_reached.zh-CN.md"),
        (Key::QuotaReached, Locale::En) => include_str!("templates/quota_reached.en.md"),
    };
    let (title, body) = text
        .strip_prefix("# ")
        .and_then(|text| text.split_once('\n'))
        .expect("a test reads every built-in template");
    (title, body.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(key: Key, title: &str, body: &str) -> Vec<String> {
        let problems = Template::parse(key, title, body).unwrap_err();
        problems.into_iter().map(|problem| problem.description).collect()
    }

    #[test]
    fn every_built_in_template_passes_its_own_check() {
        for key in Key::ALL {
            for locale in Locale::ALL {
                let (title, body) = built_in(key, locale);
                assert!(
                    Template::parse(key, title, body).is_ok(),
                    "{} {}",
                    key.as_str(),
                    locale.as_str()
                );
            }
        }
    }

    #[test]
    fn values_are_put_in_as_they_are() {
        let template = Template::parse(Key::Digest, "{{count}} 条", "共 {{ count }} 条：\n{{lines}}").unwrap();
        let value = |name: &str| match name {
            "count" => "3",
            _ => "{{count}} stays",
        };
        let words = template.render(value, value);
        assert_eq!(words.title, "3 条");
        assert_eq!(words.body, "共 3 条：\n{{count}} stays", "a value is no template");
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_with_the_reason() {
        assert_eq!(
            problems(Key::Digest, "{{count}}", "{{phone}}"),
            [
                "{{phone}} is not known to digest, which has count, lines",
                "must use {{lines}}, here or in the title"
            ]
        );
        assert_eq!(problems(Key::Digest, "{{count}}{{lines}}", " "), ["must be set"]);
        assert_eq!(
            problems(Key::Digest, "{{count", "{{count}}{{lines}}"),
            ["has {{ without }}"]
        );
        assert_eq!(
            problems(Key::Digest, "a\nb", "{{count}}{{lines}}"),
            ["must not contain control characters"]
        );
        assert_eq!(
            problems(Key::LeadAssigned, "x", "{{number}}"),
            ["must use {{company}}, here or in the title"]
        );
        let long = "长".repeat(MAX_TITLE + 1);
        assert_eq!(
            problems(Key::Digest, &long, "{{count}}{{lines}}"),
            ["must have at most 200 characters"]
        );
    }

    #[test]
    fn people_get_chinese_unless_they_ask_for_english() {
        for (text, expected) in [
            ("", Locale::ZhCn),
            ("zh-CN", Locale::ZhCn),
            ("de", Locale::ZhCn),
            ("en", Locale::En),
            ("EN-gb", Locale::En),
            ("中", Locale::ZhCn),
        ] {
            assert_eq!(Locale::of_person(text), expected, "{text}");
        }
    }
}
