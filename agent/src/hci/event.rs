//! What an adapter says: that a command is done, and who advertised how strongly.
//!
//! Layout and numbers: Bluetooth Core Specification 5.4, volume 4, part E, 7.7; several reports in
//! one event follow one another whole, as Linux reads them.

use crate::address::Address;

/// First byte of a packet with an event.
pub const PACKET: u8 = 0x04;

const COMMAND_COMPLETE: u8 = 0x0e;
const COMMAND_STATUS: u8 = 0x0f;
const HARDWARE_ERROR: u8 = 0x10;
const LE_META: u8 = 0x3e;

const ADVERTISING_REPORT: u8 = 0x02;
const EXTENDED_ADVERTISING_REPORT: u8 = 0x0d;

/// Data status in the type of an extended report: more of the same advertisement follows.
const DATA_STATUS_MASK: u16 = 0b11 << 5;
const MORE_FOLLOWS: u16 = 0b01 << 5;

/// What an adapter gives where it did not measure.
const RSSI_UNKNOWN: i8 = 127;

/// The packet is no event, or is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the adapter is cut short")]
pub struct EventError;

/// An event.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A command was carried out or refused; 0 is well.
    Answer {
        /// Which command.
        opcode: u16,
        /// How it went.
        status: u8,
    },
    /// Somebody advertised.
    Reports(Reports<'a>),
    /// The adapter is broken and says so.
    HardwareError,
    /// Anything else.
    Other,
}

/// One advertisement that was heard.
#[expect(missing_debug_implementations, reason = "holds a real address")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Who advertised; `None` for an anonymous advertisement.
    pub from: Option<Address>,
    /// Signal strength in dBm.
    pub rssi_dbm: Option<i8>,
    /// A further report of the same advertisement follows.
    pub more_follows: bool,
}

/// The reports of an event; ends after the first error.
#[derive(Clone)]
pub struct Reports<'a> {
    rest: &'a [u8],
    left: u8,
    extended: bool,
}

impl std::fmt::Debug for Reports<'_> {
    /// Shows no address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<'a> Event<'a> {
    /// Reads one packet.
    ///
    /// # Errors
    /// [`EventError`] when it is no event or shorter than it says. Bytes behind it are ignored.
    pub fn parse(packet: &'a [u8]) -> Result<Self, EventError> {
        let [PACKET, code, length, rest @ ..] = packet else {
            return Err(EventError);
        };
        let parameters = rest.get(..usize::from(*length)).ok_or(EventError)?;
        match (*code, parameters) {
            (COMMAND_COMPLETE, [_, low, high, status, ..])
            | (COMMAND_STATUS, [status, _, low, high, ..]) => Ok(Self::Answer {
                opcode: u16::from_le_bytes([*low, *high]),
                status: *status,
            }),
            // Without a command: the adapter only says that it takes some.
            (COMMAND_COMPLETE, [_, 0, 0]) => Ok(Self::Other),
            (COMMAND_COMPLETE | COMMAND_STATUS, _) => Err(EventError),
            (HARDWARE_ERROR, _) => Ok(Self::HardwareError),
            (LE_META, [ADVERTISING_REPORT, count, rest @ ..]) => {
                Ok(Self::Reports(Reports::new(*count, rest, false)))
            }
            (LE_META, [EXTENDED_ADVERTISING_REPORT, count, rest @ ..]) => {
                Ok(Self::Reports(Reports::new(*count, rest, true)))
            }
            (LE_META, [] | [ADVERTISING_REPORT | EXTENDED_ADVERTISING_REPORT]) => Err(EventError),
            _ => Ok(Self::Other),
        }
    }
}

impl<'a> Reports<'a> {
    fn new(left: u8, rest: &'a [u8], extended: bool) -> Self {
        Self {
            rest,
            left,
            extended,
        }
    }

    /// Type, kind of address, address, length of the data, data, signal strength (7.7.65.2).
    fn legacy(&mut self) -> Option<Report> {
        let (head, rest) = self.rest.split_first_chunk::<9>()?;
        let [_type, kind, octets @ .., data_bytes] = *head;
        let (_data, rest) = rest.split_at_checked(usize::from(data_bytes))?;
        let (&rssi, rest) = rest.split_first()?;
        self.rest = rest;
        Some(Report {
            from: address(kind, octets),
            rssi_dbm: dbm(rssi),
            more_follows: false,
        })
    }

    /// 24 bytes and the data (7.7.65.13).
    fn extended(&mut self) -> Option<Report> {
        let (head, rest) = self.rest.split_first_chunk::<24>()?;
        let [
            t0,
            t1,
            kind,
            a,
            b,
            c,
            d,
            e,
            f,
            _,
            _,
            _,
            _,
            rssi,
            ..,
            data_bytes,
        ] = *head;
        let (_data, rest) = rest.split_at_checked(usize::from(data_bytes))?;
        self.rest = rest;
        Some(Report {
            from: address(kind, [a, b, c, d, e, f]),
            rssi_dbm: dbm(rssi),
            more_follows: u16::from_le_bytes([t0, t1]) & DATA_STATUS_MASK == MORE_FOLLOWS,
        })
    }
}

impl Iterator for Reports<'_> {
    type Item = Result<Report, EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let report = match self.extended {
            true => self.extended(),
            false => self.legacy(),
        };
        if report.is_none() {
            self.left = 0;
        }
        Some(report.ok_or(EventError))
    }
}

