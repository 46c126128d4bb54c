//! An access point whose agent dies: told after a while, and only then.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Folder, NodeProcess, start_agent};

/// The link is idle for ten seconds before it counts as lost, then comes the grace of twenty.
const PATIENCE: Duration = Duration::from_secs(120);

fn wait_for(node: &NodeProcess, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let ap = node.get("/api/v1/sites/hall/aps/hall-01");
        if ap["state"] == state {
            return ap;
        }
        assert!(began.elapsed() < PATIENCE, "not {state}: {ap}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_access_point_goes_offline_when_its_agent_is_killed_and_no_reconnect_is_an_outage() {
    let folder = Folder::new();
    let config = folder.configure_agent("hall-01", "pki");
    let node = NodeProcess::start(&folder);
    let mut agent = start_agent(&folder, &config);
    let online = wait_for(&node, "online");
    assert_eq!(online["version"], 1);

    // Killed and started again at once: nobody hears of it.
    node.wait_for_folded_above(50);
    agent.kill();
    let before = node.folded();
    let mut agent = start_agent(&folder, &config);
    node.wait_for_folded_above(before + 5);
    assert_eq!(node.get("/api/v1/sites/hall/aps/hall-01"), online);

    // A restart of the node is no outage either.
    let (status, told) = node.process.terminate();
    assert!(status.success(), "{told}");
    let node = NodeProcess::start(&folder);
    node.wait_for_folded_above(0);
    assert_eq!(node.get("/api/v1/sites/hall/aps/hall-01"), online);

    agent.kill();
    assert_eq!(wait_for(&node, "offline")["version"], 2);
    let agent = start_agent(&folder, &config);
    assert_eq!(wait_for(&node, "online")["version"], 3);
    drop(agent);
    let list = node.get("/api/v1/sites/hall/aps");
    assert_eq!(list["aps"].as_array().unwrap().len(), 1, "{list}");
    assert!(list["cursor"].is_string(), "{list}");
}
