//! What is the same whenever a source breaks: somebody is told, and it is opened again later.

use crate::limits::{REOPEN_FIRST, REOPEN_MAX};
use crate::source::{Drained, SourceHealth};

/// Waits that double up to a limit, and begin anew once the source stands again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reopen {
    failures: u32,
    due_us: u64,
    opened_before: bool,
}

impl Reopen {
    /// The source broke, or could not be opened; when to try again.
    pub(super) fn handle_broken(
        &mut self,
        now_us: u64,
        health: &mut SourceHealth,
        notice: String,
    ) -> Drained {
        note(health, Some(notice));
        let first_us = REOPEN_FIRST.as_micros() as u64;
        let wait_us = first_us << self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.due_us = now_us.saturating_add(wait_us.min(REOPEN_MAX.as_micros() as u64));
        Drained::NextAt(self.due_us)
    }

    /// What the source leaned on is there; whether that was so before, and it broke since.
    pub(super) fn handle_opened(&mut self, health: &mut SourceHealth) -> bool {
        let again = std::mem::replace(&mut self.opened_before, true);
        health.restarts += u64::from(again);
        again
    }

    /// The source gives something out again: the next wait is a short one.
    pub(super) fn handle_success(&mut self) {
        self.failures = 0;
        self.due_us = 0;
    }

    /// When to open the source, if that is not now.
    pub(super) fn wait(&self, now_us: u64) -> Option<Drained> {
        (now_us < self.due_us).then_some(Drained::NextAt(self.due_us))
    }
}

/// Notes what a person should know of a source, if anything. What stays as it was is told once.
pub(super) fn note(health: &mut SourceHealth, notice: Option<String>) {
    if health.notice == notice {
        return;
    }
    if let Some(notice) = &notice {
        tracing::warn!("{notice}; it is tried again");
    }
    health.notice = notice;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let (mut reopen, mut health) = (Reopen::default(), SourceHealth::default());
        let first_us = REOPEN_FIRST.as_micros() as u64;
        let mut broken_at = |reopen: &mut Reopen, now_us| match reopen.handle_broken(
            now_us,
            &mut health,
            "it broke".to_owned(),
        ) {
            Drained::NextAt(due_us) => due_us - now_us,
            other => panic!("{other:?}"),
        };
        assert_eq!(reopen.wait(0), None);
        assert_eq!(broken_at(&mut reopen, 10), first_us);
        assert_eq!(broken_at(&mut reopen, 10), 2 * first_us);
        let due_us = 10 + 2 * first_us;
        assert_eq!(reopen.wait(due_us - 1), Some(Drained::NextAt(due_us)));
        assert_eq!(reopen.wait(due_us), None);
        for _ in 0..100 {
            broken_at(&mut reopen, 10);
        }
        let longest_us = REOPEN_MAX.as_micros() as u64;
        assert_eq!(broken_at(&mut reopen, 10), longest_us);
        reopen.handle_success();
        assert_eq!(reopen.wait(0), None);
        assert_eq!(broken_at(&mut reopen, 0), first_us);
    }

    #[test]
    fn opening_counts_as_a_restart_from_the_second_time_on() {
        let (mut reopen, mut health) = (Reopen::default(), SourceHealth::default());
        assert!(!reopen.handle_opened(&mut health));
        reopen.handle_success();
        reopen.handle_broken(0, &mut health, "it broke".to_owned());
        assert_eq!(health.restarts, 0);
        assert!(reopen.handle_opened(&mut health));
        assert_eq!(health.restarts, 1);
    }
}
