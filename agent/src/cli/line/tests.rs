use super::*;

const TAKES: Takes = Takes {
    options: &[("--config", Some("FILE")), ("--json", None)],
    word: Some("FILE"),
};

fn read(words: &[&str]) -> Result<Line, Misuse> {
    let mut words = words.iter().map(OsString::from);
    Line::read(&mut words, TAKES, false).map(|(line, _)| line)
}

#[track_caller]
fn wrong(words: &[&str]) -> String {
    read(words).expect_err("wrong").to_string()
}

#[test]
fn options_and_word_come_in_any_order() {
    for words in [
        &["--config", "c", "--json", "f"][..],
        &["f", "--json", "--config=c"],
        &["--json", "f", "--config", "c", "--"],
        &["--json", "--config=c", "--", "f"],
    ] {
        let mut line = read(words).expect("right");
        assert!(line.has("--json"));
        assert_eq!(line.path("--config"), Some("c".into()), "{words:?}");
        assert_eq!(line.word("FILE"), Ok("f".into()), "{words:?}");
    }
}

#[test]
fn a_value_may_look_odd() {
    let value = |words: &[&str]| read(words).expect("right").text("--config");
    assert_eq!(value(&["--config", "-"]), Ok(Some("-".to_owned())));
    assert_eq!(value(&["--config", "-x"]), Ok(Some("-x".to_owned())));
    assert_eq!(value(&["--config=a=b"]), Ok(Some("a=b".to_owned())));
    assert_eq!(value(&["--config="]), Ok(Some(String::new())));
    assert_eq!(value(&["--", "--config"]), Ok(None));
    let mut line = read(&["-"]).expect("right");
    assert_eq!(line.word("FILE"), Ok("-".into()));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(
        wrong(&["--config"]),
        "--config needs a value: --config FILE"
    );
    assert_eq!(wrong(&["--config", "--json"]), wrong(&["--config"]));
    assert_eq!(wrong(&["--json=1"]), "--json takes no value");
    assert_eq!(wrong(&["--json", "--json"]), "--json is given twice");
    assert_eq!(
        wrong(&["--jsn"]),
        "no option \"--jsn\"; did you mean --json?"
    );
    let all = "--config, --json, --log, --help, -h, --version, -V";
    assert_eq!(wrong(&["-x"]), format!("no option \"-x\"; use {all}"));
    assert_eq!(
        wrong(&["--colour"]),
        format!("no option \"--colour\"; use {all}")
    );
    assert!(wrong(&["a", "b"]).starts_with("one word too many"));
    let missing = read(&[]).expect("right").word("FILE").expect_err("missing");
    assert_eq!(missing.to_string(), "FILE is missing");
    let number = read(&["--config", "x"])
        .expect("right")
        .value::<u8>("--config");
    assert!(matches!(number, Err(Misuse::Value { .. })), "{number:?}");
}

#[test]
#[cfg(unix)]
fn a_path_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"/\xff".to_vec());
    let words = || ["--config".into(), odd.clone()].into_iter();
    let mut line = Line::read(&mut words(), TAKES, false).expect("right").0;
    assert_eq!(line.path("--config"), Some(odd.clone().into()));
    let mut line = Line::read(&mut words(), TAKES, false).expect("right").0;
    let text = line.text("--config").expect_err("no text").to_string();
    assert_eq!(text, "--config: not UTF-8");
    let attached = OsString::from_vec(b"--config=\xff".to_vec());
    let error = Line::read(&mut [attached].into_iter(), TAKES, false).expect_err("no text");
    assert!(error.to_string().contains("in other letters"), "{error}");
}
