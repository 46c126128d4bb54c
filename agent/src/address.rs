//! A device's real address: made by a source, consumed by the pseudonymiser, shown to nobody.

use std::fmt;
use std::hash::{Hash, Hasher};

/// The 48-bit address of a transmitter.
///
/// Its `Debug` is blank and it has neither `Display` nor serde, so that no log line, panic or
/// message can carry it by accident. It never leaves the agent.
#[derive(Clone, Copy)]
pub struct Address {
    octets: [u8; 6],
    /// The octets are random by another rule than that of IEEE 802, so that their bits say nothing.
    /// No part of the identity: a rule names a device by its octets.
    made_up: bool,
}

impl Address {
    /// The address with these octets, in the order in which they travel.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self {
            octets,
            made_up: false,
        }
    }

    /// A random address of Bluetooth, static or not: its transmitter says so beside it (Core
    /// Specification 5.4, volume 6, part B, 1.3.2).
    pub const fn made_up(octets: [u8; 6]) -> Self {
        Self {
            octets,
            made_up: true,
        }
    }

    /// Whether the address was made up by the device: it says so, or the bit "locally administered"
    /// is set (IEEE 802-2014, 8.2.2).
    pub const fn is_randomised(&self) -> bool {
        self.made_up || self.octets[0] & 0x02 != 0
    }

    /// Whether the address names a group; no device transmits under one.
    pub const fn is_group(&self) -> bool {
        !self.made_up && self.octets[0] & 0x01 != 0
    }

    /// The same address with the bit "group" cleared.
    pub(crate) const fn as_individual(mut self) -> Self {
        self.octets[0] &= !0x01;
        self
    }

    /// The address with all octets but the first `len` cleared.
    pub(crate) fn first_octets(&self, len: usize) -> Self {
        let mut first = *self;
        first
            .octets
            .iter_mut()
            .skip(len)
            .for_each(|octet| *octet = 0);
        first
    }

    /// The octets, for the pseudonymiser and for rules that compare addresses.
    pub(crate) const fn octets(&self) -> &[u8; 6] {
        &self.octets
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.octets.hash(state);
    }
}

impl fmt::Debug for Address {
    /// Shows nothing of the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

/// The first octets of addresses: those of one vendor, or a whole address.
///
/// Like an [`Address`] it shows nothing of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AddressPrefix {
    octets: [u8; 6],
    len: usize,
}

impl AddressPrefix {
    /// Number of octets, from 1 to 6.
    pub(crate) const fn octets_len(&self) -> usize {
        self.len
    }

    /// The address in which all further octets are zero.
    pub(crate) const fn first_address(&self) -> Address {
        Address::new(self.octets)
    }
}

impl fmt::Debug for AddressPrefix {
    /// Shows nothing of the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressPrefix")
    }
}

/// The text is no start of an address. The text itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an address or the start of one; write one to six pairs of hexadecimal digits such as \
     00:11:22 or 00:11:22:aa:bb:cc"
)]
pub struct AddressPrefixError;

impl std::str::FromStr for AddressPrefix {
    type Err = AddressPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut prefix = Self {
            octets: [0; 6],
            len: 0,
        };
        for pair in text.split([':', '-']) {
            let place = prefix.octets.get_mut(prefix.len);
            *place.ok_or(AddressPrefixError)? = octet(pair).ok_or(AddressPrefixError)?;
            prefix.len += 1;
        }
        Ok(prefix)
    }
}

/// One pair of hexadecimal digits.
fn octet(pair: &str) -> Option<u8> {
    if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(pair, 16).ok()
}

/// The text is not six pairs of hexadecimal digits. The text itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address; write six pairs of hexadecimal digits such as 00:11:22:aa:bb:cc")]
pub struct AddressError;

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut octets = [0; 6];
        let mut pairs = text.split([':', '-']);
        for place in &mut octets {
            *place = pairs.next().and_then(octet).ok_or(AddressError)?;
        }
        if pairs.next().is_some() {
            return Err(AddressError);
        }
        Ok(Self::new(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_blank() {
        let address = Address::new([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(format!("{address:?} {address:#?}"), "Address Address");
    }

    #[test]
    fn bits_of_the_first_octet() {
        let with_first = |first| Address::new([first, 0, 0, 0, 0, 1]);
        assert!(with_first(0x02).is_randomised() && !with_first(0x02).is_group());
        assert!(!with_first(0x00).is_randomised() && with_first(0x01).is_group());
    }

    #[test]
    fn the_bits_of_a_made_up_address_say_nothing() {
        for first in [0x00, 0x01, 0x40, 0xc3] {
            let address = Address::made_up([first, 0, 0, 0, 0, 1]);
            assert!(address.is_randomised() && !address.is_group());
            assert_eq!(address, Address::new([first, 0, 0, 0, 0, 1]));
        }
    }

    #[test]
    fn a_prefix_has_one_to_six_octets() {
        let prefix: AddressPrefix = "00-11:Aa".parse().unwrap();
        assert_eq!(prefix.octets_len(), 3);
        assert_eq!(
            prefix.first_address(),
            Address::new([0, 0x11, 0xaa, 0, 0, 0])
        );
        assert_eq!(format!("{prefix:?}"), "AddressPrefix");
        for bad in ["", "0", "00:", "00:1g", "001122", "00:11:22:33:44:55:66"] {
            assert_eq!(
                bad.parse::<AddressPrefix>(),
                Err(AddressPrefixError),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn addresses_are_read_in_either_notation() {
        let expected = Ok(Address::new([0, 0x11, 0x22, 0xaa, 0xbb, 0xcc]));
        assert_eq!("00:11:22:aa:bb:CC".parse(), expected);
        assert_eq!("00-11-22-aa-bb-cc".parse(), expected);
        for bad in [
            "",
            "00:11:22:aa:bb",
            "00:11:22:aa:bb:cc:dd",
            "00:11:22:aa:bb:+c",
            "0:1:2:3:4:5",
        ] {
            assert_eq!(bad.parse::<Address>(), Err(AddressError), "{bad:?}");
        }
    }
}
