//! How good a site's fixes are now, as readers see it.

use std::time::Duration;

use ingest::{BeaconReading, ClientWindow};
use locate::outlook::{AnchorCheck, AnchorLink, Honesty, Outlook};
use serde::Serialize;
use site::Site;

use super::rounded;
use super::time::{now_us, rfc3339};

/// The present error of a site and what a lost anchor would cost.
#[derive(Debug, Serialize)]
pub struct AccuracyBody {
    site: String,
    time: String,
    /// What fixes state of themselves; `None` when nobody was located.
    stated: Option<StatedBody>,
    /// Anchors located by each other's beacons; `None` when none are heard.
    beacons: Option<BeaconsBody>,
    /// Clients located without each anchor; `None` when nobody was located.
    without_anchor: Option<WithoutAnchorBody>,
}

/// An [`AccuracyBody`] with its age.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    #[serde(flatten)]
    body: &'a AccuracyBody,
    age_ms: u64,
}

#[derive(Debug, Serialize)]
struct StatedBody {
    clients: usize,
    r50_median_m: f64,
    r90_median_m: f64,
}

#[derive(Debug, Serialize)]
struct BeaconsBody {
    /// Age of the newest when this was computed.
    age_ms: u64,
    links: usize,
    /// Anchors that at least three others hear.
    anchors_located: usize,
    median_m: Option<f64>,
    p90_m: Option<f64>,
    floors_right: usize,
    residuals: Option<ResidualsBody>,
    anchors: Vec<AnchorBody>,
}

#[derive(Debug, Serialize)]
struct ResidualsBody {
    links: usize,
    rms_db: f64,
    expected_db: f64,
}

#[derive(Debug, Serialize)]
struct AnchorBody {
    anchor: String,
    heard_by: usize,
    error_m: f64,
    floor_right: bool,
    r50_m: f64,
    r90_m: f64,
}

#[derive(Debug, Serialize)]
struct WithoutAnchorBody {
    clients: usize,
    readings: HonestyBody,
    anchors: Vec<CostBody>,
}

#[derive(Debug, Serialize)]
struct CostBody {
    anchor: String,
    clients: usize,
    without_fix: usize,
    shift_median_m: Option<f64>,
    r50_ratio_median: Option<f64>,
    r50_ratio_p90: Option<f64>,
    readings: HonestyBody,
}

/// Shares that should be a half and nine tenths.
#[derive(Debug, Serialize)]
struct HonestyBody {
    count: usize,
    within_50: Option<f64>,
    within_90: Option<f64>,
}

/// What the estimator takes of beacons.
pub fn links(beacons: &[BeaconReading]) -> Vec<AnchorLink> {
    let link = |beacon: &BeaconReading| AnchorLink {
        receiver: beacon.receiver,
        transmitter: beacon.transmitter,
        mean_dbm: (beacon.count > 0).then_some(beacon.mean_dbm),
        count: u16::try_from(beacon.count).unwrap_or(u16::MAX),
        range: beacon.range,
    };
    beacons.iter().map(link).collect()
}

impl AccuracyBody {
    /// What was found at `site` with these clients; `beacons_age` is that of the newest beacon.
    pub fn new(
        site: &Site,
        windows: &[ClientWindow],
        outlook: &Outlook,
        check: &AnchorCheck,
        beacons_age: Option<Duration>,
    ) -> Self {
        Self {
            site: site.id.clone(),
            time: rfc3339(now_us()),
            stated: StatedBody::of(windows),
            beacons: beacons_age.map(|age| BeaconsBody::new(site, check, age)),
            without_anchor: (outlook.clients > 0).then(|| WithoutAnchorBody {
                clients: outlook.clients,
                readings: HonestyBody::new(&outlook.honesty),
                anchors: outlook
                    .anchors
                    .iter()
                    .map(|cost| CostBody {
                        anchor: site.anchors[cost.anchor].id.clone(),
                        clients: cost.clients,
                        without_fix: cost.without_fix,
                        shift_median_m: cost.shift_median_m.map(|m| rounded(m, 2)),
                        r50_ratio_median: cost.r50_ratio_median.map(|ratio| rounded(ratio, 3)),
                        r50_ratio_p90: cost.r50_ratio_p90.map(|ratio| rounded(ratio, 3)),
                        readings: HonestyBody::new(&cost.honesty),
                    })
                    .collect(),
            }),
        }
    }
}

impl<'a> Told<'a> {
    /// A body that was computed so long ago.
    pub fn new(body: &'a AccuracyBody, age: Duration) -> Self {
        Self {
            body,
            age_ms: whole_ms(age),
        }
    }
}

impl StatedBody {
    fn of(windows: &[ClientWindow]) -> Option<Self> {
        let fixes: Vec<_> = windows.iter().filter_map(|window| window.fix).collect();
        let median = |radius: fn(&locate::Fix) -> f64| {
            let mut radii: Vec<f64> = fixes.iter().map(radius).collect();
            radii.sort_by(f64::total_cmp);
            radii.get(radii.len().saturating_sub(1) / 2).copied()
        };
        Some(Self {
            clients: fixes.len(),
            r50_median_m: rounded(median(|fix| fix.r50_m)?, 2),
            r90_median_m: rounded(median(|fix| fix.r90_m)?, 2),
        })
    }
}

impl BeaconsBody {
    fn new(site: &Site, check: &AnchorCheck, age: Duration) -> Self {
        let right = check.anchors.iter().filter(|anchor| anchor.floor_is_right);
        Self {
            age_ms: whole_ms(age),
            links: check.links,
            anchors_located: check.anchors.len(),
            median_m: check.median_m.map(|m| rounded(m, 2)),
            p90_m: check.p90_m.map(|m| rounded(m, 2)),
            floors_right: right.count(),
            residuals: check.residuals.map(|residuals| ResidualsBody {
                links: residuals.links,
                rms_db: rounded(residuals.rms_db, 2),
                expected_db: rounded(residuals.expected_db, 2),
            }),
            anchors: check
                .anchors
                .iter()
                .map(|anchor| AnchorBody {
                    anchor: site.anchors[anchor.anchor].id.clone(),
                    heard_by: anchor.heard_by,
                    error_m: rounded(anchor.error_m, 2),
                    floor_right: anchor.floor_is_right,
                    r50_m: rounded(anchor.r50_m, 2),
                    r90_m: rounded(anchor.r90_m, 2),
                })
                .collect(),
        }
    }
}

impl HonestyBody {
    fn new(honesty: &Honesty) -> Self {
        let share = |within: usize| {
            let share = within as f64 / honesty.readings as f64;
            (honesty.readings > 0).then(|| rounded(share, 3))
        };
        Self {
            count: honesty.readings,
            within_50: share(honesty.within_50),
            within_90: share(honesty.within_90),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
