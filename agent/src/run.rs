//! The agent as a whole: keeps a link to a node and moves what the sources hear over it.
//!
//! The shell around [`Batcher`], [`AgentSession`], `Route` and `Backoff`, which decide; this
//! module waits. Everything happens in the one task that calls [`Agent::run`], and nothing in it
//! blocks: without a connection the sources are still read, the newest observations kept and the
//! older ones dropped and counted.

mod asked;
mod control;
mod core;
mod dialler;
mod inbox;
mod leave;
mod pace;
mod pump;
#[cfg(test)]
mod tests;
mod wake;

use std::pin::{Pin, pin};
use std::time::Duration;

use link::{AgentCredentials, AgentEndpoint, Knobs, NodeLink};
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::batcher::{Batcher, BatcherLimits};
use crate::intake::{Intake, SourcesError, in_one_line};
use crate::limits::{FAREWELL_LOOK, FAREWELL_MAX};
use crate::privacy::{Rules, Stage};
use crate::renewal::Renewal;
use crate::route::{NodeAddress, Route};
use crate::session::AgentSession;
use crate::source::Source;
use crate::status::{AgentOutcome, AgentStatus, Ending, StatusHandle};
use crate::system::alarm::Alarm;
use core::Core;
use dialler::{Dialled, Dialler};
use inbox::Desk;
use pump::Ended;

pub use dialler::DialError;
pub(crate) use dialler::{any_port_towards, resolve};
pub use inbox::{AgentHandle, Change};

/// What an agent needs besides its credentials and sources.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Nodes to ask, in this order; at least one.
    pub nodes: Vec<NodeAddress>,
    /// The name in the node's certificate; the host that is connected to unless given.
    pub server_name: Option<String>,
    /// How much may wait, for how long, and how much leaves at once.
    pub batcher: BatcherLimits,
    /// Clients that are heard again and again go by short ids, if the node grants them.
    pub short_ids: bool,
    /// What may leave, and under which id.
    pub privacy: Rules,
    /// Observations of a client are gathered for so long and told as one; `None`: each by itself.
    pub coalesce: Option<Duration>,
    /// The share of one processor that the agent may take, in percent; `None`: all it needs.
    pub cpu_percent: Option<u8>,
    /// The transport's knobs.
    pub knobs: Knobs,
    /// Draws the jitter of reconnects; random unless given.
    pub seed: Option<u64>,
}

impl AgentConfig {
    /// Defaults for an agent of these nodes.
    pub fn new(nodes: Vec<NodeAddress>) -> Self {
        Self {
            nodes,
            server_name: None,
            batcher: BatcherLimits::default(),
            short_ids: true,
            privacy: Rules::default(),
            coalesce: None,
            cpu_percent: None,
            knobs: Knobs::default(),
            seed: None,
        }
    }
}

/// Why an agent cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The sources do not go together.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// No node to connect to.
    #[error("no node to connect to; name at least one")]
    NoNode,
    /// The system gave no random number.
    #[error("no random number from the system: {0}")]
    Random(getrandom::Error),
}

