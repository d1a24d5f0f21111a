//! A mutating fuzzer with a seed: it keeps what shows something new, and mutates that.
//!
//! What counts as new are the pairs of parent and child in a tree, the codes of errors and the results; the compiler's
//! coverage would need a nightly toolchain.

use std::collections::HashSet;

use reflex_expr::analyse::{covers, is_never};
use reflex_expr::ast::{Expr, Node};
use reflex_expr::{Context, Error, Explanation, Facts, Predicate, Program, Schema, Value, formula, limits};
use serde_json::json;

use crate::world;

const WORDS: [&str; 64] = [
    "(",
    ")",
    ",",
    ";",
    "、",
    "'",
    "\"",
    "‘",
    "’",
    "“",
    "”",
    "[",
    "]",
    ".",
    "#",
    "=",
    "<>",
    "<=",
    ">",
    "!",
    "&&",
    "||",
    "&",
    "+",
    "-",
    "*",
    "/",
    "%",
    "×",
    "÷",
    "（",
    "）",
    "，",
    "＝",
    "０",
    " AND ",
    " OR ",
    " NOT ",
    " IN ",
    "并且 ",
    "或者 ",
    "非 ",
    "属于 ",
    "TRUE",
    "假",
    "IF(",
    "如果(",
    "COALESCE(",
    "ISBLANK(",
    "CONTAINS(",
    "ANYOF(标签,",
    "ROUND(",
    "DATE(",
    "DAYS(",
    "TODAY()",
    "NOW()",
    "客户.设备型号",
    "客户.等级",
    "预算",
    "数量",
    "创建.日期",
    "#2026-02-03#",
    "9999999999999999",
    "0.1",
];

pub(crate) struct Fuzzer {
    random: u64,
    schema: Schema,
    context: Context,
    seen: HashSet<String>,
    corpus: Vec<String>,
}

impl Fuzzer {
    pub(crate) fn new(seed: u64) -> Self {
        let (schema, context) = (world::schema(), world::context());
        Self {
            random: seed | 1,
            schema,
            context,
            seen: HashSet::new(),
            corpus: Vec::new(),
        }
    }

    /// Checks a text, and keeps it for mutation if it shows something new.
    pub(crate) fn offer(&mut self, source: &str) -> bool {
        let features = self.features(source);
        let new = features.iter().any(|feature| !self.seen.contains(feature));
        if new {
            self.seen.extend(features);
            self.corpus.push(source.to_owned());
        }
        new
    }

    /// Makes a text of those that were kept, and checks it.
    pub(crate) fn step(&mut self) {
        let source = self.mutant();
        self.offer(&source);
    }

    /// Lists what was kept.
    pub(crate) fn corpus(&self) -> &[String] {
        &self.corpus
    }

    fn below(&mut self, bound: usize) -> usize {
        // Xorshift: repeatable everywhere.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % bound.max(1) as u64).unwrap()
    }

