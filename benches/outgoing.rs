//! An agent's batcher and what it hears.

use agent::batcher::{Batcher, BatcherLimits};
use wire::frame::{Define, Defined};
use wire::limits::BATCH_BYTES_MAX;
use wire::{Observation, Session};

use crate::crowd;
use crate::hall;
use crate::rig::Ids;

/// An agent's batcher, with a session, and the observations that reach it.
#[derive(Debug)]
pub struct Outgoing {
    batcher: Batcher,
    heard: Vec<Observation>,
    cursor: usize,
    datagram: Vec<u8>,
}

impl Outgoing {
    /// The batcher of agent number `agent` in a hall of so many clients, which has just met its
    /// node.
    pub fn new(agent: usize, clients: usize, session: Session, now_us: u64) -> Self {
        let order = crowd::shuffled(hall::clients_per_agent(clients) as u32);
        let client = |n| crowd::observation(hall::client_of(agent, n), 0);
        let mut batcher = Batcher::new(BatcherLimits::default());
        batcher.handle_connected(session, now_us);
        batcher.handle_datagram_bytes_max(BATCH_BYTES_MAX);
        Self {
            batcher,
            heard: order.into_iter().map(client).collect(),
            cursor: 0,
            datagram: Vec::with_capacity(BATCH_BYTES_MAX),
        }
    }

    /// The largest datagram that the link takes now.
    pub fn handle_datagram_bytes_max(&mut self, bytes: usize) {
        self.batcher.handle_datagram_bytes_max(bytes);
    }

    /// The node keeps so many short ids.
    pub fn handle_short_ids(&mut self, granted: u32, now_us: u64) {
        self.batcher.handle_short_ids(granted, now_us);
    }

    /// The node has taken in definitions.
    pub fn handle_defined(&mut self, defined: &Defined) {
        self.batcher.handle_defined(defined);
    }

    /// Definitions to send.
    pub fn poll_define(&mut self, now_us: u64) -> Option<Define> {
        self.batcher.poll_define(now_us)
    }

    /// What is measured: so many observations are heard now.
    #[inline]
    pub fn hear(&mut self, observations: usize, now_us: u64) {
        for _ in 0..observations {
            let heard = self.heard[self.cursor];
            self.cursor += 1;
            if self.cursor == self.heard.len() {
                self.cursor = 0;
            }
            self.batcher.handle_observation(Observation {
                heard_at_us: now_us,
                ..heard
            });
        }
    }

    /// What is measured: the next datagram that is due, and how many observations it holds.
    #[inline]
    pub fn poll(&mut self, now_us: u64) -> Option<(&[u8], usize)> {
        let packed = self.batcher.poll_batch(now_us, &mut self.datagram)?;
        Some((&self.datagram, packed))
    }
}

/// One agent that hears bursts, at a node that grants everything at once.
#[derive(Debug)]
pub struct Alone {
    outgoing: Outgoing,
    burst: usize,
    now_us: u64,
}

/// Clients of the hall of an agent alone: the number of the goals. It hears an eighth of them.
const CLIENTS: usize = 100_000;

/// Datagrams of a burst.
const BURST_DATAGRAMS: usize = agent::limits::BURST_BATCHES;

/// Time between two bursts: the agent hears some 10,000 observations a second.
const BURST_US: u64 = 100_000;

/// Short ids that the node grants.
const GRANTED: u32 = 262_144;

/// Bursts until every client has the id by which it is to go.
const WARM_UP_BURSTS: usize = 200;

impl Alone {
    /// An agent that has heard all its clients a few times.
    ///
    /// # Panics
    /// When it does not use the ids that are asked for.
    pub fn new(ids: Ids) -> Self {
        let now_us = 1_000_000_000;
        let mut outgoing = Outgoing::new(0, CLIENTS, Session(u64::MAX / 3), now_us);
        if ids == Ids::Short {
            outgoing.handle_short_ids(GRANTED, now_us);
        }
        let mut alone = Self {
            outgoing,
            burst: BURST_DATAGRAMS * ids.rows(),
            now_us,
        };
        for _ in 0..WARM_UP_BURSTS {
            alone.burst(|_| {});
            while let Some(define) = alone.outgoing.poll_define(alone.now_us) {
                let count = define.clients.len() as u32;
                let first = define.first;
                alone.outgoing.handle_defined(&Defined { first, count });
            }
        }
        let mut datagrams = 0;
        let left = alone.burst(|_| datagrams += 1);
        assert_eq!(left, alone.burst, "a burst leaves as a whole");
        assert_eq!(datagrams, BURST_DATAGRAMS, "by {ids:?} ids");
        alone
    }

    /// Observations of a burst.
    pub fn observations(&self) -> usize {
        self.burst
    }

    /// What is measured: a burst is heard and packed. Returns how many observations left.
    #[inline]
    pub fn burst(&mut self, mut see: impl FnMut(&[u8])) -> usize {
        self.now_us += BURST_US;
        self.outgoing.hear(self.burst, self.now_us);
        let mut left = 0;
        while let Some((datagram, packed)) = self.outgoing.poll(self.now_us) {
            see(datagram);
            left += packed;
        }
        left
    }
}
