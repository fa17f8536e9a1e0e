//! ARCHITECTURE.md says which crate may depend on which; the build must agree.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table of crates: the first and the last column of each row.
fn told(root: &Path) -> Dependencies {
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    text.lines()
        .skip_while(|line| !line.starts_with("| crate |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let name = names(cells[0]).into_iter().next().unwrap();
            (name, names(cells[2]))
        })
        .collect()
}

/// The workspace's crates, as cargo tells them.
fn packages(root: &Path) -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    std::mem::take(metadata["packages"].as_array_mut().unwrap())
}

/// What each crate really uses of ours, tests left out.
fn built(root: &Path) -> Dependencies {
    let packages = packages(root);
    let ours: BTreeSet<&str> = packages.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let uses = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|one| one["kind"].is_null())
            .map(|one| one["name"].as_str().unwrap())
            .filter(|name| ours.contains(name))
            .map(str::to_owned)
            .collect()
    };
    packages.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), uses(one))).collect()
}

/// Crash points are for tests: `cargo build -p cortex` must not have them, whatever the workspace's tests are built with.
#[test]
fn the_binary_by_itself_is_built_without_crash_points() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = |package: &str| {
        let arguments = ["tree", "--offline", "-e", "normal,features", "-i", "fail", "-p", package];
        let output = Command::new(&cargo).args(arguments).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!tree("cortex").contains("failpoints"));
    assert!(tree("end-to-end").contains("failpoints"), "the test looks at the wrong thing");
}

/// The platform's own identity is the registry's: no other role can become a customer's role.
#[test]
fn the_registry_alone_can_call_sts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let users = packages(root).into_iter().filter(|package| {
        let mut used = package["dependencies"].as_array().unwrap().iter();
        used.any(|one| one["kind"].is_null() && one["name"] == "aws-sdk-sts")
    });
    let users: Vec<String> = users.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(users, ["registry"]);
}

#[test]
fn every_crate_stands_in_the_table_and_uses_no_more_than_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (told, built) = (told(root), built(root));
    assert_eq!(told.keys().collect::<Vec<_>>(), built.keys().collect::<Vec<_>>());
    for (name, uses) in &built {
        let beyond: Vec<_> = uses.difference(&told[name]).collect();
        assert!(beyond.is_empty(), "{name} depends on {beyond:?}, which ARCHITECTURE.md does not allow");
    }
}
