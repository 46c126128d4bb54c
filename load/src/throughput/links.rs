//! What each agent hears, four bytes a link: ten million clients with eight links each must fit.

use std::num::NonZero;
use std::thread;

use rand::SeedableRng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::cli::HearingOrder;
use crate::hall::{Audible, Hall};
use crate::limits::CLIENTS_MAX;

const CLIENT_BITS: u32 = 24;

const _: () = assert!(CLIENTS_MAX <= 1 << CLIENT_BITS);

/// A client's index and how strong it is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

impl Link {
    pub(super) fn new(client: u32, rssi_dbm: i8) -> Self {
        Self(client | u32::from(rssi_dbm as u8) << CLIENT_BITS)
    }

    pub(super) fn client(self) -> u32 {
        self.0 & ((1 << CLIENT_BITS) - 1)
    }

    pub(super) fn rssi_dbm(self) -> i8 {
        (self.0 >> CLIENT_BITS) as u8 as i8
    }
}

/// The links of each agent of the hall, in the order in which it hears them.
pub(super) fn of_hall(hall: &Hall, order: HearingOrder, seed: u64) -> Vec<Vec<Link>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let parts = listen(hall, threads);
    let mut links: Vec<Vec<Link>> = (0..hall.agents.len())
        .map(|agent| Vec::with_capacity(parts.iter().map(|part| part[agent].len()).sum()))
        .collect();
    for part in parts {
        for (links, part) in links.iter_mut().zip(part) {
            links.extend(part);
        }
    }
    match order {
        // Clients are numbered in no order of their places, and all agents count alike.
        HearingOrder::Together => {}
        HearingOrder::Shuffled => shuffle(&mut links, seed, threads),
    }
    links
}

/// The links of each agent from each thread's share of the blocks.
fn listen(hall: &Hall, threads: usize) -> Vec<Vec<Vec<Link>>> {
    let share = |n| hall.blocks() * n / threads;
    thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || listen_to(hall, share(n)..share(n + 1))))
            .collect();
        started
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|why| std::panic::resume_unwind(why))
            })
            .collect()
    })
}

fn listen_to(hall: &Hall, blocks: std::ops::Range<usize>) -> Vec<Vec<Link>> {
    let mut links = vec![Vec::new(); hall.agents.len()];
    for block in blocks {
        hall.listen(block, &mut |audible: Audible| {
            links[audible.agent].push(Link::new(audible.client, audible.begin_dbm.round() as i8));
        });
    }
    links
}

/// An order of its own for each agent.
fn shuffle(links: &mut [Vec<Link>], seed: u64, threads: usize) {
    let share = links.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for (part, links) in links.chunks_mut(share).enumerate() {
            scope.spawn(move || {
                for (index, links) in links.iter_mut().enumerate() {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream((part * share + index) as u64);
                    links.shuffle(&mut rng);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hall::HallPlan;

    fn hall(clients: usize) -> Hall {
        Hall::new(HallPlan {
            number: 0,
            agents: 20,
            clients,
            stroll_m: 0.0,
            seed: 1,
        })
    }

    #[test]
    fn a_link_keeps_client_and_strength() {
        for (client, rssi_dbm) in [(0, 0), (1, -128), (9_999_999, -55), (123_456, 127)] {
            let link = Link::new(client, rssi_dbm);
            assert_eq!((link.client(), link.rssi_dbm()), (client, rssi_dbm));
        }
        assert_eq!(size_of::<Link>(), 4);
    }

    #[test]
    fn every_client_is_heard_eight_times_whatever_the_number_of_threads() {
        let hall = hall(3 * crate::hall::BLOCK_CLIENTS / 2);
        let mut heard = vec![0u8; 3 * crate::hall::BLOCK_CLIENTS / 2];
        for link in of_hall(&hall, HearingOrder::Shuffled, 1).iter().flatten() {
            heard[link.client() as usize] += 1;
        }
        assert!(heard.iter().all(|count| *count == 8));
        let joined = |threads| {
            let parts = listen(&hall, threads);
            let of = |agent: usize| parts.iter().flat_map(move |part| part[agent].clone());
            (0..20)
                .map(|agent| of(agent).collect())
                .collect::<Vec<Vec<_>>>()
        };
        assert_eq!(joined(1), joined(5));
    }

    #[test]
    fn the_seed_decides_the_order() {
        let hall = hall(200);
        let heard = |order, seed| of_hall(&hall, order, seed);
        let shuffled = heard(HearingOrder::Shuffled, 1);
        assert_eq!(shuffled, heard(HearingOrder::Shuffled, 1));
        assert_ne!(shuffled, heard(HearingOrder::Shuffled, 2));
        let together = heard(HearingOrder::Together, 1);
        assert_eq!(together, heard(HearingOrder::Together, 2));
        let is_sorted = |links: &Vec<Link>| links.is_sorted_by_key(|link| link.client());
        assert!(together.iter().all(is_sorted) && !shuffled.iter().all(is_sorted));
    }
}