/// An agent that is ready to run.
pub struct Agent {
    core: Core,
    dialler: Dialler,
    route: Route,
    backoff: Backoff,
    status: StatusHandle,
    handle: AgentHandle,
    alone: bool,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("node", self.route.address())
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent with its own socket. All queues are allocated here.
    ///
    /// # Errors
    /// [`AgentError`] when the sources cannot work in one agent or there is no node.
    pub fn new(
        config: AgentConfig,
        credentials: AgentCredentials,
        sources: Vec<Box<dyn Source>>,
    ) -> Result<Self, AgentError> {
        if config.nodes.is_empty() {
            return Err(AgentError::NoNode);
        }
        let seed = match config.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(AgentError::Random)?,
        };
        let intake = Intake::new(sources, Stage::new(config.privacy))?;
        let program = crate::PROGRAM.to_owned();
        let session = AgentSession::new(program, intake.radios().to_vec(), intake.clock());
        let (publish, status): (watch::Sender<AgentStatus>, _) = StatusHandle::new();
        let mut limits = config.batcher;
        if !config.short_ids {
            limits.short_ids_max = 0;
        }
        let batcher = Batcher::new(limits);
        let (desk, handle) = Desk::new();
        let mut core = Core::new(intake, batcher, session, publish, desk, config.batcher.hold);
        core.set_coalescing(config.coalesce);
        core.set_pace(config.cpu_percent);
        Ok(Self {
            core,
            dialler: Dialler::new(credentials, config.server_name, config.knobs),
            route: Route::new(config.nodes),
            backoff: Backoff::new(seed, 0),
            status,
            handle,
            alone: false,
        })
    }

    /// Connects from this socket instead of an own one, so that many agents share it.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: AgentEndpoint) -> Self {
        self.dialler.share(endpoint);
        self
    }

    /// For a process that is this agent and nothing else: all memory of the queue is taken from the
    /// system now, and waits have a timer of their own, which costs fewer wake-ups.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.core.batcher.touch_memory();
        self.alone = true;
        self
    }

    /// Asks for the next certificate when two thirds of the present one's life are over.
    #[must_use]
    pub fn with_renewal(mut self, renewal: Option<Renewal>) -> Self {
        self.core.renewal = renewal;
        self
    }

    /// Follows this agent while it runs.
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// Asks this agent while it runs.
    pub fn handle(&self) -> AgentHandle {
        self.handle.clone()
    }

    /// Runs until `shutdown` is ready or every source is finished, then leaves in good order: all
    /// that waits is sent, and the node books the final counters.
    ///
    /// Needs a tokio runtime with IO and time; a current-thread one is enough for many agents.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> AgentOutcome {
        let mut shutdown = Shutdown {
            future: pin!(shutdown),
            asked: false,
        };
        if self.alone {
            self.core.alarm = Alarm::own();
        }
        loop {
            let wait = match self.attempt(&mut shutdown).await {
                Ended::Left => break,
                _ if shutdown.asked => break,
                ended => self.plan_next(&ended),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.core.collect() => break,
                () = shutdown.wait() => break,
            }
        }
        let ending = if shutdown.asked {
            Ending::Shutdown
        } else {
            Ending::SourcesFinished
        };
        self.core.into_outcome(ending)
    }

    /// One link, from dialling to its end.
    async fn attempt(&mut self, shutdown: &mut Shutdown<'_, impl Future<Output = ()>>) -> Ended {
        let address = self.route.address().clone();
        self.core.node = address.to_string();
        let dialled = tokio::select! {
            dialled = self.dialler.dial(&address) => dialled,
            () = self.core.collect() => return Ended::Left,
            () = shutdown.wait() => return Ended::Left,
        };
        let Dialled { link, endpoint } = match dialled {
            Ok(dialled) => dialled,
            Err(error) => return Ended::Failed(in_one_line(&error)),
        };
        let sessions = self.core.session.sessions();
        let mut ended = pump::serve(&mut self.core, &mut self.route, &link, shutdown).await;
        if let Ended::Lost(why) = &ended
            && self.core.session.sessions() == sessions
        {
            ended = Ended::Failed(format!("node {address}: {why}"));
        }
        self.core.handle_link_lost(link.stats().datagrams_sent);
        if let Some(credentials) = self.core.renewed.take() {
            self.dialler.use_credentials(*credentials);
        }
        say_farewell(link, endpoint, &ended).await;
        ended
    }

    /// Decides how long to wait and where to connect then, and tells the log.
    fn plan_next(&mut self, ended: &Ended) -> Duration {
        let now_us = self.core.now_us();
        let from = self.route.address().to_string();
        match ended {
            Ended::GoTo(address) => match self.route.handle_redirect(address) {
                Ok(()) => {
                    tracing::info!("node {from} redirects to {}", self.route.address());
                    return Duration::ZERO;
                }
                Err(error) => tracing::warn!("{error}"),
            },
            Ended::AnotherHello => {
                tracing::info!("greeting node {from} again, with other radios");
                self.backoff.handle_session_ended(now_us);
                self.route.handle_session_ended();
                return Duration::ZERO;
            }
            Ended::Lost(_) | Ended::Drained => {
                self.backoff.handle_session_ended(now_us);
                self.route.handle_session_ended();
            }
            Ended::Refused(_) => {
                self.backoff.handle_refused();
                self.route.handle_failure();
            }
            Ended::Failed(_) | Ended::Left => self.route.handle_failure(),
        }
        let wait = self.backoff.next_wait(now_us);
        let next = self.route.address();
        let seconds = wait.as_secs_f32();
        match ended {
            Ended::Lost(why) => {
                tracing::warn!("lost node {from}: {why}; trying {next} in {seconds:.1} s");
            }
            Ended::Refused(why) => {
                tracing::warn!("refused by node {from}: {why}; trying {next} in {seconds:.1} s");
            }
            Ended::Failed(why) => {
                tracing::warn!("no connection: {why}; trying {next} in {seconds:.1} s");
            }
            Ended::Drained => {
                tracing::info!("node {from} is about to stop; trying {next} in {seconds:.1} s");
            }
            Ended::GoTo(_) | Ended::AnotherHello | Ended::Left => {}
        }
        wait
    }
}

/// Closes the link; an own socket stays open until the node has answered that, or most likely been
/// told.
async fn say_farewell(link: NodeLink, own_endpoint: Option<AgentEndpoint>, ended: &Ended) {
    link.close(match ended {
        Ended::GoTo(_) => "redirected",
        Ended::Refused(_) => "refused",
        _ => "leaving",
    });
    if let (Some(_endpoint), false) = (own_endpoint, matches!(ended, Ended::Lost(_))) {
        let answered = async {
            while !link.is_close_answered() {
                tokio::time::sleep(FAREWELL_LOOK).await;
            }
        };
        // Whether the node was told in time changes nothing for this end.
        let _ = tokio::time::timeout(FAREWELL_MAX, answered).await;
    }
}

/// The wish to end; once uttered it stays.
struct Shutdown<'a, F> {
    future: Pin<&'a mut F>,
    asked: bool,
}

impl<F: Future<Output = ()>> Shutdown<'_, F> {
    async fn wait(&mut self) {
        if !self.asked {
            self.future.as_mut().await;
            self.asked = true;
        }
    }
}
