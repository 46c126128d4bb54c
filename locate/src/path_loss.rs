//! What a path costs: the link model that fills the radio map and that the fit inverts.

use nalgebra::Point3;
use site::{Band, BandLoss, Calibration, Propagation, RadioIndex, Site};

/// Transmit power with antenna of a nominal Wi-Fi client, in dBm.
const CLIENT_POWER_DBM: f64 = 15.0;

/// Constants for a site without walls and without calibration.
///
/// # Source
/// The fixed constants that came within 1.2 of surveyed ones on two thirds of 18 real sets.
const BLIND_WIFI_AT_1M_DBM: f64 = -42.0;
const BLIND_BLE_AT_1M_DBM: f64 = -59.0;
const BLIND_EXPONENT: f64 = 2.4;
const BLIND_DEVIATION_DB: f64 = 7.0;

/// Residual of one sighting where the walls are in the model, in dB.
const WALLED_DEVIATION_DB: f64 = 4.0;

/// Share of a residual's variance that averaging removes: fast fading. The rest is shadowing and
/// stays.
const FADING_SHARE: f64 = 0.25;

/// With blind constants the error is the constants' own, and no averaging removes it.
const BLIND_FADING_SHARE: f64 = 0.0;

/// Shortest distance of the model in metres: the near field knows no path loss.
const DISTANCE_MIN_M: f64 = 0.5;

/// Mean signal strength over distance and obstruction for one radio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PathLoss {
    /// Signal strength of a nominal client at 1 m, in dBm.
    pub(crate) rssi_at_1m_dbm: f64,
    /// Exponent of the direct path.
    pub(crate) exponent: f64,
    /// Standard deviation of one sighting's residual, in dB.
    pub(crate) deviation_db: f64,
    /// Share of that variance which is fading, new with each reading.
    pub(crate) fading_share: f64,
    /// The diffuse path that lets walls saturate; `None` where the site has no walls.
    pub(crate) diffuse: Option<Propagation>,
}

impl PathLoss {
    /// The model of a radio: what was learned, or the physics of the site, or blind constants.
    pub(crate) fn of_radio(
        site: &Site,
        calibration: &Calibration,
        index: RadioIndex,
        band: Band,
        freq_mhz: f64,
    ) -> Self {
        let diffuse = has_walls(site).then_some(site.propagation);
        if let Some(learned) = calibration.radio(index) {
            return Self {
                rssi_at_1m_dbm: learned.rssi_at_1m_dbm,
                exponent: learned.exponent,
                deviation_db: learned.deviation_db,
                fading_share: FADING_SHARE,
                diffuse,
            };
        }
        Self::unlearned(site, band, freq_mhz)
    }

    /// The model of a radio about which nothing was learned.
    pub(crate) fn unlearned(site: &Site, band: Band, freq_mhz: f64) -> Self {
        let blind_at_1m_dbm = if band == Band::Ble {
            BLIND_BLE_AT_1M_DBM
        } else {
            BLIND_WIFI_AT_1M_DBM
        };
        if !has_walls(site) {
            return Self {
                rssi_at_1m_dbm: blind_at_1m_dbm,
                exponent: BLIND_EXPONENT,
                deviation_db: BLIND_DEVIATION_DB,
                fading_share: BLIND_FADING_SHARE,
                diffuse: None,
            };
        }
        let rssi_at_1m_dbm = if band == Band::Ble {
            blind_at_1m_dbm
        } else {
            CLIENT_POWER_DBM - free_space_loss_at_1m_db(freq_mhz)
        };
        Self {
            rssi_at_1m_dbm,
            exponent: site.propagation.direct_exponent,
            deviation_db: WALLED_DEVIATION_DB,
            fading_share: FADING_SHARE,
            diffuse: Some(site.propagation),
        }
    }

    /// Expected signal strength in dBm at a distance in metres behind `obstruction_db` of walls and
    /// slabs.
    pub(crate) fn expected_dbm(&self, distance_m: f64, obstruction_db: f64) -> f64 {
        let decades = distance_m.max(DISTANCE_MIN_M).log10();
        self.rssi_at_1m_dbm
            - 10.0 * self.exponent * decades
            - self.effective_obstruction_db(decades, obstruction_db)
    }

