//! One site at the desk: what it uses, and what of its calibration file is known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use locate::{Model, ModelOptions};
use site::{Calibration, Site};

use super::super::files::SiteFiles;
use super::super::held_back::Placed;
use super::super::origin::Origin;
use super::super::stored::Stamp;
use super::super::{points, survey_file};
use super::error::DeskError;
use crate::body::time::{now_us, rfc3339};
use crate::sites::LoadedSite;

/// What a site uses now.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    /// Where it came from.
    pub origin: Origin,
    /// The constants.
    pub calibration: Arc<Calibration>,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Why the file that lies there now is not used, if it is not.
    pub refused: Option<String>,
}

pub(super) struct Seat {
    pub(super) site: Arc<Site>,
    pub(super) files: Option<SiteFiles>,
    pub(super) in_force: Mutex<InForce>,
    /// Held while the calibration file or what is in force changes.
    pub(super) watch: Mutex<Watch>,
    /// Held while the survey file changes.
    pub(super) survey: Mutex<()>,
}

/// What of a calibration file is known.
pub(super) struct Watch {
    /// The content that is in force, or was refused; `None` while the file cannot be read, or the
    /// worker has not answered.
    pub(super) known: Option<Seen>,
    /// What the look before saw, where it was not that.
    pub(super) news: Option<Seen>,
    /// What the worker has not taken yet; it may use it all the same by now.
    pub(super) waiting: Option<Ready>,
    /// The worker may use what is not in force.
    pub(super) is_uncertain: bool,
}

/// A calibration file as a look sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Gone,
    There(Stamp),
}

impl From<Option<Stamp>> for Seen {
    fn from(stamp: Option<Stamp>) -> Self {
        stamp.map_or(Self::Gone, Self::There)
    }
}

/// A calibration with its radio map, to be put in force.
pub(super) struct Ready {
    pub(super) model: Arc<Model>,
    pub(super) calibration: Arc<Calibration>,
    pub(super) origin: Origin,
    pub(super) seen: Seen,
}

impl Seat {
    pub(super) fn new(loaded: &LoadedSite) -> Self {
        Self {
            site: loaded.site.clone(),
            files: loaded.files.clone(),
            in_force: Mutex::new(InForce {
                origin: loaded.origin.clone(),
                calibration: loaded.calibration.clone(),
                since: rfc3339(now_us()),
                refused: None,
            }),
            watch: Mutex::new(Watch {
                known: Some(loaded.stamp.into()),
                news: None,
                waiting: None,
                is_uncertain: false,
            }),
            survey: Mutex::default(),
        }
    }

    pub(super) fn files(&self) -> Result<&SiteFiles, DeskError> {
        self.files.as_ref().ok_or_else(|| DeskError::NoFiles {
            site: self.site.id.clone(),
        })
    }

    /// The survey in terms of the site.
    pub(super) fn placed(&self) -> Result<Vec<Placed>, DeskError> {
        let path = &self.files()?.survey;
        let points = survey_file::read(path)?;
        Ok(points::placed(&points, &self.site, path)?)
    }

    /// Keeps what is in force and says once why.
    pub(super) fn refuse(&self, why: &str) {
        let mut in_force = lock(&self.in_force);
        if in_force.refused.as_deref() == Some(why) {
            return;
        }
        for line in why.lines() {
            tracing::warn!("{line}");
        }
        tracing::warn!(
            "site {}: the calibration that was in use stays in use",
            self.site.id
        );
        in_force.refused = Some(why.to_owned());
    }

    /// A calibration with its radio map, which may take a second to make.
    pub(super) fn ready(&self, calibration: Calibration, origin: Origin, seen: Seen) -> Ready {
        let model = Model::new(&self.site, &calibration, &ModelOptions::default());
        Ready {
            model: Arc::new(model),
            calibration: Arc::new(calibration),
            origin,
            seen,
        }
    }

    /// From now on this is in force.
    pub(super) fn begin(&self, watch: &mut Watch, ready: Ready) {
        *lock(&self.in_force) = InForce {
            origin: ready.origin,
            calibration: ready.calibration,
            since: rfc3339(now_us()),
            refused: None,
        };
        *watch = Watch {
            known: Some(ready.seen),
            news: None,
            waiting: None,
            is_uncertain: false,
        };
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, unless somebody has it.
pub(super) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
