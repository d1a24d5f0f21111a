//! The workspace as it lies on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A text file; `path` is relative to the root of the workspace.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// A member of the workspace.
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Relative to the root: `services/leads`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

impl Crate {
    pub(crate) fn is_service(&self) -> bool {
        self.folder.starts_with("services/")
    }

    pub(crate) fn is_lib(&self) -> bool {
        self.folder.starts_with("libs/")
    }

    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }
}

/// One line under `[dependencies]`, or under `[dev-dependencies]` when it is only for tests.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) only_for_tests: bool,
}

/// Returns the folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the suite lies one folder below the root")
        .to_owned()
}

/// Reads the files with this extension in the given folders of the workspace and below, in order of their paths.
pub(crate) fn files(folders: &[&str], extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), extension, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|other| other == extension) {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
            found.push(File::new(&relative(&path), &text));
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// Asks cargo for the members of the workspace; reads manifests only, so it needs no network and no lock.
pub(crate) fn crates() -> Vec<Crate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(parse_package)
        .collect()
}

fn parse_package(package: &Value) -> Crate {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let dependencies = package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dependency| Dependency {
            name: dependency["name"].as_str().unwrap().to_owned(),
            only_for_tests: dependency["kind"] == "dev",
        });
    Crate {
        name: package["name"].as_str().unwrap().to_owned(),
        folder: relative(manifest.parent().unwrap()),
        dependencies: dependencies.collect(),
    }
}

#[test]
fn the_tree_is_read() {
    let crates = crates();
    assert!(
        crates
            .iter()
            .any(|member| member.name == "reflex-leads" && member.is_service() && !member.is_lib())
    );
    assert!(
        crates
            .iter()
            .any(|member| member.name == "reflex-events" && member.is_lib() && member.depends_on("redis"))
    );
    assert!(
        files(&["libs", "services"], "rs")
            .iter()
            .any(|file| file.path == "services/leads/src/lib.rs")
    );
}
