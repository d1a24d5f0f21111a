//! The language in tables: what formulas result in, what they are written back as, and how errors read.

use crate::world;
use reflex_expr::{
    Context, Explanation, Facts, Field, Lang, Predicate, Program, Schema, Type, Value, analyse, formula, limits,
};
use serde_json::{Value as Json, json};

fn eval(source: &str, facts: &Json) -> Result<Json, &'static str> {
    let schema = world::schema();
    let program = Program::compile(source, &schema).map_err(|error| error.problem.code())?;
    let facts = Facts::from_json(&schema, facts).unwrap();
    let context = world::context();
    let result = program.evaluate(&facts, &context);
    result
        .map(|value| value.to_json())
        .map_err(|error| reflex_expr::Error::from(error).problem.code())
}

fn known() -> Json {
    json!({
        "客户": {"设备型号": "精密锻造 3D", "等级": "B", "备注 1": " 好 "},
        "预算": 120_000.5, "数量": 3, "已签约": true,
        "创建.日期": "2026-01-31", "更新.时间": "2026-02-03T01:30:00Z",
        "标签": ["新", "重点"], "分数": [1, 2.5, 3], "到访": ["2026-01-02", "2026-01-05"]
    })
}

#[test]
fn the_process_match_orders_customers() {
    let formula = "IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))";
    let schema = Schema::new(vec![Field::new("客户.设备型号", Type::Text)]).unwrap();
    let program = Program::compile(formula, &schema)
        .unwrap()
        .resulting_in(Type::Number)
        .unwrap();
    let context = world::context();
    let mut board: Vec<(Json, &str)> = ["通用机械", "立式机加工中心", "锻造压力机 800T"]
        .into_iter()
        .map(|model| {
            let facts = Facts::from_json(&schema, &json!({"客户": {"设备型号": model}})).unwrap();
            (program.evaluate(&facts, &context).unwrap().to_json(), model)
        })
        .collect();
    board.sort_by(|(a, _), (b, _)| b.as_f64().unwrap().total_cmp(&a.as_f64().unwrap()));
    let expected = [
        (json!(0.8), "锻造压力机 800T"),
        (json!(0.6), "立式机加工中心"),
        (json!(0.3), "通用机械"),
    ];
    assert_eq!(board, expected);

    let misspelt = Program::compile(&formula.replacen("型号", "型好", 1), &schema).unwrap_err();
    assert_eq!(misspelt.problem.suggestion(), Some("客户.设备型号"));
    assert_eq!(
        misspelt.text(Lang::Zh),
        "没有字段“客户.设备型好”，是否应为 客户.设备型号 ？"
    );
}

