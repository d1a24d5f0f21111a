//! `rules`: fifty conditions over the twelve fields of a lead, one thread, beside public rule engines.
//!
//! Both sides get the same conditions and leads, and have to find the same number of matches.

mod cel;
mod peer;

use std::time::{Duration, Instant};

use anyhow::ensure;
use jiff::tz::TimeZone;
use reflex_expr::{Context as Surroundings, Facts, Field, Predicate, Schema, Type};
use serde::Serialize;
use serde_json::{Value, json};

pub(super) use self::peer::Engine;
use self::{cel::Cel, peer::Process};
use super::{
    measured::{Latencies, Measured},
    rounds::Contest,
};

/// Beside whom.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// An engine in a process of Node.
    Node(Engine),
    /// The crate `cel`, in our own process.
    Cel,
}

/// A peer that has the rules and the leads.
enum Opponent {
    Node(Box<Process>),
    Cel(Cel),
}

/// Conditions of the bench.
const RULES: usize = 50;
/// Leads that take turns.
const LEADS: usize = 64;
const TEXTS: [&str; 9] = [
    "source",
    "territory",
    "product",
    "urgency",
    "company",
    "contact",
    "remark",
    "grade",
    "channel",
];
const NUMBERS: [&str; 3] = ["budget_min", "budget_max", "employees"];
const PRODUCTS: [&str; 6] = [
    "锻造压力机",
    "数控机加工中心",
    "超声诊断仪",
    "CT 球管",
    "注塑机",
    "备件包",
];
const TERRITORIES: [&str; 5] = ["shanghai", "jiangsu", "zhejiang", "guangdong", "sichuan"];

/// A condition in no engine's language.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Rule {
    All { all: Vec<Rule> },
    Any { any: Vec<Rule> },
    One(Condition),
}

#[derive(Debug, Clone, Serialize)]
struct Condition {
    field: &'static str,
    test: Test,
    value: Value,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Test {
    Contains,
    Is,
    OneOf,
    AtLeast,
    Below,
}

fn one(field: &'static str, test: Test, value: Value) -> Rule {
    Rule::One(Condition { field, test, value })
}

fn rules() -> Vec<Rule> {
    let rule = |number: usize| {
        let product = one("product", Test::Contains, json!(PRODUCTS[number % 6]));
        let near = one(
            "territory",
            Test::OneOf,
            json!([TERRITORIES[number % 5], TERRITORIES[(number + 2) % 5]]),
        );
        let rich = one("budget_min", Test::AtLeast, json!(number * 10_000));
        let small = one("employees", Test::Below, json!(50 + number * 7));
        let graded = one("grade", Test::Is, json!((["A", "B", "C"][number % 3])));
        match number % 5 {
            0 => product,
            1 => Rule::All { all: vec![near, rich] },
            2 => Rule::Any {
                any: vec![graded, small],
            },
            3 => Rule::All {
                all: vec![
                    product,
                    Rule::Any {
                        any: vec![near, graded],
                    },
                ],
            },
            _ => one("remark", Test::Contains, json!((["报价", "演示", "招标"][number % 3]))),
        }
    };
    (0..RULES).map(rule).collect()
}

fn leads() -> Vec<Value> {
    let lead = |number: usize| {
        json!({
            "source": (["website", "exhibition", "hotline"][number % 3]),
            "territory": TERRITORIES[number % 5],
            "product": PRODUCTS[number * 7 % 6],
            "urgency": (["red", "yellow", "green"][number % 3]),
            "company": format!("华东第{number}精密机械有限公司"),
            "contact": format!("王{number}"),
            "remark": (["请尽快报价，并安排演示", "参加招标", "了解一下"][number / 3 % 3]),
            "grade": (["A", "B", "C", "D"][number % 4]),
            "channel": (["wecom", "phone"][number % 2]),
            "budget_min": number * 12_500,
            "budget_max": number * 25_000,
            "employees": number * 11 % 500,
        })
    };
    (0..LEADS).map(lead).collect()
}

/// Writes a rule as a formula of ours.
fn formula(rule: &Rule) -> String {
    let joined = |rules: &[Rule], word: &str| {
        let parts: Vec<String> = rules.iter().map(formula).collect();
        format!("({})", parts.join(word))
    };
    let text = |value: &Value| format!("'{}'", value.as_str().unwrap_or_default());
    match rule {
        Rule::All { all } => joined(all, " AND "),
        Rule::Any { any } => joined(any, " OR "),
        Rule::One(Condition { field, test, value }) => match test {
            Test::Contains => format!("CONTAINS({field}, {})", text(value)),
            Test::Is => format!("{field} = {}", text(value)),
            Test::OneOf => {
                let options: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
                format!("{field} IN ({})", options.join(", "))
            }
            Test::AtLeast => format!("{field} >= {value}"),
            Test::Below => format!("{field} < {value}"),
        },
    }
}

/// `rules`.
pub(super) struct Rules {
    schema: Schema,
    predicates: Vec<Predicate>,
    leads: Vec<Value>,
    surroundings: Surroundings,
    peer: Opponent,
}

impl Rules {
    /// Starts a peer; none where it is not installed.
    pub(super) async fn start(peer: Peer) -> anyhow::Result<Option<Self>> {
        let (rules, leads) = (rules(), leads());
        let (peer, matches) = match peer {
            Peer::Cel => {
                let cel = Cel::new(&rules, &leads)?;
                let matches = cel.count_all()?;
                (Opponent::Cel(cel), matches)
            }
            Peer::Node(engine) => match Process::start(engine, &rules, &leads).await? {
                Some((process, matches)) => (Opponent::Node(Box::new(process)), matches),
                None => return Ok(None),
            },
        };
        let texts = TEXTS.iter().map(|name| Field::new(*name, Type::Text));
        let numbers = NUMBERS.iter().map(|name| Field::new(*name, Type::Number));
        let schema = Schema::new(texts.chain(numbers).collect())?;
        let predicates = rules
            .iter()
            .map(|rule| {
                let formula = formula(rule);
                Predicate::compile(&formula, &schema).map_err(|error| anyhow::anyhow!("{formula}: {error}"))
            })
            .collect::<anyhow::Result<_>>()?;
        let ours = Self {
            schema,
            predicates,
            leads,
            surroundings: Surroundings::new("2026-11-21T04:00:00Z".parse()?, TimeZone::UTC),
            peer,
        };
        let mut found = 0;
        for facts in ours.facts()? {
            found += ours.count_matches(&facts)?;
        }
        ensure!(found == matches, "the peer finds {matches} matches, we find {found}");
        Ok(Some(ours))
    }

