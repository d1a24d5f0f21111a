//! Rules about Rust files.

use crate::assert_none;
use crate::rust::{before_tests, calls, code, names_crate, own_modules};
use crate::tree::{File, files};

/// The rules of the business are tested in microseconds, so they know no transport and no store.
const FORBIDDEN_IN_DOMAIN: [&str; 5] = ["tonic", "prost", "sqlx", "redis", "tokio"];

/// `grpc, events → app → store → domain`: which rooms a room must not look into.
const LAYERS: [(&str, &[&str]); 3] = [
    ("domain", &["grpc", "events", "app", "store", "error"]),
    ("store", &["grpc", "app"]),
    ("app", &["grpc"]),
];

const MOST_LINES: usize = 500;

#[test]
fn domain_imports_no_transport_and_no_store() {
    check("services", domain_is_pure);
}

#[test]
fn an_impure_domain_is_found() {
    let impure = File::new(
        "services/leads/src/domain/lead.rs",
        "use sqlx::PgPool;\nfn f() { tokio::spawn(x) }",
    );
    assert_eq!(domain_is_pure(&impure).len(), 2);
    assert_none(&domain_is_pure(&File::new(
        "services/leads/src/domain/lead.rs",
        "// unlike tokio::spawn\nuse jiff::Timestamp;",
    )));
    assert_none(&domain_is_pure(&File::new(
        "services/leads/src/store.rs",
        "use sqlx::PgPool;",
    )));
}

fn domain_is_pure(file: &File) -> Vec<String> {
    if room(&file.path) != Some("domain") {
        return Vec::new();
    }
    let code = code(&file.text);
    let named = FORBIDDEN_IN_DOMAIN.into_iter().filter(|name| names_crate(&code, name));
    named
        .map(|name| format!("{}: the domain must not use {name}", file.path))
        .collect()
}

#[test]
fn rooms_look_inwards_only() {
    check("services", layers_point_inwards);
}

#[test]
fn an_outward_look_is_found() {
    let outward = File::new(
        "services/leads/src/store/leads.rs",
        "use crate::{app::RouteLead, domain};",
    );
    assert_eq!(layers_point_inwards(&outward).len(), 1);
    assert_none(&layers_point_inwards(&File::new(
        "services/leads/src/app/route_lead.rs",
        "use crate::{domain, store};",
    )));
}

fn layers_point_inwards(file: &File) -> Vec<String> {
    let Some((room, outer)) = LAYERS.into_iter().find(|(name, _)| room(&file.path) == Some(name)) else {
        return Vec::new();
    };
    let modules = own_modules(&code(before_tests(&file.text)));
    let wrong = modules.iter().filter(|module| outer.contains(&module.as_str()));
    wrong
        .map(|module| format!("{}: {room} must not use crate::{module}", file.path))
        .collect()
}

/// Returns the room of a service that a file belongs to: `services/leads/src/store/leads.rs` to `store`.
fn room(path: &str) -> Option<&str> {
    let (_, inside) = path.strip_prefix("services/")?.split_once("/src/")?;
    Some(inside.split('/').next()?.trim_end_matches(".rs"))
}

#[test]
fn no_file_is_called_mod_rs() {
    check_all(is_not_mod_rs);
}

#[test]
fn a_mod_rs_is_found() {
    assert_eq!(is_not_mod_rs(&File::new("libs/pg/src/outbox/mod.rs", "")).len(), 1);
    assert_none(&is_not_mod_rs(&File::new("libs/pg/src/outbox.rs", "")));
}

fn is_not_mod_rs(file: &File) -> Vec<String> {
    let folder = file.path.strip_suffix("/mod.rs");
    folder
        .map(|folder| format!("{}: call it {folder}.rs", file.path))
        .into_iter()
        .collect()
}

#[test]
fn no_file_is_too_long() {
    check_all(is_short);
}

