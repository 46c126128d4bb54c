//! How long a source that broke waits until it is opened again.

use crate::limits::{REOPEN_FIRST, REOPEN_MAX};

/// Waits that double up to a limit, and begin anew once the source stands again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reopen {
    failures: u32,
    due_us: u64,
}

impl Reopen {
    /// The source broke, or could not be opened; when to try again.
    pub(super) fn handle_failure(&mut self, now_us: u64) -> u64 {
        let first_us = REOPEN_FIRST.as_micros() as u64;
        let wait_us = first_us << self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.due_us = now_us.saturating_add(wait_us.min(REOPEN_MAX.as_micros() as u64));
        self.due_us
    }

    /// The source gives something out again.
    pub(super) fn handle_success(&mut self) {
        *self = Self::default();
    }

    /// When to open the source again.
    pub(super) fn due_us(&self) -> u64 {
        self.due_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let mut reopen = Reopen::default();
        let first_us = REOPEN_FIRST.as_micros() as u64;
        assert_eq!(reopen.due_us(), 0);
        assert_eq!(reopen.handle_failure(10), 10 + first_us);
        assert_eq!(reopen.handle_failure(10), 10 + 2 * first_us);
        for _ in 0..100 {
            reopen.handle_failure(10);
        }
        assert_eq!(reopen.due_us(), 10 + REOPEN_MAX.as_micros() as u64);
        reopen.handle_success();
        assert_eq!(reopen.handle_failure(0), first_us);
    }
}
