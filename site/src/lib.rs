//! A building as data: local frame, floors, walls and their materials, anchors, zones.
//!
//! The crate opens no file and knows no radio propagation beyond the loss of a wall: texts come in
//! as `&str`, and what a signal does in the building is the affair of its users.
//!
//! Start from [`Site`], which [`Site::parse`] makes of a site file (the format is described in
//! `FORMAT.md`), from [`Site::crossings`], which tells what stands between two points, and from
//! [`Calibration`], what was learned about the radios.
//!
//! A parsed site is sound: every reference resolves, every number is finite and makes sense,
//! floors ascend without overlap, polygons are simple, every anchor hangs on its floor, and radios
//! are numbered without gaps in the order of the file. The same text always gives the same site.
//! Coordinates are metres in the site's frame: right-handed, x and y in the plan, z up.
//!
//! ```
//! use site::{Band, FloorIndex, Site};
//!
//! let text = r#"
//!     site = "cabin"
//!
//!     [[floor]]
//!     id = "0"
//!     elevation_m = 0
//!     height_m = 3
//!     outline = [[0, 0], [12, 0], [12, 8], [0, 8]]
//!     wall = [{ material = "brick", path = [[7, 0], [7, 6]] }]
//!
//!     [[anchor]]
//!     id = "ap-1"
//!     floor = "0"
//!     position = [2, 4]
//!     radios = ["2.4", "5"]
//! "#;
//! let cabin = Site::parse(text).expect("the text is a site");
//! let anchor = &cabin.anchors[0];
//! assert_eq!(anchor.position.z, 2.5);
//!
//! let client = [10.0, 4.0, 1.2].into();
//! let crossings = cabin.crossings(anchor.position, client);
//! let wall = &cabin.floor(FloorIndex(0)).walls[crossings.walls[0].wall];
//! assert_eq!(wall.loss_db.at(Band::Ghz5), 9.5);
//!
//! let problems = Site::parse(&text.replace("brick", "brik")).unwrap_err();
//! assert_eq!(
//!     problems[0].to_string(),
//!     r#"line 9: floor "0", wall 1: unknown material "brik"; did you mean `brick`?"#
//! );
//! ```

pub mod building;
pub mod calibration;
pub mod crossing;
mod file;
pub mod geometry;
pub mod limits;
pub mod material;
mod reader;
pub mod slab;

pub use building::{
    Anchor, Band, Bssid, Floor, FloorIndex, Propagation, Radio, RadioIndex, Site, Slab, Stairs,
    Wall, Zone, ZoneRules,
};
pub use calibration::{
    Calibration, Kernel, RadioModel, RadioShadow, RangeModel, RegionScale, Regions, Shadow,
};
pub use crossing::{Crossings, WallCrossing};
pub use geometry::Polygon;
pub use material::{BandLoss, Material};
pub use reader::problem::Problem;
