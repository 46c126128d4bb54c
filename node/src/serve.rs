//! `trilobite serve`: a node by its configuration, until it is told to stop.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ingest::registrar::Registrar;
use ingest::{ShardConfig, WorkerConfig};
use link::{NodeCredentials, ResetKey};
use outbox::Store;
use outbox::consumer::ConsumerFile;

use crate::alerts::AlertsParts;
use crate::config::{NodeConfig, RelaySection, TlsConfig};
use crate::enrolment::{Clerk, Counter};
use crate::http::{Door, Tls, TlsFiles, Unlisted};
use crate::messages::MessagesParts;
use crate::node::{COMPONENTS, Node, NodeParts};
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
    let scheme = |tls: bool| if tls { "https" } else { "http" };
    if let Some(address) = node.http_address() {
        let scheme = scheme(config.http.tls.is_some());
        tracing::info!("map and API at {scheme}://{address}");
    }
    if let Some(address) = node.messages_address() {
        let scheme = scheme(config.messages.tls.is_some());
        tracing::info!("messages at {scheme}://{address}/messages");
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
        "messages": node.messages_address(),
    });
    // Whoever started the node need not read it.
    let _ = writeln!(std::io::stdout(), "{ready}");
}

fn parts(config: &NodeConfig, record: Option<PathBuf>) -> anyhow::Result<NodeParts> {
    let quic = &config.quic;
    let mut credentials =
        NodeCredentials::from_files(&quic.authority, &quic.certificate, &quic.key)?;
    // Keys and messages of where people were lie in it.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.state_dir)
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
    let own = TlsFiles {
        certificate: quic.certificate.clone(),
        key: quic.key.clone(),
    };
    let tls = |tls: &Option<TlsConfig>| {
        let tls = tls.as_ref().map(|tls| Tls::open(tls.files(own.clone())));
        tls.transpose()
    };
    let http_tls = tls(&config.http.tls).context("http.tls")?;
    let messages = MessagesParts {
        listen: config.messages.listen,
        otherwise: None,
        tls: tls(&config.messages.tls).context("messages.tls")?,
        pace: config.messages.pace(),
    };
    let certificates = http_tls.iter().chain(&messages.tls);
    let mut http_hosts = config.http.hosts.clone();
    http_hosts.extend(certificates.flat_map(Tls::names));
    let listens = [config.http.listen, config.messages.listen];
    http_hosts.extend(listens.map(|listen| listen.ip().to_string()));
    let door = door(config)?;
    let store = Store::open(config.messages.store(&config.state_dir), &COMPONENTS)?;
    let alerts = AlertsParts {
        rules: config.alerts.rules(),
        hook: config.alerts.hook().context("alerts.webhook")?,
    };
    let relays = config.relays.iter().map(RelaySection::config);
    let relays = relays.collect::<anyhow::Result<Vec<_>>>()?;
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
        http_tls,
        http_hosts,
        door: Arc::new(door),
        store: Some(store),
        alerts,
        relays,
        messages: Some(messages),
        reader: None,
        truth: None,
    })
}

/// Who is let in: whoever is on this machine, until there are consumers with tokens; off loopback only
/// they.
fn door(config: &NodeConfig) -> anyhow::Result<Door> {
    let file = ConsumerFile::in_dir(&config.state_dir);
    let listens = [
        ("http.listen", config.http.listen),
        ("messages.listen", config.messages.listen),
    ];
    let far = listens
        .iter()
        .find(|(_, listen)| !listen.ip().is_loopback());
    let unlisted = match far {
        None => Unlisted::Welcome,
        Some(_) => Unlisted::Refused,
    };
    let watch = file.watch()?;
    if let (Some((key, listen)), None) = (far, watch.now()) {
        bail!(
            "{key} {listen} is not loopback, and there are no consumers in {}; make one first: \
             \"trilobite token create --name NAME --site SITE --type TYPE --config FILE\"",
            config.state_dir.display()
        );
    }
    Ok(Door::listed(watch, unlisted))
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
