//! Calibrations in force: what each site uses, how it is learned while the node runs, and what
//! happens when somebody edits the file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ingest::{BeaconReading, ClientWindow, Pipeline, ReplaceError};
use locate::Sighting;
use locate::self_calibration::{Beacon, Traffic};
use locate::{Model, ModelOptions};
use site::{Calibration, Site};
use wire::ClientId;

use super::files::{self, SiteFiles};
use super::learn::{self, Learned};
use super::origin::{Origin, Way};
use super::points::{self, SurveyError};
use crate::body::time::{now_us, rfc3339};
use crate::sites::{LoadedSite, SiteError, read_calibration};

/// Samples of a site's clients that a self-calibration asks for.
const SAMPLES: usize = 3;

/// Fixes in each of them.
const SAMPLE_LEN: usize = 256;

/// What was heard of a client at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardClient {
    /// Which client.
    pub client: ClientId,
    /// What each radio heard.
    pub sightings: Vec<Sighting>,
    /// The time to which the sightings' ages count, in microseconds of the node's clock.
    pub at_us: u64,
    /// A fix was made of it just now; otherwise it is what is left of an older one.
    pub is_fresh: bool,
}

impl From<ClientWindow> for HeardClient {
    fn from(window: ClientWindow) -> Self {
        Self {
            client: window.client,
            sightings: window.sightings,
            at_us: window.at_us,
            is_fresh: window.fix.is_some(),
        }
    }
}

/// What a desk asks of the workers.
pub trait Live: Send + Sync {
    /// What a client's next fix is made of; waits for it.
    fn window(&self, site: usize, client: ClientId) -> Option<HeardClient>;
    /// What the site's next fixes are made of; waits for them.
    fn sample(&self, site: usize, len: usize) -> Vec<HeardClient>;
    /// What anchors hear of each other.
    fn beacons(&self, site: usize) -> Vec<BeaconReading>;
    /// Makes fixes with another model from now on.
    ///
    /// # Errors
    /// [`ReplaceError`] when the worker keeps its model.
    fn replace_model(&self, site: usize, model: Arc<Model>) -> Result<(), ReplaceError>;
}

impl Live for Pipeline {
    fn window(&self, site: usize, client: ClientId) -> Option<HeardClient> {
        self.ask_client(site, client).map(Into::into)
    }

    fn sample(&self, site: usize, len: usize) -> Vec<HeardClient> {
        let windows = self.ask_sample(site, len);
        windows.into_iter().map(Into::into).collect()
    }

    fn beacons(&self, site: usize) -> Vec<BeaconReading> {
        Self::beacons(self, site)
    }

    fn replace_model(&self, site: usize, model: Arc<Model>) -> Result<(), ReplaceError> {
        Self::replace_model(self, site, model)
    }
}

/// The calibrations of all sites of a node.
pub struct Desk {
    live: Arc<dyn Live>,
    seats: Vec<Seat>,
}

struct Seat {
    site: Arc<Site>,
    files: Option<SiteFiles>,
    in_force: Mutex<InForce>,
    /// Held while the calibration file or what is in force changes.
    learning: Mutex<()>,
    /// Held while the survey file changes.
    survey: Mutex<()>,
}

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
    stamp: Option<Stamp>,
}

/// By which a change of a file is seen.
type Stamp = (SystemTime, u64);

/// What came of an order to calibrate.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether something else is in force now.
    pub kept: bool,
    /// What was decided and why.
    pub told: String,
    /// Where the new constants come from, or would have.
    pub origin: Origin,
    /// File to which the old calibration was moved, if there was one.
    pub backup: Option<String>,
}

