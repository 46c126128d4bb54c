//! The same keys in UCI.

use super::*;

const MINIMAL: &str = "config agent 'main'
\toption enabled '0'
\tlist nodes '127.0.0.1:4433'

config identity
\toption authority 'ca.pem'
\toption certificate 'ap-1.pem'
\toption key '/keys/ap-1.key'

config radio
\toption ap '17'
\toption band '5'

config source
\toption kind 'pcap'
\toption path 'lobby.pcap'
";

fn check(from: &str, to: &str, expected: &str) {
    assert!(MINIMAL.contains(from), "{from}");
    let error = parse(&MINIMAL.replace(from, to)).expect_err(to).to_string();
    let place = "configuration file /etc/trilobite/agent.toml, ";
    assert_eq!(error, format!("{place}{expected}"));
}

#[test]
fn the_example_is_valid() {
    let example = include_str!("../../../package/openwrt/trilobite-agent.config");
    let config = parse(example).expect("the example");
    assert_eq!(config.agent.batcher, BatcherLimits::default());
    assert!(config.agent.nodes.len() == 1 && config.agent.short_ids);
    let whole = example
        .replace("# option", "option")
        .replace("# list", "list")
        .replace("# config", "config");
    let config = parse(&whole).expect("the example with all its keys");
    assert_eq!(
        (config.agent.nodes.len(), config.agent.privacy.named.len()),
        (2, 1)
    );
    let rules = &config.agent.privacy;
    let lists = (rules.allow.len(), rules.deny.len());
    assert_eq!((lists, rules.access_points.len()), ((1, 1), 1));
    assert_eq!(config.agent.privacy.rssi_min_dbm, Some(-95));
    assert_eq!(config.agent.server_name.as_deref(), Some("node.example"));
}

#[test]
fn both_forms_say_the_same() {
    let toml = r#"
nodes = ["a:1", "b:2"]
server_name = "n"
[identity]
authority = "ca.pem"
certificate = "c.pem"
key = "k.pem"
[[radio]]
ap = "17"
band = "2.4"
[batching]
hold_ms = 100
short_ids = false
[privacy]
rssi_min_dbm = -80
opted_out = ["00:00:5e:00:53:01"]
allow = ["00:00:5e", "00:11:22"]
deny = ["00:00:5e:00:54"]
[[privacy.named]]
address = "00:00:5e:00:53:02"
name = "badge-17"
[coalesce]
interval_ms = 200
[limits]
cpu_percent = 20
memory_mib = 32
[status]
socket = "/var/run/a.sock"
[[access_point]]
ap = "ap-2"
address = "00:00:5e:00:53:aa"
[[access_point]]
ap = "ap-3"
address = "00:00:5e:00:53:ab"
[[source]]
kind = "pcap"
path = "a.pcap"
speed = 2
[[source]]
kind = "ubus"
[[source]]
kind = "nl80211"
interval_ms = 500
ftm_interface = "wlan0"
ftm_peers = ["00:00:5e:00:53:aa 5180"]
"#;
    let uci = "
config agent
 list nodes a:1
 list nodes b:2
 option server_name n
config identity
 option authority ca.pem
 option certificate c.pem
 option key k.pem
config radio
 option ap 17
 option band 2.4
config batching
 option hold_ms 100
 option short_ids no
config source
 option kind pcap
 option path a.pcap
 option speed 2
config privacy_named
 option address 00:00:5e:00:53:02
 option name badge-17
config privacy
 option rssi_min_dbm -80
 option opted_out 00:00:5e:00:53:01
 list allow 00:00:5e
 list allow 00:11:22
 option deny 00:00:5e:00:54
config source
 option kind ubus
config coalesce
 option interval_ms 200
config limits
 option memory_mib 32
 option cpu_percent 20
config status
 option socket /var/run/a.sock
config access_point
 option ap ap-2
 option address 00:00:5e:00:53:aa
config source
 option kind nl80211
 option ftm_interface wlan0
 option interval_ms 500
 list ftm_peers '00:00:5e:00:53:aa 5180'
config access_point near
 option ap ap-3
 option address 00:00:5e:00:53:ab
";
    let [toml, uci] = [toml, uci].map(|text| parse(text).expect(text));
    assert_eq!(format!("{:?}", uci.agent), format!("{:?}", toml.agent));
    assert_eq!(uci.certificate, toml.certificate);
    assert_eq!(uci.agent.privacy, toml.agent.privacy);
    assert_eq!(uci.agent.privacy.access_points.len(), 2);
    assert_eq!(
        (uci.agent.cpu_percent, uci.memory_mib),
        (Some(20), Some(32))
    );
    assert_eq!(toml.memory_mib, uci.memory_mib);
    assert_eq!(uci.status_socket, toml.status_socket);
    assert_eq!(format!("{:?}", uci.sources), format!("{:?}", toml.sources));
}

