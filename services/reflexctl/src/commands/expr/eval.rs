//! `reflexctl expr eval`.

use std::cmp::Ordering;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reflex_expr::{Context, Error, Program, Schema, Type, Value};
use reflex_runtime::clock::{Clock as _, SystemClock};
use serde_json::{Value as Json, json};

use super::facts::{self, Records};
use super::{CheckedFormula, Says, read, spoken};
use crate::cli::{Format, Language};
use crate::output::{Table, print};

/// Characters of a record that a table shows.
const SHOWN: usize = 100;

pub(super) const HELP: &str = "\
The schema is that of `expr check`. Facts are a JSON object, an array of objects, or objects one a line; keys are full names
(\"客户.设备型号\") or objects below objects. What is left out is blank. NOW() and TODAY() are in --time-zone.

JSON, one object a line, also for one record: {\"result\", \"facts\"}; of a record that fails {\"error\", \"facts\"}.
Fails when a record does, after it has printed the others.

Examples:
  reflexctl expr eval --schema fields.json --facts customers.jsonl --sort \"IF(CONTAINS(客户.设备型号,'锻造'),0.8,0.3)\"
  echo '{\"客户\": {\"设备型号\": \"锻造压力机\"}}' | reflexctl expr eval --schema fields.json --facts - \"LEN(客户.设备型号)\"";

#[derive(Debug, Args)]
pub(super) struct Eval {
    #[command(flatten)]
    formula: CheckedFormula,
    /// Facts of the records; - is standard input.
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
    /// Orders records by their results, the highest first unless said otherwise; equal ones stay in their order, blanks last.
    #[arg(long, value_enum, value_name = "ORDER", num_args = 0..=1, require_equals = true, default_missing_value = "desc")]
    sort: Option<Order>,
    /// The time that `NOW()` and `TODAY()` see, such as 2026-02-03T09:00:00+08:00; the present if left out.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    Desc,
    Asc,
}

/// A record and what came of it.
struct Evaluated {
    facts: Json,
    result: Result<Value<'static>, String>,
}

impl Eval {
    pub(super) fn run(&self, says: Says<'_>) -> anyhow::Result<()> {
        let schema = self.formula.schema()?;
        let program = self.formula.compile(&schema, says)?;
        anyhow::ensure!(
            self.sort.is_none() || !matches!(program.kind(), Type::List(_)),
            "results of type {} have no order",
            program.kind()
        );
        let file = &self.facts;
        let Records { is_single, records } =
            Records::parse(&read(file)?).with_context(|| file.display().to_string())?;
        let now = self.now.unwrap_or_else(|| SystemClock::new().now());
        let context = Context::new(now, says.output.zone.clone());
        let mut evaluated: Vec<Evaluated> = records
            .into_iter()
            .zip(1..)
            .map(|(facts, number)| {
                let result = evaluate(&program, &schema, &facts, &context, says.lang);
                let result = result.map_err(|problem| at_record(number, &problem, says.lang));
                Evaluated { facts, result }
            })
            .collect();
        if let Some(order) = self.sort {
            evaluated.sort_by(|a, b| compare(&a.result, &b.result, order));
        }
        match says.output.format {
            Format::Json => evaluated.iter().try_for_each(|one| print(&one.to_json().to_string()))?,
            Format::Table if is_single => evaluated
                .iter()
                .filter_map(|one| one.result.as_ref().ok())
                .try_for_each(|value| print(&format!("{value}\n")))?,
            Format::Table => print(&render(&evaluated))?,
        }
        let problems: Vec<&String> = evaluated.iter().filter_map(|one| one.result.as_ref().err()).collect();
        match problems.as_slice() {
            [] => Ok(()),
            [only] => Err(anyhow::anyhow!("{only}")),
            [first, ..] => {
                let (failed, all) = (problems.len(), evaluated.len());
                Err(match says.lang {
                    Language::Zh => anyhow::anyhow!("{all} 条记录中 {failed} 条无法计算，其一：{first}"),
                    Language::En => anyhow::anyhow!("{failed} of {all} records failed, among them: {first}"),
                })
            }
        }
    }
}

fn evaluate(
    program: &Program,
    schema: &Schema,
    record: &Json,
    context: &Context,
    lang: Language,
) -> Result<Value<'static>, String> {
    let facts = facts::read(schema, record, lang)?;
    let result = program.evaluate(&facts, context).map(Value::into_owned);
    result.map_err(|error| Error::from(error).text(spoken(lang)))
}

fn at_record(number: usize, problem: &str, lang: Language) -> String {
    match lang {
        Language::Zh => format!("第 {number} 条记录：{problem}"),
        Language::En => format!("record {number}: {problem}"),
    }
}

/// Orders results of one type; what is blank comes after every value, and what failed after that, in either order.
fn compare(a: &Result<Value<'_>, String>, b: &Result<Value<'_>, String>, order: Order) -> Ordering {
    let rank = |result: &Result<Value<'_>, String>| match result {
        Ok(Value::Blank) => 1,
        Ok(_) => 0,
        Err(_) => 2,
    };
    let values = match (a, b) {
        (Ok(Value::Bool(a)), Ok(Value::Bool(b))) => a.cmp(b),
        (Ok(Value::Number(a)), Ok(Value::Number(b))) => a.cmp(b),
        (Ok(Value::Text(a)), Ok(Value::Text(b))) => a.cmp(b),
        (Ok(Value::Date(a)), Ok(Value::Date(b))) => a.cmp(b),
        (Ok(Value::Time(a)), Ok(Value::Time(b))) => a.cmp(b),
        _ => return rank(a).cmp(&rank(b)),
    };
    match order {
        Order::Asc => values,
        Order::Desc => values.reverse(),
    }
}

impl Evaluated {
    fn to_json(&self) -> Json {
        match &self.result {
            Ok(value) => json!({"result": value.to_json(), "facts": self.facts}),
            Err(problem) => json!({"error": problem, "facts": self.facts}),
        }
    }
}

fn render(evaluated: &[Evaluated]) -> String {
    let mut table = Table::new(["RESULT", "FACTS"]);
    for one in evaluated {
        let result = match &one.result {
            Ok(value) => value.to_string(),
            Err(_) => "!".to_owned(),
        };
        let facts = one.facts.to_string();
        let mut shown: String = facts.chars().take(SHOWN).collect();
        if shown.len() < facts.len() {
            shown.push('…');
        }
        table.row([result, shown]);
    }
    table.render(0)
}
