//! An observation while it waits.

use wire::batch::{Air, Reading, SHORT_ID_MAX};
use wire::{ClientId, Kind, Observation, Range};

/// Half the memory of an [`Observation`], since bursts stream through the processor's caches; its
/// range, which few have, lies apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    client: ClientId,
    heard_at_us: u64,
    reading: Reading,
    /// Radio (8 bits), whether it has a range (1), whether it has a short id (1), the short id (22).
    about: u32,
}

const _: () = assert!(size_of::<Waiting>() == 24);

const HAS_SHORT_ID: u32 = 1 << 22;
const HAS_RANGE: u32 = 1 << 23;
const RADIO_SHIFT: u32 = 24;

const _: () = assert!(SHORT_ID_MAX < HAS_SHORT_ID);

impl Waiting {
    #[inline(always)]
    pub(super) fn new(observation: &Observation) -> Self {
        let has_range = match observation.range {
            Some(_) => HAS_RANGE,
            None => 0,
        };
        Self {
            client: observation.client,
            heard_at_us: observation.heard_at_us,
            reading: Reading::of(observation),
            about: u32::from(observation.radio) << RADIO_SHIFT | has_range,
        }
    }

    #[inline]
    pub(super) fn client(&self) -> ClientId {
        self.client
    }

    #[inline]
    pub(super) fn heard_at_us(&self) -> u64 {
        self.heard_at_us
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        self.reading.kind()
    }

    #[inline]
    pub(super) fn radio(&self) -> u8 {
        (self.about >> RADIO_SHIFT) as u8
    }

    /// Channel and noise floor.
    #[inline]
    pub(super) fn air(&self) -> Air {
        self.reading.air()
    }

    #[inline]
    pub(super) fn has_range(&self) -> bool {
        self.about & HAS_RANGE != 0
    }

    /// Radio, air and whether it has a range among other bits: to look at many with one instruction
    /// each.
    #[inline]
    pub(super) fn marks(&self) -> u64 {
        u64::from(self.about) << u32::BITS | u64::from(self.reading.bits())
    }

    /// Of the marks of one and all differences from them together: one has a range.
    #[inline]
    pub(super) fn have_range(marks: u64) -> bool {
        (marks >> u32::BITS) as u32 & HAS_RANGE != 0
    }

    /// Of all differences of marks together: there are two radios.
    #[inline]
    pub(super) fn have_radio(differing: u64) -> bool {
        differing >> (u32::BITS + RADIO_SHIFT) != 0
    }

    /// Of all differences of marks together: there are two channels or noise floors.
    #[inline]
    pub(super) fn have_air(differing: u64) -> bool {
        Reading::have_air(differing as u32)
    }

    /// By which its client goes in the burst to which it was dealt; of no meaning before.
    #[inline]
    pub(super) fn short_id(&self) -> Option<u32> {
        (self.about & HAS_SHORT_ID != 0).then_some(self.about & SHORT_ID_MAX)
    }

    #[inline]
    pub(super) fn set_short_id(&mut self, short_id: Option<u32>) {
        let short_id = short_id.map_or(0, |short_id| short_id & SHORT_ID_MAX | HAS_SHORT_ID);
        self.about = self.about & !(SHORT_ID_MAX | HAS_SHORT_ID) | short_id;
    }

    /// For [`wire::batch::BatchWriter::encode_rows`].
    #[inline]
    pub(super) fn row(&self) -> (ClientId, u64, Reading) {
        (self.client, self.heard_at_us, self.reading)
    }

    /// For [`wire::batch::BatchWriter::encode_short_rows`], of one that has a short id.
    #[inline]
    pub(super) fn short_row(&self) -> (u32, u64, Reading) {
        (self.about & SHORT_ID_MAX, self.heard_at_us, self.reading)
    }

    pub(super) fn observation(&self, range: Option<Range>) -> Observation {
        let radio = self.radio();
        self.reading
            .observation(self.client, self.heard_at_us, radio, range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level() -> impl Strategy<Value = Option<i8>> {
        prop::option::of(prop_oneof![Just(-127_i8), Just(127), -127_i8..=127])
    }

    fn word() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]
    }

    proptest! {
        #[test]
        fn every_field_is_kept(
            (client, heard_at_us, radio) in (word(), word(), any::<u8>()),
            (rssi_dbm, noise_dbm, channel) in (level(), level(), any::<u8>()),
            (kind, randomised, associated) in (0_u8..8, any::<bool>(), any::<bool>()),
            distance_mm in prop::option::of(any::<i32>()),
            short_ids in prop::collection::vec(prop::option::of(0..=SHORT_ID_MAX), 0..4),
        ) {
            let range = distance_mm.map(|distance_mm| Range { distance_mm, deviation_mm: None });
            let observation = Observation {
                client: ClientId(client),
                heard_at_us,
                radio,
                rssi_dbm,
                noise_dbm,
                channel,
                kind: Kind::from_code(kind),
                randomised,
                associated,
                range,
            };
            let mut waiting = Waiting::new(&observation);
            prop_assert_eq!(waiting.short_id(), None);
            for short_id in short_ids {
                waiting.set_short_id(short_id);
                prop_assert_eq!(waiting.short_id(), short_id);
                prop_assert_eq!(waiting.short_row().0, short_id.unwrap_or(0));
            }
            prop_assert_eq!(waiting.has_range(), range.is_some());
            prop_assert_eq!(waiting.kind(), observation.kind);
            prop_assert_eq!(waiting.observation(range), observation);
            let (client, heard_at_us, _) = waiting.row();
            prop_assert_eq!((client, heard_at_us), (observation.client, observation.heard_at_us));
        }
    }
}
