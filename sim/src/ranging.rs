//! Measured distances: fine timing over Wi-Fi, and ultra-wideband.

use rand_chacha::ChaCha8Rng;
use site::Band;

use crate::chance::normal;
use crate::links::Link;

/// A measured distance to the radio that heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeHearing {
    /// Measured distance in metres; noise can make it negative near the anchor.
    pub distance_m: f64,
    /// Standard deviation that the radio claims; it knows nothing of walls.
    pub deviation_m: f64,
}

/// How well a technology measures distances.
///
/// # Source
/// Wi-Fi: A. Zubow et al., "FTM-ns3: WiFi fine time measurements for ns-3" (2022), and M. Ibrahim
/// et al., "Verification: accuracy evaluation of WiFi fine time measurements on an open platform"
/// (2018), at 80 MHz. Ultra-wideband: the same, scaled by its deviation in the open.
#[derive(Debug, Clone, Copy)]
struct Technology {
    /// Standard deviation in the open.
    deviation_m: f64,
    /// More of it per wall or slab.
    deviation_per_obstacle_m: f64,
    /// Mean of the detour per wall or slab; the detour itself is exponentially distributed.
    bias_per_obstacle_m: f64,
    /// Standard deviation of the constant offset of a device model.
    device_offset_deviation_m: f64,
    /// Standard deviation of the constant offset of a radio.
    radio_offset_deviation_m: f64,
    /// At or below this strength no range results.
    rssi_min_dbm: Option<f64>,
}

const WIFI: Technology = Technology {
    deviation_m: 0.8,
    deviation_per_obstacle_m: 0.25,
    bias_per_obstacle_m: 0.35,
    device_offset_deviation_m: 0.6,
    radio_offset_deviation_m: 0.3,
    rssi_min_dbm: Some(-72.0),
};

const ULTRA_WIDEBAND: Technology = Technology {
    deviation_m: 0.1,
    deviation_per_obstacle_m: 0.03,
    bias_per_obstacle_m: 0.045,
    device_offset_deviation_m: 0.03,
    radio_offset_deviation_m: 0.03,
    rssi_min_dbm: None,
};

/// Constant errors of one end of a link, in units of their technology's deviation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct EndOffsets {
    pub(crate) device: f64,
    pub(crate) radio: f64,
}

/// The range that a radio of `band` measures, unless the signal is too weak.
pub(crate) fn measure(
    band: Band,
    distance_m: f64,
    link: &Link,
    ends: EndOffsets,
    rssi_dbm: f64,
    rng: &mut ChaCha8Rng,
) -> Option<RangeHearing> {
    let technology = if band == Band::Uwb {
        ULTRA_WIDEBAND
    } else {
        WIFI
    };
    if technology
        .rssi_min_dbm
        .is_some_and(|min_dbm| rssi_dbm <= min_dbm)
    {
        return None;
    }
    let obstacles = f64::from(link.obstacle_count);
    let bias_m = technology.bias_per_obstacle_m * obstacles * f64::from(link.detour)
        + technology.device_offset_deviation_m * ends.device
        + technology.radio_offset_deviation_m * ends.radio;
    let deviation_m = technology.deviation_m + technology.deviation_per_obstacle_m * obstacles;
    Some(RangeHearing {
        distance_m: distance_m + bias_m + deviation_m * normal(rng),
        deviation_m: technology.deviation_m,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::statistics::{deviation, mean};
    use crate::chance::{Purpose, exponential, stream};

    fn link(obstacle_count: u16, detour: f32) -> Link {
        Link {
            obstacles_db: [0.0; 3],
            shadow_db: [0.0; 3],
            obstacle_count,
            detour,
        }
    }

    /// Errors of ranges over 10 m, each behind another detour.
    fn errors(band: Band, obstacle_count: u16) -> Vec<f64> {
        let mut rng = stream(3, Purpose::Detour, 0);
        let mut range = || {
            let link = link(obstacle_count, exponential(&mut rng) as f32);
            measure(band, 10.0, &link, EndOffsets::default(), -60.0, &mut rng).unwrap()
        };
        (0..50_000).map(|_| range().distance_m - 10.0).collect()
    }

    fn check(band: Band, obstacle_count: u16, bias_m: f64, deviation_m: f64) {
        let errors = errors(band, obstacle_count);
        let tolerance_m = 0.02 * deviation_m;
        assert!(
            (mean(&errors) - bias_m).abs() < tolerance_m,
            "bias {}",
            mean(&errors)
        );
        assert!(
            (deviation(&errors) - deviation_m).abs() < tolerance_m,
            "{}",
            deviation(&errors)
        );
    }

    #[test]
    fn walls_lengthen_and_blur_ranges() {
        check(Band::Ghz5, 0, 0.0, 0.8);
        // An exponential of mean m has deviation m: sqrt(1.05^2 + 0.35^2), sqrt(1.55^2 + 1.05^2).
        check(Band::Ghz5, 1, 0.35, 1.1068);
        check(Band::Ghz5, 3, 1.05, 1.8722);
        check(Band::Uwb, 0, 0.0, 0.1);
        check(Band::Uwb, 2, 0.09, 0.1836);
    }

    #[test]
    fn weak_wifi_does_not_range() {
        let mut rng = stream(3, Purpose::Detour, 0);
        let mut ranges = |band, rssi_dbm| {
            measure(
                band,
                5.0,
                &link(0, 0.0),
                EndOffsets::default(),
                rssi_dbm,
                &mut rng,
            )
            .is_some()
        };
        assert!(!ranges(Band::Ghz5, -72.0));
        assert!(ranges(Band::Ghz5, -71.0));
        assert!(ranges(Band::Uwb, -90.0));
    }

    #[test]
    fn offsets_of_both_ends_add() {
        let mut rng = stream(3, Purpose::Detour, 0);
        let ends = EndOffsets {
            device: 1.0,
            radio: -1.0,
        };
        let errors: Vec<f64> = (0..50_000)
            .map(|_| measure(Band::Ghz5, 5.0, &link(0, 0.0), ends, -50.0, &mut rng).unwrap())
            .map(|range| range.distance_m - 5.0)
            .collect();
        assert!((mean(&errors) - 0.3).abs() < 0.02);
    }
}
