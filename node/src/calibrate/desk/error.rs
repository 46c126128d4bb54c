//! Why a site cannot be calibrated: what, where, what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use ingest::{AskError, ReplaceError};

use super::super::cancel::Cancelled;
use super::super::stored::StoreError;
use super::super::survey_file::SurveyError;

/// Why a site cannot be calibrated, or its survey not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The site has no file beside which anything could be kept.
    NoFiles {
        /// The site.
        site: String,
    },
    /// A calibration is under way: one at a time, for each takes a core for seconds.
    Busy {
        /// The site that is being calibrated.
        running: String,
    },
    /// The node stops.
    Cancelled(#[from] Cancelled),
    /// The survey file cannot be used.
    Survey(#[from] SurveyError),
    /// What was learned cannot be stored.
    Store(#[source] StoreError),
    /// The old calibration cannot be moved.
    SetAside {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The worker does not tell what it hears.
    Ask(#[from] AskError),
    /// The worker keeps its model.
    Replace(#[from] ReplaceError),
}

impl DeskError {
    /// What is wrong, and where; causes come after it as sources.
    pub fn what(&self) -> String {
        match self {
            Self::NoFiles { site } => format!(
                "site \"{site}\" is built into the program and has no file beside which a survey \
                 or a calibration could be kept"
            ),
            Self::Busy { running } => {
                format!("site \"{running}\" is being calibrated; one at a time is")
            }
            Self::Cancelled(_) => "the calibration was called off, since the node stops".to_owned(),
            Self::Survey(error) => error.what(),
            Self::Store(_) => "what was learned is not stored".to_owned(),
            Self::SetAside { path, .. } => {
                format!("calibration file {}: cannot be moved", path.display())
            }
            Self::Ask(_) => "nothing can be learned of the site now".to_owned(),
            Self::Replace(_) => "the calibration is stored, but not in use".to_owned(),
        }
    }

    /// What to do about it.
    pub fn what_to_do(&self) -> &str {
        match self {
            Self::NoFiles { .. } => "serve it from a site file",
            Self::Busy { .. } => "wait for the end, look at the result and order again",
            Self::Cancelled(_) => "order it again when the node runs",
            Self::Survey(error) => error.what_to_do(),
            Self::Store(StoreError::Unreadable { .. }) => "report it, with the survey",
            Self::Store(_) | Self::SetAside { .. } => {
                "see that the node may write there, and that the disk has room"
            }
            Self::Ask(_) => "try again in some seconds",
            Self::Replace(ReplaceError::Silent) => {
                "wait: the node offers it to the worker again every other second"
            }
            Self::Replace(_) => "restart the node",
        }
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::Store(other),
        }
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what(), self.what_to_do())
    }
}
