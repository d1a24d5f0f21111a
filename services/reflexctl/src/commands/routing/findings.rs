//! What speaks against a policy, as a table.

use reflex_proto::leads::v1::RoutingPolicyFinding;

use crate::cli::Language;
use crate::output::{Table, word};

/// Writes the findings, and how many there are beyond them; nothing for none.
pub(super) fn render(findings: &[RoutingPolicyFinding], count: i32, lang: Language) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        lang.pick("级别", "LEVEL"),
        lang.pick("问题", "CODE"),
        lang.pick("说明", "WHAT"),
    ]);
    for finding in findings {
        let level = if finding.refuses {
            lang.pick("不可启用", "refused")
        } else {
            lang.pick("提醒", "warning")
        };
        table.row([
            level.to_owned(),
            word(finding.code().as_str_name(), "CODE_"),
            lang.pick(&finding.zh, &finding.en).to_owned(),
        ]);
    }
    let shown = i32::try_from(findings.len()).unwrap_or(i32::MAX);
    let more = match (count.saturating_sub(shown), lang) {
        (..=0, _) => String::new(),
        (more, Language::Zh) => format!("另有 {more} 处\n"),
        (more, Language::En) => format!("and {more} more\n"),
    };
    table.render(0) + &more
}

/// Counts what refuses among the findings.
pub(super) fn refusals(findings: &[RoutingPolicyFinding]) -> usize {
    findings.iter().filter(|finding| finding.refuses).count()
}

#[cfg(test)]
mod tests {
    use reflex_proto::leads::v1::routing_policy_finding::Code;

    use super::*;

    #[test]
    fn findings_are_shown_in_one_language() {
        let finding = |code: Code, refuses| RoutingPolicyFinding {
            code: code.into(),
            refuses,
            zh: "第 1 条：不对".to_owned(),
            en: "entry 1: wrong".to_owned(),
            ..RoutingPolicyFinding::default()
        };
        let findings = [finding(Code::UnknownTeam, true), finding(Code::NoMembers, false)];
        assert_eq!(
            render(&findings, 2, Language::Zh),
            "级别      问题          说明\n不可启用  unknown_team  第 1 条：不对\n提醒      no_members    第 1 条：不对\n"
        );
        assert_eq!(
            render(&findings, 5, Language::En),
            "LEVEL    CODE          WHAT\nrefused  unknown_team  entry 1: wrong\nwarning  no_members    entry 1: wrong\nand 3 more\n"
        );
        assert_eq!(render(&[], 0, Language::En), "");
        assert_eq!(refusals(&findings), 1);
    }
}