/// Why a site cannot be calibrated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The site has no file beside which anything could be kept.
    #[error(
        "site \"{site}\" is built into the program and has no file beside which a survey or a \
         calibration could be kept; serve it from a site file"
    )]
    NoFiles {
        /// The site.
        site: String,
    },
    /// Another calibration is under way.
    #[error("site \"{site}\" is being calibrated already; wait for the end and look at the result")]
    Busy {
        /// The site.
        site: String,
    },
    /// The survey file cannot be used.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The calibration file cannot be written.
    #[error("calibration file {path}: cannot be written")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The worker keeps its model.
    #[error("the calibration is stored, but not in use")]
    Replace(#[from] ReplaceError),
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("sites", &self.seats.len())
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk for these sites, which the workers number alike.
    pub fn new(sites: &[LoadedSite], live: Arc<dyn Live>) -> Self {
        Self {
            live,
            seats: sites.iter().map(Seat::new).collect(),
        }
    }

    /// Where the workers are asked.
    pub fn live(&self) -> &Arc<dyn Live> {
        &self.live
    }

    /// What a site uses now.
    pub fn in_force(&self, site: usize) -> InForce {
        lock(&self.seats[site].in_force).clone()
    }

    /// The points of a site's survey.
    ///
    /// # Errors
    /// [`DeskError`] when the site has no file, or the survey's cannot be read.
    pub fn points(&self, site: usize) -> Result<Vec<points::Point>, DeskError> {
        Ok(points::read(&self.seats[site].files()?.survey)?)
    }

    /// Whether points can be kept for a site.
    ///
    /// # Errors
    /// [`DeskError::NoFiles`] when it has no file.
    pub fn can_keep(&self, site: usize) -> Result<(), DeskError> {
        self.seats[site].files().map(|_| ())
    }

    /// Appends a point to a site's survey and numbers it.
    ///
    /// # Errors
    /// [`DeskError`] when the site has no file, or the survey's is full or cannot be written.
    pub fn add_point(
        &self,
        site: usize,
        mut point: points::Point,
    ) -> Result<points::Point, DeskError> {
        let seat = &self.seats[site];
        let path = &seat.files()?.survey;
        let _changing = lock(&seat.survey);
        let known = points::read(path)?;
        if known.len() >= points::POINTS_MAX {
            return Err(SurveyError::Full { path: path.clone() }.into());
        }
        point.id = 1 + known.iter().map(|point| point.id).max().unwrap_or(0);
        points::append(path, &point)?;
        Ok(point)
    }

    /// Takes a point out of a site's survey; false when it has no such point.
    ///
    /// # Errors
    /// As [`Desk::add_point`].
    pub fn remove_point(&self, site: usize, id: u32) -> Result<bool, DeskError> {
        let seat = &self.seats[site];
        let path = &seat.files()?.survey;
        let _changing = lock(&seat.survey);
        let mut known = points::read(path)?;
        let before = known.len();
        known.retain(|point| point.id != id);
        if known.len() == before {
            return Ok(false);
        }
        points::rewrite(path, &known)?;
        Ok(true)
    }

    /// Learns a site's constants, checks them on held-back data, and puts them in force if they are
    /// better. Takes seconds: not for an async task.
    ///
    /// # Errors
    /// [`DeskError`] when nothing could be learned, stored or used; a check that says no is none.
    pub fn calibrate(&self, site: usize, way: Way) -> Result<Outcome, DeskError> {
        let seat = &self.seats[site];
        let files = seat.files()?;
        let Ok(_learning) = seat.learning.try_lock() else {
            return Err(DeskError::Busy {
                site: seat.site.id.clone(),
            });
        };
        let learned = match way {
            Way::Survey => learn::by_survey(&seat.site, &seat.placed()?),
            Way::SelfMade => self.learn_by_self(site)?,
            Way::None | Way::File => {
                let backup = files::set_aside(&files.calibration).map_err(write_error(files))?;
                self.apply(site, Calibration::default(), Origin::none())?;
                return Ok(Outcome {
                    kept: true,
                    told: "no calibration is in use: fixes follow the site file".to_owned(),
                    origin: Origin::none(),
                    backup: backup.as_deref().map(name_of),
                });
            }
        };
        let Learned {
            calibration,
            origin,
            told,
        } = learned;
        tracing::info!(
            "site {}: calibration by way of {}: {told}",
            seat.site.id,
            way.as_str()
        );
        let Some(calibration) = calibration else {
            return Ok(Outcome {
                kept: false,
                told,
                origin,
                backup: None,
            });
        };
        let text = origin.file_text(&calibration, &seat.site);
        let backup = files::replace(&files.calibration, &text).map_err(write_error(files))?;
        self.apply(site, calibration, origin.clone())?;
        Ok(Outcome {
            kept: true,
            told,
            origin,
            backup: backup.as_deref().map(name_of),
        })
    }

    /// Looks whether somebody changed a site's calibration file, and uses the new one if it is good;
    /// a bad one is told of once. Reads a file and makes a radio map: not for an async task.
    pub fn look(&self, site: usize) {
        let seat = &self.seats[site];
        let Some(files) = &seat.files else {
            return;
        };
        let Ok(_learning) = seat.learning.try_lock() else {
            return;
        };
        let stamp = stamp_of(&files.calibration);
        if lock(&seat.in_force).stamp == stamp {
            return;
        }
        let id = &seat.site.id;
        if stamp.is_none() {
            tracing::info!("site {id}: its calibration is gone; fixes follow the site file");
            self.apply_or_tell(site, Calibration::default(), Origin::none());
            return;
        }
        match read_calibration(&files.calibration, &seat.site) {
            Ok(calibration) => {
                let text = std::fs::read_to_string(&files.calibration).unwrap_or_default();
                let changed = *lock(&seat.in_force).calibration != calibration;
                self.apply_or_tell(site, calibration, Origin::of_text(&text));
                if changed {
                    tracing::info!("site {id}: {} is in use now", files.calibration.display());
                }
            }
            Err(error) => seat.refuse(stamp, &error),
        }
    }

    /// Sites that the desk knows.
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    fn learn_by_self(&self, site: usize) -> Result<Learned, DeskError> {
        let beacons: Vec<Beacon> = (self.live.beacons(site).iter())
            .map(|reading| Beacon {
                receiver: reading.receiver,
                transmitter: reading.transmitter,
                mean_dbm: reading.mean_dbm,
                count: reading.count,
            })
            .collect();
        let windows = (0..SAMPLES).flat_map(|_| self.live.sample(site, SAMPLE_LEN));
        let traffic: Vec<Traffic> = windows
            .map(|window| Traffic {
                client: window.client.0,
                sightings: window.sightings,
            })
            .collect();
        let seat = &self.seats[site];
        Ok(learn::by_self(
            &seat.site,
            &beacons,
            &traffic,
            &seat.placed()?,
        ))
    }

    fn apply(
        &self,
        site: usize,
        calibration: Calibration,
        origin: Origin,
    ) -> Result<(), ReplaceError> {
        let seat = &self.seats[site];
        let model = Model::new(&seat.site, &calibration, &ModelOptions::default());
        self.live.replace_model(site, Arc::new(model))?;
        let stamp = seat
            .files
            .as_ref()
            .and_then(|files| stamp_of(&files.calibration));
        *lock(&seat.in_force) = InForce {
            origin,
            calibration: Arc::new(calibration),
            since: rfc3339(now_us()),
            refused: None,
            stamp,
        };
        Ok(())
    }

    fn apply_or_tell(&self, site: usize, calibration: Calibration, origin: Origin) {
        if let Err(error) = self.apply(site, calibration, origin) {
            let id = &self.seats[site].site.id;
            tracing::warn!("site {id} keeps its calibration for now: {error}");
        }
    }
}

