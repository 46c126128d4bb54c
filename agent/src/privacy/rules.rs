//! What may leave, as the one who runs the agent says.

use std::collections::HashSet;
use std::str::FromStr;

use wire::{ApName, ClientName};

use crate::address::{Address, AddressPrefix};

/// What happens to clients with a randomised address that are not associated: mostly the phones of
/// passers-by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Randomised {
    /// They are dropped and not told apart.
    Off,
    /// They are counted by signal class; none of their ids leaves.
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
///
/// They are asked in this order: own access points, signal, opt-out, deny, allow, randomised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// What happens to randomised clients that are not associated.
    pub randomised: Randomised,
    /// Weaker observations of clients are dropped; they say little and come from outside.
    pub rssi_min_dbm: Option<i8>,
    /// Devices that must not be located, also if they are named.
    pub opted_out: Vec<Address>,
    /// Only these devices, and those that are named, are told; empty: all.
    pub allow: Vec<AddressPrefix>,
    /// These devices are not told, also if they are named.
    pub deny: Vec<AddressPrefix>,
    /// Devices named by consent.
    pub named: Vec<(Address, ClientName)>,
    /// The networks (BSSIDs) of the site's own access points. What they send goes out as a beacon
    /// under the access point's id, never as a client's.
    pub access_points: Vec<(Address, ApName)>,
}

/// Prefixes by length, so that a look-up costs the same for one and for thousands.
#[derive(Debug, Default)]
pub(super) struct PrefixSet {
    /// Length in octets, and the prefixes of that length.
    by_len: Vec<(usize, HashSet<Address>)>,
}

impl PrefixSet {
    pub(super) fn new(prefixes: &[AddressPrefix]) -> Self {
        let of_len = |len| {
            let alike = prefixes.iter().filter(|prefix| prefix.octets_len() == len);
            let set: HashSet<_> = alike.map(AddressPrefix::first_address).collect();
            (!set.is_empty()).then_some((len, set))
        };
        Self {
            by_len: (1..=6).filter_map(of_len).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_len.is_empty()
    }

    pub(super) fn contains(&self, address: &Address) -> bool {
        let has = |(len, set): &(usize, HashSet<_>)| set.contains(&address.first_octets(*len));
        self.by_len.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_begins_like_one_of_its_prefixes() {
        let prefixes = ["00:11:22", "aa:bb:cc:dd:ee:ff"].map(|text| text.parse().unwrap());
        let set = PrefixSet::new(&prefixes);
        let has = |text: &str| set.contains(&text.parse().unwrap());
        assert!(has("00:11:22:00:00:00") && has("00:11:22:33:44:55"));
        assert!(has("aa:bb:cc:dd:ee:ff"));
        assert!(!has("00:11:23:33:44:55") && !has("aa:bb:cc:dd:ee:fe"));
        assert!(!set.is_empty() && PrefixSet::new(&[]).is_empty());
    }
}
