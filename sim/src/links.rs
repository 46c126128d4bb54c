//! What every link to a place has in common at all times: walls, shadow, detour. Kept per cell.
//!
//! A cell of the ground is small against the shadows' correlation length, and no wall stands
//! between its centre and the clients in it: so what was computed for a cell holds for every
//! client that comes by. That, not the arithmetic per hearing, is what makes large worlds cheap.

use nalgebra::Point3;
use site::{Anchor, FloorIndex, Site};

use crate::chance::{Purpose, exponential, stream};
use crate::config::WorldConfig;
use crate::ground::{CellIndex, Ground};
use crate::shadow::Shadows;
use crate::walk::Whereabouts;
use crate::walls::{InTheWay, Obstacles, SPECTRA};

/// The lasting part of the link between an anchor and a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Link {
    pub(crate) obstacles_db: [f32; SPECTRA],
    pub(crate) shadow_db: [f32; SPECTRA],
    /// Walls and slabs on the straight way.
    pub(crate) obstacle_count: u16,
    /// How long the detour of a ranged signal is against the mean behind so many obstacles;
    /// exponentially distributed.
    pub(crate) detour: f32,
}

/// The links of all anchors to all places.
#[derive(Debug)]
pub(crate) struct Links {
    site: Site,
    seed: u64,
    carried_height_m: f64,
    obstacles: Obstacles,
    shadows: Shadows,
    /// By cell; the links of a cell, by anchor, are computed when the first client comes by.
    by_cell: Vec<Option<Box<[Link]>>>,
    on_stairs: Vec<Link>,
}

impl Links {
    pub(crate) fn new(site: Site, ground: &Ground, config: &WorldConfig) -> Self {
        Self {
            seed: config.seed,
            carried_height_m: config.carried_height_m,
            obstacles: Obstacles::new(&site, config.seed),
            shadows: Shadows::new(&site, config.seed),
            by_cell: vec![None; ground.cell_count()],
            on_stairs: Vec::new(),
            site,
        }
    }

    /// The links of all anchors, in their order, to where a client is.
    pub(crate) fn at(&mut self, ground: &Ground, client: &Whereabouts) -> &[Link] {
        let cell = ground.cell_at(client.floor, client.position_in_site.xy());
        if self.by_cell[cell.as_usize()].is_none() {
            let links = self.to_cell(ground, cell);
            self.by_cell[cell.as_usize()] = Some(links);
        }
        let links = self.by_cell[cell.as_usize()].as_deref().unwrap_or_default();
        if !client.on_stairs {
            return links;
        }
        // The cell speaks for the place in the plan, but other things are in the way higher up.
        self.on_stairs.clear();
        self.on_stairs.extend_from_slice(links);
        for (link, anchor) in self.on_stairs.iter_mut().zip(&self.site.anchors) {
            let place = client.position_in_site;
            link.set_obstacles(self.obstacles.between(&self.site, anchor.position, place));
        }
        &self.on_stairs
    }

    /// The link between two anchors; the same in both directions.
    pub(crate) fn between_anchors(&self, one: usize, other: usize) -> Link {
        let (low, high) = (one.min(other), one.max(other));
        let Anchor {
            floor, position, ..
        } = self.site.anchors[high];
        // Numbers beyond those of all cells.
        self.link(low, floor, position, u32::MAX - high as u32)
    }

    fn to_cell(&self, ground: &Ground, cell: CellIndex) -> Box<[Link]> {
        let floor = ground.floor_of(cell);
        let centre = ground.centre(cell);
        let z_m = self.site.floor(floor).elevation_m + self.carried_height_m;
        let place = Point3::new(centre.x, centre.y, z_m);
        let anchors = 0..self.site.anchors.len();
        anchors
            .map(|anchor| self.link(anchor, floor, place, cell.0))
            .collect()
    }

    fn link(&self, anchor: usize, floor: FloorIndex, place: Point3<f64>, number: u32) -> Link {
        let position = self.site.anchors[anchor].position;
        let shadow_db = self.shadows.at(anchor, floor, place.xy());
        let index = ((anchor as u64) << 32) | u64::from(number);
        let mut link = Link {
            obstacles_db: [0.0; SPECTRA],
            obstacle_count: 0,
            shadow_db: shadow_db.map(|shadow_db| shadow_db as f32),
            detour: exponential(&mut stream(self.seed, Purpose::Detour, index)) as f32,
        };
        link.set_obstacles(self.obstacles.between(&self.site, position, place));
        link
    }
}

impl Link {
    fn set_obstacles(&mut self, in_the_way: InTheWay) {
        self.obstacles_db = in_the_way.loss_db.map(|loss_db| loss_db as f32);
        self.obstacle_count = u16::try_from(in_the_way.count).unwrap_or(u16::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn at(x: f64, z: f64, on_stairs: bool) -> Whereabouts {
        let position_in_site = Point3::new(x, 6.0, z);
        Whereabouts {
            position_in_site,
            floor: FloorIndex(0),
            on_stairs,
        }
    }

    #[test]
    fn clients_in_one_cell_share_their_links() {
        let site = fixture::house();
        let ground = Ground::new(&site);
        let mut links = Links::new(site, &ground, &WorldConfig::default());
        let first = links.at(&ground, &at(1.0, 1.2, false)).to_vec();
        assert_eq!(first.len(), 9);
        assert_eq!(links.at(&ground, &at(1.01, 1.2, false)), first);
        assert_ne!(links.at(&ground, &at(8.0, 1.2, false)), first);
    }

    #[test]
    fn on_stairs_slabs_change_and_shadows_stay() {
        let site = fixture::house();
        let ground = Ground::new(&site);
        let mut links = Links::new(site, &ground, &WorldConfig::default());
        // The first to come is on the stairs; that must not spoil the cell for those who walk.
        let above = links.at(&ground, &at(1.0, 3.4, true))[3];
        let below = links.at(&ground, &at(1.0, 1.2, false))[3];
        assert_eq!(above.shadow_db, below.shadow_db);
        // The fourth anchor hangs on the middle storey: from 3.4 m no slab is left between.
        assert_eq!(above.obstacle_count + 1, below.obstacle_count);
        assert!(above.obstacles_db[0] + 8.0 < below.obstacles_db[0]);
    }

    #[test]
    fn links_between_anchors_have_no_direction() {
        let site = fixture::house();
        let ground = Ground::new(&site);
        let links = Links::new(site, &ground, &WorldConfig::default());
        assert_eq!(links.between_anchors(2, 5), links.between_anchors(5, 2));
        assert_ne!(links.between_anchors(2, 5), links.between_anchors(2, 6));
    }
}
