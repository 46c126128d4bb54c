//! Ids of messages: UUID version 7 (RFC 9562, section 5.7), increasing in a process.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use crate::Time;
use crate::time::Day;

/// 48 bits of milliseconds hold every moment from 1970 to the year 10889.
const MILLIS_MAX: u64 = (1 << 48) - 1;
/// Random bits of a UUIDv7: 12 beside the version, 62 beside the variant.
const TAIL_BITS: u32 = 74;
const TAIL_MAX: u128 = (1 << TAIL_BITS) - 1;
/// A clock further behind the last id was ahead when that was made.
const STEP_BACK_MAX_MILLIS: u64 = 86_400_000;

/// Id of a message: a UUIDv7, so its first 48 bits are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

/// A text or bytes are no id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the id of a message; ids are UUIDs of version 7 in lower case, such as 019aa5f0-7c1e-7b3a-9d6e-2f1c0b8a4d57"
)]
#[non_exhaustive]
pub struct IdError;

/// Makes ids that strictly increase, also when the clock stands still or steps back by a day.
///
/// A clock that steps back further had leapt ahead before: ids then begin anew with it, since
/// they choose the day that keeps their messages, and that day must not lie years ahead.
///
/// Clock and randomness are arguments; [`MessageId::new`] passes the system's.
#[derive(Debug, Default)]
pub struct IdMaker {
    /// Milliseconds and tail of the last id.
    last: Option<(u64, u128)>,
    /// Ids are not older than this.
    floor_millis: u64,
}

static MAKER: Mutex<IdMaker> = Mutex::new(IdMaker {
    last: None,
    floor_millis: 0,
});

impl IdMaker {
    /// Has made none yet.
    pub const fn new() -> Self {
        Self {
            last: None,
            floor_millis: 0,
        }
    }

    /// The next id: of the time `now`, or right after the last one if the clock has not passed it
    /// and is at most a day behind it.
    pub fn make(&mut self, now: Time, random: [u8; 10]) -> MessageId {
        let millis = millis(now).max(self.floor_millis);
        let random = tail(random);
        let next = match self.last {
            Some((last, tail)) if millis <= last && last - millis <= STEP_BACK_MAX_MILLIS => {
                // A random step, so that ids cannot be guessed from their neighbours.
                let step = 1 + (random & 0xffff_ffff);
                match tail + step {
                    tail if tail <= TAIL_MAX => (last, tail),
                    // The millisecond is used up; borrow the next one.
                    _ => ((last + 1).min(MILLIS_MAX), random >> 1),
                }
            }
            // The upper half of the tail is left for those that follow in this millisecond.
            _ => (millis, random >> 1),
        };
        self.last = Some(next);
        MessageId::from_parts(next.0, next.1)
    }

    /// From now on no id is of a day before this one: its day was purged, and with it the
    /// knowledge of what was published.
    pub(crate) fn not_before(&mut self, day: Day) {
        self.floor_millis = self.floor_millis.max(millis(day.start()));
    }
}

impl MessageId {
    /// A new id of the system's clock and randomness, greater than all that this process made
    /// unless the clock went back by more than a day.
    ///
    /// # Panics
    /// If the system gives no random bytes; then nothing that needs an id can go on.
    pub fn new(now: Time) -> Self {
        MAKER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .make(now, random())
    }

    /// An id of any time, without order within its millisecond.
    ///
    /// # Panics
    /// As [`MessageId::new`].
    pub fn at(time: Time) -> Self {
        Self::from_parts(millis(time), tail(random()))
    }

    /// The least id of a moment.
    pub(crate) fn least_of(time: Time) -> Self {
        Self::from_parts(millis(time), 0)
    }

    /// No new id of this process is of a day before this one.
    pub(crate) fn no_new_before(day: Day) {
        MAKER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .not_before(day);
    }

    fn from_parts(millis: u64, tail: u128) -> Self {
        let version_and_variant = (0x7 << 76) | (0b10 << 62);
        let high = (tail >> 62) << 64;
        let low = tail & ((1 << 62) - 1);
        Self((u128::from(millis) << 80 | version_and_variant | high | low).to_be_bytes())
    }

    /// The sixteen bytes of a UUIDv7.
    ///
    /// # Errors
    /// [`IdError`] if version or variant are not those of a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
        if bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10 {
            Ok(Self(bytes))
        } else {
            Err(IdError)
        }
    }

    /// Its sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The moment that its first bytes tell, to the millisecond.
    pub fn time(&self) -> Time {
        let [a, b, c, d, e, f, ..] = self.0;
        Time::from_micros(i64::from_be_bytes([0, 0, a, b, c, d, e, f]).saturating_mul(1_000))
    }

    /// The day whose table holds it.
    pub fn day(&self) -> Day {
        self.time().day()
    }
}

