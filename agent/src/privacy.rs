//! The privacy stage: decides what may leave the agent, and under which id.
//!
//! Everything heard passes here and nowhere else. Real addresses come in with [`Heard`] and end
//! here; an [`Observation`] has none.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use wire::frame::PseudonymKey;
use wire::{ClientId, ClientName, Observation};

use crate::address::Address;
use crate::limits::RANDOMISED_CLIENTS_MAX;
use crate::pseudonym::{Pseudonymiser, named_client_id};
use crate::source::{Heard, Transmitter};

/// What happens to clients with a randomised address that are not associated: mostly the phones of
/// passers-by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Randomised {
    /// They are dropped and not told apart.
    Off,
    /// They are counted; none of their ids leaves.
    #[default]
    Count,
    /// They are treated like all others.
    On,
}

/// The text is no policy for randomised clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy for randomised clients {0:?}; use one of off, count, on")]
pub struct RandomisedError(String);

impl FromStr for Randomised {
    type Err = RandomisedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "count" => Ok(Self::Count),
            "on" => Ok(Self::On),
            _ => Err(RandomisedError(text.to_owned())),
        }
    }
}

/// The rules of the stage. The default lets through what needs no consent beyond the site's own.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What happens to randomised clients that are not associated.
    pub randomised: Randomised,
    /// Weaker observations are dropped; they say little and come from outside.
    pub rssi_min_dbm: Option<i8>,
    /// Devices that must not be located.
    pub opted_out: Vec<Address>,
    /// Devices named by consent, and the site's own access points.
    pub named: Vec<(Address, ClientName)>,
}

/// What the stage let through and what it dropped, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Became observations.
    pub passed: u64,
    /// Randomised, not associated, and the rules do not let them through.
    pub randomised: u64,
    /// Weaker than the rules ask for.
    pub weak: u64,
    /// Opted out.
    pub opted_out: u64,
    /// No device transmits under such an address.
    pub not_a_device: u64,
    /// The node has not handed out a key yet, so that no pseudonym could be made.
    pub without_key: u64,
}

/// Randomised clients of one interval that were counted and not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RandomisedCount {
    /// Times that one of them was heard.
    pub heard: u64,
    /// Different addresses among them, at most [`RANDOMISED_CLIENTS_MAX`]. One device uses several
    /// in the course of an hour.
    pub clients: usize,
}

/// The stage: rules, the key of the period, counters.
#[derive(Debug)]
pub struct Stage {
    randomised: Randomised,
    rssi_min_dbm: Option<i8>,
    opted_out: HashSet<Address>,
    named: HashMap<Address, ClientId>,
    names: Vec<(ClientId, ClientName)>,
    pseudonymiser: Option<Pseudonymiser>,
    counters: Counters,
    interval_heard: u64,
    interval_clients: HashSet<ClientId>,
}

impl Stage {
    /// A stage without a key: until [`Stage::set_key`] only clients whose id is known pass.
    pub fn new(rules: Rules) -> Self {
        let names = rules
            .named
            .iter()
            .map(|(_, name)| (named_client_id(name), name.clone()));
        let named = rules
            .named
            .iter()
            .map(|(address, name)| (*address, named_client_id(name)));
        Self {
            randomised: rules.randomised,
            rssi_min_dbm: rules.rssi_min_dbm,
            opted_out: rules.opted_out.into_iter().collect(),
            names: names.collect(),
            named: named.collect(),
            pseudonymiser: None,
            counters: Counters::default(),
            interval_heard: 0,
            interval_clients: HashSet::with_capacity(match rules.randomised {
                Randomised::Count => RANDOMISED_CLIENTS_MAX,
                Randomised::Off | Randomised::On => 0,
            }),
        }
    }

    /// Uses the key of a period from now on and forgets the one before.
    pub fn set_key(&mut self, key: &PseudonymKey) {
        self.pseudonymiser = Some(Pseudonymiser::new(key));
        // Ids of two periods must not be put side by side, not even to count them.
        self.interval_clients.clear();
    }

    /// Ids and names of the devices that the rules name.
    pub fn names(&self) -> &[(ClientId, ClientName)] {
        &self.names
    }

    /// Takes what a source heard; gives the observation that may leave, or counts why none may.
    pub fn handle(&mut self, heard: Heard) -> Option<Observation> {
        if let (Some(rssi), Some(least)) = (heard.rssi_dbm, self.rssi_min_dbm)
            && rssi < least
        {
            self.counters.weak += 1;
            return None;
        }
        let (client, randomised) = match heard.from {
            Transmitter::Client(client) => (client, false),
            Transmitter::Address(address) => (
                self.admit(&address, heard.associated)?,
                address.is_randomised(),
            ),
        };
        self.counters.passed += 1;
        Some(Observation {
            client,
            heard_at_us: heard.heard_at_us,
            radio: heard.radio,
            rssi_dbm: heard.rssi_dbm,
            noise_dbm: heard.noise_dbm,
            channel: heard.channel,
            kind: heard.kind,
            randomised,
            associated: heard.associated,
            range: heard.range,
        })
    }

    /// Counters since the stage was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Randomised clients since this was last asked; forgets them.
    pub fn take_randomised(&mut self) -> RandomisedCount {
        let clients = self.interval_clients.len();
        self.interval_clients.clear();
        RandomisedCount {
            heard: std::mem::take(&mut self.interval_heard),
            clients,
        }
    }

    /// The id under which a device may be told.
    fn admit(&mut self, address: &Address, associated: bool) -> Option<ClientId> {
        if address.is_group() {
            self.counters.not_a_device += 1;
            return None;
        }
        if self.opted_out.contains(address) {
            self.counters.opted_out += 1;
            return None;
        }
        if let Some(client) = self.named.get(address) {
            return Some(*client);
        }
        let Some(pseudonymiser) = &mut self.pseudonymiser else {
            self.counters.without_key += 1;
            return None;
        };
        if self.randomised != Randomised::On && address.is_randomised() && !associated {
            self.counters.randomised += 1;
            if self.randomised == Randomised::Count {
                self.interval_heard += 1;
                if self.interval_clients.len() < RANDOMISED_CLIENTS_MAX {
                    self.interval_clients
                        .insert(pseudonymiser.client_id(address));
                }
            }
            return None;
        }
        Some(pseudonymiser.client_id(address))
    }
}

#[cfg(test)]
mod tests;