/// An address travels last octet first. Kinds 2 and 3 are those of 0 and 1 which the adapter knows
/// by a key that it was given.
fn address(kind: u8, mut octets: [u8; 6]) -> Option<Address> {
    octets.reverse();
    match kind {
        0x00 | 0x02 => Some(Address::new(octets)),
        0x01 | 0x03 => Some(Address::made_up(octets)),
        _ => None,
    }
}

fn dbm(rssi: u8) -> Option<i8> {
    let dbm = rssi.cast_signed();
    (dbm != RSSI_UNKNOWN).then_some(dbm)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reports(packet: &[u8]) -> Vec<Result<Report, EventError>> {
        match Event::parse(packet) {
            Ok(Event::Reports(reports)) => reports.collect(),
            _ => panic!("no reports"),
        }
    }

    /// Two legacy reports, of a public and of a random address.
    const LEGACY: [u8; 28] = [
        0x04, 0x3e, 25, 0x02, 2, // event, 25 bytes, two reports
        0x00, 0x00, 1, 2, 3, 4, 5, 0x40, 3, 0xaa, 0xbb, 0xcc, 0xc4, // -60 dBm
        0x03, 0x01, 1, 2, 3, 4, 5, 0xc1, 0, 127, // not measured
    ];

    #[test]
    fn legacy_reports() {
        let [Ok(public), Ok(random)] = reports(&LEGACY)[..] else {
            panic!("two reports");
        };
        assert!(public.from == Some(Address::new([0x40, 5, 4, 3, 2, 1])));
        assert_eq!((public.rssi_dbm, random.rssi_dbm), (Some(-60), None));
        let random = random.from.expect("an address");
        assert!(random.is_randomised() && !random.is_group());
        assert!(random == Address::new([0xc1, 5, 4, 3, 2, 1]));
    }

    #[test]
    fn extended_reports() {
        let mut packet = vec![0x04, 0x3e, 0, 0x0d, 3];
        for (data_status, kind, rssi) in
            [(0x20, 0x01, 0xc4), (0x00, 0x00, 0xb0), (0x00, 0xff, 0x7f)]
        {
            packet.extend([data_status, 0, kind, 1, 2, 3, 4, 5, 6]);
            // Physical layers, set, power, strength, interval, target.
            packet.extend([1, 0, 0xff, 127, rssi, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            packet.extend([2, 0xaa, 0xbb]);
        }
        packet[2] = (packet.len() - 3) as u8;
        let [Ok(first), Ok(second), Ok(anonymous)] = reports(&packet)[..] else {
            panic!("three reports");
        };
        assert!(first.from == Some(Address::new([6, 5, 4, 3, 2, 1])) && first.more_follows);
        assert_eq!((first.rssi_dbm, second.rssi_dbm), (Some(-60), Some(-80)));
        assert!(!second.more_follows && anonymous.from.is_none());
        assert_eq!(anonymous.rssi_dbm, None);
    }

    #[test]
    fn reports_that_are_cut_short_end_with_an_error() {
        for length in 6..LEGACY.len() {
            let mut packet = LEGACY[..length].to_vec();
            packet[2] = (length - 3) as u8;
            let read = reports(&packet);
            assert!(read.last() == Some(&Err(EventError)), "{length}");
        }
        assert!(reports(&[0x04, 0x3e, 2, 0x02, 0]).is_empty());
        // Four extended reports are promised and none is there.
        assert_eq!(reports(&[0x04, 0x3e, 2, 0x0d, 4]).len(), 1);
    }

    #[test]
    fn answers_to_commands() {
        let answer = |packet: &[u8]| match Event::parse(packet) {
            Ok(Event::Answer { opcode, status }) => Some((opcode, status)),
            _ => None,
        };
        assert_eq!(answer(&[4, 0x0e, 4, 1, 0x03, 0x0c, 0]), Some((0x0c03, 0)));
        assert_eq!(answer(&[4, 0x0f, 4, 1, 1, 0x41, 0x20]), Some((0x2041, 1)));
        assert!(matches!(
            Event::parse(&[4, 0x0e, 3, 1, 0, 0]),
            Ok(Event::Other)
        ));
        assert!(matches!(
            Event::parse(&[4, 0x10, 1, 7]),
            Ok(Event::HardwareError)
        ));
        assert!(matches!(
            Event::parse(&[4, 0x3e, 1, 0x0a]),
            Ok(Event::Other)
        ));
        for bad in [
            &[][..],
            &[4],
            &[2, 0x0e, 0],
            &[4, 0x0e, 9, 0],
            &[4, 0x0e, 1, 1],
            &[4, 0x3e, 0],
        ] {
            assert!(Event::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, extended: bool) {
            let _ = Event::parse(&bytes);
            let subevent = if extended { EXTENDED_ADVERTISING_REPORT } else { ADVERTISING_REPORT };
            let length = bytes.len().min(254) as u8 + 1;
            let packet = [&[PACKET, LE_META, length, subevent], &bytes[..]].concat();
            if let Ok(Event::Reports(reports)) = Event::parse(&packet) {
                prop_assert!(reports.count() <= usize::from(bytes[0]));
            }
        }
    }
}
