//! Many agents in this process, dealt to a few threads.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent::run::{Agent, AgentConfig};
use agent::source::Source;
use agent::status::{AgentOutcome, StatusHandle};
use anyhow::{Context as _, bail};
use link::AgentCredentials;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::LocalSet;
use wire::frame::Counters;

use crate::interrupt::Interrupt;
use crate::limits::{AGENTS_PER_THREAD, CONNECT_MAX, FLEET_THREADS_MAX, LOOK_INTERVAL};
use crate::target::Target;

/// An agent to be.
pub struct Member {
    /// Node and limits.
    pub config: AgentConfig,
    /// Who it is.
    pub credentials: AgentCredentials,
    /// What it hears.
    pub sources: Vec<Box<dyn Source>>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

/// Running agents; dropping the fleet ends them.
#[derive(Debug)]
pub struct Fleet {
    statuses: Vec<StatusHandle>,
    threads: Vec<JoinHandle<Vec<AgentOutcome>>>,
    shutdown: watch::Sender<bool>,
}

impl Fleet {
    /// Starts the agents.
    ///
    /// # Errors
    /// When an agent's sources do not go together, or the system gives no thread.
    pub fn start(members: Vec<Member>) -> anyhow::Result<Self> {
        let shutdown = watch::Sender::new(false);
        let threads = members
            .len()
            .div_ceil(AGENTS_PER_THREAD)
            .clamp(1, FLEET_THREADS_MAX);
        let mut statuses = Vec::with_capacity(members.len());
        let mut dealt: Vec<Vec<Agent>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, member) in members.into_iter().enumerate() {
            let agent = Agent::new(member.config, member.credentials, member.sources)?;
            statuses.push(agent.status());
            dealt[index % threads].push(agent);
        }
        let mut fleet = Self {
            statuses,
            threads: Vec::new(),
            shutdown,
        };
        for (index, agents) in dealt.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let shutdown = fleet.shutdown.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("agents-{index}"))
                .spawn(move || run(&runtime, agents, &shutdown))
                .context("cannot start a thread for agents")?;
            fleet.threads.push(thread);
        }
        Ok(fleet)
    }

    /// Waits until every agent has a session.
    ///
    /// # Errors
    /// When some have none in time, the node ends, or somebody interrupts.
    pub fn wait_connected(&self, target: &mut Target, interrupt: &Interrupt) -> anyhow::Result<()> {
        let until = Instant::now() + CONNECT_MAX;
        loop {
            let total = self.statuses.len();
            let met = self
                .statuses
                .iter()
                .filter(|status| status.now().sessions > 0)
                .count();
            if met == total {
                return Ok(());
            }
            interrupt.check()?;
            target.check()?;
            if Instant::now() >= until {
                bail!(
                    "{} of {total} agents found no way to the node within {} s; the warnings above \
                     say why",
                    total - met,
                    CONNECT_MAX.as_secs()
                );
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Counters of all agents together, as of their last reports.
    pub fn counters(&self) -> FleetCounters {
        self.statuses
            .iter()
            .fold(FleetCounters::default(), |mut sum, status| {
                let Counters {
                    observations_offered,
                    observations_sent,
                    ..
                } = status.now().counters;
                sum.offered += observations_offered;
                sum.sent += observations_sent;
                sum
            })
    }

    /// Whether every agent has ended.
    pub fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Asks all agents to leave in good order, and waits at most so long.
    pub fn leave(&self, at_most: Duration) {
        self.shutdown.send_replace(true);
        let until = Instant::now() + at_most;
        while !self.is_over() && Instant::now() < until {
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// What all agents together did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FleetCounters {
    /// Observations that their sources gave.
    pub offered: u64,
    /// Observations that they handed to their links.
    pub sent: u64,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
    }
}

fn run(
    runtime: &Runtime,
    agents: Vec<Agent>,
    shutdown: &watch::Receiver<bool>,
) -> Vec<AgentOutcome> {
    let local = LocalSet::new();
    let running: Vec<_> = agents
        .into_iter()
        .map(|agent| {
            let mut shutdown = shutdown.clone();
            local.spawn_local(agent.run(async move {
                // The sender's end is the same wish.
                let _ = shutdown.wait_for(|asked| *asked).await;
            }))
        })
        .collect();
    local.block_on(runtime, async {
        let mut outcomes = Vec::new();
        for agent in running {
            match agent.await {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => tracing::error!("an agent stopped: {error}"),
            }
        }
        outcomes
    })
}