    /// Loss beyond the direct path's: walls in the straight way, bounded by the way around them.
    ///
    /// Power sum of direct and diffuse path: `-10 log10(10^(-W/10) + 10^(-C/10))`, where the cap
    /// `C = A + 10 (m - n) log10 d` is how much worse than a free direct path the diffuse one is.
    ///
    /// # Source
    /// Multi-wall form of Motley-Keenan / COST 231; saturation after Lott and Forkel, VTC Spring
    /// 2001.
    pub(crate) fn effective_obstruction_db(&self, decades: f64, obstruction_db: f64) -> f64 {
        let Some(diffuse) = self.diffuse else {
            return obstruction_db;
        };
        let cap_db =
            diffuse.diffuse_excess_db + 10.0 * (diffuse.diffuse_exponent - self.exponent) * decades;
        let power = 10f64.powf(-obstruction_db / 10.0) + 10f64.powf(-cap_db.max(0.0) / 10.0);
        -10.0 * power.log10()
    }
}

/// Whether walls are in the model of this site.
pub(crate) fn has_walls(site: &Site) -> bool {
    site.floors.iter().any(|floor| !floor.walls.is_empty())
}

/// Free-space loss at 1 m in dB. Source: Friis; `20 log10 f_MHz - 27.55`.
fn free_space_loss_at_1m_db(freq_mhz: f64) -> f64 {
    20.0 * freq_mhz.log10() - 27.55
}

/// Loss of all walls and slabs on the straight path, per band.
pub(crate) fn obstruction(site: &Site, a: Point3<f64>, b: Point3<f64>) -> BandLoss {
    let mut sum = BandLoss {
        ghz2_db: 0.0,
        ghz5_db: 0.0,
        ghz6_db: 0.0,
    };
    let mut add = |loss: &BandLoss, factor: f64| {
        sum.ghz2_db += loss.ghz2_db * factor;
        sum.ghz5_db += loss.ghz5_db * factor;
        sum.ghz6_db += loss.ghz6_db * factor;
    };
    site.for_each_wall_crossing(a, b, |floor, wall, cos_theta| {
        add(
            &site.floor(floor).walls[wall].loss_db,
            obliqueness(cos_theta),
        );
    });
    for floor in site.slabs_crossed(a.z, b.z) {
        add(&site.floor(floor).slab.loss_db, 1.0);
    }
    sum
}

/// How much more an oblique path loses in a wall: 1 at normal incidence, at most 1.6.
///
/// # Source
/// Fit to ITU-R P.2040 slabs, which give factors of 1.15 (concrete) to 1.4 (brick) at 75 degrees.
fn obliqueness(cos_theta: f64) -> f64 {
    1.0 + 0.15 * (1.0 / cos_theta.max(0.2) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walled() -> PathLoss {
        let diffuse = Propagation {
            diffuse_excess_db: 5.0,
            diffuse_exponent: 4.0,
            direct_exponent: 2.0,
        };
        PathLoss {
            rssi_at_1m_dbm: -25.0,
            exponent: 2.0,
            deviation_db: 4.0,
            fading_share: FADING_SHARE,
            diffuse: Some(diffuse),
        }
    }

    #[test]
    fn free_space_loss_meets_the_published_values() {
        for (freq_mhz, loss_db) in [(2437.0, 40.19), (5250.0, 46.85), (6200.0, 48.30)] {
            assert!(
                (free_space_loss_at_1m_db(freq_mhz) - loss_db).abs() < 0.01,
                "{freq_mhz}"
            );
        }
    }

    /// At 10 m the cap is 5 + 20 dB: power sums worked out by hand.
    #[test]
    fn walls_saturate() {
        let check = |obstruction_db: f64, effective_db: f64| {
            let got = walled().effective_obstruction_db(1.0, obstruction_db);
            assert!((got - effective_db).abs() < 0.01, "{obstruction_db}: {got}");
        };
        check(0.0, -0.0137);
        check(25.0, 21.9897);
        check(100.0, 25.0);
    }

    #[test]
    fn signal_falls_with_distance_and_is_flat_below_half_a_metre() {
        let model = PathLoss {
            diffuse: None,
            ..walled()
        };
        assert_eq!(model.expected_dbm(0.1, 0.0), model.expected_dbm(0.5, 0.0));
        assert!((model.expected_dbm(10.0, 3.0) + 48.0).abs() < 1e-9);
    }
}
