//! Properties of random expressions: reading undoes writing, and the evaluator agrees with a naive one.

use std::collections::BTreeSet;

use crate::reference::Reference;
use crate::{generate, world};
use proptest::prelude::*;
use reflex_expr::ast::{Expr, Node};
use reflex_expr::explain::Shape;
use reflex_expr::{Context, Explanation, Facts, Predicate, Program, Value, formula, limits};

/// Checks a generated expression; `None` if values written into it are refused, which is right.
fn checked(source: &Expr) -> Option<Program> {
    match Program::check(source.clone(), &world::schema()) {
        Ok(program) => Some(program),
        Err(error) => {
            let by_value = [
                "UNKNOWN_OPTION",
                "DIVISION_BY_ZERO",
                "NO_SUCH_DATE",
                "NOT_WHOLE",
                "TOO_COSTLY",
            ];
            assert!(
                by_value.contains(&error.problem.code()),
                "{}: {error}",
                formula::print(source)
            );
            None
        }
    }
}

fn names<'x>(expr: &'x Expr, names: &mut BTreeSet<&'x str>) {
    if let Node::Field(name) = &expr.node {
        names.insert(name);
    }
    for part in expr.parts() {
        self::names(part, names);
    }
}

/// Each part of an explanation must say what its text evaluates to.
fn parts_are_true(explanation: &Explanation, facts: &Facts<'_>, context: &Context) {
    let program = Program::compile(&explanation.text, facts.schema()).unwrap();
    let outcome = program.evaluate(facts, context).map(Value::into_owned);
    let failure = |outcome: Result<Value<'static>, reflex_expr::EvalError>| outcome.map_err(|error| error.failure);
    assert_eq!(
        failure(explanation.outcome.clone()),
        failure(outcome),
        "{}",
        explanation.text
    );
    match &explanation.shape {
        Shape::All(parts) | Shape::Any(parts) => parts.iter().for_each(|part| parts_are_true(part, facts, context)),
        Shape::Not(part) => parts_are_true(part, facts, context),
        Shape::Choice { condition, chosen } => {
            parts_are_true(condition, facts, context);
            if let Some(part) = chosen {
                parts_are_true(part, facts, context);
            }
        }
        Shape::Test { .. } | Shape::Calculation => {}
    }
}

/// The text at each span must read as the part that has it.
fn spans_read_alike(expr: &Expr, text: &str) {
    let part = expr.span.of(text);
    assert_eq!(&formula::parse(part).unwrap(), expr, "{part} in {text}");
    for part in expr.parts() {
        spans_read_alike(part, text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_undoes_writing(source in generate::exprs()) {
        let text = formula::print(&source);
        let read = formula::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read, &source, "{}", text);
        prop_assert_eq!(formula::print(&read), text);
    }

    #[test]
    fn evaluation_agrees_with_the_reference(source in generate::exprs(), known in generate::facts()) {
        let Some(program) = checked(&source) else { return Ok(()) };
        let (schema, context) = (world::schema(), world::context());
        let facts = world::facts(&schema, &known);
        let now = "2026-02-03T04:00:00Z".parse().unwrap();
        let expected = Reference { known: &known, now }.eval(&source);
        let result = program.evaluate(&facts, &context).map(Value::into_owned).map_err(|error| error.failure);
        prop_assert_eq!(&result, &expected, "{}", formula::print(&source));
        if let Ok(value) = &result {
            prop_assert!(value.kind().is_none_or(|kind| kind == program.kind()));
            // A value survives its JSON, too.
            prop_assert_eq!(Value::from_json(&value.to_json(), program.kind()), Some(value.clone()));
        }
    }

    #[test]
    fn a_program_knows_its_fields_and_cost(source in generate::exprs()) {
        let Some(program) = checked(&source) else { return Ok(()) };
        let schema = world::schema();
        let mut read = BTreeSet::new();
        names(&source, &mut read);
        let fields: BTreeSet<_> = program.fields().iter().map(|slot| schema.field(*slot).unwrap().name.as_str()).collect();
        prop_assert_eq!(fields, read);
        prop_assert!(program.cost() > 0 && program.cost() <= limits::COST);
    }

    #[test]
    fn explanations_are_true(source in generate::conditions(), known in generate::facts()) {
        if checked(&source).is_none() {
            return Ok(());
        }
        let (schema, context) = (world::schema(), world::context());
        let facts = world::facts(&schema, &known);
        let explanation = Explanation::of(&source, &facts, &context).unwrap();
        parts_are_true(&explanation, &facts, &context);
        let holds = Predicate::check(source, &schema).unwrap().holds(&facts, &context);
        prop_assert_eq!(explanation.holds(), holds == Ok(true));
        prop_assert_eq!(explanation.missing().is_none(), holds == Ok(true));
    }

    #[test]
    fn spans_are_of_the_text(source in generate::conditions()) {
        let text = formula::print(&source);
        let read = formula::parse(&text).unwrap();
        spans_read_alike(&read, &text);
    }

    #[test]
    fn errors_have_a_place(text in "[客户预算IF(),'0-9 .+*/<>=#\\[\\]“”]{0,40}") {
        if let Err(error) = formula::parse(&text) {
            prop_assert!(error.span.start <= error.span.end && error.span.end as usize <= text.len());
            prop_assert!(!error.report(&text).zh.is_empty());
        }
    }
}
