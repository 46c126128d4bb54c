//! Explanations of fixes whose reasons are known.

use nalgebra::Point2;
use site::{BandLoss, Calibration, FloorIndex, Material, RadioModel, RangeModel, Wall};

use super::*;
use crate::example;
use crate::fix::RangeReading;
use crate::model::ModelOptions;

const EXPONENT: f64 = 2.5;

fn learned(site: &Site) -> Calibration {
    let radio = RadioModel {
        rssi_at_1m_dbm: -40.0,
        exponent: EXPONENT,
        deviation_db: 4.0,
        range: Some(RangeModel {
            bias_m: 0.5,
            slope: 1.0,
            deviation_m: 1.0,
        }),
    };
    Calibration {
        radios: site.radios().map(|_| Some(radio)).collect(),
        client_offset_deviation_db: Some(4.0),
        ..Calibration::default()
    }
}

struct Stage {
    site: Site,
    model: Arc<Model>,
    place: Point3<f64>,
}

impl Stage {
    /// A hall with an anchor in each corner and one in the middle, `ap4`; a client near it.
    fn hall() -> Self {
        Self::new(example::open_site(30.0, 20.0), Point3::new(16.5, 11.0, 1.2))
    }

    fn new(site: Site, place: Point3<f64>) -> Self {
        let model = Model::new(&site, &learned(&site), &ModelOptions::default());
        Self {
            site,
            model: Arc::new(model),
            place,
        }
    }

    /// What these radios hear at the place without any error.
    fn heard(&self, radios: impl IntoIterator<Item = u16>) -> Vec<Sighting> {
        let floor = FloorIndex((self.place.z / 3.0) as u8);
        let sighting = |radio| Sighting {
            radio: RadioIndex(radio),
            rssi_dbm: Some(
                self.model
                    .expected_dbm(RadioIndex(radio), floor, self.place.xy())
                    .unwrap() as f32,
            ),
            count: 2,
            age_s: 0.2,
            range: None,
        };
        radios.into_iter().map(sighting).collect()
    }

    fn explain(&self, sightings: &[Sighting], older: &[Sighting]) -> (Fix, Explanation) {
        let mut track = Track::default();
        let fix = Locator::new(self.model.clone())
            .locate(sightings, &mut track, 100.0)
            .unwrap();
        let case = Case {
            site: &self.site,
            model: &self.model,
            sightings,
            older,
            track_before: &Track::default(),
            track: &track,
            fix: &fix,
            at_s: 100.0,
        };
        (fix, case.explain())
    }
}

fn part(explanation: &Explanation, radio: u16) -> &RadioPart {
    let mut radios = explanation.radios.iter();
    radios.find(|part| part.radio.0 == radio).unwrap()
}

#[test]
fn the_nearest_anchor_weighs_most_and_moves_the_fix_most() {
    let stage = Stage::hall();
    let (_, explanation) = stage.explain(&stage.heard(0..5), &[]);
    let first = &explanation.radios[0];
    assert_eq!(first.anchor, Some((4, Band::Ghz5)));
    let sum: f64 = explanation.radios.iter().map(|part| part.weight).sum();
    assert!((sum + explanation.track_weight - 1.0).abs() < 1e-9, "{sum}");
    assert!(first.weight > 0.4, "{first:?}");
    let moves = |part: &RadioPart| part.moves_m.unwrap();
    let most = explanation
        .radios
        .iter()
        .max_by(|a, b| moves(a).total_cmp(&moves(b)));
    assert_eq!(most.unwrap().radio, first.radio);
}

#[test]
fn the_exponent_is_read_off_the_radio_map() {
    let stage = Stage::hall();
    let place = Point2::new(21.0, 15.0);
    let about = Surroundings::new(&stage.model, FloorIndex(0), place, 6.0).unwrap();
    for radio in 0..5 {
        let exponent = about.exponent(&stage.model, RadioIndex(radio));
        assert!(
            (exponent - EXPONENT).abs() < 0.02,
            "radio {radio}: {exponent}"
        );
    }
}

#[test]
fn residuals_are_heard_minus_expected_minus_the_clients_offset() {
    let stage = Stage::hall();
    let mut sightings = stage.heard(0..5);
    for sighting in &mut sightings {
        sighting.rssi_dbm = sighting.rssi_dbm.map(|dbm| dbm + 3.0);
    }
    sightings[0].rssi_dbm = sightings[0].rssi_dbm.map(|dbm| dbm - 6.0);
    let (_, explanation) = stage.explain(&sightings, &[]);
    let offset_db = explanation.offsets_db.unwrap()[1].0;
    for (part, sighting) in [0, 1, 2, 3, 4].map(|radio| {
        let index = usize::from(radio);
        (part(&explanation, radio), sightings[index])
    }) {
        let rssi = part.rssi.unwrap();
        let heard_dbm = f64::from(sighting.rssi_dbm.unwrap());
        assert_eq!(rssi.heard_dbm, heard_dbm);
        assert!((rssi.corrected_dbm - (heard_dbm - offset_db)).abs() < 1e-9);
        assert!((rssi.residual_db - (rssi.corrected_dbm - rssi.expected_dbm)).abs() < 1e-9);
    }
    let residuals = explanation
        .radios
        .iter()
        .map(|p| p.rssi.unwrap().residual_db);
    assert!(
        residuals.fold(f64::INFINITY, f64::min) < -2.0,
        "the weak one shows"
    );
}

