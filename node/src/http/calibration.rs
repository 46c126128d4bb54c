//! `/api/v1/sites/{site}/calibration`: what is in force, and the order to learn anew.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use site::Site;

use super::error::ApiError;
use super::etag::tagged;
use super::request::json_body;
use super::sites::{bad_path, json_bytes};
use super::state::HttpState;
use super::survey::{blocking, refused};
use crate::calibrate::desk::{Desk, InForce};
use crate::calibrate::origin::{Origin, Way};

/// An order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    way: String,
}

/// What is in force.
#[derive(Serialize)]
struct CalibrationBody<'a> {
    site: &'a str,
    #[serde(flatten)]
    origin: Origin,
    since: String,
    radios: usize,
    slabs: Vec<SlabBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_offset_deviation_db: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// The loss of the slab under a floor, in dB at 2.4, 5 and 6 GHz.
#[derive(Serialize)]
struct SlabBody<'a> {
    floor: &'a str,
    loss_db: [f64; 3],
}

/// What an order came to.
#[derive(Serialize)]
struct OutcomeBody<'a> {
    kept: bool,
    told: String,
    tried: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<String>,
    in_force: CalibrationBody<'a>,
}

impl<'a> CalibrationBody<'a> {
    fn new(site: &'a Site, in_force: InForce) -> Self {
        let calibration = &in_force.calibration;
        let tenths = |loss_db: f64| (loss_db * 10.0).round() / 10.0;
        let slabs = site.floors.iter().zip(&calibration.slabs);
        let slabs = slabs.filter_map(|(floor, slab)| {
            let loss = slab.as_ref()?;
            Some(SlabBody {
                floor: &floor.id,
                loss_db: [loss.ghz2_db, loss.ghz5_db, loss.ghz6_db].map(tenths),
            })
        });
        Self {
            site: &site.id,
            radios: calibration.radios.iter().flatten().count(),
            slabs: slabs.collect(),
            client_offset_deviation_db: calibration.client_offset_deviation_db,
            origin: in_force.origin,
            since: in_force.since,
            refused: in_force.refused,
        }
    }
}

pub(super) async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, site) = state.site(&id)?;
    let body = CalibrationBody::new(site, state.desk()?.in_force(index));
    Ok(tagged(&headers, "application/json", json_bytes(&body)))
}

pub(super) async fn order(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (index, site) = state.site(&id)?;
    let desk: Arc<Desk> = state.desk()?;
    let wanted = r#"send {"way": "survey"}, {"way": "self"} or {"way": "none"}"#;
    let order: Order = json_body(&headers, body, wanted).await?;
    let way = match order.way.as_str() {
        "survey" => Way::Survey,
        "self" => Way::SelfMade,
        "none" => Way::None,
        other => {
            let what = format!("there is no way {other:?} to calibrate");
            return Err(ApiError::bad_request(what, wanted));
        }
    };
    let working = desk.clone();
    let outcome = blocking(move || working.calibrate(index, way))
        .await?
        .map_err(refused)?;
    let body = OutcomeBody {
        kept: outcome.kept,
        told: outcome.told,
        tried: outcome.origin,
        backup: outcome.backup,
        in_force: CalibrationBody::new(site, desk.in_force(index)),
    };
    Ok(Json(body).into_response())
}
