//! One client's state in a pair of cache lines: the last value of up to sixteen radios.

use wire::ClientId;

use crate::limits::RADIOS_PER_CLIENT_MAX as SLOTS;

/// A slot that no radio holds.
const NOBODY: u16 = u16::MAX;

/// Fixed-point steps in a decibel.
const STEPS_PER_DB: f32 = 128.0;

/// Most observations in a running mean; beyond it the mean forgets, so that it follows a walk.
const MEAN_LEN_MAX: u8 = 32;

/// How many decibels an older value counts as weaker, per [`Moment`], when a newcomer needs a slot:
/// 4 dB per second.
const STALENESS_DB_PER_MOMENT: f32 = 4.0 * 0.016_384;

/// Time in a line: steps of 16.384 ms that wrap after 18 minutes, longer than anything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u16);

impl Moment {
    /// The moment of a time in microseconds.
    pub fn from_us(time_us: u64) -> Self {
        Self((time_us >> 14) as u16)
    }

    /// Steps from `earlier` to this moment; zero when `earlier` lies in the future.
    pub fn steps_since(self, earlier: Self) -> u16 {
        let steps = self.0.wrapping_sub(earlier.0);
        if steps > u16::MAX - 0x1000 { 0 } else { steps }
    }

    /// Seconds from `earlier` to this moment.
    pub fn seconds_since(self, earlier: Self) -> f32 {
        f32::from(self.steps_since(earlier)) * 0.016_384
    }
}

/// One radio's last word on a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Index of the radio in the site.
    pub radio: u16,
    /// Mean signal strength since the last fix, or the last one before it, in dBm.
    pub rssi_dbm: f32,
    /// When the newest of them was heard.
    pub heard: Moment,
    /// Observations since the last fix; 0 when all are older.
    pub fresh: u8,
}

/// The window of one client: key and sixteen slots in a pair of cache lines, which the processor
/// fetches together.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(128))]
pub struct Line {
    key: u64,
    radio: [u16; SLOTS],
    rssi: [i16; SLOTS],
    heard: [u16; SLOTS],
    fresh: [u8; SLOTS],
}

const _: () = assert!(size_of::<Line>() == 128);

impl Line {
    /// A line that belongs to nobody.
    pub const EMPTY: Self = Self {
        key: 0,
        radio: [NOBODY; SLOTS],
        rssi: [0; SLOTS],
        heard: [0; SLOTS],
        fresh: [0; SLOTS],
    };

    /// The key of a client: its id, never 0, which marks an empty line.
    pub fn key_of(client: ClientId) -> u64 {
        client.0.max(1)
    }

    /// A new line for a client.
    pub fn new(key: u64) -> Self {
        Self { key, ..Self::EMPTY }
    }

    /// Key of the client, 0 for nobody.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Folds one observation in; says whether it was kept (one radio too many, and weaker, is not).
    #[inline]
    pub fn fold(&mut self, radio: u16, rssi_dbm: i8, heard: Moment) -> bool {
        let rssi = i16::from(rssi_dbm) * STEPS_PER_DB as i16;
        if let Some(slot) = self.radio.iter().position(|&r| r == radio) {
            self.merge(slot, rssi, heard);
            return true;
        }
        let slot = self.victim(heard);
        if self.radio[slot] != NOBODY && self.worth_db(slot, heard) >= f32::from(rssi_dbm) {
            return false;
        }
        self.radio[slot] = radio;
        self.rssi[slot] = rssi;
        self.heard[slot] = heard.0;
        self.fresh[slot] = 1;
        true
    }

    fn merge(&mut self, slot: usize, rssi: i16, heard: Moment) {
        let len = self.fresh[slot].min(MEAN_LEN_MAX - 1);
        let step = (i32::from(rssi) - i32::from(self.rssi[slot])) / (i32::from(len) + 1);
        self.rssi[slot] = (i32::from(self.rssi[slot]) + step) as i16;
        self.fresh[slot] = self.fresh[slot].saturating_add(1);
        if heard.steps_since(Moment(self.heard[slot])) > 0 || len == 0 {
            self.heard[slot] = heard.0;
        }
    }

    /// The free slot, or else the one that is weakest for its age.
    fn victim(&self, now: Moment) -> usize {
        let mut victim = 0;
        let mut least = f32::INFINITY;
        for slot in 0..SLOTS {
            if self.radio[slot] == NOBODY {
                return slot;
            }
            let worth = self.worth_db(slot, now);
            if worth < least {
                (victim, least) = (slot, worth);
            }
        }
        victim
    }

