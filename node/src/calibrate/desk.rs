//! Calibrations in force: what each site uses, how it is learned while the node runs, and what
//! happens when somebody edits the file.

mod error;
mod seat;

use std::path::Path;
use std::sync::{Arc, Mutex};

use ingest::ReplaceError;
use locate::self_calibration::{Beacon, Traffic};
use site::Calibration;

pub use self::error::DeskError;
pub use self::seat::InForce;
use self::seat::{Ready, Seat, Seen, Watch, lock, try_lock};
use super::cancel::Cancel;
use super::files;
use super::learn::{self, Learned};
use super::live::Live;
use super::origin::{Origin, Way};
use super::points::Point;
use super::stored::{self, Stamp};
use super::survey_file;
use crate::sites::{LoadedSite, parse_calibration};

/// Samples of a site's clients that a self-calibration asks for.
const SAMPLES: usize = 3;

/// Fixes in each of them.
const SAMPLE_LEN: usize = 256;

/// The calibrations of all sites of a node.
pub struct Desk {
    live: Arc<dyn Live>,
    seats: Vec<Seat>,
    /// The site that is being calibrated.
    running: Mutex<Option<usize>>,
    cancel: Cancel,
}

/// What somebody wrote into a calibration file.
struct Edited {
    calibration: Calibration,
    origin: Origin,
    seen: Seen,
}

