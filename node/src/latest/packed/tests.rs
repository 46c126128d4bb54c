use serde_json::Value;

use super::super::tests::sent;
use super::*;
use crate::body::fix::FixBody;
use crate::names::Names;

/// Numbers that are the same each time, spread evenly over [0, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn within(&mut self, min: f64, max: f64) -> f64 {
        min + self.next() * (max - min)
    }

    fn flag(&mut self) -> bool {
        self.next() < 0.5
    }

    fn fix(&mut self) -> SentFix {
        let mut sent = sent((self.next() * 1e18) as u64, 0.0, 0);
        let [xx, yy] = [0, 1].map(|_| 10_f64.powf(self.within(-3.0, 1.0)));
        let xy = self.within(-0.99, 0.99) * (xx * yy).sqrt();
        sent.sent_at_us += (self.next() * 1e10) as u64;
        sent.fix = Fix {
            position_in_site: [0, 1, 2].map(|_| self.within(-10_000.0, 10_000.0)).into(),
            covariance_m2: [[xx, xy], [xy, yy]].into(),
            height_deviation_m: self.within(0.0, 9.0),
            floor: FloorIndex((self.next() * 2.0) as u8),
            floor_probability: self.next(),
            r50_m: self.within(0.0, 100.0),
            r90_m: self.within(0.0, 655.0),
            radios: (self.next() * 64.0) as u16,
            observations: (self.next() * 65_536.0) as u32,
            age_s: self.within(0.0, 60.0),
            source: if self.flag() {
                Source::Grid
            } else {
                Source::Range
            },
            flags: Flags {
                teleport: self.flag(),
                degenerate: self.flag(),
                stale: self.flag(),
                outside: self.flag(),
            },
        };
        sent
    }
}

#[test]
fn readers_are_shown_the_same_digits() {
    let site = site::Site::parse(include_str!("../../../../sites/office.toml")).unwrap();
    let (names, mut numbers) = (Names::default(), Numbers(1));
    let began = Instant::now();
    for number in 0..20_000_u64 {
        let sent = numbers.fix();
        // Up to two hours before the newest fix.
        let at_ms = 20_000_000 + number * 300;
        let reference = Reference {
            began,
            at_ms: 26_000_000,
            time_ms: time_ms(&sent) + number * 80_000,
        };
        let original = Published {
            sent,
            at: began + Duration::from_millis(at_ms),
        };
        let packed = PackedFix::new(&sent, number, at_ms);
        assert!(packed.is_before(number + 1) && !packed.is_before(number));
        let now = began + Duration::from_millis(30_000_000);
        let shown = |published: &Published| {
            let body = serde_json::to_value(FixBody::new(published, &site, &names, now)).unwrap();
            let Value::Object(mut body) = body else {
                panic!("{body}")
            };
            let cov_m2 = body["error"]
                .as_object_mut()
                .unwrap()
                .remove("cov_m2")
                .unwrap();
            let age_ms = body.remove("age_ms").unwrap().as_i64().unwrap();
            (body, cov_m2, age_ms)
        };
        let unpacked = packed.published(0, &reference);
        let ((found, found_m2, found_ms), (body, cov_m2, age_ms)) =
            (shown(&unpacked), shown(&original));
        assert_eq!(found, body);
        // Both of them are rounded sums.
        assert!((found_ms - age_ms).abs() <= 1, "{found_ms} for {age_ms}");
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let [found, m2] = [&found_m2, &cov_m2].map(|m2| m2[row][column].as_f64().unwrap());
            assert!((found - m2).abs() < 1.5e-4, "{found} for {m2}");
        }
        let height_m = unpacked.sent.fix.height_deviation_m;
        assert!((height_m - sent.fix.height_deviation_m).abs() <= 0.05 + 1e-9);
    }
}

#[test]
fn what_cannot_be_said_becomes_the_nearest_that_can() {
    let mut sent = sent(1, 1e6, 0);
    sent.fix.r90_m = 5_000.0;
    sent.fix.observations = 1 << 20;
    sent.fix.radios = 100;
    sent.fix.covariance_m2 = [[1e9, 0.0], [0.0, 1e-9]].into();
    let reference = Reference {
        began: Instant::now(),
        at_ms: 0,
        time_ms: time_ms(&sent),
    };
    let fix = PackedFix::new(&sent, 0, 0)
        .published(0, &reference)
        .sent
        .fix;
    assert_eq!(fix.position_in_site.x, 10_485.75);
    assert_eq!(fix.r90_m, 655.35);
    assert_eq!((fix.observations, fix.radios), (65_535, 63));
    assert!(fix.covariance_m2.m11 > 262_000.0 && fix.covariance_m2.m22 < 1e-4);
}
