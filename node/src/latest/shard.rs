//! The latest fixes of some clients, in as little memory as it takes.
//!
//! Fixes lie in chunks that never move, so that growing copies nothing large; an open-addressed index of
//! 32-bit slots finds them. It grows by a quarter: five to seven bytes per client.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use wire::ClientId;

use super::packed::PackedFix;

/// Fixes in one chunk: the last one is half empty on average.
const CHUNK_LEN: usize = 64;

/// Bits of a slot that name a fix; the others are a tag, which tells most strangers apart without
/// a look at their fix.
const POSITION_BITS: u32 = 22;
const POSITION_MASK: u32 = (1 << POSITION_BITS) - 1;

/// No fix has this position: one shard may hold all clients of a site.
const EMPTY: u32 = u32::MAX;
const _: () = assert!(super::CLIENTS_PER_SITE_MAX < POSITION_MASK as usize);

/// The clients of one part of the id's range.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// All but the last are full.
    chunks: Vec<Vec<PackedFix>>,
    len: usize,
    /// At most four of five slots are taken. Nothing is ever taken out: a sweep makes it anew.
    index: Vec<u32>,
}

impl Shard {
    pub(super) fn get(&self, client: ClientId) -> Option<&PackedFix> {
        let position = self.find(client).ok()?;
        Some(self.at(position))
    }

    /// Replaces the fix of a client that is known already; tells whether it is.
    pub(super) fn replace(&mut self, fix: &PackedFix) -> bool {
        let Ok(position) = self.find(fix.client()) else {
            return false;
        };
        self.chunks[position / CHUNK_LEN][position % CHUNK_LEN] = *fix;
        true
    }

    /// Replaces the fixes of clients that are known already, and leaves the others, in order, in `fixes`:
    /// those of clients that are not known, and what follows the first of them if it is of the same
    /// client.
    ///
    /// Memory that is far away is asked for in steps, so that the waits overlap: first for where the index
    /// names all of them, then for what it names.
    pub(super) fn replace_all(&mut self, fixes: &mut Vec<PackedFix>) {
        let (mut unknown, mut from) = (0, 0);
        let mut guesses = [EMPTY; CHUNK_LEN];
        while from < fixes.len() {
            let some = from..fixes.len().min(from + CHUNK_LEN);
            let homes = fixes[some.clone()]
                .iter()
                .map(|fix| home(fix.client(), self.index.len()));
            std::hint::black_box(
                homes.fold(0, |all, home| all ^ self.index.get(home).unwrap_or(&0)),
            );
            for (guess, fix) in guesses.iter_mut().zip(&fixes[some.clone()]) {
                *guess = self.guess(fix.client());
            }
            for (guess, at) in guesses.iter().zip(some.clone()) {
                let fix = fixes[at];
                let position = (guess & POSITION_MASK) as usize;
                let there = self
                    .chunks
                    .get_mut(position / CHUNK_LEN)
                    .and_then(|chunk| chunk.get_mut(position % CHUNK_LEN))
                    .filter(|there| there.client() == fix.client());
                match there {
                    Some(there) => *there = fix,
                    None => {
                        fixes[unknown] = fix;
                        unknown += 1;
                    }
                }
            }
            from = some.end;
        }
        fixes.truncate(unknown);
    }

