//! The radiotap header that a capture puts before each 802.11 frame: a bounded walk over its fields.
//!
//! Source: radiotap.org, "Defined Fields" and "Presence bitmask"; sizes and alignments as in Linux
//! `net/wireless/radiotap.c`.

use std::fmt;

/// Signal readings that one header may give: the combined one and eight antennas, with room to
/// spare. Further ones are passed over; only the first is ever used for location.
const READINGS_MAX: usize = 16;

/// Bit 29 of a presence word: the next word starts over with radiotap's own fields.
const RADIOTAP_NAMESPACE: u32 = 1 << 29;
/// Bit 30: the next word has a vendor's fields, whose length the vendor's header tells.
const VENDOR_NAMESPACE: u32 = 1 << 30;
/// Bit 31: another presence word follows.
const ANOTHER_WORD: u32 = 1 << 31;

/// In the field "flags": the frame carries its checksum at the end.
const FLAG_CHECKSUM_INCLUDED: u8 = 0x10;
/// In the field "flags": the checksum was wrong.
const FLAG_CHECKSUM_BAD: u8 = 0x40;

/// What a radiotap header tells that a locator can use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Radiotap {
    /// Length of the header; the 802.11 frame begins behind it.
    pub header_bytes: usize,
    /// The radio's time when the frame arrived, in microseconds.
    pub tsft_us: Option<u64>,
    /// The frame carries its four-byte checksum at the end.
    pub checksum_included: bool,
    /// The frame's checksum was wrong.
    pub checksum_bad: bool,
    /// Rate of frames before 802.11n, in units of 500 kbit/s.
    pub rate_500kbps: Option<u8>,
    /// Centre frequency of the (primary) channel in MHz.
    pub freq_mhz: Option<u16>,
    /// Signal in dBm: first the combined one (or the only antenna's), then one for each antenna.
    pub signals_dbm: Readings<i8>,
    /// Noise in dBm, in the same order.
    pub noises_dbm: Readings<i8>,
    /// Numbers of the antennas.
    pub antennas: Readings<u8>,
    /// The frame was sent by this radio, not heard.
    pub transmitted: bool,
}

/// Why a radiotap header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RadiotapError {
    /// There are fewer bytes than the header says, or than any header has.
    #[error("the radiotap header is cut short")]
    Short,
    /// The version is not 0, the only one there is.
    #[error("the radiotap header has version {0}; only version 0 is known")]
    Version(u8),
    /// A field that the header announces lies behind its end.
    #[error("field {0} of the radiotap header lies behind its end")]
    FieldBehindEnd(u8),
}

/// Which fields the bits of a presence word stand for.
#[derive(Clone, Copy, PartialEq)]
enum Namespace {
    Radiotap,
    Vendor,
    /// A word that follows radiotap's own without a namespace bit: its bits are not defined.
    Undefined,
}

impl Radiotap {
    /// Reads the header at the start of `bytes`.
    ///
    /// A field of unknown size ends the walk, since nothing behind it can be found; what was read
    /// before it counts. Strengths in dB (bits 12 and 13) have no fixed reference and are no dBm.
    ///
    /// # Errors
    /// [`RadiotapError`] when the header contradicts itself; nothing in it can be trusted then.
    pub fn parse(bytes: &[u8]) -> Result<Self, RadiotapError> {
        let [version, _, low, high, ..] = *bytes else {
            return Err(RadiotapError::Short);
        };
        if version != 0 {
            return Err(RadiotapError::Version(version));
        }
        let header_bytes = usize::from(u16::from_le_bytes([low, high]));
        let header = bytes.get(..header_bytes).ok_or(RadiotapError::Short)?;
        let mut fields = Fields {
            header,
            at: end_of_presence(header)?,
        };
        let mut radiotap = Self {
            header_bytes,
            ..Self::default()
        };
        let mut namespace = Namespace::Radiotap;
        for word in presence_words(header) {
            let known = match namespace {
                Namespace::Radiotap => radiotap.walk_word(word, &mut fields)?,
                Namespace::Vendor => true,
                Namespace::Undefined => word & 0x1fff_ffff == 0,
            };
            if !known {
                break;
            }
            if word & VENDOR_NAMESPACE != 0 {
                fields.skip_vendor()?;
                namespace = Namespace::Vendor;
            } else if word & RADIOTAP_NAMESPACE != 0 {
                namespace = Namespace::Radiotap;
            } else if namespace == Namespace::Radiotap {
                namespace = Namespace::Undefined;
            }
        }
        Ok(radiotap)
    }

    /// Combined signal strength in dBm.
    pub fn signal_dbm(&self) -> Option<i8> {
        self.signals_dbm.first()
    }

    /// Noise floor in dBm.
    pub fn noise_dbm(&self) -> Option<i8> {
        self.noises_dbm.first()
    }

    /// Takes the fields of one presence word; false when one of them has an unknown size.
    fn walk_word(&mut self, word: u32, fields: &mut Fields<'_>) -> Result<bool, RadiotapError> {
        for bit in (0..29).filter(|bit| word & (1 << bit) != 0) {
            let Some((align, size)) = field_layout(bit) else {
                return Ok(false);
            };
            let field = fields.take(bit, align, size)?;
            self.take_field(bit, field);
        }
        Ok(true)
    }

