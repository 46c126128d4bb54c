use proptest::prelude::*;

use super::*;
use crate::testing::dot11;

const A: [u8; 6] = [0, 1, 2, 3, 4, 5];
const B: [u8; 6] = [0, 6, 7, 8, 9, 10];
const C: [u8; 6] = [0, 11, 12, 13, 14, 15];

fn parse(first: u8, flags: u8) -> Header {
    Header::parse(&dot11(first, flags, [A, B, C])).unwrap()
}

#[test]
fn kinds_and_roles() {
    let check = |first, flags, kind, role| {
        let header = parse(first, flags);
        assert_eq!(
            (header.kind(), header.role()),
            (kind, role),
            "{first:#x} {flags:#x}"
        );
    };
    check(0x40, 0, Kind::Probe, Role::Client);
    check(0x50, 0, Kind::Beacon, Role::AccessPoint);
    check(0x80, 0, Kind::Beacon, Role::AccessPoint);
    check(0x00, 0, Kind::Management, Role::Client);
    check(0x10, 0, Kind::Management, Role::AccessPoint);
    check(0xb0, 0, Kind::Management, Role::Client);
    check(0x88, 1, Kind::Data, Role::Client);
    check(0x88, 2, Kind::Data, Role::AccessPoint);
    check(0x88, 3, Kind::Data, Role::AccessPoint);
    check(0x48, 0, Kind::Data, Role::Client);
    check(0xb4, 0, Kind::Other, Role::Unknown);
    check(0xa4, 0, Kind::Other, Role::Client);
}

#[test]
fn an_access_point_signs_management_frames_with_its_networks_name() {
    let header = Header::parse(&dot11(0xb0, 0, [A, B, B])).unwrap();
    assert_eq!(header.role(), Role::AccessPoint);
}

#[test]
fn the_network_stands_where_the_direction_says() {
    let network = |flags| parse(0x08, flags).bssid;
    let [a, b, c] = [A, B, C].map(|octets| Some(Address::new(octets)));
    assert_eq!([0, 1, 2, 3].map(network), [c, a, b, None]);
    assert_eq!(parse(0xa4, 0).bssid, a);
}

#[test]
fn only_data_and_polls_show_association() {
    assert!(parse(0x48, 1).shows_association() && parse(0xa4, 0).shows_association());
    assert!(!parse(0x48, 0).shows_association() && !parse(0x40, 1).shows_association());
}

#[test]
fn acknowledgements_and_the_like_have_no_transmitter() {
    for first in [0xc4, 0xd4, 0x74] {
        let header = Header::parse(&dot11(first, 0, [A, B, C])[..10]).unwrap();
        assert_eq!(
            (header.transmitter, header.receiver),
            (None, Some(Address::new(A)))
        );
    }
    for first in [0xb4, 0xa4, 0x84, 0x94, 0x54, 0x24, 0xe4] {
        assert_eq!(
            parse(first, 0).transmitter,
            Some(Address::new(B)),
            "{first:#x}"
        );
    }
    assert_eq!(parse(0x0c, 0).transmitter, None, "an extension frame");
}

#[test]
fn a_bandwidth_signal_is_no_part_of_the_address() {
    let mut signalling = B;
    signalling[0] |= 1;
    let header = Header::parse(&dot11(0xb4, 0, [A, signalling, C])).unwrap();
    assert_eq!(header.transmitter, Some(Address::new(B)));
}

#[test]
fn frames_that_are_cut_short() {
    let whole = dot11(0x88, 1, [A, B, C]);
    for len in 0..22 {
        assert_eq!(
            Header::parse(&whole[..len]),
            Err(Dot11Error::Short),
            "{len} bytes"
        );
    }
    assert!(Header::parse(&whole[..22]).is_ok());
    assert_eq!(Header::parse(&[0x81, 0]), Err(Dot11Error::Version(1)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(header) = Header::parse(&bytes) {
            let _ = (header.kind(), header.role(), header.shows_association());
        }
    }
}
