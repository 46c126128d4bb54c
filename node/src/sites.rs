//! Site files and their calibrations, from disk to radio maps.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locate::{Model, ModelOptions};
use site::{Calibration, Site};
use wire::SiteName;

use crate::calibrate::files::SiteFiles;

/// A site ready to be served.
#[derive(Debug, Clone)]
pub struct LoadedSite {
    /// Its name, as certificates spell it.
    pub name: SiteName,
    /// The building.
    pub site: Arc<Site>,
    /// Its radio map.
    pub model: Arc<Model>,
    /// What was learned about it.
    pub calibration: Arc<Calibration>,
    /// Where it came from; `None` for a building that is part of the program.
    pub files: Option<SiteFiles>,
}

/// Why a site cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has mistakes; one line each.
    #[error("{lines}")]
    Invalid {
        /// `FILE:LINE:COLUMN: what; what to do`, one per line.
        lines: String,
        /// How many.
        count: usize,
    },
    /// Two files describe the same site.
    #[error(
        "{path}: site \"{id}\" is served from another file already; give one of them another id"
    )]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The site.
        id: String,
    },
}

/// Reads and checks a site file.
///
/// # Errors
/// [`SiteError`] lists every mistake with file, line, what is wrong and what to do.
pub fn read_site(path: &Path) -> Result<Site, SiteError> {
    Site::parse(&read(path)?).map_err(|problems| invalid(path, &problems))
}

/// Reads and checks a calibration file of a site.
///
/// # Errors
/// As [`read_site`].
pub fn read_calibration(path: &Path, site: &Site) -> Result<Calibration, SiteError> {
    Calibration::parse(&read(path)?, site).map_err(|problems| invalid(path, &problems))
}

/// Where a site's calibration lies when nothing else is said: beside the site file.
pub fn calibration_beside(site_file: &Path) -> PathBuf {
    site_file.with_extension("calibration.toml")
}

/// Makes a site ready: its radio map may take a second.
///
/// # Errors
/// [`SiteError`] when a file cannot be read or has mistakes.
pub fn load(file: &Path, calibration: Option<&Path>) -> Result<LoadedSite, SiteError> {
    let site = read_site(file)?;
    let files = SiteFiles::of(file, calibration);
    let wanted = calibration.is_some() || files.calibration.exists();
    let calibration = if wanted {
        read_calibration(&files.calibration, &site)?
    } else {
        Calibration::default()
    };
    Ok(LoadedSite {
        files: Some(files),
        ..prepare(site, &calibration)
    })
}

/// Makes a site that is at hand ready.
///
/// # Panics
/// Never: a valid site's id is a valid name.
pub fn prepare(site: Site, calibration: &Calibration) -> LoadedSite {
    let model = Model::new(&site, calibration, &ModelOptions::default());
    LoadedSite {
        name: SiteName::new(site.id.clone()).expect("a valid site has a valid id"),
        site: Arc::new(site),
        model: Arc::new(model),
        calibration: Arc::new(calibration.clone()),
        files: None,
    }
}

fn read(path: &Path) -> Result<String, SiteError> {
    std::fs::read_to_string(path).map_err(|source| SiteError::Read {
        path: path.to_owned(),
        source,
    })
}

fn invalid(path: &Path, problems: &[site::Problem]) -> SiteError {
    let mut lines = String::new();
    for (i, problem) in problems.iter().enumerate() {
        let newline = if i == 0 { "" } else { "\n" };
        let (line, column) = (problem.line, problem.column);
        let _ = write!(
            lines,
            "{newline}{}:{line}:{column}: {}; {}",
            path.display(),
            problem.what,
            problem.what_to_do
        );
    }
    SiteError::Invalid {
        lines,
        count: problems.len(),
    }
}
