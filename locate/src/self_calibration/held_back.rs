//! Whether what was learned explains data that it was not learned from.

use std::collections::BTreeSet;

use site::Site;

use super::estimate::{Estimate, Scope};
use super::ground::{Constants, Ground, Window};
use super::link::Link;

/// Parts into which pairs of anchors are dealt: each is explained by what the others teach.
const FOLDS: usize = 10;

/// A gain below this is rounding, in nats.
const GAIN_MIN_NATS: f64 = 0.005;

/// Windows that the check looks at.
const WINDOWS_MAX: usize = 400;

/// Mean log-density of held-back data before and after, in nats for each pair or reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// With the site file alone.
    pub before_nats: f64,
    /// With what was learned.
    pub after_nats: f64,
    /// Standard error of the difference.
    pub gain_error_nats: f64,
    /// How many pairs or windows were held back.
    pub count: usize,
}

impl Comparison {
    /// Of pairs of log-densities, before and after.
    fn of(densities: &[(f64, f64)]) -> Self {
        let count = densities.len().max(1) as f64;
        let before_nats = densities.iter().map(|it| it.0).sum::<f64>() / count;
        let after_nats = densities.iter().map(|it| it.1).sum::<f64>() / count;
        let mean = after_nats - before_nats;
        let squares: f64 = densities
            .iter()
            .map(|it| (it.1 - it.0 - mean).powi(2))
            .sum();
        Self {
            before_nats,
            after_nats,
            gain_error_nats: (squares / (count - 1.0).max(1.0) / count).sqrt(),
            count: densities.len(),
        }
    }

    /// How much likelier held-back data became.
    pub fn gain(&self) -> f64 {
        self.after_nats - self.before_nats
    }

    /// Whether the gain is more than chance and rounding.
    pub fn is_gain(&self) -> bool {
        self.gain() > self.gain_error_nats.max(GAIN_MIN_NATS)
    }
}

/// Pairs of anchors between which there is a link, in order.
pub(super) fn pairs(links: &[Link]) -> Vec<(usize, usize)> {
    let pairs: BTreeSet<_> = links.iter().map(|link| link.pair).collect();
    pairs.into_iter().collect()
}

/// How many clients the windows are of.
pub(super) fn clients(windows: &[Window]) -> usize {
    let clients: BTreeSet<_> = windows.iter().map(|window| window.client).collect();
    clients.len()
}

/// Explains each pair of anchors by what the other pairs teach, in this scope and without.
pub(super) fn compare_links(
    site: &Site,
    links: &[Link],
    pairs: &[(usize, usize)],
    scope: Scope,
) -> Comparison {
    let folds = FOLDS.min(pairs.len());
    let mut densities = Vec::with_capacity(pairs.len());
    for fold in 0..folds {
        let held: BTreeSet<_> = pairs.iter().skip(fold).step_by(folds).collect();
        let teaching: Vec<&Link> = links.iter().filter(|it| !held.contains(&it.pair)).collect();
        let before = Estimate::fit(site, &teaching, Scope::Levels);
        let after = Estimate::fit(site, &teaching, scope);
        for pair in held {
            let of_pair = || links.iter().filter(|link| link.pair == *pair);
            let mean = |estimate: &Estimate| {
                let weights: f64 = of_pair().map(|link| link.weight).sum();
                let sum: f64 = of_pair()
                    .map(|link| link.weight * estimate.log_density(link))
                    .sum();
                sum / weights
            };
            densities.push((mean(&before), mean(&after)));
        }
    }
    Comparison::of(&densities)
}

/// The windows of every second client, and those of the others.
pub(super) fn halves(windows: &[Window]) -> (Vec<&Window>, Vec<&Window>) {
    let clients: BTreeSet<u64> = windows.iter().map(|window| window.client).collect();
    let odd: BTreeSet<u64> = clients.into_iter().step_by(2).collect();
    thinned(windows)
        .into_iter()
        .partition(|window| odd.contains(&window.client))
}

/// Explains each reading of the windows by the others of its window.
pub(super) fn compare_windows(
    ground: &Ground,
    windows: &[&Window],
    before: &Constants,
    after: &Constants,
) -> Comparison {
    let (before, after) = (ground.expect(before), ground.expect(after));
    let densities: Vec<_> = windows
        .iter()
        .map(|window| {
            (
                before.log_density_held_back(window),
                after.log_density_held_back(window),
            )
        })
        .collect();
    Comparison::of(&densities)
}

/// As [`compare_windows`], with all windows.
pub(super) fn compare_traffic(
    ground: &Ground,
    before: &Constants,
    after: &Constants,
) -> Comparison {
    compare_windows(ground, &thinned(&ground.windows), before, after)
}

fn thinned(windows: &[Window]) -> Vec<&Window> {
    let step = windows.len().div_ceil(WINDOWS_MAX).max(1);
    windows.iter().step_by(step).collect()
}
