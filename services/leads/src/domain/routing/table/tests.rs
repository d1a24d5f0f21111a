//! Tables come back as they went, names mean what people mean, and faults have a place.

use proptest::prelude::*;

use super::*;
use crate::domain::calculated::Names;
use crate::domain::catalogue::Node;
use crate::domain::directory::DirectoryRows;
use crate::domain::ids::{ProductId, TerritoryId};
use crate::domain::member::{RawTeam, Team};
use crate::domain::routing::{PolicySpec, RawPolicy};

fn node<Id: ResourceId>(&(id, name, alias): &(&str, &str, &str)) -> Node<Id> {
    Node {
        id: Id::from_id(id).unwrap(),
        display_name: name.into(),
        parent: None,
        aliases: Some(alias.to_owned())
            .filter(|alias| !alias.is_empty())
            .into_iter()
            .collect(),
    }
}

const TERRITORIES: [(&str, &str, &str); 7] = [
    ("east", "华东", "East China"),
    ("suzhou", "苏州市", ""),
    ("gulou-nanjing", "鼓楼区", ""),
    ("gulou-xuzhou", "鼓楼区", ""),
    ("evil", "=HYPERLINK(\"http://x\")", ""),
    ("star", "*", ""),
    ("named", "territories/east", ""),
];
const PRODUCTS: [(&str, &str, &str); 3] = [
    ("ortho", "骨科耗材", "骨科"),
    ("screw", "螺钉, 空心", ""),
    ("quote", "\"大\" 件", ""),
];
const TEAMS: [(&str, &str); 4] = [("zhang", "张组"), ("li", "李组"), ("li-2", "李组"), ("at", "@销售")];

fn directory() -> Directory {
    let team = |&(id, name): &(&str, &str)| {
        let raw = RawTeam {
            name: format!("teams/{id}"),
            display_name: name.into(),
            ..RawTeam::default()
        };
        Team::parse(&raw).unwrap()
    };
    Directory::new(DirectoryRows {
        teams: TEAMS.iter().map(team).collect(),
        territories: TERRITORIES.iter().map(node::<TerritoryId>).collect(),
        products: PRODUCTS.iter().map(node::<ProductId>).collect(),
        ..DirectoryRows::default()
    })
}

fn spec(entries: Vec<RawEntry>) -> PolicySpec {
    let raw = RawPolicy {
        entries,
        ..RawPolicy::default()
    };
    PolicySpec::parse(&raw, &Names::default()).unwrap()
}

fn entry(territory: &str, product: &str, when: &str, team: &str, skills: &[&str]) -> RawEntry {
    RawEntry {
        territory: territory.into(),
        product: product.into(),
        when: when.into(),
        team: team.into(),
        skills: skills.iter().map(ToString::to_string).collect(),
    }
}

fn read(text: &str) -> Vec<RawEntry> {
    Table::read(text.as_bytes(), &directory()).unwrap().entries
}

fn faults(text: &str) -> Vec<String> {
    let found = Table::read(text.as_bytes(), &directory()).expect_err(text);
    assert!(found.iter().all(|violation| violation.field == "csv"));
    found.into_iter().map(|violation| violation.description).collect()
}

