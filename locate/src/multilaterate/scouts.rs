//! Sixteen descents of one problem side by side, in `f32`: which minima there are.

use nalgebra::Vector3;

use super::descent::Problem;
use super::start::Starts;
use super::terms::Term;
use crate::lanes::{LANES, Lanes, larger, ln};
use crate::limits::SOLVER_RANGES_MAX;
use crate::wide::{self, Kernel, Vector};

const DEGREES: f32 = super::DEGREES as f32;

/// Squared factors on the stated deviations: a nearly quadratic cost first, the true one at last.
///
/// # Source
/// Graduated non-convexity: Blake and Zisserman, Visual Reconstruction (1987).
const WIDENING_SQUARED: [f32; 6] = [64.0, 16.0, 6.0, 2.0, 1.0, 1.0];

/// Newton steps at the end.
const NEWTON_STEPS: usize = 2;

/// Steps longer than this in metres are shortened.
const STRIDE_M: f32 = 20.0;

/// Where the descents ended.
#[derive(Debug)]
pub(super) struct Found {
    x_m: Lanes,
    y_m: Lanes,
    z_m: Lanes,
    cost_nats: Lanes,
}

impl Found {
    pub(super) fn place(&self, lane: usize) -> Vector3<f64> {
        Vector3::new(self.x_m[lane], self.y_m[lane], self.z_m[lane]).map(f64::from)
    }

    pub(super) fn cost_nats(&self, lane: usize) -> f64 {
        f64::from(self.cost_nats[lane])
    }

    /// The lane that costs least, among those whose places pass.
    pub(super) fn best(&self, passes: impl Fn(&Vector3<f64>) -> bool) -> Option<usize> {
        let is_number = |lane: &usize| self.cost_nats[*lane].is_finite();
        (0..LANES)
            .filter(|lane| is_number(lane) && passes(&self.place(*lane)))
            .min_by(|&a, &b| self.cost_nats[a].total_cmp(&self.cost_nats[b]))
    }
}

/// Descends from all starts at once.
pub(super) fn descend(problem: &Problem<'_>, starts: &Starts) -> Found {
    let mut terms = [Broadcast::default(); SOLVER_RANGES_MAX];
    for (single, term) in terms.iter_mut().zip(problem.terms) {
        *single = Broadcast::of(term);
    }
    let lanes = |pick: fn(&Vector3<f64>) -> f64| starts.places.map(|place| pick(&place) as f32);
    wide::run(Scouts {
        terms: &terms[..problem.terms.len()],
        prior: Prior::of(problem),
        climb: if problem.is_height_free { 1.0 } else { 0.0 },
        is_narrow: starts
            .is_narrow
            .map(|narrow| if narrow { 1.0 } else { 0.0 }),
        start: Found {
            x_m: lanes(|place| place.x),
            y_m: lanes(|place| place.y),
            z_m: lanes(|place| place.z),
            cost_nats: [0.0; LANES],
        },
    })
}

/// A range, the same in all lanes.
#[derive(Clone, Copy, Default)]
struct Broadcast {
    x_m: f32,
    y_m: f32,
    z_m: f32,
    distance_m: f32,
    spread_m2: f32,
}

impl Broadcast {
    fn of(term: &Term) -> Self {
        let [x_m, y_m, z_m] = term.anchor.map(|value| value as f32).into();
        Self {
            x_m,
            y_m,
            z_m,
            distance_m: term.distance_m as f32,
            // Single precision cannot tell residuals below this.
            spread_m2: larger(term.spread_m2 as f32, 3e-6),
        }
    }
}

/// All priors together: `(p' A p) / 2 - b' p`.
#[derive(Clone, Copy, Default)]
struct Prior {
    xx: f32,
    xy: f32,
    xz: f32,
    yy: f32,
    yz: f32,
    zz: f32,
    linear: [f32; 3],
    constant: f32,
}

impl Prior {
    fn of(problem: &Problem<'_>) -> Self {
        let mut sum = super::symmetric::Symmetric::default();
        let mut linear = Vector3::zeros();
        let mut constant = 0.0;
        for prior in problem.priors.iter().flatten() {
            sum.add(1.0, &prior.information);
            linear += prior.information.times(&prior.mean);
            constant += prior.cost(&Vector3::zeros());
        }
        Self {
            xx: sum.xx as f32,
            xy: sum.xy as f32,
            xz: sum.xz as f32,
            yy: sum.yy as f32,
            yz: sum.yz as f32,
            zz: sum.zz as f32,
            linear: linear.map(|value| value as f32).into(),
            constant: constant as f32,
        }
    }
}

struct Scouts<'a> {
    terms: &'a [Broadcast],
    prior: Prior,
    /// 1 where the height is an unknown, 0 where it is known.
    climb: f32,
    /// 1 for lanes that begin with the stated errors.
    is_narrow: Lanes,
    start: Found,
}

impl Kernel for Scouts<'_> {
    type Answer = Found;

    #[inline(always)]
    fn compute<V: Vector>(mut self) -> Found {
        for widening_squared in WIDENING_SQUARED {
            self.step::<false>(widening_squared);
        }
        for _ in 0..NEWTON_STEPS {
            self.step::<true>(1.0);
        }
        self.weigh();
        self.start
    }
}

