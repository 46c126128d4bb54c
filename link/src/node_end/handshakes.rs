//! How many strangers may be at the door.
//!
//! A flood of first packets with forged addresses cost 1.5 GB and a tenth of an agent's datagrams
//! when each was answered in full, and nothing when newcomers had to prove their address once 200
//! handshakes were open. In peace the proof would cost each agent a round trip for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::transport::Knobs;

/// What became of handshakes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandshakeCounts {
    /// In progress now.
    pub open: usize,
    /// Newcomers that were asked to prove their address first.
    pub retried: usize,
    /// Newcomers that got no answer because too many were in progress.
    pub ignored: usize,
}

/// Counts the handshakes of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    open: AtomicUsize,
    retried: AtomicUsize,
    ignored: AtomicUsize,
}

/// What to do with a newcomer.
#[derive(Debug)]
pub(super) enum Admission {
    /// Begin the handshake.
    Welcome(Open),
    /// Ask it to come again with a token that only its address can have received.
    ProveAddress,
    /// Give no answer.
    Ignored,
}

/// A handshake in progress; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Open(Arc<Handshakes>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handshakes {
    /// Decides about a newcomer, whose address may be proven already.
    pub(super) fn admit(self: &Arc<Self>, validated: bool, knobs: &Knobs) -> Admission {
        let open = self.open.load(Ordering::Relaxed);
        if open >= knobs.handshakes_max {
            self.ignored.fetch_add(1, Ordering::Relaxed);
            return Admission::Ignored;
        }
        if open >= knobs.retry_above && !validated {
            self.retried.fetch_add(1, Ordering::Relaxed);
            return Admission::ProveAddress;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Admission::Welcome(Open(self.clone()))
    }

    pub(super) fn counts(&self) -> HandshakeCounts {
        HandshakeCounts {
            open: self.open.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            ignored: self.ignored.load(Ordering::Relaxed),
        }
    }
}
