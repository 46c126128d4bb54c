use proptest::prelude::*;
use wire::Kind;
use wire::frame::RadioHello;

use super::*;
use crate::source::listener::{Listener, Unlisted};
use crate::source::{Heard, Transmitter};
use crate::testing::{dot11, heard_at, stored_captures};

/// What the kernel does with a classic BPF program: bytes to keep, 0 to drop.
fn run(program: &[Instruction], packet: &[u8]) -> u32 {
    let (mut a, mut x, mut at) = (0u32, 0u32, 0);
    let load = |from: u32, len: usize| {
        let bytes = packet.get(from as usize..)?.get(..len)?;
        Some(
            bytes
                .iter()
                .fold(0u32, |value, byte| value << 8 | u32::from(*byte)),
        )
    };
    loop {
        let Instruction {
            code,
            if_true,
            if_false,
            operand,
        } = program[at];
        at += 1;
        let loaded = match code {
            LOAD_BYTE => load(operand, 1),
            LOAD_BYTE_AT_X => load(x + operand, 1),
            LOAD_HALF_AT_X => load(x + operand, 2),
            LOAD_WORD_AT_X => load(x + operand, 4),
            _ => Some(a),
        };
        let Some(loaded) = loaded else { return 0 };
        a = loaded;
        match code {
            SHIFT_LEFT => a <<= operand,
            OR_X => a |= x,
            AND => a &= operand,
            COPY_TO_X => x = a,
            JUMP_IF_EQUAL => at += usize::from(if a == operand { if_true } else { if_false }),
            JUMP_IF_ANY_BIT => at += usize::from(if a & operand != 0 { if_true } else { if_false }),
            RETURN => return operand,
            LOAD_BYTE | LOAD_BYTE_AT_X | LOAD_HALF_AT_X | LOAD_WORD_AT_X => {}
            unknown => panic!("instruction {unknown:#x}"),
        }
    }
}

fn passes(own: &[[u8; 6]], frame: &[u8]) -> bool {
    let own: Vec<_> = own.iter().copied().map(Address::new).collect();
    run(&filter(&own), frame) > 0
}

/// Behind the filter the same is heard as without it; what was heard, and how many frames passed.
fn check_equal<'a>(
    own: &[[u8; 6]],
    frames: impl Iterator<Item = &'a [u8]>,
) -> (Vec<[u8; 6]>, usize) {
    let own: Vec<_> = own.iter().copied().map(Address::new).collect();
    let radio = |band: &str| RadioHello {
        ap: "ap".parse().expect("name"),
        band: band.to_owned(),
    };
    let radios = vec![radio("2.4"), radio("5"), radio("6")];
    let listener = || Listener::new(radios.clone(), own.clone(), Unlisted::NotAssociated);
    let (mut plain, mut filtered) = (listener(), listener());
    let program = filter(&own);
    let (mut heard, mut passed) = (Vec::new(), 0);
    for frame in frames {
        let expected = plain.hear(frame, 0).ok().map(|heard| key(&heard));
        let keep = run(&program, frame) as usize;
        let found = match keep {
            0 => None,
            _ => filtered.hear(&frame[..frame.len().min(keep)], 0).ok(),
        };
        passed += usize::from(keep > 0);
        assert!(found.map(|heard| key(&heard)) == expected);
        heard.extend(expected.map(|(octets, ..)| octets));
    }
    (heard, passed)
}

fn key(heard: &Heard) -> ([u8; 6], u8, Option<i8>, Option<i8>, u8, Kind, bool) {
    let Transmitter::Address(address) = heard.from else {
        panic!("a frame has an address");
    };
    let (rssi, noise) = (heard.rssi_dbm, heard.noise_dbm);
    let of_client = (heard.kind, heard.associated);
    let octets = *address.octets();
    (
        octets,
        heard.radio,
        rssi,
        noise,
        heard.channel,
        of_client.0,
        of_client.1,
    )
}

const AP: [u8; 6] = [0, 1, 2, 3, 4, 5];
const OTHER: [u8; 6] = [0, 1, 2, 3, 4, 6];
const CLIENT: [u8; 6] = [0x02, 6, 7, 8, 9, 10];

#[test]
fn without_own_networks_nobody_is_associated() {
    let data = heard_at(2_437, -60, &dot11(0x08, 1, [AP, CLIENT, AP]));
    let associated = |own: &[[u8; 6]]| {
        let own = own.iter().copied().map(Address::new).collect();
        let radio = RadioHello {
            ap: "ap".parse().expect("name"),
            band: "2.4".to_owned(),
        };
        let mut listener = Listener::new(vec![radio], own, Unlisted::NotAssociated);
        listener.hear(&data, 0).expect("data").associated
    };
    assert!(!associated(&[]) && associated(&[AP]) && !associated(&[OTHER]));
}

