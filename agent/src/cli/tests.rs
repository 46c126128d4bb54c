use super::*;

fn read(words: &[&str]) -> Result<Cli, Stop> {
    Cli::read(words.iter().map(OsString::from))
}

#[track_caller]
fn told(words: &[&str]) -> String {
    match read(words) {
        Err(Stop::Told(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_misused(words: &[&str], expected: &str) {
    let wrong = Stop::Misused(expected.to_owned());
    assert_eq!(read(words).expect_err("misused"), wrong, "{words:?}");
}

#[test]
fn the_level_may_stand_before_and_behind_the_command() {
    for words in [
        &["--log", "debug", "run", "--config", "x"][..],
        &["--log=debug", "run", "--config=x"],
        &["run", "--config", "x", "--log", "debug"],
        &["--log", "error", "run", "--log", "debug", "--config", "x"],
    ] {
        assert_eq!(read(words).expect("right").log, "debug", "{words:?}");
    }
}

#[test]
fn wrong_lines_say_what_is_wrong() {
    let commands = COMMANDS.iter().map(|known| known.name);
    let commands = commands.collect::<Vec<_>>().join(", ");
    check_misused(
        &[],
        &format!("trilobite-agent: no command; use one of {commands}, or --help"),
    );
    check_misused(
        &["stats"],
        &format!(
            "trilobite-agent: no such command; did you mean status? use one of {commands}, or --help"
        ),
    );
    check_misused(
        &["run"],
        "trilobite-agent run: --config FILE is missing; see trilobite-agent run --help",
    );
    check_misused(
        &["run", "--confg", "x"],
        "trilobite-agent run: no option \"--confg\"; did you mean --config?; see trilobite-agent run \
         --help",
    );
    check_misused(
        &["--log"],
        "trilobite-agent: --log needs a value: --log FILTER; see trilobite-agent --help",
    );
    check_misused(
        &["enroll", "--token", "t", "--node", "nowhere"],
        &format!(
            "trilobite-agent enroll: --node: {}; see trilobite-agent enroll --help",
            "nowhere".parse::<crate::route::NodeAddress>().unwrap_err()
        ),
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = "trilobite-join-00112233445566778899aabbccddeeff";
    for words in [
        &[secret][..],
        &["enroll", secret],
        &["enroll", "--node", "n:1", secret],
        &["enroll", &format!("--tokn={secret}")],
        &["enroll", "--token", secret, "--token", secret],
        &["enroll", "--token", secret],
        &[
            "enroll",
            "--ca-fingerprint",
            "x",
            "--token",
            secret,
            "--node",
            "n:1",
        ],
    ] {
        let Err(Stop::Misused(text)) = read(words) else {
            panic!("{words:?}")
        };
        assert!(!text.contains("0011"), "{text}");
    }
}

#[test]
fn help_and_version_come_before_what_is_missing() {
    assert_eq!(told(&["--version"]), format!("{PROGRAM}\n"));
    assert_eq!(told(&["-V"]), told(&["run", "--version"]));
    for known in COMMANDS {
        let help = told(&[known.name, "--help"]);
        assert_eq!(help, told(&["help", known.name]));
        assert!(told(&["-h"]).contains(known.summary), "{}", known.name);
        let usage = format!("Usage: trilobite-agent {} ", known.name);
        assert!(help.contains(&usage), "{help}");
    }
    assert_eq!(told(&["help"]), told(&["--help"]));
    assert!(matches!(read(&["help", "walk"]), Err(Stop::Misused(_))));
}

/// What a command takes and what its help says of it cannot part.
#[test]
fn help_tells_every_option_and_fits_a_terminal() {
    for known in COMMANDS {
        for (option, value) in known.takes.options {
            let shown = match value {
                Some(value) => format!("\n  {option} {value}  "),
                None => format!("\n  {option} "),
            };
            assert!(known.help.contains(&shown), "{}: {shown}", known.name);
        }
        if let Some(word) = known.takes.word {
            assert!(
                known.help.contains(&format!("\n  {word} ")),
                "{}",
                known.name
            );
        }
    }
    let texts = COMMANDS.iter().map(|known| known.help.to_owned());
    for line in texts.chain([help()]).flat_map(|text| {
        let lines = text.lines().map(str::to_owned);
        lines.collect::<Vec<_>>()
    }) {
        assert!(line.len() <= 100, "{line}");
    }
    assert!(status::HELP.contains(crate::status::DEFAULT_SOCKET));
}
