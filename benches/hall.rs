//! A hall full of agents, as site, model and greeting.

use std::fmt::Write as _;
use std::sync::Arc;

use ingest::ServedSite;
use locate::{Model, ModelOptions};
use site::{Calibration, Site};
use wire::frame::{Clock, Hello, RadioHello};
use wire::{AgentName, ApName, SiteName};

/// Agents of the hall: the number of the goals.
pub const AGENTS: usize = 64;

/// Agents that hear a client.
pub const HEARERS: usize = 8;

/// Groups of clients that the same agents hear.
const GROUPS: usize = AGENTS / HEARERS;

/// Clients that each agent hears, when there are so many in the hall.
pub fn clients_per_agent(clients: usize) -> usize {
    clients / GROUPS
}

/// The client that agent number `agent` calls its `n`th; agents of one group share theirs.
pub fn client_of(agent: usize, n: u32) -> u64 {
    (agent % GROUPS + GROUPS * n as usize) as u64
}

/// Name of agent number `n`, which is that of its access point.
///
/// # Panics
/// Never: the name is valid.
pub fn agent(n: usize) -> AgentName {
    AgentName::new(format!("ap-{n:04}")).expect("a valid name")
}

/// What agent number `n` says to the node.
///
/// # Panics
/// Never: the name is valid.
pub fn hello(n: usize) -> Hello {
    Hello {
        version: wire::batch::BATCH_VERSION,
        program: "bench".into(),
        radios: vec![RadioHello {
            ap: ApName::new(format!("ap-{n:04}")).expect("a valid name"),
            band: "5".into(),
        }],
        clock: Clock::Monotonic,
        previous: None,
    }
}

/// Name of the hall.
///
/// # Panics
/// Never: the name is valid.
pub fn name() -> SiteName {
    SiteName::new("hall".to_owned()).expect("a valid name")
}

/// The hall with so many agents on a grid of eight metres, ready to be served.
///
/// # Panics
/// Never: the site file is valid.
pub fn served(agents: usize) -> ServedSite {
    let site = Arc::new(Site::parse(&site_file(agents)).expect("the hall is valid"));
    let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
    ServedSite {
        index: 0,
        name: name(),
        site,
        model: Arc::new(model),
    }
}

fn site_file(agents: usize) -> String {
    let columns = (agents as f64).sqrt().ceil() as usize;
    let (width, depth) = (8 * columns, 8 * agents.div_ceil(columns));
    let mut text = format!(
        "site = \"hall\"\n\n[[floor]]\nid = \"0\"\nelevation_m = 0\nheight_m = 8\n\
         outline = [[0, 0], [{width}, 0], [{width}, {depth}], [0, {depth}]]\n"
    );
    for n in 0..agents {
        let (x, y) = (8 * (n % columns) + 4, 8 * (n / columns) + 4);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[anchor]]\nid = \"ap-{n:04}\"\nfloor = \"0\"\nposition = [{x}, {y}]\n\
             height_m = 5\nradios = [\"5\"]\n"
        );
    }
    text
}
