//! Where fixes and orders wait for the presence thread: bounded, and nobody waits to put something in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest::SentFix;
use wire::ClientId;

use super::core::{Fate, Stored};
use super::limits::{FIXES_WAITING_MAX, ORDERS_WAITING_MAX};
use super::pending::Key;
use super::write::{EndReason, KeyId, Write};

/// What others ask of the presence thread.
#[derive(Debug)]
pub(super) enum Order {
    /// Another key is in force at a site.
    Rotate { site: usize, key: KeyId },
    /// These clients of a site are to be forgotten; who waits hears when it is durable.
    End {
        site: usize,
        clients: Vec<ClientId>,
        reason: EndReason,
        answer: Option<SyncSender<bool>>,
    },
    /// The writer knows what the store knew.
    Stored { site: usize, stored: Stored },
    /// Who is in which zone of the first site, by the trackers.
    #[cfg(test)]
    Truth(SyncSender<std::collections::BTreeSet<(String, u64)>>),
    /// The writer is done with a round.
    Written(Vec<(Key, Write, Fate)>),
}

/// Fixes and orders that wait.
#[derive(Debug)]
pub(super) struct Inbox {
    /// Sites with zones; others' fixes are not taken.
    zoned: Vec<bool>,
    waiting: Mutex<Waiting>,
    bell: Condvar,
    pub(super) counts: Counts,
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) fixes: VecDeque<SentFix>,
    pub(super) orders: VecDeque<Order>,
    pub(super) stopping: bool,
}

/// How presence fares, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    taken: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    /// As refused as the others, by the core's count.
    pub(super) not_tracked: AtomicU64,
    pub(super) clients: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// [`Counts`], read at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Fixes of sites with zones.
    pub taken: u64,
    /// Of these, how many gave way to newer ones since presence was slow.
    pub dropped: u64,
    /// Clients and orders refused for lack of room.
    pub refused: u64,
    /// Clients in zones or near them.
    pub clients: u64,
    /// Changes that the store does not know yet.
    pub waiting: u64,
    /// Changes that the store has taken.
    pub written: u64,
    /// Tries that the store did not take.
    pub failed: u64,
}

impl Counts {
    /// The counts now.
    pub fn read(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            taken: read(&self.taken),
            dropped: read(&self.dropped),
            refused: read(&self.refused) + read(&self.not_tracked),
            clients: read(&self.clients),
            waiting: read(&self.waiting),
            written: read(&self.written),
            failed: read(&self.failed),
        }
    }
}

impl Inbox {
    pub(super) fn new(zoned: Vec<bool>) -> Self {
        Self {
            zoned,
            waiting: Mutex::default(),
            bell: Condvar::new(),
            counts: Counts::default(),
        }
    }

    /// Takes fixes of sites with zones; the oldest give way when too many wait.
    pub(super) fn offer(&self, fixes: &[SentFix]) {
        let is_wanted = |fix: &&SentFix| self.zoned.get(fix.site).is_some_and(|zoned| *zoned);
        let Some(first) = fixes.iter().position(|fix| is_wanted(&fix)) else {
            return;
        };
        let mut waiting = self.lock();
        let before = waiting.fixes.len();
        waiting
            .fixes
            .extend(fixes[first..].iter().filter(is_wanted));
        let taken = waiting.fixes.len() - before;
        let dropped = waiting.fixes.len().saturating_sub(FIXES_WAITING_MAX);
        waiting.fixes.drain(..dropped);
        drop(waiting);
        let counts = &self.counts;
        counts.taken.fetch_add(taken as u64, Ordering::Relaxed);
        counts.dropped.fetch_add(dropped as u64, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// Takes an order; false when too many wait.
    pub(super) fn order(&self, order: Order) -> bool {
        let mut waiting = self.lock();
        // Of the others there are few.
        let is_bounded = matches!(order, Order::End { .. });
        if waiting.orders.len() >= ORDERS_WAITING_MAX && is_bounded {
            drop(waiting);
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        waiting.orders.push_back(order);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.bell.notify_one();
    }

    /// Takes all that waits into `taken`, which is empty; waits for something at most so long.
    pub(super) fn take(&self, at_most: Duration, taken: &mut Waiting) {
        let is_idle = |w: &mut Waiting| w.fixes.is_empty() && w.orders.is_empty() && !w.stopping;
        let mut waiting = self
            .bell
            .wait_timeout_while(self.lock(), at_most, is_idle)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        // The room that the last portion took is used again.
        std::mem::swap(&mut waiting.fixes, &mut taken.fixes);
        std::mem::swap(&mut waiting.orders, &mut taken.orders);
        taken.stopping = waiting.stopping;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latest::tests::sent;

    #[test]
    fn the_oldest_fixes_give_way_and_are_counted() {
        let inbox = Inbox::new(vec![true]);
        let fixes: Vec<_> = (0..5_000).map(|client| sent(client, 0.0, 0)).collect();
        (0..20).for_each(|_| inbox.offer(&fixes));
        let mut taken = Waiting::default();
        inbox.take(Duration::ZERO, &mut taken);
        assert_eq!(taken.fixes.len(), FIXES_WAITING_MAX);
        assert_eq!(taken.fixes.back().unwrap().client, ClientId(4_999));
        let counted = inbox.counts.read();
        assert_eq!(counted.taken, 100_000);
        assert_eq!(counted.dropped, 100_000 - FIXES_WAITING_MAX as u64);
    }

    #[test]
    fn fixes_of_sites_without_zones_are_not_taken() {
        let inbox = Inbox::new(vec![false]);
        inbox.offer(&[sent(1, 0.0, 0)]);
        let mut taken = Waiting::default();
        inbox.take(Duration::ZERO, &mut taken);
        assert_eq!(
            (taken.fixes.len(), inbox.counts.read()),
            (0, Counted::default())
        );
    }

    #[test]
    fn too_many_orders_are_refused_but_the_writers_own_are_not() {
        let inbox = Inbox::new(Vec::new());
        let end = || Order::End {
            site: 0,
            clients: Vec::new(),
            reason: EndReason::OptedOut,
            answer: None,
        };
        (0..ORDERS_WAITING_MAX).for_each(|_| assert!(inbox.order(end())));
        assert!(!inbox.order(end()));
        assert!(inbox.order(Order::Written(Vec::new())));
        assert_eq!(inbox.counts.read().refused, 1);
    }
}
