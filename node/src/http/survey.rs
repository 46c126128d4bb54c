//! `/api/v1/sites/{site}/survey`: "I am here" points, as they are taken, listed and removed.

mod listen;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::ReplaceError;
use nalgebra::Point2;
use serde::{Deserialize, Serialize};
use site::Site;

use self::listen::{Listened, listen, merge};
use super::error::ApiError;
use super::etag::tagged;
use super::request::json_body;
use super::sites::{bad_path, json_bytes};
use super::state::HttpState;
use crate::body::time::{now_us, rfc3339};
use crate::calibrate::desk::DeskError;
use crate::calibrate::points::{Point, floor_index};
use crate::calibrate::survey_file::SurveyError;

/// How long a client is listened to, in seconds: by default, at least, at most. The least is that of
/// two fixes, since a node makes two a second and the first may come late.
const SECONDS: (f64, f64, f64) = (5.0, 1.0, 30.0);

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
    let permit = state.listening.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable(
            "too many clients are being listened to",
            "try again in some seconds",
        )
    })?;
    let listened = listen(desk.live(), permit, index, client, seconds).await?;
    let Listened { windows, seconds } = listened;
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
        .map_err(|_| ApiError::broken())
}

/// What a desk's refusal is over HTTP: `409` where files or another order stand in the way, `503`
/// where waiting helps, `500` with a line in the log where somebody must look.
pub(super) fn refused(error: DeskError) -> ApiError {
    let mut what = error.what();
    let mut causes = std::error::Error::source(&error);
    // What a survey error says is said already; its own cause is not.
    if matches!(error, DeskError::Survey(_)) {
        causes = causes.and_then(std::error::Error::source);
    }
    if !matches!(error, DeskError::Cancelled(_)) {
        while let Some(cause) = causes {
            what = format!("{what}: {cause}");
            causes = cause.source();
        }
    }
    let what_to_do = error.what_to_do();
    match error {
        DeskError::NoFiles { .. }
        | DeskError::Busy { .. }
        | DeskError::Replace(ReplaceError::Shape { .. })
        | DeskError::Survey(
            SurveyError::Full { .. }
            | SurveyError::Line { .. }
            | SurveyError::Point { .. }
            | SurveyError::Spent { .. },
        ) => ApiError::conflict(what, what_to_do),
        DeskError::Cancelled(_) | DeskError::Ask(_) | DeskError::Replace(_) => {
            ApiError::unavailable(what, what_to_do)
        }
        _ => {
            tracing::error!("{what}; {what_to_do}");
            ApiError::failed(what, what_to_do)
        }
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
    let place = Point2::new(here.x_m, here.y_m);
    if !floor.outline.contains(place) {
        return Err(ApiError::bad_request(
            format!(
                "the place {}, {} lies outside floor {:?}",
                here.x_m, here.y_m, floor.id
            ),
            "use metres in the site's frame, as the map shows them",
        ));
    }
    if !floor.is_allowed(place) {
        return Err(ApiError::bad_request(
            format!(
                "the place {}, {} is on floor {:?} where the site file lets nobody walk",
                here.x_m, here.y_m, floor.id
            ),
            "choose walkable ground, or mend `allowed` and `blocked` of the site file",
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
