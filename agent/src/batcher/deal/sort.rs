//! Sorts the keys of a burst by digits: a third of the cost of a comparison sort.
//!
//! Least digit first (Knuth, The Art of Computer Programming 3, 5.2.5, algorithm R). Sixteen bits of
//! the client nearly sort a burst, for short ids quite; an insertion pass does the rest.

use super::key::{CLIENT_DIGITS, CLIENT_VALUES, Digit, Key, RADIO_DIGIT, RADIO_VALUES};

/// Below this many, comparisons are cheaper than tables.
const DIGITS_FROM: usize = 64;

/// Moves of the insertion pass, per key, before it is given up: ids may have been chosen to collide.
const MOVES_PER_KEY: usize = 8;

/// Sorts `keys`; `scratch` is overwritten.
pub(super) fn sort(keys: &mut Vec<Key>, scratch: &mut Vec<Key>) {
    if keys.len() < DIGITS_FROM {
        keys.sort_unstable();
        return;
    }
    scratch.clear();
    scratch.resize(keys.len(), Key::default());
    // Digits in which all are equal are common, and need no pass.
    let (mut all, mut any) = (u64::MAX, 0);
    let mut counts = [[0_u16; CLIENT_VALUES]; 2];
    for key in keys.iter() {
        let bits = key.bits();
        (all, any) = (all & bits, any | bits);
        counts[0][CLIENT_DIGITS[0].of(bits) % CLIENT_VALUES] += 1;
        counts[1][CLIENT_DIGITS[1].of(bits) % CLIENT_VALUES] += 1;
    }
    for (digit, counts) in CLIENT_DIGITS.into_iter().zip(&mut counts) {
        if digit.of(all ^ any) != 0 {
            scatter(keys, scratch, digit, counts);
            std::mem::swap(keys, scratch);
        }
    }
    if RADIO_DIGIT.of(all ^ any) != 0 {
        let mut counts = [0_u16; RADIO_VALUES];
        for key in keys.iter() {
            counts[RADIO_DIGIT.of(key.bits()) % RADIO_VALUES] += 1;
        }
        scatter(keys, scratch, RADIO_DIGIT, &mut counts);
        std::mem::swap(keys, scratch);
    }
    if !insert_all(keys) {
        keys.sort_unstable();
    }
}

/// Moves the keys to where they belong by one digit, equal ones in their order.
fn scatter<const VALUES: usize>(
    from: &[Key],
    to: &mut [Key],
    digit: Digit,
    counts: &mut [u16; VALUES],
) {
    let mut next = 0;
    for count in counts.iter_mut() {
        next += std::mem::replace(count, next);
    }
    for key in from {
        let place = &mut counts[digit.of(key.bits()) % VALUES];
        if let Some(to) = to.get_mut(usize::from(*place)) {
            *to = *key;
        }
        *place += 1;
    }
}

/// Straight insertion; `false` when it would take too long.
fn insert_all(keys: &mut [Key]) -> bool {
    let mut moves_left = keys.len() * MOVES_PER_KEY;
    for i in 1..keys.len() {
        let key = keys[i];
        if keys[i - 1] <= key {
            continue;
        }
        let mut at = i;
        while at > 0 && keys[at - 1] > key {
            keys[at] = keys[at - 1];
            at -= 1;
        }
        keys[at] = key;
        let moves = i - at;
        if moves > moves_left {
            return false;
        }
        moves_left -= moves;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::{ClientId, Kind, Observation};

    use super::super::Waiting;
    use super::*;

    fn key(index: usize, client: u64, radio: u8, short: bool) -> Key {
        let observation = Observation {
            client: ClientId(client),
            heard_at_us: 0,
            radio,
            rssi_dbm: None,
            noise_dbm: None,
            channel: 0,
            kind: Kind::Other,
            randomised: false,
            associated: false,
            range: None,
        };
        let mut waiting = Waiting::new(&observation);
        waiting.set_short_id(short.then_some(client as u32 & 0x7fff));
        Key::new(index, &waiting)
    }

    proptest! {
        #[test]
        fn sorts_as_comparisons_do(
            clients in prop::collection::vec((0_u64..3_000, 0_u8..3, any::<bool>()), 0..800),
            radios in 1_u8..4,
            all_short in any::<bool>(),
        ) {
            let given = clients.iter().enumerate();
            let mut keys: Vec<Key> = given
                .map(|(i, (client, radio, short))| key(i, *client, radio % radios, *short || all_short))
                .collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys, &mut Vec::new());
            prop_assert_eq!(keys, expected);
        }
    }

    #[test]
    fn clients_chosen_to_collide_do_not_make_it_slow() {
        // The inverse of the hash's factor: their hashes differ in low bits only.
        let inverse = 0xf1de_83e1_9937_733d_u64;
        let client = |i: u64| inverse.wrapping_mul((2_000 - i) << 26);
        let mut keys: Vec<Key> = (0..2_000)
            .map(|i| key(i as usize, client(i), 0, false))
            .collect();
        assert!(!insert_all(&mut keys.clone()));
        sort(&mut keys, &mut Vec::new());
        assert!(keys.is_sorted());
    }
}
