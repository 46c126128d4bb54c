//! The command that writes figures into the agent's README.

use std::fs;
use std::path::Path;

use super::{any_program, folder, script, told};

const BEFORE: &str =
    "# Figures\n\n<!-- sizes -->\nold\n<!-- -->\n\n<!-- runs -->\nkept\n<!-- -->\n";

/// Writes sizes into a text, for one program that was built, of so many bytes.
#[track_caller]
fn sizes(text: &str, program: &[u8]) -> (Option<i32>, String) {
    let out = tempfile::tempdir().unwrap();
    let readme = out.path().join("README.md");
    fs::write(&readme, text).unwrap();
    let built = out.path().join("bin/mipsel/trilobite-agent");
    fs::create_dir_all(built.parent().unwrap()).unwrap();
    fs::write(built, program).unwrap();
    let mut command = script("figures", &["sizes"], out.path());
    command
        .env_remove("TRILOBITE_BINARY")
        .env("TRILOBITE_README", &readme);
    let output = command.output().unwrap();
    (
        output.status.code(),
        fs::read_to_string(readme).unwrap() + &told(&output),
    )
}

#[test]
fn figures_replace_their_own_part_only() {
    let program = fs::read(any_program()).unwrap();
    let (code, text) = sizes(BEFORE, &program);
    assert_eq!(code, Some(0), "{text}");
    let head = "# Figures\n\n<!-- sizes -->\n| target | program, bytes | ipk | deb | tarball |\n";
    assert!(text.starts_with(head), "{text}");
    assert!(
        text.contains(&format!("\n| mipsel | {} | ", program.len())),
        "{text}"
    );
    assert!(
        text.contains(" |\n<!-- -->\n\n<!-- runs -->\nkept\n<!-- -->\n"),
        "{text}"
    );
    assert!(!text.contains("old") && !text.contains("| arm64"), "{text}");
}

#[test]
fn a_limit_that_does_not_hold_is_told() {
    let (code, text) = sizes(BEFORE, &vec![0; 2_200_001]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("2200001 bytes are more than 2200000"),
        "{text}"
    );
}

#[test]
fn without_a_place_nothing_is_written() {
    let (code, text) = sizes("# Figures\n", b"program");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("# Figures\n") && text.contains("no line <!-- sizes -->"),
        "{text}"
    );
}

#[test]
fn the_readme_has_a_place_for_all_figures_and_no_dash() {
    let text = fs::read_to_string(folder().join("../README.md")).unwrap();
    for part in ["sizes", "runs", "use"] {
        assert!(text.contains(&format!("\n<!-- {part} -->\n")), "{part}");
    }
    for path in ["../README.md", "README.md", "../../docs/agent.md"] {
        let text = fs::read_to_string(folder().join(Path::new(path))).unwrap();
        let dash = text
            .lines()
            .find(|line| line.starts_with('|') && line.contains("| – "));
        assert_eq!(dash, None, "{path}");
    }
}
