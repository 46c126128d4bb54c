//! Where a descent starts, and what the anchors' geometry can tell at all.

use nalgebra::{Matrix3, Matrix4, Point3, Vector3, Vector4};

use super::{Height, Range};

/// Spread of the anchors across their main direction, relative to the spread along it, below which
/// they count as standing in a line (or, in space, in a plane that leaves the mirror image).
const FLATNESS: f64 = 0.02;

/// How far off the mirror a descent starts, in typical distances.
const OFF_PLANE: f64 = 0.1;

/// Shape of the set of anchors.
pub(super) struct Geometry {
    /// Their mean, brought to the client's height where that is known.
    pub(super) middle: Point3<f64>,
    /// Whether they cannot determine a place.
    pub(super) is_degenerate: bool,
    mean: Point3<f64>,
    /// Direction of least spread: the normal of the line or plane in which they mirror.
    normal: Vector3<f64>,
    is_plane: bool,
    /// Typical measured distance, in metres.
    reach_m: f64,
}

impl Geometry {
    pub(super) fn of(ranges: &[Range], height: Height) -> Self {
        let count = ranges.len() as f64;
        let sum: Vector3<f64> = ranges.iter().map(|range| range.anchor.coords).sum();
        let mean = Point3::from(sum / count);
        let is_plane = !matches!(height, Height::Free);
        let mut scatter = Matrix3::zeros();
        for range in ranges {
            let mut away = range.anchor - mean;
            if is_plane {
                away.z = 0.0;
            }
            scatter += away * away.transpose() / count;
        }
        let (normal, flatness) = if is_plane {
            flat_normal(&scatter)
        } else {
            space_normal(&scatter)
        };
        let needed = if is_plane { 3 } else { 4 };
        let z_m = match height {
            Height::Known { z_m } | Height::About { z_m, .. } => z_m,
            Height::Free => mean.z,
        };
        Self {
            middle: Point3::new(mean.x, mean.y, z_m),
            is_degenerate: ranges.len() < needed || flatness < FLATNESS,
            mean,
            normal,
            is_plane,
            reach_m: ranges
                .iter()
                .map(|range| range.distance_m.abs())
                .sum::<f64>()
                / count,
        }
    }

    /// Moves a start out of the mirror itself, where a descent would find no way off it.
    pub(super) fn off_plane(&self, place: Point3<f64>) -> Point3<f64> {
        place + self.normal * (OFF_PLANE * self.reach_m)
    }

    /// The mirror image of a place in the line or plane of the anchors.
    pub(super) fn mirrored(&self, place: Point3<f64>) -> Point3<f64> {
        place - self.normal * (2.0 * self.normal.dot(&(place - self.mean)))
    }

    /// Squared distances are linear in the place and its squared norm; one range may be left out.
    ///
    /// # Source
    /// Smith and Abel, IEEE Trans. ASSP 35 (1987), spherical interpolation.
    pub(super) fn linear_solution(
        &self,
        ranges: &[Range],
        left_out: Option<usize>,
    ) -> Option<Point3<f64>> {
        let mut normal = Matrix4::zeros();
        let mut right = Vector4::zeros();
        let mut scale = 0.0f64;
        for (_, range) in ranges
            .iter()
            .enumerate()
            .filter(|&(index, _)| Some(index) != left_out)
        {
            let mut anchor = range.anchor - self.mean;
            let rise = self.middle.z - range.anchor.z;
            let mut squared = range.distance_m.max(0.0).powi(2);
            if self.is_plane {
                anchor.z = 0.0;
                squared = (squared - rise * rise).max(0.0);
            }
            let row = Vector4::new(2.0 * anchor.x, 2.0 * anchor.y, 2.0 * anchor.z, -1.0);
            normal += row * row.transpose();
            right += row * (anchor.norm_squared() - squared);
            scale = scale.max(anchor.norm_squared());
        }
        normal += Matrix4::identity() * (1e-6 * scale.max(1e-6));
        let solution = normal.cholesky()?.solve(&right);
        let offset = Vector3::new(
            solution.x,
            solution.y,
            if self.is_plane { 0.0 } else { solution.z },
        );
        let base = if self.is_plane {
            self.middle
        } else {
            self.mean
        };
        let place = base + offset;
        place.iter().all(|value| value.is_finite()).then_some(place)
    }
}

/// Direction of least spread in the plan, and its spread relative to the largest.
fn flat_normal(scatter: &Matrix3<f64>) -> (Vector3<f64>, f64) {
    let eigen = scatter
        .fixed_view::<2, 2>(0, 0)
        .into_owned()
        .symmetric_eigen();
    let (least, most) = if eigen.eigenvalues[0] < eigen.eigenvalues[1] {
        (0, 1)
    } else {
        (1, 0)
    };
    let normal = eigen.eigenvectors.column(least).into_owned();
    let flatness = relative(eigen.eigenvalues[least], eigen.eigenvalues[most]);
    (Vector3::new(normal.x, normal.y, 0.0), flatness)
}

/// Direction of least spread in space; a flat set still determines a place up to its mirror image,
/// so the second least spread decides.
fn space_normal(scatter: &Matrix3<f64>) -> (Vector3<f64>, f64) {
    let eigen = scatter.symmetric_eigen();
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| eigen.eigenvalues[a].total_cmp(&eigen.eigenvalues[b]));
    let normal = eigen.eigenvectors.column(order[0]).into_owned();
    (
        normal,
        relative(eigen.eigenvalues[order[1]], eigen.eigenvalues[order[2]]),
    )
}

fn relative(least: f64, most: f64) -> f64 {
    if most < 1e-6 {
        0.0
    } else {
        (least.max(0.0) / most).sqrt()
    }
}
