//! What the anchors' geometry can tell at all, and where descents start.

use nalgebra::{Matrix3, Vector3};

use super::symmetric::Symmetric;
use super::terms::Term;
use super::{Determinacy, FLATNESS, POINT_M2};
use crate::lanes::LANES;

/// How far off the mirror a descent starts, in typical distances.
const OFF_PLANE: f64 = 0.1;

/// Most starts that leave ranges out.
const LEFT_OUT: usize = 10;

/// Shape of the set of anchors, in the coordinates of [`super::terms::Terms`].
#[derive(Debug)]
pub(super) struct Geometry {
    /// What the anchors' places alone allow; mirror images in space are not looked at.
    pub(super) determinacy: Determinacy,
    /// Height of the client as far as known.
    z_m: f64,
    is_plane: bool,
    /// Middle of the anchors by the weight of their ranges: a point of the mirror.
    middle: Vector3<f64>,
    /// Direction of least spread: the normal of the line or plane in which they mirror.
    normal: Vector3<f64>,
    /// Typical measured distance, in metres.
    reach_m: f64,
    sums: Sums,
}

/// Where sixteen descents start.
#[derive(Debug)]
pub(super) struct Starts {
    pub(super) places: [Vector3<f64>; LANES],
    /// Whether the descent begins with the stated errors instead of wide ones.
    pub(super) is_narrow: [bool; LANES],
}

impl Geometry {
    /// The shape of these anchors; `plane_z_m` is the client's height where the problem is one of
    /// the plan.
    pub(super) fn new(terms: &[Term], plane_z_m: Option<f64>) -> Self {
        let is_plane = plane_z_m.is_some();
        let z_m = plane_z_m.unwrap_or(0.0);
        let count = terms.len().max(1) as f64;
        let reach_m = terms.iter().map(|term| term.distance_m.abs()).sum::<f64>() / count;
        let mut sums = Sums::default();
        let (mut mean, mut plain) = (Vector3::zeros(), Symmetric::default());
        for term in terms {
            sums.add(&Row::of(term, plane_z_m), 1.0);
            mean += term.anchor / count;
        }
        for term in terms {
            plain.add_outer(1.0 / count, &(term.anchor - mean));
        }
        let middle = sums.mean();
        let spread = sums.scatter();
        let (normal, _) = if is_plane {
            flat(&spread)
        } else {
            deep(&spread)
        };
        let (_, variances_m2) = if is_plane { flat(&plain) } else { deep(&plain) };
        let needed = if is_plane { 3 } else { 4 };
        let determinacy = if variances_m2[1] < POINT_M2 {
            Determinacy::Coincident
        } else if terms.len() < needed {
            Determinacy::TooFew
        } else if variances_m2[0] < FLATNESS * FLATNESS * variances_m2[1] {
            Determinacy::Collinear
        } else {
            Determinacy::Determined
        };
        Self {
            determinacy,
            z_m,
            is_plane,
            middle,
            normal,
            reach_m,
            sums,
        }
    }

    /// Linear solutions with and without each range, the middle, a guess, mirror images, and places
    /// where two of the shortest ranges meet.
    pub(super) fn starts(&self, terms: &[Term], guess: Option<Vector3<f64>>) -> Starts {
        let plane_z_m = self.is_plane.then_some(self.z_m);
        let middle = self.raised(self.middle);
        let linear = self.linear(&self.sums).unwrap_or(middle);
        // An eigenvector has no sign of its own; this one turns with the frame.
        let side = (linear - self.middle).dot(&self.normal);
        let off = self.normal * (OFF_PLANE * self.reach_m).copysign(side);
        let mut places = [linear + off; LANES];
        let mut is_narrow = [false; LANES];
        places[1] = self.mirrored(linear) - off;
        places[2] = middle + off;
        places[3] = middle - off;
        places[4] = guess.unwrap_or(linear + off);
        places[5] = guess.map_or(places[1], |guess| self.mirrored(guess));
        let mut lane = 6;
        let groups = terms.len().clamp(1, LEFT_OUT);
        for group in 0..groups {
            let mut sums = self.sums;
            for term in terms.iter().skip(group).step_by(groups) {
                sums.add(&Row::of(term, plane_z_m), -1.0);
            }
            places[lane] = self.linear(&sums).unwrap_or(middle) + off;
            lane += 1;
        }
        // With few ranges a pair of them may be all that is good.
        let pairs = (1..terms.len()).flat_map(|two| (0..two).map(move |one| (one, two)));
        for ((one, two), places) in pairs.zip(places[lane..].chunks_exact_mut(2)) {
            let crossings = self.crossings(&terms[one], &terms[two]);
            places.copy_from_slice(&crossings.unwrap_or([middle; 2]));
        }
        is_narrow[4..].fill(true);
        Starts { places, is_narrow }
    }

    /// The mirror image of a place in the line or plane of the anchors.
    fn mirrored(&self, place: Vector3<f64>) -> Vector3<f64> {
        place - self.normal * (2.0 * self.normal.dot(&(place - self.middle)))
    }

