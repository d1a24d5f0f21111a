//! Policies are checked and kept; conditions read, refuse and route as they say.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use reflex_expr::{Context, Facts, Predicate};

use super::*;
use crate::domain::assign::LeadFacts;
use crate::domain::decision::Trigger;
use crate::domain::lead::Urgency;
use crate::domain::lead_fields::{Details, HeldTag};
use crate::domain::pool::Cooldowns;

const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

fn id<Id: std::str::FromStr>(collection: &str, id: &str) -> Id {
    let name = format!("{collection}/{id}");
    name.parse().unwrap_or_else(|_| panic!("{name} is a name"))
}

fn raw_cells(cells: &[(&str, &str, &str)]) -> RawPolicy {
    let entry = |&(territory, product, team): &(&str, &str, &str)| RawEntry {
        territory: territory.into(),
        product: product.into(),
        team: team.into(),
        ..RawEntry::default()
    };
    RawPolicy {
        entries: cells.iter().map(entry).collect(),
        ..RawPolicy::default()
    }
}

fn no_names() -> Names {
    Names::default()
}

fn faulty_fields(raw: &RawPolicy) -> Vec<String> {
    PolicySpec::parse(raw, &no_names())
        .map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
}

#[test]
fn policies_are_checked() {
    let east = ("territories/east", "products/ortho", "teams/zhang");
    assert!(faulty_fields(&raw_cells(&[east, ("", "", "teams/zhang")])).is_empty());
    assert_eq!(faulty_fields(&raw_cells(&[("east", "ortho", "")])).len(), 3);
    assert_eq!(
        faulty_fields(&RawPolicy {
            default_team: "zhang".into(),
            ..raw_cells(&[])
        }),
        ["policy.default_team"]
    );
    assert_eq!(
        faulty_fields(&RawPolicy {
            claim_within: LONGEST_TERM * 2,
            ..raw_cells(&[])
        }),
        ["policy.claim_within"]
    );
    assert_eq!(
        faulty_fields(&raw_cells(&vec![("", "", "teams/a"); MAX_ENTRIES + 1]))[0],
        "policy.entries"
    );
    assert_eq!(
        PolicySpec::parse(&raw_cells(&[]), &no_names()).unwrap().claim_within,
        DEFAULT_CLAIM_WITHIN
    );
}

#[test]
fn policies_are_kept_as_json() {
    let spec = PolicySpec::parse(&raw_cells(&[("territories/east", "", "teams/zhang")]), &no_names()).unwrap();
    let json = serde_json::to_string(&spec).unwrap();
    assert!(json.contains(r#""claim_within":"PT2H""#), "{json}");
    assert_eq!(serde_json::from_str::<PolicySpec>(&json).unwrap(), spec);
}

#[test]
fn a_thousand_entries_are_found_by_depth() {
    let names: Vec<_> = (0..1000).map(|n| format!("territories/t{n}")).collect();
    let cells: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "products/ortho", "teams/zhang"))
        .collect();
    let spec = PolicySpec::parse(&raw_cells(&cells), &no_names()).unwrap();
    let policy = Policy::new(1, spec, &no_names());
    let path = ["territories/unknown", "territories/t999", "territories/t0"].map(|name| name.parse().unwrap());
    let plain = |_: usize, entry: &Entry| entry.when.is_none();
    let target = policy
        .resolve(&path, &["products/ortho".parse().unwrap()], plain)
        .unwrap();
    assert_eq!(target.entry.unwrap().label(), "t999 × ortho");
    assert!(policy.resolve(&path, &[], plain).is_none());
}

