//! What an agent hears: its links, round and round, each observation made when it is due.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wire::{Kind, Observation};

use super::links::Link;
use crate::hall::{ClientIds, FADING_DB, normal};

/// Fadings that are worked out before: so many that they fit in two cache lines.
const FADINGS: usize = 128;

/// Fadings passed over when a round is complete, so that no client meets the same one each round.
const FADING_STEP: usize = 37;

/// Makes observations one by one.
///
/// A real agent keeps each client's pseudonym in a cache; here [`ClientIds`] stands for it.
#[derive(Debug)]
pub(super) struct Hearer {
    ids: ClientIds,
    links: Vec<Link>,
    next: usize,
    rounds: u64,
    fading: usize,
    fading_db: [i8; FADINGS],
}

impl Hearer {
    /// Hears these links.
    pub(super) fn new(ids: ClientIds, links: Vec<Link>, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            ids,
            links,
            next: 0,
            rounds: 0,
            fading: 0,
            fading_db: std::array::from_fn(|_| (FADING_DB * normal(&mut rng)).round() as i8),
        }
    }

    /// Whether there is nobody to hear.
    pub(super) fn is_deaf(&self) -> bool {
        self.links.is_empty()
    }

    /// Clients in sight.
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    /// The next observation, heard at this time of the agent's clock.
    ///
    /// # Panics
    /// When there is nobody to hear.
    #[inline]
    pub(super) fn hear(&mut self, heard_at_us: u64) -> Observation {
        let link = self.links[self.next];
        let fading_db = self.fading_db[self.fading % FADINGS];
        self.pass(1);
        observation(self.ids, link, fading_db, heard_at_us)
    }

    /// The next observations, at most so many and up to the end of the round, all heard at this time
    /// of the agent's clock; none when there is nobody to hear.
    #[inline]
    pub(super) fn hear_next(
        &mut self,
        count: usize,
        heard_at_us: u64,
    ) -> impl ExactSizeIterator<Item = Observation> + use<'_> {
        let (from, fading) = (self.next, self.fading);
        let count = count.min(self.links.len() - from);
        self.pass(count);
        let (ids, fading_db) = (self.ids, &self.fading_db);
        let links = self.links[from..from + count].iter().enumerate();
        links.map(move |(number, link)| {
            let fading_db = fading_db[fading.wrapping_add(number) % FADINGS];
            observation(ids, *link, fading_db, heard_at_us)
        })
    }

    /// So many of the running round are made.
    #[inline]
    fn pass(&mut self, count: usize) {
        self.next += count;
        self.fading = self.fading.wrapping_add(count);
        if self.next == self.links.len() && count > 0 {
            self.next = 0;
            self.rounds += 1;
            self.fading = self.fading.wrapping_add(FADING_STEP);
        }
    }

    /// Observations made so far.
    pub(super) fn heard(&self) -> u64 {
        self.rounds * self.links.len() as u64 + self.next as u64
    }

    /// Rounds so far, with the part of the running one.
    pub(super) fn round(&self) -> f64 {
        self.rounds as f64 + self.next as f64 / self.links.len().max(1) as f64
    }

    /// How often each link has been heard.
    pub(super) fn rounds(&self) -> u64 {
        if self.is_deaf() {
            u64::MAX
        } else {
            self.rounds
        }
    }
}

#[inline(always)]
fn observation(ids: ClientIds, link: Link, fading_db: i8, heard_at_us: u64) -> Observation {
    Observation {
        client: ids.of(link.client()),
        heard_at_us,
        radio: 0,
        rssi_dbm: Some(link.rssi_dbm().saturating_add(fading_db)),
        noise_dbm: None,
        channel: 36,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::hall::{Hall, HallPlan};

    fn hearer(links: usize) -> Hearer {
        let hall = Hall::new(HallPlan {
            number: 0,
            agents: 1,
            clients: links,
            stroll_m: 0.0,
            seed: 1,
        });
        let links = (0..links as u32).map(|client| Link::new(client, -60));
        Hearer::new(hall.ids, links.collect(), 1)
    }

    #[test]
    fn each_round_hears_everybody_once() {
        let mut hearer = hearer(5);
        let mut count = HashMap::new();
        for time_us in 0..15 {
            let heard = hearer.hear(time_us);
            assert_eq!(heard.heard_at_us, time_us);
            *count.entry(heard.client).or_insert(0) += 1;
        }
        assert_eq!((count.len(), hearer.rounds()), (5, 3));
        hearer.hear(15);
        assert_eq!((hearer.heard(), hearer.rounds()), (16, 3));
        assert!(count.values().all(|count| *count == 3));
    }

    #[test]
    fn many_at_once_are_those_that_come_one_by_one() {
        let (mut one_by_one, mut at_once) = (hearer(37), hearer(37));
        for count in [1, 0, 5, 30, 50, 37, 36, 100] {
            let mut left = count;
            while left > 0 {
                let heard: Vec<_> = at_once.hear_next(left, 7).collect();
                left -= heard.len();
                for heard in heard {
                    assert_eq!(heard, one_by_one.hear(7));
                }
            }
            assert_eq!(at_once.heard(), one_by_one.heard());
            assert_eq!(at_once.rounds(), one_by_one.rounds());
        }
        assert_eq!(hearer(0).hear_next(5, 7).len(), 0);
    }

    #[test]
    fn a_client_fades_also_when_rounds_are_as_long_as_the_table() {
        let mut hearer = hearer(FADINGS);
        let mut of_one = Vec::new();
        for number in 0..20 * FADINGS {
            let rssi_dbm = hearer.hear(0).rssi_dbm.unwrap();
            assert!((-72..=-48).contains(&rssi_dbm), "{rssi_dbm}");
            if number % FADINGS == 0 {
                of_one.push(rssi_dbm);
            }
        }
        assert!(of_one.iter().min() < of_one.iter().max());
    }
}