#[test]
fn a_table_is_written_in_names_people_know() {
    let spec = spec(vec![
        entry(
            "territories/east",
            "products/ortho",
            "来源 = '展会'",
            "teams/zhang",
            &["骨科", "医保"],
        ),
        entry(
            "territories/gulou-xuzhou",
            "products/screw",
            "-预算 < 0\n且 有电话",
            "teams/li",
            &[],
        ),
        entry("territories/evil", "", "", "teams/at", &["a;b"]),
        entry("territories/gone", "products/quote", "", "teams/gone", &[]),
    ]);
    let table = write_table(&spec.entries, &directory(), Lang::Zh);
    let expected = "\u{feff}地域,产品,条件,团队,技能\r\n\
        华东,骨科耗材,来源 = '展会',张组,医保;骨科\r\n\
        territories/gulou-xuzhou,\"螺钉, 空心\",\"'-预算 < 0\n且 有电话\",teams/li,\r\n\
        \"'=HYPERLINK(\"\"http://x\"\")\",,,'@销售,\"\"\"a;b\"\"\"\r\n\
        territories/gone,\"\"\"大\"\" 件\",,teams/gone,\r\n";
    assert_eq!(String::from_utf8(table.clone()).unwrap(), expected);
    assert_eq!(table, write_table(&spec.entries, &directory(), Lang::Zh));
    let english = write_table(&spec.entries[..0], &directory(), Lang::En);
    assert_eq!(english, "\u{feff}territory,product,when,team,skills\r\n".as_bytes());
}

