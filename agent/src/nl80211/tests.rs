use super::*;
use crate::netlink::{Answer, Messages};
use crate::testing::kernel::{Row, Told};

/// What the attributes of a row say.
fn read<T>(row: &Row, parse: impl FnOnce(Attributes<'_>) -> T) -> T {
    let bytes = row.bytes(28, 1);
    match Messages::new(&bytes).next().expect("a message").answer {
        Answer::Row { attributes, .. } => parse(attributes),
        other => panic!("{other:?}"),
    }
}

const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn station(told: &[Told]) -> Station {
    read(&Row::station(CLIENT, told), Station::parse).expect("a station")
}

#[test]
fn a_station_as_drivers_tell_it() {
    let row = station(&[
        Told::Inactive(120),
        Told::Signal(-61),
        Told::SignalAverage(-63),
        Told::Chains(&[-64, -66]),
        Told::Associated(true),
    ]);
    assert_eq!(row.address, Address::new(CLIENT));
    assert_eq!(row.inactive_ms, Some(120));
    assert_eq!((row.signal_dbm, row.signal_avg_dbm), (Some(-61), Some(-63)));
    assert_eq!(row.associated, Some(true));
    // Only antennas; and nothing at all.
    assert_eq!(station(&[Told::Chains(&[-70, -66])]).signal_dbm, Some(-66));
    let bare = station(&[]);
    assert_eq!(
        (bare.signal_dbm, bare.inactive_ms, bare.associated),
        (None, None, None)
    );
    assert_eq!(station(&[Told::Associated(false)]).associated, Some(false));
    // Some drivers say 0 when they do not know.
    assert_eq!(station(&[Told::Signal(0)]).signal_dbm, None);
}

#[test]
fn an_interface_and_its_channel() {
    let row = Row::interface(7, "wlan0", 3, CLIENT, Some(5_180));
    read(&row, |attributes| {
        let expected = Interface {
            index: 7,
            name: "wlan0",
            kind: InterfaceKind::AccessPoint,
            address: Some(Address::new(CLIENT)),
            freq_mhz: Some(5_180),
        };
        assert_eq!(Interface::parse(attributes), Some(expected));
    });
    let kind = |number| {
        let row = Row::interface(7, "wlan0", number, CLIENT, None);
        read(&row, |row| {
            Interface::parse(row).expect("an interface").kind
        })
    };
    assert_eq!(kind(4), InterfaceKind::AccessPoint);
    assert_eq!(kind(2), InterfaceKind::Other);
}

#[test]
fn the_channel_in_use_has_its_noise() {
    let survey = |row: Row| read(&row, Survey::parse).expect("a survey");
    let used = survey(Row::survey(2_437, Some(-95), true));
    assert_eq!(
        (used.freq_mhz, used.noise_dbm, used.in_use),
        (Some(2_437), Some(-95), true)
    );
    let other = survey(Row::survey(2_412, None, false));
    assert_eq!((other.noise_dbm, other.in_use), (None, false));
}

#[test]
fn requests_are_as_the_kernel_wants_them() {
    let mut bytes = Vec::new();
    let request = dump(&mut bytes, 28, 5, command::GET_STATION, Some(7)).to_vec();
    let [len, kind, flags] = [4, 6, 8].map(|end| &request[end - if end == 4 { 4 } else { 2 }..end]);
    assert_eq!(len, 28u32.to_ne_bytes());
    assert_eq!(
        (kind, flags),
        (&28u16.to_ne_bytes()[..], &0x0301u16.to_ne_bytes()[..])
    );
    assert_eq!(request[16..20], [17, 1, 0, 0]);
    assert_eq!(
        request[20..],
        [
            &8u16.to_ne_bytes()[..],
            &3u16.to_ne_bytes(),
            &7u32.to_ne_bytes()
        ]
        .concat()
    );
    let request = get_family(&mut bytes, 6, "nl80211");
    assert_eq!(request[4..6], 16u16.to_ne_bytes());
    assert_eq!(&request[24..32], b"nl80211\0");
}
