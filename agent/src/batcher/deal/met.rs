//! Who is in a burst already.

use wire::ClientId;

use super::Waiting;

/// Tells whether a client comes twice. May say so of one that does not, never the other way.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// A bit for each short id; none is set between bursts.
    short_ids: Vec<u64>,
    /// Open addressing; a place is the number of a burst (16 bits) and a part of a client's hash (16).
    clients: Vec<u32>,
    burst: u16,
}

/// Places that a client is looked for in; ids may have been chosen to collide.
const PROBES_MAX: usize = 64;

impl Met {
    /// For short ids below this, and so many other clients in a burst.
    pub(super) fn new(short_ids_max: usize, clients_max: usize) -> Self {
        Self {
            short_ids: vec![0; short_ids_max.div_ceil(64)],
            clients: vec![0; (2 * clients_max).next_power_of_two()],
            burst: 0,
        }
    }

    /// A client is twice in a burst; all go by ids of one kind.
    pub(super) fn comes_twice<'a>(
        &mut self,
        burst: impl Iterator<Item = &'a Waiting> + Clone,
    ) -> bool {
        match burst.clone().next().map(Waiting::short_id) {
            Some(Some(_)) => self.short_id_twice(burst),
            Some(None) => {
                self.begin();
                self.client_twice(burst)
            }
            None => false,
        }
    }

    fn short_id_twice<'a>(&mut self, burst: impl Iterator<Item = &'a Waiting>) -> bool {
        let (mut highest, mut twice) = (0, false);
        for waiting in burst {
            let short_id = waiting.short_id().unwrap_or(0) as usize;
            highest = highest.max(short_id);
            let bit = 1 << (short_id % 64);
            twice = match self.short_ids.get_mut(short_id / 64) {
                Some(word) => std::mem::replace(word, *word | bit) & bit != 0,
                None => true,
            };
            if twice {
                break;
            }
        }
        let words = self.short_ids.len().min(highest / 64 + 1);
        self.short_ids[..words].fill(0);
        twice
    }

    fn client_twice<'a>(&mut self, burst: impl Iterator<Item = &'a Waiting>) -> bool {
        for waiting in burst {
            if self.meet_client(waiting.client()) {
                return true;
            }
        }
        false
    }

    /// A new burst: no client was met.
    fn begin(&mut self) {
        self.burst = self.burst.wrapping_add(1);
        if self.burst == 0 {
            self.clients.fill(0);
            self.burst = 1;
        }
    }

    /// A client without a short id comes; says whether it came before.
    #[inline]
    fn meet_client(&mut self, client: ClientId) -> bool {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids may be consecutive.
        let hash = client.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (hash >> 32) as usize;
        let burst = u32::from(self.burst) << 16;
        let own = burst | (hash >> 16) as u32 & 0xffff;
        let mask = self.clients.len() - 1;
        for probe in 0..PROBES_MAX {
            let Some(found) = self.clients.get_mut((place + probe) & mask) else {
                return true;
            };
            if *found & 0xffff_0000 != burst {
                *found = own;
                return false;
            }
            if *found == own {
                return true;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use wire::{Kind, Observation};

    use super::*;

    fn waiting(client: u64, short_id: Option<u32>) -> Waiting {
        let mut waiting = Waiting::new(&Observation {
            client: ClientId(client),
            heard_at_us: 0,
            radio: 0,
            rssi_dbm: None,
            noise_dbm: None,
            channel: 0,
            kind: Kind::Other,
            randomised: false,
            associated: false,
            range: None,
        });
        waiting.set_short_id(short_id);
        waiting
    }

    proptest! {
        #[test]
        fn nobody_comes_twice_unseen(
            bursts in prop::collection::vec((prop::collection::vec(0_u32..999, 0..40), any::<bool>()), 1..9),
            spread in prop_oneof![Just(1_u64), Just(1 << 48), Just(0xf1de_83e1_9937_733d)],
        ) {
            let mut met = Met { burst: u16::MAX - 3, ..Met::new(999, 64) };
            for (burst, short) in bursts {
                let twice = burst.iter().collect::<HashSet<_>>().len() < burst.len();
                let burst = burst.into_iter().map(|number| match short {
                    true => waiting(0, Some(number)),
                    false => waiting(u64::from(number).wrapping_mul(spread), None),
                });
                let burst: Vec<_> = burst.collect();
                let told = met.comes_twice(burst.iter());
                prop_assert!(told || !twice);
                // Those that share much of their hashes pass for one.
                prop_assert!(twice || !told || !short);
            }
        }
    }

    #[test]
    fn few_are_taken_for_others() {
        let mut met = Met::new(0, 1_000);
        let mut bursts = 0;
        for burst in 0..1_000 {
            let clients = 1_000 * burst..1_000 * burst + 1_000;
            let burst: Vec<_> = clients.map(|client| waiting(client, None)).collect();
            bursts += u32::from(met.comes_twice(burst.iter()));
        }
        assert!(bursts < 100, "{bursts} of 1,000 bursts");
    }
}