fn lead() -> LeadFacts {
    LeadFacts {
        territory: "江苏省苏州市".into(),
        product: "接骨螺钉".into(),
        account: "acme".into(),
        trigger: Trigger::Captured,
        previous_owner: None,
        cooldowns: Cooldowns::default(),
        lead: uuid::Uuid::nil(),
        twins: Vec::new(),
        details: Details {
            source: "展会".into(),
            company: "上海某某医院".into(),
            remark: "要求本周报价".into(),
            form: "forms/website".into(),
            urgency: Some(Urgency::Red),
            budget_min_fen: 10_000_050,
            budget_max_fen: 60_000_000,
            has_phone: true,
            has_email: false,
            create_time: Some(NOW - Duration::from_mins(90)),
            attributes: [("科室", "骨科"), ("床位 数", "200"), ("等级Ａ", "三甲")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            tags: vec![HeldTag {
                tag: "已报价".into(),
                since: NOW,
                until: None,
                progress: true,
            }],
            ..Details::default()
        },
    }
}

fn holds(when: &str, lead: &LeadFacts) -> bool {
    let conditions = Conditions::compile([Some(when)], &no_names()).unwrap();
    assert_eq!(conditions.error(0), None, "{when}");
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    conditions.inquire(lead, NOW, &zone).holds(0)
}

#[test]
fn every_field_is_read_by_both_names() {
    for (when, expected) in [
        ("来源 = '展会'", true),
        ("source = '官网'", false),
        ("包含(公司, '医院')", true),
        ("CONTAINS(company, '公司')", false),
        ("客户 = 'acme' 且 account = 'acme'", true),
        ("包含(地域, '苏州') AND CONTAINS(territory, '江苏')", true),
        ("产品 = '接骨螺钉' AND product = '接骨螺钉'", true),
        ("包含(备注, '报价') AND CONTAINS(remark, '本周')", true),
        ("表单 = 'forms/website' AND form = 'forms/website'", true),
        ("紧急程度 = '红' AND urgency = 'red'", true),
        ("紧急程度 IN ('黄', '绿')", false),
        ("预算 >= 60万 且 budget <= 600000", true),
        ("预算下限 = 100000.5 AND budget_min = 100000.50", true),
        ("预算上限 > 60万 或 budget_max > 60万", false),
        ("有电话 且 非 有邮箱", true),
        ("has_phone AND NOT has_email", true),
        ("等待小时 = 1.5 AND age_hours < 2", true),
        (
            "CONTAINS(标签, '已报价') 且 progress = '已报价' 且 NOT CONTAINS(tags, '报价')",
            true,
        ),
        ("HOURS(NOW(), 录入时间) = HOURS(NOW(), create_time)", true),
        // Half past six in the morning of the first of January in Shanghai.
        ("HOUR(录入时间) = 6 AND HOUR(create_time) = 6", true),
        ("属性.科室 = '骨科' AND attributes.科室 = '骨科'", true),
        ("属性.[床位 数] = '200'", true),
        ("属性.等级A = '三甲'", true),
        ("属性.没有 <> '骨科'", false),
        ("ISBLANK(属性.没有)", true),
    ] {
        assert_eq!(holds(when, &lead()), expected, "{when}");
    }
}

#[test]
fn what_a_lead_does_not_say_is_blank() {
    let nothing = LeadFacts {
        territory: String::new(),
        product: String::new(),
        account: String::new(),
        details: Details::default(),
        ..lead()
    };
    for (name, kind, _) in crate::domain::lead_fields::FIELDS {
        let blank = match kind {
            reflex_expr::Type::Bool => format!("NOT {name}"),
            // A lead without tags has none of them, which is something known.
            reflex_expr::Type::List(_) => format!("NOT CONTAINS({name}, '已报价')"),
            _ => format!("ISBLANK({name})"),
        };
        assert!(holds(&blank, &nothing), "{name}");
        if kind != reflex_expr::Type::Bool {
            assert!(!holds(&blank, &lead()), "{name}");
        }
    }
    let lowest_only = LeadFacts {
        details: Details {
            budget_max_fen: 0,
            ..lead().details
        },
        ..lead()
    };
    assert!(holds("预算 = 预算下限 且 ISBLANK(预算上限)", &lowest_only));
}

fn raw(entries: &[(&str, &str)]) -> RawPolicy {
    let entry = |&(product, when): &(&str, &str)| RawEntry {
        product: product.into(),
        team: "teams/zhang".into(),
        when: when.into(),
        ..RawEntry::default()
    };
    RawPolicy {
        entries: entries.iter().map(entry).collect(),
        ..RawPolicy::default()
    }
}

fn faults(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    let found = PolicySpec::parse(&raw(entries), &no_names()).err().unwrap_or_default();
    found
        .into_iter()
        .map(|fault| (fault.field, fault.description))
        .collect()
}

#[test]
fn conditions_have_limits() {
    let sources: Vec<_> = (0..=MAX_CONDITIONS_PER_CELL).map(|n| format!("来源 = '{n}'")).collect();
    let entries: Vec<_> = sources.iter().map(|when| ("", when.as_str())).collect();
    assert!(faults(&entries[1..]).is_empty());
    assert_eq!(faults(&entries).len(), 1);
    let products: Vec<_> = (0..=MAX_CONDITIONS).map(|n| format!("products/p{n}")).collect();
    let entries: Vec<_> = products.iter().map(|product| (product.as_str(), "有电话")).collect();
    assert!(faults(&entries[1..]).is_empty());
    assert_eq!(faults(&entries)[0].0, "policy.entries");
    let long = format!("来源 = '{}'", "长".repeat(2000));
    assert_eq!(faults(&[("", &long)])[0].0, "policy.entries[0].when");
}

#[test]
fn whoever_has_to_come_back_learns_of_mistaken_conditions_too() {
    let found = faults(&[("", "来园 = '展会'"), ("no name", "")]);
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["policy.entries[1].product", "policy.entries[0].when"]);
    assert_eq!(
        found[1].1,
        "条件第 1 行第 1 列有误：没有字段“来园”，是否应为 来源 ？ / the condition has a mistake at line 1, column 1: there is no \
         field 来园, did you mean 来源 ?"
    );
}

