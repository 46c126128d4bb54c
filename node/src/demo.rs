//! `trilobite demo`: a simulated building, agents over real QUIC on loopback, fixes, the map.
//!
//! Only the radio is simulated. The agents are the agents, with certificates of a throw-away
//! authority; the node is the node.

mod fleet;
mod report;
mod score;
mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ingest::{ShardConfig, WorkerConfig};
use link::ResetKey;
use link::authority::Authority;
use outbox::{Store, StoreConfig};
use site::{Calibration, Site};

use crate::alerts::AlertsParts;
use crate::cli::DemoArgs;
use crate::config::MessagesConfig;
use crate::http::Door;
use crate::messages::MessagesParts;
use crate::node::{COMPONENTS, Node, NodeParts};
use crate::periods::{Calendar, KeyKeeper};
use crate::sites::{self, LoadedSite};
use fleet::Fleet;
use report::Report;
use score::Score;
use world::{Driver, Stage};

/// The office that is simulated unless another site is named.
const OFFICE: &str = include_str!("../../sites/office.toml");

/// Fixes per second and client: smooth enough for the eye.
const FIX_HZ: f64 = 2.0;

/// How long to wait for all agents to connect.
const CONNECT_AT_MOST: Duration = Duration::from_secs(20);

/// How long the node waits for the last reports; the agents have left by then.
const DRAIN_AT_MOST: Duration = Duration::from_secs(3);

/// Where messages are, unless something else is there.
const MESSAGES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Days for which the throw-away certificates are valid.
const DAYS: u32 = 30;

/// Runs the demo; returns what to print on stdout.
///
/// # Errors
/// Tells what could not be had: a port, a site file, agents that did not connect.
pub fn run(args: &DemoArgs) -> anyhow::Result<String> {
    let loaded = load_site(args)?;
    let authority = Authority::create()?;
    let (calendar, keeper) = (Calendar::starting_now(), KeyKeeper::new(None));
    let key = keeper.key(loaded.name.as_str(), calendar.current())?;
    let stage = Arc::new(Stage::new(&loaded.site, args, &key));
    let score = Score::new(stage.clone());

    // Its messages go with it.
    let folder = tempfile::tempdir().context("cannot make a folder for the demo's messages")?;
    let store = Store::open(
        StoreConfig::sqlite(folder.path().join("outbox.sqlite")),
        &COMPONENTS,
    )?;
    let node = Node::start(NodeParts {
        store: Some(store),
        calendar,
        keeper,
        sites: vec![loaded.clone()],
        reader: Some(score.reader()),
        truth: Some(stage.truth_source()),
        ..node_parts(args, &authority)?
    })?;
    let fleet = Fleet::start(&loaded, &authority, node.quic_address(), args)?;
    fleet.wait_until_connected(CONNECT_AT_MOST)?;

    let began = Instant::now();
    stage.begin(node.pipeline().time().now_us());
    let driver = Driver::start(stage, fleet.ears(began), began)?;
    fleet.begin_loss();
    tell(args, &node, &loaded.site);
    node.wait_for_signal(args.seconds.map(Duration::from_secs_f64))?;

    driver.stop();
    let seconds = began.elapsed().as_secs_f64();
    fleet.leave();
    let snapshot = node.stop(DRAIN_AT_MOST);
    let report = Report::new(
        &snapshot.books(),
        score.accuracy(),
        &snapshot.latency_us(),
        seconds,
    );
    Ok(if args.json {
        report.to_json()
    } else {
        report.to_text()
    })
}

fn load_site(args: &DemoArgs) -> anyhow::Result<LoadedSite> {
    match &args.site {
        Some(file) => Ok(sites::load(file, None)?),
        None => {
            let office =
                Site::parse(OFFICE).expect("the site that ships is valid: a test reads it");
            Ok(sites::prepare(office, &Calibration::default()))
        }
    }
}

fn node_parts(args: &DemoArgs, authority: &Authority) -> anyhow::Result<NodeParts> {
    let issued = authority.issue_node(&["localhost".to_owned()], DAYS)?;
    let credentials = link::NodeCredentials::from_pem(
        authority.certificate_pem(),
        &issued.certificate_pem,
        &issued.key_pem,
    )?;
    let shard = ShardConfig {
        fix_hz: FIX_HZ,
        ..ShardConfig::default()
    };
    Ok(NodeParts {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        workers: 1,
        worker: WorkerConfig {
            shard,
            recording_agents: None,
        },
        credentials,
        registrar: None,
        reset_key: ResetKey::random()?,
        sites: Vec::new(),
        calendar: Calendar::starting_now(),
        keeper: KeyKeeper::new(None),
        record: args.record.clone(),
        http: (!args.headless).then_some(args.http),
        http_tls: None,
        http_hosts: Vec::new(),
        door: Arc::new(Door::open()),
        store: None,
        alerts: AlertsParts::default(),
        relays: Vec::new(),
        messages: (!args.headless).then_some(MessagesParts {
            listen: MESSAGES,
            otherwise: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            tls: None,
            pace: MessagesConfig::default().pace(),
        }),
        reader: None,
        truth: None,
    })
}

fn tell(args: &DemoArgs, node: &Node, site: &Site) {
    tracing::info!(
        "{}: {} clients, {} access points on {} floors, seed {}",
        site.name,
        args.clients,
        site.anchors.len(),
        site.floors.len(),
        args.seed
    );
    if let Some(address) = node.http_address() {
        tracing::info!("the map: http://{address}");
    }
    if let Some(address) = node.messages_address() {
        tracing::info!("messages: curl \"http://{address}/messages?wait=60\"");
    }
    match args.seconds {
        Some(seconds) => tracing::info!("running for {seconds} s"),
        None => tracing::info!("Ctrl-C ends it"),
    }
}

#[cfg(test)]
mod zone_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_office_that_ships_is_valid() {
        let office = Site::parse(OFFICE).unwrap();
        assert_eq!(office.floors.len(), 3);
        assert_eq!(office.anchors.len(), 24);
    }
}
