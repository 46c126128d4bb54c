//! An agent and a node with a bad network between them: what is sent is folded at most once, what is
//! missing is counted, the agent's memory stays, and its sources never wait for the network.

mod evidence;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent::status::{Format, ask};
use serde_json::Value;

use crate::process::{Folder, NodeProcess, PATIENCE, Running, free_port, start_agent};
use crate::relay::{Counts, Path, Relay};
use evidence::arrived;

/// What an agent may grow by while its network is bad: a debug build's queues fill up, 400 kB, and
/// the transport keeps what is on its way.
const GROWTH_KIB_MAX: u64 = 1_024;

/// How often each client is heard.
const TRANSMISSIONS_PER_SECOND: f64 = 2.5;

/// How long the network is bad, by the agent's clock.
const BAD_FOR: Duration = Duration::from_secs(4);

/// An agent, its relay and its node, all running well.
struct Rig {
    folder: Folder,
    relay: Relay,
    node: NodeProcess,
    agent: Running,
    /// Observations that the agent offers a second.
    rate: f64,
    resident_kib: u64,
}

impl Rig {
    /// Starts all three and waits until observations have flowed for some seconds.
    fn start(seed: u64, clients: usize) -> Self {
        let folder = Folder::new();
        let relay = Relay::start(folder.quic_port(), seed);
        let config = configure_agent(&folder, &[relay.port()], clients);
        let node = NodeProcess::start_with(&folder, &["--record", "first.recording"]);
        let agent = start_agent(&folder, &config);
        node.wait_for_folded_above(50);
        let mut rig = Self {
            folder,
            relay,
            node,
            agent,
            // In an open hall the agent hears every client.
            rate: TRANSMISSIONS_PER_SECOND * clients as f64,
            resident_kib: 0,
        };
        rig.at_full_second(2);
        rig.resident_kib = rig.agent.resident_kib();
        rig
    }

