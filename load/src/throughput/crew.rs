//! All agents of a run on a few threads, and what they tell of their work.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::carrier::Carrier;
use super::member::Member;
use crate::interrupt::Interrupt;
use crate::limits::{CONNECT_MAX, LOOK_INTERVAL};
use crate::target::Target;

/// What all agents are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Find their node.
    Connect = 0,
    /// Hear and send.
    Hear = 1,
    /// Send what waits, settle and close.
    Leave = 2,
    /// Close at once.
    Stop = 3,
}

/// How far the agents of a thread, or of all, are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Agents with a session.
    pub(super) connected: usize,
    /// How often everybody has been heard by everybody.
    pub(super) rounds: u64,
    /// Agents with clients whose short ids they have not told the node.
    pub(super) defining: usize,
    /// Observations that they offered.
    pub(super) offered: u64,
}

/// What a thread and the run tell each other.
#[derive(Debug)]
pub(super) struct Shared {
    phase: AtomicU8,
    progress: Mutex<Progress>,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    fn new() -> Self {
        let progress = Progress {
            connected: 0,
            rounds: 0,
            defining: 0,
            offered: 0,
        };
        Self {
            phase: AtomicU8::new(Phase::Connect as u8),
            progress: Mutex::new(progress),
            trouble: Mutex::new(None),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Connect,
            1 => Phase::Hear,
            2 => Phase::Leave,
            _ => Phase::Stop,
        }
    }

    pub(super) fn tell(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Why an agent has not found its node so far.
    pub(super) fn note_trouble(&self, why: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A thread with its agents.
struct Hand {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<u64>>>,
}

/// Running agents; dropping the crew stops them.
pub(super) struct Crew {
    hands: Vec<Hand>,
    agents: usize,
}

impl Crew {
    /// Deals the members to so many threads, which connect them to the node.
    pub(super) fn start(
        members: Vec<Member>,
        threads: usize,
        node: SocketAddr,
    ) -> anyhow::Result<Self> {
        let agents = members.len();
        let base = Instant::now();
        let mut dealt: Vec<Vec<Member>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, member) in members.into_iter().enumerate() {
            dealt[index % threads].push(member);
        }
        let mut crew = Self {
            hands: Vec::new(),
            agents,
        };
        for (index, members) in dealt.into_iter().enumerate() {
            let shared = Arc::new(Shared::new());
            let carrier = Carrier::new(members, node, base, shared.clone())?;
            let thread = std::thread::Builder::new()
                .name(format!("agents-{index}"))
                .spawn(move || carrier.run())
                .context("cannot start a thread for agents")?;
            crew.hands.push(Hand {
                shared,
                thread: Some(thread),
            });
        }
        Ok(crew)
    }

    /// How far all agents are.
    pub(super) fn progress(&self) -> Progress {
        let mut all = Progress {
            connected: 0,
            rounds: u64::MAX,
            defining: 0,
            offered: 0,
        };
        for hand in &self.hands {
            let progress = hand.shared.progress();
            all.connected += progress.connected;
            all.rounds = all.rounds.min(progress.rounds);
            all.defining += progress.defining;
            all.offered += progress.offered;
        }
        all
    }

    /// Waits until every agent has a session.
    ///
    /// # Errors
    /// When some have none in time, the node ends, or somebody interrupts.
    pub(super) fn wait_connected(
        &mut self,
        target: &mut Target,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + CONNECT_MAX;
        loop {
            let connected = self.progress().connected;
            if connected == self.agents {
                return Ok(());
            }
            self.check(target, interrupt)?;
            if Instant::now() >= until {
                let trouble = self.hands.iter().find_map(|hand| hand.shared.trouble());
                bail!(
                    "{} of {} agents found no way to the node within {} s; {}",
                    self.agents - connected,
                    self.agents,
                    CONNECT_MAX.as_secs(),
                    trouble.unwrap_or_else(|| "it did not answer".to_owned())
                );
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Goes on only while the node and all agents are at work and nobody interrupts.
    ///
    /// # Errors
    /// Tells what is over.
    pub(super) fn check(
        &mut self,
        target: &mut Target,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        interrupt.check()?;
        // First the node: when it is gone its agents are lost for that reason.
        target.check()?;
        for hand in &mut self.hands {
            if hand.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                hand.join()?;
                bail!("the agents of a thread left early");
            }
        }
        Ok(())
    }

    /// Begins to hear.
    pub(super) fn hear(&self) {
        self.enter(Phase::Hear);
    }

    /// Lets all agents leave in good order; returns how many observations they offered in all.
    ///
    /// # Errors
    /// When one could not settle its books, or they take longer than that.
    pub(super) fn leave(
        &mut self,
        at_most: Duration,
        interrupt: &Interrupt,
    ) -> anyhow::Result<u64> {
        self.enter(Phase::Leave);
        let until = Instant::now() + at_most;
        let at_work = |hand: &Hand| hand.thread.as_ref().is_some_and(|one| !one.is_finished());
        while self.hands.iter().any(at_work) {
            interrupt.check()?;
            if Instant::now() >= until {
                bail!("agents did not leave within {} s", at_most.as_secs());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        self.hands.iter_mut().map(Hand::join).sum()
    }

    fn enter(&self, phase: Phase) {
        for hand in &self.hands {
            hand.shared.phase.store(phase as u8, Ordering::Release);
        }
    }
}

impl Hand {
    fn join(&mut self) -> anyhow::Result<u64> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(0),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.enter(Phase::Stop);
        for hand in &mut self.hands {
            // Whatever ended the run has been told; threads only have to be gone.
            let _ = hand.thread.take().map(JoinHandle::join);
        }
    }
}
