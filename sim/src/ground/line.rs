//! The cells that a straight line passes.

use nalgebra::Point2;

/// Columns and rows of the unit squares on the way from `a` to `b`, both in units of cells.
///
/// # Source
/// J. Amanatides and A. Woo, "A fast voxel traversal algorithm for ray tracing" (1987).
pub(super) fn cells_on(a: Point2<f64>, b: Point2<f64>) -> impl Iterator<Item = (i32, i32)> {
    let mut x = Axis::new(a.x, b.x);
    let mut y = Axis::new(a.y, b.y);
    let steps = x.cells_to_cross + y.cells_to_cross;
    (0..=steps).map(move |_| {
        let here = (x.cell, y.cell);
        // A finished axis must not step again, whatever rounding says of the last border.
        if y.cells_to_cross == 0 || (x.cells_to_cross > 0 && x.next_border_at < y.next_border_at) {
            x.step();
        } else {
            y.step();
        }
        here
    })
}

/// One coordinate of the traversal; the way from `a` to `b` counts from 0 to 1.
struct Axis {
    cell: i32,
    direction: i32,
    cells_to_cross: u32,
    next_border_at: f64,
    border_every: f64,
}

impl Axis {
    fn new(a: f64, b: f64) -> Self {
        let (cell, last) = (a.floor() as i32, b.floor() as i32);
        let border = if b > a { a.floor() + 1.0 } else { a.floor() };
        Self {
            cell,
            direction: (last - cell).signum(),
            cells_to_cross: last.abs_diff(cell),
            next_border_at: (border - a) / (b - a),
            border_every: 1.0 / (b - a).abs(),
        }
    }

    fn step(&mut self) {
        self.cell += self.direction;
        self.cells_to_cross = self.cells_to_cross.saturating_sub(1);
        self.next_border_at += self.border_every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: (f64, f64), b: (f64, f64), expected: &[(i32, i32)]) {
        let cells: Vec<_> = cells_on(Point2::new(a.0, a.1), Point2::new(b.0, b.1)).collect();
        assert_eq!(cells, expected);
    }

    #[test]
    fn lines_pass_the_cells_between_their_ends() {
        check((0.5, 0.5), (0.6, 0.7), &[(0, 0)]);
        check((0.5, 0.5), (2.5, 0.5), &[(0, 0), (1, 0), (2, 0)]);
        check((2.5, 0.5), (0.5, 0.5), &[(2, 0), (1, 0), (0, 0)]);
        check((0.5, 2.5), (0.5, 0.5), &[(0, 2), (0, 1), (0, 0)]);
        check((0.5, 0.25), (2.5, 1.25), &[(0, 0), (1, 0), (1, 1), (2, 1)]);
        check((0.9, 0.5), (-0.5, -0.2), &[(0, 0), (-1, 0), (-1, -1)]);
    }
}