#[test]
fn problems_say_what_where_and_what_to_do() {
    parse(MINIMAL).expect("valid");
    check(
        "option band '5'",
        "option bnad '5'",
        "line 12: unknown key \"bnad\"; did you mean \"band\"? use one of \"ap\", \"band\"",
    );
    check(
        "config radio",
        "config raido",
        "line 10: unknown key \"raido\"; did you mean \"radio\"? use one of \"nodes\", \
         \"server_name\", \"identity\", \"radio\", \"batching\", \"coalesce\", \"limits\", \"status\", \
         \"privacy\", \"access_point\", \"source\"",
    );
    check(
        "option path",
        "option pth",
        "line 16: source pcap: unknown key \"pth\"; did you mean \"path\"? use one of \"path\", \
         \"speed\", \"access_points\"",
    );
    check(
        "config radio",
        "config batching\n\toption hold_ms 'soon'\nconfig radio",
        "line 11: invalid type: string \"soon\"; expected u32",
    );
    check(
        "config radio",
        "config batching\n\toption hold_ms '9000'\nconfig radio",
        "line 10: hold_ms must be below age_max_ms, or nothing would be sent",
    );
    check(
        "config radio",
        "config batching\n\toption short_ids 'maybe'\nconfig radio",
        "line 11: \"maybe\" is neither yes nor no; write 1 or 0",
    );
    check(
        "enabled '0'",
        "enabled 'soon'",
        "line 2: \"soon\" is neither yes nor no; write 1 or 0",
    );
    check(
        "\toption key '/keys/ap-1.key'\n",
        "",
        "line 5: the key \"key\" is missing; add it, see agent.example.toml",
    );
    check(
        "config radio",
        "config identity\nconfig radio",
        "line 10: a second section of this type; put its keys into the first",
    );
    check(
        "config radio",
        "config agent\nconfig radio",
        "line 10: a second section agent; put its keys into the first",
    );
    check(
        "'pcap'",
        "'pcap",
        "line 15: the quote ' is not closed; add another",
    );
    check(
        "'127.0.0.1:4433'",
        "'x'",
        "line 3: \"x\" is no address of a node; use host:port, such as \
         node.example:4433 or [::1]:4433",
    );
    check(
        "config source\n\toption kind 'pcap'\n\toption path 'lobby.pcap'\n",
        "",
        "line 1: no source; add a [[source]] table, in UCI a section source; see agent.example.toml",
    );
}

proptest::proptest! {
    /// Whatever stands in a file, and however much of it, is taken or refused.
    #[test]
    fn no_file_panics(
        lines in proptest::collection::vec(
            "(config (agent|radio|source|privacy|privacy_named|access_point|x)|\
             (option|list) (kind|ap|nodes|speed|path|enabled|randomised|y) ('[^']{0,9}'|ubus|pcap|1))",
            0..20,
        ),
    ) {
        let _ = parse(&lines.join("\n"));
    }
}

#[test]
fn enabled_is_a_word_of_uci_only() {
    let toml = super::MINIMAL.replace("nodes =", "enabled = true\nnodes =");
    let error = parse(&toml).expect_err("no key of TOML").to_string();
    assert!(error.contains("unknown key \"enabled\""), "{error}");
}
