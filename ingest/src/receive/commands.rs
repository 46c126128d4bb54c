//! What the process tells its workers.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use link::PortWaker;
use wire::frame::PseudonymKey;

/// The state that workers shall be in; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Commands(Arc<Board>);

/// A board that workers read when its number of changes is not the one that they know.
#[derive(Debug)]
struct Board {
    changes: AtomicU64,
    phase: AtomicU8,
    keys: Vec<Mutex<SiteKey>>,
    workers: Vec<PortWaker>,
}

/// A site's pseudonym key and how often it has changed.
#[derive(Debug, Clone)]
pub(super) struct SiteKey {
    pub(super) version: u64,
    pub(super) key: PseudonymKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    Draining,
    Stopped,
}

impl Commands {
    pub(crate) fn new(keys: impl Iterator<Item = PseudonymKey>, workers: Vec<PortWaker>) -> Self {
        let keys = keys.map(|key| Mutex::new(SiteKey { version: 0, key }));
        Self(Arc::new(Board {
            changes: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Running as u8),
            keys: keys.collect(),
            workers,
        }))
    }

    pub(crate) fn set_pseudonym_key(&self, site: usize, key: PseudonymKey) {
        {
            let mut known = self.lock(site);
            known.version += 1;
            known.key = key;
        }
        self.tell();
    }

    pub(crate) fn drain(&self) {
        self.advance(Phase::Draining);
    }

    pub(crate) fn stop(&self) {
        self.advance(Phase::Stopped);
    }

    /// A phase only follows on earlier ones.
    fn advance(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.tell();
    }

    fn tell(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        for worker in &self.0.workers {
            worker.wake();
        }
    }

    /// How many changes there were: a worker that knows of as many has nothing to read.
    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    pub(super) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            phase if phase == Phase::Running as u8 => Phase::Running,
            phase if phase == Phase::Draining as u8 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    pub(super) fn key(&self, site: usize) -> SiteKey {
        self.lock(site).clone()
    }

    fn lock(&self, site: usize) -> std::sync::MutexGuard<'_, SiteKey> {
        self.0.keys[site]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