fn millis(time: Time) -> u64 {
    u64::try_from(time.as_micros() / 1_000)
        .unwrap_or(0)
        .min(MILLIS_MAX)
}

fn tail(random: [u8; 10]) -> u128 {
    let mut bytes = [0; 16];
    bytes[6..].copy_from_slice(&random);
    u128::from_be_bytes(bytes) & TAIL_MAX
}

fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("a running system gives random bytes");
    bytes
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    /// Takes the canonical text only, so that equal ids are equal texts.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 36 {
            return Err(IdError);
        }
        let mut bytes = [0_u8; 16];
        let mut nibbles = 0;
        for (index, byte) in text.bytes().enumerate() {
            if matches!(index, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(IdError);
                }
                continue;
            }
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err(IdError),
            };
            bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | digit;
            nibbles += 1;
        }
        Self::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_micros(1_766_000_000_123_456);

    #[test]
    fn ids_strictly_increase_under_a_clock_that_stands_or_steps_back() {
        let mut maker = IdMaker::new();
        let mut last = maker.make(NOW, [0; 10]);
        let clock = [
            0_i64,
            0,
            -1_000,
            -80_000_000_000,
            500,
            1_000,
            -5_000_000_000,
            2_000_000,
        ];
        let mut seed = 7_u64;
        for step in clock.iter().cycle().take(100_000) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut random = [0xff; 10];
            random[2..].copy_from_slice(&seed.to_be_bytes());
            let now = Time::from_micros(NOW.as_micros() + step);
            let id = maker.make(now, random);
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }

    #[test]
    fn ids_begin_anew_once_a_clock_that_leapt_ahead_is_set_back() {
        let mut maker = IdMaker::new();
        let day = Duration::from_secs(86_400);
        let ahead = maker.make(NOW.plus(3_650 * day), [1; 10]);
        let back = maker.make(NOW, [1; 10]);
        assert_eq!((back.day(), back < ahead), (NOW.day(), true));
        assert!(maker.make(NOW, [1; 10]) > back);
    }

    #[test]
    fn a_used_up_millisecond_borrows_the_next() {
        let mut maker = IdMaker::new();
        let mut last = maker.make(NOW, [0xff; 10]);
        maker.last = Some((millis(NOW), TAIL_MAX - 1));
        for _ in 0..3 {
            let id = maker.make(NOW, [0xff; 10]);
            assert!(id > last);
            last = id;
        }
        assert_eq!(last.time().as_micros() / 1_000, NOW.as_micros() / 1_000 + 1);
    }

    #[test]
    fn no_id_is_made_for_a_purged_day() {
        let mut maker = IdMaker::new();
        maker.not_before(NOW.day().next());
        assert_eq!(maker.make(NOW, [1; 10]).day(), NOW.day().next());
        assert_eq!(
            maker.make(Time::from_micros(0), [1; 10]).day(),
            NOW.day().next()
        );
    }

    #[test]
    fn an_id_tells_its_time_and_is_a_version_7_uuid() {
        let id = MessageId::at(NOW);
        assert_eq!(id.time().as_micros(), 1_766_000_000_123_000);
        let text = id.to_string();
        assert_eq!(text.as_bytes()[14], b'7');
        assert!(
            matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{text}"
        );
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(MessageId::from_bytes(*id.as_bytes()), Ok(id));
        assert!(MessageId::least_of(NOW) <= id);
    }

    #[test]
    fn hostile_text_is_no_id() {
        let good = MessageId::at(NOW).to_string();
        let version_4 = format!("{}4{}", &good[..14], &good[15..]);
        let other_variant = format!("{}c{}", &good[..19], &good[20..]);
        let no_dash = good.replace('-', "0");
        let upper = "019AA5F0-7C1E-7B3A-9D6E-2F1C0B8A4D57";
        let wide = "é".repeat(18);
        for text in [
            "",
            "-",
            upper,
            &version_4,
            &other_variant,
            &no_dash,
            &wide,
            &good[1..],
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(IdError), "{text:?}");
        }
    }

    #[test]
    fn extreme_clocks_give_ids() {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let id = IdMaker::new().make(Time::from_micros(micros), [0xff; 10]);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
