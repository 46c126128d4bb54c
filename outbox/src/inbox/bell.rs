//! Wakes those who wait for messages in one process, and ends their waiting for good.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rung when something was stored; once stopped, nobody waits any more. Clones are the same bell.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    rings: u64,
    stopped: bool,
}

impl Bell {
    /// A bell that nobody rang yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all who wait.
    pub fn ring(&self) {
        let mut state = self.state();
        state.rings = state.rings.wrapping_add(1);
        self.shared.changed.notify_all();
    }

    /// Wakes all who wait, now and from now on.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.shared.changed.notify_all();
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// How often it rang: to be read before looking for what is waited for.
    #[must_use]
    pub fn rings(&self) -> u64 {
        self.state().rings
    }

    /// Waits until it rings more often than that, is stopped, or so much time has gone.
    pub fn wait(&self, rings: u64, at_most: Duration) {
        let end = Instant::now() + at_most;
        let mut state = self.state();
        while state.rings == rings && !state.stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for so much time unless it is stopped; rings do not end this.
    pub fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopped() {
                return;
            }
            self.wait(self.rings(), left);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, and two numbers are never half written.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_between_looking_and_waiting_is_not_missed() {
        let bell = Bell::new();
        let rings = bell.rings();
        bell.ring();
        bell.wait(rings, Duration::from_secs(3_600));
        let waiting = bell.clone();
        let rings = bell.rings();
        let waiter = std::thread::spawn(move || waiting.wait(rings, Duration::from_secs(3_600)));
        bell.ring();
        waiter.join().unwrap();
        bell.stop();
        bell.wait(bell.rings(), Duration::from_secs(3_600));
        assert!(bell.is_stopped());
    }
}
