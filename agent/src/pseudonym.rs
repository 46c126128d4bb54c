//! Addresses in, pseudonyms out: the only consumer of an [`Address`] whose result may leave.

use wire::ClientId;
use wire::frame::PseudonymKey;

pub use wire::named_client_id;

use crate::address::Address;
use crate::limits::PSEUDONYM_CACHE_ENTRIES_MAX;

/// Separates the hash of an address from every other use of the key.
const CLIENT_DOMAIN: &[u8] = b"trilobite client\0";

/// Turns addresses into pseudonyms under the key of one period.
///
/// A pseudonym is the first eight bytes, little endian, of the keyed BLAKE3 hash of (domain, period
/// as little-endian `u32`, address): the same at all agents that hold the key, without relation to
/// that of any other period. A small direct-mapped cache spares most hashes; a collision in it
/// evicts the older entry and costs one hash, nothing else.
pub struct Pseudonymiser {
    period: u32,
    hasher: blake3::Hasher,
    cache: Box<[(Address, ClientId)]>,
}

impl Pseudonymiser {
    /// A pseudonymiser for the period of `key`.
    pub fn new(key: &PseudonymKey) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&key.key);
        hasher
            .update(CLIENT_DOMAIN)
            .update(&key.period.to_le_bytes());
        // Every slot starts with a true entry, so that none needs to say whether it is empty.
        let nobody = Address::new([0; 6]);
        let cache = vec![(nobody, hash_address(&hasher, &nobody)); PSEUDONYM_CACHE_ENTRIES_MAX];
        Self {
            period: key.period,
            hasher,
            cache: cache.into_boxed_slice(),
        }
    }

    /// Number of the period whose key is in use.
    pub fn period(&self) -> u32 {
        self.period
    }

    /// The pseudonym of `address` in this period.
    ///
    /// Cost: one table look-up, or one BLAKE3 of a single block.
    pub fn client_id(&mut self, address: &Address) -> ClientId {
        let slot = &mut self.cache[slot_of(address)];
        if slot.0 != *address {
            *slot = (*address, hash_address(&self.hasher, address));
        }
        slot.1
    }
}

impl std::fmt::Debug for Pseudonymiser {
    /// Shows the period; neither the key nor the cached addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pseudonymiser")
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// `hasher` has taken in the key, the domain and the period.
fn hash_address(hasher: &blake3::Hasher, address: &Address) -> ClientId {
    first_eight_bytes(&hasher.clone().update(address.octets()).finalize())
}

fn first_eight_bytes(hash: &blake3::Hash) -> ClientId {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    ClientId(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

/// Fibonacci hashing of the address (Knuth, The Art of Computer Programming 3, 6.4): addresses of
/// one vendor differ only in their last bytes, and the product's top bits depend on all of them.
fn slot_of(address: &Address) -> usize {
    const { assert!(PSEUDONYM_CACHE_ENTRIES_MAX.is_power_of_two()) };
    let [a, b, c, d, e, f] = *address.octets();
    let product = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> (64 - PSEUDONYM_CACHE_ENTRIES_MAX.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(period: u32, byte: u8) -> PseudonymKey {
        PseudonymKey {
            period,
            key: [byte; 32],
        }
    }

    #[test]
    fn same_key_same_pseudonym_at_every_agent() {
        let address = Address::new([0, 1, 2, 3, 4, 5]);
        let [mut a, mut b] = [
            Pseudonymiser::new(&key(7, 1)),
            Pseudonymiser::new(&key(7, 1)),
        ];
        assert_eq!(a.client_id(&address), b.client_id(&address));
        assert_eq!(
            a.client_id(&address),
            a.client_id(&address),
            "cached or not"
        );
    }

    #[test]
    fn another_period_or_key_gives_another_pseudonym() {
        let address = Address::new([0, 1, 2, 3, 4, 5]);
        let of = |key| Pseudonymiser::new(&key).client_id(&address);
        assert_ne!(of(key(7, 1)), of(key(8, 1)));
        assert_ne!(of(key(7, 1)), of(key(7, 2)));
    }

    #[test]
    fn the_hash_covers_domain_period_and_address() {
        let mut input = b"trilobite client\0".to_vec();
        input.extend_from_slice(&[0x04, 0x03, 0x02, 0x01, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5]);
        let hash = blake3::keyed_hash(&[9; 32], &input);
        let expected = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        let address = Address::new([0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5]);
        let mut pseudonymiser = Pseudonymiser::new(&key(0x0102_0304, 9));
        assert_eq!(pseudonymiser.client_id(&address), ClientId(expected));
    }

    #[test]
    fn an_evicted_address_keeps_its_pseudonym() {
        let mut pseudonymiser = Pseudonymiser::new(&key(1, 1));
        let address = |n: u32| {
            let [a, b, c, d] = n.to_be_bytes();
            Address::new([0, 0, a, b, c, d])
        };
        let count = 4 * PSEUDONYM_CACHE_ENTRIES_MAX as u32;
        let first: Vec<_> = (0..count)
            .map(|n| pseudonymiser.client_id(&address(n)))
            .collect();
        let second: Vec<_> = (0..count)
            .map(|n| pseudonymiser.client_id(&address(n)))
            .collect();
        assert_eq!(first, second);
    }

    #[test]
    fn pseudonyms_of_neighbouring_addresses_look_random() {
        let mut pseudonymiser = Pseudonymiser::new(&key(1, 1));
        let mut ones = 0;
        for n in 0..=255 {
            let one = pseudonymiser.client_id(&Address::new([0, 0x11, 0x22, 0x33, 0x44, n]));
            let other = pseudonymiser.client_id(&Address::new([0, 0x11, 0x22, 0x33, 0x44, n ^ 1]));
            ones += (one.0 ^ other.0).count_ones();
        }
        // 256 × 64 fair bits: mean 8,192, deviation 64 (each pair counts twice: 90); ±5 deviations.
        assert!((7_740..=8_640).contains(&ones), "{ones} differing bits");
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", Pseudonymiser::new(&key(3, 0xee)));
        assert_eq!(text, "Pseudonymiser { period: 3, .. }");
    }
}