#[test]
fn formulas_result_in() {
    for (source, result) in [
        // Numbers are decimals.
        ("0.1 + 0.2 = 0.3", json!(true)),
        ("1 + 2 * 3 - 4 / 8", json!(6.5)),
        ("-(2 + 3) % 3", json!(-2)),
        ("- -2", json!(2)),
        ("-(数量 - 3) & ''", json!("0")),
        ("ROUND(2.5, -(数量 - 3))", json!(3)),
        ("1.5亿 / 3万", json!(5000)),
        ("ROUND(2.345, 2) & ''", json!("2.35")),
        ("ROUND(-2.5)", json!(-3)),
        ("ABS(-2.5)", json!(2.5)),
        ("MIN(3, 数量, 5) + MAX(分数) + SUM(分数) + COUNT(标签)", json!(14.5)),
        ("预算 * 数量", json!(360_001.5)),
        // Conditions.
        ("客户.等级 = 'B' AND 数量 >= 3", json!(true)),
        ("NOT 数量 > 3 OR 1 = 2", json!(true)),
        ("客户.等级 IN ('A', 'C')", json!(false)),
        ("客户.等级 NOT IN ('A', 'C')", json!(true)),
        ("IN(数量, 1, 3)", json!(true)),
        ("'重点' IN 标签", json!(true)),
        ("'重点' IN (标签)", json!(true)),
        ("'老' NOT IN 标签", json!(true)),
        ("ANYOF(标签, '老', '重点') && !ALLOF(标签, '老', '重点')", json!(true)),
        ("CONTAINS(分数, 2.5)", json!(true)),
        ("客户.等级 IN ('A', 客户.等级)", json!(true)),
        ("已签约", json!(true)),
        ("已签约 <> FALSE", json!(true)),
        // Texts.
        ("TRIM(客户.备注 1)", json!("好")),
        ("LEN(客户.设备型号)", json!(7)),
        (
            "LOWER('Ab') & UPPER('é') & 1.50 & TRUE & #2026-02-03#",
            json!("abÉ1.5TRUE2026-02-03"),
        ),
        (
            "STARTSWITH(客户.设备型号, '精密') AND ENDSWITH(客户.设备型号, '3D')",
            json!(true),
        ),
        ("CONTAINS('Forging', 'forging')", json!(false)),
        ("'it''s' = \"it's\"", json!(true)),
        // Days and times, eight hours ahead.
        ("TODAY()", json!("2026-02-03")),
        ("NOW()", json!("2026-02-03T04:00:00Z")),
        ("TODAY() - 创建.日期", json!(3)),
        ("DAYS(TODAY(), 创建.日期)", json!(3)),
        ("创建.日期 + 1", json!("2026-02-01")),
        ("ADDDAYS(DATE(2024, 2, 28), 1)", json!("2024-02-29")),
        ("HOURS(NOW(), 更新.时间)", json!(2.5)),
        ("MINUTES(NOW(), 更新.时间) > 149", json!(true)),
        ("HOUR(更新.时间)", json!(9)),
        ("DATEOF(#2026-02-03T17:00:00Z#)", json!("2026-02-04")),
        (
            "YEAR(TODAY()) & '/' & MONTH(TODAY()) & '/' & DAY(TODAY()) & ' ' & WEEKDAY(TODAY())",
            json!("2026/2/3 2"),
        ),
        ("MAX(到访)", json!("2026-01-05")),
        ("ADDHOURS(更新.时间, 0.5)", json!("2026-02-03T02:00:00Z")),
        ("创建.日期 < 2026年2月1日", json!(true)),
        ("更新.时间 > #2026-02-03 09:29:59+08:00#", json!(true)),
        // As it is typed in China.
        ("＝如果（包含（客户．设备型号，‘锻造’），０．８，０．３）", json!(0.8)),
        ("如果(数量≥3 并且 客户.等级≠“A”；'大'；'小')", json!("大")),
        ("客户.等级 属于 ('A'、'B') 或者 假", json!(true)),
        ("非 已签约 或 并且(真, 数量 = 3)", json!(true)),
        ("四舍五入(1 ÷ 3 × 100, 1)", json!(33.3)),
        ("客户.[备注 1] = [客户.备注 1]", json!(true)),
    ] {
        let source = source.replace("客户.备注 1)", "客户.[备注 1])");
        assert_eq!(eval(&source, &known()), Ok(result), "{source}");
    }
}

#[test]
fn blanks_follow_the_rules() {
    for (source, result) in [
        // A calculation with a blank is blank.
        ("预算 + 1", json!(null)),
        ("-预算", json!(null)),
        ("ROUND(预算, 2)", json!(null)),
        ("创建.日期 + 1", json!(null)),
        ("LOWER(客户.设备型号)", json!(null)),
        ("YEAR(更新.时间)", json!(null)),
        ("IF(预算 > 1, 5)", json!(null)),
        ("客户.设备型号", json!(null)),
        // A comparison with one does not hold, whatever the operator; its negation does.
        ("预算 = 0", json!(false)),
        ("预算 <> 0", json!(false)),
        ("NOT 预算 = 0", json!(true)),
        ("预算 = 数量", json!(false)),
        ("客户.等级 IN ('A')", json!(false)),
        ("客户.等级 NOT IN ('A')", json!(true)),
        ("CONTAINS(客户.设备型号, '')", json!(false)),
        ("ANYOF(标签, '新') OR ALLOF(标签, '新')", json!(false)),
        // A yes/no field that is not known does not hold.
        ("已签约", json!(null)),
        ("NOT 已签约", json!(true)),
        ("已签约 OR 已签约", json!(false)),
        ("已签约 = FALSE", json!(false)),
        // What counts finds nothing, what joins adds nothing.
        ("LEN(客户.设备型号) + COUNT(标签) + SUM(分数) + SUM(预算)", json!(0)),
        ("MIN(预算, 3)", json!(3)),
        ("MAX(分数)", json!(null)),
        ("'x' & 客户.设备型号 & 'y'", json!("xy")),
        ("客户.设备型号 & ''", json!("")),
        // Asking for blanks.
        (
            "ISBLANK(预算) AND ISBLANK('') AND ISBLANK(标签) AND NOT ISBLANK(0) AND NOT ISBLANK(' ')",
            json!(true),
        ),
        ("ISBLANK(预算 + 1)", json!(true)),
        ("COALESCE(预算, 数量, 7)", json!(7)),
        ("COALESCE('', '无')", json!("无")),
        ("COALESCE(预算)", json!(null)),
    ] {
        assert_eq!(eval(source, &json!({})), Ok(result), "{source}");
    }
}

