//! The node that a run plays against: started for it, or running elsewhere.

use std::path::Path;

use agent::route::NodeAddress;
use agent::run::AgentConfig;
use agent::source::Source;
use anyhow::Context as _;
use link::AgentCredentials;
use link::authority::AuthorityDir;
use tempfile::TempDir;
use wire::{AgentName, SiteName};

use crate::api::NodeApi;
use crate::child::{NodeChild, Usage};
use crate::cli::NodeArgs;
use crate::fleet::Member;
use crate::interrupt::Interrupt;
use crate::limits::CERTIFICATE_DAYS;
use crate::node_files::{Listen, NodeFiles};

/// A node to play against.
#[derive(Debug)]
pub struct Target {
    child: Option<NodeChild>,
    authority: AuthorityDir,
    node: NodeAddress,
    api: NodeApi,
    /// Lives as long as the child reads from it.
    _dir: Option<TempDir>,
}

/// What became of the wish for a node.
#[derive(Debug)]
pub enum Opened {
    /// It serves.
    Target(Box<Target>),
    /// Its files were written, as asked for; this tells what to do with them.
    Prepared(String),
}

impl Target {
    /// Starts a node on these files, writes them for one elsewhere, or turns to one that runs.
    ///
    /// # Errors
    /// Tells what is missing or in the way, and what to do.
    pub fn open(
        files: &NodeFiles,
        args: &NodeArgs,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Opened> {
        if let Some(dir) = &args.prepare {
            return prepare(files, dir).map(Opened::Prepared);
        }
        let target = match (&args.node, &args.http, &args.certificates) {
            (Some(node), Some(http), Some(certificates)) => elsewhere(node, http, certificates)?,
            _ => start(files, interrupt)?,
        };
        Ok(Opened::Target(Box::new(target)))
    }

    /// Its API.
    pub fn api(&self) -> &NodeApi {
        &self.api
    }

    /// An agent of this node, with a certificate that lives in memory only.
    ///
    /// # Errors
    /// When the authority cannot sign.
    pub fn member(
        &self,
        agent: &AgentName,
        site: &SiteName,
        sources: Vec<Box<dyn Source>>,
    ) -> anyhow::Result<Member> {
        Ok(Member {
            config: AgentConfig::new(vec![self.node.clone()]),
            credentials: self.credentials(agent, site)?,
            sources,
        })
    }

    /// A certificate for an agent of this node.
    ///
    /// # Errors
    /// When the authority cannot sign.
    pub fn credentials(
        &self,
        agent: &AgentName,
        site: &SiteName,
    ) -> anyhow::Result<AgentCredentials> {
        let authority = self.authority.authority();
        let issued = authority.issue_agent(agent, site, CERTIFICATE_DAYS)?;
        Ok(AgentCredentials::from_pem(
            authority.certificate_pem(),
            &issued.certificate_pem,
            &issued.key_pem,
        )?)
    }

    /// The node of our own; `None` for one elsewhere.
    pub fn child(&self) -> Option<&NodeChild> {
        self.child.as_ref()
    }

    /// Makes sure that a node of our own still runs.
    ///
    /// # Errors
    /// With its last words when it does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.child
            .as_mut()
            .map_or(Ok(()), NodeChild::check)
            .map_err(Into::into)
    }

    /// What a node of our own has used so far.
    pub fn usage(&self) -> Option<Usage> {
        self.child.as_ref().and_then(NodeChild::usage)
    }

    /// Stops a node of our own.
    ///
    /// # Errors
    /// With its last words when it does not end well.
    pub fn close(self) -> anyhow::Result<()> {
        self.child
            .map_or(Ok(()), NodeChild::stop)
            .map_err(Into::into)
    }
}

fn start(files: &NodeFiles, interrupt: &Interrupt) -> anyhow::Result<Target> {
    let dir = TempDir::with_prefix("trilobite-load-").context("cannot make a temporary folder")?;
    let written = files.write(dir.path(), Listen::anywhere())?;
    let child = NodeChild::start(&written.config, interrupt)?;
    let ready = child.ready();
    let quic = ready
        .quic
        .first()
        .context("the node serves no agents; use one of this version")?;
    let node = NodeAddress {
        host: quic.ip().to_string(),
        port: quic.port(),
    };
    let api = NodeApi::new(&format!("http://{}", ready.http));
    Ok(Target {
        child: Some(child),
        authority: written.authority,
        node,
        api,
        _dir: Some(dir),
    })
}

fn elsewhere(node: &NodeAddress, http: &str, certificates: &Path) -> anyhow::Result<Target> {
    let authority = AuthorityDir::open(certificates).with_context(|| {
        format!(
            "cannot make certificates from {}; name the folder of that node's `trilobite ca init`",
            certificates.display()
        )
    })?;
    let api = NodeApi::new(http);
    api.ledger()?;
    Ok(Target {
        child: None,
        authority,
        node: node.clone(),
        api,
        _dir: None,
    })
}

fn prepare(files: &NodeFiles, dir: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let written = files.write(dir, Listen::usual())?;
    Ok(format!(
        "written      {}\n\
         start        trilobite serve --config {}\n\
         then         the same command with --node HOST:4433 --http http://127.0.0.1:8080 \
         --certificates {} instead of --prepare",
        dir.display(),
        written.config.display(),
        dir.join("pki").display(),
    ))
}
