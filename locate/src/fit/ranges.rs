//! Bias, slope and scale of every radio's ranges, robustly.

use site::{RangeModel, Site};

use super::Survey;
use super::line::{Leash, Line, Point};
use crate::evidence::is_plausible_m;

/// How far a band's ranges may stray from perfect ones: bias in metres, slope.
const BAND_LEASH: Leash = Leash {
    level: 5.0,
    slope: 0.3,
};

/// How far a radio may stray from its band.
const RADIO_LEASH: Leash = Leash {
    level: 2.0,
    slope: 0.15,
};

/// Degrees of freedom of the error, as in the solvers.
const DEGREES: f64 = 3.0;

/// Smallest scale that is believed, in metres.
const DEVIATION_MIN_M: f64 = 0.02;

/// Ranges as many as the band's scale counts in a radio's own.
const DEVIATION_PRIOR_COUNT: f64 = 20.0;

/// A radio must have ranged this often to get constants.
const COUNT_MIN: usize = 3;

const ROUNDS: usize = 30;

/// True and measured distance.
type Pair = (f64, f64);

/// A line with the scale of the points about it.
#[derive(Clone, Copy)]
struct Scaled {
    line: Line,
    deviation_m: f64,
}

pub(super) fn fit(site: &Site, survey: &Survey) -> Vec<Option<RangeModel>> {
    let pairs = pairs(site, survey);
    let bands: Vec<_> = site.radios().map(|(_, radio)| radio.band).collect();
    let perfect = Scaled {
        line: Line {
            level: 0.0,
            slope: 1.0,
        },
        deviation_m: 1.0,
    };
    (0..pairs.len())
        .map(|index| {
            if pairs[index].len() < COUNT_MIN {
                return None;
            }
            let of_band: Vec<Pair> = (0..pairs.len())
                .filter(|&other| bands[other] == bands[index])
                .flat_map(|other| pairs[other].iter().copied())
                .collect();
            let band = robust_line(&of_band, perfect, BAND_LEASH, 0.0);
            let own = robust_line(&pairs[index], band, RADIO_LEASH, DEVIATION_PRIOR_COUNT);
            Some(RangeModel {
                bias_m: own.line.level,
                slope: own.line.slope.clamp(0.5, 2.0),
                deviation_m: own.deviation_m,
            })
        })
        .collect()
}

fn pairs(site: &Site, survey: &Survey) -> Vec<Vec<Pair>> {
    let radios: Vec<_> = site.radios().collect();
    let mut pairs = vec![Vec::new(); radios.len()];
    for epoch in &survey.epochs {
        for sighting in &epoch.sightings {
            let index = usize::from(sighting.radio.0);
            let Some((anchor, _)) = radios.get(index) else {
                continue;
            };
            let Some(range) = sighting.range else {
                continue;
            };
            let pair: Pair = (
                (epoch.position_in_site - anchor.position).norm(),
                f64::from(range.distance_m),
            );
            if pair.0.is_finite() && is_plausible_m(range.distance_m) {
                pairs[index].push(pair);
            }
        }
    }
    pairs
}

/// Line and scale under Student-t errors, by iteratively reweighted least squares.
///
/// # Source
/// Lange, Little and Taylor, JASA 84 (1989): weights `(n + 1) / (n + r^2 / s^2)`, the scale by the
/// same expectation step.
fn robust_line(pairs: &[Pair], prior: Scaled, leash: Leash, prior_count: f64) -> Scaled {
    let mut line = prior.line;
    // A wide start: the prior line may be metres off, which must not look like outliers.
    let mut variance = 25.0;
    for _ in 0..ROUNDS {
        let weight_of =
            |residual: f64| (DEGREES + 1.0) / (DEGREES + residual * residual / variance) / variance;
        let points = pairs.iter().map(|&(x, y)| Point {
            x,
            y,
            weight: weight_of(y - line.at(x)),
        });
        line = Line::through(points, prior.line, leash);
        let sum: f64 = pairs
            .iter()
            .map(|&(x, y)| {
                let residual = y - line.at(x);
                weight_of(residual) * variance * residual * residual
            })
            .sum();
        variance = (sum + prior_count * prior.deviation_m.powi(2))
            / (pairs.len() as f64 + prior_count).max(1.0);
        variance = variance.max(DEVIATION_MIN_M.powi(2));
    }
    Scaled {
        line,
        deviation_m: variance.sqrt(),
    }
}
