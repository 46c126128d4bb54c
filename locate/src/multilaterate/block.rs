//! Plane fixes from ranges for sixteen clients at a time, one in each lane.
//!
//! The same Student-t cost as [`super::solve`] with a known height, in `f32` and with a fixed
//! number of steps: a linear start, then reweighted Gauss-Newton steps on an error that narrows to
//! the stated one, then Newton steps. It has one start, no priors, and does not look for mirror
//! images; where a client needs those, [`super::solve`] is the one to ask.
//!
//! ```
//! use locate::multilaterate::block::{Anchors, Client, Reading, Solver};
//! use nalgebra::Point3;
//!
//! let places = [[0.0, 0.0, 3.0], [20.0, 0.0, 3.0], [10.0, 15.0, 3.0]].map(Point3::from);
//! let anchors = Anchors::new(&places);
//! let client = Point3::new(6.0, 5.0, 1.0);
//! let readings: Vec<Reading> = (0u32..)
//!     .zip(&places)
//!     .map(|(anchor, place)| Reading {
//!         anchor,
//!         distance_m: (client - place).norm() as f32,
//!         deviation_m: 0.1,
//!     })
//!     .collect();
//! let mut solver = Solver::new();
//! let fixes = solver.solve(&anchors, &[Client { z_m: 1.0, readings: &readings }]);
//! let fix = fixes.fix(0).expect("three ranges");
//! assert!((fix.position - client.xy()).norm() < 1e-3);
//! ```

use nalgebra::{Matrix2, Point2, Point3, Vector3};

mod arithmetic;

use arithmetic::{Descent, Plan};

use super::Determinacy;
use crate::lanes::{LANES, Lanes, larger};
use crate::limits::{BLOCK_RANGES_MAX, RANGE_MAX_M};
use crate::wide;

/// Degrees of freedom of the error, as in [`super::solve`].
const DEGREES: f32 = super::DEGREES as f32;

/// Stands for three squared deviations where a lane has no range: its weight vanishes.
const ABSENT: f32 = 1e24;

/// Smallest deviation in metres that single precision is asked to weigh.
const DEVIATION_MIN_M: f32 = 1e-3;

/// Keeps a distance off zero, in square metres.
const TINY_M2: f32 = 1e-8;

/// Places of anchors, to be pointed at by index.
#[derive(Debug, Clone)]
pub struct Anchors {
    origin: Point3<f64>,
    /// Coordinates, and 1 for a place that can be used or 0.
    places_m: Vec<[f32; 4]>,
}

impl Anchors {
    /// A table of these places, in the site's frame; index `i` is the `i`-th of them.
    ///
    /// Kept in single precision about their middle, so that sites far from their frame's origin
    /// lose nothing. An anchor whose place is not finite is never used.
    pub fn new(places: &[Point3<f64>]) -> Self {
        let is_finite = |place: &&Point3<f64>| place.iter().all(|value| value.is_finite());
        let known = places.iter().filter(is_finite);
        let count = known.clone().count().max(1) as f64;
        let sum: Vector3<f64> = known.map(|place| place.coords).sum();
        let origin = Point3::from(sum / count);
        let local = |place: &Point3<f64>| {
            let local = place - origin;
            let is_near = local.iter().all(|value| value.abs() <= RANGE_MAX_M);
            let [x_m, y_m, z_m] = local.map(|value| value as f32).into();
            let here = [x_m, y_m, z_m, 1.0];
            if is_near { here } else { [0.0; 4] }
        };
        Self {
            origin,
            places_m: places.iter().map(local).collect(),
        }
    }
}

/// A range as a client's window holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Index into [`Anchors`].
    pub anchor: u32,
    /// Distance in metres, bias and slope already removed.
    pub distance_m: f32,
    /// Scale of its error in metres; above zero.
    pub deviation_m: f32,
}

/// One client of a block.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its height in the site's frame, in metres.
    pub z_m: f64,
    /// Its ranges; beyond [`BLOCK_RANGES_MAX`] they are passed over.
    pub readings: &'a [Reading],
}

