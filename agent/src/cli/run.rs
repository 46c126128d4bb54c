//! `run`: the agent as a process, with signals, a supervisor, a status socket and limits.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::line::{Line, Misuse, Takes, missing};
use super::{FAILED, MISUSED, fail};
use crate::config::FileConfig;
use crate::counters::Ledger;
use crate::intake::in_one_line;
use crate::run::{Agent, AgentHandle, Change};
use crate::status::{AgentOutcome, StatusSocket};
use crate::system::own_use::limit_memory;
use crate::system::supervisor::Supervisor;

type AnyError = Box<dyn std::error::Error>;

pub(super) const HELP: &str = "\
Runs the agent until Ctrl-C, or until its sources have given out everything.

On Ctrl-C or SIGTERM the agent sends what waits, has the node book its final counters and prints
them on stderr. A second Ctrl-C ends it at once. On SIGHUP it reads the configuration again: rules
hold at once, sources are opened again only if theirs changed, and a file that is not right changes
nothing.

Usage: trilobite-agent run --config FILE

Options:
  --config FILE  the configuration, in TOML or in UCI; agent.example.toml explains every key
";

pub(super) const TAKES: Takes = Takes {
    options: &[("--config", Some("FILE"))],
    word: None,
};

#[derive(Debug)]
pub(super) struct RunArgs {
    config: PathBuf,
}

impl RunArgs {
    pub(super) fn read(mut line: Line) -> Result<Self, Misuse> {
        let config = line.path("--config");
        let config = config.ok_or_else(|| missing("--config FILE"))?;
        Ok(Self { config })
    }
}

pub(super) fn run_agent(args: &RunArgs) -> ExitCode {
    let path = args.config.as_path();
    let (config, agent) = match prepare(path) {
        Ok(prepared) => prepared,
        Err(error) => return fail(MISUSED, &*error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let running = Running { path, config };
    let outcome = runtime.and_then(|runtime| runtime.block_on(running.until_signalled(agent)));
    match outcome {
        Ok(Some(outcome)) => conclude(&outcome),
        Ok(None) => ExitCode::from(FAILED),
        Err(error) => fail(FAILED, &error),
    }
}

fn prepare(path: &Path) -> Result<(FileConfig, Agent), AnyError> {
    let config = FileConfig::load(path)?;
    if let Some(mib) = config.memory_mib {
        limit_memory(u64::from(mib) << 20)?;
    }
    let credentials = config.credentials()?;
    let sources = config.open_sources(&credentials.identity().agent)?;
    tracing::info!("this is {}", credentials.identity());
    let renewal = config.renewal(&credentials)?;
    let agent = Agent::new(config.agent.clone(), credentials, sources)?
        .with_renewal(renewal)
        .alone();
    Ok((config, agent))
}

/// What stands beside the agent while it runs. All of it shares the agent's thread.
struct Running<'a> {
    path: &'a Path,
    config: FileConfig,
}

impl Running<'_> {
    /// `None` when a second signal asked to end at once.
    async fn until_signalled(mut self, agent: Agent) -> std::io::Result<Option<AgentOutcome>> {
        let (mut first, mut second) = (Signals::new()?, Signals::new()?);
        let hangup = signal(SignalKind::hangup())?;
        let supervisor = Supervisor::from_environment();
        let shutdown = async {
            first.next().await;
            tracing::info!("leaving: sending what waits; Ctrl-C again ends at once");
            supervisor.stopping();
        };
        let at_once = async {
            second.next().await;
            second.next().await;
        };
        let handle = agent.handle();
        let socket = self.open_status();
        let status = answer_status(socket.as_ref(), handle.clone());
        supervisor.ready();
        Ok(tokio::select! {
            outcome = agent.run(shutdown) => Some(outcome),
            () = at_once => None,
            never = self.follow_changes(hangup, handle) => never,
            never = status => never,
            never = beat(&supervisor) => never,
        })
    }

    /// An agent whose status cannot be asked for is better than none.
    fn open_status(&self) -> Option<StatusSocket> {
        let path = self.config.status_socket.as_deref()?;
        let socket = StatusSocket::bind(path).inspect_err(|error| {
            tracing::warn!(
                "status socket {}: {error}; running without, give another one under [status]",
                path.display()
            );
        });
        socket.ok()
    }

    /// Reads the configuration again at each `SIGHUP`.
    async fn follow_changes<T>(&mut self, mut hangup: Signal, agent: AgentHandle) -> T {
        loop {
            if hangup.recv().await.is_none() {
                return std::future::pending().await;
            }
            match self.follow_change(&agent).await {
                Ok(()) => {}
                Err(error) => tracing::error!(
                    "the configuration stays as it was: {}",
                    in_one_line(&*error)
                ),
            }
        }
    }

    /// Follows the file as it is now, whole or not at all.
    async fn follow_change(&mut self, agent: &AgentHandle) -> Result<(), AnyError> {
        let config = FileConfig::load(self.path)?;
        let credentials = config.credentials()?;
        let sources = match config.has_sources_of(&self.config) {
            true => None,
            false => Some(config.open_sources(&credentials.identity().agent)?),
        };
        let opened = sources.as_ref().map(Vec::len);
        let change = Change {
            privacy: config.agent.privacy.clone(),
            coalesce: config.agent.coalesce,
            cpu_percent: config.agent.cpu_percent,
            sources,
        };
        let Some(followed) = agent.change(change).await else {
            return Ok(());
        };
        followed?;
        match opened {
            None => tracing::info!("configuration read again; the sources are as before"),
            Some(count) => tracing::info!("configuration read again; {count} sources opened anew"),
        }
        let later = config.for_next_start(&self.config);
        if !later.is_empty() {
            tracing::warn!(
                "changed, but used from the next start only: {}",
                later.join(", ")
            );
        }
        self.config = config.with_start_of(&self.config);
        Ok(())
    }
}

async fn answer_status<T>(socket: Option<&StatusSocket>, agent: AgentHandle) -> T {
    if let Some(socket) = socket {
        socket.serve(agent).await;
    }
    std::future::pending().await
}

/// Signs of life, as long as this thread gets round to them.
async fn beat<T>(supervisor: &Supervisor) -> T {
    let Some(period) = supervisor.beat() else {
        return std::future::pending().await;
    };
    loop {
        supervisor.alive();
        tokio::time::sleep(period).await;
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Prints the ledger. A source that failed makes the run a failure.
fn conclude(outcome: &AgentOutcome) -> ExitCode {
    for source in &outcome.sources {
        if let Some(notice) = &source.notice {
            tracing::warn!("{notice}");
        }
    }
    eprintln!("{}", Ledger(&outcome.counters));
    if outcome.privacy.randomised > 0 {
        eprintln!(
            "{} readings of devices with a made-up address and without association were only \
             counted or dropped; to tell them: randomised = \"on\" under [privacy]",
            outcome.privacy.randomised
        );
    }
    match (outcome.sessions, outcome.settled) {
        (0, _) => eprintln!("no node was reached"),
        (sessions, true) => eprintln!("in {sessions} sessions, booked by the node"),
        (sessions, false) => eprintln!("in {sessions} sessions, not confirmed by the node"),
    }
    match outcome.source_errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    }
}
