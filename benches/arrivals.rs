//! Numbers of datagrams as they arrive on many sessions over a good and a bad network.

use ingest::sequence::{Arrival, SequenceWindow};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::hall::AGENTS;
use crate::rig::FULL_ROWS;

/// Datagrams that arrive at once on each session: a burst.
const BURST: u64 = 10;

/// Datagrams in each round of [`Arrivals::take_in`], lost ones included: a burst on each session.
pub const DATAGRAMS: usize = AGENTS * BURST as usize;

/// Rounds until the pattern repeats.
const ROUNDS: u64 = 64;

const SEED: u64 = 5;

/// What happens to datagrams on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Nothing.
    Good,
    /// One in ten is lost, one in ten comes up to a burst late, one in fifty comes twice.
    Lossy,
}

/// Sessions and what arrives on them, round after round.
#[derive(Debug)]
pub struct Arrivals {
    windows: Vec<SequenceWindow>,
    /// For each round and session, numbers in order of arrival, from the session's first of the
    /// pattern.
    pattern: Vec<Vec<u64>>,
    round: u64,
}

impl Arrivals {
    /// Sessions that have seen nothing yet.
    pub fn new(network: Network) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let mut pattern = vec![Vec::new(); ROUNDS as usize * AGENTS];
        for session in 0..AGENTS {
            for number in 0..ROUNDS * BURST {
                let round = (number / BURST) as usize;
                let place = round * AGENTS + session;
                let copies = match (network, random.random_range(0..100)) {
                    (Network::Good, _) => [Some(place), None],
                    (Network::Lossy, 0..10) => [None, None],
                    (Network::Lossy, 10..20) if round + 1 < ROUNDS as usize => {
                        [Some(place + AGENTS), None]
                    }
                    (Network::Lossy, 20..22) => [Some(place), Some(place)],
                    (Network::Lossy, _) => [Some(place), None],
                };
                for place in copies.into_iter().flatten() {
                    pattern[place].push(number);
                }
            }
        }
        Self {
            windows: vec![SequenceWindow::default(); AGENTS],
            pattern,
            round: 0,
        }
    }

    /// What is measured: a burst arrives on each session. Returns how many datagrams were new.
    #[inline]
    pub fn take_in(&mut self) -> usize {
        let base = self.round / ROUNDS * ROUNDS * BURST;
        let first = (self.round % ROUNDS) as usize * AGENTS;
        self.round += 1;
        let mut new = 0;
        for (window, numbers) in self.windows.iter_mut().zip(&self.pattern[first..]) {
            for number in numbers {
                let sequence = base + number;
                let rows = FULL_ROWS as u64;
                let arrival = window.handle_arrival(sequence, sequence * rows, rows);
                new += usize::from(arrival == Arrival::New);
            }
        }
        new
    }
}
