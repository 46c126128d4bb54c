//! One client's state in a cache line: the last values of up to sixteen radios.

mod dial;
mod together;

pub use dial::Dial;
pub(crate) use together::Sightings;

use crate::limits::{CLIENT_SILENCE_MAX, RADIOS_PER_CLIENT_MAX as SLOTS, RADIOS_PER_SITE_MAX};
use crate::machine::{Plain, Words};
use crate::moment::Moment;
use dial::{OLD_STAMP_BITS, moment_of_old, stamp_of_old};
use wire::ClientId;

/// Signal strengths that a slot tells apart, in dBm; those beyond count as the nearest.
const LEVEL_DBM: (i32, i32) = (-118, 9);

/// Most observations in a mean; beyond it the mean forgets, so that it follows a walk.
const COUNT_MAX: u32 = 7;

/// 65,536 parts of its inverse, rounded up: exact for what it is used for, and no division.
const COUNT_MAX_INVERSE: u32 = (1 << 16) / COUNT_MAX + 1;

/// Steps per decibel in which a slot without news keeps its last mean.
const OLD_STEPS_PER_DB: u32 = 2;

/// Steps of [`Moment`] in which an older value becomes weaker by one of those steps when a newcomer
/// needs its slot: 4 dB per second.
const MOMENTS_PER_OLD_STEP: i32 = 8;

// A slot with news, from the lowest bit: 12 bits of radio, 5 of stamp, 3 of count, 10 of sum.
const RADIO: u32 = 0xfff;
const STAMP_AT: u32 = 12;
const STAMP: u32 = 0x1f;
const COUNT_AT: u32 = 17;
const COUNT: u32 = 0x7;
const SUM_AT: u32 = 20;
const SUM: u32 = 0x3ff;

// One without has a count of 0 and in place of the sum two more bits of stamp and 8 of mean.
const HIGH_STAMP_AT: u32 = SUM_AT;
const LOW_STAMP_BITS: u32 = STAMP.trailing_ones();
const HIGH_STAMP: u32 = (1 << (OLD_STAMP_BITS - LOW_STAMP_BITS)) - 1;
const MEAN_AT: u32 = HIGH_STAMP_AT + OLD_STAMP_BITS - LOW_STAMP_BITS;
const MEAN: u32 = 0xff;

// Above each slot, a bit of the mark and one of the moment to which stamps refer.
const MARK_BIT: u32 = 1 << 30;
const BASED_AT_BIT: u32 = 1 << 31;
const HEAD: u32 = MARK_BIT | BASED_AT_BIT;

/// The slot that no radio holds.
const NOBODY: u32 = RADIO;

/// The mark of a line that no client holds.
const FREE: u16 = 0;

const _: () = assert!(RADIOS_PER_SITE_MAX as u32 <= NOBODY);
const _: () = assert!(COUNT_MAX * (LEVEL_DBM.1 - LEVEL_DBM.0) as u32 <= SUM);
const _: () = assert!(OLD_STEPS_PER_DB * (LEVEL_DBM.1 - LEVEL_DBM.0) as u32 <= MEAN);
const _: () = assert!(size_of::<Line>() == 64);
const _: () = {
    let mut sum = 0;
    while sum <= SUM + COUNT_MAX / 2 {
        assert!((sum * COUNT_MAX_INVERSE) >> 16 == sum / COUNT_MAX);
        sum += 1;
    }
};

/// One radio's last word on a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Index of the radio in the site.
    pub radio: u16,
    /// Mean signal strength since the last fix, or the last one before it, in dBm.
    pub rssi_dbm: f32,
    /// When the newest of them was heard: to 0.1 s, or to a quarter of its age if that was long before
    /// the last fix and it arrived after it.
    pub heard: Moment,
    /// Observations since the last fix, 7 standing for more too; 0 when all are older.
    pub fresh: u8,
}

/// The window of one client: sixteen slots in the cache line that a look-up has to fetch anyway.
///
/// The two highest bits of all words make a head, each of them one bit: the moment to which the
/// stamps of the slots refer, and a mark that tells whether the line still belongs to who remembers
/// its index. A slot with news holds the sum of signal strengths and their count, so that a mean
/// is exact; one without holds the last mean.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line {
    words: [u32; SLOTS],
}

impl Line {
    /// A line that belongs to nobody.
    pub const EMPTY: Self = Self {
        words: [NOBODY; SLOTS],
    };

    /// The key of a client: its id, never 0, which marks a free place.
    #[inline]
    pub fn key_of(client: ClientId) -> u64 {
        client.0.max(1)
    }

    /// The mark of a key's line: sixteen of its bits, never that of a free line.
    #[inline]
    pub fn mark_of(key: u64) -> u16 {
        ((key ^ (key >> 32)) as u16).max(FREE + 1)
    }

