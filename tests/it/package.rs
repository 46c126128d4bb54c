//! The packages for access points: what is in them, that the same program makes the same bytes, and
//! what the scripts in them do. The scripts that make them are those of `agent/package`.

mod apk;
mod archive;
mod feed;
mod figures;
mod init;
mod small;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::AGENT;
use archive::Entry;

/// The scripts.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/package")
}

/// Whether a program is there; says so when a test is skipped for its absence.
fn is_there(program: &str, package: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: no program {program}; Debian's package {package} brings it");
    }
    found
}

/// Any small program will do: packing does not look into it.
fn any_program() -> &'static str {
    ["/bin/true", "/usr/bin/true"]
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .unwrap_or(AGENT)
}

/// A script with its arguments, that leaves what it makes in a folder.
fn script(name: &str, args: &[&str], out: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .arg(folder().join(name))
        .args(args)
        .env("TRILOBITE_BINARY", any_program())
        .env("TRILOBITE_PACKAGES", out)
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Runs it; the package whose path it prints.
#[track_caller]
fn make(name: &str, args: &[&str], out: &Path) -> Vec<u8> {
    let output = script(name, args, out).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let path = String::from_utf8(output.stdout).unwrap();
    assert!(Path::new(path.trim()).starts_with(out), "{path}");
    fs::read(path.trim()).unwrap()
}

/// Makes a package twice, with another mask and in another place; its bytes, which are the same.
#[track_caller]
fn make_twice(name: &str, args: &[&str]) -> Vec<u8> {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let package = make(name, args, here.path());
    let mut masked = Command::new("sh");
    let again = script(name, args, there.path());
    masked.args(["-c", "umask 077; exec \"$@\"", "sh", "sh"]);
    masked.args(again.get_args());
    for (key, value) in again.get_envs() {
        match value {
            Some(value) => masked.env(key, value),
            None => masked.env_remove(key),
        };
    }
    let output = masked.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let path = String::from_utf8(output.stdout).unwrap();
    assert!(
        package == fs::read(path.trim()).unwrap(),
        "{name} {args:?}: a second run makes other bytes"
    );
    package
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks the files of an archive: mode and path of each, all of them root's.
#[track_caller]
fn check_files(entries: &[Entry], expected: &[&str]) {
    let files: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.is_folder)
        .map(|entry| format!("{:04o} {}", entry.mode, entry.path))
        .collect();
    assert_eq!(files, expected);
    for entry in entries {
        assert_eq!((entry.user, entry.group), (0, 0), "{}", entry.path);
        assert!(!entry.is_folder || entry.mode == 0o755, "{}", entry.path);
        assert_eq!(entry.modified_s, 0, "{}", entry.path);
    }
}

/// A line of a control file.
fn field<'a>(control: &'a str, name: &str) -> &'a str {
    let value = control
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {control}"))
}

const OPENWRT_FILES: [&str; 6] = [
    "0644 etc/capabilities/trilobite-agent.json",
    "0600 etc/config/trilobite-agent",
    "0755 etc/init.d/trilobite-agent",
    "0644 lib/upgrade/keep.d/trilobite-agent",
    "0755 usr/sbin/trilobite-agent",
    "0644 usr/share/acl.d/trilobite-agent.json",
];

#[test]
fn an_ipk_holds_what_opkg_wants() {
    let package = archive::of_tar_gz(&make_twice("ipk", &["mipsel"]));
    check_files(
        &package,
        &[
            "0644 control.tar.gz",
            "0644 data.tar.gz",
            "0644 debian-binary",
        ],
    );
    assert_eq!(archive::text(&package, "debian-binary"), "2.0\n");

    let control = archive::of_tar_gz(archive::bytes(&package, "control.tar.gz"));
    check_files(
        &control,
        &[
            "0644 conffiles",
            "0644 control",
            "0755 postinst",
            "0755 prerm",
        ],
    );
    let data = archive::of_tar_gz(archive::bytes(&package, "data.tar.gz"));
    check_files(&data, &OPENWRT_FILES);
    for conffile in archive::text(&control, "conffiles").lines() {
        archive::bytes(&data, conffile.trim_start_matches('/'));
    }
    let fields = archive::text(&control, "control");
    assert_eq!(field(fields, "Package"), "trilobite-agent");
    assert_eq!(field(fields, "Architecture"), "mipsel_24kc");
    assert_eq!(field(fields, "Require-User"), "trilobite:trilobite");
    let installed: usize = data.iter().map(|entry| entry.bytes.len()).sum();
    assert_eq!(field(fields, "Installed-Size"), installed.to_string());

    let config = archive::text(&data, "etc/config/trilobite-agent");
    assert!(config.contains("option enabled '0'"), "{config}");
    let kept = archive::text(&data, "lib/upgrade/keep.d/trilobite-agent");
    let key = "/etc/trilobite-agent/agent.key";
    assert!(config.contains(key) && key.starts_with(kept.trim()));
}

#[test]
fn an_ipk_is_named_for_the_device() {
    let out = tempfile::tempdir().unwrap();
    let package = archive::of_tar_gz(&make("ipk", &["arm64", "aarch64_cortex-a72"], out.path()));
    let control = archive::of_tar_gz(archive::bytes(&package, "control.tar.gz"));
    let fields = archive::text(&control, "control");
    assert_eq!(field(fields, "Architecture"), "aarch64_cortex-a72");
}