#[test]
fn a_wall_and_a_slab_in_the_way_show_up() {
    let anchors = [(2.0, 2.0, 2.5), (28.0, 10.0, 2.5), (15.0, 10.0, 5.5)];
    let anchors = anchors.map(|(x, y, z)| Point3::new(x, y, z));
    let mut site = example::site(30.0, 20.0, 2, &anchors, &[Band::Ghz5]);
    site.floors[0].walls.push(Wall {
        from: Point2::new(20.0, 0.0),
        to: Point2::new(20.0, 20.0),
        material: Material::Brick,
        thickness_m: 0.2,
        loss_db: BandLoss {
            ghz2_db: 6.0,
            ghz5_db: 9.5,
            ghz6_db: 10.0,
        },
    });
    let stage = Stage::new(site, Point3::new(8.0, 8.0, 1.2));
    let (fix, explanation) = stage.explain(&stage.heard(0..3), &[]);
    assert_eq!(fix.floor, FloorIndex(0));
    let way = |radio| part(&explanation, radio).way.clone().unwrap();
    assert_eq!((way(0).walls_len(), way(0).slabs), (0, 0));
    let brick = WallLoss {
        material: Material::Brick,
        count: 1,
        loss_db: 9.5,
    };
    assert_eq!(way(1).walls, [brick]);
    assert_eq!((way(2).slabs, way(2).slabs_loss_db), (1, 18.0));
    assert!((way(1).loss_db() - 9.5).abs() < 1e-12);
}

#[test]
fn what_was_not_used_says_why() {
    let stage = Stage::hall();
    let mut sightings = stage.heard(0..5);
    let mut twin = sightings[1];
    twin.age_s = 2.0;
    let mut impossible = sightings[0];
    impossible.rssi_dbm = Some(f32::NAN);
    impossible.radio = RadioIndex(0);
    sightings[0] = impossible;
    let unknown = Sighting {
        radio: RadioIndex(99),
        ..sightings[1]
    };
    sightings.extend([twin, unknown]);
    let old = Sighting {
        age_s: 9.0,
        ..stage.heard([3])[0]
    };
    let (_, explanation) = stage.explain(&sightings, &[old]);
    let rejections: Vec<_> = explanation
        .radios
        .iter()
        .filter_map(|part| Some((part.radio.0, part.rejected?)))
        .collect();
    let expected = [
        (0, Rejection::Impossible),
        (1, Rejection::Repeated),
        (99, Rejection::UnknownRadio),
        (3, Rejection::Old),
    ];
    assert_eq!(rejections.len(), expected.len(), "{rejections:?}");
    for one in expected {
        assert!(rejections.contains(&one), "{one:?} in {rejections:?}");
    }
    for part in explanation.radios.iter().filter(|p| p.rejected.is_some()) {
        assert_eq!((part.weight, part.moves_m), (0.0, None), "{part:?}");
    }
}

#[test]
fn one_radio_too_many_is_too_weak() {
    let places: Vec<_> = (0..40)
        .map(|i| Point3::new(f64::from(i), 0.0, 2.5))
        .collect();
    let site = example::site(40.0, 20.0, 1, &places, &[Band::Ghz5]);
    let stage = Stage::new(site, Point3::new(3.0, 5.0, 1.2));
    let (_, explanation) = stage.explain(&stage.heard(0..40), &[]);
    let weak = explanation
        .radios
        .iter()
        .filter(|part| part.rejected == Some(Rejection::Weak));
    assert_eq!(weak.clone().count(), 40 - FIX_RADIOS_MAX);
    assert!(weak.clone().all(|part| part.radio.0 >= 30), "the far ones");
}

#[test]
fn a_gross_outlier_among_ranges_is_named() {
    let stage = Stage::hall();
    let ranged = |radio: u16, error_m: f64| {
        let anchor = stage.site.anchors[usize::from(radio)].position;
        Sighting {
            radio: RadioIndex(radio),
            rssi_dbm: None,
            count: 1,
            age_s: 0.1,
            range: Some(RangeReading {
                distance_m: ((stage.place - anchor).norm() + 0.5 + error_m) as f32,
                deviation_m: None,
            }),
        }
    };
    let sightings: Vec<_> = (0..5)
        .map(|radio| ranged(radio, if radio == 2 { 25.0 } else { 0.0 }))
        .collect();
    let (_, explanation) = stage.explain(&sightings, &[]);
    assert_eq!(part(&explanation, 2).rejected, Some(Rejection::Outlier));
    let good = part(&explanation, 1);
    assert_eq!(good.rejected, None);
    let range = good.range.unwrap();
    assert!(
        range.residual_m.abs() < 1.5 && good.weight > 0.1,
        "{good:?}"
    );
}

