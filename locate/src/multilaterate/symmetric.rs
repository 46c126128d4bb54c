//! Symmetric three by three matrices in closed form.

use nalgebra::{Matrix3, Vector3};

/// A symmetric matrix by its six numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Symmetric {
    pub(super) xx: f64,
    pub(super) xy: f64,
    pub(super) xz: f64,
    pub(super) yy: f64,
    pub(super) yz: f64,
    pub(super) zz: f64,
}

impl Symmetric {
    pub(super) fn of(matrix: &Matrix3<f64>) -> Self {
        Self {
            xx: matrix.m11,
            xy: 0.5 * (matrix.m12 + matrix.m21),
            xz: 0.5 * (matrix.m13 + matrix.m31),
            yy: matrix.m22,
            yz: 0.5 * (matrix.m23 + matrix.m32),
            zz: matrix.m33,
        }
    }

    /// Adds `scale * v v'`.
    #[inline]
    pub(super) fn add_outer(&mut self, scale: f64, v: &Vector3<f64>) {
        let scaled = v * scale;
        self.xx += scaled.x * v.x;
        self.xy += scaled.x * v.y;
        self.xz += scaled.x * v.z;
        self.yy += scaled.y * v.y;
        self.yz += scaled.y * v.z;
        self.zz += scaled.z * v.z;
    }

    #[inline]
    pub(super) fn add(&mut self, scale: f64, other: &Self) {
        self.xx += scale * other.xx;
        self.xy += scale * other.xy;
        self.xz += scale * other.xz;
        self.yy += scale * other.yy;
        self.yz += scale * other.yz;
        self.zz += scale * other.zz;
    }

    /// Adds to each element of the diagonal.
    #[inline]
    pub(super) fn add_diagonal(&mut self, by: &Vector3<f64>) {
        self.xx += by.x;
        self.yy += by.y;
        self.zz += by.z;
    }

    pub(super) fn diagonal(&self) -> Vector3<f64> {
        Vector3::new(self.xx, self.yy, self.zz)
    }

    /// Leaves the height out: as if nothing depended on it.
    pub(super) fn without_z(mut self) -> Self {
        (self.xz, self.yz, self.zz) = (0.0, 0.0, 1.0);
        self
    }

    #[inline]
    pub(super) fn times(&self, v: &Vector3<f64>) -> Vector3<f64> {
        Vector3::new(
            self.xx * v.x + self.xy * v.y + self.xz * v.z,
            self.xy * v.x + self.yy * v.y + self.yz * v.z,
            self.xz * v.x + self.yz * v.y + self.zz * v.z,
        )
    }

    /// Solves for a right-hand side; `None` unless the matrix is safely positive definite.
    ///
    /// # Source
    /// Factors `L D L'`: Golub and Van Loan, Matrix Computations, section 4.1.
    #[inline]
    pub(super) fn solve(&self, right: &Vector3<f64>) -> Option<Vector3<f64>> {
        const SAFE: f64 = 1e-13;
        let d1 = self.xx;
        let (l21, l31) = (self.xy / d1, self.xz / d1);
        let d2 = self.yy - l21 * self.xy;
        let c32 = self.yz - l21 * self.xz;
        let l32 = c32 / d2;
        let d3 = self.zz - l31 * self.xz - l32 * c32;
        let is_positive = d1 > 0.0 && d2 > SAFE * self.yy && d3 > SAFE * self.zz;
        if !is_positive {
            return None;
        }
        let y1 = right.x;
        let y2 = right.y - l21 * y1;
        let y3 = right.z - l31 * y1 - l32 * y2;
        let z = y3 / d3;
        let y = y2 / d2 - l32 * z;
        let x = y1 / d1 - l21 * y - l31 * z;
        (x + y + z).is_finite().then(|| Vector3::new(x, y, z))
    }

    /// Inverse; `None` unless the matrix is safely positive definite.
    pub(super) fn inverse(&self) -> Option<Matrix3<f64>> {
        let columns = [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| self.solve(&axis));
        let [Some(x), Some(y), Some(z)] = columns else {
            return None;
        };
        let inverse = Matrix3::from_columns(&[x, y, z]);
        Some((inverse + inverse.transpose()) * 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_are_those_of_a_library() {
        let matrix = Matrix3::new(4.0, 1.0, -0.5, 1.0, 3.0, 0.2, -0.5, 0.2, 2.0);
        let right = Vector3::new(1.0, -2.0, 0.3);
        let symmetric = Symmetric::of(&matrix);
        let inverse = matrix.try_inverse().unwrap();
        assert!((symmetric.solve(&right).unwrap() - inverse * right).norm() < 1e-14);
        assert!((symmetric.inverse().unwrap() - inverse).norm() < 1e-14);
        assert!((symmetric.times(&right) - matrix * right).norm() < 1e-14);
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        let check =
            |matrix: Matrix3<f64>| assert!(Symmetric::of(&matrix).solve(&Vector3::x()).is_none());
        check(Matrix3::zeros());
        check(Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, 1.0)));
        check(Matrix3::repeat(1.0));
        check(Matrix3::repeat(f64::NAN));
    }
}