impl Seat {
    fn new(loaded: &LoadedSite) -> Self {
        let text = (loaded.files.as_ref())
            .and_then(|files| std::fs::read_to_string(&files.calibration).ok());
        let origin = text.map_or_else(Origin::none, |text| Origin::of_text(&text));
        let stamp = loaded
            .files
            .as_ref()
            .and_then(|files| stamp_of(&files.calibration));
        Self {
            site: loaded.site.clone(),
            files: loaded.files.clone(),
            in_force: Mutex::new(InForce {
                origin,
                calibration: loaded.calibration.clone(),
                since: rfc3339(now_us()),
                refused: None,
                stamp,
            }),
            learning: Mutex::default(),
            survey: Mutex::default(),
        }
    }

    fn files(&self) -> Result<&SiteFiles, DeskError> {
        self.files.as_ref().ok_or_else(|| DeskError::NoFiles {
            site: self.site.id.clone(),
        })
    }

    fn placed(&self) -> Result<Vec<super::held_back::Placed>, DeskError> {
        let path = &self.files()?.survey;
        Ok(points::placed(&points::read(path)?, &self.site, path)?)
    }

    /// Keeps what is in force and says once why.
    fn refuse(&self, stamp: Option<Stamp>, error: &SiteError) {
        let mut in_force = lock(&self.in_force);
        for line in error.to_string().lines() {
            tracing::warn!("{line}");
        }
        tracing::warn!(
            "site {}: the calibration that was in use stays in use",
            self.site.id
        );
        in_force.stamp = stamp;
        in_force.refused = Some(error.to_string());
    }
}

fn write_error(files: &SiteFiles) -> impl Fn(std::io::Error) -> DeskError + '_ {
    |source| DeskError::Write {
        path: files.calibration.display().to_string(),
        source,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
