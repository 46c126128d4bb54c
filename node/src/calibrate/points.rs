//! Points of a survey: places where somebody said "I am here", and what was heard there.

use std::path::Path;

use locate::fit::SurveyEpoch;
use locate::{RangeReading, Sighting};
use serde::{Deserialize, Serialize};
use site::{FloorIndex, Site};

use super::held_back::Placed;
use super::survey_file::SurveyError;

/// Height at which a client is carried when a survey does not say, in metres.
pub(super) const CARRYING_M: f64 = 1.2;

/// A place with what was heard there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Number in the file, from 1 on; never given twice while the file lives.
    pub id: u32,
    /// When it was taken, RFC 3339 in UTC.
    pub time: String,
    /// The client that was carried: its name, or its sixteen digits of that day.
    pub client: String,
    /// Id of the floor.
    pub floor: String,
    /// Across, in the site's frame, in metres.
    pub x_m: f64,
    /// Along.
    pub y_m: f64,
    /// Height above the floor; 1.2 m where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height_m: Option<f64>,
    /// How long it was listened, in seconds.
    pub seconds: f64,
    /// What was heard, by radio.
    pub sightings: Vec<PointSighting>,
}

/// What one radio heard at a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSighting {
    /// Id of its anchor.
    pub anchor: String,
    /// Its band.
    pub band: String,
    /// Mean signal strength; absent where the radio only ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rssi_dbm: Option<f32>,
    /// Observations in the mean.
    pub count: u16,
    /// Mean distance, raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_m: Option<f32>,
    /// Its standard deviation as the source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_std_m: Option<f32>,
}

/// The points as a survey of the site.
///
/// # Errors
/// [`SurveyError::Point`] names a floor that the site does not have. Radios that it does not have,
/// any more, are passed over.
pub fn placed(points: &[Point], site: &Site, path: &Path) -> Result<Vec<Placed>, SurveyError> {
    let mut devices: Vec<&str> = points.iter().map(|point| point.client.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    let mut placed = Vec::with_capacity(points.len());
    for point in points {
        let Some(floor) = floor_index(site, &point.floor) else {
            let known: Vec<&str> = site.floors.iter().map(|floor| floor.id.as_str()).collect();
            return Err(SurveyError::Point {
                path: path.to_owned(),
                id: point.id,
                what: format!("the site has no floor {:?}", point.floor),
                what_to_do: format!("use one of {}", known.join(", ")),
            });
        };
        let device = devices.binary_search(&point.client.as_str());
        let z_m = site.floor(floor).elevation_m + point.height_m.unwrap_or(CARRYING_M);
        placed.push(Placed {
            floor,
            epoch: SurveyEpoch {
                position_in_site: [point.x_m, point.y_m, z_m].into(),
                client: device.unwrap_or_default() as u32,
                sightings: (point.sightings.iter())
                    .filter_map(|heard| heard.sighting(site))
                    .collect(),
            },
        });
    }
    Ok(placed)
}

/// Index of the floor with this id.
pub fn floor_index(site: &Site, id: &str) -> Option<FloorIndex> {
    let index = site.floors.iter().position(|floor| floor.id == id)?;
    u8::try_from(index).ok().map(FloorIndex)
}

impl PointSighting {
    /// What a file keeps of a sighting; `None` for a radio that the site does not have.
    pub fn of(sighting: &Sighting, site: &Site) -> Option<Self> {
        let (anchor, radio) = site.radios().nth(usize::from(sighting.radio.0))?;
        let tenths = |value: f32| (value * 10.0).round() / 10.0;
        Some(Self {
            anchor: anchor.id.clone(),
            band: radio.band.as_str().to_owned(),
            rssi_dbm: sighting.rssi_dbm.map(tenths),
            count: sighting.count,
            range_m: sighting
                .range
                .map(|range| (range.distance_m * 1e3).round() / 1e3),
            range_std_m: sighting.range.and_then(|range| range.deviation_m),
        })
    }

    fn sighting(&self, site: &Site) -> Option<Sighting> {
        let is_meant = |(anchor, radio): &(&site::Anchor, &site::Radio)| {
            anchor.id == self.anchor && radio.band.as_str() == self.band
        };
        let (_, radio) = site.radios().find(is_meant)?;
        Some(Sighting {
            radio: radio.index,
            rssi_dbm: self.rssi_dbm,
            count: self.count.max(1),
            age_s: 0.0,
            range: self.range_m.map(|distance_m| RangeReading {
                distance_m,
                deviation_m: self.range_std_m,
            }),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn point(id: u32) -> Point {
        Point {
            id,
            time: "2026-11-20T10:15:00.000Z".into(),
            client: "surveyor".into(),
            floor: "2".into(),
            x_m: 12.5,
            y_m: 7.0,
            height_m: None,
            seconds: 5.0,
            sightings: vec![PointSighting {
                anchor: "ap-1".into(),
                band: "5".into(),
                rssi_dbm: Some(-61.2),
                count: 9,
                range_m: None,
                range_std_m: None,
            }],
        }
    }

    #[test]
    fn a_floor_that_is_gone_is_named_and_a_radio_that_is_gone_passed_over() {
        let site = Site::parse(include_str!("../../../sites/office.toml")).unwrap();
        let mut odd = point(7);
        odd.floor = "9".into();
        let path = Path::new("office.survey.ndjson");
        let error = placed(&[odd], &site, path).unwrap_err().to_string();
        assert!(
            error.contains("no floor \"9\"; use one of 1, 2, 3"),
            "{error}"
        );
        let mut gone = point(8);
        gone.sightings[0].anchor = "gone".into();
        let placed = placed(&[gone], &site, path).unwrap();
        assert_eq!(placed[0].epoch.sightings, []);
        assert_eq!(
            placed[0].epoch.position_in_site.z,
            site.floors[1].elevation_m + 1.2
        );
    }
}