    /// Keeps what a field says; a later namespace only adds readings per antenna.
    fn take_field(&mut self, bit: u8, field: &[u8]) {
        match (bit, field) {
            (0, &[a, b, c, d, e, f, g, h]) => {
                self.tsft_us
                    .get_or_insert(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
            }
            (1, &[flags]) => {
                self.checksum_included |= flags & FLAG_CHECKSUM_INCLUDED != 0;
                self.checksum_bad |= flags & FLAG_CHECKSUM_BAD != 0;
            }
            (2, &[rate]) => {
                self.rate_500kbps.get_or_insert(rate);
            }
            (3, &[low, high, ..]) => {
                self.freq_mhz.get_or_insert(u16::from_le_bytes([low, high]));
            }
            (5, &[signal]) => self.signals_dbm.push(signal.cast_signed()),
            (6, &[noise]) => self.noises_dbm.push(noise.cast_signed()),
            (11, &[antenna]) => self.antennas.push(antenna),
            (15, _) => self.transmitted = true,
            // XChannel: the frequency stands behind four bytes of flags.
            (18, &[_, _, _, _, low, high, ..]) => {
                self.freq_mhz.get_or_insert(u16::from_le_bytes([low, high]));
            }
            _ => {}
        }
    }
}

/// The presence words, first to last.
fn presence_words(header: &[u8]) -> impl Iterator<Item = u32> {
    let mut more = true;
    let words = header
        .get(4..)
        .unwrap_or_default()
        .as_chunks::<4>()
        .0
        .iter();
    words
        .map(|&word| u32::from_le_bytes(word))
        .take_while(move |word| {
            let take = more;
            more = word & ANOTHER_WORD != 0;
            take
        })
}

/// Where the presence words end and the fields begin.
fn end_of_presence(header: &[u8]) -> Result<usize, RadiotapError> {
    let mut words = 0;
    let mut more = true;
    for word in presence_words(header) {
        words += 1;
        more = word & ANOTHER_WORD != 0;
    }
    if more {
        Err(RadiotapError::Short)
    } else {
        Ok(4 + 4 * words)
    }
}

/// Alignment and size in bytes of one of radiotap's own fields, `None` where they are not known or
/// (bit 28, type-length-value) not fixed.
fn field_layout(bit: u8) -> Option<(usize, usize)> {
    Some(match bit {
        0 => (8, 8),        // TSFT
        1 | 2 => (1, 1),    // flags, rate
        3 => (2, 4),        // channel
        4 => (2, 2),        // FHSS
        5 | 6 => (1, 1),    // dBm signal, dBm noise
        7..=9 => (2, 2),    // lock quality, TX attenuation, dB TX attenuation
        10..=13 => (1, 1),  // dBm TX power, antenna, dB signal, dB noise
        14 | 15 => (2, 2),  // RX flags, TX flags
        16 | 17 => (1, 1),  // RTS retries, data retries
        18 => (4, 8),       // XChannel
        19 => (1, 3),       // MCS
        20 => (4, 8),       // A-MPDU status
        21 => (2, 12),      // VHT
        22 => (8, 12),      // timestamp
        23 | 24 => (2, 12), // HE, HE-MU
        25 => (2, 6),       // HE-MU other user
        26 => (1, 1),       // zero-length PSDU
        27 => (2, 4),       // L-SIG
        _ => return None,
    })
}

/// The fields behind the presence words, and how far they have been read.
struct Fields<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The next field; alignment counts from the start of the header.
    fn take(&mut self, bit: u8, align: usize, size: usize) -> Result<&'a [u8], RadiotapError> {
        let start = self.at.next_multiple_of(align);
        let end = start.saturating_add(size);
        let field = self
            .header
            .get(start..end)
            .ok_or(RadiotapError::FieldBehindEnd(bit))?;
        self.at = end;
        Ok(field)
    }

    /// Passes over a vendor's header (OUI, sub-namespace, length) and the data that it announces.
    fn skip_vendor(&mut self) -> Result<(), RadiotapError> {
        let vendor = self.take(30, 2, 6)?;
        let skip = usize::from(u16::from_le_bytes([vendor[4], vendor[5]]));
        self.take(30, 1, skip)?;
        Ok(())
    }
}

/// A few readings of one kind, in the order of the header.
#[derive(Clone, Copy, PartialEq)]
pub struct Readings<T> {
    values: [T; READINGS_MAX],
    len: usize,
}

impl<T: Copy> Readings<T> {
    /// The first reading.
    pub fn first(&self) -> Option<T> {
        self.as_slice().first().copied()
    }

    /// All readings that were kept.
    pub fn as_slice(&self) -> &[T] {
        &self.values[..self.len]
    }

    fn push(&mut self, value: T) {
        if let Some(free) = self.values.get_mut(self.len) {
            *free = value;
            self.len += 1;
        }
    }
}

impl<T: Copy + Default> Default for Readings<T> {
    fn default() -> Self {
        Self {
            values: [T::default(); READINGS_MAX],
            len: 0,
        }
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for Readings<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests;
