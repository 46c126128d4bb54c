//! The filter in the kernel: lets through what the listener may make use of, and nothing else.
//!
//! A classic BPF program over a radiotap header and an 802.11 header. What it drops would have been
//! of no use, so that what is heard is the same with and without it:
//! - control frames that do not name their transmitter (acknowledgement, CTS, wrapper),
//! - control and data frames without a signal in dBm, which we sent ourselves among them,
//! - data frames from an access point (the bulk on a busy channel), but those of the site's own,
//! - extension frames, other protocol versions, and frames too short to tell.
//!
//! Management frames and data of clients pass, null and QoS-null frames among them.
//!
//! Source: Linux `Documentation/networking/filter.rst` (classic BPF); offsets as in [`crate::radiotap`]
//! and [`crate::dot11`].

use crate::address::Address;
use crate::limits::{MONITOR_FILTER_ADDRESSES_MAX, MONITOR_FRAME_BYTES_MAX};
use crate::system::packet_socket::Instruction;

/// `A = packet[X + k]`, as a byte, big-endian half word or word; past the end drops the packet.
const LOAD_BYTE_AT_X: u16 = 0x50;
const LOAD_HALF_AT_X: u16 = 0x48;
const LOAD_WORD_AT_X: u16 = 0x40;
/// `A = packet[k]`.
const LOAD_BYTE: u16 = 0x30;
const SHIFT_LEFT: u16 = 0x64;
const OR_X: u16 = 0x4c;
const AND: u16 = 0x54;
const COPY_TO_X: u16 = 0x07;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Control subtypes that name their transmitter, by bit: see [`crate::dot11`].
const CONTROL_WITH_TRANSMITTER: [u8; 9] = [2, 4, 5, 8, 9, 10, 11, 14, 15];

const PASS: Instruction = plain(RETURN, MONITOR_FRAME_BYTES_MAX as u32);
const DROP: Instruction = plain(RETURN, 0);

const fn plain(code: u16, operand: u32) -> Instruction {
    branch(code, operand, 0, 0)
}

const fn branch(code: u16, operand: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction {
        code,
        if_true,
        if_false,
        operand,
    }
}

/// The program for a site with these access points.
///
/// More of them than [`MONITOR_FILTER_ADDRESSES_MAX`] are not told apart from others: then all data
/// frames pass.
pub(super) fn filter(own: &[Address]) -> Vec<Instruction> {
    // X = length of the radiotap header (little-endian), where the 802.11 header begins.
    let mut program = vec![
        plain(LOAD_BYTE, 3),
        plain(SHIFT_LEFT, 8),
        plain(COPY_TO_X, 0),
        plain(LOAD_BYTE, 2),
        plain(OR_X, 0),
        plain(COPY_TO_X, 0),
        plain(LOAD_BYTE_AT_X, 0),
        // Version other than 0.
        branch(JUMP_IF_ANY_BIT, 0x03, 0, 1),
        DROP,
        // Management: type 0. Extension: type 3.
        branch(JUMP_IF_ANY_BIT, 0x0c, 1, 0),
        PASS,
        plain(AND, 0x0c),
        branch(JUMP_IF_EQUAL, 0x0c, 0, 1),
        DROP,
        // Only the first presence word need be asked: a second one may add a signal.
        plain(LOAD_BYTE, 5),
        branch(JUMP_IF_ANY_BIT, 0x80, 0, 1),
        DROP,
        plain(LOAD_BYTE, 7),
        branch(JUMP_IF_ANY_BIT, 0x80, 3, 0),
        plain(LOAD_BYTE, 4),
        branch(JUMP_IF_ANY_BIT, 0x20, 1, 0),
        DROP,
        plain(LOAD_BYTE_AT_X, 0),
    ];
    let control = control();
    program.extend([branch(JUMP_IF_ANY_BIT, 0x04, 0, control.len() as u8)]);
    program.extend(control);
    // Data, not from an access point.
    program.extend([
        plain(LOAD_BYTE_AT_X, 1),
        branch(JUMP_IF_ANY_BIT, 0x02, 1, 0),
        PASS,
    ]);
    if own.len() > MONITOR_FILTER_ADDRESSES_MAX {
        program.push(PASS);
    } else {
        program.extend(own.iter().flat_map(from));
        program.push(DROP);
    }
    program
}

/// Control frames pass if their subtype names a transmitter; the first byte is loaded.
fn control() -> Vec<Instruction> {
    let mut program = vec![plain(AND, 0xf0)];
    for subtype in CONTROL_WITH_TRANSMITTER {
        program.push(branch(JUMP_IF_EQUAL, u32::from(subtype) << 4, 0, 1));
        program.push(PASS);
    }
    program.push(DROP);
    program
}

/// Passes frames of this transmitter, whose address stands ten bytes into the 802.11 header.
fn from(address: &Address) -> [Instruction; 5] {
    let [a, b, c, d, e, f] = *address.octets();
    [
        plain(LOAD_WORD_AT_X, 10),
        branch(JUMP_IF_EQUAL, u32::from_be_bytes([a, b, c, d]), 0, 3),
        plain(LOAD_HALF_AT_X, 14),
        branch(JUMP_IF_EQUAL, u32::from(u16::from_be_bytes([e, f])), 0, 1),
        PASS,
    ]
}

#[cfg(all(test, feature = "pcap"))]
mod tests;
