//! Tells those who wait that something was committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use crate::Cursor;
use crate::page;

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Counts commits and wakes who waits for one.
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    commits: u64,
    closed: bool,
    hooks: Vec<Hook>,
}

/// Waits for messages behind a cursor.
#[derive(Debug, Clone)]
pub struct Follow(Arc<Shared>);

impl Signal {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn add(&self, hook: Box<dyn Fn() + Send + Sync>) {
        self.lock().hooks.push(hook.into());
    }

    /// Something was committed, here or elsewhere.
    pub(super) fn committed(&self) {
        let mut state = self.lock();
        state.commits += 1;
        let hooks = state.hooks.clone();
        drop(state);
        self.changed.notify_all();
        for hook in hooks {
            // A hook that fails must not end the thread that commits for all.
            let _ = catch_unwind(AssertUnwindSafe(|| hook()));
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the store's end; whether it came within `patience`.
    pub(super) fn wait_for_close(&self, patience: Duration) -> bool {
        let state = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// Waits for another commit than those counted in `seen`; false at the deadline or the end.
    fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let patience = deadline.saturating_duration_since(Instant::now());
        let same = |state: &mut State| state.commits == seen && !state.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, same);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out() && !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follow {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Whether there are messages behind `cursor`, or the cursor cannot be answered any more;
    /// waits for them until `deadline`. While the database does not answer, there are none.
    pub fn wait(&self, cursor: &Cursor, deadline: Instant) -> bool {
        loop {
            let seen = self.0.signal.commits();
            if self
                .0
                .read(|reading| page::has_after(reading, cursor))
                .unwrap_or(false)
            {
                return true;
            }
            if !self.0.signal.wait(seen, deadline) {
                return false;
            }
        }
    }
}
