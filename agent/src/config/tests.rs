mod uci_form;

use super::*;
use crate::privacy::Randomised;

const MINIMAL: &str = r#"nodes = ["127.0.0.1:4433"]

[identity]
authority = "ca.pem"
certificate = "ap-1.pem"
key = "/keys/ap-1.key"

[[radio]]
ap = "lobby"
band = "5"

[[source]]
kind = "pcap"
path = "lobby.pcap"
"#;

fn parse(text: &str) -> Result<FileConfig, ConfigError> {
    FileConfig::parse(text, Path::new("/etc/trilobite/agent.toml"))
}

/// The file with one more line under a table, or a line replaced, is refused in these words.
fn check(from: &str, to: &str, expected: &str) {
    assert!(MINIMAL.contains(from), "{from}");
    let error = parse(&MINIMAL.replace(from, to)).expect_err(to).to_string();
    assert_eq!(
        error,
        format!("configuration file /etc/trilobite/agent.toml, {expected}")
    );
}

#[test]
fn the_example_is_valid_and_has_every_key() {
    let example = include_str!("../../agent.example.toml");
    let config = parse(example).expect("the example");
    assert_eq!(config.agent.batcher, BatcherLimits::default());
    assert!(config.agent.nodes.len() == 2 && config.agent.short_ids);
    // Keys that are commented out are valid as well.
    let uncommented = |line: &str| {
        let bare = line.strip_prefix("# ").filter(|bare| {
            bare.starts_with("[[")
                || bare.split_once(" = ").is_some_and(|(key, _)| {
                    key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                })
        });
        bare.unwrap_or(line).to_owned() + "\n"
    };
    let whole: String = example.lines().map(uncommented).collect();
    let config = parse(&whole).expect("the example with all its keys");
    let rules = &config.agent.privacy;
    assert_eq!((rules.named.len(), rules.access_points.len()), (1, 1));
    assert_eq!((rules.allow.len(), rules.deny.len()), (1, 2));
    assert_eq!(config.agent.server_name.as_deref(), Some("node.example"));
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = parse(MINIMAL).expect("valid");
    assert_eq!(config.authority, Path::new("/etc/trilobite/ca.pem"));
    assert_eq!(config.key, Path::new("/keys/ap-1.key"));
    assert_eq!(config.agent.privacy.randomised, Randomised::Count);
}

#[test]
fn sources_are_the_same_if_their_words_are() {
    let config = parse(MINIMAL).expect("valid");
    let same = |from: &str, to: &str| {
        assert!(MINIMAL.contains(from), "{from}");
        let other = parse(&MINIMAL.replace(from, to)).expect("valid");
        other.has_sources_of(&config)
    };
    let [kind, path] = ["kind = \"pcap\"\n", "path = \"lobby.pcap\"\n"];
    assert!(same(
        &format!("{kind}{path}"),
        &format!("# moved\n{path}\n{kind}")
    ));
    assert!(same("nodes = [", "nodes = [\"b:2\", "));
    assert!(!same(path, "path = \"hall.pcap\"\n"));
    assert!(!same(path, &format!("{path}speed = 2\n")));
    assert!(!same("band = \"5\"", "band = \"6\""));
    let named = "[[access_point]]\nap = \"ap-2\"\naddress = \"00:00:5e:00:53:aa\"\n";
    assert!(!same("[[radio]]", &format!("{named}[[radio]]")));
}

#[test]
fn an_access_point_is_named_once() {
    let table = "[[access_point]]\nap = \"ap-2\"\naddress = \"00:00:5e:00:53:aa\"\n";
    let once = MINIMAL.replace("[[radio]]", &format!("{table}[[radio]]"));
    let rules = parse(&once).expect("valid").agent.privacy;
    let expected = (
        "00:00:5e:00:53:aa".parse().unwrap(),
        "ap-2".parse().unwrap(),
    );
    assert_eq!(rules.access_points, [expected]);
    let twice = MINIMAL.replace("[[radio]]", &format!("{table}{table}[[radio]]"));
    let error = parse(&twice).expect_err("twice").to_string();
    assert!(
        error.contains("another [[access_point]] has this address"),
        "{error}"
    );
}

#[test]
fn short_ids_can_be_turned_off() {
    let off = MINIMAL.replace("[[radio]]", "[batching]\nshort_ids = false\n[[radio]]");
    assert!(!parse(&off).expect("valid").agent.short_ids);
}

