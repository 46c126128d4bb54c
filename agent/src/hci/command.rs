//! What an adapter is told to do in order to listen.
//!
//! Numbers: Bluetooth Core Specification 5.4, volume 4, part E, 7.3 and 7.8.

use std::time::Duration;

/// First byte of a packet with a command.
const PACKET: u8 = 0x01;

/// Longest command of ours.
pub const COMMAND_BYTES_MAX: usize = 16;

/// The unit of intervals.
const INTERVAL_UNIT_US: u128 = 625;

/// Hardware errors, and everything about low energy.
const EVENTS: u64 = 1 << 15 | 1 << 61;

/// Advertising reports, legacy and extended.
const LE_EVENTS: u64 = 1 << 1 | 1 << 12;

/// How long the adapter listens, and how often it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanTiming {
    /// Time between two beginnings.
    pub interval: Duration,
    /// Of that, how long it listens.
    pub window: Duration,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Forget everything.
    Reset,
    /// Tell of answers, hardware errors and low energy only.
    SetEventMask,
    /// Of low energy, tell of advertisements only.
    LeSetEventMask,
    /// Listen and send nothing, on the channels of all adapters.
    SetScanParameters(ScanTiming),
    /// Begin; tell every advertisement, however often it comes.
    EnableScan,
    /// As [`Command::SetScanParameters`], for adapters that hear extended advertising.
    SetExtendedScanParameters(ScanTiming),
    /// As [`Command::EnableScan`], for these.
    EnableExtendedScan,
}

impl Command {
    /// The number of the command.
    pub fn opcode(self) -> u16 {
        match self {
            Self::Reset => 0x0c03,
            Self::SetEventMask => 0x0c01,
            Self::LeSetEventMask => 0x2001,
            Self::SetScanParameters(_) => 0x200b,
            Self::EnableScan => 0x200c,
            Self::SetExtendedScanParameters(_) => 0x2041,
            Self::EnableExtendedScan => 0x2042,
        }
    }

    /// Writes the packet, in place of what is there.
    pub fn encode(self, packet: &mut Vec<u8>) {
        packet.clear();
        packet.push(PACKET);
        packet.extend(self.opcode().to_le_bytes());
        packet.push(0);
        match self {
            Self::Reset => {}
            Self::SetEventMask => packet.extend(EVENTS.to_le_bytes()),
            Self::LeSetEventMask => packet.extend(LE_EVENTS.to_le_bytes()),
            Self::SetScanParameters(timing) => {
                packet.push(0); // passive
                timing.encode(packet);
                packet.extend([0, 0]); // own address public, from everybody
            }
            Self::EnableScan => packet.extend([1, 0]), // on, duplicates as well
            Self::SetExtendedScanParameters(timing) => {
                packet.extend([0, 0]); // own address public, from everybody
                packet.push(1); // at 1 Mbit/s, which announces the others
                packet.push(0); // passive
                timing.encode(packet);
            }
            Self::EnableExtendedScan => packet.extend([1, 0, 0, 0, 0, 0]), // for good
        }
        packet[3] = (packet.len() - 4) as u8;
    }
}

impl ScanTiming {
    /// Both times, in two bytes each.
    fn encode(self, packet: &mut Vec<u8>) {
        for time in [self.interval, self.window] {
            let units = time.as_micros() / INTERVAL_UNIT_US;
            packet.extend(u16::try_from(units).unwrap_or(u16::MAX).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_byte_by_byte() {
        let timing = ScanTiming {
            interval: Duration::from_millis(60),
            window: Duration::from_millis(30),
        };
        let check = |command: Command, expected: &[u8]| {
            let mut packet = Vec::with_capacity(COMMAND_BYTES_MAX);
            command.encode(&mut packet);
            assert_eq!(packet, expected, "{command:?}");
            assert!(packet.len() <= COMMAND_BYTES_MAX);
        };
        check(Command::Reset, &[1, 0x03, 0x0c, 0]);
        check(
            Command::SetEventMask,
            &[1, 0x01, 0x0c, 8, 0, 0x80, 0, 0, 0, 0, 0, 0x20],
        );
        check(
            Command::LeSetEventMask,
            &[1, 0x01, 0x20, 8, 0x02, 0x10, 0, 0, 0, 0, 0, 0],
        );
        check(
            Command::SetScanParameters(timing),
            &[1, 0x0b, 0x20, 7, 0, 0x60, 0, 0x30, 0, 0, 0],
        );
        check(Command::EnableScan, &[1, 0x0c, 0x20, 2, 1, 0]);
        check(
            Command::SetExtendedScanParameters(timing),
            &[1, 0x41, 0x20, 8, 0, 0, 1, 0, 0x60, 0, 0x30, 0],
        );
        check(
            Command::EnableExtendedScan,
            &[1, 0x42, 0x20, 6, 1, 0, 0, 0, 0, 0],
        );
    }
}