/// The right to calibrate; dropped, it is free again.
struct Turn<'a>(&'a Mutex<Option<usize>>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(self.0) = None;
    }
}

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
            running: Mutex::default(),
            cancel: Cancel::default(),
        }
    }

    /// Where the workers are asked.
    pub fn live(&self) -> &Arc<dyn Live> {
        &self.live
    }

    /// Calls off what is being learned, and takes no more orders: the node stops.
    pub fn stop(&self) {
        self.cancel.set();
    }

    /// What a site uses now.
    pub fn in_force(&self, site: usize) -> InForce {
        lock(&self.seats[site].in_force).clone()
    }

    /// The points of a site's survey.
    ///
    /// # Errors
    /// [`DeskError`] when the site has no file, or the survey's cannot be read.
    pub fn points(&self, site: usize) -> Result<Vec<Point>, DeskError> {
        Ok(survey_file::read(&self.seats[site].files()?.survey)?)
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
    pub fn add_point(&self, site: usize, point: Point) -> Result<Point, DeskError> {
        let seat = &self.seats[site];
        let path = &seat.files()?.survey;
        let _changing = lock(&seat.survey);
        Ok(survey_file::add(path, point)?)
    }

    /// Takes a point out of a site's survey; false when it has no such point.
    ///
    /// # Errors
    /// As [`Desk::add_point`].
    pub fn remove_point(&self, site: usize, id: u32) -> Result<bool, DeskError> {
        let seat = &self.seats[site];
        let path = &seat.files()?.survey;
        let _changing = lock(&seat.survey);
        Ok(survey_file::remove(path, id)?)
    }

    /// Learns a site's constants, checks them on held-back data, and puts them in force if they are
    /// better. Takes seconds: not for an async task. One site of the node at a time.
    ///
    /// # Errors
    /// [`DeskError`] when nothing could be learned, stored or used; a check that says no is none.
    pub fn calibrate(&self, site: usize, way: Way) -> Result<Outcome, DeskError> {
        let seat = &self.seats[site];
        let files = seat.files()?;
        let _turn = self.turn(site)?;
        self.cancel.check()?;
        let mut watch = lock(&seat.watch);
        let learned = match way {
            Way::Survey => learn::by_survey(&seat.site, &seat.placed()?, &self.cancel)?,
            Way::SelfMade => self.learn_by_self(site)?,
            Way::None | Way::File => return self.forget(site, &mut watch),
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
        let path = &files.calibration;
        let stored = stored::store(path, &seat.site, &calibration, &origin, &self.cancel)?;
        let seen = Seen::There(stored.stamp);
        let ready = seat.ready(stored.calibration, origin.clone(), seen);
        self.offer(site, &mut watch, ready)?;
        Ok(Outcome {
            kept: true,
            told,
            origin,
            backup: stored.backup.as_deref().map(name_of),
        })
    }

    /// Looks whether somebody changed a site's calibration file, and uses the new one if it is good;
    /// a bad one is told of once. Only what two looks in a row see counts, since a file may be half
    /// written. Reads a file and makes a radio map: not for an async task.
    pub fn look(&self, site: usize) {
        let seat = &self.seats[site];
        let (Some(files), Ok(())) = (&seat.files, self.cancel.check()) else {
            return;
        };
        let Some(mut watch) = try_lock(&seat.watch) else {
            return;
        };
        let path = &files.calibration;
        let text = match stored::read(path) {
            Ok(text) => text,
            Err(error) => {
                (watch.known, watch.news) = (None, None);
                let path = path.display();
                return seat.refuse(&format!(
                    "calibration file {path}: cannot be read: {error}; mend it or remove it"
                ));
            }
        };
        let seen = Seen::from(text.as_deref().map(Stamp::of));
        if watch.known == Some(seen) {
            watch.news = None;
            return;
        }
        if let Some(ready) = watch.waiting.take_if(|ready| ready.seen == seen) {
            // Was told of when it began to wait.
            if self.offer(site, &mut watch, ready).is_ok() {
                tracing::info!(
                    "site {}: the worker has taken its calibration",
                    seat.site.id
                );
            }
            return;
        }
        if watch.news.replace(seen) != Some(seen) {
            return;
        }
        let (calibration, origin) = match &text {
            None => (Calibration::default(), Origin::none()),
            Some(text) => match parse_calibration(text, path, &seat.site) {
                Ok(calibration) => (calibration, Origin::of_text(text)),
                Err(error) => {
                    watch.known = Some(seen);
                    return seat.refuse(&error.to_string());
                }
            },
        };
        let edited = Edited {
            calibration,
            origin,
            seen,
        };
        self.use_edited(site, &mut watch, edited, path);
    }

    /// Sites that the desk knows.
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// The right to calibrate, of which a node has one.
    fn turn(&self, site: usize) -> Result<Turn<'_>, DeskError> {
        let mut running = lock(&self.running);
        if let Some(running) = *running {
            return Err(DeskError::Busy {
                running: self.seats[running].site.id.clone(),
            });
        }
        *running = Some(site);
        Ok(Turn(&self.running))
    }

    /// Sets a site's calibration aside.
    fn forget(&self, site: usize, watch: &mut Watch) -> Result<Outcome, DeskError> {
        let seat = &self.seats[site];
        let path = &seat.files()?.calibration;
        self.cancel.check()?;
        let backup = files::set_aside(path).map_err(|source| DeskError::SetAside {
            path: path.clone(),
            source,
        })?;
        let ready = seat.ready(Calibration::default(), Origin::none(), Seen::Gone);
        self.offer(site, watch, ready)?;
        Ok(Outcome {
            kept: true,
            told: "no calibration is in use: fixes follow the site file".to_owned(),
            origin: Origin::none(),
            backup: backup.as_deref().map(name_of),
        })
    }

    fn learn_by_self(&self, site: usize) -> Result<Learned, DeskError> {
        let beacons: Vec<Beacon> = (self.live.beacons(site)?.iter())
            .map(|reading| Beacon {
                receiver: reading.receiver,
                transmitter: reading.transmitter,
                mean_dbm: reading.mean_dbm,
                count: reading.count,
            })
            .collect();
        let mut traffic = Vec::new();
        for _ in 0..SAMPLES {
            self.cancel.check()?;
            let windows = self.live.sample(site, SAMPLE_LEN)?;
            traffic.extend(windows.into_iter().map(|window| Traffic {
                client: window.client.0,
                sightings: window.sightings,
            }));
        }
        let seat = &self.seats[site];
        let survey = seat.placed()?;
        let learned = learn::by_self(&seat.site, &beacons, &traffic, &survey, &self.cancel)?;
        Ok(learned)
    }

    /// Puts in force what somebody wrote into the file.
    fn use_edited(&self, site: usize, watch: &mut Watch, edited: Edited, path: &Path) {
        let seat = &self.seats[site];
        let id = &seat.site.id;
        if !watch.is_uncertain && *lock(&seat.in_force).calibration == edited.calibration {
            // Another comment, or the old content again.
            let mut in_force = lock(&seat.in_force);
            in_force.origin = edited.origin;
            in_force.refused = None;
            watch.known = Some(edited.seen);
            return;
        }
        let ready = seat.ready(edited.calibration, edited.origin, edited.seen);
        match (self.offer(site, watch, ready), edited.seen) {
            (Ok(()), Seen::Gone) => {
                tracing::info!("site {id}: its calibration is gone; fixes follow the site file");
            }
            (Ok(()), Seen::There(_)) => {
                tracing::info!("site {id}: {} is in use now", path.display());
            }
            (Err(error), _) => tracing::warn!("site {id} keeps its calibration for now: {error}"),
        }
    }

    /// Offers a radio map to the worker. One that the worker does not answer about is kept and
    /// offered again at the next looks; one that it cannot use is not.
    fn offer(&self, site: usize, watch: &mut Watch, ready: Ready) -> Result<(), ReplaceError> {
        let seat = &self.seats[site];
        match self.live.replace_model(site, ready.model.clone()) {
            Ok(()) => {
                seat.begin(watch, ready);
                Ok(())
            }
            Err(ReplaceError::Silent) => {
                watch.known = None;
                watch.waiting = Some(ready);
                watch.is_uncertain = true;
                Err(ReplaceError::Silent)
            }
            Err(error) => {
                watch.known = Some(ready.seen);
                lock(&seat.in_force).refused = Some(error.to_string());
                Err(error)
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
