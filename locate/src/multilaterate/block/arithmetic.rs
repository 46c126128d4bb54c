//! The arithmetic of one block: a start, seven steps, covariance and weights.

use super::{ABSENT, DEGREES, Slot};
use crate::lanes::{LANES, Lanes, larger};
use crate::multilaterate::{FLATNESS, UNKNOWN_VARIANCE_M2};
use crate::wide::{Kernel, Vector};

/// Squared factors on the stated deviations, one for each Gauss-Newton step.
const WIDENING_SQUARED: [f32; 4] = [64.0, 9.0, 1.0, 1.0];

/// Newton steps at the end, which converge quadratically where Gauss-Newton steps creep.
const NEWTON_STEPS: usize = 3;

/// Steps longer than this in metres are shortened.
const STRIDE_M: f32 = 20.0;

/// Sixteen results, in the table's own coordinates.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) x_m: Lanes,
    pub(super) y_m: Lanes,
    pub(super) xx_m2: Lanes,
    pub(super) xy_m2: Lanes,
    pub(super) yy_m2: Lanes,
    pub(super) residual_scale: Lanes,
    /// Variances of the anchors' places along their main direction and across it.
    pub(super) largest_m2: Lanes,
    pub(super) least_m2: Lanes,
}

impl Plan {
    /// Whether the anchors stand in a line.
    pub(super) fn is_flat(&self, lane: usize) -> bool {
        self.least_m2[lane] < (FLATNESS * FLATNESS) as f32 * self.largest_m2[lane]
    }
}

/// The arithmetic of one block.
pub(super) struct Descent<'a> {
    pub(super) slots: &'a [Slot],
    pub(super) weights: &'a mut [Lanes],
}

impl Kernel for Descent<'_> {
    type Answer = Plan;

    #[inline(always)]
    fn compute<V: Vector>(self) -> Plan {
        let mut plan = start(self.slots);
        for widening_squared in WIDENING_SQUARED {
            step::<false>(self.slots, widening_squared, &mut plan);
        }
        for _ in 0..NEWTON_STEPS {
            step::<true>(self.slots, 1.0, &mut plan);
        }
        finish(self.slots, self.weights, &mut plan);
        plan
    }
}

/// Squared distances are linear in the place and its squared norm, which the differences to their
/// weighted mean are rid of.
///
/// # Source
/// Smith and Abel, IEEE Trans. ASSP 35 (1987), spherical interpolation.
#[inline(always)]
fn start(slots: &[Slot]) -> Plan {
    let mut plan = Plan::default();
    let Some(first) = slots.first() else {
        return plan;
    };
    let zero = [0.0f32; LANES];
    let (mut v, mut vx, mut vy, mut vq) = (zero, zero, zero, zero);
    let (mut vxx, mut vxy, mut vyy, mut vxq, mut vyq) = (zero, zero, zero, zero, zero);
    let (mut n, mut nx, mut ny, mut nxx, mut nxy, mut nyy) = (zero, zero, zero, zero, zero, zero);
    for slot in slots {
        for lane in 0..LANES {
            let (x, y) = (
                slot.x_m[lane] - first.x_m[lane],
                slot.y_m[lane] - first.y_m[lane],
            );
            let distance_m = larger(slot.distance_m[lane], 0.0);
            let flat_m2 = larger(distance_m * distance_m - slot.rise_m2[lane], 0.0);
            let q = x * x + y * y - flat_m2;
            let weight = 1.0 / (slot.spread_m2[lane] * (flat_m2 + slot.spread_m2[lane] + 1.0));
            v[lane] += weight;
            vx[lane] += weight * x;
            vy[lane] += weight * y;
            vq[lane] += weight * q;
            vxx[lane] += weight * x * x;
            vxy[lane] += weight * x * y;
            vyy[lane] += weight * y * y;
            vxq[lane] += weight * x * q;
            vyq[lane] += weight * y * q;
            let here = if slot.spread_m2[lane] < ABSENT {
                1.0
            } else {
                0.0
            };
            n[lane] += here;
            nx[lane] += here * x;
            ny[lane] += here * y;
            nxx[lane] += here * x * x;
            nxy[lane] += here * x * y;
            nyy[lane] += here * y * y;
        }
    }
    for lane in 0..LANES {
        let by = 1.0 / larger(v[lane], f32::MIN_POSITIVE);
        let (mx, my, mq) = (vx[lane] * by, vy[lane] * by, vq[lane] * by);
        let xx = vxx[lane] * by - mx * mx;
        let xy = vxy[lane] * by - mx * my;
        let yy = vyy[lane] * by - my * my;
        let (xq, yq) = (vxq[lane] * by - mx * mq, vyq[lane] * by - my * mq);
        let ridge = 1e-5 * (xx + yy) + 1e-9;
        let (xx, yy) = (xx + ridge, yy + ridge);
        let half = 0.5 / (xx * yy - xy * xy);
        let x = (yy * xq - xy * yq) * half;
        let y = (xx * yq - xy * xq) * half;

        let by = 1.0 / larger(n[lane], 1.0);
        let (mx, my) = (nx[lane] * by, ny[lane] * by);
        let xx = nxx[lane] * by - mx * mx;
        let xy = nxy[lane] * by - mx * my;
        let yy = nyy[lane] * by - my * my;
        let half_sum = 0.5 * (xx + yy);
        let half_gap = 0.5 * (xx - yy);
        let root = (half_gap * half_gap + xy * xy).sqrt();
        plan.largest_m2[lane] = half_sum + root;
        plan.least_m2[lane] = half_sum - root;
        // Off the anchors' own line, on which a descent finds no way to either side.
        let across = if half_gap > 0.0 {
            [-xy, half_gap + root]
        } else {
            [root - half_gap, -xy]
        };
        let length = (across[0] * across[0] + across[1] * across[1]).sqrt() + 1e-6;
        let is_flat = plan.least_m2[lane] < 1e-3 * plan.largest_m2[lane] + 1e-6;
        let nudge = if is_flat { 1.0 / length } else { 0.0 };
        plan.x_m[lane] = first.x_m[lane] + x + nudge * across[0];
        plan.y_m[lane] = first.y_m[lane] + y + nudge * across[1];
    }
    plan
}

