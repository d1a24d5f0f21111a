//! Templates with `{{variable}}` and nothing else, so that there is nothing to inject into.

use std::collections::BTreeMap;

use super::{
    Code, Part, Problem,
    key::{Key, Kind, Locale},
    text,
};

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest body, in characters.
pub const MAX_BODY: usize = 4_000;

/// What the variables of a message stand for, by their names.
pub type Facts = BTreeMap<String, String>;

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
    /// Reads a template and checks it against what messages of `key` carry.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(key: Key, title: &str, body: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let title = pieces(key, Part::Title, title, &mut problems);
        let body = pieces(key, Part::Body, body, &mut problems);
        let uses = |name| title.iter().chain(&body).any(|piece| *piece == Piece::Variable(name));
        for variable in key.variables() {
            if variable.is_required && !uses(variable.name) {
                let (name, zh, en) = (variable.name, variable.zh, variable.en);
                problems.push(Problem {
                    part: Part::Body,
                    code: Code::Missing,
                    zh: format!("这类消息必须写明{zh}，请在标题或正文中加入 {{{{{name}}}}}"),
                    en: format!("these messages must say {en}: put {{{{{name}}}}} into the title or the text"),
                });
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

    /// Puts the facts of a message of `key` in, made harmless: no markup, no mentions, no links, and no phone numbers in what
    /// somebody typed. What is not among them shows as missing.
    #[must_use]
    pub fn fill(&self, key: Key, facts: &Facts) -> Words {
        let values = |of: fn(Kind, &str) -> String| -> BTreeMap<&str, String> {
            let variables = key.variables().iter();
            variables
                .map(|variable| {
                    let fact = facts.get(variable.name).map_or("", String::as_str);
                    (variable.name, of(variable.kind, fact))
                })
                .collect()
        };
        let (titles, bodies) = (values(text::in_title), values(text::in_body));
        // A template names nothing but the variables of its key.
        self.render(
            |name| titles.get(name).map_or("", String::as_str),
            |name| bodies.get(name).map_or("", String::as_str),
        )
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

fn pieces(key: Key, part: Part, text: &str, problems: &mut Vec<Problem>) -> Vec<Piece> {
    let max = match part {
        Part::Title => MAX_TITLE,
        Part::Body => MAX_BODY,
    };
    let (zh, en) = (part.zh(), part.en());
    let mut problem = |code, zh, en| problems.push(Problem { part, code, zh, en });
    if text.trim().is_empty() {
        problem(
            Code::Empty,
            format!("{zh}不能为空"),
            format!("the {en} must not be empty"),
        );
    }
    if text.chars().count() > max {
        problem(
            Code::TooLong,
            format!("{zh}最多 {max} 个字"),
            format!("the {en} must have at most {max} characters"),
        );
        return Vec::new();
    }
    if text
        .chars()
        .any(|char| char.is_control() && (part == Part::Title || char != '\n'))
    {
        let one_line = if part == Part::Title { "或换行" } else { "" };
        problem(
            Code::Unshowable,
            format!("{zh}不能含有控制字符{one_line}"),
            format!("the {en} must not contain control characters"),
        );
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            problem(
                Code::OpenBraces,
                format!("{zh}里有 {{{{ 却没有对应的 }}}}"),
                format!("the {en} has {{{{ without }}}}"),
            );
            return pieces;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let mut variables = key.variables().iter();
        if let Some(variable) = variables.find(|variable| variable.name == name.trim()) {
            pieces.push(Piece::Variable(variable.name));
        } else {
            let (zh, en) = unknown(key, name.trim());
            problem(Code::Unknown, zh, en);
        }
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

fn unknown(key: Key, name: &str) -> (String, String) {
    let name: String = name.chars().take(40).collect();
    let variables = key.variables().iter();
    let (zh, en): (Vec<_>, Vec<_>) = variables
        .map(|variable| (format!("{}（{}）", variable.name, variable.zh), variable.name))
        .unzip();
    (
        format!("这类消息没有 {{{{{name}}}}}，可以使用：{}", zh.join("、")),
        format!(
            "these messages do not carry {{{{{name}}}}}; they have {}",
            en.join(", ")
        ),
    )
}

/// Returns the title and body of a built-in template.
///
/// # Panics
/// Never: a test reads every one.
#[must_use]
pub fn built_in(key: Key, locale: Locale) -> (&'static str, &'static str) {
    let text = match (key, locale) {
        (Key::LeadAssigned, Locale::ZhCn) => include_str!("shipped/lead_assigned.zh-CN.md"),
        (Key::LeadAssigned, Locale::En) => include_str!("shipped/lead_assigned.en.md"),
        (Key::ClaimExpired, Locale::ZhCn) => include_str!("shipped/claim_expired.zh-CN.md"),
        (Key::ClaimExpired, Locale::En) => include_str!("shipped/claim_expired.en.md"),
        (Key::LeadEscalated, Locale::ZhCn) => include_str!("shipped/lead_escalated.zh-CN.md"),
        (Key::LeadEscalated, Locale::En) => include_str!("shipped/lead_escalated.en.md"),
        (Key::DecisionMapOverdue, Locale::ZhCn) => include_str!("shipped/decision_map_overdue.zh-CN.md"),
        (Key::DecisionMapOverdue, Locale::En) => include_str!("shipped/decision_map_overdue.en.md"),
        (Key::QuotaReached, Locale::ZhCn) => include_str!("shipped/quota_reached.zh-CN.md"),
        (Key::QuotaReached, Locale::En) => include_str!("shipped/quota_reached.en.md"),
        (Key::Digest, Locale::ZhCn) => include_str!("shipped/digest.zh-CN.md"),
        (Key::Digest, Locale::En) => include_str!("shipped/digest.en.md"),
    };
    split(text).expect("a test reads every built-in template")
}

/// Takes a file apart into title and body: the title is its first line, a heading of the first order.
#[must_use]
pub fn split(text: &str) -> Option<(&str, &str)> {
    let (title, body) = text.strip_prefix("# ")?.split_once('\n')?;
    Some((title.trim_end(), body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(key: Key, title: &str, body: &str) -> Vec<(Part, &'static str)> {
        let problems = Template::parse(key, title, body).unwrap_err();
        problems
            .iter()
            .map(|problem| (problem.part, problem.code.as_str()))
            .collect()
    }

    fn facts(of: &[(&str, &str)]) -> Facts {
        of.iter()
            .map(|&(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
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
    fn facts_are_made_harmless_and_what_is_missing_shows() {
        let template = Template::parse(
            Key::LeadAssigned,
            "{{number}}：{{company}}",
            "- {{number}} **{{company}}** {{contact_name}} {{product}}",
        );
        let facts = facts(&[
            ("number", "L-20261122000001"),
            ("company", "**华东** [机床](http://evil.example)\n@all"),
            ("contact_name", "王芳 13912345678"),
            ("phone", "not asked for"),
        ]);
        let words = template.unwrap().fill(Key::LeadAssigned, &facts);
        assert_eq!(
            words.title,
            "L-20261122000001：**华东** [机床](http://evil.example) @all"
        );
        assert_eq!(
            words.body,
            "- L-20261122000001 **＊＊华东＊＊ ［机床］(http：//evil.example) ＠all** 王芳 139••• —"
        );
    }

    #[test]
    fn a_list_has_a_line_for_each_entry_and_none_in_a_title() {
        let template = Template::parse(Key::Digest, "{{count}} {{lines}}", "{{lines}}").unwrap();
        let words = template.fill(Key::Digest, &facts(&[("count", "2"), ("lines", "- 张伟：*a*\n\nb")]));
        assert_eq!(
            (words.title.as_str(), words.body.as_str()),
            ("2 ", "- 张伟：＊a＊\n- b")
        );
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_with_all_reasons() {
        use Part::{Body, Title};
        for (key, title, body, expected) in [
            (
                Key::Digest,
                "{{count}}",
                "{{phone}}",
                vec![(Body, "unknown_variable"), (Body, "missing_variable")],
            ),
            (Key::Digest, "{{count}}{{lines}}", " ", vec![(Body, "empty")]),
            (
                Key::Digest,
                "{{count",
                "{{count}}{{lines}}",
                vec![(Title, "open_braces")],
            ),
            (Key::Digest, "a\nb", "{{count}}{{lines}}", vec![(Title, "unshowable")]),
            (Key::Digest, "a", "{{count}}{{lines}}\u{7}", vec![(Body, "unshowable")]),
            (Key::LeadAssigned, "x", "{{number}}", vec![(Body, "missing_variable")]),
            (
                Key::Digest,
                &"长".repeat(MAX_TITLE + 1),
                "{{count}}{{lines}}",
                vec![(Title, "too_long")],
            ),
        ] {
            assert_eq!(problems(key, title, body), expected, "{title:?} {body:?}");
        }
    }

    #[test]
    fn the_reason_is_a_sentence_in_both_languages() {
        let problems = Template::parse(Key::LeadAssigned, "新线索", "{{number}} {{phone}}").unwrap_err();
        assert_eq!(
            problems[0].zh,
            "这类消息没有 {{phone}}，可以使用：number（线索编号）、company（客户）、recipient（收件人）、contact_name（联系人）、\
             product（需求产品）、territory（区域）、source（来源）、claim_due_time（认领期限）、contact_due_time（首次联系期限）"
        );
        assert_eq!(problems[1].zh, "这类消息必须写明客户，请在标题或正文中加入 {{company}}");
        assert_eq!(
            problems[1].to_string(),
            "these messages must say the customer: put {{company}} into the title or the text / \
             这类消息必须写明客户，请在标题或正文中加入 {{company}}"
        );
    }

    #[test]
    fn a_file_is_a_heading_and_what_follows() {
        assert_eq!(split("# 标题\r\n\n正文\n"), Some(("标题", "正文")));
        assert_eq!(split("标题\n正文"), None);
        assert_eq!(split("# 标题"), None);
    }
}