    fn facts(&self) -> anyhow::Result<Vec<Facts<'_>>> {
        let facts = self.leads.iter().map(|lead| Facts::from_json(&self.schema, lead));
        Ok(facts.collect::<Result<_, _>>()?)
    }

    fn count_matches(&self, facts: &Facts<'_>) -> anyhow::Result<usize> {
        let mut matches = 0;
        for predicate in &self.predicates {
            matches += usize::from(predicate.holds(facts, &self.surroundings)?);
        }
        Ok(matches)
    }
}

impl Contest for Rules {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        match &mut self.peer {
            Opponent::Node(process) => process.evaluate(span).await,
            Opponent::Cel(cel) => cel.evaluate(span),
        }
    }

    /// The times are those of all fifty over one lead.
    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let facts = self.facts()?;
        let started = Instant::now();
        let mut times = Vec::new();
        let mut matches = 0;
        while started.elapsed() < span {
            for facts in &facts {
                let at = Instant::now();
                matches += self.count_matches(facts)?;
                times.push(at.elapsed());
            }
        }
        let elapsed = started.elapsed();
        ensure!(matches > 0, "no rule held");
        Ok(Measured {
            per_second: Measured::rate(times.len() * RULES, elapsed),
            latencies: Latencies::new(times),
            errors: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cel_finds_what_we_find() {
        let rules = Rules::start(Peer::Cel).await.unwrap().unwrap();
        assert_eq!(rules.predicates.len(), RULES);
        let Opponent::Cel(cel) = &rules.peer else {
            unreachable!("asked for")
        };
        let ours: Vec<usize> = rules
            .facts()
            .unwrap()
            .iter()
            .map(|facts| rules.count_matches(facts).unwrap())
            .collect();
        assert_eq!(cel.count_each().unwrap(), ours, "lead by lead");
    }
}