#[test]
fn a_deb_holds_what_dpkg_wants() {
    if !is_there("dpkg-deb", "dpkg") {
        return;
    }
    for (target, architecture) in [("x86_64", "amd64"), ("arm64", "arm64")] {
        let package = make_twice("deb", &[target]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.deb");
        fs::write(&path, package).unwrap();
        let part = |option| {
            let output = Command::new("dpkg-deb").arg(option).arg(&path).output();
            archive::of_tar(&output.unwrap().stdout)
        };
        let (control, data) = (part("--ctrl-tarfile"), part("--fsys-tarfile"));
        check_files(
            &control,
            &[
                "0644 conffiles",
                "0644 control",
                "0755 postinst",
                "0755 postrm",
                "0755 prerm",
            ],
        );
        check_files(
            &data,
            &[
                "0640 etc/trilobite-agent/agent.toml",
                "0644 lib/systemd/system/trilobite-agent.service",
                "0644 usr/lib/sysusers.d/trilobite-agent.conf",
                "0755 usr/sbin/trilobite-agent",
                "0644 usr/share/doc/trilobite-agent/LICENSE-APACHE",
                "0644 usr/share/doc/trilobite-agent/LICENSE-MIT",
                "0644 usr/share/doc/trilobite-agent/README.md",
                "0644 usr/share/doc/trilobite-agent/agent.example.toml",
                "0644 usr/share/doc/trilobite-agent/copyright",
            ],
        );
        let conffiles = archive::text(&control, "conffiles");
        assert_eq!(conffiles, "/etc/trilobite-agent/agent.toml\n");
        let fields = archive::text(&control, "control");
        assert_eq!(field(fields, "Architecture"), architecture);
    }
}

#[test]
fn a_tarball_holds_program_configuration_and_licences() {
    let files = archive::of_tar_gz(&make_twice("tarball", &["armv7"]));
    let top = format!("trilobite-agent-{}-armv7", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("0644", "LICENSE-APACHE"),
        ("0644", "LICENSE-MIT"),
        ("0644", "agent.example.toml"),
        ("0755", "trilobite-agent"),
        ("0644", "trilobite-agent.service"),
    ]
    .map(|(mode, file)| format!("{mode} {top}/{file}"));
    check_files(&files, &expected.each_ref().map(String::as_str));
}

#[test]
fn without_a_tool_a_script_says_what_brings_it() {
    let out = tempfile::tempdir().unwrap();
    for (name, args, code, word) in [
        ("apk", &["mipsel"][..], 3, "SDK"),
        ("build", &["mipsel"], 1, "run agent/package/toolchain"),
        ("ipk", &["vax"], 1, "use one of arm64"),
        ("deb", &["mipsel"], 1, "use arm64, armv7 or x86_64"),
    ] {
        let mut command = script(name, args, out.path());
        command
            .env("APK", "an-apk-that-is-nowhere")
            .env("TRILOBITE_CROSS", out.path().join("nowhere"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(told(&output).contains(word), "{}", told(&output));
    }
}

#[test]
fn every_script_is_a_script() {
    let mut seen = 0;
    for part in ["", "openwrt", "debian"] {
        for entry in fs::read_dir(folder().join(part)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            if text.starts_with("#!/bin/sh") || path.extension().is_some_and(|it| it == "sh") {
                seen += 1;
                let output = Command::new("sh").arg("-n").arg(&path).output().unwrap();
                assert!(output.status.success(), "{}", told(&output));
            }
        }
    }
    assert!(seen >= 15, "only {seen} scripts seen");
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    if !is_there("systemd-analyze", "systemd") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(folder().join("debian/trilobite-agent.service")).unwrap();
    // The program is not installed here.
    let unit = unit.replace("/usr/sbin/trilobite-agent", any_program());
    let path = dir.path().join("trilobite-agent.service");
    fs::write(&path, unit).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    // Unknown keys are warnings only.
    let about_ours = told(&output);
    let about_ours = about_ours
        .lines()
        .find(|line| line.contains("trilobite-agent.service"));
    assert_eq!(about_ours, None);
}

/// Checks that the agent takes a configuration, and ends only because it has no certificate there.
#[track_caller]
fn check_lacks_only(config: &Path, certificate: &Path) {
    let output = Command::new(AGENT)
        .args(["run", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let missing = format!("cannot read {}", certificate.display());
    assert!(told(&output).contains(&missing), "{}", told(&output));
}

#[test]
fn the_configuration_of_the_deb_lacks_nothing_but_an_enrolment() {
    let config = folder().join("debian/agent.toml");
    check_lacks_only(&config, Path::new("/var/lib/trilobite-agent/agent.pem"));
}

#[test]
fn the_configuration_of_the_ipk_lacks_nothing_but_an_enrolment() {
    let out = tempfile::tempdir().unwrap();
    let package = archive::of_tar_gz(&make("ipk", &["mipsel"], out.path()));
    let data = archive::of_tar_gz(archive::bytes(&package, "data.tar.gz"));
    let config = out.path().join("trilobite-agent");
    fs::write(&config, archive::bytes(&data, "etc/config/trilobite-agent")).unwrap();
    check_lacks_only(&config, Path::new("/etc/trilobite-agent/agent.pem"));
}
