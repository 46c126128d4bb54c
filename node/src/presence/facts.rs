//! What a site is made of, in hashes that survive a restart.

use std::sync::Arc;

use site::{Calibration, Site};

use super::write::{SiteFacts, ZoneFacts};
use crate::sites::LoadedSite;

/// What a site is made of now.
pub(super) fn of(loaded: &LoadedSite, at_us: u64) -> SiteFacts {
    let site = &loaded.site;
    let text = loaded
        .files
        .as_ref()
        .and_then(|files| std::fs::read_to_string(&files.site).ok());
    let plan = without_zones(site);
    let plan_hash = hash(&format!("{plan:?}"));
    let zones_hash = hash(&format!("{:?}", zones_of(site)));
    SiteFacts {
        site: loaded.site.id.as_str().into(),
        // A building that is part of the program has no file: its hashes tell for it.
        file_hash: hash(&text.unwrap_or_else(|| plan_hash.clone() + &zones_hash)),
        plan_hash,
        zones_hash,
        calibration_hash: calibration_hash(site, &loaded.calibration),
        zones: zone_facts(site),
        aps: site
            .anchors
            .iter()
            .map(|anchor| anchor.id.clone())
            .collect(),
        at_us,
    }
}

/// Tells calibrations of a site apart.
pub(super) fn calibration_hash(site: &Site, calibration: &Calibration) -> String {
    hash(&calibration.to_toml(site))
}

/// The zones of a site in the order of their numbers.
fn zone_facts(site: &Site) -> Vec<ZoneFacts> {
    let zones = site.floors.iter().flat_map(|floor| &floor.zones);
    zones
        .map(|zone| ZoneFacts {
            id: Arc::from(zone.id.as_str()),
            occupancy: Arc::from(zone.rules.occupancy.as_slice()),
        })
        .collect()
}

fn zones_of(site: &Site) -> Vec<(&str, &[site::Zone])> {
    let floors = site.floors.iter();
    floors
        .map(|floor| (floor.id.as_str(), floor.zones.as_slice()))
        .collect()
}

fn without_zones(site: &Site) -> Site {
    let mut plan = site.clone();
    for floor in &mut plan.floors {
        floor.zones.clear();
    }
    plan
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
