//! What a signal loses on its way: distance, walls, and the way around the walls.

use site::Propagation;

/// Path loss is not evaluated nearer than this: antennas have a size.
pub(crate) const DISTANCE_MIN_M: f64 = 0.5;

/// Free-space loss at 1 m in dB; `freq_mhz` the channel centre.
///
/// # Source
/// H. T. Friis, "A note on a simple transmission formula" (1946), with c = 299.792458 m/us.
pub(crate) fn free_space_at_1m_db(freq_mhz: f64) -> f64 {
    20.0 * freq_mhz.log10() - 27.55
}

/// How much more a wall costs at an angle than at normal incidence.
///
/// # Source
/// A fit between the slabs of ITU-R P.2040 at 75 degrees: 1.15 for concrete, 1.4 for brick, more
/// for thin boards.
pub(crate) fn angle_factor(cos_theta: f64) -> f64 {
    1.0 + 0.15 * (1.0 / cos_theta.max(0.2) - 1.0)
}

/// Loss in dB over `distance_m` through walls and slabs that cost `obstacles_db` in all.
///
/// Two paths add their powers: the direct one pays for every wall, the diffuse one (doors,
/// reflections, diffraction) pays for none but falls faster with distance. So the total wall loss
/// saturates.
/// # Source
/// Direct path: multi-wall model, J. M. Keenan and A. J. Motley, "Radio coverage in buildings"
/// (1990). That sums of wall losses saturate: COST 231 final report (1999), chapter 4.
pub(crate) fn path_loss_db(
    free_space_at_1m_db: f64,
    distance_m: f64,
    obstacles_db: f64,
    propagation: &Propagation,
) -> f64 {
    let decades = distance_m.max(DISTANCE_MIN_M).log10();
    let direct_db = 10.0 * propagation.direct_exponent * decades + obstacles_db;
    let diffuse_db = propagation.diffuse_excess_db + 10.0 * propagation.diffuse_exponent * decades;
    let (strong_db, weak_db) = (direct_db.min(diffuse_db), direct_db.max(diffuse_db));
    // The power sum, relative to the stronger path: exact, with one exponential.
    let gain_db =
        10.0 * (1.0 + ((strong_db - weak_db) * std::f64::consts::LN_10 / 10.0).exp()).log10();
    free_space_at_1m_db + strong_db - gain_db
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: Propagation = Propagation {
        diffuse_excess_db: 5.0,
        diffuse_exponent: 4.0,
        direct_exponent: 2.0,
    };

    fn check(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() < 0.005,
            "{value} instead of {expected}"
        );
    }

    #[test]
    fn free_space_loss_at_a_metre() {
        check(free_space_at_1m_db(2_437.0), 40.187);
        check(free_space_at_1m_db(5_250.0), 46.853);
        check(free_space_at_1m_db(6_200.0), 48.298);
    }

    #[test]
    fn oblique_walls_cost_more() {
        check(angle_factor(1.0), 1.0);
        check(angle_factor(0.5), 1.15);
        check(angle_factor(0.0), 1.6);
    }

    /// Expected values by hand: -10 log10(10^(-direct / 10) + 10^(-diffuse / 10)).
    #[test]
    fn the_two_paths_add_their_powers() {
        // 10 m, no wall: direct 20, diffuse 45 dB.
        check(path_loss_db(40.0, 10.0, 0.0, &OFFICE), 40.0 + 20.0 - 0.0137);
        // 10 m, 25 dB of walls: both 45 dB, so 3.01 dB less than either.
        check(
            path_loss_db(40.0, 10.0, 25.0, &OFFICE),
            40.0 + 45.0 - 3.0103,
        );
        // 10 m behind metal: what remains is the diffuse path.
        check(path_loss_db(40.0, 10.0, 80.0, &OFFICE), 40.0 + 45.0);
        // Nearer than half a metre nothing changes: direct -6.02, diffuse 5 - 12.04 = -7.04 dB.
        check(path_loss_db(40.0, 0.1, 0.0, &OFFICE), 40.0 - 9.572);
    }
}
