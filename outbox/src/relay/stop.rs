//! Tells a thread that it is to end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once, seen by all clones; whoever pauses on it wakes.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it, for ever.
    pub fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until it is set.
    pub fn pause(&self, length: Duration) {
        let set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was set or the time is over, the caller looks again.
        let _ = self.0.1.wait_timeout_while(set, length, |set| !*set);
    }
}
