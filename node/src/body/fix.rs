//! A fix as readers see it.

use std::time::{Duration, Instant};

use locate::{Flags, Source};
use serde::Serialize;
use site::Site;

use super::rounded;
use super::time::rfc3339;
use crate::latest::Published;
use crate::names::Names;

/// The latest fixes of a site.
#[derive(Debug, Serialize)]
pub struct FixesBody<'a> {
    /// Id of the site.
    pub site: &'a str,
    /// When this was written.
    pub time: String,
    /// In order of the clients' ids.
    pub fixes: Vec<FixBody<'a>>,
    /// Where the next page starts (`?after=`), when there are more fixes than the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One fix.
#[derive(Debug, Serialize)]
pub struct FixBody<'a> {
    /// Sixteen digits, or the name of a named client.
    pub client: String,
    /// Id of the site.
    pub site: &'a str,
    /// Middle of the sightings used.
    pub time: String,
    /// Age of `time` when this was written, in milliseconds.
    pub age_ms: u64,
    /// In the site's frame, in metres.
    pub x_m: f64,
    /// In the site's frame, in metres.
    pub y_m: f64,
    /// In the site's frame, in metres.
    pub z_m: f64,
    /// Id of the most probable floor.
    pub floor: &'a str,
    /// Its probability.
    pub floor_probability: f64,
    /// How far off the place may be.
    pub error: ErrorBody,
    /// Radios used.
    pub radios: u16,
    /// Observations behind them.
    pub observations: u32,
    /// `grid` or `range`.
    pub source: &'static str,
    /// Cautions: `teleport`, `degenerate`, `stale`, `outside`.
    pub flags: Vec<&'static str>,
}

/// How far off the place of a fix may be.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    /// Covariance of x and y, in square metres.
    pub cov_m2: [[f64; 2]; 2],
    /// Radius that holds the truth in half of the cases, in metres.
    pub r50_m: f64,
    /// Radius that holds the truth in nine of ten cases, in metres.
    pub r90_m: f64,
}

impl<'a> FixBody<'a> {
    /// A fix of `site`, as written at `now`.
    pub fn new(published: &Published, site: &'a Site, names: &Names, now: Instant) -> Self {
        let Published { sent, at } = published;
        let fix = &sent.fix;
        let age = Duration::try_from_secs_f64(fix.age_s).unwrap_or_default();
        let time_us = u128::from(sent.sent_at_us).saturating_sub(age.as_micros());
        let floor = site.floors.get(usize::from(fix.floor.0));
        let [x_m, y_m, z_m] = fix.position_in_site.coords.into();
        Self {
            client: names.show(sent.client),
            site: &site.id,
            time: rfc3339(u64::try_from(time_us).unwrap_or_default()),
            age_ms: whole_ms(age + now.saturating_duration_since(*at)),
            x_m: rounded(x_m, 2),
            y_m: rounded(y_m, 2),
            z_m: rounded(z_m, 2),
            floor: floor.map_or("", |floor| &floor.id),
            floor_probability: rounded(fix.floor_probability, 3),
            error: ErrorBody {
                cov_m2: <[[f64; 2]; 2]>::from(fix.covariance_m2)
                    .map(|column| column.map(|m2| rounded(m2, 4))),
                r50_m: rounded(fix.r50_m, 2),
                r90_m: rounded(fix.r90_m, 2),
            },
            radios: fix.radios,
            observations: fix.observations,
            source: match fix.source {
                Source::Grid => "grid",
                Source::Range => "range",
            },
            flags: flag_names(fix.flags),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn flag_names(flags: Flags) -> Vec<&'static str> {
    let Flags {
        teleport,
        degenerate,
        stale,
        outside,
    } = flags;
    [
        (teleport, "teleport"),
        (degenerate, "degenerate"),
        (stale, "stale"),
        (outside, "outside"),
    ]
    .into_iter()
    .filter_map(|(raised, name)| raised.then_some(name))
    .collect()
}