#[test]
fn beside_fine_ranges_signal_strengths_have_no_weight() {
    let mut stage = Stage::hall();
    let mut calibration = learned(&stage.site);
    for radio in calibration.radios.iter_mut().flatten() {
        if let Some(range) = &mut radio.range {
            range.deviation_m = 0.05;
        }
    }
    stage.model = Arc::new(Model::new(
        &stage.site,
        &calibration,
        &ModelOptions::default(),
    ));
    let mut sightings = stage.heard(0..5);
    for sighting in &mut sightings[..4] {
        let anchor = stage.site.anchors[usize::from(sighting.radio.0)].position;
        sighting.range = Some(RangeReading {
            distance_m: ((stage.place - anchor).norm() + 0.5) as f32,
            deviation_m: None,
        });
    }
    let (fix, explanation) = stage.explain(&sightings, &[]);
    assert_eq!(fix.source, Source::Range);
    assert_eq!(part(&explanation, 4).weight, 0.0, "it gave no range");
    let sum: f64 = explanation.radios.iter().map(|part| part.weight).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

#[test]
fn every_floor_has_its_probability() {
    let anchors = [(5.0, 5.0, 2.5), (20.0, 8.0, 5.5), (10.0, 15.0, 8.5)];
    let anchors = anchors.map(|(x, y, z)| Point3::new(x, y, z));
    let site = example::site(25.0, 20.0, 4, &anchors, &[Band::Ghz5]);
    let stage = Stage::new(site, Point3::new(12.0, 9.0, 4.2));
    // One radio alone leaves it open.
    let (fix, explanation) = stage.explain(&stage.heard([1]), &[]);
    let floors = &explanation.floors;
    assert_eq!(floors.len(), 4);
    assert!((floors.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(
        floors.iter().filter(|&&p| p > 0.01).count() > 2,
        "{floors:?}"
    );
    let of_fix = floors[usize::from(fix.floor.0)];
    assert!((of_fix - fix.floor_probability).abs() < 1e-6, "{floors:?}");
}

#[test]
fn what_would_have_helped_is_expected_to_help() {
    let stage = Stage::hall();
    let mut sightings = stage.heard([0, 1, 2]);
    sightings[0].age_s = 2.5;
    let (fix, explanation) = stage.explain(&sightings, &[]);
    let changes = &explanation.changes;
    let find = |wanted: fn(&ChangeKind) -> bool| changes.iter().find(|c| wanted(&c.kind));
    for change in changes {
        assert!((change.before.r50_m - fix.r50_m).abs() < 1e-9);
        assert!(change.after.r50_m < change.before.r50_m, "{change:?}");
    }
    assert!(changes.is_sorted_by(|a, b| a.after.r50_m <= b.after.r50_m));
    let hears = find(|kind| matches!(kind, ChangeKind::AnchorHears(_))).unwrap();
    assert_eq!(hears.kind, ChangeKind::AnchorHears(4), "the near one");
    assert!(find(|kind| matches!(kind, ChangeKind::Range(4))).is_some());
    assert!(find(|kind| matches!(kind, ChangeKind::KnownPower)).is_some());
    assert!(find(|kind| matches!(kind, ChangeKind::FreshReadings(1))).is_some());
    assert!(find(|kind| matches!(kind, ChangeKind::MorePackets)).is_some());
    assert!(
        find(|kind| matches!(kind, ChangeKind::Survey)).is_none(),
        "4 dB already"
    );
}

#[test]
fn the_clients_track_has_its_share() {
    let stage = Stage::hall();
    let sightings = stage.heard(0..5);
    let mut locator = Locator::new(stage.model.clone());
    let mut track = Track::default();
    for second in 0..20 {
        locator.locate(&sightings, &mut track, f64::from(second));
    }
    let before = track;
    let fix = locator.locate(&sightings, &mut track, 20.0).unwrap();
    let case = Case {
        site: &stage.site,
        model: &stage.model,
        sightings: &sightings,
        older: &[],
        track_before: &before,
        track: &track,
        fix: &fix,
        at_s: 20.0,
    };
    let explanation = case.explain();
    assert!(explanation.track_weight > 0.2, "{explanation:?}");
    let sum: f64 = explanation.radios.iter().map(|part| part.weight).sum();
    assert!((sum + explanation.track_weight - 1.0).abs() < 1e-9);
}
