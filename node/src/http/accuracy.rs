//! `/api/v1/sites/{site}/accuracy`.
//!
//! Computed on a thread of its own, at most once in a while per site, and told to everybody who asks
//! meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use locate::outlook::LeaveOut;
use site::Site;
use tokio::sync::Mutex;

use super::error::ApiError;
use super::sites::bad_path;
use super::state::HttpState;
use super::workers::Workers;
use crate::body::accuracy::{self, AccuracyBody};

/// Clients looked at: enough for a share of readings to within some percent.
const CLIENTS_MAX: usize = 64;

/// How long an answer is told before the next is made.
const FRESH: Duration = Duration::from_secs(5);

/// Longest time for locating clients without anchors; what is done by then is told.
const WORK_MAX: Duration = Duration::from_secs(2);

/// What was last computed for each site; whoever finds it too old computes, the others wait.
#[derive(Debug)]
pub(super) struct Cache(Vec<Mutex<Option<Computed>>>);

#[derive(Debug, Clone)]
struct Computed {
    at: Instant,
    body: Arc<AccuracyBody>,
}

impl Cache {
    /// For so many sites.
    pub(super) fn new(sites: usize) -> Self {
        Self((0..sites).map(|_| Mutex::default()).collect())
    }
}

pub(super) async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, _) = state.site(&id)?;
    let workers = state.workers()?;
    let cache = state.accuracy.clone();
    let mut cached = cache.0[index].lock().await;
    let computed = match cached.as_ref().filter(|known| known.at.elapsed() < FRESH) {
        Some(known) => known.clone(),
        None => {
            let sites = state.sites.clone();
            let body = tokio::task::spawn_blocking(move || {
                compute(workers.as_ref(), index, &sites[index].site)
            });
            let body = body.await.map_err(|_| ApiError::broken())??;
            let computed = Computed {
                at: Instant::now(),
                body: Arc::new(body),
            };
            cached.insert(computed).clone()
        }
    };
    drop(cached);
    let told = accuracy::Told::new(&computed.body, computed.at.elapsed());
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

fn compute(workers: &dyn Workers, index: usize, site: &Site) -> Result<AccuracyBody, ApiError> {
    let model = workers.model(index).ok_or_else(|| {
        ApiError::unavailable(
            "the site's worker is too busy to answer",
            "try again in some seconds",
        )
    })?;
    let beacons = workers.beacons(index);
    let mut windows = workers.sample(index, CLIENTS_MAX);
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
