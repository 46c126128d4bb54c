//! A node and an agent as two processes: they heal when either is killed, and refuse strangers.

use crate::process::{Folder, NodeProcess, start_agent};

#[test]
fn a_killed_node_comes_back_without_a_restart_of_the_agent() {
    let folder = Folder::new();
    let config = folder.configure_agent("hall-01", "pki");
    let mut node = NodeProcess::start(&folder);
    let agent = start_agent(&folder, &config);
    node.wait_for_folded_above(50);
    node.process.kill();

    let node = NodeProcess::start(&folder);
    node.wait_for_folded_above(0);
    let (status, told) = agent.terminate();
    assert!(status.success(), "{told}");
    let (status, told) = node.process.terminate();
    assert!(status.success(), "{told}");
    let residual = told
        .lines()
        .find(|line| line.starts_with("residual"))
        .unwrap_or(&told);
    assert!(
        residual.split_whitespace().rev().take(2).all(|n| n == "0"),
        "{told}"
    );
}

#[test]
fn a_killed_agent_comes_back_without_a_restart_of_the_node() {
    let folder = Folder::new();
    let config = folder.configure_agent("hall-01", "pki");
    let node = NodeProcess::start(&folder);
    let mut agent = start_agent(&folder, &config);
    node.wait_for_folded_above(50);
    agent.kill();

    let before = node.folded();
    let agent = start_agent(&folder, &config);
    node.wait_for_folded_above(before + 5);
    let (status, told) = agent.terminate();
    assert!(status.success(), "{told}");
    let (_, told) = node.process.terminate();
    let residual = told
        .lines()
        .find(|line| line.starts_with("residual"))
        .unwrap_or(&told);
    assert!(
        residual.split_whitespace().rev().take(2).all(|n| n == "0"),
        "{told}"
    );
}

#[test]
fn a_stranger_gets_nothing_in_and_the_node_says_why_in_one_line() {
    let folder = Folder::new();
    folder.run_node_command(&["ca", "init", "--dir", "strangers"]);
    let stranger = folder.configure_agent("hall-02", "strangers");
    let friend = folder.configure_agent("hall-01", "pki");
    let node = NodeProcess::start(&folder);
    let stranger = start_agent(&folder, &stranger);
    let agent = start_agent(&folder, &friend);
    node.wait_for_folded_above(200);

    let ledger = node.get("/api/v1/ledger");
    let names: Vec<_> = ledger["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["agent"])
        .collect();
    assert_eq!(names, ["hall-01"], "{ledger}");
    drop((stranger, agent));
    let (_, told) = node.process.terminate();
    let refusals: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("refused"))
        .collect();
    assert!(!refusals.is_empty(), "{told}");
    assert!(
        refusals.iter().all(|line| line.contains("authority")),
        "{refusals:?}"
    );
}
