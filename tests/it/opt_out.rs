//! A device opts out while it is in a zone: from one agent's list to everything that a node tells.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::{World, WorldConfig};
use site::Site;

use crate::process::{Folder, NODE, NodeProcess, PATIENCE, Running, start_agent};

const CORNERS: [&str; 4] = ["hall-01", "hall-04", "hall-07", "hall-10"];
const CLIENT: &str = "/api/v1/sites/hall/clients/badge-17";
const VISIT: &str = "/api/v1/sites/hall/zones/all/clients/badge-17";

/// A hall that is one zone, and agents in its corners that know one of the clients by name.
struct Hall {
    folder: Folder,
    node: NodeProcess,
    address: String,
    agents: Vec<(PathBuf, Running)>,
}

impl Hall {
    fn new() -> Self {
        let folder = Folder::new();
        let text = fs::read_to_string(folder.path("hall.toml")).unwrap();
        let zone = "zone = [\n  { id = \"all\", area = [[0, 0], [60, 0], [60, 40], [0, 40]], \
                    enter_after_s = 1 },";
        let text = text.replacen("zone = [", zone, 1);
        folder.write("hall.toml", &text);
        let config = WorldConfig {
            clients: 20,
            ..WorldConfig::default()
        };
        let world = World::new(Site::parse(&text).unwrap(), config);
        let octets = world.clients()[0].address;
        let octets = octets.map(|octet| format!("{octet:02x}"));
        let address = octets.join(":");
        let node = NodeProcess::start(&folder);
        let agents = CORNERS.map(|agent| {
            let path = folder.configure_agent(agent, "pki");
            let config = fs::read_to_string(&path).unwrap();
            let named =
                format!("[[privacy.named]]\naddress = \"{address}\"\nname = \"badge-17\"\n");
            fs::write(&path, config + &named).unwrap();
            let running = start_agent(&folder, &path);
            (path, running)
        });
        Self {
            folder,
            node,
            address,
            agents: agents.into(),
        }
    }

    /// Puts the device on the list of one agent, which runs on.
    fn opt_out_at(&self, agent: usize) {
        let (path, running) = &self.agents[agent];
        let config = fs::read_to_string(path).unwrap();
        let list = format!(
            "[privacy]\nopted_out = [\"{}\"]\n[[privacy.named]]",
            self.address
        );
        fs::write(path, config.replacen("[[privacy.named]]", &list, 1)).unwrap();
        running.signal("HUP");
    }

    fn wait_for(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.node.get(path);
            if is_so(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {path} stays {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn has_fix(&self) -> bool {
        let fixes = self.node.get("/api/v1/sites/hall/fixes");
        let fixes = fixes["fixes"].as_array().unwrap();
        fixes.iter().any(|fix| fix["client"] == "badge-17")
    }

    /// What `explain` says of it: it asks the worker itself.
    fn explain(&self) -> String {
        let mut command = self.folder.command(NODE);
        command.args(["explain", "badge-17", "--node", self.node.http()]);
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        String::from_utf8(told).unwrap()
    }

    /// Waits until the tables of the node's worker have so many clients. One that is heard is never
    /// forgotten for its silence.
    fn wait_for_tracks(&self, count: u64) {
        self.wait_for("clients", "/api/v1/ledger?agents=false", |ledger| {
            ledger["workers"][0]["clients"] == count
        });
    }
}

#[test]
fn who_opts_out_at_one_agent_is_gone_everywhere_while_others_go_on_to_tell() {
    let hall = Hall::new();
    hall.wait_for("a visit", VISIT, |visit| visit["inside"] == true);
    hall.wait_for("a fix", CLIENT, |client| client["x_m"].is_f64());
    assert!(hall.explain().contains("helped most"));
    assert!(hall.has_fix());
    hall.wait_for_tracks(20);

    hall.opt_out_at(0);
    let gone = hall.wait_for("the end", CLIENT, |client| client["state"] == "opted_out");
    assert_eq!(gone["client"], "badge-17", "{gone}");
    let visit = hall.node.get(VISIT);
    assert_eq!(
        (&visit["inside"], &visit["reason"]),
        (&false.into(), &"opted_out".into())
    );
    let told = hall.node.get_messages("/messages?type=client.*&limit=1000");
    let told: Vec<_> = told["messages"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["type"], &told[0]["resource"]),
        (&"client.optout".into(), &CLIENT.into())
    );

    // Three agents go on to tell of it: nobody hears of that, and its worker keeps nothing for long.
    let folded = hall.node.folded();
    hall.node.wait_for_folded_above(folded + 200);
    assert!(!hall.has_fix());
    let told = hall.explain();
    assert!(told.contains("has heard this client"), "{told}");
    hall.wait_for_tracks(19);
    (1..4).for_each(|agent| hall.opt_out_at(agent));
    let folded = hall.node.folded();
    hall.node.wait_for_folded_above(folded + 200);
    hall.wait_for_tracks(19);
    let visit = hall.node.get(VISIT);
    assert_eq!(
        (&visit["inside"], &visit["version"]),
        (&false.into(), &2.into()),
        "{visit}"
    );
}
