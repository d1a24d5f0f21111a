//! Rules about migrations.

use std::collections::BTreeMap;

use crate::assert_none;
use crate::sql::{Schema, code};
use crate::tree::{File, files};

#[test]
fn migrations_are_named_by_time_and_change() {
    let findings: Vec<String> = migrations().values().flatten().flat_map(naming).collect();
    assert_none(&findings);
}

#[test]
fn a_misnamed_migration_is_found() {
    for name in [
        "0001_create_leads.sql",
        "20261121090000_leads.sql",
        "20261121090000_Create_leads.sql",
        "20261121090000-create-leads.sql",
    ] {
        assert_eq!(
            naming(&File::new(&format!("services/leads/migrations/{name}"), "")).len(),
            1,
            "{name}"
        );
    }
    assert_none(&naming(&File::new(
        "services/leads/migrations/20261121090000_create_leads.sql",
        "",
    )));
}

/// `YYYYMMDDHHMMSS_verb_object.sql`
fn naming(file: &File) -> Vec<String> {
    let name = file
        .path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".sql");
    let is_time = |text: &str| text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let mut parts = name.split('_');
    let timed = parts.next().is_some_and(is_time);
    let words: Vec<&str> = parts.collect();
    if timed && words.len() >= 2 && words.into_iter().all(is_word) {
        return Vec::new();
    }
    vec![format!("{}: call it YYYYMMDDHHMMSS_verb_object.sql", file.path)]
}

#[test]
fn versions_are_unique_in_a_database() {
    let findings: Vec<String> = migrations()
        .values()
        .flat_map(|files| repeated_versions(files))
        .collect();
    assert_none(&findings);
}

#[test]
fn a_repeated_version_is_found() {
    let first = File::new("services/leads/migrations/20261121090000_create_leads.sql", "");
    let second = File::new("services/leads/migrations/20261121090000_create_forms.sql", "");
    assert_eq!(repeated_versions(&[first, second]).len(), 1);
}

fn repeated_versions(files: &[File]) -> Vec<String> {
    let version = |file: &File| file.path.split('_').next().unwrap_or_default().to_owned();
    let pairs = files.windows(2).filter(|pair| version(&pair[0]) == version(&pair[1]));
    pairs
        .map(|pair| format!("{} and {} have the same version", pair[0].path, pair[1].path))
        .collect()
}

#[test]
fn migrations_are_in_lower_case() {
    let findings: Vec<String> = migrations().values().flatten().flat_map(lower_case).collect();
    assert_none(&findings);
}

#[test]
fn upper_case_is_found() {
    assert_eq!(
        lower_case(&File::new("x.sql", "CREATE TABLE leads ();\nselect 1;")).len(),
        1
    );
    assert_none(&lower_case(&File::new(
        "x.sql",
        "-- Leads\nselect 'UTC' collate \"C\";",
    )));
}

fn lower_case(file: &File) -> Vec<String> {
    let code = code(&file.text);
    // A quoted name, such as collate "C", is written as it is called.
    let shouts = |line: &&str| {
        line.split('"')
            .step_by(2)
            .any(|part| part.bytes().any(|byte| byte.is_ascii_uppercase()))
    };
    code.lines()
        .filter(shouts)
        .map(|line| format!("{}: write SQL in lower case: {}", file.path, line.trim()))
        .collect()
}

#[test]
fn every_tenant_table_has_row_security() {
    let findings: Vec<String> = migrations()
        .iter()
        .flat_map(|(folder, files)| row_security(folder, files))
        .collect();
    assert_none(&findings);
}

#[test]
fn a_table_without_row_security_is_found() {
    let create =
        "create table if not exists leads (id uuid not null, tenant_id uuid not null, primary key (tenant_id, id));";
    let findings = |rest: &str| row_security("x", &[File::new("1.sql", create), File::new("2.sql", rest)]);
    assert_eq!(
        findings(""),
        [
            "x: leads has a tenant_id and lacks `enable row level security`",
            "x: leads has a tenant_id and lacks `force row level security`",
            "x: leads has a tenant_id and lacks a policy"
        ]
    );
    let enable = "alter table leads enable row level security;";
    let force = "alter table public.leads force row level security;";
    let policy = "create policy leads_tenant on leads using (tenant_id = current_tenant());";
    assert_eq!(findings(&format!("{enable} -- {force}\n{policy}")).len(), 1);
    assert_none(&findings(&format!("{enable}{force}{policy}")));
    assert_none(&findings(&format!(
        "alter table leads enable row level security, force row level security; {policy}"
    )));
    assert_none(&row_security(
        "x",
        &[File::new("1.sql", "create table t (id uuid, check (tenant_id = id));")],
    ));
}

#[test]
fn a_column_added_later_is_found() {
    let files = [
        File::new("1.sql", "create table t (id uuid);"),
        File::new("2.sql", "alter table t add column tenant_id uuid;"),
    ];
    assert_eq!(row_security("x", &files).len(), 3);
}

#[test]
fn a_view_with_its_owners_rights_is_found() {
    let view = |head: &str| row_security("x", &[File::new("1.sql", &format!("create {head} as select 1;"))]);
    assert_eq!(view("or replace view v").len(), 1);
    assert_eq!(view("materialized view v").len(), 1);
    assert_none(&view("view v with (security_invoker = true)"));
}

fn row_security(folder: &str, files: &[File]) -> Vec<String> {
    let mut schema = Schema::default();
    for file in files {
        schema.apply(&file.text);
    }
    let mut findings = Vec::new();
    for table in &schema.tenant_tables {
        let parts = [
            ("`enable row level security`", &schema.secured),
            ("`force row level security`", &schema.forced),
            ("a policy", &schema.with_policy),
        ];
        let missing = parts.into_iter().filter(|(_, tables)| !tables.contains(table));
        findings.extend(missing.map(|(part, _)| format!("{folder}: {table} has a tenant_id and lacks {part}")));
    }
    findings.extend(
        schema
            .owner_views
            .iter()
            .map(|view| format!("{folder}: the view {view} lacks security_invoker")),
    );
    findings
}

/// Returns the migrations of each folder called `migrations`, in the order in which they run.
fn migrations() -> BTreeMap<String, Vec<File>> {
    let mut folders: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files(&["libs", "services"], "sql") {
        if let Some((folder, _)) = file
            .path
            .rsplit_once('/')
            .filter(|(folder, _)| folder.ends_with("/migrations"))
        {
            folders.entry(folder.to_owned()).or_default().push(file);
        }
    }
    folders
}
