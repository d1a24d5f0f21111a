//! Definitions are checked beside one another, and give what their formulas say.

use jiff::tz::TimeZone;

use super::check::{Draft, MAX_DEPTH, MAX_FIELDS, Purpose, RawDefinition, Readers, left_behind};
use super::*;
use crate::domain::account::RawAccount;
use crate::domain::decision::Trigger;
use crate::domain::lead_fields::Details;
use crate::domain::pool::Cooldowns;
use crate::domain::routing::{PolicySpec, RawEntry, RawPolicy};
use crate::domain::tags::{RawTagRule, TagRule, TagRules, Versioned};

const MATCH: &str = "IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))";

/// Fields that were accepted one after the other.
#[derive(Default)]
struct Tenant {
    definitions: Vec<Definition>,
    attributes: Vec<&'static str>,
}

impl Tenant {
    fn new() -> Self {
        Self {
            attributes: vec!["设备型号", "年产值", "行业（大类）"],
            ..Self::default()
        }
    }

    fn fields(&self) -> CalculatedFields {
        let attributes = self.attributes.iter().map(|name| (*name).to_owned()).collect();
        CalculatedFields::new(self.definitions.clone(), attributes)
    }

    /// Defines or replaces the field of this id, or tells what is wrong: path and words.
    fn put(&mut self, id: &str, entity: Entity, names: &str, formula: &str) -> Result<Type, String> {
        let (field_name, alias) = names.split_once('/').unwrap_or((names, ""));
        let raw = RawDefinition {
            name: format!("calculatedFields/{id}"),
            entity: Some(entity),
            field_name: field_name.into(),
            alias: alias.into(),
            formula: formula.into(),
        };
        let said = |found: Vec<crate::domain::violation::Violation>| {
            let said: Vec<_> = found
                .iter()
                .map(|it| format!("{}: {}", it.field, it.description))
                .collect();
            said.join("\n")
        };
        let draft = Draft::parse(&raw, Purpose::Store).map_err(said)?;
        let fields = self.fields();
        let checked = fields.check(&draft).map_err(said)?;
        let readers = Readers {
            policy: None,
            pool: None,
            tags: &TagRules::default(),
        };
        let left = left_behind(fields.names(), &checked.names, &readers);
        if !left.is_empty() {
            return Err(format!("used by {}", left.join(", ")));
        }
        let id = draft.id.clone().unwrap();
        let key = fields.find(&id).map(|before| before.key);
        self.definitions.retain(|definition| definition.id != id);
        self.definitions.push(Definition {
            key: key.unwrap_or_else(|| i64::try_from(self.definitions.len()).unwrap() + 1),
            id,
            version: 1,
            entity,
            field_name: draft.field_name,
            alias: draft.alias,
            formula: draft.formula,
            kind: checked.kind,
        });
        Ok(checked.kind)
    }
}

fn account(attributes: &[(&str, &str)]) -> Account {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let raw = RawAccount {
        name: "accounts/suzhou".into(),
        display_name: "苏州锻压".into(),
        attributes: attributes.iter().map(owned).collect(),
    };
    Account::parse(&raw).unwrap()
}

fn lead(customer: Option<Account>) -> LeadFacts {
    LeadFacts {
        territory: "江苏省苏州市".into(),
        product: "锻件".into(),
        account: "suzhou".into(),
        trigger: Trigger::Captured,
        previous_owner: None,
        cooldowns: Cooldowns::default(),
        lead: uuid::Uuid::nil(),
        twins: Vec::new(),
        details: Details {
            source: "展会".into(),
            budget_max_fen: 60_000_000,
            attributes: [("科室".to_owned(), "采购".to_owned())].into(),
            customer: customer.map(Into::into),
            ..Details::default()
        },
    }
}

fn here() -> Context {
    Context::new(jiff::Timestamp::UNIX_EPOCH, TimeZone::UTC)
}