    fn mutant(&mut self) -> String {
        let pick = self.below(self.corpus.len());
        let mut source: Vec<char> = self.corpus[pick].chars().collect();
        for _ in 0..=self.below(4) {
            let at = self.below(source.len() + 1);
            let end = (at + self.below(12)).min(source.len());
            match self.below(9) {
                0 => drop(source.drain(at..end)),
                1 => {
                    let copy: Vec<char> = source[at..end].to_vec();
                    let times = if self.below(200) == 0 {
                        self.below(6000)
                    } else {
                        self.below(4)
                    };
                    let copies: Vec<char> = (0..times).flat_map(|_| copy.clone()).collect();
                    drop(source.splice(at..at, copies));
                }
                2 => {
                    let other = self.below(self.corpus.len());
                    let other: Vec<char> = self.corpus[other].chars().collect();
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(40)).min(other.len());
                    drop(source.splice(at..end, other[from..to].iter().copied()));
                }
                3 => {
                    let odd = [
                        '\0', '\n', '\u{FEFF}', '\u{3000}', '𠮷', 'é', '\u{301}', '7', '万', '年', '~',
                    ];
                    let character = odd[self.below(odd.len())];
                    source.insert(at, character);
                }
                4 => {
                    let inside: Vec<char> = "(".chars().chain(source[at..end].to_vec()).chain([')']).collect();
                    drop(source.splice(at..end, inside));
                }
                _ => {
                    let word = WORDS[self.below(WORDS.len())];
                    let end = if self.below(2) == 0 { at } else { end };
                    drop(source.splice(at..end, word.chars()));
                }
            }
            source.truncate(limits::SOURCE_BYTES);
        }
        source.into_iter().collect()
    }

    /// Does everything that can be done with a text, and tells what became of it.
    fn features(&self, source: &str) -> Vec<String> {
        let expr = match formula::parse(source) {
            Ok(expr) => expr,
            Err(error) => return vec![refused(&error, source)],
        };
        let mut features = Vec::new();
        pairs(&expr, "top", &mut features);
        assert!(features.len() <= limits::NODES);
        features.sort_unstable();
        features.dedup();
        let printed = formula::print(&expr);
        // The canonical form may be longer than what was written, and only the text has that limit.
        match formula::parse(&printed) {
            Ok(read) => assert_eq!(read, expr, "{source}"),
            Err(error) => assert_eq!(error.problem.code(), "SOURCE_TOO_LONG", "{source}"),
        }
        let program = match Program::check(expr.clone(), &self.schema) {
            Ok(program) => program,
            Err(error) => {
                features.push(refused(&error, source));
                return features;
            }
        };
        assert!(program.cost() <= limits::COST);
        let predicate = Predicate::check(expr, &self.schema);
        assert_eq!(predicate.is_ok(), program.kind() == reflex_expr::Type::Bool);
        for known in records() {
            let facts = Facts::from_json(&self.schema, &known).unwrap();
            let outcome = program.evaluate(&facts, &self.context).map(Value::into_owned);
            if let Ok(value) = &outcome {
                assert!(value.kind().is_none_or(|kind| kind == program.kind()), "{source}");
            }
            let explanation = Explanation::of(program.source(), &facts, &self.context).unwrap();
            assert_eq!(explanation.outcome, outcome, "{source}");
            features.push(match &outcome {
                Ok(value) => format!("{:?}", value.kind()),
                Err(error) => format!("{:?}", error.failure),
            });
            if let Ok(predicate) = &predicate {
                let holds = predicate.holds(&facts, &self.context);
                assert_eq!(holds == Ok(true), explanation.holds(), "{source}");
                assert_eq!(explanation.missing().is_none(), explanation.holds(), "{source}");
                assert!(!(holds == Ok(true) && is_never(predicate, &self.schema)), "{source}");
                assert!(covers(predicate, predicate, &self.schema), "{source}");
            }
        }
        features
    }
}

/// Checks that an error has a place and its sentences, and returns its code.
fn refused(error: &Error, source: &str) -> String {
    let report = error.report(source);
    assert!(
        report.span.start <= report.span.end && report.span.end as usize <= source.len(),
        "{source}"
    );
    assert!(source.is_char_boundary(report.span.start as usize) && source.is_char_boundary(report.span.end as usize));
    assert!(!report.zh.is_empty() && !report.en.is_empty());
    format!("{} {}", report.code, report.suggestion.is_some())
}

fn pairs(expr: &Expr, parent: &str, pairs: &mut Vec<String>) {
    let label = match &expr.node {
        Node::Literal(literal) => format!("{literal:?}").split('(').next().unwrap_or_default().to_owned(),
        Node::Field(_) => "Field".to_owned(),
        Node::Unary { op, .. } => format!("{op:?}"),
        Node::Arithmetic { op, .. } => format!("{op:?}"),
        Node::Compare { op, .. } => format!("{op:?}"),
        Node::Chain { op, .. } => format!("{op:?}"),
        Node::In { .. } => "In".to_owned(),
        Node::Call { function, .. } => format!("{function:?}"),
    };
    pairs.push(format!("{parent} {label}"));
    expr.parts()
        .into_iter()
        .for_each(|part| self::pairs(part, &label, pairs));
}

fn records() -> [serde_json::Value; 3] {
    [
        json!({}),
        json!({
            "客户": {"设备型号": "精密锻造 3D", "等级": "B", "备注 1": " 好 "}, "预算": 120_000.5, "数量": 3, "已签约": true,
            "创建.日期": "2026-01-31", "更新.时间": "2026-02-03T01:30:00Z",
            "标签": ["新", "重点"], "分数": [1, 2.5, 3], "到访": ["2026-01-02", "2026-01-05"]
        }),
        json!({
            "客户": {"设备型号": "", "等级": "A"}, "预算": "-79228162514264337593543950335", "数量": 0, "已签约": false,
            "创建.日期": "9999-12-31", "更新.时间": "-009999-01-02T01:59:59Z", "标签": [], "分数": [], "到访": []
        }),
    ]
}
