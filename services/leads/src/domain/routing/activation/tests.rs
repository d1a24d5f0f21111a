//! Each finding, in both languages, and what is no finding.

use reflex_expr::Lang;

use super::*;
use crate::domain::calculated::Names;
use crate::domain::catalogue::Node;
use crate::domain::directory::DirectoryRows;
use crate::domain::ids::LeaveId;
use crate::domain::leave::Leave;
use crate::domain::member::{RawMember, RawTeam, Role, Team};
use crate::domain::routing::{RawEntry, RawPolicy};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Who is in which team, with which capacity and skills.
const PEOPLE: [(&str, &str, i32, &[&str]); 8] = [
    ("an", "zhang", 10, &["英语"]),
    ("bo", "zhang", 10, &["德语"]),
    ("fu", "full", 2, &[]),
    ("gu", "full", 3, &[]),
    ("ha", "away", 5, &[]),
    ("ka", "mixed", 1, &[]),
    ("la", "mixed", 5, &[]),
    ("zo", "idle", 0, &["英语"]),
];

struct World {
    directory: Directory,
    leaves: Leaves,
    open_leads: HashMap<MemberId, u32>,
}

fn id<Id: std::str::FromStr>(name: &str) -> Id {
    name.parse().unwrap_or_else(|_| panic!("{name} is a name"))
}

fn world() -> World {
    let member = |&(name, team, capacity, skills): &(&str, &str, i32, &[&str])| {
        let raw = RawMember {
            name: format!("members/{name}"),
            display_name: name.into(),
            team: format!("teams/{team}"),
            role: Some(Role::Sales),
            capacity,
            skills: skills.iter().map(ToString::to_string).collect(),
            active: true,
            ..RawMember::default()
        };
        Member::parse(&raw).unwrap()
    };
    let team = |name: &str| {
        let raw = RawTeam {
            name: format!("teams/{name}"),
            display_name: format!("{name}组"),
            ..RawTeam::default()
        };
        Team::parse(&raw).unwrap()
    };
    let leave = |who: &str| Leave {
        id: LeaveId(uuid::Uuid::nil()),
        member: id(&format!("members/{who}")),
        start: NOW,
        end: NOW + jiff::SignedDuration::from_hours(24),
        reason: String::new(),
    };
    let east = Node {
        id: id("territories/east"),
        display_name: "华东".into(),
        parent: None,
        aliases: Vec::new(),
    };
    let ortho = Node {
        id: id("products/ortho"),
        display_name: "骨科耗材".into(),
        parent: None,
        aliases: Vec::new(),
    };
    let open = [("fu", 2), ("gu", 4), ("ka", 1), ("an", 9)];
    World {
        directory: Directory::new(DirectoryRows {
            members: PEOPLE.iter().map(member).collect(),
            teams: ["zhang", "full", "away", "mixed", "idle", "new"].map(team).into(),
            territories: vec![east],
            products: vec![ortho],
        }),
        leaves: Leaves::new([leave("ha"), leave("la")]),
        open_leads: open
            .into_iter()
            .map(|(who, count)| (id(&format!("members/{who}")), count))
            .collect(),
    }
}

/// An entry of territory, product, condition, team and skills.
type Line<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

fn spec(lines: &[Line], default_team: &str) -> PolicySpec {
    let entry = |&(territory, product, when, team, skills): &Line| RawEntry {
        territory: territory.into(),
        product: product.into(),
        when: when.into(),
        team: team.into(),
        skills: skills.iter().map(ToString::to_string).collect(),
    };
    let raw = RawPolicy {
        entries: lines.iter().map(entry).collect(),
        default_team: default_team.into(),
        ..RawPolicy::default()
    };
    PolicySpec::parse(&raw, &Names::default()).unwrap()
}

/// Returns the findings as (code, field, whether it refuses, zh, en).
fn told(spec: &PolicySpec) -> Vec<(&'static str, String, bool, String, String)> {
    let world = world();
    let around = Surroundings {
        directory: &world.directory,
        leaves: &world.leaves,
        open_leads: &world.open_leads,
        now: NOW,
    };
    let tell = |finding: Finding| {
        let text = |lang| finding.text(spec, &world.directory, lang);
        let (zh, en) = (text(Lang::Zh), text(Lang::En));
        (finding.code(), finding.field(), finding.problem.refuses(), zh, en)
    };
    spec.findings(spec.flaws(&Names::default()), &around)
        .into_iter()
        .map(tell)
        .collect()
}

