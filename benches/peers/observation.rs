//! The observation that all peers carry, where it comes from, and what is done with it.

use std::collections::HashMap;

use benches::crowd;
use foldhash::fast::FixedState;

/// Length of an observation: client, time, access point, signal strength, kind.
pub(crate) const BYTES: usize = 24;

/// Clients of all publishers.
const CLIENTS: u64 = 100_000;

/// Makes observations: any client, one microsecond after the other.
#[derive(Debug)]
pub(crate) struct Generator {
    state: u64,
    heard_at_us: u64,
    ap: u32,
}

impl Generator {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            state: 0x1234_5678_9abc_def1 + number as u64,
            heard_at_us: 0,
            ap: number as u32,
        }
    }

    /// Appends so many observations.
    pub(crate) fn put(&mut self, count: usize, out: &mut Vec<u8>) {
        for _ in 0..count {
            // Source: G. Marsaglia, "Xorshift RNGs" (2003), triple 13, 7, 17.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            self.heard_at_us += 1;
            let number = ((u128::from(self.state) * u128::from(CLIENTS)) >> 64) as u64;
            let mut bytes = [0; BYTES];
            bytes[..8].copy_from_slice(&crowd::client(number).0.to_le_bytes());
            bytes[8..16].copy_from_slice(&self.heard_at_us.to_le_bytes());
            bytes[16..20].copy_from_slice(&self.ap.to_le_bytes());
            bytes[20..22].copy_from_slice(&(-45 - (number % 40) as i16).to_le_bytes());
            bytes[22..24].copy_from_slice(&3u16.to_le_bytes());
            out.extend_from_slice(&bytes);
        }
    }
}

/// What is kept of a client.
#[derive(Debug, Default, Clone, Copy)]
struct Client {
    heard_at_us: u64,
    rssi_mean_dbm: f32,
    observations: u32,
    ap: u32,
}

/// A hash map of clients, with the fastest of the common hashes.
#[derive(Debug)]
pub(crate) struct Fold {
    clients: HashMap<u64, Client, FixedState>,
    received: u64,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            clients: HashMap::with_capacity_and_hasher(CLIENTS as usize, FixedState::default()),
            received: 0,
        }
    }
}

impl Fold {
    /// Decodes and folds a message; bytes that are no whole observation are left out.
    pub(crate) fn take_in(&mut self, message: &[u8]) {
        for bytes in message.chunks_exact(BYTES) {
            let id = number(&bytes[..8]);
            let rssi_dbm = number(&bytes[20..22]) as u16 as i16;
            let client = self.clients.entry(id).or_default();
            client.heard_at_us = client.heard_at_us.max(number(&bytes[8..16]));
            client.observations += 1;
            let weight = 1.0 / client.observations.min(32) as f32;
            client.rssi_mean_dbm += (f32::from(rssi_dbm) - client.rssi_mean_dbm) * weight;
            client.ap = number(&bytes[16..20]) as u32 ^ number(&bytes[22..24]) as u32;
            self.received += 1;
        }
    }

    /// Observations taken in.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Clients that were heard with a signal: all of them.
    pub(crate) fn clients(&self) -> usize {
        let heard = |client: &&Client| client.rssi_mean_dbm < 0.0 && client.heard_at_us > 0;
        self.clients
            .values()
            .filter(heard)
            .filter(|client| client.ap < u32::MAX)
            .count()
    }
}

/// A little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(whole)
}
