//! `trilobite validate`: is this site file good, and the calibration beside it?

use std::path::{Path, PathBuf};

use crate::sites::{self, SiteError};

/// Checks a site file, and its calibration where one lies beside it; returns what to tell. A
/// calibration file is checked with the site file that it lies beside.
///
/// # Errors
/// [`SiteError`] with one line per mistake.
pub fn run(file: &Path) -> Result<String, SiteError> {
    let file = &*site_file_of(file);
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

/// The site file that a calibration file belongs to; any other file itself.
fn site_file_of(file: &Path) -> PathBuf {
    let name = file.file_name().and_then(|name| name.to_str());
    match name.and_then(|name| name.strip_suffix(".calibration.toml")) {
        Some(stem) => file.with_file_name(format!("{stem}.toml")),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_file_is_checked_with_its_site() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("office.toml");
        std::fs::write(&site, include_str!("../../sites/office.toml")).unwrap();
        let calibration = folder.path().join("office.calibration.toml");
        std::fs::write(&calibration, "site = \"office\"\n").unwrap();
        assert!(run(&calibration).unwrap().ends_with("calibrated"));
        std::fs::write(&calibration, "site = \"hall\"\n").unwrap();
        let told = run(&calibration).unwrap_err().to_string();
        assert!(
            told.contains("the calibration is of site \"hall\""),
            "{told}"
        );
    }
}
