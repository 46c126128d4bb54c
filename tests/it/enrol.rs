//! A new device joins: from a token to observations that are folded, and all that may go wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::process::{AGENT, Folder, NODE, NodeProcess, start_agent};

/// Turns enrolment on in the node's configuration.
fn let_agents_enrol(folder: &Folder) {
    let path = folder.path("node.toml");
    let config = fs::read_to_string(&path).unwrap();
    let enrolment = "[enrolment]\nauthority_key = \"pki/ca.key\"\n";
    let with_enrolment = config.replacen("[http]", &format!("{enrolment}[http]"), 1);
    folder.write("node.toml", &with_enrolment);
}

/// Makes a token for an agent of the hall.
fn token(folder: &Folder, agent: &str) -> String {
    let args = ["token", "join", "--config", "node.toml", "--site", "hall"];
    let told = folder.run_node_command(&[&args[..], &["--agent", agent]].concat());
    let told = String::from_utf8(told.stdout).unwrap();
    let (command, token) = told.trim().rsplit_once(" --token ").unwrap();
    let node = format!("localhost:{}", folder.quic_port());
    assert!(
        command.ends_with(&format!("trilobite-agent enroll --node {node}")),
        "{told}"
    );
    token.to_owned()
}

fn enroll_args(folder: &Folder, token: &str, out: &str) -> Vec<String> {
    let node = format!("127.0.0.1:{}", folder.quic_port());
    ["enroll", "--node", &node, "--token", token, "--out", out]
        .map(str::to_owned)
        .to_vec()
}

fn enroll(folder: &Folder, token: &str, out: &str, more: &[&str]) -> Output {
    let mut command = folder.command(AGENT);
    command.args(enroll_args(folder, token, out)).args(more);
    command.output().unwrap()
}

#[track_caller]
fn check_refused(output: &Output, code: i32, expected: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(expected), "{told}");
    assert_eq!(told.trim().lines().count(), 1, "{told}");
}

#[track_caller]
fn check_granted(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.collect()
}

#[test]
fn a_device_with_a_token_becomes_an_agent_that_is_heard() {
    let folder = Folder::new();
    let_agents_enrol(&folder);
    let node = NodeProcess::start(&folder);
    let token = token(&folder, "hall-01");
    let told = check_granted(&enroll(
        &folder,
        &token,
        "device",
        &["--write-config", "device/agent.toml"],
    ));
    assert!(
        told.starts_with("this device is agent hall-01 of site hall, for 7 days"),
        "{told}"
    );

    let config = fs::read_to_string(folder.path("device/agent.toml")).unwrap();
    let source = "[[source]]\nkind = \"synthetic\"\nsite = \"../hall.toml\"\nclients = 20\n";
    let config = folder.write("device/agent.toml", &(config + source));
    let agent = start_agent(&folder, &config);
    node.wait_for_folded_above(50);
    let (status, told) = agent.terminate();
    assert!(status.success(), "{told}");

    // The same device again, and another one with the same token.
    let again = enroll(&folder, &token, "device", &[]);
    check_refused(&again, 2, "agent.key exists already and was left alone");
    let other = enroll(&folder, &token, "thief", &[]);
    check_refused(&other, 1, "hall-01 was redeemed with another key");
    assert_eq!(
        files(&folder.path("thief")).len(),
        1,
        "only a key that waits"
    );
    let (_, told) = node.process.terminate();
    assert!(
        told.contains("may not enrol: the join token for agent hall-01 was redeemed"),
        "{told}"
    );
    assert!(
        !told.contains(&token[15..47]),
        "no log has a secret: {told}"
    );
}

#[test]
fn an_answer_that_was_lost_is_given_again_even_by_a_node_that_died() {
    let folder = Folder::new();
    let_agents_enrol(&folder);
    let mut node = NodeProcess::start(&folder);
    let token = token(&folder, "hall-01");
    check_granted(&enroll(&folder, &token, "device", &[]));
    node.process.kill();

    // As if the device had never heard the answer.
    let device = |name: &str| folder.path("device").join(name);
    fs::rename(device("agent.key"), device("agent.key.waiting")).unwrap();
    fs::remove_file(device("agent.pem")).unwrap();
    let key = fs::read(device("agent.key.waiting")).unwrap();
    let _node = NodeProcess::start(&folder);
    check_granted(&enroll(&folder, &token, "device", &[]));
    assert_eq!(fs::read(device("agent.key")).unwrap(), key);
}

#[test]
fn of_two_devices_with_one_token_one_joins() {
    let folder = Folder::new();
    let_agents_enrol(&folder);
    let _node = NodeProcess::start(&folder);
    let token = token(&folder, "hall-01");
    let start = |out: &str| {
        let mut command = folder.command(AGENT);
        command.args(enroll_args(&folder, &token, out));
        command.spawn().unwrap()
    };
    let devices = [start("one"), start("other")];
    let joined = devices.map(|mut device| device.wait().unwrap().success());
    assert_eq!(
        joined.iter().filter(|&&joined| joined).count(),
        1,
        "{joined:?}"
    );
}

#[test]
fn every_mistake_says_what_to_do() {
    let folder = Folder::new();
    let check = |token: &str, more: &[&str], code, expected: &str| {
        check_refused(&enroll(&folder, token, "device", more), code, expected);
    };
    let secret = "0b".repeat(16);
    let no_pin = format!("trilobite-join-{secret}");
    let other_pin = format!("{no_pin}-{}", "0c".repeat(32));
    check(&no_pin, &[], 2, "give --ca-fingerprint");
    check(
        &other_pin,
        &["--ca-fingerprint", &"0d".repeat(32)],
        2,
        "one of them is from elsewhere",
    );
    check(
        &other_pin,
        &[],
        1,
        "check the address, that the node runs, and that UDP gets through",
    );

    let no_enrolment = folder
        .command(NODE)
        .args(["token", "join", "--agent", "hall-01", "--site", "hall"])
        .args(["--config", "node.toml"])
        .output()
        .unwrap();
    check_refused(&no_enrolment, 1, "node.toml has no [enrolment]");
    let node = NodeProcess::start(&folder);
    check(
        &other_pin,
        &[],
        1,
        "give it an [enrolment] section in node.toml",
    );
    drop(node);

    let_agents_enrol(&folder);
    let _node = NodeProcess::start(&folder);
    check(&other_pin, &[], 1, "the token was not sent");
    check(
        &other_pin,
        &["--server-name", "elsewhere"],
        1,
        "the token was not sent",
    );
    let good = token(&folder, "hall-01");
    check(
        &good,
        &["--server-name", "elsewhere"],
        1,
        "not valid for name",
    );
    let pin = good.rsplit_once('-').unwrap().1;
    check(
        &format!("{no_pin}-{pin}"),
        &[],
        1,
        "there is no such join token",
    );
    let elsewhere = folder
        .command(NODE)
        .args(["token", "join", "--config", "node.toml"])
        .args(["--agent", "hall-01", "--site", "elsewhere"])
        .output()
        .unwrap();
    check_refused(
        &elsewhere,
        1,
        "does not serve site elsewhere; use one of hall",
    );
    // The fingerprint may also come by itself.
    let bare = good.rsplit_once('-').unwrap().0;
    check_granted(&enroll(&folder, bare, "device", &["--ca-fingerprint", pin]));
}
