//! From what is kept of a client to what a fix is made of.

use locate::Sighting;
use site::RadioIndex;

use crate::limits::{CLIENT_SILENCE_MAX, RADIOS_PER_CLIENT_MAX};
use crate::line::{Dial, Line};
use crate::moment::Moment;
use crate::ranges::RangeSlot;

/// Room for a client's sightings: one of each kind for each radio that its line holds.
pub(super) type Gathered = [Sighting; 2 * RADIOS_PER_CLIENT_MAX];

/// Fills an array of sightings before there are any.
pub(super) const NOTHING: Sighting = Sighting {
    radio: RadioIndex(0),
    rssi_dbm: None,
    count: 1,
    age_s: 0.0,
    range: None,
};

/// The readings that are too old to count, for those who ask what became of them.
pub(super) fn gather_older(
    line: &Line,
    dial: &Dial,
    ranges: &[RangeSlot],
    now: Moment,
    window_s: f32,
) -> Vec<Sighting> {
    let mut all = [NOTHING; 2 * RADIOS_PER_CLIENT_MAX];
    let mut counted = all;
    let len = gather(
        line,
        dial,
        ranges,
        now,
        CLIENT_SILENCE_MAX.as_secs_f32(),
        &mut all,
    );
    let counted_len = gather(line, dial, ranges, now, window_s, &mut counted);
    let is_counted = |radio| counted[..counted_len].iter().any(|s| s.radio == radio);
    all[..len]
        .iter()
        .filter(|sighting| !is_counted(sighting.radio))
        .copied()
        .collect()
}

/// Writes a client's sightings young enough to count; a radio with both kinds gives one sighting.
pub(super) fn gather(
    line: &Line,
    dial: &Dial,
    ranges: &[RangeSlot],
    now: Moment,
    window_s: f32,
    out: &mut Gathered,
) -> usize {
    let mut len = 0;
    for slot in line.slots(dial) {
        let age_s = now.seconds_since(slot.heard);
        if slot.fresh > 0 || age_s <= window_s {
            out[len] = Sighting {
                radio: RadioIndex(slot.radio),
                rssi_dbm: Some(slot.rssi_dbm),
                count: u16::from(slot.fresh.max(1)),
                age_s,
                range: None,
            };
            len += 1;
        }
    }
    for slot in ranges {
        let age_s = now.seconds_since(slot.heard);
        if slot.fresh == 0 && age_s > window_s {
            continue;
        }
        match out[..len]
            .iter_mut()
            .find(|sighting| sighting.radio.0 == slot.radio)
        {
            Some(sighting) => sighting.range = Some(slot.reading),
            None => {
                out[len] = Sighting {
                    radio: RadioIndex(slot.radio),
                    rssi_dbm: None,
                    count: u16::from(slot.fresh.max(1)),
                    age_s,
                    range: Some(slot.reading),
                };
                len += 1;
            }
        }
    }
    len
}
