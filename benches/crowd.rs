//! Clients whose ids are scattered as those of a keyed hash, in an order that nothing can guess.

use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use wire::{ClientId, Kind, Observation};

/// Seed of every order.
const SEED: u64 = 4;

/// Id of client number `n`.
///
/// # Source
/// S. Vigna's splitmix64, the output function of G. L. Steele et al., "Fast splittable pseudorandom
/// number generators" (2014).
pub fn client(n: u64) -> ClientId {
    let z = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ClientId(z ^ (z >> 31))
}

/// The numbers below `len`, shuffled.
///
/// Neighbours in the order are anywhere in the tables of agent and node: worse than real clients,
/// which are heard again and again.
pub fn shuffled(len: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..len).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    order
}

/// An ordinary observation of client `n` by radio 0.
pub fn observation(n: u64, heard_at_us: u64) -> Observation {
    Observation {
        client: client(n),
        heard_at_us,
        radio: 0,
        rssi_dbm: Some(-45 - (n % 40) as i8),
        noise_dbm: Some(-95),
        channel: 36,
        kind: Kind::Data,
        randomised: n.is_multiple_of(2),
        associated: true,
        range: None,
    }
}