/// One step of all lanes towards less cost.
///
/// Gauss-Newton steps hold the weights fixed; Newton steps use the true curvature as far as it is
/// positive.
#[inline(always)]
fn step<const NEWTON: bool>(slots: &[Slot], widening_squared: f32, plan: &mut Plan) {
    let zero = [0.0f32; LANES];
    let (mut gx, mut gy, mut xx, mut xy, mut yy) = (zero, zero, zero, zero, zero);
    let mut round = zero;
    for slot in slots {
        for lane in 0..LANES {
            let dx = plan.x_m[lane] - slot.x_m[lane];
            let dy = plan.y_m[lane] - slot.y_m[lane];
            let squared_m2 = dx * dx + dy * dy + slot.rise_m2[lane];
            let away_m = squared_m2.sqrt();
            let residual_m = away_m - slot.distance_m[lane];
            let spread_m2 = slot.spread_m2[lane] * widening_squared;
            let error_m2 = residual_m * residual_m;
            let sum_m2 = spread_m2 + error_m2;
            if NEWTON {
                let by = 1.0 / (sum_m2 * squared_m2);
                let share = (DEGREES + 1.0) * by;
                let pull = share * away_m * residual_m;
                let still_m2 = larger(spread_m2 - error_m2, 0.0);
                let along = by * (still_m2 * share * squared_m2 - pull * sum_m2);
                gx[lane] += pull * dx;
                gy[lane] += pull * dy;
                xx[lane] += along * dx * dx;
                xy[lane] += along * dx * dy;
                yy[lane] += along * dy * dy;
                round[lane] += pull;
            } else {
                let share = (DEGREES + 1.0) / (sum_m2 * squared_m2);
                let pull = share * away_m * residual_m;
                gx[lane] += pull * dx;
                gy[lane] += pull * dy;
                xx[lane] += share * dx * dx;
                xy[lane] += share * dx * dy;
                yy[lane] += share * dy * dy;
            }
        }
    }
    for lane in 0..LANES {
        let (xx, xy, yy) = (xx[lane] + round[lane], xy[lane], yy[lane] + round[lane]);
        let ridge = 1e-6 * (xx + yy).abs() + 1e-12;
        let (xx, yy) = (xx + ridge, yy + ridge);
        let determinant = xx * yy - xy * xy;
        let by = 1.0 / larger(determinant, 1e-6 * (xx * xx + yy * yy));
        let sx = (yy * gx[lane] - xy * gy[lane]) * by;
        let sy = (xx * gy[lane] - xy * gx[lane]) * by;
        let squared = (sx * sx + sy * sy) * (1.0 / (STRIDE_M * STRIDE_M));
        let damping = 1.0 / (1.0 + squared);
        plan.x_m[lane] -= sx * damping;
        plan.y_m[lane] -= sy * damping;
    }
}

/// Covariance, residuals and weights where the descent ended.
#[inline(always)]
fn finish(slots: &[Slot], weights: &mut [Lanes], plan: &mut Plan) {
    let zero = [0.0f32; LANES];
    let (mut xx, mut xy, mut yy, mut square, mut n) = (zero, zero, zero, zero, zero);
    for (slot, weights) in slots.iter().zip(weights) {
        for lane in 0..LANES {
            let dx = plan.x_m[lane] - slot.x_m[lane];
            let dy = plan.y_m[lane] - slot.y_m[lane];
            let squared_m2 = dx * dx + dy * dy + slot.rise_m2[lane];
            let residual_m = squared_m2.sqrt() - slot.distance_m[lane];
            let error_m2 = residual_m * residual_m;
            let share = 1.0 / ((slot.spread_m2[lane] + error_m2) * squared_m2);
            let weight = share * squared_m2;
            let here = if slot.spread_m2[lane] < ABSENT {
                1.0
            } else {
                0.0
            };
            xx[lane] += share * dx * dx;
            xy[lane] += share * dx * dy;
            yy[lane] += share * dy * dy;
            square[lane] += weight * error_m2;
            n[lane] += here;
            weights[lane] = here * weight * slot.spread_m2[lane];
        }
    }
    let fisher = DEGREES * (DEGREES + 1.0) / (DEGREES + 3.0);
    let unknown = 1.0 / UNKNOWN_VARIANCE_M2 as f32;
    for lane in 0..LANES {
        let (xx, xy, yy) = (
            fisher * xx[lane] + unknown,
            fisher * xy[lane],
            fisher * yy[lane] + unknown,
        );
        let by = 1.0 / larger(xx * yy - xy * xy, unknown * unknown);
        plan.xx_m2[lane] = yy * by;
        plan.xy_m2[lane] = -xy * by;
        plan.yy_m2[lane] = xx * by;
        let free = larger(n[lane] - 2.0, 1.0);
        plan.residual_scale[lane] = ((DEGREES + 1.0) * square[lane] / free).sqrt();
    }
}