    /// A new line for a client that is first heard of now.
    pub fn new(key: u64, now: Moment) -> Self {
        let mut line = Self::EMPTY;
        line.put_head(BASED_AT_BIT, now.0);
        line.put_head(MARK_BIT, Self::mark_of(key));
        line
    }

    /// The mark of the client's key.
    #[inline]
    pub fn mark(&self) -> u16 {
        self.mark_in::<Plain>()
    }

    /// As [`Line::mark`], in vectors of a machine.
    #[inline(always)]
    pub(crate) fn mark_in<W: Words>(&self) -> u16 {
        self.head::<W>(MARK_BIT)
    }

    /// Whether the line belongs to nobody.
    #[inline]
    pub fn is_free(&self) -> bool {
        self.mark() == FREE
    }

    /// When the last fix used the line; before the first one, when it was made.
    #[inline]
    fn based_at(&self) -> Moment {
        Moment(self.head::<Plain>(BASED_AT_BIT))
    }

    /// One of the two parts of the head: this bit of all words.
    #[inline(always)]
    fn head<W: Words>(&self, bit: u32) -> u16 {
        W::equal(&self.words, bit, bit) as u16
    }

    fn put_head(&mut self, bit: u32, value: u16) {
        for (word, number) in self.words.iter_mut().zip(0..) {
            let is_set = value >> number & 1 != 0;
            *word = *word & !bit | if is_set { bit } else { 0 };
        }
    }

    /// Folds one observation in; says whether it was kept (one radio too many, and weaker, is not).
    pub fn fold(&mut self, radio: u16, rssi_dbm: i8, heard: Moment, dial: &Dial) -> bool {
        self.fold_in::<Plain>(radio, rssi_dbm, heard, dial)
    }

    /// As [`Line::fold`], in vectors of a machine.
    #[inline(always)]
    pub(crate) fn fold_in<W: Words>(
        &mut self,
        radio: u16,
        rssi_dbm: i8,
        heard: Moment,
        dial: &Dial,
    ) -> bool {
        let level = level_of(rssi_dbm);
        let based_at = Moment(self.head::<W>(BASED_AT_BIT));
        if dial.is_past(heard, based_at) {
            return self.fold_after_silence(radio, level, heard, dial);
        }
        let stamp = dial.stamp(heard, based_at);
        match self.slot_of::<W>(radio) {
            None => self.admit(radio, level, stamp, heard, dial),
            Some(slot) => {
                self.words[slot] = merged(self.words[slot], level, stamp);
                true
            }
        }
    }

    /// As [`Line::fold`], more than an interval after the last fix: the client was silent, or the
    /// sweep is late.
    #[cold]
    fn fold_after_silence(&mut self, radio: u16, level: u32, heard: Moment, dial: &Dial) -> bool {
        if !self.is_fresh() {
            self.rebase(heard, dial);
        }
        let stamp = dial.stamp(heard, self.based_at());
        match self.slot_of::<Plain>(radio) {
            None => self.admit(radio, level, stamp, heard, dial),
            Some(slot) => {
                self.words[slot] = merged(self.words[slot], level, stamp);
                true
            }
        }
    }

    /// The slot of a radio. Compares all at once.
    #[inline(always)]
    fn slot_of<W: Words>(&self, radio: u16) -> Option<usize> {
        let equal = W::equal(&self.words, RADIO, u32::from(radio));
        (equal != 0).then(|| equal.trailing_zeros() as usize % SLOTS)
    }

    /// Gives a newcomer the free slot, or else the one that is weakest for its age, if that is
    /// weaker.
    #[cold]
    fn admit(&mut self, radio: u16, level: u32, stamp: u32, heard: Moment, dial: &Dial) -> bool {
        let is_free = |word: &u32| word & RADIO == NOBODY;
        let slot = match self.words.iter().position(is_free) {
            Some(free) => free,
            None => {
                let (slot, worth) = self.weakest(heard, dial);
                if worth >= (level * OLD_STEPS_PER_DB) as i32 {
                    return false;
                }
                slot
            }
        };
        let empty = self.words[slot] & HEAD | u32::from(radio);
        self.words[slot] = merged(empty, level, stamp);
        true
    }

    /// The slot that is worth least, and what it is worth.
    fn weakest(&self, now: Moment, dial: &Dial) -> (usize, i32) {
        let mut least = (0, i32::MAX);
        for (slot, &word) in self.words.iter().enumerate() {
            let age = i32::from(now.steps_since(self.heard(word, dial)));
            let worth = mean_steps(word) as i32 - age / MOMENTS_PER_OLD_STEP;
            if worth < least.1 {
                least = (slot, worth);
            }
        }
        least
    }

    /// The slots in use.
    pub fn slots<'a>(&'a self, dial: &'a Dial) -> impl Iterator<Item = Slot> + 'a {
        let used = |word: &&u32| *word & RADIO != NOBODY;
        self.words.iter().filter(used).map(|&word| Slot {
            radio: (word & RADIO) as u16,
            rssi_dbm: mean_dbm(word),
            heard: self.heard(word, dial),
            fresh: (word >> COUNT_AT & COUNT) as u8,
        })
    }

