//! The analysis against all values of a small world: what it is certain of must be so.

use proptest::collection::vec;
use proptest::prelude::*;
use reflex_expr::analyse::{covers, is_never};
use reflex_expr::{Context, Facts, Field, Predicate, Schema, Type, Value};

use crate::world;

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("n", Type::Number),
        Field::new("m", Type::Number),
        Field::new("o", Type::Text).with_options(["A", "B", "C"]),
        Field::new("t", Type::Text),
        Field::new("b", Type::Bool),
    ])
    .unwrap()
}

/// All combinations of values, blank among them, between which the literals of the conditions lie.
fn everything(schema: &Schema) -> Vec<Facts<'_>> {
    let half = |n: i64| Value::Number(rust_decimal::Decimal::new(n * 5, 1));
    let numbers: Vec<_> = (-1..8).map(half).chain([Value::Blank]).collect();
    let options = [Value::Blank, "A".into(), "B".into(), "C".into()];
    let texts = [Value::Blank, "".into(), "A".into(), "x".into()];
    let bools = [Value::Blank, Value::Bool(true), Value::Bool(false)];
    let mut all = Vec::new();
    for n in &numbers {
        for m in numbers.iter().step_by(2) {
            for o in &options {
                for t in &texts {
                    for b in &bools {
                        let mut facts = Facts::new(schema);
                        for (name, value) in [("n", n), ("m", m), ("o", o), ("t", t), ("b", b)] {
                            facts.set(name, value.clone()).unwrap();
                        }
                        all.push(facts);
                    }
                }
            }
        }
    }
    all
}

fn conditions() -> BoxedStrategy<String> {
    let op = || proptest::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let number = || proptest::sample::select(vec!["0", "1", "1.5", "2", "3", "-0.5"]);
    let leaf = prop_oneof![
        3 => ("[nm]", op(), number()).prop_map(|(field, op, n)| format!("{field} {op} {n}")),
        1 => (number(), op()).prop_map(|(n, op)| format!("{n} {op} n")),
        1 => ("[nm]", vec(number(), 1..4)).prop_map(|(field, list)| format!("{field} IN ({})", list.join(", "))),
        1 => ("[ABC]", proptest::sample::select(vec!["=", "<>"])).prop_map(|(o, op)| format!("o {op} '{o}'")),
        1 => vec("[ABC]", 1..4).prop_map(|list| format!("o IN ('{}')", list.join("', '"))),
        1 => "[xA]?".prop_map(|t| format!("t = '{t}'")),
        1 => "[nmotb]".prop_map(|field| format!("ISBLANK({field})")),
        1 => proptest::sample::select(vec!["b", "b = FALSE", "TRUE", "FALSE", "n = m", "n + m > 2", "CONTAINS(t, 'A')"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("NOT ({part})")),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(") AND ("))),
            vec(inner, 2..4).prop_map(|parts| format!("({})", parts.join(") OR ("))),
        ]
    })
    .boxed()
}

fn held(predicate: &Predicate, facts: &[Facts<'_>], context: &Context) -> Vec<bool> {
    facts
        .iter()
        .map(|facts| predicate.holds(facts, context).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_certain_is_so(earlier in conditions(), later in conditions()) {
        let (schema, context) = (schema(), world::context());
        let facts = everything(&schema);
        let (first, second) = (Predicate::compile(&earlier, &schema).unwrap(), Predicate::compile(&later, &schema).unwrap());
        let (first_held, second_held) = (held(&first, &facts, &context), held(&second, &facts, &context));
        if is_never(&first, &schema) {
            prop_assert!(!first_held.contains(&true), "{} is not never", earlier);
        }
        for (a, a_held, b, b_held) in [(&first, &first_held, &second, &second_held), (&second, &second_held, &first, &first_held)] {
            if covers(a, b, &schema) {
                prop_assert!(a_held.iter().zip(b_held).all(|(a, b)| *a || !b), "{} against {}", earlier, later);
            }
        }
        prop_assert!(covers(&first, &first, &schema), "{} does not cover itself", earlier);
    }
}

#[test]
fn contradictions_are_found() {
    let schema = schema();
    for (source, never) in [
        ("n > 3 AND n < 2", true),
        ("n > 3 AND n <= 3", true),
        ("n >= 3 AND n <= 3", false),
        ("n = 1 AND n = 2", true),
        ("n IN (1, 2) AND NOT n IN (1, 2, 3)", true),
        ("o = 'A' AND o = 'B'", true),
        ("NOT o IN ('A', 'B', 'C') AND NOT ISBLANK(o)", true),
        ("NOT o IN ('A', 'B', 'C')", false),
        ("b AND NOT b", true),
        ("b AND b = FALSE", true),
        ("FALSE OR (n > 3 AND n < 2)", true),
        ("(n = 1 AND n = 2) OR (m = 1 AND o = 'A' AND m = 2)", true),
        ("t = 'x' AND (n = 1 OR m = 1) AND t = 'y'", true),
        ("ISBLANK(n) AND n > 0", true),
        ("n + m > 2 AND n < 1", false),
        ("n = m AND n < m", false),
    ] {
        assert_eq!(
            is_never(&Predicate::compile(source, &schema).unwrap(), &schema),
            never,
            "{source}"
        );
    }
}

#[test]
fn shadows_are_found() {
    let schema = schema();
    for (earlier, later, shadowed) in [
        ("n > 1", "n > 2", true),
        ("n > 2", "n > 1", false),
        ("n > 1", "n > 2 AND o = 'A'", true),
        ("n > 1 AND o = 'A'", "n > 2", false),
        ("o IN ('A', 'B')", "o = 'B'", true),
        ("o <> 'C'", "o IN ('A', 'B')", true),
        ("o <> 'C'", "NOT o = 'C'", false),
        ("TRUE", "CONTAINS(t, 'A')", true),
        ("CONTAINS(t, 'A')", "n > 1 AND CONTAINS(t, 'A')", true),
        ("CONTAINS(t, 'A')", "CONTAINS(t, 'AB')", false),
        ("n > 1 OR o = 'A'", "o = 'A' AND n = 0", true),
        ("n > 1", "(n > 2 AND b) OR (n = 5 AND o = 'A')", true),
        ("n > 1", "(n > 2 AND b) OR (n = 1 AND o = 'A')", false),
        ("n = 7", "m > 1 AND m < 1", true),
        ("o IN ('A', 'B', 'C') OR ISBLANK(o)", "n = 1", true),
    ] {
        let compile = |source: &str| Predicate::compile(source, &schema).unwrap();
        assert_eq!(
            covers(&compile(earlier), &compile(later), &schema),
            shadowed,
            "{earlier} against {later}"
        );
    }
}
