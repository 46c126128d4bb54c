//! `/api/v1/sites/{site}/survey`: "I am here" points, as they are taken, listed and removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use locate::{RangeReading, Sighting};
use nalgebra::Point2;
use serde::{Deserialize, Serialize};
use site::{RadioIndex, Site};

use super::error::ApiError;
use super::etag::tagged;
use super::request::json_body;
use super::sites::{bad_path, json_bytes};
use super::state::HttpState;
use crate::body::time::{now_us, rfc3339};
use crate::calibrate::desk::{Desk, DeskError, HeardClient};
use crate::calibrate::points::{Point, PointSighting, floor_index};

/// How long a client is listened to, in seconds: by default, at least, at most.
const SECONDS: (f64, f64, f64) = (5.0, 0.2, 30.0);

/// Readings that are older than this when listening begins are of where the client was before.
const OLD_READING_S: f64 = 1.0;

/// Fixes listened to at most: a node makes two a second.
const WINDOWS_MAX: usize = 200;

/// When to ask again after an answer that told nothing new.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// "I am here."
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Here {
    client: String,
    x_m: f64,
    y_m: f64,
    floor: String,
    height_m: Option<f64>,
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct SurveyBody<'a> {
    site: &'a str,
    points: Vec<PointBody<'a>>,
}

#[derive(Serialize)]
struct PointBody<'a> {
    id: u32,
    time: &'a str,
    client: &'a str,
    floor: &'a str,
    x_m: f64,
    y_m: f64,
    seconds: f64,
    radios: usize,
    observations: u32,
}

impl<'a> From<&'a Point> for PointBody<'a> {
    fn from(point: &'a Point) -> Self {
        Self {
            id: point.id,
            time: &point.time,
            client: &point.client,
            floor: &point.floor,
            x_m: point.x_m,
            y_m: point.y_m,
            seconds: point.seconds,
            radios: point.sightings.len(),
            observations: point
                .sightings
                .iter()
                .map(|heard| u32::from(heard.count))
                .sum(),
        }
    }
}

pub(super) async fn list(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, site) = state.site(&id)?;
    let desk = state.desk()?;
    let points = blocking(move || desk.points(index))
        .await?
        .map_err(refused)?;
    let body = SurveyBody {
        site: &site.id,
        points: points.iter().map(PointBody::from).collect(),
    };
    Ok(tagged(&headers, "application/json", json_bytes(&body)))
}

pub(super) async fn take(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, site) = state.site(&id)?;
    let desk = state.desk()?;
    let wanted =
        r#"send {"client": "…", "x_m": 12.5, "y_m": 7.0, "floor": "2"}, and "seconds" if not 5"#;
    let here: Here = json_body(&headers, body, wanted).await?;
    let seconds = check(&here, site)?;
    desk.can_keep(index).map_err(refused)?;
    let client = state.names.find(&here.client).ok_or_else(|| {
        ApiError::bad_request(
            "client is neither a name nor 16 hexadecimal digits",
            "take a client from /api/v1/sites/{site}/fixes",
        )
    })?;
    let _turn = state.listening.try_acquire().map_err(|_| {
        ApiError::unavailable(
            "too many clients are being listened to",
            "try again in some seconds",
        )
    })?;
    let windows = listen(&desk, index, client, seconds).await?;
    let sightings = merge(&windows, site);
    if sightings.is_empty() {
        return Err(ApiError::conflict(
            format!("nobody heard this client within {seconds} s, so there is nothing to keep"),
            "check that it is on the air, and that it is the right one of /api/v1/sites/{site}/fixes",
        ));
    }
    let point = Point {
        id: 0,
        time: rfc3339(now_us()),
        client: state.names.show(client),
        floor: here.floor,
        x_m: here.x_m,
        y_m: here.y_m,
        height_m: here.height_m,
        seconds,
        sightings,
    };
    let point = blocking(move || desk.add_point(index, point))
        .await?
        .map_err(refused)?;
    let place = format!("/api/v1/sites/{id}/survey/{}", point.id);

    let place = [(header::LOCATION, place)];
    Ok((StatusCode::CREATED, place, Json(PointBody::from(&point))).into_response())
}

pub(super) async fn remove(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((id, point)) = path.map_err(bad_path)?;
    let (index, _) = state.site(&id)?;
    let desk = state.desk()?;
    let unknown = || {
        ApiError::not_found(
            "the survey has no such point",
            "take an id from /api/v1/sites/{site}/survey",
        )
    };
    let number = point.parse().map_err(|_| unknown())?;
    let removed = blocking(move || desk.remove_point(index, number))
        .await?
        .map_err(refused)?;
    if removed {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unknown())
    }
}

/// Runs what waits for a worker, a disk or arithmetic beside the async tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ApiError::unavailable("the work broke off", "look at the node's log"))
}

