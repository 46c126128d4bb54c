//! `trilobite serve`: a node by its configuration, until it is told to stop.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ingest::registrar::Registrar;
use ingest::{ShardConfig, WorkerConfig};
use link::{NodeCredentials, ResetKey};

use crate::config::NodeConfig;
use crate::enrolment::{Clerk, Counter};
use crate::node::{Node, NodeParts};
use crate::periods::{Calendar, KeyKeeper};
use crate::sites::{self, LoadedSite, SiteError};

/// How long a stop waits for the last reports of agents.
const DRAIN_AT_MOST: Duration = Duration::from_secs(3);

/// Runs a node until Ctrl-C or SIGTERM, then drains and prints the final ledger on stderr.
///
/// # Errors
/// Tells which file, key or socket is wrong and what to do.
pub fn run(config_file: &Path, record: Option<PathBuf>) -> anyhow::Result<()> {
    let config = NodeConfig::load(config_file)?;
    let node = Node::start(parts(&config, record)?)?;
    tracing::info!("agents connect to {} (QUIC over UDP)", node.quic_address());
    if let Some(address) = node.http_address() {
        tracing::info!("map and API at http://{address}");
    }
    tell_ready(&node);
    node.wait_for_signal(None)?;
    tracing::info!(
        "draining: waiting for the last reports of {} agents",
        node.pipeline().connected()
    );
    let snapshot = node.stop(DRAIN_AT_MOST);
    eprint!("{}", crate::summary::ledger_table(&snapshot.books()));
    Ok(())
}

/// One line of JSON on stdout for whoever started the node: where it listens, once it does.
fn tell_ready(node: &Node) {
    let ready = serde_json::json!({
        "quic": node.pipeline().addresses(),
        "http": node.http_address(),
    });
    // Whoever started the node need not read it.
    let _ = writeln!(std::io::stdout(), "{ready}");
}

fn parts(config: &NodeConfig, record: Option<PathBuf>) -> anyhow::Result<NodeParts> {
    let quic = &config.quic;
    let mut credentials =
        NodeCredentials::from_files(&quic.authority, &quic.certificate, &quic.key)?;
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("cannot make state_dir {}", config.state_dir.display()))?;
    let reset_key = ResetKey::from_file(&config.state_dir.join("stateless-reset.key"))?;
    let worker = WorkerConfig {
        shard: ShardConfig {
            fix_hz: config.locate.fix_hz,
            window_s: config.locate.window_s,
            clients_max: config.locate.clients_per_site_max,
            ..ShardConfig::default()
        },
        recording_agents: config.recording.map(|recording| recording.agents),
    };
    let pseudonyms = &config.pseudonyms;
    let sites = load_sites(config)?;
    let registrar = registrar(config, &sites)?;
    if registrar.is_some() {
        credentials = credentials.with_enrolment();
    }
    Ok(NodeParts {
        listen: quic.listen,
        workers: config.workers,
        worker,
        credentials,
        reset_key,
        registrar,
        sites,
        calendar: Calendar::new(pseudonyms.period_h, pseudonyms.starts_at_utc_h),
        keeper: KeyKeeper::new(config.runtime_dir.clone()),
        record,
        http: Some(config.http.listen),
        http_hosts: config.http.hosts.clone(),
        reader: None,
        truth: None,
    })
}

/// Who certifies agents, where the configuration lets the node have the authority's key.
fn registrar(
    config: &NodeConfig,
    sites: &[LoadedSite],
) -> anyhow::Result<Option<Arc<dyn Registrar>>> {
    let Some(enrolment) = &config.enrolment else {
        return Ok(None);
    };
    let sites = sites.iter().map(|site| site.name.clone()).collect();
    let (authority, key) = (&config.quic.authority, &enrolment.authority_key);
    let clerk = Clerk::from_files(authority, key, sites, enrolment.certificate_days)
        .context("enrolment.authority_key")?;
    tracing::info!("new agents may enrol; make tokens with \"trilobite token join\"");
    Ok(Some(Arc::new(Counter::open(clerk)?)))
}

fn load_sites(config: &NodeConfig) -> Result<Vec<LoadedSite>, SiteError> {
    let mut loaded: Vec<LoadedSite> = Vec::new();
    for entry in &config.sites {
        let next = sites::load(&entry.file, entry.calibration.as_deref())?;
        if loaded.iter().any(|other| other.name == next.name) {
            return Err(SiteError::Twice {
                path: entry.file.clone(),
                id: next.site.id.clone(),
            });
        }
        tracing::info!(
            "site {}: {} floors, {} anchors",
            next.name,
            next.site.floors.len(),
            next.site.anchors.len()
        );
        loaded.push(next);
    }
    Ok(loaded)
}
