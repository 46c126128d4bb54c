//! What makes packages smaller: sections that no device loads are cut off, and zopfli packs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::{any_program, archive, folder, is_there, script, told};

fn cut(file: &Path) -> Output {
    let mut command = Command::new("python3");
    command.arg(folder().join("cut-sections")).arg(file);
    command.output().unwrap()
}

/// A file with these bytes.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

/// An ELF program of 32 or 64 bits with one segment of six bytes, four bytes more, and a table of
/// sections.
fn program(is_64: bool, is_big: bool) -> Vec<u8> {
    let mut bytes = vec![
        0x7f,
        b'E',
        b'L',
        b'F',
        1 + u8::from(is_64),
        1 + u8::from(is_big),
    ];
    bytes.resize(16, 0);
    let mut put = |len: usize, value: u64| {
        let all = if is_big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        bytes.extend(if is_big { &all[8 - len..] } else { &all[..len] });
    };
    let word = if is_64 { 8 } else { 4 };
    let (header, segment) = if is_64 { (64, 56) } else { (52, 32) };
    let (start, len) = (header + segment, 6);
    for (bytes, value) in [(2, 2), (2, 8), (4, 1), (word, 0), (word, header)] {
        put(bytes, value);
    }
    put(word, start + len + 4); // where the table of sections is
    for (bytes, value) in [
        (4, 0),
        (2, header),
        (2, segment),
        (2, 1),
        (2, 40),
        (2, 1),
        (2, 0),
    ] {
        put(bytes, value);
    }
    put(4, 1); // to be loaded
    if is_64 {
        put(4, 5);
    }
    for value in [start, 0, 0, len, len] {
        put(word, value);
    }
    put(4, 5);
    put(word, 4);
    bytes.resize(start as usize, 0);
    bytes.extend(b"loadedmore");
    bytes.resize(bytes.len() + 40, 0xee);
    bytes
}

#[test]
fn what_no_device_loads_is_cut_off() {
    if !is_there("python3", "python3") {
        return;
    }
    for (is_64, is_big) in [(false, false), (false, true), (true, false), (true, true)] {
        let whole = program(is_64, is_big);
        let file = file(&whole);
        let output = cut(file.path());
        assert!(output.status.success(), "{}", told(&output));
        let left = fs::read(file.path()).unwrap();
        assert!(left.ends_with(b"loaded"), "{is_64} {is_big}");
        // Nothing else has changed but what the header says of sections.
        let header = if is_64 { 64 } else { 52 };
        assert_eq!(left[header..], whole[header..left.len()]);
        let (table, count) = if is_64 {
            (40..48, 60..64)
        } else {
            (32..36, 48..52)
        };
        for at in 0..header {
            let expected = if table.contains(&at) || count.contains(&at) {
                0
            } else {
                whole[at]
            };
            assert_eq!(left[at], expected, "{is_64} {is_big}: byte {at}");
        }
        // Once more changes nothing.
        assert!(cut(file.path()).status.success());
        assert_eq!(fs::read(file.path()).unwrap(), left);
    }
}

#[test]
fn a_program_without_its_sections_runs() {
    if !is_there("python3", "python3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("program");
    fs::copy(any_program(), &copy).unwrap();
    let output = cut(&copy);
    assert!(output.status.success(), "{}", told(&output));
    assert!(fs::metadata(&copy).unwrap().len() < fs::metadata(any_program()).unwrap().len());
    // By a shell: a file just written cannot always be run by its path at once.
    let ran = Command::new("sh")
        .args(["-c", "\"$0\""])
        .arg(&copy)
        .output();
    assert!(ran.unwrap().status.success());
}

#[test]
fn what_is_no_program_is_left_as_it_is() {
    if !is_there("python3", "python3") {
        return;
    }
    let whole = program(false, true);
    let no_segments = [&whole[..44], &[0, 0], &whole[46..]].concat();
    for (bytes, expected) in [
        (&b""[..], "no ELF program"),
        (b"#!/bin/sh\n", "no ELF program"),
        (&whole[..30], "cut-sections: "),
        (&whole[..60], "cut-sections: "),
        (&whole[..whole.len() - 45], "cut short"),
        (&no_segments, "no program that a device can load"),
    ] {
        let file = file(bytes);
        let output = cut(file.path());
        assert_eq!(output.status.code(), Some(1));
        let told = told(&output);
        assert!(
            told.contains(expected) && told.lines().count() == 1,
            "{told}"
        );
        assert_eq!(fs::read(file.path()).unwrap(), bytes);
    }
}

/// Plays zopfli: leaves a mark, and packs loosely.
const ZOPFLI: &str = "#!/bin/sh\ntouch \"$MARK\"\nexec gzip -1nc \"$2\"\n";

#[test]
fn zopfli_packs_what_is_large_where_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, mark) = (dir.path().join("bin"), dir.path().join("mark"));
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("zopfli"), ZOPFLI).unwrap();
    fs::set_permissions(bin.join("zopfli"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for (name, target) in [("ipk", "mips"), ("tarball", "arm64")] {
        let mut command = script(name, &[target], dir.path());
        command.env("PATH", &path).env("MARK", &mark);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        fs::remove_file(&mark).expect("packed by zopfli");
        let package = String::from_utf8(output.stdout).unwrap();
        let package = archive::of_tar_gz(&fs::read(package.trim()).unwrap());
        if name == "ipk" {
            archive::of_tar_gz(archive::bytes(&package, "data.tar.gz"));
        }
    }
}

#[test]
fn without_zopfli_a_package_is_made_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // Of the machine's programs all but that.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in
        "awk basename cat chmod dirname find gzip head id install mkdir mktemp rm sed sh tar wc"
            .split(' ')
    {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$0\"", program])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        std::os::unix::fs::symlink(found.trim(), bin.join(program)).unwrap();
    }
    let mut command = script("ipk", &["mips"], dir.path());
    command
        .env("PATH", &bin)
        .env("TRILOBITE_CROSS", dir.path().join("nowhere"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(
        told(&output).contains("no zopfli here"),
        "{}",
        told(&output)
    );
}
