//! Random well-typed trees and random facts. The values are few, so that comparisons come out both ways.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use reflex_expr::ast::{ArithmeticOp, ChainOp, CompareOp, Expr, Literal, Node, UnaryOp};
use reflex_expr::{Function, Span, Value};
use rust_decimal::Decimal;

use crate::world::{Known, LEVELS, TAGS};

type Exprs = BoxedStrategy<Expr>;

/// A strategy for each type, of trees up to some height.
#[derive(Clone)]
struct Kinds {
    bool: Exprs,
    number: Exprs,
    text: Exprs,
    date: Exprs,
    time: Exprs,
    tags: Exprs,
}

/// Trees of every type.
pub(crate) fn exprs() -> Exprs {
    let kinds = kinds();
    prop_oneof![4 => kinds.bool, 3 => kinds.number, 1 => kinds.text, 1 => kinds.date, 1 => kinds.time, 1 => kinds.tags]
        .boxed()
}

/// Trees that are conditions.
pub(crate) fn conditions() -> Exprs {
    kinds().bool
}

fn kinds() -> Kinds {
    (0..4).fold(leaves(), |below, _| grown(&below))
}

fn node(node: Node) -> Expr {
    Expr::new(node, Span::default())
}

fn field(name: &str) -> Expr {
    node(Node::Field(name.to_owned()))
}

fn literal(literal: Literal) -> Expr {
    node(Node::Literal(literal))
}

fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    node(Node::Call { function, arguments })
}

fn numbers() -> BoxedStrategy<Decimal> {
    let odd = [
        "0.1",
        "0.2",
        "0.3",
        "0.5",
        "2.5",
        "79228162514264337593543950335",
        "0.0000000000000000000000000001",
    ];
    let odd: Vec<Decimal> = odd.iter().map(|text| text.parse().unwrap()).collect();
    prop_oneof![6 => (0..6_i64).prop_map(Decimal::from), 2 => (0..3000_i64).prop_map(Decimal::from), 2 => proptest::sample::select(odd)]
        .boxed()
}

fn texts() -> BoxedStrategy<String> {
    const KNOWN: [&str; 10] = [
        "",
        "A",
        "B",
        "锻造",
        "机加工",
        "abc",
        "Abc ",
        "o'brien",
        "精密锻造 3D",
        "新",
    ];
    prop_oneof![9 => proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => "\\PC{0,6}"].boxed()
}

fn dates() -> BoxedStrategy<jiff::civil::Date> {
    let days = (-2..40_i16).prop_map(|day| jiff::civil::date(2026, 1, 20).saturating_add(jiff::Span::new().days(day)));
    let last = prop_oneof![
        Just(jiff::civil::date(9999, 12, 31)),
        Just(jiff::civil::date(2024, 2, 29))
    ];
    prop_oneof![5 => days, 1 => last].boxed()
}

fn times() -> BoxedStrategy<jiff::Timestamp> {
    let seconds = 1_770_000_000_i64..1_771_000_000;
    (seconds, prop_oneof![Just(0), 0..1_000_000_000])
        .prop_map(|(s, n)| jiff::Timestamp::new(s, n).unwrap())
        .boxed()
}

fn leaves() -> Kinds {
    let times = times().prop_map(|time| literal(Literal::Time(time)));
    Kinds {
        bool: prop_oneof![
            Just(field("已签约")),
            any::<bool>().prop_map(|b| literal(Literal::Bool(b)))
        ]
        .boxed(),
        number: prop_oneof![
            Just(field("预算")),
            Just(field("数量")),
            numbers().prop_map(|n| literal(Literal::Number(n.normalize())))
        ]
        .boxed(),
        text: prop_oneof![
            Just(field("客户.设备型号")),
            Just(field("客户.等级")),
            Just(field("客户.备注 1")),
            texts().prop_map(|text| literal(Literal::Text(text.replace('\0', ""))))
        ]
        .boxed(),
        date: prop_oneof![
            Just(field("创建.日期")),
            Just(call(Function::Today, vec![])),
            dates().prop_map(|date| literal(Literal::Date(date)))
        ]
        .boxed(),
        time: prop_oneof![Just(field("更新.时间")), Just(call(Function::Now, vec![])), times].boxed(),
        tags: Just(field("标签")).boxed(),
    }
}