    /// Adds the fix of a client that is not known.
    pub(super) fn add(&mut self, fix: PackedFix) {
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() == CHUNK_LEN)
        {
            self.chunks.push(Vec::new());
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(fix);
        }
        self.len += 1;
        if self.len * 5 > self.index.len() * 4 {
            self.make_index();
        } else if let Err(slot) = self.find(fix.client()) {
            self.index[slot] = slot_of(fix.client(), self.len - 1);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PackedFix> {
        self.chunks.iter().flatten()
    }

    /// Forgets what `keep` does not want; returns how many fixes that were.
    pub(super) fn retain(&mut self, keep: impl Fn(&PackedFix) -> bool) -> usize {
        let before = self.len;
        let mut kept = 0;
        for position in 0..before {
            let fix = *self.at(position);
            if keep(&fix) {
                self.chunks[kept / CHUNK_LEN][kept % CHUNK_LEN] = fix;
                kept += 1;
            }
        }
        if kept < before {
            self.len = kept;
            self.chunks.truncate(kept.div_ceil(CHUNK_LEN));
            if let Some(last) = self.chunks.last_mut() {
                last.truncate(kept - (kept - 1) / CHUNK_LEN * CHUNK_LEN);
            }
            self.make_index();
        }
        before - kept
    }

    fn at(&self, position: usize) -> &PackedFix {
        &self.chunks[position / CHUNK_LEN][position % CHUNK_LEN]
    }

    /// Where the client's fix is, or the empty slot where it would be named. The index must have an
    /// empty slot or none at all.
    fn find(&self, client: ClientId) -> Result<usize, usize> {
        let mut slot = home(client, self.index.len());
        loop {
            let Some(&taken) = self.index.get(slot) else {
                return Err(0);
            };
            if taken == EMPTY {
                return Err(slot);
            }
            let position = (taken & POSITION_MASK) as usize;
            if taken == slot_of(client, position) && self.at(position).client() == client {
                return Ok(position);
            }
            slot = if slot + 1 == self.index.len() {
                0
            } else {
                slot + 1
            };
        }
    }

    /// The first slot that may name the client, or an empty one. Does not look at fixes.
    fn guess(&self, client: ClientId) -> u32 {
        let mut slot = home(client, self.index.len());
        let tag = slot_of(client, 0);
        loop {
            let taken = self.index.get(slot).copied().unwrap_or(EMPTY);
            if taken == EMPTY || taken & !POSITION_MASK == tag {
                return taken;
            }
            slot = if slot + 1 == self.index.len() {
                0
            } else {
                slot + 1
            };
        }
    }

    /// Names all fixes anew, with room for a quarter more.
    fn make_index(&mut self) {
        let slots = if self.len == 0 {
            0
        } else {
            self.len * 25 / 16 + 4
        };
        self.index = vec![EMPTY; slots];
        for position in 0..self.len {
            let client = self.at(position).client();
            let mut slot = home(client, slots);
            while self.index[slot] != EMPTY {
                slot = if slot + 1 == slots { 0 } else { slot + 1 };
            }
            self.index[slot] = slot_of(client, position);
        }
    }
}

/// Multiply-shift hashing (Dietzfelbinger et al., J. Algorithms 25, 1997) with an odd number that is
/// another in each process: whoever could choose ids that meet could make each look-up a long one.
fn hash(client: ClientId) -> u64 {
    static SECRET: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0u8) | 1);
    client.0.wrapping_mul(*SECRET)
}

fn home(client: ClientId, slots: usize) -> usize {
    (((hash(client) >> 32) * slots as u64) >> 32) as usize
}

fn slot_of(client: ClientId, position: usize) -> u32 {
    (hash(client) as u32 & !POSITION_MASK) | position as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::tests::sent;
    use super::*;

    fn fix(client: u64, number: u64) -> PackedFix {
        PackedFix::new(&sent(client, 0.0, 0), number, 0)
    }

    #[test]
    fn a_shard_remembers_like_a_map_does() {
        let mut shard = Shard::default();
        let mut expected = HashMap::new();
        let mut state = 1_u64;
        for number in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Hashes, neighbours, and ids that differ in their low bits only.
            let client = match state >> 62 {
                0 => state,
                1 => state >> 52 & 0x3FF,
                _ => (state >> 50 & 0xFFF) << 44,
            };
            if !shard.replace(&fix(client, number)) {
                assert!(!expected.contains_key(&client));
                shard.add(fix(client, number));
            }
            expected.insert(client, number);
            if number % 5_000 == 4_999 {
                let gone = shard.retain(|fix| fix.client().0 % 3 != 0);
                let before = expected.len();
                expected.retain(|client, _| client % 3 != 0);
                assert_eq!(gone, before - expected.len());
            }
        }
        assert_eq!(shard.iter().count(), expected.len());
        for (client, number) in &expected {
            let found = shard.get(ClientId(*client)).unwrap();
            assert!(found.is_before(number + 1) && !found.is_before(*number));
        }
        assert_eq!(shard.retain(|_| false), expected.len());
        assert!(shard.get(ClientId(1)).is_none() && shard.iter().next().is_none());
        shard.add(fix(1, 0));
        assert!(shard.get(ClientId(1)).is_some());
    }

    #[test]
    fn fixes_taken_together_are_those_taken_one_by_one() {
        let (mut together, mut single) = (Shard::default(), Shard::default());
        let (mut known, mut found) = (0, 0);
        let mut state = 1_u64;
        for number in 0..300 {
            let mut fixes: Vec<_> = (0..number % 150)
                .map(|place| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    // Some clients come twice in a batch.
                    let client = (state >> 54).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    fix(client, number * 1_000 + place)
                })
                .collect();
            for fix in &fixes {
                if !single.replace(fix) {
                    single.add(*fix);
                }
            }
            known += (fixes.iter())
                .filter(|fix| together.get(fix.client()).is_some())
                .count();
            found += fixes.len();
            together.replace_all(&mut fixes);
            found -= fixes.len();
            for fix in fixes {
                if !together.replace(&fix) {
                    together.add(fix);
                }
            }
        }
        // Nearly all that were known are found at the first glance.
        assert!(
            found <= known && found * 10 >= known * 9,
            "{found} of {known}"
        );
        let all = |shard: &Shard| {
            let mut all: Vec<_> = shard.iter().map(|fix| format!("{fix:?}")).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(all(&together), all(&single));
        assert_eq!(together.iter().count(), 1_024);
    }
}
