//! Storeys of a data set: their heights where measured, usual ones where not.

use std::collections::BTreeMap;

use agent::source::replay::dataset::Anchor;

use super::split::CalibrationEpochs;

/// Height at which clients are carried, as the node's model has it, in metres.
pub(super) const CARRYING_M: f64 = 1.2;

/// Height of an anchor over the clients where nobody measured it, in metres.
const ANCHOR_OVER_CLIENT_M: f64 = 1.3;

/// Height of a storey where nobody measured it, and least height of one where somebody did.
pub(super) const STOREY_M: f64 = 3.5;
const STOREY_M_MIN: f64 = 2.0;

/// Space over the highest anchor of the top storey, in metres.
const HEADROOM_M: f64 = 0.5;

/// The storeys, by the set's floor numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storeys {
    pub(super) by_floor: BTreeMap<i32, Storey>,
    /// The set's z is that of the site.
    pub(super) have_heights: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storey {
    pub(super) elevation_m: f64,
    pub(super) height_m: f64,
}

impl Storeys {
    pub(super) fn new(anchors: &[Anchor], calibration: &CalibrationEpochs) -> Self {
        let of_anchors = anchors.iter().map(|anchor| anchor.floor.unwrap_or(0));
        let of_epochs = calibration
            .iter()
            .map(|epoch| epoch.truth.floor.unwrap_or(0));
        let mut floors: Vec<i32> = of_anchors.chain(of_epochs).collect();
        floors.sort_unstable();
        floors.dedup();
        let measured = measured_elevations(&floors, anchors, calibration);
        let have_heights = measured.is_some();
        let elevations =
            measured.unwrap_or_else(|| (0..floors.len()).map(|n| n as f64 * STOREY_M).collect());
        let mut by_floor = BTreeMap::new();
        for (n, (&floor, &elevation_m)) in floors.iter().zip(&elevations).enumerate() {
            let next_m = elevations.get(n + 1).copied();
            let height_m = match next_m {
                Some(next_m) => next_m - elevation_m,
                None => headroom(floor, elevation_m, anchors),
            };
            by_floor.insert(
                floor,
                Storey {
                    elevation_m,
                    height_m,
                },
            );
        }
        Self {
            by_floor,
            have_heights,
        }
    }

    /// The storey of a floor; the lowest for one that neither an anchor nor the calibration knows.
    pub(super) fn of(&self, floor: Option<i32>) -> Storey {
        let lowest = Storey {
            elevation_m: 0.0,
            height_m: STOREY_M,
        };
        let known = self
            .by_floor
            .get(&floor.unwrap_or(0))
            .or(self.by_floor.values().next());
        known.copied().unwrap_or(lowest)
    }

    /// Height of an anchor over its floor.
    pub(super) fn anchor_height_m(&self, anchor: &Anchor) -> f64 {
        let storey = self.of(anchor.floor);
        let measured = anchor.z_m.filter(|_| self.have_heights);
        let height_m = match measured {
            Some(z_m) => z_m - storey.elevation_m,
            None => CARRYING_M + ANCHOR_OVER_CLIENT_M,
        };
        height_m.clamp(0.0, storey.height_m)
    }
}

/// Walking surfaces, lowest first, if the set's heights make sense as storeys.
fn measured_elevations(
    floors: &[i32],
    anchors: &[Anchor],
    calibration: &CalibrationEpochs,
) -> Option<Vec<f64>> {
    let lowest_anchor_m = anchors
        .iter()
        .filter_map(|anchor| anchor.z_m)
        .reduce(f64::min)?;
    let carried_m = |floor: i32| {
        let on_floor = calibration
            .iter()
            .filter(move |e| e.truth.floor.unwrap_or(0) == floor);
        mean(on_floor.filter_map(|epoch| epoch.truth.z_m)).map(|z_m| z_m - CARRYING_M)
    };
    if let [only] = *floors {
        let surface_m = carried_m(only).unwrap_or(0.0);
        return Some(vec![surface_m.min(lowest_anchor_m)]);
    }
    let elevations: Vec<f64> = floors
        .iter()
        .map(|&floor| carried_m(floor))
        .collect::<Option<_>>()?;
    let rise = elevations
        .windows(2)
        .all(|pair| pair[1] - pair[0] >= STOREY_M_MIN);
    rise.then_some(elevations)
}

fn headroom(floor: i32, elevation_m: f64, anchors: &[Anchor]) -> f64 {
    let on_floor = anchors
        .iter()
        .filter(|anchor| anchor.floor.unwrap_or(0) == floor);
    let heights = on_floor
        .filter_map(|anchor| anchor.z_m)
        .map(|z_m| z_m - elevation_m + HEADROOM_M);
    heights.fold(STOREY_M, f64::max)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}