/// Lines, and of the one finding about them: code, field, sentence in Chinese and in English.
type Case<'a> = (&'a [Line<'a>], &'a str, &'a str, &'a str, &'a str);

const PLAIN: Line = ("territories/east", "products/ortho", "", "teams/zhang", &[]);
const FAIR: Line = ("", "", "来源 = '展会'", "teams/zhang", &[]);

#[track_caller]
fn assert_told(cases: &[Case]) {
    for (lines, code, field, zh, en) in cases {
        let found = told(&spec(lines, "teams/zhang"));
        let refuses = !matches!(*code, "NO_MEMBERS" | "EVERYONE_AT_CAPACITY");
        let expected = (*code, (*field).to_owned(), refuses, (*zh).to_owned(), (*en).to_owned());
        assert_eq!(found, [expected]);
    }
}

#[test]
fn faults_of_the_policy_itself_are_told_in_both_languages() {
    assert_told(&[
        (
            &[
                FAIR,
                ("", "products/ortho", "预算 > 1 且\n 来园 = 'x'", "teams/zhang", &[]),
            ][..],
            "CONDITION_MISTAKE",
            "policy.entries[1].when",
            "第 2 条（任何地域 × 骨科耗材）：条件第 2 行第 2 列有误：没有字段“来园”，是否应为 来源 ？",
            "entry 2 (any territory × 骨科耗材): the condition has a mistake at line 2, column 2: there is no field 来园, did you \
             mean 来源 ?",
        ),
        (
            &[("territories/east", "", "预算 > 50万 且 预算 < 10万", "teams/zhang", &[])],
            "NEVER_HOLDS",
            "policy.entries[0].when",
            "第 1 条（华东 × 任何产品）：条件自相矛盾，永远不会成立，这一条分不到任何线索；请修改条件",
            "entry 1 (华东 × any product): the condition contradicts itself, so the entry would never get a lead; change the \
             condition",
        ),
        (
            &[PLAIN, FAIR, PLAIN],
            "SHADOWED",
            "policy.entries[2].when",
            "第 3 条（华东 × 骨科耗材）：与第 1 条地域和产品相同，又都没有条件，这一条分不到任何线索；请删去一条，或给第 1 条加上条件",
            "entry 3 (华东 × 骨科耗材): entry 1 is for the same territory and product and neither has a condition, so this one \
             would never get a lead; remove one of them, or give entry 1 a condition",
        ),
        (
            &[("", "", "", "teams/zhang", &[]), FAIR],
            "SHADOWED",
            "policy.entries[1].when",
            "第 2 条（任何地域 × 任何产品）：地域和产品相同的第 1 条没有条件，总是先匹配，这一条分不到任何线索；请把这一条移到第 1 条之前",
            "entry 2 (any territory × any product): entry 1 of the same territory and product has no condition and always \
             matches first, so this one would never get a lead; move it before entry 1",
        ),
        (
            &[FAIR, ("", "", "来源 = '展会' 且 有电话", "teams/zhang", &[])],
            "SHADOWED",
            "policy.entries[1].when",
            "第 2 条（任何地域 × 任何产品）：凡是符合这一条的线索，都已先被地域和产品相同的第 1 条分走；请把这一条移到第 1 条之前，或修改条件",
            "entry 2 (any territory × any product): every lead that fits would go to entry 1 of the same territory and product \
             first; move this one before entry 1, or change the condition",
        ),
    ]);
}

#[test]
fn what_does_not_exist_is_told_in_both_languages() {
    assert_told(&[
        (
            &[("territories/mars", "", "", "teams/zhang", &[])],
            "UNKNOWN_TERRITORY",
            "policy.entries[0].territory",
            "第 1 条（mars × 任何产品）：地域 territories/mars 不存在；请先建立，或改用已有的",
            "entry 1 (mars × any product): territory territories/mars does not exist; create it first, or name another",
        ),
        (
            &[("", "products/no", "", "teams/zhang", &[])],
            "UNKNOWN_PRODUCT",
            "policy.entries[0].product",
            "第 1 条（任何地域 × no）：产品 products/no 不存在；请先建立，或改用已有的",
            "entry 1 (any territory × no): product products/no does not exist; create it first, or name another",
        ),
        (
            &[FAIR, ("", "", "", "teams/no", &[])],
            "UNKNOWN_TEAM",
            "policy.entries[1].team",
            "第 2 条（任何地域 × 任何产品）：团队 teams/no 不存在；请先建立，或改用已有的",
            "entry 2 (any territory × any product): team teams/no does not exist; create it first, or name another",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_the_people_is_told_in_both_languages() {
    assert_told(&[
        (
            &[("", "", "", "teams/idle", &["英语"])],
            "NOBODY_TAKES",
            "policy.entries[0].team",
            "第 1 条（任何地域 × 任何产品）：团队“idle组”（teams/idle）里没有人能接线索：成员都已离岗、岗位不接线索或在手上限为 0；\
             请先让至少一人能接",
            "entry 1 (any territory × any product): nobody of team idle组 (teams/idle) can take a lead: all are inactive, have a \
             role that takes none or a capacity of 0; let somebody take leads first",
        ),
        (
            &[("", "", "", "teams/zhang", &["英语", "法语", "西语"])],
            "NOBODY_SKILLED",
            "policy.entries[0].skills",
            "第 1 条（任何地域 × 任何产品）：团队“zhang组”（teams/zhang）里能接线索的人都不具备技能“法语”、“西语”；请给成员加上技能，\
             或修改要求",
            "entry 1 (any territory × any product): nobody of team zhang组 (teams/zhang) who takes leads has any of the skills 法语, \
             西语; give them to a member, or ask for less",
        ),
        (
            &[("", "", "", "teams/zhang", &["法语", "英语"])],
            "NOBODY_SKILLED",
            "policy.entries[0].skills",
            "第 1 条（任何地域 × 任何产品）：团队“zhang组”（teams/zhang）里能接线索的人都不具备技能“法语”；请给成员加上技能，或修改要求",
            "entry 1 (any territory × any product): nobody of team zhang组 (teams/zhang) who takes leads has the skill 法语; give \
             it to a member, or ask for less",
        ),
        (
            &[("", "", "", "teams/zhang", &["德语", "英语"])],
            "NOBODY_SKILLED",
            "policy.entries[0].skills",
            "第 1 条（任何地域 × 任何产品）：团队“zhang组”（teams/zhang）里能接线索的人没有谁同时具备技能“德语”、“英语”；请给成员加上技能，\
             或修改要求",
            "entry 1 (any territory × any product): nobody of team zhang组 (teams/zhang) who takes leads has all of the skills 德语, \
             英语; give them to a member, or ask for less",
        ),
        (
            &[("", "", "", "teams/new", &["英语"])],
            "NO_MEMBERS",
            "policy.entries[0].team",
            "第 1 条（任何地域 × 任何产品）：团队“new组”（teams/new）还没有成员，线索会一直排队，直到有人加入",
            "entry 1 (any territory × any product): team new组 (teams/new) has no members yet; leads will wait until somebody joins",
        ),
        (
            &[("", "", "", "teams/full", &[])],
            "EVERYONE_AT_CAPACITY",
            "policy.entries[0].team",
            "第 1 条（任何地域 × 任何产品）：团队“full组”（teams/full）现在没有人能再接：2 人在手已满；线索会先排队",
            "entry 1 (any territory × any product): nobody of team full组 (teams/full) can take another lead now: 2 at capacity; \
             leads will wait",
        ),
        (
            &[("", "", "", "teams/mixed", &[])],
            "EVERYONE_AT_CAPACITY",
            "policy.entries[0].team",
            "第 1 条（任何地域 × 任何产品）：团队“mixed组”（teams/mixed）现在没有人能再接：1 人在手已满，1 人休假；线索会先排队",
            "entry 1 (any territory × any product): nobody of team mixed组 (teams/mixed) can take another lead now: 1 at capacity, \
             1 on leave; leads will wait",
        ),
        (
            &[("", "", "", "teams/away", &[])],
            "EVERYONE_AT_CAPACITY",
            "policy.entries[0].team",
            "第 1 条（任何地域 × 任何产品）：团队“away组”（teams/away）现在没有人能再接：1 人休假；线索会先排队",
            "entry 1 (any territory × any product): nobody of team away组 (teams/away) can take another lead now: 1 on leave; leads \
             will wait",
        ),
    ]);
}

#[test]
fn the_default_team_is_checked_too() {
    for (team, code, zh, en) in [
        (
            "teams/no",
            "UNKNOWN_TEAM",
            "默认团队：团队 teams/no 不存在",
            "the default team: team teams/no does not exist",
        ),
        (
            "teams/idle",
            "NOBODY_TAKES",
            "默认团队：团队“idle组”",
            "the default team: nobody of team idle组",
        ),
        (
            "teams/new",
            "NO_MEMBERS",
            "默认团队：团队“new组”",
            "the default team: team new组",
        ),
        (
            "teams/full",
            "EVERYONE_AT_CAPACITY",
            "默认团队：团队“full组”",
            "the default team: nobody of team full组",
        ),
    ] {
        let found = told(&spec(&[], team));
        assert_eq!(
            (found.len(), found[0].0, found[0].1.as_str()),
            (1, code, "policy.default_team")
        );
        assert!(found[0].3.starts_with(zh) && found[0].4.starts_with(en), "{found:?}");
    }
    assert_eq!(told(&spec(&[], "teams/zhang")), []);
    assert_eq!(told(&spec(&[], "")), []);
}

#[test]
fn all_findings_come_together_refusals_first_and_each_once() {
    let found = told(&spec(
        &[
            ("", "products/a", "", "teams/full", &[]),
            ("territories/mars", "", "", "teams/full", &[]),
            ("", "", "真 且 假", "teams/zhang", &[]),
            ("territories/mars", "products/ortho", "", "teams/full", &[]),
            ("", "products/b", "", "teams/no", &[]),
        ],
        "teams/idle",
    ));
    let codes: Vec<_> = found.iter().map(|(code, field, ..)| (*code, field.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("UNKNOWN_PRODUCT", "policy.entries[0].product"),
            ("UNKNOWN_TERRITORY", "policy.entries[1].territory"),
            ("NEVER_HOLDS", "policy.entries[2].when"),
            ("UNKNOWN_PRODUCT", "policy.entries[4].product"),
            ("UNKNOWN_TEAM", "policy.entries[4].team"),
            ("NOBODY_TAKES", "policy.default_team"),
            ("EVERYONE_AT_CAPACITY", "policy.entries[0].team"),
        ]
    );
    assert!(
        found[1].3.starts_with("第 2 条（mars × 任何产品）等 2 条："),
        "{}",
        found[1].3
    );
    assert!(
        found[6].4.starts_with("entry 1 (any territory × a) and 2 more: "),
        "{}",
        found[6].4
    );
}

#[test]
fn only_what_is_certain_shadows() {
    for (first, second, code) in [
        ("来源 = '展会'", "来源 = '官网' 且 来源 = '展会'", Some("NEVER_HOLDS")),
        ("来源 = '展会'", "假", Some("NEVER_HOLDS")),
        ("真", "", Some("SHADOWED")),
        ("预算 >= 10万", "预算 >= 50万 且 来源 = '展会'", Some("SHADOWED")),
        ("来源 IN ('展会', '官网')", "来源 = '官网'", Some("SHADOWED")),
        ("CONTAINS(备注, 'a')", "CONTAINS(备注, 'a') 且 有电话", Some("SHADOWED")),
        ("预算 >= 50万", "预算 >= 10万", None),
        ("来源 = '展会'", "来源 <> '展会'", None),
        ("来源 = '展会'", "", None),
        // Perhaps, but not certainly.
        ("CONTAINS(备注, 'a')", "CONTAINS(备注, 'ab')", None),
        // What has a mistake shadows nothing.
        ("来园 = '展会'", "来源 = '展会'", None),
    ] {
        let codes = |second_product| -> Vec<&'static str> {
            let lines = [
                ("", "", first, "teams/zhang", &[][..]),
                ("", second_product, second, "teams/zhang", &[]),
            ];
            let flaws = spec(&lines, "").flaws(&Names::default());
            let of_second = flaws.iter().filter(|flaw| flaw.place == Some(1));
            of_second.map(Finding::code).collect()
        };
        assert_eq!(codes(""), code.as_slice(), "{first} before {second}");
        // In another cell nothing of the first entry matters, but a contradiction is one everywhere.
        let apart = code.filter(|code| *code == "NEVER_HOLDS");
        assert_eq!(codes("products/ortho"), apart.as_slice(), "{second}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (when, zh) in [
        (
            "医院级别 = '三甲'",
            "没有字段“医院级别”；表单里的其他字段写作 属性.名称",
        ),
        ("电话 = '13912345678'", "没有字段“电话”"),
        ("预算 + 1", "公式的结果应为是否条件，却是数字"),
        ("来源 > 3", "文本不能与数字比较"),
        ("紧急程度 = 'red'", "没有选项“red”"),
        ("预算 > 1 且", "条件第 1 行第"),
        ("属性.", "条件第 1 行第"),
    ] {
        let found = told(&spec(&[("", "", when, "teams/zhang", &[])], ""));
        assert_eq!((found.len(), found[0].0), (1, "CONDITION_MISTAKE"), "{when}");
        assert!(found[0].3.contains(zh), "{when}: {}", found[0].3);
        assert!(found[0].4.contains("at line 1, column"), "{when}: {}", found[0].4);
    }
}

#[test]
fn sentences_stay_short() {
    let skills: Vec<String> = (0..50).map(|n| format!("{n}{}", "长".repeat(60))).collect();
    let skills: Vec<&str> = skills.iter().map(String::as_str).collect();
    let found = told(&spec(&[("", "", "", "teams/zhang", &skills)], ""));
    assert!(found[0].3.chars().count() <= 301 && found[0].4.chars().count() <= 301);
}