/// One client's place in the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanFix {
    /// Where, in the site's frame.
    pub position: Point2<f64>,
    /// Covariance in square metres, as of [`super::Solution`].
    pub covariance_m2: Matrix2<f64>,
    /// Size of the residuals in stated deviations, robustly: about 1 where the deviations are
    /// true.
    pub residual_scale: f32,
    /// What the anchors' geometry can tell. A block does not look for mirror images.
    pub determinacy: Determinacy,
}

const NOBODY: Client<'_> = Client {
    z_m: f64::NAN,
    readings: &[],
};

/// The ranges of one slot of all sixteen clients.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Slot {
    x_m: Lanes,
    y_m: Lanes,
    /// Squared difference in height.
    rise_m2: Lanes,
    distance_m: Lanes,
    /// Degrees of freedom times the squared deviation; [`ABSENT`] without a range.
    spread_m2: Lanes,
}

const EMPTY: Slot = Slot {
    x_m: [0.0; LANES],
    y_m: [0.0; LANES],
    rise_m2: [1.0; LANES],
    distance_m: [1.0; LANES],
    spread_m2: [ABSENT; LANES],
};

/// What a block of clients solved to, lane by lane.
#[derive(Debug, Clone)]
pub struct Fixes {
    origin: Point3<f64>,
    len: usize,
    counts: [u8; LANES],
    plan: Plan,
    weights: [Lanes; BLOCK_RANGES_MAX],
}

impl Fixes {
    /// How many clients the block had.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the block had no client.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fix of a client by its place in the block; `None` with fewer than two usable ranges.
    pub fn fix(&self, client: usize) -> Option<PlanFix> {
        if client >= self.len || self.counts[client] < 2 {
            return None;
        }
        let plan = &self.plan;
        let local = [plan.x_m[client], plan.y_m[client]].map(f64::from);
        let [xx, xy, yy] = [plan.xx_m2, plan.xy_m2, plan.yy_m2].map(|m2| f64::from(m2[client]));
        if !(local[0] + local[1] + xx + xy + yy).is_finite() {
            return None;
        }
        Some(PlanFix {
            position: Point2::new(self.origin.x + local[0], self.origin.y + local[1]),
            covariance_m2: Matrix2::new(xx, xy, xy, yy),
            residual_scale: plan.residual_scale[client],
            determinacy: self.determinacy(client),
        })
    }

    /// Weight that the Student-t error gave a client's range, by its index among the readings, from
    /// 0, rejected or unusable, to 1, exactly as expected.
    pub fn weight(&self, client: usize, reading: usize) -> f32 {
        let slot = self.weights.get(reading);
        slot.and_then(|lanes| lanes.get(client))
            .copied()
            .unwrap_or(0.0)
    }

    fn determinacy(&self, client: usize) -> Determinacy {
        if self.plan.largest_m2[client] < super::POINT_M2 as f32 {
            Determinacy::Coincident
        } else if self.counts[client] < 3 {
            Determinacy::TooFew
        } else if self.plan.is_flat(client) {
            Determinacy::Collinear
        } else {
            Determinacy::Determined
        }
    }
}

/// Solves blocks of clients; holds the lanes of one block.
#[derive(Debug, Clone)]
pub struct Solver {
    slots: [Slot; BLOCK_RANGES_MAX],
    fixes: Fixes,
}

impl Default for Solver {
    fn default() -> Self {
        Self::new()
    }
}

impl Solver {
    /// Clients that one call takes.
    pub const CLIENTS_MAX: usize = LANES;

    /// Room for one block.
    pub fn new() -> Self {
        Self {
            slots: [EMPTY; BLOCK_RANGES_MAX],
            fixes: Fixes {
                origin: Point3::origin(),
                len: 0,
                counts: [0; LANES],
                plan: Plan::default(),
                weights: [[0.0; LANES]; BLOCK_RANGES_MAX],
            },
        }
    }