#[test]
fn a_long_file_is_found() {
    let line = "fn f() {}\n";
    assert_eq!(
        is_short(&File::new("libs/pg/src/lib.rs", &line.repeat(MOST_LINES + 1))).len(),
        1
    );
    let tested = line.repeat(MOST_LINES) + "#[cfg(test)]\nmod tests {\n" + &line.repeat(MOST_LINES) + "}\n";
    assert_none(&is_short(&File::new("libs/pg/src/lib.rs", &tested)));
    assert_none(&is_short(&File::new(
        "services/leads/tests/grpc.rs",
        &line.repeat(MOST_LINES + 1),
    )));
}

fn is_short(file: &File) -> Vec<String> {
    let lines = before_tests(&file.text).lines().count();
    if lines <= MOST_LINES || !file.path.contains("/src/") || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines without tests, at most {MOST_LINES}: it has two subjects",
        file.path
    )]
}

#[test]
fn libs_do_not_print() {
    check("libs", prints_nothing);
}

#[test]
fn a_printing_lib_is_found() {
    assert_eq!(
        prints_nothing(&File::new("libs/pg/src/lib.rs", "fn f() { println!(\"x\") }")).len(),
        1
    );
    assert_none(&prints_nothing(&File::new(
        "libs/pg/src/lib.rs",
        "// println!\nfn f() { eprintln!(\"println!\") }",
    )));
    assert_none(&prints_nothing(&File::new(
        "libs/proto/build.rs",
        "fn main() { println!(\"cargo::rerun-if-changed=x\") }",
    )));
}

fn prints_nothing(file: &File) -> Vec<String> {
    let code = code(before_tests(&file.text)).replace("eprint", "");
    if !file.path.contains("/src/") || !(code.contains("println!") || code.contains("print!")) {
        return Vec::new();
    }
    vec![format!(
        "{}: a library logs with tracing and leaves standard output to programs",
        file.path
    )]
}

#[test]
fn no_test_is_switched_off() {
    check_all(runs_every_test);
}

#[test]
fn a_switched_off_test_is_found() {
    assert_eq!(
        runs_every_test(&File::new(
            "libs/pg/src/lib.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}"
        ))
        .len(),
        1
    );
    assert_eq!(
        runs_every_test(&File::new("libs/pg/src/lib.rs", "#[should_panic]\nfn f() {}")).len(),
        1
    );
    assert_none(&runs_every_test(&File::new(
        "libs/pg/src/lib.rs",
        "#[test]\nfn f() {} // not #[ignore]",
    )));
}

fn runs_every_test(file: &File) -> Vec<String> {
    let code = code(&file.text);
    let found = ["#[ignore", "#[should_panic"]
        .into_iter()
        .filter(|attribute| code.contains(attribute));
    found
        .map(|attribute| format!("{}: {attribute}] hides what a test would say", file.path))
        .collect()
}

#[test]
fn no_test_sleeps() {
    check_all(waits_for_state);
}

#[test]
fn a_sleeping_test_is_found() {
    let sleeping = "async fn f() { tokio::time::sleep(x).await }";
    assert_eq!(waits_for_state(&File::new("tests/e2e/story.rs", sleeping)).len(), 1);
    assert_eq!(
        waits_for_state(&File::new("services/leads/tests/grpc.rs", sleeping)).len(),
        1
    );
    assert_none(&waits_for_state(&File::new("tests/src/simulator.rs", sleeping)));
    assert_none(&waits_for_state(&File::new(
        "tests/e2e/story.rs",
        "// no sleep()\nfn f() { oversleep(x) }",
    )));
}

/// Waiting is `reflex_testing::eventually`; what takes time is moved by a fixed clock.
fn waits_for_state(file: &File) -> Vec<String> {
    let is_test = file.path.contains("/tests/") || (file.path.starts_with("tests/") && !file.path.contains("/src/"));
    let sleeps = calls(&code(&file.text), "sleep");
    let finding = (is_test && sleeps).then(|| format!("{}: a test must wait for state, not for time", file.path));
    finding.into_iter().collect()
}

#[track_caller]
fn check_all(rule: impl Fn(&File) -> Vec<String>) {
    for folder in ["libs", "services", "tests"] {
        check(folder, &rule);
    }
}

#[track_caller]
fn check(folder: &str, rule: impl Fn(&File) -> Vec<String>) {
    let findings: Vec<String> = files(&[folder], "rs").iter().flat_map(rule).collect();
    assert_none(&findings);
}
