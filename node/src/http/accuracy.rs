//! `/api/v1/sites/{site}/accuracy`.
//!
//! Computed on a thread of its own, at most once in a while per site, and told to everybody who asks
//! meanwhile. The computation holds the site's place itself and goes on when who asked for it is gone,
//! so that asking and leaving starts no second one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use locate::outlook::LeaveOut;
use site::Site;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::error::ApiError;
use super::sites::bad_path;
use super::state::HttpState;
use super::workers::{Workers, unanswered};
use crate::body::accuracy::{self, AccuracyBody};

/// Clients looked at: enough for a share of readings to within some percent.
const CLIENTS_MAX: usize = 64;

/// How long an answer is told before the next is made.
const FRESH: Duration = Duration::from_secs(5);

/// Longest time for locating clients without anchors; what is done by then is told.
const WORK_MAX: Duration = Duration::from_secs(2);

/// What was last computed for each site; whoever finds it too old computes, the others wait.
#[derive(Debug)]
pub(super) struct Cache(Vec<Arc<Mutex<Option<Computed>>>>);

#[derive(Debug, Clone)]
struct Computed {
    at: Instant,
    /// An error too is told to all who ask meanwhile: a busy worker is not asked again at once.
    body: Result<Arc<AccuracyBody>, ApiError>,
}

impl Cache {
    /// For so many sites.
    pub(super) fn new(sites: usize) -> Self {
        Self((0..sites).map(|_| Arc::default()).collect())
    }
}

pub(super) async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, _) = state.site(&id)?;
    let workers = state.workers()?;
    let place = state.accuracy.0[index].clone().lock_owned().await;
    let known = place.as_ref().filter(|known| known.at.elapsed() < FRESH);
    let computed = match known {
        Some(known) => known.clone(),
        None => {
            let sites = state.sites.clone();
            let computing = tokio::task::spawn_blocking(move || {
                renew(place, || {
                    compute(workers.as_ref(), index, &sites[index].site)
                })
            });
            computing.await.map_err(|_| ApiError::broken())?
        }
    };
    let body = computed.body?;
    let told = accuracy::Told::new(&body, computed.at.elapsed());
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

/// Computes and keeps the result; the place is held until it is there.
fn renew(
    mut place: OwnedMutexGuard<Option<Computed>>,
    compute: impl FnOnce() -> Result<AccuracyBody, ApiError>,
) -> Computed {
    let body = compute().map(Arc::new);
    let at = Instant::now();
    place.insert(Computed { at, body }).clone()
}

fn compute(workers: &dyn Workers, index: usize, site: &Site) -> Result<AccuracyBody, ApiError> {
    let model = workers.model(index).map_err(unanswered)?;
    let beacons = workers.beacons(index).map_err(unanswered)?;
    let mut windows = workers.sample(index, CLIENTS_MAX).map_err(unanswered)?;
    // A client that had two fixes in the sample counts once, with the newer one.
    windows.sort_by_key(|window| (window.client, window.at_us));
    windows.dedup_by(|later, earlier| {
        let same = later.client == earlier.client;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
    let mut leave_out = LeaveOut::new(model.clone(), site);
    let until = Instant::now() + WORK_MAX;
    for window in windows.iter().take_while(|_| Instant::now() < until) {
        leave_out.add(&window.sightings);
    }
    let check = locate::outlook::check_anchors(&model, site, &accuracy::links(&beacons));
    // In a replay fixes and beacons are of the recording's time.
    let fixed_us = windows.iter().map(|window| window.at_us).max();
    let now_us = fixed_us.unwrap_or_else(|| workers.now_us());
    let newest_us = beacons.iter().map(|beacon| beacon.heard_at_us).max();
    let beacons_age = newest_us.map(|newest| Duration::from_micros(now_us.saturating_sub(newest)));
    Ok(AccuracyBody::new(
        site,
        &windows,
        &leave_out.outlook(),
        &check,
        beacons_age,
    ))
}
