use super::*;
use crate::chance::statistics::{deviation, mean};
use crate::fixture;

/// Strengths of many hearings of one client by one radio, without sensitivity.
fn strengths(obstacles_db: f32, distance_m: f64, band: Band) -> Vec<f64> {
    let site = fixture::two_rooms();
    let receivers = Receivers::new(&site, &WorldConfig::default());
    let receiver = &receivers.of_band(band)[0];
    let link = Link {
        obstacles_db: [obstacles_db; 3],
        shadow_db: [0.0; 3],
        obstacle_count: 0,
        detour: 0.0,
    };
    let signal = Signal {
        from: Transmitter::Client(0),
        heard_at: Duration::ZERO,
        power_dbm: 15.0 - receiver.offset_db,
        distance_m,
        link: &link,
        ranging: None,
    };
    let mut rng = stream(5, Purpose::Transmit, 0);
    let mut hear = || receivers.hear(receiver, &signal, &mut rng);
    (0..20_000)
        .filter_map(|_| hear())
        .filter_map(|it| it.rssi_dbm)
        .map(f64::from)
        .collect()
}

/// Two rooms with 13 dB at 2.4 GHz and 20 dB at 5 GHz between them; values by hand from
/// 15 dBm - (free space at 1 m + power sum of both paths).
#[test]
fn strength_is_what_the_link_model_says() {
    let check = |obstacles_db, distance_m, band, expected_dbm: f64| {
        let measured = mean(&strengths(obstacles_db, distance_m, band));
        assert!(
            (measured - expected_dbm).abs() < 0.06,
            "{measured} instead of {expected_dbm}"
        );
    };
    // 4 m: direct 12.04, diffuse 5 + 24.08 = 29.08 dB: together 11.96 dB.
    check(0.0, 4.0, Band::Ghz2, 15.0 - 40.19 - 11.96);
    // Direct 25.04, diffuse 29.08 dB: together 23.60 dB.
    check(13.0, 4.0, Band::Ghz2, 15.0 - 40.19 - 23.60);
    // Direct 32.04, diffuse 29.08 dB: together 27.30 dB.
    check(20.0, 4.0, Band::Ghz5, 15.0 - 46.85 - 27.30);
}

#[test]
fn fading_has_its_deviation() {
    let strengths = strengths(0.0, 4.0, Band::Ghz2);
    assert_eq!(strengths.len(), 20_000);
    // Rounding to 1 dB adds a variance of 1 / 12.
    let expected_db = (4.0_f64 + 1.0 / 12.0).sqrt();
    assert!((deviation(&strengths) - expected_db).abs() < 0.04);
}

#[test]
fn below_sensitivity_nothing_is_heard() {
    let weakest = |strengths: &[f64]| strengths.iter().copied().fold(0.0, f64::min);
    // Diffuse at 70 m: 15 - 40.19 - 78.8 dBm is far below; 30 m: -89.3 is near.
    assert!(strengths(80.0, 70.0, Band::Ghz2).is_empty());
    let near = strengths(80.0, 30.0, Band::Ghz2);
    assert!(near.len() > 10_000 && near.len() < 19_500, "{}", near.len());
    assert_eq!(weakest(&near), -92.0);
}

#[test]
fn receive_offsets_spread_as_stated() {
    let places: Vec<_> = (0..5_000).map(|_| (0, 1.0, 1.0)).collect();
    let floors = fixture::two_rooms().floors;
    let site = fixture::site(floors, Vec::new(), fixture::anchors(&places, &[Band::Ghz5]));
    let receivers = Receivers::new(&site, &WorldConfig::default());
    let offsets: Vec<f64> = receivers
        .of_band(Band::Ghz5)
        .iter()
        .map(|receiver| receiver.offset_db)
        .collect();
    assert!(mean(&offsets).abs() < 0.08);
    assert!((deviation(&offsets) - 1.5).abs() < 0.05);
}

#[test]
fn channels_follow_from_frequencies() {
    let check = |band, freq_mhz, expected| {
        let radio = Radio {
            index: RadioIndex(0),
            band,
            freq_mhz,
            tx_power_dbm: 20.0,
        };
        assert_eq!(channel_number(&radio), expected);
    };
    check(Band::Ghz2, 2_437.0, 6);
    check(Band::Ghz5, 5_180.0, 36);
    check(Band::Ghz6, 5_955.0, 1);
    check(Band::Ble, 2_437.0, 37);
    check(Band::Uwb, 6_490.0, 5);
    check(Band::Uwb, 7_987.2, 9);
}
