//! Wi-Fi channels by frequency.

/// A band and a channel in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// The band as site files and the wire spell it: `2.4`, `5` or `6`.
    pub band: &'static str,
    /// The channel's number in the band.
    pub number: u8,
}

impl Channel {
    /// The channel at this centre frequency, `None` outside the bands of an indoor radio.
    ///
    /// Source: IEEE 802.11-2020, annex E, and 802.11ax-2021, 27.3.23.2 (6 GHz).
    pub fn at_mhz(freq_mhz: u16) -> Option<Self> {
        let (band, number) = match freq_mhz {
            2_412..=2_472 => ("2.4", (freq_mhz - 2_407) / 5),
            2_484 => ("2.4", 14),
            5_150..=5_895 => ("5", (freq_mhz - 5_000) / 5),
            5_935 => ("6", 2),
            5_955..=7_115 => ("6", (freq_mhz - 5_950) / 5),
            _ => return None,
        };
        u8::try_from(number)
            .ok()
            .map(|number| Self { band, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_channels() {
        let check = |freq_mhz, band, number| {
            assert_eq!(
                Channel::at_mhz(freq_mhz),
                Some(Channel { band, number }),
                "{freq_mhz}"
            );
        };
        check(2_412, "2.4", 1);
        check(2_472, "2.4", 13);
        check(2_484, "2.4", 14);
        check(5_180, "5", 36);
        check(5_745, "5", 149);
        check(5_955, "6", 1);
        check(7_115, "6", 233);
        assert_eq!(
            (0..=u16::MAX)
                .filter_map(Channel::at_mhz)
                .filter(|c| c.number == 0)
                .count(),
            0
        );
        assert_eq!(Channel::at_mhz(60_480), None);
    }
}