fn grown(below: &Kinds) -> Kinds {
    let Kinds {
        bool,
        number,
        text,
        date,
        time,
        tags,
    } = below.clone();
    let shared = |kind: &Exprs| {
        let choice = (bool.clone(), kind.clone(), option::of(kind.clone()));
        let choice = choice.prop_map(|(condition, then, otherwise)| {
            call(Function::If, [condition, then].into_iter().chain(otherwise).collect())
        });
        let coalesce = vec(kind.clone(), 1..3).prop_map(|parts| call(Function::Coalesce, parts));
        prop_oneof![choice, coalesce]
    };
    Kinds {
        bool: prop_oneof![1 => bool.clone(), 2 => shared(&bool), 12 => grown_bool(below)].boxed(),
        number: prop_oneof![2 => number.clone(), 2 => shared(&number), 9 => grown_number(below)].boxed(),
        text: prop_oneof![2 => text.clone(), 1 => shared(&text), 3 => grown_text(below)].boxed(),
        date: prop_oneof![2 => date.clone(), 1 => shared(&date), 3 => grown_date(below)].boxed(),
        time: prop_oneof![2 => time.clone(), 1 => shared(&time), 2 => grown_time(below)].boxed(),
        tags: prop_oneof![2 => tags.clone(), 1 => shared(&tags)].boxed(),
    }
}

fn calls<const N: usize>(functions: [Function; N], arguments: impl Strategy<Value = Vec<Expr>> + 'static) -> Exprs {
    let functions = proptest::sample::select(functions.to_vec());
    (functions, arguments)
        .prop_map(|(function, arguments)| call(function, arguments))
        .boxed()
}

fn pair(first: &Exprs, second: &Exprs) -> impl Strategy<Value = Vec<Expr>> + 'static {
    (first.clone(), second.clone()).prop_map(|(first, second)| vec![first, second])
}

fn one(kind: &Exprs) -> impl Strategy<Value = Vec<Expr>> + 'static {
    kind.clone().prop_map(|expr| vec![expr])
}

fn grown_bool(below: &Kinds) -> Exprs {
    let Kinds {
        bool,
        number,
        text,
        date,
        time,
        tags,
    } = below.clone();
    let compared = |kind: &Exprs, ordered: bool| {
        use CompareOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let ops = if ordered {
            vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]
        } else {
            vec![Equal, NotEqual]
        };
        let sides = (proptest::sample::select(ops), kind.clone(), kind.clone());
        sides.prop_map(|(op, left, right)| {
            node(Node::Compare {
                op,
                left: Box::new(left),
                right: Box::new(right),
            })
        })
    };
    let within = |kind: &Exprs| {
        (kind.clone(), vec(kind.clone(), 1..4)).prop_map(|(subject, options)| {
            node(Node::In {
                subject: Box::new(subject),
                options,
            })
        })
    };
    let chain = (any::<bool>(), vec(bool.clone(), 1..4)).prop_map(|(and, operands)| {
        node(Node::Chain {
            op: if and { ChainOp::And } else { ChainOp::Or },
            operands,
        })
    });
    let not = bool.clone().prop_map(|operand| {
        node(Node::Unary {
            op: UnaryOp::Not,
            operand: Box::new(operand),
        })
    });
    let tag = proptest::sample::select(&TAGS[..]).prop_map(|tag| literal(Literal::Text(tag.to_owned())));
    let has = (tags.clone(), vec(tag, 1..3)).prop_map(|(list, wanted)| [vec![list], wanted].concat());
    let level = proptest::sample::select(&LEVELS[..]).prop_map(|level| {
        let right = Box::new(literal(Literal::Text(level.to_owned())));
        node(Node::Compare {
            op: CompareOp::Equal,
            left: Box::new(field("客户.等级")),
            right,
        })
    });
    let blank = prop_oneof![
        bool.clone(),
        number.clone(),
        text.clone(),
        date.clone(),
        time.clone(),
        tags.clone()
    ];
    prop_oneof![
        3 => compared(&number, true),
        2 => compared(&text, false),
        1 => compared(&bool, false),
        2 => compared(&date, true),
        1 => compared(&time, true),
        1 => level,
        4 => chain,
        2 => not,
        1 => within(&number),
        1 => within(&text),
        1 => within(&date),
        2 => calls([Function::Contains, Function::StartsWith, Function::EndsWith], pair(&text, &text)),
        1 => calls([Function::AnyOf, Function::AllOf], has),
        1 => calls([Function::Contains], pair(&tags, &text)),
        1 => calls([Function::Contains], pair(&Just(field("分数")).boxed(), &number)),
        1 => calls([Function::IsBlank], one(&blank.boxed())),
    ]
    .boxed()
}

