use super::*;
use crate::{ClientId, Kind, Range};

const HEADER: Header = Header {
    session: Session(300),
    sequence: 1,
    first_observation: 95,
    sent_us: 9,
    radio: 2,
};

/// An empty batch's head: seven items, no rows yet.
const HEAD: &[u8] = &[0x97, 2, 1, 2, 3, 4, 5];

fn observation(client: u64, range: Option<Range>) -> Observation {
    Observation {
        client: ClientId(client),
        heard_at_us: HEADER.sent_us,
        radio: HEADER.radio,
        rssi_dbm: Some(-60),
        noise_dbm: None,
        channel: 6,
        kind: Kind::Probe,
        randomised: true,
        associated: false,
        range,
    }
}

fn ranged(client: u64) -> Observation {
    observation(
        client,
        Some(Range {
            distance_mm: 4_200,
            deviation_mm: None,
        }),
    )
}

fn encode(bytes_max: usize, observations: &[Observation]) -> (usize, Vec<u8>) {
    let mut out = vec![0xff; 3];
    let packed = BatchWriter::new(bytes_max).encode(&HEADER, observations, &mut out);
    (packed, out)
}

#[track_caller]
fn check(parts: &[&[u8]], expected: Result<usize, DecodeError>) {
    assert_eq!(
        decode(&parts.concat()).map(|batch| batch.len()),
        expected,
        "{parts:02x?}"
    );
}

#[test]
fn malformed_batches_are_refused_by_name() {
    let (row, range) = (&[0; ROW_BYTES][..], &[0; RANGE_BYTES][..]);
    let with_ranges: &[u8] = &[0x98, 2, 1, 2, 3, 4, 5];
    let with_short: &[u8] = &[0x99, 2, 1, 2, 3, 4, 5];
    let with_air: &[u8] = &[0x9a, 2, 1, 2, 3, 4, 5];
    let short = &[0; SHORT_ROW_BYTES][..];
    check(&[HEAD, &[0xc4, 0]], Ok(0));
    check(&[HEAD, &[0xc4, 12], row], Ok(1));
    check(&[with_ranges, &[0xc4, 12], row, &[0xc4, 0]], Ok(1));
    check(&[with_ranges, &[0xc4, 12], row, &[0xc4, 8], range], Ok(1));

    check(&[with_short, &[0xc4, 0, 0xc4, 0, 0xc4, 0]], Ok(0));
    check(
        &[with_short, &[0xc4, 12], row, &[0xc4, 0, 0xc4, 6], short],
        Ok(2),
    );
    // The range is that of the short row: its index is 0, after no full row.
    let of_short: &[&[u8]] = &[with_short, &[0xc4, 0, 0xc4, 8], range, &[0xc4, 6], short];
    check(of_short, Ok(1));

    check(
        &[with_short, &[0xc4, 0, 0xc4, 8], range, &[0xc4, 0]],
        Err(DecodeError::RangeIndex),
    );
    check(
        &[with_short, &[0xc4, 0, 0xc4, 0, 0xc4, 5], &short[1..]],
        Err(DecodeError::ShortRowBytes),
    );
    check(
        &[with_short, &[0xc4, 0, 0xc4, 0]],
        Err(DecodeError::Truncated),
    );

    // The air of a row and a short row.
    let two: &[&[u8]] = &[with_air, &[0xc4, 12], row, &[0xc4, 0, 0xc4, 6], short];
    let two = &two.concat()[..];
    check(&[two, &[0xc4, 0]], Ok(2));
    check(&[two, &[0xc4, 4], &[1, 0, 36, 0xa1]], Ok(2));
    check(&[two, &[0xc4, 8], &[0, 0, 36, 0xa1, 1, 0, 6, 0x80]], Ok(2));
    check(&[two], Err(DecodeError::Truncated));
    check(&[two, &[0xc4, 3, 0, 0, 36]], Err(DecodeError::AirBytes));
    for indices in [[0, 0], [1, 0], [0, 2]] {
        let entries = indices.map(|index| [index, 0, 36, 0xa1]);
        check(
            &[two, &[0xc4, 8], entries.as_flattened()],
            Err(DecodeError::AirIndex),
        );
    }
    check(
        &[with_air, &[0xc4, 0, 0xc4, 0, 0xc4, 0, 0xc4, 4, 0, 0, 1, 1]],
        Err(DecodeError::AirIndex),
    );
    check(&[], Err(DecodeError::Truncated));
    check(&[HEAD], Err(DecodeError::Truncated));
    check(&[HEAD, &[0xc4, 13], row], Err(DecodeError::Truncated));
    check(
        &[HEAD, &[0xc6, 0xff, 0xff, 0xff, 0xff]],
        Err(DecodeError::Truncated),
    );
    check(&[&[0xc4, 0]], Err(DecodeError::ItemType));
    check(&[HEAD, &[0xa0]], Err(DecodeError::ItemType));
    check(&[&[0x97, 2, 0xff]], Err(DecodeError::ItemType));
    check(&[&[0x90]], Err(DecodeError::ItemCount));
    check(&[&[0x96, 2]], Err(DecodeError::ItemCount));
    check(&[&[0x9b, 2]], Err(DecodeError::ItemCount));
    check(
        &[&[0xdd, 0xff, 0xff, 0xff, 0xff, 2]],
        Err(DecodeError::ItemCount),
    );
    check(&[&[0x97, 1]], Err(DecodeError::Version));
    check(&[&[0x9b, 3]], Err(DecodeError::Version));
    check(
        &[&[0x97, 2, 1, 2, 3, 4, 0xcc, 255, 0xc4, 0]],
        Err(DecodeError::Radio),
    );
    check(
        &[&[0x97, 2, 1, 2, 3, 4, 0xcd, 1, 0, 0xc4, 0]],
        Err(DecodeError::Radio),
    );
    check(&[HEAD, &[0xc4, 11], &row[1..]], Err(DecodeError::RowBytes));
    check(
        &[with_ranges, &[0xc4, 12], row, &[0xc4, 7], &range[1..]],
        Err(DecodeError::RangeBytes),
    );
    check(
        &[with_ranges, &[0xc4, 0, 0xc4, 8], range],
        Err(DecodeError::RangeIndex),
    );
    let twice = [with_ranges, &[0xc4, 12], row, &[0xc4, 16], range, range];
    check(&twice, Err(DecodeError::RangeIndex));
    check(&[HEAD, &[0xc4, 0, 0]], Err(DecodeError::Trailing));
    check(&[&[0; BATCH_BYTES_MAX + 1]], Err(DecodeError::TooLong));
}