#[test]
fn problems_say_what_where_and_what_to_do() {
    check(
        "band = \"5\"",
        "band = \"5\"\nchannel = 3",
        "line 11: unknown key \"channel\"; use one of \"ap\", \"band\"",
    );
    check(
        "band = \"5\"",
        "band = \"4\"",
        "line 8: unknown band \"4\"; use one of \"2.4\", \"5\", \"6\", \"ble\", \"uwb\"",
    );
    check(
        "key = \"/keys/ap-1.key\"\n",
        "",
        "line 3: the key \"key\" is missing; add it, see agent.example.toml",
    );
    check(
        "127.0.0.1:4433",
        "127.0.0.1",
        "line 1: \"127.0.0.1\" is no address of a node; use host:port, such as node.example:4433 or \
         [::1]:4433",
    );
    check(
        "[\"127.0.0.1:4433\"]",
        "[]",
        "line 1: nodes is empty; name at least one, such as \"node:4433\"",
    );
    check(
        "kind = \"pcap\"",
        "kind = \"radio\"",
        "line 12: unknown kind of source \"radio\"; use one of pcap, replay, synthetic, \
         monitor, nl80211, hostapd, ubus, ble",
    );
    check(
        "kind = \"pcap\"",
        "kind = \"pcap\"\nspede = 2",
        "line 14: source pcap: unknown key \"spede\"; did you mean \"speed\"? use one of \"path\", \
         \"speed\", \"access_points\"",
    );
    check(
        "kind = \"pcap\"",
        "kind = \"pcap\"\nspeed = -2",
        "line 12: speed is a positive number, or \"max\"",
    );
    check(
        "[[radio]]",
        "[batching]\nhold_ms = 9000\n[[radio]]",
        "line 8: hold_ms must be below age_max_ms, or nothing would be sent",
    );
    check(
        "[[radio]]",
        "[privacy]\nrandomised = \"maybe\"\n[[radio]]",
        "line 8: unknown policy for randomised clients \"maybe\"; use one of off, count, on",
    );
    check(
        "[[radio]]",
        "[privacy]\nallow = [\"00:11:2\"]\n[[radio]]",
        "line 8: allow: not an address or the start of one; write one to six pairs of hexadecimal \
         digits such as 00:11:22 or 00:11:22:aa:bb:cc",
    );
    check(
        "[[radio]]",
        "[[access_point]]\nap = \"ap-2\"\naddress = \"ff:ff:ff:ff:ff:ff\"\n[[radio]]",
        "line 8: access_point ap-2: that is the address of a group; write the network's BSSID",
    );
    check(
        "[[radio]]",
        "[privacy]\nopted_out = [\"00:11\"]\n[[radio]]",
        "line 8: opted_out: not an address; write six pairs of hexadecimal digits such as \
         00:11:22:aa:bb:cc",
    );
}

#[test]
fn values_of_a_wrong_type_are_told_with_their_place() {
    check(
        "[[radio]]",
        "[batching]\nhold_ms = \"soon\"\n[[radio]]",
        "line 9: invalid type: string \"soon\"; expected u32",
    );
    check(
        "[[radio]]",
        "[batching]\nshort_ids = 1\n[[radio]]",
        "line 9: invalid type: integer \"1\"; expected a boolean",
    );
    check(
        "[[radio]]",
        "[privacy]\nopted_out = [\n\"00:00:5e:00:53:01\",\n3]\n[[radio]]",
        "line 11: invalid type: integer \"3\"; expected a string",
    );
    check(
        "nodes =",
        "server_nam = \"x\"\nnodes =",
        "line 1: unknown key \"server_nam\"; did you mean \"server_name\"? use one of \"nodes\", \
         \"server_name\", \"identity\", \"radio\", \"batching\", \"coalesce\", \"limits\", \
         \"status\", \"privacy\", \"access_point\", \"source\"",
    );
}

#[test]
fn an_adapter_needs_a_radio_and_times_that_fit() {
    let ble = "band = \"ble\"\n\n[[source]]\nkind = \"ble\"\n";
    let text = MINIMAL.replace("band = \"5\"", ble);
    assert!(parse(&text).is_ok());
    let wrong = |more: &str| {
        let text = text.replace(ble, &format!("{ble}{more}"));
        parse(&text).expect_err(more).to_string()
    };
    let error = wrong("window_ms = 70");
    assert!(
        error.contains("line 12: source ble: window_ms must be"),
        "{error}"
    );
    let error = wrong("adapter = \"usb\"");
    assert!(error.contains("\"usb\" is no adapter"), "{error}");
    check(
        "kind = \"pcap\"\npath = \"lobby.pcap\"",
        "kind = \"ble\"",
        "line 12: source ble: nothing says which AP the adapter belongs to; add a [[radio]] with \
         its AP and band = \"ble\"",
    );
}

