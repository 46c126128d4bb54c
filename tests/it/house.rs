//! The rules of the house, read from its manifests and files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the ground up. A crate imports only from floors below its own.
const FLOORS: [&[&str]; 4] = [
    &["wire", "site", "outbox"],
    &["locate", "sim", "link"],
    &["ingest", "agent"],
    &["node", "load"],
];

/// Beside the house: they may import anything, and nothing imports them.
const BESIDE: [&str; 2] = ["tests", "benches"];

/// Foreign crates that have one home each, so that replacing one is one folder's work.
const HOMES: [(&str, &[&str]); 10] = [
    ("quinn", &["link"]),
    // Of agents, of the HTTP listeners, and of those who ask feeds and brokers.
    ("rustls", &["link", "node", "outbox"]),
    ("tokio-rustls", &["node"]),
    ("rcgen", &["link"]),
    ("rmp-serde", &["wire"]),
    ("axum", &["node"]),
    ("rusqlite", &["outbox"]),
    ("postgres", &["outbox"]),
    ("mimalloc", &["node", "load"]),
    ("criterion", &["benches"]),
];

/// Longest file of code; a longer one holds a second idea.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap().parse().unwrap()
}

/// All dependencies of a crate for its own code; `dev` adds those of its tests.
fn dependencies(folder: &str, dev: bool) -> Vec<String> {
    let manifest = manifest(folder);
    let kinds: &[&str] = if dev {
        &["dependencies", "dev-dependencies"]
    } else {
        &["dependencies"]
    };
    kinds
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

fn floor_of() -> BTreeMap<&'static str, usize> {
    let numbered = FLOORS.iter().enumerate();
    numbered
        .flat_map(|(floor, crates)| crates.iter().map(move |name| (*name, floor)))
        .collect()
}

#[test]
fn every_member_has_a_floor() {
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let floors = floor_of();
    for member in members.iter().filter_map(|member| member.as_str()) {
        let known = floors.contains_key(member) || BESIDE.contains(&member);
        assert!(
            known,
            "{member} has no floor: add it to FLOORS and to the README's table"
        );
    }
}

#[test]
fn a_crate_imports_only_from_floors_below_its_own() {
    let floors = floor_of();
    for (&name, &floor) in &floors {
        for dependency in dependencies(name, false) {
            if let Some(&below) = floors.get(dependency.as_str()) {
                assert!(
                    below < floor,
                    "{name} imports {dependency}, which is not below it"
                );
            }
            let beside = BESIDE.contains(&dependency.as_str());
            assert!(
                !beside,
                "{name} imports {dependency}, which nothing may import"
            );
        }
    }
}

#[test]
fn the_at_most_once_path_knows_no_message() {
    for name in ["ingest", "agent", "link", "locate", "sim", "wire", "site"] {
        let imports = dependencies(name, true).contains(&"outbox".to_owned());
        assert!(
            !imports,
            "{name} imports outbox: only node turns fixes into messages"
        );
    }
}

#[test]
fn truth_shares_no_code_with_the_estimator() {
    assert!(
        !dependencies("sim", true).contains(&"locate".to_owned()),
        "sim imports locate"
    );
}

#[test]
fn foreign_crates_stay_at_home() {
    for (name, _) in floor_of() {
        for dependency in dependencies(name, false) {
            if let Some((_, homes)) = HOMES.iter().find(|(foreign, _)| *foreign == dependency) {
                assert!(
                    homes.contains(&name),
                    "{name} imports {dependency}; its home is {homes:?}"
                );
            }
        }
    }
}

#[test]
fn no_file_holds_a_second_idea() {
    let folders = FLOORS.iter().flat_map(|floor| floor.iter()).chain(&BESIDE);
    for folder in folders {
        visit(&root().join(folder), &mut |path, text| {
            let lines = text.lines().count();
            assert!(
                lines <= FILE_LINES_MAX,
                "{} has {lines} lines",
                path.display()
            );
        });
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
    ];
    let folders = FLOORS.iter().flat_map(|floor| floor.iter()).chain(&BESIDE);
    for folder in folders {
        visit(&root().join(folder), &mut |path, text| {
            for word in words {
                assert!(!text.contains(word), "{} has {word}", path.display());
            }
        });
    }
}

/// Shows every Rust file below a folder, build output apart.
fn visit(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