fn grown_number(below: &Kinds) -> Exprs {
    use ArithmeticOp::{Add, Divide, Multiply, Remainder, Subtract};
    let Kinds {
        number,
        text,
        date,
        time,
        tags,
        ..
    } = below.clone();
    let ops = proptest::sample::select(vec![Add, Subtract, Multiply, Divide, Remainder]);
    let arithmetic = (ops, number.clone(), number.clone()).prop_map(|(op, left, right)| {
        node(Node::Arithmetic {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    });
    let between = (date.clone(), date.clone()).prop_map(|(left, right)| {
        node(Node::Arithmetic {
            op: Subtract,
            left: Box::new(left),
            right: Box::new(right),
        })
    });
    let negated = number.clone().prop_map(|operand| {
        node(Node::Unary {
            op: UnaryOp::Negate,
            operand: Box::new(operand),
        })
    });
    let places = prop_oneof![4 => (0..4_i64).prop_map(|n| literal(Literal::Number(n.into()))), 1 => number.clone()];
    let moment = prop_oneof![date, time.clone()].boxed();
    prop_oneof![
        6 => arithmetic,
        1 => between,
        1 => negated,
        1 => calls([Function::Abs], one(&number)),
        1 => calls([Function::Round], pair(&number, &places.boxed())),
        1 => calls([Function::Round], one(&number)),
        2 => calls([Function::Min, Function::Max, Function::Sum], vec(number, 1..4)),
        1 => calls([Function::Min, Function::Max, Function::Sum, Function::Count], Just(vec![field("分数")])),
        1 => calls([Function::Count], one(&tags)),
        1 => calls([Function::Len], one(&text)),
        1 => calls([Function::Days], pair(&moment, &moment)),
        1 => calls([Function::Hours, Function::Minutes], pair(&time, &time)),
        1 => calls([Function::Year, Function::Month, Function::Day, Function::Weekday], one(&moment)),
        1 => calls([Function::Hour], one(&time)),
    ]
    .boxed()
}

fn grown_text(below: &Kinds) -> Exprs {
    let Kinds {
        bool,
        number,
        text,
        date,
        ..
    } = below.clone();
    let joined = vec(prop_oneof![3 => text.clone(), 1 => number, 1 => bool, 1 => date], 1..4);
    let joined = joined.prop_map(|operands| {
        node(Node::Chain {
            op: ChainOp::Join,
            operands,
        })
    });
    prop_oneof![
        joined,
        calls([Function::Lower, Function::Upper, Function::Trim], one(&text))
    ]
    .boxed()
}

fn grown_date(below: &Kinds) -> Exprs {
    let Kinds { number, date, time, .. } = below.clone();
    let days = prop_oneof![3 => (0..40_i64).prop_map(|n| literal(Literal::Number(n.into()))), 1 => number].boxed();
    let shifted = (any::<bool>(), date.clone(), days.clone()).prop_map(|(add, left, right)| {
        let op = if add { ArithmeticOp::Add } else { ArithmeticOp::Subtract };
        node(Node::Arithmetic {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    });
    let year = (1999..2031_i64)
        .prop_map(|n| literal(Literal::Number(n.into())))
        .boxed();
    let made = (year, days.clone(), days.clone()).prop_map(|(y, m, d)| vec![y, m, d]);
    prop_oneof![
        shifted,
        calls([Function::AddDays], pair(&date, &days)),
        calls([Function::Date], made),
        calls([Function::DateOf], one(&time)),
        calls([Function::Min, Function::Max], vec(date, 1..3)),
        calls([Function::Min, Function::Max], Just(vec![field("到访")])),
    ]
    .boxed()
}

fn grown_time(below: &Kinds) -> Exprs {
    let Kinds { number, time, .. } = below.clone();
    prop_oneof![
        calls([Function::AddHours], pair(&time, &number)),
        calls([Function::Min, Function::Max], vec(time, 1..3)),
    ]
    .boxed()
}

/// Facts of which each may be unknown.
pub(crate) fn facts() -> BoxedStrategy<Known> {
    let text = || texts().prop_map(|text| Value::Text(text.into()));
    let number = || numbers().prop_map(Value::Number);
    let tag = proptest::sample::select(&TAGS[..]).prop_map(Value::from);
    let level = proptest::sample::select(&LEVELS[..]).prop_map(Value::from);
    let first = (
        option::of(text()),
        option::of(level),
        option::of(text()),
        option::of(number()),
        option::of(number()),
        option::of(any::<bool>().prop_map(Value::Bool)),
    );
    let second = (
        option::of(dates().prop_map(Value::Date)),
        option::of(times().prop_map(Value::Time)),
        option::of(vec(tag, 0..3).prop_map(Value::List)),
        option::of(vec(number(), 0..4).prop_map(Value::List)),
        option::of(vec(dates().prop_map(Value::Date), 0..3).prop_map(Value::List)),
    );
    (first, second)
        .prop_map(|((a, b, c, d, e, f), (g, h, i, j, k))| {
            let names = [
                "客户.设备型号",
                "客户.等级",
                "客户.备注 1",
                "预算",
                "数量",
                "已签约",
                "创建.日期",
                "更新.时间",
                "标签",
                "分数",
                "到访",
            ];
            let values = [a, b, c, d, e, f, g, h, i, j, k];
            names
                .into_iter()
                .zip(values)
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
        .boxed()
}