    /// Where two circles meet, or come closest to it: in the plan, or in the plane of the anchors.
    fn crossings(&self, one: &Term, two: &Term) -> Option<[Vector3<f64>; 2]> {
        let flat_m2 = |term: &Term| {
            let rise_m = if self.is_plane {
                self.z_m - term.anchor.z
            } else {
                0.0
            };
            (term.distance_m * term.distance_m - rise_m * rise_m).max(0.0)
        };
        let (from, to) = (self.raised(one.anchor), self.raised(two.anchor));
        let base = to - from;
        let upright = if self.is_plane {
            Vector3::z()
        } else {
            self.normal
        };
        let side = upright.cross(&base);
        let length_m2 = base.norm_squared();
        if length_m2 < POINT_M2 {
            return None;
        }
        let along = 0.5 + 0.5 * (flat_m2(one) - flat_m2(two)) / length_m2;
        let across = (flat_m2(one) / length_m2 - along * along).max(0.0).sqrt();
        let foot = from + base * along;
        Some([foot + side * across, foot - side * across])
    }

    fn raised(&self, place: Vector3<f64>) -> Vector3<f64> {
        let z_m = if self.is_plane { self.z_m } else { place.z };
        Vector3::new(place.x, place.y, z_m)
    }

    /// The linear solution of these rows; `None` where rounding leaves none.
    fn linear(&self, sums: &Sums) -> Option<Vector3<f64>> {
        let mut matrix = sums.scatter();
        let ridge = 1e-5 * matrix.diagonal().sum() + 1e-9;
        matrix.add_diagonal(&Vector3::repeat(ridge));
        let right = (sums.vpq - sums.vp * (sums.vq / sums.v)) * (0.5 / sums.v);
        let mean = sums.mean();
        // The ridge draws to the middle of the anchors.
        let place = matrix.solve(&(right + mean * ridge))?;
        let is_near = place.norm() < 10.0 * (self.reach_m + mean.norm()) + 1e3;
        is_near.then(|| self.raised(place))
    }
}

/// Squared distances are linear in the place and its squared norm, which the differences to their
/// weighted mean are rid of: `2 (a - mean a)' p = q - mean q`, with `q` the anchor's squared norm
/// less the squared distance.
///
/// # Source
/// Smith and Abel, IEEE Trans. ASSP 35 (1987), spherical interpolation.
struct Row {
    anchor: Vector3<f64>,
    q_m2: f64,
    weight: f64,
}

impl Row {
    fn of(term: &Term, plane_z_m: Option<f64>) -> Self {
        let distance_m = term.distance_m.max(0.0);
        let mut squared_m2 = distance_m * distance_m;
        let mut anchor = term.anchor;
        if let Some(z_m) = plane_z_m {
            squared_m2 = (squared_m2 - (z_m - anchor.z).powi(2)).max(0.0);
            anchor.z = 0.0;
        }
        Self {
            anchor,
            q_m2: anchor.norm_squared() - squared_m2,
            // A squared distance errs by twice the distance times the error.
            weight: 1.0 / (term.spread_m2 * (squared_m2 + term.spread_m2 + 1.0)),
        }
    }
}

/// Weighted sums over rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    v: f64,
    vp: Vector3<f64>,
    vq: f64,
    vpp: Symmetric,
    vpq: Vector3<f64>,
}

impl Sums {
    fn add(&mut self, row: &Row, sign: f64) {
        let weight = sign * row.weight;
        self.v += weight;
        self.vp += row.anchor * weight;
        self.vq += row.q_m2 * weight;
        self.vpp.add_outer(weight, &row.anchor);
        self.vpq += row.anchor * (weight * row.q_m2);
    }

    fn mean(&self) -> Vector3<f64> {
        self.vp / self.v
    }

    fn scatter(&self) -> Symmetric {
        let mut scatter = Symmetric::default();
        scatter.add(self.v.recip(), &self.vpp);
        scatter.add_outer(-1.0, &self.mean());
        scatter
    }
}

/// Direction of least spread in the plan, with the variances across and along the anchors.
fn flat(scatter: &Symmetric) -> (Vector3<f64>, [f64; 2]) {
    let half_sum = 0.5 * (scatter.xx + scatter.yy);
    let half_gap = 0.5 * (scatter.xx - scatter.yy);
    let root = half_gap.hypot(scatter.xy);
    let across = if half_gap > 0.0 {
        Vector3::new(-scatter.xy, half_gap + root, 0.0)
    } else {
        Vector3::new(root - half_gap, -scatter.xy, 0.0)
    };
    let normal = across.try_normalize(1e-12).unwrap_or_else(Vector3::x);
    (normal, [(half_sum - root).max(0.0), half_sum + root])
}

/// Direction of least spread in space. A flat set still determines a place up to its mirror image,
/// so the second least variance comes with the largest.
fn deep(scatter: &Symmetric) -> (Vector3<f64>, [f64; 2]) {
    let s = scatter;
    let matrix = Matrix3::new(s.xx, s.xy, s.xz, s.xy, s.yy, s.yz, s.xz, s.yz, s.zz);
    let eigen = matrix.symmetric_eigen();
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| eigen.eigenvalues[a].total_cmp(&eigen.eigenvalues[b]));
    let normal = eigen.eigenvectors.column(order[0]).into_owned();
    (
        normal,
        [
            eigen.eigenvalues[order[1]].max(0.0),
            eigen.eigenvalues[order[2]],
        ],
    )
}