#[test]
fn failures_are_exact() {
    for (source, code) in [
        ("1 / (数量 - 3)", "DIVISION_BY_ZERO"),
        ("1 % (数量 - 3)", "DIVISION_BY_ZERO"),
        ("79228162514264337593543950335 + 数量", "NUMBER_TOO_LARGE"),
        ("79228162514264337593543950335 * 数量", "NUMBER_TOO_LARGE"),
        ("DATE(2026, 2, 数量 * 10)", "NO_SUCH_DATE"),
        ("创建.日期 + 4000000", "NO_SUCH_DATE"),
        ("创建.日期 + 0.5", "NOT_WHOLE"),
        ("ADDHOURS(更新.时间, 预算 * 10000)", "NO_SUCH_DATE"),
        ("ROUND(预算, 29)", "DECIMAL_PLACES"),
        ("ROUND(预算, -1)", "DECIMAL_PLACES"),
    ] {
        assert_eq!(eval(source, &known()), Err(code), "{source}");
    }
    // What decides earlier is not disturbed by what would fail later.
    assert_eq!(eval("数量 = 3 OR 1 / (数量 - 3) > 1", &known()), Ok(json!(true)));
    assert_eq!(eval("IF(数量 = 3, 1, 1 / (数量 - 3))", &known()), Ok(json!(1)));
}

#[test]
fn formulas_are_written_back() {
    for (source, canonical) in [
        (
            "=如果（包含（客户.设备型号，“锻造”），0.80，0.3）",
            "IF(CONTAINS(客户.设备型号, '锻造'), 0.8, 0.3)",
        ),
        ("and(a,b)||!c", "a AND b OR NOT c"),
        ("a AND (b AND c)", "a AND (b AND c)"),
        ("a AND b AND c", "a AND b AND c"),
        ("AND(a)", "AND(a)"),
        ("(a OR b) AND c", "(a OR b) AND c"),
        ("NOT (a = b)", "NOT a = b"),
        ("(NOT a) = b", "(NOT a) = b"),
        ("1-(2-3)-4", "1 - (2 - 3) - 4"),
        ("(1-2)-3", "1 - 2 - 3"),
        ("-(1+2)*3", "-(1 + 2) * 3"),
        ("a NOT IN (1;2、3)", "NOT a IN (1, 2, 3)"),
        ("a in b", "CONTAINS(b, a)"),
        ("concat(a,'x')&b", "(a & 'x') & b"),
        ("concat(a)", "CONCAT(a)"),
        ("‘it's’", "'it''s'"),
        ("3万 == 1.5亿", "30000 = 150000000"),
        ("2026年2月3日", "#2026-02-03#"),
        ("#2026-02-03T09:00:00+08:00#", "#2026-02-03T01:00:00Z#"),
        ("[AND] = [客户.预算 金额]", "[AND] = 客户.[预算 金额]"),
        ("客户．Ａ１.3D", "客户.A1.3D"),
        ("[3D] > [真]", "[3D] > [真]"),
    ] {
        let read = formula::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(formula::print(&read), canonical, "{source}");
        assert_eq!(formula::parse(canonical).unwrap(), read, "{canonical}");
    }
}

#[test]
fn errors_read_well() {
    let schema = world::schema();
    for block in include_str!("errors.txt").split("\n\n") {
        let (source, expected) = block.split_once('\n').unwrap();
        let source = source.trim_start_matches("> ");
        let error = Program::compile(source, &schema).unwrap_err();
        let report = error.report(source);
        let write = report
            .suggestion
            .as_ref()
            .map(|text| format!("write: {text}\n"))
            .unwrap_or_default();
        let (code, at, zh, en) = (report.code, error.span.of(source), &report.zh, &report.en);
        let found = format!("code: {code}\nat: {at}\n{write}zh: {zh}\nen: {en}");
        assert_eq!(found, expected.trim_end_matches('\n'), "{source}");
        // What is suggested for the span helps: it is not the same error again.
        if let Some(suggestion) = report.suggestion {
            let (start, end) = (error.span.start as usize, error.span.end as usize);
            let repaired = format!("{}{suggestion}{}", &source[..start], &source[end..]);
            Program::compile(&repaired, &schema).unwrap_or_else(|error| panic!("{repaired}: {error}"));
        }
    }
}

