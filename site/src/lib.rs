//! A building as data: local frame, floors, walls and their materials, anchors, zones.

pub mod building;
pub mod calibration;
pub mod geometry;
pub mod material;

pub use building::{
    Anchor, Band, Floor, FloorIndex, Propagation, Radio, RadioIndex, Site, Slab, Stairs, Wall, Zone,
};
pub use calibration::{Calibration, RadioModel, RangeModel};
pub use geometry::Polygon;
pub use material::{BandLoss, Material};
