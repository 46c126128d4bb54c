//! A network between two ends: it loses, delays, reorders and repeats packets.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::chance::{Purpose, exponential, stream};
use crate::limits::PACKETS_IN_FLIGHT_MAX;
use crate::loss::{Loss, LossError, LossModel};

/// How a network treats packets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkConfig {
    /// Seed of every decision.
    pub seed: u64,
    /// Which packets are lost.
    pub loss: Loss,
    /// Shortest way through.
    pub delay: Duration,
    /// Mean of the exponentially distributed wait on top; by itself it keeps the order.
    pub jitter: Duration,
    /// Share of packets that are held back and overtaken, in [0, 1].
    pub reorder_share: f64,
    /// How long those are held back.
    pub reorder_delay: Duration,
    /// Share of packets that arrive twice, in [0, 1].
    pub duplicate_share: f64,
}

impl Default for NetworkConfig {
    /// Half a millisecond and nothing else: a quiet local network.
    fn default() -> Self {
        Self {
            seed: 1,
            loss: Loss::Independent { share: 0.0 },
            delay: Duration::from_micros(500),
            jitter: Duration::ZERO,
            reorder_share: 0.0,
            reorder_delay: Duration::from_millis(20),
            duplicate_share: 0.0,
        }
    }
}

/// What became of the packets so far.
///
/// When the network is empty, `offered + duplicated = lost + dropped + delivered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkCounters {
    /// Packets handed in.
    pub offered: u64,
    /// Lost, as [`NetworkConfig::loss`] says.
    pub lost: u64,
    /// Dropped, because [`PACKETS_IN_FLIGHT_MAX`] were on their way.
    pub dropped: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Packets held back.
    pub reordered: u64,
    /// Packets handed out.
    pub delivered: u64,
}

/// The fate of packets, without sockets: bytes in, bytes out, time as an argument.
///
/// After each [`Network::handle_packet`] poll until `None`, then come back at
/// [`Network::poll_timeout`].
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    loss: LossModel,
    rng: ChaCha8Rng,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    arrives_in_order_at: Duration,
    counters: NetworkCounters,
}

/// Ordered by arrival, then by sending: the fields' order is the heap's order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    arrives_at: Duration,
    serial: u64,
    bytes: Vec<u8>,
}

impl Network {
    /// A network with nothing in flight.
    ///
    /// # Errors
    /// [`LossError`] when nothing can lose packets in the way asked for.
    pub fn new(config: NetworkConfig) -> Result<Self, LossError> {
        Ok(Self {
            loss: LossModel::new(config.loss, config.seed)?,
            rng: stream(config.seed, Purpose::Delay, 0),
            in_flight: BinaryHeap::new(),
            arrives_in_order_at: Duration::ZERO,
            counters: NetworkCounters::default(),
            config,
        })
    }

    /// Takes in a packet that was sent at `now`.
    pub fn handle_packet(&mut self, bytes: &[u8], now: Duration) {
        self.counters.offered += 1;
        if self.loss.next_is_lost() {
            self.counters.lost += 1;
            return;
        }
        let wait = self.config.jitter.mul_f64(exponential(&mut self.rng));
        let mut arrives_at = (now + self.config.delay + wait).max(self.arrives_in_order_at);
        if self.rng.random::<f64>() < self.config.reorder_share {
            self.counters.reordered += 1;
            arrives_at += self.config.reorder_delay;
        } else {
            self.arrives_in_order_at = arrives_at;
        }
        self.send(bytes, arrives_at);
        if self.rng.random::<f64>() < self.config.duplicate_share {
            self.counters.duplicated += 1;
            let behind = self.config.jitter.mul_f64(exponential(&mut self.rng));
            self.send(bytes, arrives_at + behind);
        }
    }

    /// The next packet that has arrived by `now`.
    pub fn poll_delivery(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.poll_timeout()? > now {
            return None;
        }
        let Reverse(packet) = self.in_flight.pop()?;
        self.counters.delivered += 1;
        Some(packet.bytes)
    }

    /// When the next packet arrives, if any is on its way.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.in_flight
            .peek()
            .map(|Reverse(packet)| packet.arrives_at)
    }

    /// What became of the packets so far.
    pub fn counters(&self) -> NetworkCounters {
        self.counters
    }

    fn send(&mut self, bytes: &[u8], arrives_at: Duration) {
        if self.in_flight.len() >= PACKETS_IN_FLIGHT_MAX {
            self.counters.dropped += 1;
            return;
        }
        // Offers and copies together number every packet once, and later ones higher.
        let serial = self.counters.offered + self.counters.duplicated;
        self.in_flight.push(Reverse(InFlight {
            arrives_at,
            serial,
            bytes: bytes.to_vec(),
        }));
    }
}

#[cfg(test)]
mod tests;