impl Scouts<'_> {
    /// One step of all lanes; Newton steps use the true curvature as far as it is positive.
    #[inline(always)]
    fn step<const NEWTON: bool>(&mut self, widening_squared: f32) {
        let prior = &self.prior;
        let at = &mut self.start;
        let [bx, by, bz] = prior.linear;
        let mut gx: Lanes = std::array::from_fn(|i| {
            prior.xx * at.x_m[i] + prior.xy * at.y_m[i] + prior.xz * at.z_m[i] - bx
        });
        let mut gy: Lanes = std::array::from_fn(|i| {
            prior.xy * at.x_m[i] + prior.yy * at.y_m[i] + prior.yz * at.z_m[i] - by
        });
        let mut gz: Lanes = std::array::from_fn(|i| {
            prior.xz * at.x_m[i] + prior.yz * at.y_m[i] + prior.zz * at.z_m[i] - bz
        });
        let (mut xx, mut xy, mut xz) = ([prior.xx; LANES], [prior.xy; LANES], [prior.xz; LANES]);
        let (mut yy, mut yz, mut zz) = ([prior.yy; LANES], [prior.yz; LANES], [prior.zz; LANES]);
        let mut round = [0.0f32; LANES];
        for term in self.terms {
            for i in 0..LANES {
                let (dx, dy, dz) = (
                    at.x_m[i] - term.x_m,
                    at.y_m[i] - term.y_m,
                    at.z_m[i] - term.z_m,
                );
                let squared_m2 = dx * dx + dy * dy + dz * dz + 1e-8;
                let away_m = squared_m2.sqrt();
                let residual_m = away_m - term.distance_m;
                let widening_squared =
                    widening_squared + self.is_narrow[i] * (1.0 - widening_squared);
                let spread_m2 = term.spread_m2 * widening_squared;
                let error_m2 = residual_m * residual_m;
                let sum_m2 = spread_m2 + error_m2;
                let by = 1.0 / (sum_m2 * squared_m2);
                let share = (DEGREES + 1.0) * by;
                let pull = share * away_m * residual_m;
                let along = if NEWTON {
                    round[i] += pull;
                    by * (larger(spread_m2 - error_m2, 0.0) * share * squared_m2 - pull * sum_m2)
                } else {
                    share
                };
                gx[i] += pull * dx;
                gy[i] += pull * dy;
                gz[i] += pull * dz;
                xx[i] += along * dx * dx;
                xy[i] += along * dx * dy;
                xz[i] += along * dx * dz;
                yy[i] += along * dy * dy;
                yz[i] += along * dy * dz;
                zz[i] += along * dz * dz;
            }
        }
        for i in 0..LANES {
            let (xx, yy, zz) = (xx[i] + round[i], yy[i] + round[i], zz[i] + round[i]);
            let (xy, xz, yz) = (xy[i], xz[i] * self.climb, yz[i] * self.climb);
            let ridge = 1e-5 * (xx + yy + zz).abs() + 1e-9;
            let (xx, yy, zz) = (xx + ridge, yy + ridge, zz + ridge);
            let gz = gz[i] * self.climb;
            // Cramer's rule on cofactors.
            let (cxx, cxy, cxz) = (yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy);
            let (cyy, cyz, czz) = (xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy);
            let determinant = xx * cxx + xy * cxy + xz * cxz;
            // Where the curvature is not positive a lane stays where it is.
            let is_convex = determinant > ridge * ridge * ridge;
            let by = if is_convex { 1.0 / determinant } else { 0.0 };
            let sx = (cxx * gx[i] + cxy * gy[i] + cxz * gz) * by;
            let sy = (cxy * gx[i] + cyy * gy[i] + cyz * gz) * by;
            let sz = (cxz * gx[i] + cyz * gy[i] + czz * gz) * by;
            let squared = (sx * sx + sy * sy + sz * sz) * (1.0 / (STRIDE_M * STRIDE_M));
            let damping = 1.0 / (1.0 + squared);
            at.x_m[i] -= sx * damping;
            at.y_m[i] -= sy * damping;
            at.z_m[i] -= sz * damping;
        }
    }

    /// What the places cost.
    #[inline(always)]
    fn weigh(&mut self) {
        let prior = &self.prior;
        let at = &mut self.start;
        let [bx, by, bz] = prior.linear;
        for i in 0..LANES {
            let (x, y, z) = (at.x_m[i], at.y_m[i], at.z_m[i]);
            at.cost_nats[i] = prior.constant
                + x * (0.5 * prior.xx * x + prior.xy * y + prior.xz * z - bx)
                + y * (0.5 * prior.yy * y + prior.yz * z - by)
                + z * (0.5 * prior.zz * z - bz);
        }
        for term in self.terms {
            for i in 0..LANES {
                let (dx, dy, dz) = (
                    at.x_m[i] - term.x_m,
                    at.y_m[i] - term.y_m,
                    at.z_m[i] - term.z_m,
                );
                let residual_m = (dx * dx + dy * dy + dz * dz).sqrt() - term.distance_m;
                let squared = residual_m * residual_m / term.spread_m2;
                at.cost_nats[i] += 0.5 * (DEGREES + 1.0) * ln(1.0 + squared);
            }
        }
    }
}
