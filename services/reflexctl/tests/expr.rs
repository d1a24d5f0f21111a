//! `reflexctl expr` as people type it.
#![cfg(test)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const PROCESS_MATCH: &str = "IF(CONTAINS(客户.设备型号,'锻造'),0.8,IF(CONTAINS(客户.设备型号,'机加工'),0.6,0.3))";
const SCHEMA: &str = r#"{"fields": [
    {"name": "客户.名称", "type": "text"},
    {"name": "客户.设备型号", "type": "text"},
    {"name": "客户.成交时间", "type": "time"},
    {"name": "预算", "type": "number"}]}"#;
const CUSTOMERS: &str = "{\"客户\": {\"名称\": \"苏州精密\", \"设备型号\": \"五轴机加工中心\"}}
{\"客户\": {\"名称\": \"无锡电子\", \"设备型号\": \"贴片机\"}}
{\"客户.名称\": \"常州重工\", \"客户.设备型号\": \"锻造压力机\"}
";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("schema.json", &format!("\u{feff}{SCHEMA}"));
        files.write("customers.jsonl", CUSTOMERS);
        files
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs `reflexctl expr` in the folder of the files.
    fn expr(&self, arguments: &[&str]) -> Output {
        let mut reflexctl = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        reflexctl.current_dir(self.0.path()).arg("expr").args(arguments);
        reflexctl.env_remove("REFLEX_TIME_ZONE").output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_process_match_orders_customers() {
    let files = Files::new();
    let eval = |more: &[&str]| {
        let arguments = [
            "eval",
            "--schema",
            "schema.json",
            "--facts",
            "customers.jsonl",
            PROCESS_MATCH,
        ];
        stdout(&files.expr(&[&arguments, more].concat()))
    };
    let results = |text: &str| {
        let found = json_lines(text).into_iter().map(|line| line["result"].clone());
        found.collect::<Vec<_>>()
    };
    assert_eq!(results(&eval(&["-o", "json"])), [json!(0.6), json!(0.3), json!(0.8)]);
    let sorted = eval(&["-o", "json", "--sort"]);
    assert_eq!(results(&sorted), [json!(0.8), json!(0.6), json!(0.3)]);
    assert_eq!(json_lines(&sorted)[0]["facts"]["客户.名称"], "常州重工");
    assert_eq!(
        results(&eval(&["-o", "json", "--sort=asc"])),
        [json!(0.3), json!(0.6), json!(0.8)]
    );

    let table = eval(&["--sort"]);
    let order: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(order, ["0.8", "0.6", "0.3"], "{table}");

    // The same as an array, and one by one.
    let array: Value = json_lines(CUSTOMERS).into();
    files.write("array.json", &array.to_string());
    let of_file = |file, more: &[&str]| {
        let arguments = ["eval", "--schema", "schema.json", "--facts", file, PROCESS_MATCH];
        stdout(&files.expr(&[&arguments, more].concat()))
    };
    assert_eq!(of_file("array.json", &["-o", "json"]), eval(&["-o", "json"]));
    for (customer, expected) in CUSTOMERS.lines().zip(["0.6\n", "0.3\n", "0.8\n"]) {
        files.write("one.json", customer);
        assert_eq!(of_file("one.json", &[]), expected);
    }
}

#[test]
fn a_good_formula_is_described() {
    let files = Files::new();
    let check = |more: &[&str]| {
        let arguments = [&["check", "--schema", "schema.json", PROCESS_MATCH], more].concat();
        stdout(&files.expr(&arguments))
    };
    let found: Value = serde_json::from_str(&check(&["-o", "json"])).unwrap();
    assert_eq!(found["type"], "number");
    assert_eq!(found["fields"], json!([{"name": "客户.设备型号", "type": "text"}]));
    assert!(found["cost"].as_u64().unwrap() > 0 && found["cost"].as_u64() < found["cost_limit"].as_u64());
    let text = check(&[]);
    assert!(
        text.starts_with("type   number\nreads  客户.设备型号 (text)\ncost   "),
        "{text}"
    );

    let print = |formula| stdout(&files.expr(&["print", formula]));
    let canonical = print(PROCESS_MATCH);
    assert_eq!(print(&canonical), canonical, "what is canonical stays");
    assert_eq!(
        print("if（contains（客户．设备型号，'锻造'），1，0）"),
        print("IF(CONTAINS(客户.设备型号,'锻造'),1,0)")
    );
}

#[test]
fn a_misspelt_field_is_refused_with_the_nearest_name() {
    let files = Files::new();
    let misspelt = "IF(CONTAINS(客户.设备型好,'锻造'),0.8,0.3)";
    for command in [&["check"][..], &["eval", "--facts", "customers.jsonl"]] {
        let run = |more: &[&str]| files.expr(&[command, &["--schema", "schema.json", misspelt], more].concat());
        assert_eq!(
            failed(&run(&[])),
            "error: 第 1 行第 13 列：没有字段“客户.设备型好”，是否应为 客户.设备型号 ？\n  \
             IF(CONTAINS(客户.设备型好,'锻造'),0.8,0.3)\n              ^^^^^^^^^^^^^\n"
        );
        let error = failed(&run(&["--lang", "en"]));
        assert!(
            error.contains("column 13") && error.contains("did you mean 客户.设备型号"),
            "{error}"
        );
        let object: Value = serde_json::from_slice(&run(&["-o", "json"]).stdout).unwrap();
        let error = &object["error"];
        assert_eq!(
            (&error["code"], &error["suggestion"], &error["position"]),
            (
                &json!("UNKNOWN_FIELD"),
                &json!("客户.设备型号"),
                &json!({"line": 1, "column": 13})
            )
        );
    }
}

#[test]
fn records_fail_by_themselves_and_clocks_are_fixed() {
    let files = Files::new();
    files.write(
        "budgets.jsonl",
        "{\"预算\": 0}\n{\"预算\": 4}\n{\"预标\": 1}\n{}\n{\"预算\": 5}\n",
    );
    let arguments = [
        "eval",
        "--schema",
        "schema.json",
        "--facts",
        "budgets.jsonl",
        "--sort",
        "100/预算",
        "-o",
        "json",
    ];
    let output = files.expr(&arguments);
    assert_eq!(
        failed(&output),
        "error: 5 条记录中 2 条无法计算，其一：第 1 条记录：除数为零\n"
    );
    let lines = json_lines(std::str::from_utf8(&output.stdout).unwrap());
    let results: Vec<_> = lines.iter().map(|line| line.get("result").cloned()).collect();
    assert_eq!(
        results,
        [Some(json!(25)), Some(json!(20)), Some(Value::Null), None, None]
    );
    assert!(lines[4]["error"].as_str().unwrap().contains("是否应为 预算"));

    files.write("deal.json", r#"{"客户": {"成交时间": "2026-02-01T23:00:00+08:00"}}"#);
    let days = [
        "eval",
        "--schema",
        "schema.json",
        "--facts",
        "deal.json",
        "--now",
        "2026-02-03T00:30:00+08:00",
        "DAYS(TODAY(),DATEOF(客户.成交时间))",
    ];
    assert_eq!(stdout(&files.expr(&days)), "2\n");
}

#[test]
fn mistakes_in_files_are_told() {
    let files = Files::new();
    files.write("broken.json", "{");
    files.write(
        "twice.json",
        r#"{"fields": [{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]}"#,
    );
    for (schema, facts, expected) in [
        ("none.json", "customers.jsonl", "none.json cannot be read"),
        ("broken.json", "customers.jsonl", "broken.json is no schema"),
        ("twice.json", "customers.jsonl", "field 'a' is there twice"),
        ("schema.json", "broken.json", "broken.json: the facts are no JSON"),
    ] {
        let error = failed(&files.expr(&["eval", "--schema", schema, "--facts", facts, "1"]));
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
    }
    let lists = [
        "eval",
        "--schema",
        "schema.json",
        "--facts",
        "customers.jsonl",
        "--sort=up",
        "1",
    ];
    assert_eq!(files.expr(&lists).status.code(), Some(2));
}
