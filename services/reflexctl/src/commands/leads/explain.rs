//! Routing decisions as an explanation in Chinese or English.

use std::fmt::Write as _;

use reflex_proto::leads::v1::{ExplainAssignmentResponse, LeadHistoryEntry, RoutingDecision};

use crate::cli::Language::{self, En, Zh};
use crate::output::{Output, Table};

/// The words of triggers, rules, reasons and history: as the API has them, in Chinese, in English.
const WORDS: &[(&str, &str, &str)] = &[
    // Triggers.
    ("captured", "新线索", "the lead is new"),
    ("released", "负责人退回", "its owner gave it back"),
    ("claim_expired", "超时未领取", "it was not claimed in time"),
    ("owner_left", "负责人离岗", "its owner left"),
    ("recycled", "无作为，退回公海", "its owner did nothing with it"),
    ("picked", "从公海领取", "picked from the pool"),
    ("cooldown_ended", "冷却期结束", "somebody's cooldown is over"),
    ("capacity_freed", "有人腾出名额", "somebody can take more"),
    ("leave_ended", "休假结束", "somebody is back from leave"),
    (
        "directory_changed",
        "组织架构变更",
        "people, teams, territories or products changed",
    ),
    ("policy_changed", "分配策略变更", "the policy changed"),
    ("tags_changed", "标签变更", "its tags changed"),
    ("gate_passed", "通过线索门槛", "the gate lets it pass"),
    ("returned", "人工召回", "brought back"),
    // Rules that choose.
    ("account_owner", "老客户由原负责人跟进", "they own the account"),
    (
        "duplicate_owner",
        "疑似重复的线索已由其跟进",
        "they have a lead that is suspected to be the same",
    ),
    ("only_candidate", "只有一人可接", "nobody else could take it"),
    ("next_turn", "按权重轮到", "by weight it is their turn"),
    (
        "longest_wait",
        "轮次相同，等待最久",
        "of equal turn, waited the longest",
    ),
    ("smallest_id", "其余相同，按编号", "all else equal, by id"),
    // Why a lead waits or somebody is passed over.
    ("no_policy", "没有分配策略", "there is no policy"),
    (
        "no_entry",
        "没有匹配条目，也没有默认团队",
        "no entry matches and there is no default team",
    ),
    ("no_members", "团队无人接线索", "nobody of the team takes leads"),
    ("inactive", "已离岗", "left"),
    ("on_leave", "休假", "on leave"),
    ("at_capacity", "在手已满", "holds all they can"),
    ("role", "岗位不接线索", "their role takes no leads"),
    ("missing_skill", "缺少技能", "lacks a skill"),
    ("previous_owner", "刚退回或超时", "had it before"),
    ("cooldown", "冷却期内", "lost it to the pool lately"),
    ("pooled", "在公海等待领取", "waits in the pool to be picked"),
    ("nurture", "在培育池", "is in the nurture pool"),
    // History.
    ("assigned", "已分配", "assigned"),
    ("queued", "排队等待", "queued"),
    ("claimed", "已领取", "claimed"),
    ("gated", "线索门槛判断", "judged at the gate"),
    ("set_aside", "疑似无效，已搁置", "set aside as no lead"),
    ("corrected", "人工判定是否有效", "somebody said whether it is one"),
    ("nurtured", "进入培育池", "sent to be nurtured"),
    ("escalated", "已升级提醒", "escalated"),
    ("contacted", "已首次联系", "first contact"),
    ("tagged", "加标签", "tagged"),
    ("untagged", "去标签", "tag taken away"),
    ("tag_expired", "标签到期", "tag expired"),
    ("progressed", "进展", "progress"),
    ("stopped", "计时停止", "clock stopped"),
    // Who a step of the ladder tells.
    ("owner", "负责人", "owner"),
    ("supervisor", "主管", "supervisor"),
    ("director", "总监", "director"),
];

impl Language {
    /// Returns what a word of the API means, or the word where it is not known.
    fn word(self, word: &str) -> String {
        let known = WORDS.iter().find(|(known, ..)| *known == word);
        known.map_or(word, |&(_, zh, en)| self.pick(zh, en)).to_owned()
    }

    /// Returns the detail of a history entry: `step 2 of 3, supervisor`, `captured: next_turn`, or any other text as it is.
    fn detail(self, text: &str) -> String {
        let step = text.strip_prefix("step ").and_then(|rest| {
            let (number, rest) = rest.split_once(" of ")?;
            let (count, audience) = rest.split_once(", ")?;
            Some((number, count, audience))
        });
        if let (Zh, Some((number, count, audience))) = (self, step) {
            return format!("第 {number} 级，共 {count} 级：{}", self.word(audience));
        }
        let words: Vec<String> = text.split(": ").map(|word| self.word(word)).collect();
        words.join(self.pick("：", ": "))
    }
}