fn shown(definitions: &[Definition], outcomes: &[Outcome]) -> String {
    let pairs = definitions
        .iter()
        .zip(outcomes)
        .map(|(definition, outcome)| match outcome {
            Ok(Value::Blank) => format!("{}=", definition.field_name),
            Ok(value) => format!("{}={value}", definition.field_name),
            Err(error) => format!("{}!{}", definition.field_name, error.problem.code()),
        });
    pairs.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_match_of_process_is_calculated_for_accounts_and_their_leads() {
    let mut tenant = Tenant::new();
    assert_eq!(
        tenant.put("match", Entity::Account, "工艺匹配度/process_match", MATCH),
        Ok(Type::Number)
    );
    assert_eq!(tenant.put("lead-match", Entity::Lead, "匹配", MATCH), Ok(Type::Number));
    let weight = "客户.工艺匹配度 * 预算 + account.process_match * 0";
    assert_eq!(tenant.put("weight", Entity::Lead, "权重", weight), Ok(Type::Number));
    let fields = tenant.fields();
    for (model, result) in [("锻造压力机", "0.8"), ("五轴机加工中心", "0.6"), ("注塑机", "0.3")] {
        let account = account(&[("设备型号", model)]);
        let outcomes = fields.of_account(&account, &here());
        assert_eq!(outcomes, [Ok(Value::Number(result.parse().unwrap()))]);
        let mut lead = lead(Some(account));
        let outcomes = fields.complete(&mut lead, &here());
        let weight: rust_decimal::Decimal = result.parse().unwrap();
        let weight = (weight * rust_decimal::Decimal::from(600_000)).normalize();
        assert_eq!(
            shown(fields.definitions(Entity::Lead), &outcomes),
            format!("匹配={result} 权重={weight}")
        );
    }
    let outcomes = fields.complete(&mut lead(None), &here());
    assert_eq!(shown(fields.definitions(Entity::Lead), &outcomes), "匹配=0.3 权重=");
}

#[test]
fn every_name_is_read_by_both_entities() {
    let mut tenant = Tenant::new();
    tenant
        .put("doubled", Entity::Account, "翻倍/doubled", "LEN(名称) * 2")
        .unwrap();
    let readable = [
        ("客户", "suzhou"),
        ("客户.名称", "苏州锻压"),
        ("account.name", "苏州锻压"),
        ("客户.设备型号", "压力机"),
        ("account.设备型号", "压力机"),
        ("客户.属性.设备型号", "压力机"),
        ("account.attributes.设备型号", "压力机"),
        ("客户.[行业（大类）]", "汽车"),
        ("客户.翻倍", "8"),
        ("account.doubled", "8"),
    ];
    let of_leads = [("来源", "展会"), ("属性.科室", "采购"), ("attributes.科室", "采购")];
    let of_accounts = [("名称", "苏州锻压"), ("属性.设备型号", "压力机"), ("翻倍", "8")];
    let known = account(&[("设备型号", "压力机"), ("行业（大类）", "汽车")]);
    for (entity, own) in [(Entity::Lead, of_leads), (Entity::Account, of_accounts)] {
        for (name, expected) in readable.into_iter().chain(own) {
            let formula = format!("{name} & ''");
            tenant
                .put("x", entity, "读到", &formula)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let fields = tenant.fields();
            let outcomes = match entity {
                Entity::Lead => fields.complete(&mut lead(Some(known.clone())), &here()),
                Entity::Account => fields.of_account(&known, &here()),
            };
            let read = format!("读到={expected}");
            let shown = shown(fields.definitions(entity), &outcomes);
            assert!(shown.contains(&read), "{entity:?} {name}: {shown}");
            tenant.definitions.retain(|definition| definition.field_name != "读到");
        }
    }
    for name in ["来源", "读不到", "客户.来源"] {
        assert!(tenant.put("x", Entity::Account, "读到", name).is_err(), "{name}");
    }
}

#[test]
fn failures_are_told_and_blank_to_others() {
    let mut tenant = Tenant::new();
    tenant.put("a", Entity::Lead, "甲", "10 / (LEN(来源) - 2)").unwrap();
    tenant.put("b", Entity::Lead, "乙", "甲 + 1").unwrap();
    tenant.put("c", Entity::Lead, "丙", "COALESCE(乙, 7)").unwrap();
    tenant.put("d", Entity::Lead, "丁", "客户.年产值 & 备注").unwrap();
    let fields = tenant.fields();
    let outcomes = fields.complete(&mut lead(None), &here());
    let definitions = fields.definitions(Entity::Lead);
    assert_eq!(shown(definitions, &outcomes), "甲!DIVISION_BY_ZERO 乙= 丙=7 丁=");
    assert_eq!(
        to_json(definitions, &outcomes),
        json!({"甲": {"zh": "除数为零", "en": outcomes[0].as_ref().unwrap_err().text(Lang::En)}, "乙": null, "丙": 7, "丁": ""})
    );
    tenant.put("d", Entity::Lead, "丁", "备注 & 备注 & 备注").unwrap();
    let mut wordy = lead(None);
    wordy.details.remark = "长".repeat(1000);
    let fields = tenant.fields();
    let outcomes = fields.complete(&mut wordy, &here());
    assert!(shown(fields.definitions(Entity::Lead), &outcomes).ends_with("丁!TOO_MUCH_DATA"));
}

#[test]
fn what_cannot_be_stored_is_refused_with_its_reason() {
    let mut tenant = Tenant::new();
    tenant.put("a", Entity::Lead, "甲/a_field", "1").unwrap();
    tenant.put("m", Entity::Account, "匹配度", "1").unwrap();
    for (entity, names, formula, telling) in [
        (
            Entity::Lead,
            "乙",
            "客户.设备型好",
            "没有字段“客户.设备型好”，是否应为 客户.设备型号 ？",
        ),
        (Entity::Lead, "乙", "客户.设备型好", "did you mean 客户.设备型号 ?"),
        (Entity::Account, "乙", "客户.匹配渡", "客户.匹配度"),
        (Entity::Lead, "乙", "来园", "来源"),
        (Entity::Lead, "乙", "客户.没人有的东西", "须先在某个客户上出现"),
        (Entity::Lead, "乙", "1 +", "field.formula: 第 1 行第"),
        (Entity::Lead, "乙", " ", "field.formula: must not be empty"),
        (Entity::Lead, "乙", "1 / 0", "除数为零"),
        (Entity::Lead, "乙", "IF(有电话, NOW(), 录入时间)", "不能使用 NOW()"),
        (Entity::Lead, "乙", "DAYS(今天(), DATEOF(录入时间))", "不能使用 TODAY()"),
        (Entity::Lead, "乙", "等待小时 > 1", "不能使用 等待小时"),
        (Entity::Lead, "乙", "CONTAINS(标签, '老客户')", "不能使用 标签"),
        (
            Entity::Lead,
            "乙",
            "age_hours > 1",
            "use a stored field such as create_time",
        ),
        (Entity::Lead, "来源", "1", "field.field_name: “来源”是已有字段的名称"),
        (Entity::Lead, "属性", "1", "“属性”是已有字段的名称"),
        (Entity::Lead, "客户", "1", "“客户”是已有字段的名称"),
        (Entity::Account, "名称", "1", "“名称”是已有字段的名称"),
        (Entity::Account, "设备型号", "1", "“设备型号”是客户已有属性的名称"),
        (Entity::Lead, "甲", "1", "已是计算字段 甲 (calculatedFields/a) 的名称"),
        (Entity::Lead, "乙/a_field", "1", "field.alias: “a_field”已是计算字段"),
        (Entity::Lead, "", "1", "field.field_name: 须为"),
        (Entity::Lead, "a b", "1", "field.field_name: 须为"),
        (Entity::Lead, "a.b", "1", "field.field_name: 须为"),
        (Entity::Lead, "1a", "1", "field.field_name: 须为"),
        (Entity::Lead, "且", "1", "field.field_name: 须为"),
        (Entity::Lead, "TRUE", "1", "field.field_name: 须为"),
        (Entity::Lead, "ａｂ", "1", "field.field_name: 须为"),
        (Entity::Lead, "乙/Alias", "1", "field.alias: must be"),
        (Entity::Lead, "same/same", "1", "field.alias: must differ"),
    ] {
        let said = tenant.put("x", entity, names, formula).expect_err(formula);
        assert!(said.contains(telling), "{names} = {formula}: {said}");
    }
    assert!(
        tenant
            .put("a", Entity::Account, "甲", "1")
            .unwrap_err()
            .contains("field.entity: cannot change")
    );
    let other_type = tenant.put("a", Entity::Lead, "甲", "来源").unwrap_err();
    assert!(other_type.contains("原为 number，现为 text"), "{other_type}");
    assert_eq!(tenant.put("a", Entity::Lead, "甲/a_field", "2"), Ok(Type::Number));
}

#[test]
fn circles_are_refused_with_their_way() {
    let mut tenant = Tenant::new();
    let own = tenant.put("a", Entity::Lead, "甲", "甲 + 1").unwrap_err();
    assert!(
        own.contains("循环引用：甲 → 甲 / fields read one another in a circle: 甲 → 甲"),
        "{own}"
    );
    tenant.put("a", Entity::Lead, "甲/first", "1").unwrap();
    tenant.put("b", Entity::Lead, "乙", "first + 1").unwrap();
    tenant.put("c", Entity::Lead, "丙", "乙 * 甲").unwrap();
    let circle = tenant.put("a", Entity::Lead, "甲/first", "丙 - 1").unwrap_err();
    assert!(circle.contains("甲 → 丙 → 甲"), "the shortest: {circle}");
    tenant.put("c", Entity::Lead, "丙", "乙 * 2").unwrap();
    let circle = tenant.put("a", Entity::Lead, "甲/first", "丙 - 1").unwrap_err();
    assert!(circle.contains("甲 → 丙 → 乙 → 甲"), "{circle}");
    tenant.put("m", Entity::Account, "甲", "1").unwrap();
    assert_eq!(
        tenant.put("a", Entity::Lead, "甲/first", "客户.甲 + 1"),
        Ok(Type::Number),
        "an account's field of the same name is another"
    );
}

#[test]
fn names_in_use_are_kept() {
    let mut tenant = Tenant::new();
    tenant.put("a", Entity::Account, "甲/first", "1").unwrap();
    tenant.put("b", Entity::Account, "乙", "客户.甲 + 1").unwrap();
    tenant.put("c", Entity::Lead, "丙/third", "客户.first + 1").unwrap();
    assert_eq!(
        tenant.put("a", Entity::Account, "甲/other", "1").unwrap_err(),
        "used by 丙 (calculatedFields/c)"
    );
    assert_eq!(
        tenant.put("a", Entity::Account, "甲甲/first", "1").unwrap_err(),
        "used by 乙 (calculatedFields/b)"
    );
    let policy = RawPolicy {
        entries: ["", "third > 1 且 客户.乙 > 1"]
            .map(|when| RawEntry {
                team: "teams/zhang".into(),
                territory: if when.is_empty() {
                    "territories/east".into()
                } else {
                    String::new()
                },
                when: when.into(),
                ..RawEntry::default()
            })
            .into(),
        ..RawPolicy::default()
    };
    let fields = tenant.fields();
    let policy = PolicySpec::parse(&policy, fields.names()).unwrap();
    let rule = RawTagRule {
        name: "tagRules/big".into(),
        tag: "大单".into(),
        condition: "丙 > 1".into(),
        enabled: true,
        ..RawTagRule::default()
    };
    let rule = TagRule::parse(&rule, fields.names()).unwrap();
    let rules = TagRules::new(vec![Versioned { rule, version: 1 }], fields.names());
    let without = |id: &str| {
        let id = format!("calculatedFields/{id}").parse().unwrap();
        let key = fields.find(&id).unwrap().key;
        let readers = Readers {
            policy: Some(&policy),
            pool: None,
            tags: &rules,
        };
        left_behind(fields.names(), &fields.names().without(key), &readers)
    };
    let entry = "分配策略第 2 条 / entry 2 of the routing policy";
    assert_eq!(without("a"), ["丙 (calculatedFields/c)", "乙 (calculatedFields/b)"]);
    assert_eq!(without("b"), [entry]);
    assert_eq!(without("c"), [entry, "标签规则 tagRules/big / tag rule tagRules/big"]);
}

#[test]
fn number_depth_and_cost_are_limited() {
    let mut tenant = Tenant::new();
    tenant.put("d1", Entity::Lead, "d1", "1").unwrap();
    for depth in 2..=MAX_DEPTH {
        let formula = format!("d{} + 1", depth - 1);
        tenant
            .put(&format!("d{depth}"), Entity::Lead, &format!("d{depth}"), &formula)
            .unwrap();
    }
    let deeper = tenant
        .put("deeper", Entity::Lead, "deeper", &format!("d{MAX_DEPTH} + 1"))
        .unwrap_err();
    assert!(deeper.contains("9 层，最多 8 层"), "{deeper}");
    let from_below = tenant.put("d1", Entity::Lead, "d1", "LEN(来源)");
    assert_eq!(from_below, Ok(Type::Number));
    for at in tenant.definitions.len()..MAX_FIELDS {
        tenant
            .put(&format!("f{at}"), Entity::Lead, &format!("f{at}"), "1")
            .unwrap();
    }
    let one_more = tenant.put("x", Entity::Lead, "x", "1").unwrap_err();
    assert!(one_more.contains("已有 50 个计算字段"), "{one_more}");
    assert_eq!(
        tenant.put("x", Entity::Account, "x", "1"),
        Ok(Type::Number),
        "accounts have fields of their own"
    );

    let mut tenant = Tenant::new();
    let costly = format!("SUM({})", vec!["LEN(来源)"; 450].join(","));
    let refused = (0..10).find_map(|at| {
        tenant
            .put(&format!("c{at}"), Entity::Lead, &format!("c{at}"), &costly)
            .err()
    });
    assert!(refused.is_some_and(|said| said.contains("最多 10000")));
    assert_eq!(
        tenant.put("c0", Entity::Lead, "c0", &costly),
        Ok(Type::Number),
        "what is replaced does not count"
    );
}

#[test]
fn conditions_read_calculated_fields_and_accounts() {
    let mut tenant = Tenant::new();
    tenant
        .put("match", Entity::Account, "工艺匹配度/process_match", MATCH)
        .unwrap();
    tenant
        .put("weight", Entity::Lead, "权重", "客户.工艺匹配度 * 100")
        .unwrap();
    let fields = tenant.fields();
    let mut lead = lead(Some(account(&[("设备型号", "锻造压力机")])));
    fields.complete(&mut lead, &here());
    for (when, holds) in [
        ("权重 >= 80", true),
        ("权重 > 80", false),
        ("客户.工艺匹配度 = 0.8 且 来源 = '展会'", true),
        ("account.process_match < 0.8", false),
        ("包含(客户.设备型号, '锻造')", true),
        ("客户.名称 = '苏州锻压' 且 客户 = 'suzhou' 且 等待小时 >= 0", false),
    ] {
        let conditions = crate::domain::routing::Conditions::compile([Some(when)], fields.names()).unwrap();
        assert_eq!(conditions.error(0), None, "{when}");
        let inquiry = conditions.inquire(&lead, jiff::Timestamp::UNIX_EPOCH, &TimeZone::UTC);
        assert_eq!(inquiry.holds(0), holds, "{when}");
    }
    let conditions = crate::domain::routing::Conditions::compile([Some("权中 > 1")], fields.names()).unwrap();
    assert_eq!(conditions.error(0).unwrap().problem.suggestion(), Some("权重"));
    let conditions = crate::domain::routing::Conditions::compile([Some("权重 = 'a'")], fields.names()).unwrap();
    assert_eq!(conditions.error(0).unwrap().problem.code(), "NOT_COMPARABLE");
}
