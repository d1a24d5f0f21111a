use jiff::SignedDuration;

use super::*;
use crate::domain::decision::Trigger;
use crate::domain::lead_fields::{Details, HeldTag};
use crate::domain::pool::Cooldowns;

const NOW: Timestamp = Timestamp::constant(1_771_200_000, 0);

fn raw(id: &str, tag: &str, condition: &str, event: &str) -> RawTagRule {
    RawTagRule {
        name: format!("tagRules/{id}"),
        tag: tag.into(),
        condition: condition.into(),
        event: event.into(),
        expire_days: 0,
        enabled: true,
    }
}

fn lead(source: &str, tags: &[(&str, Option<Timestamp>)]) -> LeadFacts {
    let held = |&(tag, until): &(&str, Option<Timestamp>)| HeldTag {
        tag: tag.into(),
        since: NOW - SignedDuration::from_hours(24),
        until,
        progress: false,
    };
    LeadFacts {
        territory: String::new(),
        product: String::new(),
        account: String::new(),
        trigger: Trigger::Captured,
        previous_owner: None,
        cooldowns: Cooldowns::default(),
        lead: uuid::Uuid::nil(),
        twins: Vec::new(),
        details: Details {
            source: source.into(),
            tags: tags.iter().map(held).collect(),
            ..Details::default()
        },
    }
}

fn rules(raws: &[RawTagRule]) -> TagRules {
    let names = Names::default();
    let versioned = |(at, raw): (usize, &RawTagRule)| Versioned {
        rule: TagRule::parse(raw, &names).unwrap(),
        version: i32::try_from(at).unwrap() + 1,
    };
    TagRules::new(raws.iter().enumerate().map(versioned).collect(), &names)
}

fn given(rules: &TagRules, event: &str, lead: &LeadFacts) -> Vec<String> {
    let matching = rules.matching(event, lead, NOW, &TimeZone::UTC);
    matching
        .into_iter()
        .map(|it| format!("{} v{}", it.rule.tag, it.version))
        .collect()
}

#[test]
fn rules_give_tags_for_their_facts_and_conditions() {
    let off = RawTagRule {
        enabled: false,
        ..raw("e", "关", "", "")
    };
    let rules = rules(&[
        raw("a", "展会", "来源 = '展会'", CAPTURED),
        raw("b", "技术决策者-初步关注", "", "whitepaper_downloaded"),
        raw("c", "任何", "", ""),
        raw("d", "展会", "", ""),
        off,
    ]);
    let fair = lead("展会", &[]);
    for (event, source, expected) in [
        (CAPTURED, "展会", &["展会 v1", "任何 v3"][..]),
        (CAPTURED, "官网", &["任何 v3", "展会 v4"]),
        (
            "whitepaper_downloaded",
            "展会",
            &["技术决策者-初步关注 v2", "任何 v3", "展会 v4"],
        ),
    ] {
        assert_eq!(given(&rules, event, &lead(source, &[])), expected, "{event} {source}");
    }
    assert!(rules.listen_to("anything"));
    let only = self::rules(&[raw("a", "x", "", "whitepaper_downloaded")]);
    assert!(!only.listen_to(CAPTURED));
    assert!(given(&only, CAPTURED, &fair).is_empty());
    assert!(given(&TagRules::default(), CAPTURED, &fair).is_empty());
}

#[test]
fn a_condition_reads_the_tags_that_are_held_now() {
    let rules = rules(&[
        raw("a", "再次", "CONTAINS(标签, '老客户')", ""),
        raw("b", "首次", "NOT CONTAINS(tags, '老客户')", ""),
    ]);
    let later = NOW + SignedDuration::from_secs(1);
    for (tags, expected) in [
        (&[][..], "首次 v2"),
        (&[("老客户", None)], "再次 v1"),
        (&[("老客户", Some(later))], "再次 v1"),
        (&[("老客户", Some(NOW))], "首次 v2"),
        (&[("别的", None)], "首次 v2"),
    ] {
        assert_eq!(given(&rules, CAPTURED, &lead("", tags)), [expected], "{tags:?}");
    }
}

#[test]
fn mistakes_are_told_with_the_nearest_name() {
    let refused = |raw: RawTagRule| {
        let faults = TagRule::parse(&raw, &Names::default()).unwrap_err();
        let told = faults.into_iter().map(|it| format!("{}: {}", it.field, it.description));
        told.collect::<Vec<_>>().join("; ")
    };
    for (raw, telling) in [
        (
            raw("a", "x", "来园 = '展会'", ""),
            "tag_rule.condition: 条件第 1 行第 1 列有误：没有字段“来园”，是否应为 来源",
        ),
        (raw("a", "x", "预算 > 1 AND 预算 < 0", ""), "holds for no lead"),
        (raw("a", "x", "预算", ""), "tag_rule.condition"),
        (raw("a", " ", "", ""), "tag_rule.tag: must not be empty"),
        (raw("a", &"长".repeat(41), "", ""), "tag_rule.tag: must be at most 40"),
        (raw("A", "x", "", ""), "tag_rule.name"),
        (raw("a", "x", "", "White Paper"), "tag_rule.event"),
        (raw("a", "x", "", "9lives"), "tag_rule.event"),
        (
            raw("a", "x", &"有电话 OR ".repeat(400), ""),
            "tag_rule.condition: must be at most 2000",
        ),
    ] {
        let told = refused(raw);
        assert!(told.contains(telling), "{told} must tell {telling}");
    }
    for days in [-1, 3651] {
        let rule = RawTagRule {
            expire_days: days,
            ..raw("a", "x", "", "")
        };
        assert!(refused(rule).contains("tag_rule.expire_days"));
    }
    assert!(parse_manual("", -1).is_err_and(|faults| faults.len() == 2));
    assert_eq!(parse_manual(" 老客户 ", 0).unwrap(), "老客户");
}

#[test]
fn a_tag_lasts_whole_days_or_for_ever() {
    assert_eq!(expiry(0, NOW), None);
    assert_eq!(expiry(30, NOW), Some(NOW + SignedDuration::from_hours(720)));
    let full = NOW + SignedDuration::from_hours(25);
    for later in [SignedDuration::from_nanos(1), SignedDuration::from_mins(59)] {
        assert_eq!(expiry(1, NOW + later), Some(full), "the next full hour");
    }
    assert_eq!(expiry(3650, Timestamp::MAX), Some(Timestamp::MAX));
}

#[test]
fn stages_are_read_as_they_are_written() {
    for stage in Stage::ALL {
        assert_eq!(Stage::find(stage.as_str()), Some(stage));
    }
    assert_eq!(Stage::find("won"), None);
    assert!(ProgressTag::parse("progressTags/quoted", "已报价", Some(Stage::Quotation), true).is_ok());
    assert!(ProgressTag::parse("quoted", "", None, true).is_err_and(|faults| faults.len() == 3));
}
