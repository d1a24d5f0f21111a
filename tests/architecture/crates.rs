//! Rules about the edges between crates.

use crate::assert_none;
use crate::tree::{Crate, Dependency, crates};

/// These put services together or look at them from outside; every other crate knows services by their protos only.
const MAY_SEE_SERVICES: [&str; 3] = ["reflex-standalone", "reflexctl", "reflex-tests"];

/// Names that say nothing, so that everything fits into them.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "core", "shared", "helpers"];

#[test]
fn nobody_depends_on_a_service() {
    assert_none(&service_edges(&crates()));
}

#[test]
fn an_edge_to_a_service_is_found() {
    let tree = [
        member("reflex-pg", "libs/pg", &["reflex-leads"]),
        member("reflex-leads", "services/leads", &["reflex-pg"]),
        member("reflex-journey", "services/journey", &["reflex-leads"]),
        member(
            "reflex-standalone",
            "services/standalone",
            &["reflex-leads", "reflex-journey"],
        ),
    ];
    assert_eq!(
        service_edges(&tree),
        [
            "reflex-pg must not depend on the service reflex-leads",
            "reflex-journey must not depend on the service reflex-leads"
        ]
    );
}

fn service_edges(crates: &[Crate]) -> Vec<String> {
    let mut findings = Vec::new();
    for user in crates
        .iter()
        .filter(|user| !MAY_SEE_SERVICES.contains(&user.name.as_str()))
    {
        for service in crates
            .iter()
            .filter(|service| service.is_service() && user.depends_on(&service.name))
        {
            findings.push(format!("{} must not depend on the service {}", user.name, service.name));
        }
    }
    findings
}

#[test]
fn libs_are_named_after_what_they_do() {
    assert_none(&empty_names(&crates()));
}

#[test]
fn an_empty_name_is_found() {
    let tree = [
        member("reflex-common", "libs/common", &[]),
        member("reflex-pg", "libs/pg", &[]),
    ];
    assert_eq!(empty_names(&tree), ["libs/common: name the one thing it does"]);
}

fn empty_names(crates: &[Crate]) -> Vec<String> {
    let is_empty = |lib: &&Crate| {
        let folder = lib.folder.rsplit('/').next().unwrap_or_default();
        EMPTY_NAMES.contains(&folder) || EMPTY_NAMES.contains(&lib.name.trim_start_matches("reflex-"))
    };
    let libs = crates.iter().filter(|lib| lib.is_lib()).filter(is_empty);
    libs.map(|lib| format!("{}: name the one thing it does", lib.folder))
        .collect()
}

#[test]
fn test_helpers_stay_out_of_production() {
    assert_none(&test_helpers_in_production(&crates()));
}

#[test]
fn a_test_helper_in_production_is_found() {
    let mut tree = [member("reflex-leads", "services/leads", &["reflex-testing"])];
    assert_eq!(
        test_helpers_in_production(&tree),
        ["reflex-leads may use reflex-testing in tests only"]
    );
    tree[0].dependencies[0].only_for_tests = true;
    assert_none(&test_helpers_in_production(&tree));
}

fn test_helpers_in_production(crates: &[Crate]) -> Vec<String> {
    let uses_helpers = |user: &&Crate| {
        user.dependencies
            .iter()
            .any(|dependency| dependency.name == "reflex-testing" && !dependency.only_for_tests)
    };
    let production = crates
        .iter()
        .filter(|user| user.name != "reflex-tests")
        .filter(uses_helpers);
    production
        .map(|user| format!("{} may use reflex-testing in tests only", user.name))
        .collect()
}

fn member(name: &str, folder: &str, dependencies: &[&str]) -> Crate {
    let dependencies = dependencies.iter().map(|&name| Dependency {
        name: name.to_owned(),
        only_for_tests: false,
    });
    Crate {
        name: name.to_owned(),
        folder: folder.to_owned(),
        dependencies: dependencies.collect(),
    }
}