#[test]
fn policies_without_conditions_are_kept_as_before() {
    let plain = PolicySpec::parse(&raw(&[("", "")]), &no_names()).unwrap();
    let json = serde_json::to_string(&plain).unwrap();
    assert!(!json.contains("when"), "{json}");
    assert_eq!(serde_json::from_str::<PolicySpec>(&json).unwrap(), plain);
    assert!(Policy::new(1, plain, &no_names()).conditions().is_none());

    let conditional = PolicySpec::parse(&raw(&[("", " 来源 = '展会' ")]), &no_names()).unwrap();
    assert_eq!(conditional.entries[0].when.as_deref(), Some("来源 = '展会'"));
    let json = serde_json::to_string(&conditional).unwrap();
    assert_eq!(serde_json::from_str::<PolicySpec>(&json).unwrap(), conditional);
}

#[test]
fn what_is_missing_is_said_in_both_languages_and_bounded() {
    let missing = |when: &str| {
        let conditions = Conditions::compile([Some(when)], &no_names()).unwrap();
        let lead = lead();
        let inquiry = conditions.inquire(&lead, NOW, &TimeZone::UTC);
        assert!(!inquiry.holds(0), "{when}");
        inquiry.missing(0)
    };
    let said = missing("来源 = '官网' 且 预算 >= 50万");
    assert_eq!(said.zh, "需要 来源 = '官网'（来源 现为 展会）");
    assert_eq!(said.en, "needs 来源 = '官网' (来源 is 展会)");
    let said = missing("预算 / (预算 - 预算) > 1");
    assert!(said.zh.contains("除数为零"), "{}", said.zh);
    let options: Vec<_> = (0..300).map(|n| format!("'{n}'")).collect();
    let said = missing(&format!("来源 IN ({})", options.join(", ")));
    assert_eq!(
        (said.zh.as_str(), said.en.as_str()),
        ("条件不成立", "the condition does not hold")
    );
    let said = missing(&format!("来源 = '{}'", "长".repeat(400)));
    assert_eq!(said.zh.chars().count(), 301);
    // Accepted once, not understood any more.
    let said = missing("以前的字段 = 1");
    assert!(said.zh.starts_with("没有字段“以前的字段”"), "{}", said.zh);
}

const TERRITORIES: [&str; 3] = ["suzhou", "jiangsu", "east"];
const PRODUCTS: [&str; 2] = ["screws", "ortho"];
const CONDITIONS: [&str; 9] = [
    "",
    "来源 = '展会'",
    "source <> '展会'",
    "预算 >= 50万",
    "budget < 500000 OR ISBLANK(budget)",
    "属性.科室 = '骨科' 且 紧急程度 = '红'",
    "NOT (attributes.科室 = '骨科')",
    "1 / (预算 - 10) > 0",
    "CONTAINS(公司, '医院')",
];

/// Territory, product and condition, by place in the lists above; one beyond the end is "any".
type Cells = Vec<(usize, usize, usize)>;

fn cells() -> impl Strategy<Value = Cells> {
    proptest::collection::vec((0..=TERRITORIES.len(), 0..=PRODUCTS.len(), 0..CONDITIONS.len()), 0..30)
}