#[test]
fn errors_have_their_place() {
    let schema = world::schema();
    let bell = Program::compile("1 + \u{7}", &schema).unwrap_err();
    assert_eq!(bell.text(Lang::Zh), "公式中不能使用字符 U+0007");
    let wrong = Predicate::compile("预算", &schema).unwrap_err();
    assert_eq!(wrong.text(Lang::Zh), "公式的结果应为是否条件，却是数字");
    let position = Program::compile("IF(已签约,\n  1,\n  'x')", &schema)
        .unwrap_err()
        .report("IF(已签约,\n  1,\n  'x')")
        .position;
    assert_eq!((position.line, position.column), (3, 3));
}

#[test]
fn limits_have_their_errors() {
    let schema = world::schema();
    let code = |source: &str| Program::compile(source, &schema).map_or_else(|error| error.problem.code(), |_| "fine");
    let bytes = limits::SOURCE_BYTES;
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    for (source, expected) in [
        ("(".repeat(bytes), "TOO_DEEP"),
        ("-".repeat(bytes), "TOO_DEEP"),
        ("!".repeat(bytes), "TOO_DEEP"),
        ("IF(".repeat(bytes / 3), "TOO_DEEP"),
        ("1+".repeat(bytes / 2 - 1) + "1", "TOO_DEEP"),
        ("1=1&".repeat(10) + "1", "CHAINED_COMPARISON"),
        ("1=1&&".repeat(bytes / 5 - 1) + "1=1", "TOO_MANY_NODES"),
        (format!("'{}'", "x".repeat(bytes)), "SOURCE_TOO_LONG"),
        (format!("'{}'", "x".repeat(bytes - 2)), "fine"),
        ("x".repeat(bytes), "BAD_NAME"),
        ("9".repeat(bytes), "BAD_NUMBER"),
        (nested(limits::DEPTH - 1), "fine"),
        (nested(limits::DEPTH + 1), "TOO_DEEP"),
        ("CONTAINS('a','b')||".repeat(800) + "TRUE", "TOO_COSTLY"),
        ("数量=1 or ".repeat(600) + "真", "fine"),
    ] {
        assert_eq!(
            code(&source),
            expected,
            "{}",
            source.chars().take(30).collect::<String>()
        );
    }
}

#[test]
fn the_deepest_trees_fit_on_the_stack() {
    let levels = limits::DEPTH - 2;
    let ladder = format!("{}0{}", "IF(数量 = 3, ".repeat(levels), ", 1)".repeat(levels));
    let negations = format!("{}已签约", "NOT ".repeat(levels));
    let negatives = format!("{}数量", "-".repeat(levels));
    for (source, result) in [(ladder, json!(0)), (negations, json!(true)), (negatives, json!(3))] {
        // Half of what threads have.
        let deep = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
            let schema = world::schema();
            let facts = Facts::from_json(&schema, &known()).unwrap();
            let read = formula::parse(&source).unwrap();
            assert_eq!(formula::parse(&formula::print(&read)).unwrap(), read);
            let explanation = Explanation::of(&read, &facts, &world::context()).unwrap();
            assert_eq!(explanation.to_json()["value"], result);
            if let Ok(predicate) = Predicate::check(read, &schema) {
                assert!(!analyse::is_never(&predicate, &schema) && analyse::covers(&predicate, &predicate, &schema));
            }
        });
        deep.unwrap().join().unwrap();
    }
}

#[test]
fn an_evaluation_has_a_budget() {
    let text = "锻".repeat(limits::FACT_BYTES / 3);
    let facts = json!({"客户.设备型号": text});
    let searches = |count: usize| vec!["CONTAINS(客户.设备型号, 'x')"; count].join(" OR ");
    assert_eq!(eval(&searches(15), &facts), Ok(json!(false)));
    assert_eq!(eval(&searches(17), &facts), Err("TOO_MUCH_DATA"));
    let doubled = (0..40).fold("客户.设备型号".to_owned(), |text, _| {
        format!("({text} & 客户.设备型号)")
    });
    assert_eq!(eval(&doubled, &facts), Err("TOO_MUCH_DATA"));
}

#[test]
fn facts_of_another_schema_are_refused() {
    let schema = world::schema();
    let program = Program::compile("预算", &schema).unwrap();
    let other = Schema::new(vec![Field::new("预算", Type::Number)]).unwrap();
    let facts = Facts::from_json(&other, &json!({"预算": 1})).unwrap();
    let error = reflex_expr::Error::from(program.evaluate(&facts, &world::context()).unwrap_err());
    assert_eq!(
        (error.problem.code(), error.text(Lang::Zh)),
        ("OTHER_SCHEMA", "字段定义已变更，请重新保存公式".to_owned())
    );
    let same = world::schema();
    let facts = Facts::from_json(&same, &json!({"预算": 1})).unwrap();
    let context: Context = world::context();
    assert_eq!(program.evaluate(&facts, &context), Ok(Value::Number(1.into())));
}
