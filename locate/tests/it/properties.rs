//! What must hold of any site and any sightings.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

mod evidence;
mod frame;
mod hostile;
mod tracks;

/// The same cases in every run.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::default()
    }
}