fn leads() -> impl Strategy<Value = (usize, usize, LeadFacts)> {
    let source = prop_oneof![Just(""), Just("展会"), Just("官网")];
    let fen = prop_oneof![Just(0_i64), Just(1000), Just(49_999_999), Just(50_000_000)];
    let department = prop_oneof![Just(None), Just(Some("骨科")), Just(Some("内科"))];
    let urgency = prop_oneof![Just(None), Just(Some(Urgency::Red)), Just(Some(Urgency::Green))];
    let company = prop_oneof![Just(""), Just("某某医院")];
    let place = (0..=TERRITORIES.len(), 0..=PRODUCTS.len());
    (place, source, fen, department, urgency, company).prop_map(
        |((territory, product), source, fen, department, urgency, company)| {
            let attributes = department.map(|it| ("科室".to_owned(), it.to_owned()));
            let details = Details {
                source: source.into(),
                company: company.into(),
                budget_max_fen: fen,
                urgency,
                attributes: attributes.into_iter().collect(),
                ..Details::default()
            };
            (territory, product, LeadFacts { details, ..lead() })
        },
    )
}

/// Tells whether a condition holds, compiled for this lead alone over facts by name.
fn naive(when: &str, lead: &LeadFacts) -> bool {
    let mut fields: Vec<_> = ["来源", "source", "公司", "属性.科室", "attributes.科室", "紧急程度"]
        .map(|name| reflex_expr::Field::new(name, reflex_expr::Type::Text))
        .into();
    fields.extend(["预算", "budget"].map(|name| reflex_expr::Field::new(name, reflex_expr::Type::Number)));
    let schema = reflex_expr::Schema::new(fields).unwrap();
    let mut facts = Facts::new(&schema);
    let details = &lead.details;
    let urgency = details
        .urgency
        .map(|urgency| if urgency == Urgency::Red { "红" } else { "绿" });
    let department = details.attributes.get("科室").map(String::as_str);
    for (name, value) in [
        ("来源", Some(details.source.as_str())),
        ("source", Some(details.source.as_str())),
        ("公司", Some(details.company.as_str())),
        ("紧急程度", urgency),
        ("属性.科室", department),
        ("attributes.科室", department),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.set(name, value.into()).unwrap();
        }
    }
    for name in ["预算", "budget"] {
        if details.budget_max_fen > 0 {
            let yuan = rust_decimal::Decimal::new(details.budget_max_fen, 2);
            facts.set(name, reflex_expr::Value::Number(yuan)).unwrap();
        }
    }
    let predicate = Predicate::compile(when, &schema).unwrap();
    predicate
        .holds(&facts, &Context::new(NOW, TimeZone::UTC))
        .unwrap_or(false)
}

/// Reads the matrix as its words say: of all entries that fit, the one nearest by territory, then by product, then first.
fn nearest(cells: &Cells, territory: usize, product: usize, lead: &LeadFacts) -> Option<usize> {
    let fits = |(place, (on, of, when)): (usize, &(usize, usize, usize))| {
        let near = *on >= territory && *of >= product;
        let holds = CONDITIONS[*when].is_empty() || naive(CONDITIONS[*when], lead);
        (near && holds).then_some((*on, *of, place))
    };
    cells.iter().enumerate().filter_map(fits).min().map(|(.., place)| place)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn compiled_routing_is_what_a_naive_reading_says(cells in cells(), leads in proptest::collection::vec(leads(), 1..10)) {
        let entry = |&(on, of, when): &(usize, usize, usize)| Entry {
            territory: TERRITORIES.get(on).map(|name| id("territories", name)),
            product: PRODUCTS.get(of).map(|name| id("products", name)),
            team: id("teams", "zhang"),
            skills: Vec::new(),
            when: Some(CONDITIONS[when].to_owned()).filter(|when| !when.is_empty()),
        };
        let spec = PolicySpec {
            entries: cells.iter().map(entry).collect(),
            ..PolicySpec::parse(&raw(&[]), &no_names()).unwrap()
        };
        let policy = Policy::new(1, spec, &no_names());
        for (territory, product, lead) in &leads {
            let territories: Vec<_> = TERRITORIES[*territory..].iter().map(|name| id("territories", name)).collect();
            let products: Vec<_> = PRODUCTS[*product..].iter().map(|name| id("products", name)).collect();
            let mut skipped = Vec::new();
            let target = policy.resolve(&territories, &products, |place, entry| {
                if entry.when.is_none() {
                    return true;
                }
                let holds = policy.conditions().unwrap().inquire(lead, NOW, &TimeZone::UTC).holds(place);
                if !holds {
                    skipped.push(place);
                }
                holds
            });
            let expected = nearest(&cells, *territory, *product, lead);
            prop_assert_eq!(target.and_then(|target| target.place), expected);
            for place in skipped {
                prop_assert!(!naive(CONDITIONS[cells[place].2], lead));
            }
        }
    }
}