    fn status(&self) -> Value {
        let answer = ask(&self.folder.path("status.sock"), Format::Json).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Waits until the agent's clock has gone so many seconds on and shows a new one; that second,
    /// and what the agent has offered until then.
    fn at_full_second(&self, seconds: u64) -> (u64, u64) {
        let first = number(&self.status(), &["running_s"]);
        let began = Instant::now();
        loop {
            let status = self.status();
            let now = number(&status, &["running_s"]);
            if now > first + seconds {
                return (now, number(&status, &["ledger", "observations_offered"]));
            }
            assert!(began.elapsed() < PATIENCE, "the agent's clock stands still");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs for a while: the agent must offer as much as before and keep its memory.
    fn run_under_strain(&self) {
        let began = Instant::now();
        loop {
            let (from, before) = self.at_full_second(0);
            let (to, after) = self.at_full_second(BAD_FOR.as_secs());
            let offered = (after - before) as f64;
            // Where the agent's process was not let run for a while, the next seconds tell.
            if offered >= 0.8 * self.rate * (to - from) as f64 {
                break;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{offered} observations offered in {} s, not {} a second",
                to - from,
                self.rate
            );
        }
        let grown_kib = self.agent.resident_kib().saturating_sub(self.resident_kib);
        assert!(
            grown_kib <= GROWTH_KIB_MAX || self.relay.stood_still(),
            "{grown_kib} KiB more than {} KiB at {:.0} observations a second",
            self.resident_kib,
            self.rate
        );
    }

    /// Such a network is no reason to begin anew.
    fn check_one_session(&self) {
        let sessions = number(&self.status(), &["link", "sessions"]);
        assert!(
            sessions == 1 || self.relay.stood_still(),
            "{sessions} sessions"
        );
    }

    /// Both end, the agent first.
    fn finish(self) -> Finished {
        let (status, told) = self.agent.terminate();
        assert!(status.success(), "{told}");
        assert!(told.contains("booked by the node"), "{told}");
        let books = books(&self.node);
        // Completes the recording.
        let (status, log) = self.node.process.terminate();
        assert!(status.success(), "{log}");
        Finished {
            books,
            told,
            rate: self.rate,
            folder: self.folder,
            relay: self.relay,
        }
    }
}

/// What is left when both have ended.
struct Finished {
    folder: Folder,
    relay: Relay,
    /// The node's last books of the agent.
    books: Value,
    /// What the agent told at its end.
    told: String,
    rate: f64,
}

impl Finished {
    /// The node's books close, and agree with what its recording shows to have arrived.
    fn check_books(&self) {
        let of = |path: &[&str]| number(&self.books, path);
        let arrived = arrived(&self.folder.path("first.recording"));
        assert_eq!(of(&["residual"]), 0, "{}", self.books);
        let stood_still = self.relay.stood_still();
        let unknown = of(&["unknown", "observations"]);
        assert!(unknown == 0 || stood_still, "{}", self.books);
        let offered = of(&["offered", "observations"]);
        assert_eq!(offered, self.told_as_offered(), "both ends agree");
        let (dropped, lost) = (
            of(&["dropped_at_agent", "observations"]),
            of(&["lost", "observations"]),
        );
        let received = of(&["received", "observations"]);
        assert_eq!(
            offered,
            dropped + lost + unknown + received,
            "{}",
            self.books
        );
        assert_eq!(received, arrived.observations, "{}", self.books);
        assert_eq!(of(&["received", "datagrams"]), arrived.datagrams);
        let sent = of(&["offered", "datagrams"]) - of(&["dropped_at_agent", "datagrams"]);
        let missing = of(&["lost", "datagrams"]) + of(&["unknown", "datagrams"]);
        assert_eq!(missing, sent - arrived.datagrams, "{}", self.books);
        assert!(of(&["folded", "observations"]) <= received);
    }

    /// Observations that the agent had to offer in all, as it said at its end.
    fn told_as_offered(&self) -> u64 {
        let lines = &mut self.told.lines();
        let line = lines.find_map(|line| line.strip_prefix("observations offered"));
        let offered = line.and_then(|offered| offered.trim().parse().ok());
        offered.unwrap_or_else(|| panic!("nothing offered: {}", self.told))
    }

    fn lost_datagrams(&self) -> u64 {
        number(&self.books, &["lost", "datagrams"])
    }
}

fn configure_agent(folder: &Folder, ports: &[u16], clients: usize) -> PathBuf {
    let config = std::fs::read_to_string(folder.configure_agent("hall-01", "pki")).unwrap();
    let own = format!("nodes = [\"127.0.0.1:{}\"]", folder.quic_port());
    assert!(config.contains(&own));
    let addresses: Vec<_> = ports
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let config = config
        .replace(&own, &format!("nodes = [{}]", addresses.join(", ")))
        .replace(
            "clients = 20\n",
            &format!(
                "clients = {clients}\ntransmissions_per_second = {TRANSMISSIONS_PER_SECOND}\n"
            ),
        );
    let status = "[status]\nsocket = \"status.sock\"\n";
    folder.write("hall-01.toml", &(config + status))
}

/// The node's books of its only agent.
fn books(node: &NodeProcess) -> Value {
    node.get("/api/v1/ledger")["agents"][0]["books"].clone()
}

fn number(of: &Value, path: &[&str]) -> u64 {
    let value = path.iter().fold(of, |value, key| &value[key]);
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no {path:?} in {of}"))
}

/// Loses packets in both directions and repeats some; what the ledger says is checked against what
/// the relay did.
fn check_loss(loss: f64) {
    // Enough packets that a fault of each kind surely strikes one.
    let rig = Rig::start(1 + (loss * 100.0) as u64, 2_000);
    rig.relay.set_path(Path {
        loss,
        repeated: 0.1,
        ..Path::default()
    });
    rig.run_under_strain();
    let up = rig.relay.up();
    assert!(up.repeated > 0, "the faults took place: {up:?}");
    rig.check_one_session();
    let finished = rig.finish();
    finished.check_books();
    let (up, down) = (finished.relay.up(), finished.relay.down());
    let lost = finished.lost_datagrams();
    if loss == 0.0 {
        assert_eq!((up.lost, down.lost), (0, 0));
        assert!(lost == 0 || finished.relay.stood_still(), "{lost}");
    } else {
        // The node says so little that it may have lost nothing.
        let few = |counts: Counts| counts.lost * 2 < counts.packets;
        assert!(up.lost > 0 && few(up) && few(down), "{up:?} {down:?}");
        assert!(lost > 0, "some of {up:?} bore datagrams");
    }
}

#[test]
fn nothing_is_lost_or_told_twice_where_packets_are_repeated() {
    check_loss(0.0);
}

#[test]
fn what_a_network_loses_is_counted_at_5_percent() {
    check_loss(0.05);
}

#[test]
fn what_a_network_loses_is_counted_at_20_percent() {
    check_loss(0.2);
}

#[test]
fn a_narrow_link_costs_observations_and_neither_memory_nor_time() {
    // More than 300 kbit/s, so that something must give way.
    let rig = Rig::start(5, 3_100);
    rig.relay.set_path(Path {
        bits_per_second: Some(300_000),
        ..Path::default()
    });
    rig.run_under_strain();
    let finished = rig.finish();
    finished.check_books();
    let missing = number(&finished.books, &["dropped_at_agent", "observations"])
        + number(&finished.books, &["lost", "observations"]);
    assert!(missing > 0, "it was narrow: {}", finished.books);
}

#[test]
fn a_long_way_delays_and_loses_nothing() {
    let rig = Rig::start(6, 100);
    rig.relay.set_path(Path {
        delay: Duration::from_millis(200),
        ..Path::default()
    });
    rig.run_under_strain();
    rig.check_one_session();
    let finished = rig.finish();
    finished.check_books();
    let lost = finished.lost_datagrams();
    assert!(
        lost == 0 || finished.relay.stood_still(),
        "{}",
        finished.books
    );
}

#[test]
fn an_agent_whose_address_changes_keeps_its_session() {
    let rig = Rig::start(7, 100);
    for _ in 0..3 {
        rig.relay.move_agent();
        rig.node.wait_for_folded_above(rig.node.folded() + 100);
    }
    rig.run_under_strain();
    rig.check_one_session();
    rig.finish().check_books();
}

/// Kills the node and starts it again, here or elsewhere.
fn check_killed(elsewhere: bool) {
    let mut rig = Rig::start(8, 100);
    rig.relay.set_path(Path {
        loss: 0.05,
        ..Path::default()
    });
    let booked = number(&books(&rig.node), &["offered", "observations"]);
    rig.node.process.kill();
    let first = arrived(&rig.folder.path("first.recording"));
    if elsewhere {
        let port = free_port();
        rig.folder.move_node(port);
        rig.relay.set_node_port(port);
    }
    // While there is none, too.
    rig.run_under_strain();
    rig.node = NodeProcess::start_with(&rig.folder, &["--record", "second.recording"]);
    rig.node.wait_for_folded_above(100);
    rig.run_under_strain();
    let finished = rig.finish();
    let of = |path: &[&str]| number(&finished.books, path);
    assert_eq!(of(&["residual"]), 0, "{}", finished.books);
    let second = arrived(&finished.folder.path("second.recording"));
    assert!(first.observations > 0 && second.observations > 0);
    assert_eq!(of(&["received", "observations"]), second.observations);
    // The dead node booked a part of all that was offered, and its successor the whole rest.
    let all = finished.told_as_offered();
    let by_the_dead = all - of(&["offered", "observations"]);
    let short = finished.rate as u64 * 3;
    assert!(
        by_the_dead + short >= booked && by_the_dead <= all,
        "{booked} of {all} were booked before, {by_the_dead} not later"
    );
    let dropped = of(&["dropped_at_agent", "observations"]);
    assert!(
        first.observations + second.observations + dropped <= all,
        "never twice"
    );
    assert!(
        of(&["unknown", "observations"]) + dropped > 0,
        "it was gone: {}",
        finished.books
    );
}

#[test]
fn a_node_that_was_killed_comes_back_at_its_place() {
    check_killed(false);
}

#[test]
fn a_node_that_was_killed_comes_back_on_another_port_behind_the_same_address() {
    check_killed(true);
}

#[test]
fn a_node_that_comes_back_at_the_second_address_is_found_there() {
    let mut folder = Folder::new();
    let (first, second) = (folder.quic_port(), free_port());
    let config = configure_agent(&folder, &[first, second], 100);
    let mut node = NodeProcess::start(&folder);
    let agent = start_agent(&folder, &config);
    node.wait_for_folded_above(50);
    node.process.kill();
    folder.move_node(second);
    let node = NodeProcess::start(&folder);
    node.wait_for_folded_above(50);
    let (status, told) = agent.terminate();
    assert!(
        status.success() && told.contains("booked by the node"),
        "{told}"
    );
    let books = books(&node);
    assert_eq!(number(&books, &["residual"]), 0, "{books}");
}