#[test]
fn what_people_write_is_understood() {
    let expected = [entry(
        "territories/suzhou",
        "products/ortho",
        "有电话",
        "teams/zhang",
        &["英语", "医保"],
    )];
    for text in [
        "territory,product,when,team,skills\nsuzhou,ortho,有电话,zhang,英语;医保\n",
        "\u{feff}技能,团队,地区,产品线,附加条件\r\n英语、医保,张组,苏州,骨科,有电话\r\n",
        "Territory,Product,When,Team,Skills\n territories/suzhou , products/ortho ,有电话,teams/zhang,\"英语，医保\"\n,,,,\n",
        "地域,产品,条件,团队,技能\n苏州市,骨科耗材,有电话,ZHANG,英语|医保\n",
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    let any = read("地域,产品,条件,团队,技能\n任何,,,张组,\n任意,any,,张组,\n*,*,,张组,\n");
    let anywhere = entry("", "", "", "teams/zhang", &[]);
    let star = entry("territories/star", "", "", "teams/zhang", &[]);
    assert_eq!(
        any,
        [anywhere.clone(), anywhere, star],
        "a thing's own name comes before the word"
    );
    assert_eq!(read("地域,产品,条件,团队,技能\n"), []);
}

#[test]
fn faults_name_line_and_column() {
    let head = "territory,product,when,team,skills";
    for (rows, expected) in [
        (
            "火星,,,zhang,",
            "第 2 行“地域”列：没有叫“火星”的；请写完整名称、别名或编号 / line 2, column territory: nothing is called 火星; write a \
             name, an alias or an id",
        ),
        (
            "除华东,,,zhang,",
            "第 2 行“地域”列：没有叫“除华东”的；请写完整名称、别名或编号 / line 2, column territory: nothing is called 除华东; \
             write a name, an alias or an id",
        ),
        ("east,,\"有电话\n且 有邮箱\",zhang,\n鼓楼,,,zhang,\n,,,zhang,", ""),
        (
            "鼓楼区,,,zhang,",
            "第 2 行“地域”列：“鼓楼区”可以指 territories/gulou-nanjing, territories/gulou-xuzhou；请写其中一个 / line 2, column \
             territory: 鼓楼区 may be territories/gulou-nanjing, territories/gulou-xuzhou; write one of them",
        ),
        (
            ",,,李组,",
            "第 2 行“团队”列：“李组”可以指 teams/li, teams/li-2；请写其中一个 / line 2, column team: 李组 may be teams/li, \
             teams/li-2; write one of them",
        ),
        (
            ",,有电话,,",
            "第 2 行“团队”列：请填写团队 / line 2, column team: must be given",
        ),
        (
            ",,,zhang,\"\"\"a\"",
            "第 2 行“技能”列：有引号没有配对 / line 2, column skills: has a quotation mark without its other half",
        ),
        (
            ",,,zhang",
            "第 2 行：有 4 格，表头有 5 格 / line 2: has 4 cells, the header has 5",
        ),
    ] {
        let found = Table::read(format!("{head}\n{rows}\n").as_bytes(), &directory()).expect_err(rows);
        if expected.is_empty() {
            assert!(found[0].description.starts_with("第 4 行“地域”列"), "{found:?}");
        } else {
            assert_eq!(found[0].description, expected);
        }
    }
    let both = faults(&format!("{head}\n火星,金星,,木星,\n"));
    assert_eq!(both.len(), 3, "everything comes together: {both:?}");
}

#[test]
fn headings_and_encodings_are_checked_first() {
    assert!(
        faults("地域,产品,条件,团队,技能,备注\n")[0]
            .starts_with("第 1 行“备注”列：不是已知的列；已知的列有 地域、产品、条件")
    );
    assert_eq!(
        faults("地域,产品,团队,地区,技能\n")[0],
        "第 1 行“地域”列：重复出现 / line 1, column 地区: occurs twice"
    );
    assert_eq!(
        faults("地域,产品,团队,技能\n"),
        [
            "第 1 行“条件”列：缺少这一列；没有内容的格可以留空 / line 1, column when: must be there; its cells may be empty"
        ]
    );
    assert_eq!(faults("").len(), 5);
    let gbk = Table::read(b"territory,product,when,team,skills\n,,,\xd5\xc5,\n", &directory()).unwrap_err();
    assert!(
        gbk[0].description.contains("没有叫“张”的"),
        "read as what spreadsheets write: {gbk:?}"
    );
    let neither = Table::read(b"territory,product,when,team,skills\n,,,\xff\xff,\n", &directory()).unwrap_err();
    assert!(
        neither[0].description.contains("none of the file's encoding"),
        "{neither:?}"
    );
}

#[test]
fn violations_of_the_policy_are_placed_in_the_table() {
    let text = "territory,product,when,team,skills\n,,\"有电话\n或 有邮箱\",zhang,\n,,来园,zhang,\n";
    let table = Table::read(text.as_bytes(), &directory()).unwrap();
    let located = |field: &str| {
        table.locate(Violation {
            field: field.into(),
            description: "is wrong".into(),
        })
    };
    let found = located("policy.entries[1].when");
    assert_eq!(
        (found.field.as_str(), found.description.as_str()),
        ("csv", "第 4 行“条件”列 / line 4, column when: is wrong")
    );
    for elsewhere in [
        "policy.default_team",
        "policy.entries",
        "policy.entries[7].when",
        "note",
    ] {
        assert_eq!(located(elsewhere).field, elsewhere);
    }
}

/// Texts that are hard on a table.
fn hard() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("=".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("-".to_owned()),
        Just(";".to_owned()),
        Just("、".to_owned()),
        Just("＋".to_owned()),
        Just("|".to_owned()),
        Just(" ".to_owned()),
        Just("骨".to_owned()),
        Just("a".to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_policy_says_comes_back(rows in proptest::collection::vec(
        (0..=TERRITORIES.len(), 0..=PRODUCTS.len(), 0..TEAMS.len(), hard(), hard(), proptest::collection::vec(hard(), 0..4)),
        0..8,
    )) {
        let entries = rows.iter().map(|(territory, product, team, when, more, skills)| RawEntry {
            territory: TERRITORIES.get(*territory).map(|(id, ..)| format!("territories/{id}")).unwrap_or_default(),
            product: PRODUCTS.get(*product).map(|(id, ..)| format!("products/{id}")).unwrap_or_default(),
            team: format!("teams/{}", TEAMS[*team].0),
            when: format!("{when}\n{more}"),
            skills: skills.iter().filter(|skill| !skill.trim().is_empty()).cloned().collect(),
        });
        let stored = spec(entries.collect());
        for headings in [Lang::Zh, Lang::En] {
            let table = write_table(&stored.entries, &directory(), headings);
            let back = Table::read(&table, &directory()).unwrap();
            prop_assert_eq!(&spec(back.entries), &stored);
        }
    }
}
