//! Whether the node lives, has started and is ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Set by the process, shown at `/startupz` and `/readyz`.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    ready: AtomicBool,
    store: RwLock<Option<&'static str>>,
}

impl Health {
    /// Everything that is done once is done: radio maps are made, sockets are bound.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Whether agents and readers should come here now; false while the node drains.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// How the store of messages is, in a word. A node is ready all the same: positions need none.
    pub fn set_store(&self, word: &'static str) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = Some(word);
    }

    /// How the store of messages is, in a word; `None` before it was asked.
    pub fn store(&self) -> Option<&'static str> {
        *self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the start is complete.
    pub fn started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Whether the node has started and takes traffic.
    pub fn ready(&self) -> bool {
        self.started() && self.ready.load(Ordering::Acquire)
    }
}
