//! Plane geometry of floors: polygons and what a straight path crosses.

use nalgebra::Point2;

/// A simple closed polygon in the plan, in metres; the last corner joins the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// Corners in order; at least three, not repeated at the end.
    pub corners: Vec<Point2<f64>>,
}
