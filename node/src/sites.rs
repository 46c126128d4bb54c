//! Site files and their calibrations, from disk to radio maps.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest::limits::RADIOS_PER_SITE_MAX;
use locate::{Model, ModelOptions};
use site::{Calibration, Site};
use wire::SiteName;

use crate::calibrate::files::SiteFiles;
use crate::calibrate::origin::Origin;
use crate::calibrate::stored::{self, Stamp};

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
    /// Where that came from.
    pub origin: Origin,
    /// Of the calibration file from which it was read; `None` when there was none.
    pub stamp: Option<Stamp>,
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
    /// More radios than a worker can tell apart in what it remembers of a client.
    #[error(
        "{path}: site \"{id}\" has {radios} radios, and a node tells at most {RADIOS_PER_SITE_MAX} \
         of one site apart; split the building into several sites"
    )]
    Radios {
        /// The file.
        path: PathBuf,
        /// The site.
        id: String,
        /// How many it has.
        radios: usize,
    },
}

/// Reads and checks a site file.
///
/// # Errors
/// [`SiteError`] lists every mistake with file, line, what is wrong and what to do; and a site with
/// too many radios is refused.
pub fn read_site(path: &Path) -> Result<Site, SiteError> {
    let site = Site::parse(&read(path)?).map_err(|problems| invalid(path, &problems))?;
    let radios = site.radios().count();
    if radios > RADIOS_PER_SITE_MAX {
        return Err(SiteError::Radios {
            path: path.to_owned(),
            id: site.id,
            radios,
        });
    }
    Ok(site)
}

/// Reads and checks a calibration file of a site.
///
/// # Errors
/// As [`read_site`].
pub fn read_calibration(path: &Path, site: &Site) -> Result<Calibration, SiteError> {
    parse_calibration(&read(path)?, path, site)
}

/// Checks the text of a site's calibration file.
///
/// # Errors
/// As [`read_site`].
pub fn parse_calibration(text: &str, path: &Path, site: &Site) -> Result<Calibration, SiteError> {
    Calibration::parse(text, site).map_err(|problems| invalid(path, &problems))
}

/// Where a site's calibration lies when nothing else is said: beside the site file.
pub fn calibration_beside(site_file: &Path) -> PathBuf {
    site_file.with_extension("calibration.toml")
}

/// Makes a site ready: its radio map may take a second. A calibration file that is not there is no
/// calibration: one may be learned into it, and a learned one be set aside again.
///
/// # Errors
/// [`SiteError`] when a file cannot be read or has mistakes.
pub fn load(file: &Path, calibration: Option<&Path>) -> Result<LoadedSite, SiteError> {
    let site = read_site(file)?;
    let files = SiteFiles::of(file, calibration);
    let path = &files.calibration;
    let found = stored::read(path).map_err(|source| SiteError::Read {
        path: path.clone(),
        source,
    })?;
    let Some(text) = found else {
        if calibration.is_some() {
            tracing::warn!(
                "site {}: calibration file {} is not there; fixes follow the site file until one is",
                site.id,
                path.display()
            );
        }
        return Ok(LoadedSite {
            files: Some(files),
            ..prepare(site, &Calibration::default())
        });
    };
    let calibration = parse_calibration(&text, path, &site)?;
    Ok(LoadedSite {
        origin: Origin::of_text(&text),
        stamp: Some(Stamp::of(&text)),
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
        origin: Origin::none(),
        stamp: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    const HALL: &str = r#"
site = "hall"
floor = [{ id = "1", elevation_m = 0, height_m = 3, outline = [[0, 0], [9, 0], [9, 9], [0, 9]] }]
anchor = [{ id = "a", floor = "1", position = [1, 1], radios = ["5"] }]
"#;

    #[test]
    fn a_site_with_more_radios_than_a_worker_tells_apart_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hall.toml");
        let hall = |anchors: usize, more: &str| {
            let (head, _) = HALL.split_once("anchor =").unwrap();
            let radios = r#"radios = ["2.4", "5", "6"]"#;
            let anchors: Vec<_> = (0..anchors)
                .map(|n| format!("{{ id = \"a{n}\", floor = \"1\", position = [1, 1], {radios} }}"))
                .collect();
            let text = format!("{head}anchor = [{}{more}]\n", anchors.join(", "));
            std::fs::write(&file, text).unwrap();
            read_site(&file)
        };
        assert_eq!(RADIOS_PER_SITE_MAX, 3 * 1_365);
        assert!(hall(1_365, "").is_ok());
        let one = r#", { id = "b", floor = "1", position = [1, 1], radios = ["5"] }"#;
        let told = hall(1_365, one).unwrap_err().to_string();
        for part in ["hall.toml", "4096 radios", "at most 4095", "split"] {
            assert!(told.contains(part), "{told}");
        }
        // `trilobite validate` says the same.
        assert_eq!(crate::validate::run(&file).unwrap_err().to_string(), told);
    }

    #[test]
    fn a_configured_calibration_that_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hall.toml");
        let elsewhere = folder.path().join("learned.toml");
        std::fs::write(&file, HALL).unwrap();
        let without = load(&file, Some(&elsewhere)).unwrap();
        assert_eq!((without.origin.way.as_str(), without.stamp), ("none", None));
        std::fs::write(&elsewhere, "site = \"hall\"\n").unwrap();
        let with = load(&file, Some(&elsewhere)).unwrap();
        assert_eq!(with.origin.way.as_str(), "file");
        assert_eq!(with.stamp, Some(Stamp::of("site = \"hall\"\n")));
        // What cannot be read is not taken for gone.
        std::fs::remove_file(&elsewhere).unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        assert!(matches!(
            load(&file, Some(&elsewhere)),
            Err(SiteError::Read { .. })
        ));
    }
}