    fn worth_db(&self, slot: usize, now: Moment) -> f32 {
        let age = f32::from(now.steps_since(Moment(self.heard[slot])));
        f32::from(self.rssi[slot]) / STEPS_PER_DB - age * STALENESS_DB_PER_MOMENT
    }

    /// The slots in use.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..SLOTS)
            .filter(|&i| self.radio[i] != NOBODY)
            .map(|i| Slot {
                radio: self.radio[i],
                rssi_dbm: f32::from(self.rssi[i]) / STEPS_PER_DB,
                heard: Moment(self.heard[i]),
                fresh: self.fresh[i],
            })
    }

    /// Whether anything was heard since the last fix.
    pub fn is_fresh(&self) -> bool {
        u128::from_le_bytes(self.fresh) != 0
    }

    /// Observations since the last fix; a slot counts 255 at most.
    pub fn observations(&self) -> u32 {
        self.fresh.iter().map(|&n| u32::from(n)).sum()
    }

    /// A fix has used the line: what comes next is a new interval.
    pub fn mark_used(&mut self) {
        self.fresh = [0; SLOTS];
    }

    /// Forgets radios silent for longer than `steps`; says whether none is left.
    pub fn expire(&mut self, now: Moment, steps: u16) -> bool {
        let mut left = false;
        for slot in 0..SLOTS {
            if self.radio[slot] == NOBODY {
                continue;
            }
            if now.steps_since(Moment(self.heard[slot])) > steps {
                self.radio[slot] = NOBODY;
                self.fresh[slot] = 0;
            } else {
                left = true;
            }
        }
        !left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_us(ms * 1_000)
    }

    #[test]
    fn a_radio_heard_again_gives_the_mean_since_the_last_fix() {
        let mut line = Line::new(7);
        for rssi in [-60, -64, -62] {
            assert!(line.fold(3, rssi, at(100)));
        }
        let slot = line.slots().next().unwrap();
        assert_eq!((slot.radio, slot.fresh), (3, 3));
        assert!((slot.rssi_dbm + 62.0).abs() < 0.02, "{}", slot.rssi_dbm);
        line.mark_used();
        assert!(!line.is_fresh());
        line.fold(3, -80, at(1_100));
        let slot = line.slots().next().unwrap();
        assert_eq!(
            (slot.rssi_dbm, slot.fresh, slot.heard),
            (-80.0, 1, at(1_100))
        );
    }

    #[test]
    fn one_radio_too_many_must_be_stronger_than_the_weakest() {
        let mut line = Line::new(7);
        let last = SLOTS as u16 - 1;
        for radio in 0..=last {
            line.fold(radio, -50 - radio as i8, at(0));
        }
        assert!(!line.fold(100, -90, at(0)), "weaker than all");
        assert!(line.fold(101, -55, at(0)), "replaces the last radio");
        let radios: Vec<u16> = line.slots().map(|slot| slot.radio).collect();
        assert!(
            radios.iter().copied().eq((0..last).chain([101])),
            "{radios:?}"
        );
    }

    #[test]
    fn a_stale_radio_gives_way_to_a_weaker_fresh_one() {
        let mut line = Line::new(7);
        for radio in 0..SLOTS as u16 {
            line.fold(radio, -50, at(u64::from(radio) * 500));
        }
        assert!(
            line.fold(100, -70, at(8_000)),
            "radio 0 is 8 s old: worth -82 dBm"
        );
        assert!(line.slots().all(|slot| slot.radio != 0));
    }

    #[test]
    fn silence_empties_the_line() {
        let mut line = Line::new(7);
        line.fold(1, -50, at(0));
        let minute = Moment::from_us(60_000_000).steps_since(at(0));
        assert!(!line.expire(at(59_000), minute));
        assert!(line.expire(at(61_000), minute));
        assert_eq!(line.slots().count(), 0);
    }

    #[test]
    fn time_wraps_and_a_little_future_has_no_age() {
        let before_wrap = Moment(u16::MAX - 10);
        assert_eq!(Moment(5).steps_since(before_wrap), 16);
        assert_eq!(before_wrap.steps_since(Moment(5)), 0);
    }
}
