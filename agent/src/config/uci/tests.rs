use proptest::prelude::*;

use super::*;
use crate::limits::UCI_WORD_BYTES_MAX;

/// Kinds, names, and keys with their values.
type Plain = Vec<(String, Option<String>, Vec<(String, bool, Vec<String>)>)>;

fn plain(sections: Vec<Section>) -> Plain {
    let entry = |entry: Entry| {
        let values = entry.values.into_iter().map(|(value, _)| value);
        (entry.key, entry.is_list, values.collect())
    };
    let section = |section: Section| {
        let entries = section.entries.into_iter().map(entry);
        (section.kind, section.name, entries.collect())
    };
    sections.into_iter().map(section).collect()
}

/// As `uci export` writes it.
fn write(sections: &Plain) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut text = String::from("package trilobite-agent\n");
    for (kind, name, entries) in sections {
        text += &format!("\nconfig {kind}");
        if let Some(name) = name {
            text += &format!(" {}", quoted(name));
        }
        text += "\n";
        for (key, is_list, values) in entries {
            let word = if *is_list { "list" } else { "option" };
            for value in values {
                text += &format!("\t{word} {key} {}\n", quoted(value));
            }
        }
    }
    text
}

fn values(line: &str) -> Vec<String> {
    let text = format!("config a\n{line}\n");
    let sections = parse(&text).unwrap_or_else(|error| panic!("{line}: {error}"));
    let entries = sections.into_iter().flat_map(|section| section.entries);
    let values = entries.flat_map(|entry| entry.values);
    values.map(|(value, _)| value).collect()
}

#[test]
fn a_file_as_people_write_it() {
    let text = "# the agent\npackage trilobite-agent\n\nconfig agent main\n\toption enabled '1'  # on\n\
                \tlist nodes 'a:1'\n\tlist nodes \"b:2\"\n\nconfig source\n  option kind ubus\n";
    let sections = parse(text).unwrap();
    assert_eq!(&text[sections[1].at.clone()], "config source");
    assert_eq!(&text[sections[0].entries[1].at.clone()], "nodes");
    assert_eq!(&text[sections[0].entries[1].values[1].1.clone()], "\"b:2\"");
    let option = |key: &str, value: &str| (key.to_owned(), false, vec![value.to_owned()]);
    let nodes = (
        "nodes".to_owned(),
        true,
        vec!["a:1".to_owned(), "b:2".to_owned()],
    );
    let expected = [
        (
            "agent".to_owned(),
            Some("main".to_owned()),
            vec![option("enabled", "1"), nodes],
        ),
        ("source".to_owned(), None, vec![option("kind", "ubus")]),
    ];
    assert_eq!(plain(sections), expected);
}

#[test]
fn quotes_comments_and_escapes() {
    let check = |line: &str, expected: &str| assert_eq!(values(line), [expected], "{line}");
    check("option k v", "v");
    check("option k ''", "");
    check("option k 'a b'\"c d\"e", "a bc de");
    check(r#"option k "a\"b\\""#, r#"a"b\"#);
    check(r"option k 'a\b'", r"a\b");
    check(r"option k 'it'\''s'", "it's");
    check(r"option k a\ b", "a b");
    check("option k '#no comment'#comment", "#no comment");
    check("option k 'two\nlines'", "two\nlines");
    check("option k \"one \\\nline\"", "one line");
    check("  option\tk   v ; ", "v");
    assert_eq!(values("option k v; option l w"), ["v", "w"]);
    assert_eq!(values("option k \u{fc}"), ["\u{fc}"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |text: &str, at: &str, expected: &str| {
        let error = parse(text).expect_err(text);
        assert!(error.what.contains(expected), "{text}: {error}");
        assert_eq!(&text[error.at], at, "{text}");
    };
    check("option k v", "k", "in front of the first section");
    check("config a\noptoin k v", "optoin", "unknown word \"optoin\"");
    check(
        "config a\noption k",
        "option",
        "option has 1 words behind it",
    );
    check("config a b c", "config", "config has 3 words");
    check("config", "config", "config has 0 words");
    check("config a\noption k 'v\n", "'v\n", "not closed");
    check("config a\noption k-l v", "k-l", "is a key; use letters");
    check("config 'a b'", "'a b'", "is the type of a section");
    check("config a 'b.c'", "'b.c'", "is the name of a section");
    check("config a\noption k v\noption k w", "k", "is there twice");
    check("config a\noption k v\nlist k w", "k", "is there twice");
    check("config a\noption k v\u{0}", "v\u{0}", "cannot be printed");
}

#[test]
fn everything_has_a_limit() {
    let check = |text: &str, expected: &str| {
        let error = parse(text).expect_err(expected);
        assert!(error.what.contains(expected), "{error}");
    };
    check(&"#".repeat(UCI_TEXT_BYTES_MAX + 1), "the file is longer");
    check(&"config a\n".repeat(UCI_SECTIONS_MAX + 1), "sections");
    let keys: String = (0..=UCI_ENTRIES_MAX)
        .map(|key| format!("option k{key} v\n"))
        .collect();
    check(&format!("config a\n{keys}"), "keys in a section");
    let values = "list k v\n".repeat(UCI_VALUES_MAX + 1);
    check(&format!("config a\n{values}"), "values");
    let long = "x".repeat(UCI_WORD_BYTES_MAX + 1);
    check(&format!("config a\noption k {long}"), "a value longer");
}

#[test]
fn the_two_forms_are_told_apart() {
    for uci in [
        "config agent",
        "\n# x\n\tconfig agent 'main'\n",
        "package x\nconfig agent\n",
    ] {
        assert!(is_uci(uci), "{uci}");
    }
    for toml in [
        "",
        "# config agent\nnodes = []",
        "config = 1",
        "config .a = 1",
        "[config]",
        "configs x",
    ] {
        assert!(!is_uci(toml), "{toml}");
    }
}

fn sections() -> impl Strategy<Value = Plain> {
    let value = "[ -~\u{e4}\n\t]{0,20}";
    let values = prop_oneof![
        value.prop_map(|value| (false, vec![value])),
        prop::collection::vec(value, 1..4).prop_map(|values| (true, values)),
    ];
    let entries = prop::collection::btree_map("[a-z_0-9]{1,8}", values, 0..5);
    let entries = entries.prop_map(|entries| {
        let entry = |(key, (is_list, values))| (key, is_list, values);
        entries.into_iter().map(entry).collect()
    });
    prop::collection::vec(
        ("[a-z_]{1,8}", prop::option::of("[a-z0-9_]{1,8}"), entries),
        0..5,
    )
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n\t'\"\\\\#;\u{0}\u{e4}]{0,200}") {
        let _ = (parse(&text), is_uci(&text));
        let _ = parse(&format!("config a\noption k {text}"));
    }

    #[test]
    fn what_is_written_is_read(sections in sections()) {
        let text = write(&sections);
        prop_assert!(is_uci(&text));
        prop_assert_eq!(plain(parse(&text).unwrap()), sections);
    }
}
