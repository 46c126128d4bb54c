//! The package's makefile for OpenWrt's build system, read by make with stand-ins for what that
//! system includes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{OPENWRT_FILES, folder, is_there, told};

/// Plays the last of OpenWrt's files: prints the folder of the source, or prepares with programs
/// that do nothing.
const RUST_PACKAGE: &str = "INSTALL_DIR:=true
TAR:=true
PKG_BUILD_DIR:=build
print:
\t@echo $(TRILOBITE_SOURCE)
prepare:
\t$(Build/Prepare)
";

/// Runs make as the SDK does: in the feed's folder, reached over a link.
fn make(sdk: &Path, target: &str, source: Option<&Path>) -> Output {
    for (file, text) in [
        ("rules.mk", ""),
        ("include/package.mk", ""),
        ("feeds/packages/lang/rust/rust-package.mk", RUST_PACKAGE),
    ] {
        let path = sdk.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let link = sdk.join("feeds/trilobite");
    if !link.exists() {
        std::os::unix::fs::symlink(folder().join("feed"), &link).unwrap();
    }
    let mut command = Command::new("make");
    command
        .args(["--no-print-directory", "-f", "Makefile", "-C"])
        .arg(link.join("trilobite-agent"))
        .arg(target)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env_remove("TRILOBITE_SOURCE")
        .env("TOPDIR", sdk)
        .env("INCLUDE_DIR", sdk.join("include"));
    if let Some(source) = source {
        command.env("TRILOBITE_SOURCE", source);
    }
    command.output().unwrap()
}

#[test]
fn the_feed_builds_the_tree_that_it_is_part_of() {
    if !is_there("make", "make") {
        return;
    }
    let sdk = tempfile::tempdir().unwrap();
    let output = make(sdk.path(), "print", None);
    assert!(output.status.success(), "{}", told(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let root = folder().join("../..").canonicalize().unwrap();
    assert_eq!(PathBuf::from(printed.trim()), root);

    let output = make(sdk.path(), "prepare", None);
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn the_feed_takes_no_folder_without_the_source() {
    if !is_there("make", "make") {
        return;
    }
    let sdk = tempfile::tempdir().unwrap();
    let elsewhere = sdk.path().join("elsewhere");
    let output = make(sdk.path(), "prepare", Some(&elsewhere));
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let expected = format!("no source of trilobite-agent in {}", elsewhere.display());
    assert!(told(&output).contains(&expected), "{}", told(&output));
}

#[test]
fn the_feed_builds_and_installs_what_the_ipk_holds() {
    let makefile = fs::read_to_string(folder().join("feed/trilobite-agent/Makefile")).unwrap();
    let version = format!("PKG_VERSION:={}\n", env!("CARGO_PKG_VERSION"));
    assert!(makefile.contains(&version), "{makefile}");
    let scripts = fs::read_to_string(folder().join("common.sh")).unwrap();
    let features = scripts.lines().find_map(|line| {
        let of_scripts = line.strip_prefix("features=${TRILOBITE_FEATURES:-")?;
        of_scripts.strip_suffix('}')
    });
    let features = format!("RUST_PKG_FEATURES:={}\n", features.unwrap());
    assert!(makefile.contains(&features), "{features}");
    for file in OPENWRT_FILES {
        let (_, path) = file.split_once(' ').unwrap();
        let (into, _) = path.rsplit_once('/').unwrap();
        assert!(makefile.contains(&format!("$(1)/{into}/")), "{path}");
    }
    for word in makefile.split_ascii_whitespace() {
        if let Some(file) = word.strip_prefix("$(TRILOBITE_FILES)/") {
            assert!(folder().join("openwrt").join(file).is_file(), "{file}");
        }
    }
}