#[test]
fn a_monitor_needs_an_interface_and_a_radio() {
    let monitor = "kind = \"monitor\"\ninterface = \"nowhere0\"";
    let text = MINIMAL.replace("kind = \"pcap\"\npath = \"lobby.pcap\"", monitor);
    assert!(parse(&text).is_ok());
    check(
        "kind = \"pcap\"\npath = \"lobby.pcap\"",
        "kind = \"monitor\"",
        "line 12: source monitor: the key \"interface\" is missing; add it, see agent.example.toml",
    );
}

#[test]
fn no_problem_quotes_an_address() {
    let address = "00:00:5e:00:53:0a";
    for (from, to) in [
        ("band = \"5\"", format!("band = \"{address}\"")),
        ("kind = \"pcap\"", format!("kind = \"x {address}\"")),
        ("path =", format!("\"{address}\" = 1\npath =")),
        (
            "[[radio]]",
            format!("[batching]\nhold_ms = \"{address}\"\n[[radio]]"),
        ),
        (
            "[[radio]]",
            format!("[privacy]\nrandomised = \"\u{fc}{address}\"\n[[radio]]"),
        ),
    ] {
        let error = parse(&MINIMAL.replace(from, &to)).expect_err(&to);
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains(address) && text.contains("(an address)"),
            "{text}"
        );
    }
}

#[test]
fn stations_need_a_radio_and_sensible_keys() {
    let from = "kind = \"pcap\"\npath = \"lobby.pcap\"";
    assert!(parse(&MINIMAL.replace(from, "kind = \"nl80211\"")).is_ok());
    check(
        from,
        "kind = \"nl80211\"\ninterval_ms = 5",
        "line 12: source nl80211: interval_ms must be from 100 to 60000",
    );
    check(
        from,
        "kind = \"nl80211\"\ninterfaces = [\"wlan 0\"]",
        "line 12: source nl80211: \"wlan 0\" is no name of an interface; use one that \"iw dev\" \
         lists, such as \"wlan0\"",
    );
}

#[test]
fn ranges_need_peers_and_an_interface() {
    let from = "kind = \"pcap\"\npath = \"lobby.pcap\"";
    let with = |keys: &str| format!("kind = \"nl80211\"\n{keys}");
    let peer = |freq: u32| format!("ftm_peers = [\"00:00:5e:00:53:02 {freq}\"]");
    let valid = with(&format!("ftm_interface = \"wlan0\"\n{}", peer(5_180)));
    assert!(parse(&MINIMAL.replace(from, &valid)).is_ok());
    let refused = |keys: &str, expected: &str| {
        let expected = format!("line 12: source nl80211{expected}");
        check(from, &with(keys), &expected);
    };
    refused(
        &peer(5_180),
        ": nothing says which interface measures; add ftm_interface",
    );
    refused(
        "ftm_interval_s = 60",
        ": ftm_peers is missing; without it no ranges are measured",
    );
    refused(
        &format!("interfaces = [\"wlan0\"]\n{}", peer(60)),
        ", ftm_peers: 60 MHz is no Wi-Fi channel",
    );
    refused(
        &format!(
            "interfaces = [\"wlan0\"]\nftm_interval_s = 1\n{}",
            peer(5_180)
        ),
        ": ftm_interval_s must be at least 10",
    );
}

#[test]
fn hostapd_needs_an_interface() {
    let from = "kind = \"pcap\"\npath = \"lobby.pcap\"";
    let hostapd = "kind = \"hostapd\"\ninterface = \"wlan0\"";
    let config = parse(&MINIMAL.replace(from, hostapd)).expect("valid");
    // hostapd may come later.
    assert!(config.open_sources(&"ap-1".parse().expect("name")).is_ok());
    check(
        from,
        "kind = \"hostapd\"\ninterface = \"../wlan0\"",
        "line 12: source hostapd: \"../wlan0\" is no name of an interface; use one that \
         \"iw dev\" lists, such as \"wlan0\"",
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let error = parse("nodes = [\n").expect_err("no TOML").to_string();
    assert!(
        error.contains("line 1") || error.contains("line 2"),
        "{error}"
    );
    let error = parse("").expect_err("empty").to_string();
    assert!(error.contains("the key \"nodes\" is missing"), "{error}");
}

#[test]
fn a_missing_file_says_so() {
    let error = FileConfig::load(Path::new("/nowhere/agent.toml")).expect_err("missing");
    assert!(error.to_string().contains("/nowhere/agent.toml"), "{error}");
}

#[test]
fn a_source_that_cannot_be_opened_is_named() {
    let config = parse(MINIMAL).expect("valid");
    let own = "ap-1".parse().expect("name");
    let error = config
        .open_sources(&own)
        .err()
        .expect("no such file")
        .to_string();
    assert!(
        error.ends_with("line 12: source 1 cannot be opened"),
        "{error}"
    );
}
