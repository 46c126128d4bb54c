use proptest::prelude::*;

use super::*;
use crate::testing::RadiotapWriter;

fn writer() -> RadiotapWriter {
    RadiotapWriter::default()
}

#[test]
fn fields_stand_at_their_alignment() {
    let bytes = writer()
        .word(0b1000_0110_1110)
        .field(1, &[0x50])
        .field(1, &[12])
        .field(2, &[0x6c, 0x09, 0xa0, 0x00])
        .field(1, &[(-42_i8) as u8])
        .field(1, &[(-95_i8) as u8])
        .field(1, &[3])
        .frame(&[]);
    let radiotap = Radiotap::parse(&bytes).unwrap();
    assert_eq!(
        (radiotap.signal_dbm(), radiotap.noise_dbm()),
        (Some(-42), Some(-95))
    );
    assert_eq!(
        (radiotap.freq_mhz, radiotap.rate_500kbps),
        (Some(2412), Some(12))
    );
    assert_eq!(radiotap.antennas.as_slice(), [3]);
    assert!(radiotap.checksum_bad && radiotap.checksum_included && !radiotap.transmitted);
}

#[test]
fn time_is_aligned_behind_two_presence_words() {
    let bytes = writer()
        .word(1 << 29 | 1 << 0 | 1 << 5)
        .word(1 << 5 | 1 << 11)
        .field(8, &77u64.to_le_bytes())
        .field(1, &[(-40_i8) as u8])
        .field(1, &[(-41_i8) as u8])
        .field(1, &[1])
        .frame(&[]);
    let radiotap = Radiotap::parse(&bytes).unwrap();
    assert_eq!(radiotap.tsft_us, Some(77));
    assert_eq!(radiotap.signals_dbm.as_slice(), [-40, -41]);
    assert_eq!(
        radiotap.signal_dbm(),
        Some(-40),
        "the first is the combined one"
    );
}

#[test]
fn a_second_word_without_a_namespace_bit_is_skipped() {
    let bytes = writer()
        .word(1 << 6)
        .word(1 << 5)
        .field(1, &[0xa0])
        .field(1, &[0xb0])
        .frame(&[]);
    let radiotap = Radiotap::parse(&bytes).unwrap();
    assert_eq!(
        (radiotap.signal_dbm(), radiotap.noise_dbm()),
        (None, Some(-96))
    );
}

#[test]
fn a_vendors_fields_are_skipped_by_their_length() {
    let bytes = writer()
        .word(1 << 30 | 1 << 11)
        .word(1 << 29 | 1 << 5 | 1 << 0)
        .word(1 << 5)
        .field(1, &[9])
        .field(2, &[0, 0x1b, 0xc5, 1, 3, 0])
        .field(1, &[0xee; 3])
        .field(1, &[(-66_i8) as u8])
        .frame(&[]);
    assert_eq!(
        Radiotap::parse(&bytes).unwrap().signals_dbm.as_slice(),
        [-66]
    );
}

#[test]
fn a_strength_in_db_is_no_strength_in_dbm() {
    let bytes = writer()
        .word(1 << 12 | 1 << 13)
        .field(1, &[60])
        .field(1, &[10])
        .frame(&[]);
    let radiotap = Radiotap::parse(&bytes).unwrap();
    assert_eq!((radiotap.signal_dbm(), radiotap.noise_dbm()), (None, None));
}

#[test]
fn a_field_of_unknown_size_ends_the_walk() {
    let bytes = writer()
        .word(1 << 29 | 1 << 28 | 1 << 5)
        .word(1 << 5)
        .field(1, &[0xc0])
        .frame(&[]);
    assert_eq!(
        Radiotap::parse(&bytes).unwrap().signals_dbm.as_slice(),
        [-64]
    );
}

#[test]
fn headers_that_contradict_themselves() {
    let check = |bytes: &[u8], expected| assert_eq!(Radiotap::parse(bytes), Err(expected));
    check(&[], RadiotapError::Short);
    check(&[0, 0, 8], RadiotapError::Short);
    check(&[1, 0, 8, 0, 0, 0, 0, 0], RadiotapError::Version(1));
    check(&[0, 0, 9, 0, 0, 0, 0, 0], RadiotapError::Short);
    check(&[0, 0, 4, 0], RadiotapError::Short);
    check(&[0, 0, 8, 0, 0, 0, 0, 0x80], RadiotapError::Short);
    check(
        &[0, 0, 8, 0, 0x20, 0, 0, 0],
        RadiotapError::FieldBehindEnd(5),
    );
    check(
        &[0, 0, 8, 0, 0, 0, 0, 0x40],
        RadiotapError::FieldBehindEnd(30),
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Radiotap::parse(&bytes);
    }

    #[test]
    fn any_presence_words_are_read_without_panic(
        words in prop::collection::vec(any::<u32>(), 1..6),
        fields in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = words.iter().fold(writer(), |w, &word| w.word(word)).field(1, &fields).frame(&[]);
        if let Ok(radiotap) = Radiotap::parse(&bytes) {
            prop_assert!(radiotap.header_bytes <= bytes.len());
        }
    }

    #[test]
    fn what_was_written_is_read(
        signal in any::<Option<i8>>(), noise in any::<Option<i8>>(),
        freq in any::<Option<u16>>(), tsft in any::<Option<u64>>(),
    ) {
        let bit = |present: bool, bit: u32| u32::from(present) << bit;
        let word = bit(tsft.is_some(), 0) | bit(freq.is_some(), 3)
            | bit(signal.is_some(), 5) | bit(noise.is_some(), 6);
        let mut w = writer().word(word);
        if let Some(tsft) = tsft {
            w = w.field(8, &tsft.to_le_bytes());
        }
        if let Some(freq) = freq {
            w = w.field(2, &[freq.to_le_bytes(), [0, 0]].concat());
        }
        for reading in [signal, noise].into_iter().flatten() {
            w = w.field(1, &[reading.cast_unsigned()]);
        }
        let radiotap = Radiotap::parse(&w.frame(&[])).unwrap();
        prop_assert_eq!(radiotap.signal_dbm(), signal);
        prop_assert_eq!(radiotap.noise_dbm(), noise);
        prop_assert_eq!(radiotap.freq_mhz, freq);
        prop_assert_eq!(radiotap.tsft_us, tsft);
    }
}
