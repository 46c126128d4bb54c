//! OpenWrt's init script, run by a stand-in for rc.common that writes down what it asks of procd.

use std::path::Path;
use std::process::Command;

use super::{folder, told};

/// What the script meets.
#[derive(Default)]
struct Around {
    enabled: bool,
    running: bool,
    /// Kinds of the configured sources.
    kinds: &'static str,
    /// The option of ranges to other access points.
    peers: &'static str,
    /// The option of where hostapd's sockets are.
    folder: &'static str,
}

/// What a function of the script asks for, line by line.
#[track_caller]
fn asked(function: &str, around: &Around) -> Vec<String> {
    let rc_common = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/package/rc_common.sh");
    let output = Command::new("sh")
        .arg(rc_common)
        .arg(folder().join("openwrt/trilobite-agent.init"))
        .arg(function)
        .env("ENABLED", u8::from(around.enabled).to_string())
        .env("RUNNING", u8::from(around.running).to_string())
        .env("KINDS", around.kinds)
        .env("PEERS", around.peers)
        .env("FOLDER", around.folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(told(&output), "");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_disabled_agent_is_not_started() {
    let disabled = Around::default();
    assert_eq!(asked("start_service", &disabled), [""; 0]);
}

#[test]
fn an_enabled_agent_runs_as_its_user_in_a_jail_with_limits() {
    let enabled = Around {
        enabled: true,
        kinds: "ubus nl80211",
        ..Around::default()
    };
    let asked = asked("start_service", &enabled);
    for expected in [
        "chown -hR trilobite:trilobite /etc/trilobite-agent /var/run/trilobite-agent",
        "chmod 0700 /etc/trilobite-agent /var/run/trilobite-agent",
        "chmod 0640 /etc/config/trilobite-agent",
        "procd_set_param command /usr/sbin/trilobite-agent run --config /etc/config/trilobite-agent",
        "procd_set_param user trilobite",
        "procd_set_param respawn 3600 5 0",
        "procd_set_param no_new_privs 1",
        "procd_set_param limits core=0 0 nofile=128 128 data=33554432 33554432",
        "procd_add_jail trilobite-agent log ubus",
        "procd_add_jail_mount_rw /etc/trilobite-agent /var/run/trilobite-agent",
    ] {
        assert!(asked.iter().any(|line| line == expected), "{asked:#?}");
    }
    assert_eq!(asked.last().unwrap(), "procd_close_instance");
    let rights = |line: &String| line.contains("capabilities");
    assert!(!asked.iter().any(rights), "{asked:#?}");
}

#[test]
fn only_a_source_that_needs_rights_gets_them() {
    for (kinds, peers) in [("ubus monitor", ""), ("ble", ""), ("nl80211", "x")] {
        let around = Around {
            enabled: true,
            kinds,
            peers,
            ..Around::default()
        };
        let rights = "procd_set_param capabilities /etc/capabilities/trilobite-agent.json";
        let asked = asked("start_service", &around);
        assert!(asked.iter().any(|line| line == rights), "{kinds} {peers}");
    }
}

#[test]
fn only_the_source_hostapd_gets_its_sockets_into_the_jail() {
    let check = |kinds, folder, expected: &[&str]| {
        let around = Around {
            enabled: true,
            kinds,
            folder,
            ..Around::default()
        };
        let mut asked = asked("start_service", &around);
        asked.retain(|line| line.contains("hostapd"));
        assert_eq!(asked, expected);
    };
    check("ubus nl80211", "", &[]);
    check(
        "hostapd ubus hostapd",
        "",
        &["procd_add_jail_mount /var/run/hostapd"],
    );
    check(
        "hostapd",
        "/tmp/hostapd",
        &["procd_add_jail_mount /tmp/hostapd"],
    );
}

#[test]
fn a_reload_is_a_signal_a_start_or_a_stop() {
    let check = |enabled, running, expected: &str| {
        let around = Around {
            enabled,
            running,
            ..Around::default()
        };
        let asked = asked("reload_service", &around);
        assert_eq!(asked.last().unwrap(), expected);
    };
    check(true, true, "procd_send_signal trilobite-agent * HUP");
    check(true, false, "start");
    check(false, true, "stop");
}

#[test]
fn a_changed_configuration_triggers_a_reload() {
    let asked = asked("service_triggers", &Around::default());
    assert_eq!(asked, ["procd_add_reload_trigger trilobite-agent"]);
}
