//! Polls, counted where they are answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use outbox::consumer::CONSUMERS_MAX;

/// Counts polls.
#[derive(Debug, Default)]
pub struct Tallies {
    /// Since they were last taken, by consumer.
    polls: Mutex<BTreeMap<String, u64>>,
    answered: AtomicU64,
    gone: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// Polls since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Answered with a page.
    pub answered: u64,
    /// Answered with 410: the consumer was away for too long.
    pub gone: u64,
    /// Refused: no token, not for this token, too often, or a query that cannot be read.
    pub refused: u64,
    /// Not answered, because the store did not answer or too many readers are slow.
    pub failed: u64,
}

impl Tallies {
    /// A poll of a consumer that was let in got this status.
    pub(crate) fn poll(&self, consumer: &str, status: u16) {
        let count = match status {
            410 => &self.gone,
            400..500 => &self.refused,
            500.. => &self.failed,
            _ => &self.answered,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = polls.get_mut(consumer) {
            *count += 1;
        } else if polls.len() <= CONSUMERS_MAX {
            polls.insert(consumer.to_owned(), 1);
        }
    }

    /// A poll was refused at the door.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Polls by consumer since the last time.
    pub(crate) fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.polls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Polls since the start.
    pub fn so_far(&self) -> Tallied {
        Tallied {
            answered: self.answered.load(Ordering::Relaxed),
            gone: self.gone.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
