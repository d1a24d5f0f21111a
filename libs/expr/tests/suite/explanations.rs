//! Explanations as people and programs read them.

use reflex_expr::{Explanation, Facts, Lang, Predicate, Program, formula};
use serde_json::json;

use crate::world;

fn explained<T>(source: &str, facts: &serde_json::Value, look: impl FnOnce(&Explanation) -> T) -> T {
    let schema = world::schema();
    let facts = Facts::from_json(&schema, facts).unwrap();
    let source = formula::parse(source).unwrap();
    look(&Explanation::of(&source, &facts, &world::context()).unwrap())
}

#[test]
fn what_is_missing_is_said() {
    let facts = json!({"预算": 80000, "客户.等级": "B", "标签": ["老"], "已签约": true, "数量": 0});
    for (source, zh, en) in [
        (
            "预算 >= 100000",
            "需要 预算 >= 100000（预算 现为 80000）",
            "needs 预算 >= 100000 (预算 is 80000)",
        ),
        (
            "预算 >= 100000 AND 客户.等级 = 'B' AND ANYOF(标签, '新', '重点')",
            "需要 预算 >= 100000（预算 现为 80000），并且 需要 ANYOF(标签, '新', '重点')（标签 现为 老）",
            "needs 预算 >= 100000 (预算 is 80000), and needs ANYOF(标签, '新', '重点') (标签 is 老)",
        ),
        (
            "客户.等级 = 'A' OR (预算 > 90000 AND 数量 >= 1)",
            "需要 客户.等级 = 'A'（客户.等级 现为 B），或者 （需要 预算 > 90000（预算 现为 80000），并且 需要 数量 >= 1（数量 现为 0））",
            "needs 客户.等级 = 'A' (客户.等级 is B), or (needs 预算 > 90000 (预算 is 80000), and needs 数量 >= 1 (数量 is 0))",
        ),
        (
            "NOT 已签约",
            "不应 已签约（已签约 现为 是）",
            "must not be 已签约 (已签约 is yes)",
        ),
        (
            "NOT (客户.等级 = 'B' AND 已签约)",
            "不应 客户.等级 = 'B'（客户.等级 现为 B），或者 不应 已签约（已签约 现为 是）",
            "must not be 客户.等级 = 'B' (客户.等级 is B), or must not be 已签约 (已签约 is yes)",
        ),
        (
            "100000 <= 预算",
            "需要 100000 <= 预算（预算 现为 80000）",
            "needs 100000 <= 预算 (预算 is 80000)",
        ),
        (
            "CONTAINS(客户.设备型号, '锻造')",
            "需要 CONTAINS(客户.设备型号, '锻造')（客户.设备型号 现为 空白）",
            "needs CONTAINS(客户.设备型号, '锻造') (客户.设备型号 is blank)",
        ),
        (
            "预算 / 数量 > 5",
            "需要 预算 / 数量 > 5（预算 / 数量 现为 除数为零）",
            "needs 预算 / 数量 > 5 (预算 / 数量 is division by zero)",
        ),
        (
            "IF(已签约, 数量 > 1, TRUE)",
            "需要 数量 > 1（数量 现为 0）",
            "needs 数量 > 1 (数量 is 0)",
        ),
        ("客户.等级 = 'B'", "", ""),
    ] {
        let said = |lang| {
            explained(source, &facts, |why| {
                why.missing().map(|missing| missing.text(lang)).unwrap_or_default()
            })
        };
        assert_eq!(said(Lang::Zh), zh, "{source}");
        assert_eq!(said(Lang::En), en, "{source}");
    }
}

#[test]
fn an_explanation_is_json() {
    let json = explained("预算 > 1 AND 1 / 数量 > 2", &json!({"数量": 0}), Explanation::to_json);
    assert_eq!(
        json,
        json!({
            "text": "预算 > 1 AND 1 / 数量 > 2",
            "span": {"start": 0, "end": 29},
            "value": false,
            "all": [
                {
                    "text": "预算 > 1", "span": {"start": 0, "end": 10}, "value": false, "test": ">",
                    "subject": {"text": "预算", "value": null}, "values": [{"text": "1", "value": 1}],
                },
                {
                    "text": "1 / 数量 > 2", "span": {"start": 15, "end": 29}, "failure": "DIVISION_BY_ZERO", "test": ">",
                    "subject": {"text": "1 / 数量", "failure": "DIVISION_BY_ZERO"}, "values": [{"text": "2", "value": 2}],
                },
            ],
        })
    );
}

#[test]
fn a_choice_shows_what_chose() {
    let facts = json!({"客户.设备型号": "机加工"});
    let source = "IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))";
    explained(source, &facts, |why| {
        let json = why.to_json();
        assert_eq!((&json["value"], &json["if"]["value"]), (&json!(0.6), &json!(false)));
        assert_eq!(
            (&json["chosen"]["if"]["value"], &json["chosen"]["chosen"]["value"]),
            (&json!(true), &json!(0.6))
        );
    });
}

#[test]
fn an_explanation_needs_the_schema_of_the_expression() {
    let schema = world::schema();
    let program = Program::compile("预算", &schema).unwrap();
    let other = reflex_expr::Schema::new(vec![]).unwrap();
    let facts = Facts::new(&other);
    let error = Explanation::of(program.source(), &facts, &world::context()).unwrap_err();
    assert_eq!(error.problem.code(), "UNKNOWN_FIELD");
    assert!(
        Predicate::compile("预算 > 1", &schema)
            .unwrap()
            .holds(&facts, &world::context())
            .is_err()
    );
}