    /// Where up to sixteen clients are; clients beyond [`Self::CLIENTS_MAX`] are passed over.
    ///
    /// Readings that are not finite, absurdly long, without a positive deviation or of an anchor
    /// that the table does not have are passed over; the same reading given twice counts once. No
    /// allocation, no panic. The cost is that of a full block, however many clients it has.
    ///
    /// # Source
    /// As of [`super::solve`]; the start is spherical interpolation after Smith and Abel, IEEE
    /// Trans. ASSP 35 (1987).
    pub fn solve(&mut self, anchors: &Anchors, clients: &[Client<'_>]) -> &Fixes {
        let clients = &clients[..clients.len().min(LANES)];
        let used = self.gather(anchors, clients);
        self.fixes.origin = anchors.origin;
        self.fixes.len = clients.len();
        self.fixes.plan = wide::run(Descent {
            slots: &self.slots[..used],
            weights: &mut self.fixes.weights[..used],
        });
        &self.fixes
    }

    /// Brings the clients' ranges into lanes; returns how many slots any of them has.
    fn gather(&mut self, anchors: &Anchors, clients: &[Client<'_>]) -> usize {
        let longest = clients.iter().map(|client| client.readings.len()).max();
        let used = longest.unwrap_or(0).min(BLOCK_RANGES_MAX);
        for lane in 0..LANES {
            let client = clients.get(lane).copied().unwrap_or(NOBODY);
            let z_m = (client.z_m - anchors.origin.z) as f32;
            let is_near = z_m.abs() <= RANGE_MAX_M as f32;
            let len = client.readings.len().min(used);
            let readings = &client.readings[..if is_near { len } else { 0 }];
            let (slots, rest) = self.slots[..used].split_at_mut(readings.len());
            let mut seen = Seen::default();
            let mut count = 0;
            for (index, (slot, reading)) in slots.iter_mut().zip(readings).enumerate() {
                let usable = Usable::of(reading, anchors, z_m, seen.is_new(readings, index));
                count += u8::from(usable.spread_m2 < ABSENT);
                slot.put(lane, &usable);
            }
            for slot in rest {
                slot.put(lane, &Usable::NOTHING);
            }
            self.fixes.counts[lane] = count;
        }
        used
    }
}

impl Slot {
    #[inline]
    fn put(&mut self, lane: usize, usable: &Usable) {
        self.x_m[lane] = usable.x_m;
        self.y_m[lane] = usable.y_m;
        self.rise_m2[lane] = usable.rise_m2;
        self.distance_m[lane] = usable.distance_m;
        self.spread_m2[lane] = usable.spread_m2;
    }
}

/// Which anchors a client's readings named so far.
#[derive(Default)]
struct Seen(u64);

impl Seen {
    /// Whether a reading has not been given before; looks back only when its anchor may have been.
    #[inline]
    fn is_new(&mut self, readings: &[Reading], index: usize) -> bool {
        let bit = 1u64 << (readings[index].anchor % 64);
        let may_be_old = self.0 & bit != 0;
        self.0 |= bit;
        !(may_be_old && readings[..index].contains(&readings[index]))
    }
}

/// A range made ready for a lane.
#[derive(Clone, Copy)]
struct Usable {
    x_m: f32,
    y_m: f32,
    rise_m2: f32,
    distance_m: f32,
    spread_m2: f32,
}

impl Usable {
    const NOTHING: Self = Self {
        x_m: 0.0,
        y_m: 0.0,
        rise_m2: 1.0,
        distance_m: 1.0,
        spread_m2: ABSENT,
    };

    #[inline]
    fn of(reading: &Reading, anchors: &Anchors, z_m: f32, is_new: bool) -> Self {
        const MAX_M: f32 = RANGE_MAX_M as f32;
        let Some(&[x_m, y_m, anchor_z_m, here]) = anchors.places_m.get(reading.anchor as usize)
        else {
            return Self::NOTHING;
        };
        let rise_m = z_m - anchor_z_m;
        let distance_m = reading.distance_m;
        let deviation_m = reading.deviation_m;
        // Written so that NaN fails.
        let is_usable = (distance_m.abs() <= MAX_M)
            & (deviation_m > 0.0)
            & (deviation_m <= MAX_M)
            & (here > 0.0)
            & is_new;
        if !is_usable {
            return Self::NOTHING;
        }
        let deviation_m = larger(deviation_m, DEVIATION_MIN_M);
        Self {
            x_m,
            y_m,
            rise_m2: rise_m * rise_m + TINY_M2,
            distance_m,
            spread_m2: DEGREES * deviation_m * deviation_m,
        }
    }
}

#[cfg(test)]
mod tests;