/// Writes every decision and then what happened.
pub(super) fn render(response: &ExplainAssignmentResponse, lang: Language, output: &Output) -> String {
    let mut text = String::new();
    if response.decisions.is_empty() {
        text.push_str(lang.pick("尚未分配\n", "not routed yet\n"));
    }
    for (at, decision) in response.decisions.iter().enumerate() {
        let title = lang.pick("决定", "Decision");
        let _ = writeln!(
            text,
            "{title} {}  {}  {}",
            at + 1,
            output.time(decision.decide_time.as_ref()),
            lang.word(&decision.trigger)
        );
        text.push_str(&render_decision(decision, lang));
        text.push('\n');
    }
    if !response.history.is_empty() {
        let _ = writeln!(text, "{}", lang.pick("经过", "History"));
        text.push_str(&render_history(&response.history, lang, output));
    }
    text
}

fn render_decision(decision: &RoutingDecision, lang: Language) -> String {
    let unknown = lang.pick("未识别", "not known");
    let none = lang.pick("无", "none");
    let path = |names: &[String]| {
        if names.is_empty() {
            unknown.to_owned()
        } else {
            names.join(" → ")
        }
    };
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    let version = match decision.policy_version {
        0 => none.to_owned(),
        version => version.to_string(),
    };
    let default_team = lang.pick("无（默认团队）", "none (default team)");
    let matched = if decision.matched_entry.is_empty() && decision.team.is_empty() {
        none
    } else {
        default_team
    };
    let entry = matched_entry(decision, lang);
    let chosen = or(&decision.chosen, lang.pick("暂无，进入队列", "nobody, it waits"));
    let mut facts = Table::new([lang.pick("策略版本", "policy version"), version.as_str()]);
    for (label, value) in [
        (lang.pick("地区路径", "territories"), path(&decision.territory_path)),
        (lang.pick("产品路径", "products"), path(&decision.product_path)),
        (lang.pick("匹配条目", "matched entry"), or(&entry, matched)),
        (lang.pick("团队", "team"), or(&decision.team, none)),
        (lang.pick("选中", "chosen"), chosen),
        (lang.pick("依据", "because"), lang.word(&decision.reason)),
    ] {
        facts.row([label.to_owned(), value]);
    }
    let mut text = facts.render(2);
    text.push_str(&render_skipped(decision, lang));
    if !decision.candidates.is_empty() {
        let mut table = Table::new([
            lang.pick("候选人", "CANDIDATE"),
            lang.pick("权重", "WEIGHT"),
            lang.pick("落后轮次", "TURNS BEHIND"),
            lang.pick("在手/上限", "OPEN/CAPACITY"),
        ]);
        for candidate in &decision.candidates {
            table.row([
                candidate.member.clone(),
                candidate.weight.to_string(),
                format!("{:+.2}", candidate.deficit),
                format!("{}/{}", candidate.open_leads, candidate.capacity),
            ]);
        }
        text.push_str(&table.render(2));
    }
    if !decision.exclusions.is_empty() {
        let mut table = Table::new([lang.pick("排除", "PASSED OVER"), lang.pick("原因", "WHY"), ""]);
        for exclusion in &decision.exclusions {
            table.row([
                exclusion.member.clone(),
                lang.word(&exclusion.reason),
                exclusion.detail.clone(),
            ]);
        }
        text.push_str(&table.render(2));
    }
    text
}

/// Returns the cell that matched, its number and its condition, as far as the decision has them.
fn matched_entry(decision: &RoutingDecision, lang: Language) -> String {
    let mut entry = decision.matched_entry.clone();
    if decision.matched_number > 0 {
        let number = decision.matched_number;
        entry = match lang {
            Zh => format!("第 {number} 条  {entry}"),
            En => format!("no. {number}  {entry}"),
        };
    }
    if !decision.matched_when.is_empty() {
        let when = decision.matched_when.replace('\n', " ");
        let _ = write!(entry, "{}{when}", lang.pick("  条件：", "  when "));
    }
    entry
}

/// Writes the entries whose condition did not hold, and what they lack.
fn render_skipped(decision: &RoutingDecision, lang: Language) -> String {
    if decision.skipped_entries.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        lang.pick("条件不符", "NOT MATCHED"),
        lang.pick("地域 × 产品", "ENTRY"),
        lang.pick("原因", "WHY"),
    ]);
    for skipped in &decision.skipped_entries {
        table.row([
            match lang {
                Zh => format!("第 {} 条", skipped.number),
                En => format!("no. {}", skipped.number),
            },
            skipped.entry.clone(),
            match lang {
                Zh => skipped.missing_zh.clone(),
                En => skipped.missing_en.clone(),
            },
        ]);
    }
    let mut text = table.render(2);
    let named = i32::try_from(decision.skipped_entries.len()).unwrap_or(i32::MAX);
    let more = decision.skipped_count.saturating_sub(named);
    if more > 0 {
        let _ = match lang {
            Zh => writeln!(text, "  另有 {more} 条条件不符"),
            En => writeln!(text, "  and {more} more"),
        };
    }
    text
}

