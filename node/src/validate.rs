//! `trilobite validate`: is this site file good?

use std::path::Path;

use crate::sites::{self, SiteError};

/// Checks a site file, and its calibration where one lies beside it; returns what to tell.
///
/// # Errors
/// [`SiteError`] with one line per mistake.
pub fn run(file: &Path) -> Result<String, SiteError> {
    let site = sites::read_site(file)?;
    let beside = sites::calibration_beside(file);
    let calibrated = beside.exists();
    if calibrated {
        sites::read_calibration(&beside, &site)?;
    }
    let walls: usize = site.floors.iter().map(|floor| floor.walls.len()).sum();
    let zones: usize = site.floors.iter().map(|floor| floor.zones.len()).sum();
    Ok(format!(
        "{}: site \"{}\" is valid: {} floors, {walls} walls, {zones} zones, {} anchors, {} radios{}",
        file.display(),
        site.id,
        site.floors.len(),
        site.anchors.len(),
        site.radios().count(),
        if calibrated { ", calibrated" } else { "" },
    ))
}