#[test]
fn any_width_of_integer_and_length_is_read() {
    let wide = [
        &[0xdc, 0, 7, 0xd0, 2][..],
        &[0xcf, 0, 0, 0, 0, 0, 0, 1, 44],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xd1, 0, 95],
        &[0xce, 0, 0, 0, 9],
        &[0xd2, 0, 0, 0, 2],
        &[0xc6, 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(decode(&wide).map(|batch| batch.header), Ok(HEADER));
}

#[test]
fn as_many_observations_as_fit_are_packed() {
    let plain: Vec<_> = (0..200).map(|client| observation(client, None)).collect();
    let ranges: Vec<_> = (0..200).map(ranged).collect();
    for (bytes_max, observations) in [(1_200, &plain), (1_200, &ranges), (9_000, &plain)] {
        let (packed, out) = encode(bytes_max, observations);
        let with_ranges = observations[0].range.is_some();
        let allowed = bytes_max.min(BATCH_BYTES_MAX);
        assert!(packed >= rows_max(bytes_max, with_ranges), "{packed}");
        assert!(out.len() <= allowed && out.len() + ROW_BYTES + RANGE_BYTES > allowed);
        let read = decode(&out).expect("our own batch");
        assert!(
            read.observations()
                .eq(observations[..packed].iter().copied())
        );
    }
}

#[test]
fn a_full_datagram_carries_110_observations() {
    assert_eq!(rows_max(1_400, false), 112);
    assert_eq!(rows_max(1_373, false), 110);
    assert_eq!(rows_max(1_400, true), 67);
    assert_eq!(rows_max(0, true), 0);
}

#[test]
fn a_full_datagram_carries_219_short_rows() {
    assert_eq!(short_rows_max(1_400, false), 224);
    assert_eq!(short_rows_max(1_373, false), 219);
    assert_eq!(short_rows_max(1_400, true), 96);
    assert_eq!(short_rows_max(0, true), 0);
}

#[test]
fn the_air_is_told_where_it_changes() {
    let air = |channel, noise_dbm| Observation {
        channel,
        noise_dbm,
        ..observation(u64::from(channel), None)
    };
    // Full rows first: nothing known, 6 and -90 twice, 1; then short ones: 1, nothing known.
    let observations = [
        (air(0, None), None),
        (air(1, None), Some(11)),
        (air(6, Some(-90)), None),
        (air(6, Some(-90)), None),
        (air(1, None), None),
        (air(0, None), Some(10)),
    ];
    let mut out = Vec::new();
    let given = observations.iter().map(|(o, short_id)| (o, *short_id));
    BatchWriter::new(1_200).encode_mixed(&HEADER, given, &mut out);
    let batch = decode(&out).expect("our own batch");
    let told: Vec<_> = batch
        .airs
        .iter()
        .map(|(row, air)| (row, air.channel(), air.noise_dbm()))
        .collect();
    assert_eq!(told, [(1, 6, Some(-90)), (3, 1, None), (5, 0, None)]);
    let channels: Vec<_> = batch
        .resolved(|short_id| Some(ClientId(short_id.into())))
        .map(|o| o.channel)
        .collect();
    assert_eq!(channels, [0, 6, 6, 1, 1, 0]);
}

#[test]
fn a_source_that_measures_nothing_sends_no_air() {
    let unknown = Observation {
        channel: 0,
        ..observation(1, None)
    };
    let (_, out) = encode(1_200, &[unknown]);
    assert_eq!(out[0], 0x97);
    let (_, out) = encode(1_200, &[observation(1, None)]);
    assert_eq!(out[0], 0x9a);
}

#[test]
fn full_rows_come_first_and_ranges_count_over_both() {
    let observations = [ranged(1), observation(2, None), ranged(3), ranged(4)];
    let short_ids = [Some(11), None, Some(13), None];
    let mut out = Vec::new();
    let given = observations.iter().zip(short_ids);
    assert_eq!(
        BatchWriter::new(1_200).encode_mixed(&HEADER, given, &mut out),
        4
    );
    let batch = decode(&out).expect("our own batch");
    let clients: Vec<_> = batch.rows.raw().map(|row| row.client().0).collect();
    assert_eq!(clients, [2, 4]);
    let rows: Vec<_> = batch.ranges.iter().map(|(row, _)| row).collect();
    assert_eq!(rows, [1, 2, 3]);
    let resolved: Vec<_> = batch
        .resolved(|short_id| (short_id == 13).then_some(ClientId(3)))
        .collect();
    assert_eq!(
        resolved,
        [observations[1], observations[3], observations[2]]
    );
}

#[test]
fn an_id_too_large_for_a_short_row_goes_in_full() {
    let observations = [observation(1, None), observation(2, None)];
    let given = observations
        .iter()
        .zip([Some(SHORT_ID_MAX + 1), Some(SHORT_ID_MAX)]);
    let mut out = Vec::new();
    BatchWriter::new(1_200).encode_mixed(&HEADER, given, &mut out);
    let batch = decode(&out).expect("our own batch");
    assert_eq!((batch.rows.len(), batch.short_rows.len()), (1, 1));
}

#[test]
fn a_datagram_too_small_for_one_row_stays_empty() {
    assert_eq!(encode(24, &[observation(1, None)]), (0, Vec::new()));
    assert_eq!(encode(0, &[observation(1, None)]), (0, Vec::new()));
    assert_eq!(encode(1_200, &[]), (0, Vec::new()));
}

#[test]
fn a_range_that_does_not_fit_keeps_its_row_out() {
    // Eleven bytes of header, then rows with a head of two bytes, heads of nothing, one air.
    let bytes_max = 11 + 2 + 2 * ROW_BYTES + 2 * 2 + 2 + AIR_BYTES;
    assert_eq!(
        encode(bytes_max, &[observation(1, None), observation(2, None)]).0,
        2
    );
    assert_eq!(encode(bytes_max, &[observation(1, None), ranged(2)]).0, 1);
}

#[test]
fn ages_saturate() {
    let header = Header {
        sent_us: 100_000_000,
        ..HEADER
    };
    let heard_at_us = [
        100_000_000,
        99_999_001,
        99_999_000,
        100_000_001,
        34_465_000,
        0,
    ];
    let observations = heard_at_us.map(|heard_at_us| Observation {
        heard_at_us,
        ..observation(1, None)
    });
    let mut out = Vec::new();
    BatchWriter::new(1_200).encode(&header, &observations, &mut out);
    let batch = decode(&out).expect("our own batch");
    let ages: Vec<_> = batch.rows.raw().map(RawRow::age_ms).collect();
    assert_eq!(ages, [0, 0, 1, 0, u16::MAX, u16::MAX]);
}

#[test]
#[should_panic(expected = "a batch is of one radio")]
fn an_observation_of_another_radio_is_a_bug_of_the_caller() {
    encode(
        1_200,
        &[Observation {
            radio: 0,
            ..observation(1, None)
        }],
    );
}