    fn heard(&self, word: u32, dial: &Dial) -> Moment {
        let stamp = word >> STAMP_AT & STAMP;
        if word >> COUNT_AT & COUNT > 0 {
            dial.moment(stamp, self.based_at())
        } else {
            let high = word >> HIGH_STAMP_AT & HIGH_STAMP;
            moment_of_old(high << LOW_STAMP_BITS | stamp, self.based_at())
        }
    }

    /// Whether a radio has a slot.
    #[inline]
    pub(crate) fn holds(&self, radio: u16) -> bool {
        self.slot_of::<Plain>(radio).is_some()
    }

    /// Whether anything was heard since the last fix.
    #[inline]
    pub fn is_fresh(&self) -> bool {
        let all = self.words.iter().fold(0, |all, word| all | word);
        all & COUNT << COUNT_AT != 0
    }

    /// Observations since the last fix; a slot counts 7 at most.
    pub fn observations(&self) -> u32 {
        let counts = self.words.iter().map(|word| word >> COUNT_AT & COUNT);
        counts.sum()
    }

    /// A fix has used the line: what comes next is a new interval. Radios that were silent for
    /// [`CLIENT_SILENCE_MAX`] are forgotten.
    pub fn mark_used(&mut self, now: Moment, dial: &Dial) {
        self.rebase(now, dial);
    }

    /// Makes all slots old as of this moment.
    fn rebase(&mut self, now: Moment, dial: &Dial) {
        for slot in 0..SLOTS {
            let word = self.words[slot];
            if word & RADIO == NOBODY {
                continue;
            }
            let heard = self.heard(word, dial);
            let silent = now.steps_since(heard) > silence_steps();
            self.words[slot] = match stamp_of_old(heard, now) {
                Some(stamp) if !silent => {
                    let high = stamp >> LOW_STAMP_BITS << HIGH_STAMP_AT;
                    let low = (stamp & STAMP) << STAMP_AT;
                    word & (HEAD | RADIO) | low | high | mean_steps(word) << MEAN_AT
                }
                _ => word & HEAD | NOBODY,
            };
        }
        self.put_head(BASED_AT_BIT, now.0);
    }

    /// Whether nothing was heard for [`CLIENT_SILENCE_MAX`] since the last fix: nothing that the
    /// line holds is younger.
    #[inline]
    pub fn is_silent(&self, now: Moment) -> bool {
        now.steps_since(self.based_at()) > silence_steps() && !self.is_fresh()
    }
}

/// How long a radio may be silent about a client, in steps of [`Moment`].
pub(crate) fn silence_steps() -> u16 {
    Moment::from_us(CLIENT_SILENCE_MAX.as_micros() as u64).0
}

#[inline(always)]
fn level_of(rssi_dbm: i8) -> u32 {
    (i32::from(rssi_dbm).clamp(LEVEL_DBM.0, LEVEL_DBM.1) - LEVEL_DBM.0) as u32
}

/// A slot with one more observation in it, without a branch: whether a slot has news is as good as
/// random.
#[inline(always)]
fn merged(word: u32, level: u32, stamp: u32) -> u32 {
    let count = word >> COUNT_AT & COUNT;
    let sum = word >> SUM_AT & SUM;
    let is_old = count == 0;
    let forgotten = if count == COUNT_MAX {
        ((sum + COUNT_MAX / 2) * COUNT_MAX_INVERSE) >> 16
    } else {
        0
    };
    let sum = if is_old { 0 } else { sum - forgotten };
    let newest = if is_old { 0 } else { word >> STAMP_AT & STAMP };
    word & (HEAD | RADIO)
        | newest.max(stamp) << STAMP_AT
        | (count + 1).min(COUNT_MAX) << COUNT_AT
        | (sum + level) << SUM_AT
}

/// Whether a slot was heard since the last fix.
#[inline(always)]
fn has_news(word: u32) -> bool {
    word >> COUNT_AT & COUNT != 0
}

/// The mean of a slot above [`LEVEL_DBM`]'s lowest, in the steps of an old one, rounded.
fn mean_steps(word: u32) -> u32 {
    match word >> COUNT_AT & COUNT {
        0 => word >> MEAN_AT & MEAN,
        count => ((word >> SUM_AT & SUM) * OLD_STEPS_PER_DB + count / 2) / count,
    }
}

fn mean_dbm(word: u32) -> f32 {
    let above_db = match word >> COUNT_AT & COUNT {
        0 => (word >> MEAN_AT & MEAN) as f32 / OLD_STEPS_PER_DB as f32,
        count => (word >> SUM_AT & SUM) as f32 / count as f32,
    };
    LEVEL_DBM.0 as f32 + above_db
}

#[cfg(test)]
mod tests;
