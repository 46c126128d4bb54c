use super::*;
use crate::netlink::{Answer, Messages};
use crate::testing::kernel::Row;

const PEER: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// The attributes of a message.
fn read<T>(bytes: &[u8], parse: impl FnOnce(Attributes<'_>) -> T) -> T {
    match Messages::new(bytes).next().expect("a message").answer {
        Answer::Row { attributes, .. } => parse(attributes),
        other => panic!("{other:?}"),
    }
}

fn measured(status: u32, told: &[(u16, i64)]) -> Measured {
    let bytes = Row::measured(PEER, status, told).bytes(28, 0);
    let all: Vec<_> = read(&bytes, |attributes| results(attributes).collect());
    assert_eq!(all.len(), 1);
    all[0]
}

#[test]
fn a_request_names_every_peer_and_its_channel() {
    let peers = [5_180, 5_500].map(|freq_mhz| Peer {
        address: Address::new(PEER),
        freq_mhz,
    });
    let mut bytes = Vec::new();
    let request = start(&mut bytes, 28, 5, 7, 3_000, &peers).to_vec();
    // Request and acknowledgement; the command.
    assert_eq!(
        (&request[6..8], request[16]),
        (&5u16.to_ne_bytes()[..], 131)
    );
    read(&request, |attributes| {
        let u32_of = |all: Attributes<'_>, kind| all.find(kind).and_then(|one| one.u32());
        assert_eq!(u32_of(attributes, attribute::IFINDEX), Some(7));
        assert_eq!(u32_of(attributes, ATTRIBUTE_TIMEOUT), Some(3_000));
        let all = attributes
            .find(ATTRIBUTE_PEER_MEASUREMENTS)
            .expect("measurements");
        let all = all.nested().find(PEERS).expect("peers").nested();
        assert_eq!(all.count(), 2);
        for (peer, expected) in all.zip(peers) {
            let peer = peer.nested();
            let address = peer.find(PEER_ADDRESS).and_then(|one| one.address());
            assert_eq!(address, Some(expected.address));
            let channel = peer.find(PEER_CHANNEL).expect("a channel").nested();
            let freq = Some(u32::from(expected.freq_mhz));
            assert_eq!(u32_of(channel, attribute::WIPHY_FREQ), freq);
            assert_eq!(u32_of(channel, ATTRIBUTE_CENTER_FREQ1), freq);
            assert_eq!(u32_of(channel, ATTRIBUTE_CHANNEL_WIDTH), Some(1));
            let wanted = peer.find(PEER_REQUEST).expect("a request").nested();
            let ftm = wanted
                .find(REQUEST_DATA)
                .and_then(|data| data.nested().find(TYPE_FTM));
            let ftm = ftm.expect("fine timing").nested();
            assert!(ftm.find(FTM_ASAP).is_some_and(|flag| flag.value.is_empty()));
            let frames = ftm.find(FTM_FRAMES_PER_BURST).and_then(|one| one.u8());
            assert_eq!(frames, Some(FRAMES_PER_BURST));
        }
    });
}

#[test]
fn a_round_trip_becomes_a_distance() {
    // Light takes 66,713 ps there and back over ten metres.
    let of_time = measured(0, &[(RTT_AVG, 66_713), (RTT_VARIANCE, 4_000_000)]);
    assert_eq!(
        (of_time.distance_mm, of_time.deviation_mm),
        (Some(10_000), Some(300))
    );
    let of_driver = measured(
        0,
        &[
            (DISTANCE_AVG, 7_250),
            (DISTANCE_VARIANCE, 10_000),
            (RTT_AVG, 1),
        ],
    );
    assert_eq!(
        (of_driver.distance_mm, of_driver.deviation_mm),
        (Some(7_250), Some(100))
    );
    assert_eq!(measured(0, &[(DISTANCE_AVG, -300)]).distance_mm, Some(-300));
    assert_eq!(
        measured(0, &[(DISTANCE_AVG, i64::MAX)]).distance_mm,
        Some(i32::MAX)
    );
    let wild = measured(0, &[(RTT_AVG, i64::MIN), (RTT_VARIANCE, -1)]);
    assert_eq!(
        (wild.distance_mm, wild.deviation_mm),
        (Some(i32::MIN), Some(u16::MAX))
    );
}

#[test]
fn what_failed_has_no_distance() {
    for status in 1..4 {
        assert_eq!(measured(status, &[(RTT_AVG, 66_713)]).distance_mm, None);
    }
    let empty = measured(0, &[]);
    assert_eq!((empty.distance_mm, empty.deviation_mm), (None, None));
    assert_eq!(empty.address, Address::new(PEER));
    let other = Row::survey(2_412, None, false).bytes(28, 0);
    assert_eq!(read(&other, |attributes| results(attributes).count()), 0);
}
