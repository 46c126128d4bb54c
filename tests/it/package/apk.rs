//! The package for OpenWrt 25.12 and later: made by `apk mkpkg` itself where that is, else what the
//! script asks of a stand-in.

use std::fs;

use super::{OPENWRT_FILES, is_there, script, told};

/// Without `$APK` the script looks on the path, and says what brings the tool.
#[test]
fn apk_itself_makes_the_package_where_it_is() {
    let out = tempfile::tempdir().unwrap();
    let output = script("apk", &["arm64"], out.path()).output().unwrap();
    if output.status.code() == Some(3) {
        assert!(told(&output).contains("apk"), "{}", told(&output));
        eprintln!("skipped: {}", told(&output).trim());
        return;
    }
    assert!(output.status.success(), "{}", told(&output));
    let path = String::from_utf8(output.stdout).unwrap();
    let package = fs::read(path.trim()).unwrap();
    assert!(package.starts_with(b"ADB"), "no package of apk-tools 3");
}

/// Plays `apk`: copies the files that it is given and writes its arguments down.
const APK: &str = r#"#!/bin/sh
[ "$2" != --help ] || exit 0
for argument; do
  [ "$before" != --files ] || cp -a "$argument" "$RECORDED/files"
  [ "$before" != --output ] || echo packed >"$argument"
  before=$argument
  printf '%s\n' "$argument" >>"$RECORDED/arguments"
done
"#;

#[test]
fn apk_is_asked_for_the_same_files_with_openwrts_lists() {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    if !is_root && !is_there("fakeroot", "fakeroot") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let apk = dir.path().join("apk");
    fs::write(&apk, APK).unwrap();
    let mut command = script("apk", &["arm64"], dir.path());
    command
        .env("APK", "recording-apk")
        .env("RECORDED", dir.path());
    // A program of its own name on the path: a file just written cannot always be run by its path.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::rename(&apk, bin.join("recording-apk")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bin.join("recording-apk"), mode).unwrap();
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", bin.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));

    let arguments = fs::read_to_string(dir.path().join("arguments")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for expected in [
        "mkpkg".to_owned(),
        "name:trilobite-agent".into(),
        format!("version:{version}-r1"),
        "arch:aarch64_cortex-a53".into(),
    ] {
        assert!(
            arguments.lines().any(|line| line == expected),
            "{arguments}"
        );
    }
    for step in ["post-install:", "post-upgrade:", "pre-deinstall:"] {
        assert!(arguments.contains(step), "{arguments}");
    }
    let about = dir.path().join("files/lib/apk/packages");
    let read =
        |suffix: &str| fs::read_to_string(about.join(format!("trilobite-agent.{suffix}"))).unwrap();
    let mut listed: Vec<_> = OPENWRT_FILES.iter().map(|file| &file[5..]).collect();
    listed.sort_unstable();
    let list = read("list");
    let list: Vec<_> = list.lines().map(|line| &line[1..]).collect();
    assert_eq!(list, listed);
    assert_eq!(read("conffiles"), "/etc/config/trilobite-agent\n");
    assert_eq!(read("rusers"), "trilobite:trilobite\n");
}