/// What a desk's refusal is over HTTP.
pub(super) fn refused(error: DeskError) -> ApiError {
    let what = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let (what, what_to_do) = match what.split_once("; ") {
        Some((what, what_to_do)) => (what.to_owned(), what_to_do.to_owned()),
        None => (what, "look at the node's log".to_owned()),
    };
    match error {
        DeskError::NoFiles { .. } | DeskError::Busy { .. } => ApiError::conflict(what, what_to_do),
        _ => ApiError::unavailable(what, what_to_do),
    }
}

/// The seconds to listen, of a place that can be.
fn check(here: &Here, site: &Site) -> Result<f64, ApiError> {
    let (usual, least, most) = SECONDS;
    let seconds = here.seconds.unwrap_or(usual);
    if !(least..=most).contains(&seconds) {
        return Err(ApiError::bad_request(
            format!("seconds is {seconds}"),
            format!("listen for {least} to {most} s"),
        ));
    }
    let floor = floor_index(site, &here.floor).ok_or_else(|| {
        let floors: Vec<_> = site.floors.iter().map(|floor| floor.id.as_str()).collect();
        ApiError::bad_request(
            "this site has no such floor",
            format!("use one of {}", floors.join(", ")),
        )
    })?;
    let floor = site.floor(floor);
    if !floor.outline.contains(Point2::new(here.x_m, here.y_m)) {
        return Err(ApiError::bad_request(
            format!(
                "the place {}, {} lies outside floor {:?}",
                here.x_m, here.y_m, floor.id
            ),
            "use metres in the site's frame, as the map shows them",
        ));
    }
    if here
        .height_m
        .is_some_and(|height_m| !(0.0..=floor.height_m).contains(&height_m))
    {
        return Err(ApiError::bad_request(
            "height_m is not between floor and ceiling",
            "use metres above the floor, or leave it away for 1.2",
        ));
    }
    Ok(seconds)
}

/// The windows of the client's fixes for so many seconds.
async fn listen(
    desk: &Arc<Desk>,
    site: usize,
    client: wire::ClientId,
    seconds: f64,
) -> Result<Vec<HeardClient>, ApiError> {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut windows: Vec<HeardClient> = Vec::new();
    while Instant::now() < until && windows.len() < WINDOWS_MAX {
        let live = desk.live().clone();
        let Some(window) = blocking(move || live.window(site, client)).await? else {
            break;
        };
        let is_new = windows.last().is_none_or(|last| last.at_us < window.at_us);
        if window.is_fresh && is_new {
            windows.push(window);
        } else {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
    Ok(windows)
}

/// Each radio's mean over the windows; a reading that two windows show counts once.
fn merge(windows: &[HeardClient], site: &Site) -> Vec<PointSighting> {
    let began_us = windows.first().map_or(0, |window| window.at_us) as f64 - OLD_READING_S * 1e6;
    let mut merged: BTreeMap<RadioIndex, Merged> = BTreeMap::new();
    for window in windows {
        for sighting in &window.sightings {
            let heard_us = window.at_us as f64 - f64::from(sighting.age_s) * 1e6;
            let known = merged.entry(sighting.radio).or_default();
            // Ages are told in single precision.
            if heard_us > known.heard_us.max(began_us) + 2_000.0 {
                known.add(sighting, heard_us);
            }
        }
    }
    (merged.iter())
        .filter_map(|(radio, merged)| PointSighting::of(&merged.sighting(*radio)?, site))
        .collect()
}

#[derive(Default)]
struct Merged {
    heard_us: f64,
    count: u32,
    rssi: Mean,
    range: Mean,
    range_deviation_m: Option<f32>,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f32, weight: f64) {
        self.sum += f64::from(value) * weight;
        self.weight += weight;
    }

    fn value(&self) -> Option<f32> {
        (self.weight > 0.0).then(|| (self.sum / self.weight) as f32)
    }
}

impl Merged {
    fn add(&mut self, sighting: &Sighting, heard_us: f64) {
        let weight = f64::from(sighting.count.max(1));
        self.heard_us = heard_us;
        self.count += u32::from(sighting.count.max(1));
        if let Some(rssi_dbm) = sighting.rssi_dbm {
            self.rssi.add(rssi_dbm, weight);
        }
        if let Some(range) = sighting.range {
            self.range.add(range.distance_m, 1.0);
            self.range_deviation_m = range.deviation_m;
        }
    }

    fn sighting(&self, radio: RadioIndex) -> Option<Sighting> {
        (self.count > 0).then(|| Sighting {
            radio,
            rssi_dbm: self.rssi.value(),
            count: u16::try_from(self.count).unwrap_or(u16::MAX),
            age_s: 0.0,
            range: self.range.value().map(|distance_m| RangeReading {
                distance_m,
                deviation_m: self.range_deviation_m,
            }),
        })
    }
}