fn render_history(history: &[LeadHistoryEntry], lang: Language, output: &Output) -> String {
    let headings = [
        lang.pick("时间", "TIME"),
        lang.pick("事件", "WHAT"),
        lang.pick("人员", "WHO"),
        lang.pick("说明", "DETAIL"),
    ];
    let mut table = Table::new(headings);
    for entry in history {
        table.row([
            output.time(entry.time.as_ref()),
            lang.word(&entry.kind),
            entry.member.clone(),
            lang.detail(&entry.detail),
        ]);
    }
    table.render(2)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reflex_proto::leads::v1::routing_decision::{Candidate, Exclusion, SkippedEntry};

    use super::*;
    use crate::cli::Format;

    fn explained(lang: Language) -> String {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let decision = RoutingDecision {
            decide_time: time(1_772_413_200),
            trigger: "captured".to_owned(),
            policy_version: 3,
            territory_path: vec!["territories/suzhou".to_owned(), "territories/jiangsu".to_owned()],
            matched_entry: "territories/jiangsu × any".to_owned(),
            team: "teams/ortho".to_owned(),
            candidates: vec![Candidate {
                member: "members/li.na".to_owned(),
                weight: 150,
                deficit: 0.417,
                open_leads: 3,
                capacity: 20,
            }],
            exclusions: vec![Exclusion {
                member: "members/wang.qiang".to_owned(),
                reason: "on_leave".to_owned(),
                detail: "2026-03-05".to_owned(),
            }],
            chosen: "members/li.na".to_owned(),
            reason: "only_candidate".to_owned(),
            ..RoutingDecision::default()
        };
        let response = ExplainAssignmentResponse {
            decisions: vec![decision],
            history: vec![LeadHistoryEntry {
                time: time(1_772_413_200),
                kind: "assigned".to_owned(),
                member: "members/li.na".to_owned(),
                detail: String::new(),
            }],
        };
        let zone = TimeZone::get("Asia/Shanghai").expect("bundled");
        let format = Format::Table;
        render(&response, lang, &Output { format, zone })
    }

    #[test]
    fn decisions_are_explained_in_chinese() {
        let expected = "\
决定 1  2026-03-02 09:00:00  新线索
  策略版本  3
  地区路径  territories/suzhou → territories/jiangsu
  产品路径  未识别
  匹配条目  territories/jiangsu × any
  团队      teams/ortho
  选中      members/li.na
  依据      只有一人可接
  候选人         权重  落后轮次  在手/上限
  members/li.na  150   +0.42     3/20
  排除                原因
  members/wang.qiang  休假  2026-03-05

经过
  时间                 事件    人员           说明
  2026-03-02 09:00:00  已分配  members/li.na
";
        assert_eq!(explained(Zh), expected);
    }

    #[test]
    fn conditions_that_did_not_hold_are_shown() {
        let decision = RoutingDecision {
            matched_entry: "any × any".to_owned(),
            matched_number: 3,
            matched_when: "预算 > 1万".to_owned(),
            team: "teams/ortho".to_owned(),
            skipped_entries: vec![SkippedEntry {
                number: 1,
                entry: "jiangsu × any".to_owned(),
                when: "来源 = '展会'".to_owned(),
                missing_zh: "需要 来源 = '展会'（来源 现为 官网）".to_owned(),
                missing_en: "needs 来源 = '展会' (来源 is 官网)".to_owned(),
            }],
            skipped_count: 2,
            ..RoutingDecision::default()
        };
        for (lang, parts) in [
            (
                Zh,
                [
                    "匹配条目  第 3 条  any × any  条件：预算 > 1万\n",
                    "  第 1 条   jiangsu × any  需要 来源 = '展会'（来源 现为 官网）\n",
                    "  另有 1 条条件不符\n",
                ],
            ),
            (
                En,
                [
                    "matched entry   no. 3  any × any  when 预算 > 1万\n",
                    "  no. 1        jiangsu × any  needs 来源 = '展会' (来源 is 官网)\n",
                    "  and 1 more\n",
                ],
            ),
        ] {
            let text = render_decision(&decision, lang);
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in\n{text}");
            }
        }
    }

    #[test]
    fn details_are_translated_where_they_are_known() {
        for (detail, zh, en) in [
            (
                "step 2 of 3, supervisor",
                "第 2 级，共 3 级：主管",
                "step 2 of 3, supervisor",
            ),
            (
                "captured: next_turn",
                "新线索：按权重轮到",
                "the lead is new: by weight it is their turn",
            ),
            ("客户在外区", "客户在外区", "客户在外区"),
            ("", "", ""),
        ] {
            assert_eq!((Zh.detail(detail).as_str(), En.detail(detail).as_str()), (zh, en));
        }
    }

    #[test]
    fn decisions_are_explained_in_english() {
        let text = explained(En);
        for part in [
            "Decision 1  2026-03-02 09:00:00  the lead is new",
            "products        not known",
            "because         nobody else could take it",
            "members/wang.qiang  on leave  2026-03-05",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(
            !render(
                &ExplainAssignmentResponse::default(),
                En,
                &Output {
                    format: Format::Table,
                    zone: TimeZone::UTC
                }
            )
            .is_empty()
        );
    }
}