#[test]
fn frames_of_use_pass_and_others_do_not() {
    let check = |expected: bool, first: u8, flags: u8, from: [u8; 6]| {
        let frame = heard_at(2_437, -60, &dot11(first, flags, [AP, from, AP]));
        assert_eq!(passes(&[AP], &frame), expected, "{first:#x} {flags:#x}");
    };
    // Management: beacon, probe request, action.
    for first in [0x80, 0x40, 0xd0] {
        check(true, first, 0, CLIENT);
    }
    // Data, null and QoS-null of a client.
    for first in [0x08, 0x48, 0x88, 0xc8] {
        check(true, first, 0x01, CLIENT);
        check(true, first, 0x00, CLIENT);
        // From an access point, or relayed: of our own only.
        check(false, first, 0x02, OTHER);
        check(false, first, 0x03, OTHER);
        check(true, first, 0x02, AP);
    }
    // Control: RTS, block acknowledgement and its request, PS-poll; not CTS, acknowledgement.
    for first in [0xb4, 0x94, 0x84, 0xa4] {
        check(true, first, 0, CLIENT);
    }
    for first in [0xc4, 0xd4, 0x74, 0x04] {
        check(false, first, 0, CLIENT);
    }
    // Extension, and another version.
    check(false, 0x0c, 0, CLIENT);
    check(false, 0x81, 0, CLIENT);
}

#[test]
fn without_a_signal_only_management_passes() {
    let tell = |word: u32, field: &[u8], first: u8| {
        let frame = dot11(first, 0x01, [AP, CLIENT, AP]);
        let frame = crate::testing::RadiotapWriter::default()
            .word(word)
            .field(2, field)
            .frame(&frame);
        passes(&[], &frame)
    };
    assert!(tell(1 << 5, &[0xc0], 0x08));
    assert!(!tell(1 << 1, &[0], 0x08));
    assert!(!tell(1 << 5 | 1 << 15, &[0xc0, 0, 0, 0], 0x08));
    assert!(tell(1 << 1, &[0], 0x80));
}

#[test]
fn what_is_too_short_is_dropped() {
    let frame = heard_at(2_437, -60, &dot11(0x08, 0x01, [AP, CLIENT, AP]));
    let header = frame.len() - 24;
    for len in 0..=header {
        assert!(!passes(&[AP], &frame[..len]), "{len} bytes");
    }
}

#[test]
fn too_many_own_access_points_switch_the_comparison_off() {
    let own: Vec<_> = (0..=MONITOR_FILTER_ADDRESSES_MAX)
        .map(|n| [2, 0, 0, 0, (n >> 8) as u8, n as u8])
        .collect();
    let frame = heard_at(2_437, -60, &dot11(0x08, 0x02, [CLIENT, OTHER, AP]));
    assert!(passes(&own, &frame) && !passes(&own[1..], &frame));
    assert!(
        filter(
            &own[1..]
                .iter()
                .copied()
                .map(Address::new)
                .collect::<Vec<_>>()
        )
        .len()
            < 4_096
    );
}

proptest! {
    #[test]
    fn what_is_heard_is_the_same_behind_the_filter(
        frames in prop::collection::vec(
            (any::<u8>(), any::<u8>(), 0..4usize, 0..4usize, prop::bool::weighted(0.1)),
            1..60,
        ),
        own in prop::bool::ANY,
    ) {
        let who = [AP, OTHER, CLIENT, [0x02, 6, 7, 8, 9, 11]];
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(first, flags, from, bssid, cut)| {
                let frame = dot11(first & 0xfc, flags, [AP, who[from], who[bssid]]);
                let mut frame = heard_at(2_437, -60, &frame);
                frame.truncate(frame.len() - if cut { 12 } else { 0 });
                frame
            })
            .collect();
        let own: &[_] = if own { &[AP] } else { &[] };
        check_equal(own, frames.iter().map(Vec::as_slice));
    }
}

#[test]
fn what_is_heard_of_real_captures_is_the_same_behind_the_filter() {
    for (path, frames) in stored_captures() {
        let all = || frames.iter().map(Vec::as_slice);
        let (heard, passed) = check_equal(&[], all());
        eprintln!(
            "{path}: {passed} of {} pass, {} heard",
            frames.len(),
            heard.len()
        );
        // Half of those that were heard pass for our own.
        let own: Vec<_> = heard.iter().step_by(2).copied().take(20).collect();
        check_equal(&own, all());
    }
}
