//! Who is in a burst already.

use wire::ClientId;

use super::Waiting;

/// Tells whether a client comes twice. May say so of one that does not, never the other way.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// For each short id the number of the burst in which it came last: a byte each, since a bit
    /// would have to wait for the one before it in the same word.
    short_ids: Vec<u8>,
    /// The number of this burst; it wraps.
    burst: u8,
    /// Parts of the hashes of other clients, 0 behind the last of a group; a client is in the group
    /// that another part of its hash names, or behind it when that is full.
    groups: Vec<[u16; GROUP]>,
    counts: Vec<u8>,
}

/// The short ids of a burst, one after the other.
#[derive(Debug)]
pub(super) struct Meeting<'a> {
    short_ids: &'a mut [u8],
    burst: u8,
}

impl Meeting<'_> {
    /// A short id comes; says whether it came before.
    #[inline]
    pub(super) fn short_id_came(&mut self, short_id: u32) -> bool {
        match self.short_ids.get_mut(short_id as usize) {
            Some(last) => std::mem::replace(last, self.burst) == self.burst,
            None => true,
        }
    }
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
            short_ids: vec![0; short_ids_max],
            burst: 0,
            groups: vec![[0; GROUP]; groups],
            counts: vec![0; groups],
        }
    }

    /// A burst begins: nobody came.
    pub(super) fn begin(&mut self) -> Meeting<'_> {
        self.burst = self.burst.wrapping_add(1);
        if self.burst == 0 {
            // Numbers begin again.
            self.short_ids.fill(0);
            self.burst = 1;
        }
        Meeting {
            short_ids: &mut self.short_ids,
            burst: self.burst,
        }
    }

    /// A client of a burst comes twice, all of whom go by full ids.
    pub(super) fn client_twice<'a>(
        &mut self,
        mut burst: impl Iterator<Item = &'a Waiting>,
    ) -> bool {
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
            bursts in prop::collection::vec((prop::collection::vec(0_u32..999, 0..40), any::<bool>()), 1..300),
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
                let mut meeting = met.begin();
                let told = if short {
                    let short_ids = burst.iter().filter_map(Waiting::short_id);
                    short_ids.fold(false, |told, short_id| told | meeting.short_id_came(short_id))
                } else {
                    met.client_twice(burst.iter())
                };
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
            bursts += u32::from(met.client_twice(burst.iter()));
        }
        assert!(bursts < 100, "{bursts} of 1,000 bursts");
    }
}
