//! Rules about what every service has, so that knowing one is knowing all.

use crate::assert_none;
use crate::tree::{Crate, Dependency, crates, files, root};

/// Programs that take flags instead of a settings file and have no schema of their own.
const BY_FLAGS: [&str; 2] = ["reflexctl", "reflex-standalone"];

const MOST_LINES_OF_MAIN: usize = 20;

#[test]
fn every_service_has_its_rooms() {
    let has = |path: &str| root().join(path).exists();
    let services = crates().into_iter().filter(Crate::is_service);
    let findings: Vec<String> = services.flat_map(|service| missing_rooms(&service, &has)).collect();
    assert_none(&findings);
}

#[test]
fn a_missing_room_is_found() {
    let sqlx = Dependency {
        name: "sqlx".to_owned(),
        only_for_tests: false,
    };
    let mut service = Crate {
        name: "reflex-x".to_owned(),
        folder: "services/x".to_owned(),
        dependencies: vec![sqlx],
    };
    assert_eq!(
        missing_rooms(&service, &|_| false),
        [
            "services/x has no README.md",
            "services/x has no config.default.toml",
            "services/x has no migrations"
        ]
    );
    assert_eq!(
        missing_rooms(&service, &|path| path != "services/x/migrations"),
        ["services/x has no migrations"]
    );
    service.dependencies.clear();
    assert_none(&missing_rooms(&service, &|path| path != "services/x/migrations"));
}

fn missing_rooms(service: &Crate, has: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut rooms = vec!["README.md"];
    if !BY_FLAGS.contains(&service.name.as_str()) {
        rooms.push("config.default.toml");
        // Whoever speaks SQL has a database of its own.
        if service.depends_on("sqlx") {
            rooms.push("migrations");
        }
    }
    rooms.retain(|room| !has(&format!("{}/{room}", service.folder)));
    rooms
        .into_iter()
        .map(|room| format!("{} has no {room}", service.folder))
        .collect()
}

#[test]
fn every_main_only_hands_over() {
    let mains = files(&["services"], "rs")
        .into_iter()
        .filter(|file| file.path.ends_with("/src/main.rs"));
    let services = mains.filter(|file| !file.path.contains("reflexctl"));
    assert_none(
        &services
            .filter_map(|file| long_main(&file.path, &file.text))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_long_main_is_found() {
    assert!(long_main("services/x/src/main.rs", &"line\n".repeat(MOST_LINES_OF_MAIN + 1)).is_some());
    assert!(long_main("services/x/src/main.rs", &"line\n".repeat(MOST_LINES_OF_MAIN)).is_none());
}

fn long_main(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MOST_LINES_OF_MAIN)
        .then(|| format!("{path}: {lines} lines, at most {MOST_LINES_OF_MAIN}: wiring belongs into the library"))
}
