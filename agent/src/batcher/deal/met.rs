//! Who is in a burst already.

use wire::ClientId;

use super::Waiting;

/// Tells whether a client comes twice. May say so of one that does not, never the other way.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// A bit for each short id; none is set between bursts.
    short_ids: Vec<u64>,
    /// Parts of the hashes of other clients, 0 behind the last of a group; a client is in the group
    /// that another part of its hash names, or behind it when that is full.
    groups: Vec<[u16; GROUP]>,
    counts: Vec<u8>,
}

/// Clients that are looked at together, without a branch that nobody can foretell.
const GROUP: usize = 8;

/// Groups that a client is looked for in; ids may have been chosen to collide.
const PROBES_MAX: usize = 8;

impl Met {
    /// For short ids below this, and so many other clients in a burst.
    pub(super) fn new(short_ids_max: usize, clients_max: usize) -> Self {
        // A quarter full at most, so that hardly any group is.
        let groups = (4 * clients_max / GROUP).next_power_of_two();
        Self {
            short_ids: vec![0; short_ids_max.div_ceil(64)],
            groups: vec![[0; GROUP]; groups],
            counts: vec![0; groups],
        }
    }

    /// A client is twice in a burst; all go by ids of one kind.
    pub(super) fn comes_twice<'a>(
        &mut self,
        burst: impl Iterator<Item = &'a Waiting> + Clone,
    ) -> bool {
        match burst.clone().next().map(Waiting::short_id) {
            Some(Some(_)) => {
                // As sources that always name clients in one order have them.
                let short_ids = burst.clone().map(|waiting| waiting.short_id());
                !short_ids.is_sorted_by(|one, next| one < next) && self.short_id_twice(burst)
            }
            Some(None) => self.client_twice(burst),
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

    fn client_twice<'a>(&mut self, mut burst: impl Iterator<Item = &'a Waiting>) -> bool {
        // Emptied from end to end, it is in the cache next to the processor when it is needed.
        self.groups.fill([0; GROUP]);
        self.counts.fill(0);
        burst.any(|waiting| self.meet_client(waiting.client()))
    }

    /// A client without a short id comes; says whether it came before.
    #[inline]
    fn meet_client(&mut self, client: ClientId) -> bool {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids may be consecutive.
        let hash = client.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (home, own) = ((hash >> 32) as usize, (hash >> 16) as u16 | 1);
        let mask = self.groups.len() - 1;
        for probe in 0..PROBES_MAX {
            let place = (home + probe) & mask;
            let (Some(group), Some(count)) =
                (self.groups.get_mut(place), self.counts.get_mut(place))
            else {
                return true;
            };
            // All eight at once, without a branch for each.
            if group.iter().fold(false, |met, held| met | (*held == own)) {
                return true;
            }
            if let Some(free) = group.get_mut(usize::from(*count)) {
                *free = own;
                *count += 1;
                return false;
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
            let mut met = Met::new(999, 64);
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
