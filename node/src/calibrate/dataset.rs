//! A walked survey in CSV: a folder with anchors, true places and what was heard.

use std::path::Path;

use agent::source::replay::dataset::{Anchor, Dataset, Epoch, Reading, Split};
use anyhow::{Context as _, bail};
use locate::fit::SurveyEpoch;
use locate::{RangeReading, Sighting};
use nalgebra::{Point3, Vector2};
use site::{FloorIndex, RadioIndex, Site};

use super::held_back::Placed;
use super::points::{CARRYING_M, floor_index};

/// How far a surveyed place may lie beyond its floor's outline, in metres: balconies, and outlines
/// drawn a little small.
const BEYOND_OUTLINE_M: f64 = 10.0;

/// A survey in terms of a site.
#[derive(Debug)]
pub struct SurveySet {
    /// What was heard at known places: the epochs of split `cal`.
    pub placed: Vec<Placed>,
    /// Radios of the survey that the site does not have.
    pub strangers: Vec<String>,
}

/// Reads a data set as a survey of the site. Epochs of split `test` are left alone: they are for
/// scoring.
///
/// # Errors
/// Tells which file and line is wrong, or what of the survey the site does not have.
pub fn read(folder: &Path, site: &Site) -> anyhow::Result<SurveySet> {
    let set = Dataset::load(folder)?;
    let radios: Vec<Option<RadioIndex>> = set
        .anchors
        .iter()
        .map(|anchor| radio_of(anchor, site))
        .collect();
    if radios.iter().all(Option::is_none) {
        let theirs = set.anchors.first().map_or("", |anchor| anchor.ap());
        let ours = site.anchors.first().map_or("", |anchor| anchor.id.as_str());
        bail!(
            "survey {}: none of its radios is in site \"{}\"; its anchors are named as {theirs:?}, \
             those of the site as {ours:?}: use the same ids and bands",
            folder.display(),
            site.id,
        );
    }
    let mut heard: Vec<Vec<Sighting>> = vec![Vec::new(); set.epochs.len()];
    for reading in &set.readings {
        if let Some(radio) = radios[reading.anchor] {
            heard[reading.epoch].push(sighting(reading, radio));
        }
    }
    let mut devices: Vec<&str> = set
        .epochs
        .iter()
        .map(|epoch| epoch.client.as_str())
        .collect();
    devices.sort_unstable();
    devices.dedup();
    let mut survey = SurveySet {
        placed: Vec::new(),
        strangers: strangers(&set.anchors, &radios),
    };
    for (epoch, sightings) in set.epochs.iter().zip(heard) {
        if epoch.split != Split::Calibration || sightings.is_empty() {
            continue;
        }
        let device = devices
            .binary_search(&epoch.client.as_str())
            .unwrap_or_default();
        survey.placed.push(
            placed(epoch, device, sightings, site)
                .with_context(|| format!("survey {}, epoch {:?}", folder.display(), epoch.id))?,
        );
    }
    if survey.placed.is_empty() {
        bail!(
            "survey {}: no epoch of split cal was heard by a radio of the site; \
             epochs of split test are for scoring and are not used",
            folder.display()
        );
    }
    Ok(survey)
}

fn placed(
    epoch: &Epoch,
    device: usize,
    sightings: Vec<Sighting>,
    site: &Site,
) -> anyhow::Result<Placed> {
    let floor = match epoch.floor {
        Some(number) => floor_index(site, &number.to_string()),
        None => (site.floors.len() == 1).then_some(FloorIndex(0)),
    };
    let floor = floor.with_context(|| {
        let known: Vec<&str> = site.floors.iter().map(|floor| floor.id.as_str()).collect();
        let told = epoch
            .floor
            .map_or("no floor".to_owned(), |number| format!("floor {number}"));
        format!("{told}, but the site has {}", known.join(", "))
    })?;
    let (min, max) = site.floor(floor).outline.bounds();
    let reach = Vector2::repeat(BEYOND_OUTLINE_M);
    let (min, max) = (min - reach, max + reach);
    if !(min.x..=max.x).contains(&epoch.x_m) || !(min.y..=max.y).contains(&epoch.y_m) {
        bail!(
            "the place {}, {} is not on floor \"{}\" of the site; use metres in the site's frame",
            epoch.x_m,
            epoch.y_m,
            site.floor(floor).id,
        );
    }
    let carried_m = site.floor(floor).elevation_m + CARRYING_M;
    Ok(Placed {
        floor,
        epoch: SurveyEpoch {
            position_in_site: Point3::new(epoch.x_m, epoch.y_m, epoch.z_m.unwrap_or(carried_m)),
            client: device as u32,
            sightings,
        },
    })
}

fn radio_of(anchor: &Anchor, site: &Site) -> Option<RadioIndex> {
    let is_meant = |(of, radio): &(&site::Anchor, &site::Radio)| {
        (of.id == anchor.ap() || of.id == anchor.id) && radio.band.as_str() == anchor.band
    };
    site.radios().find(is_meant).map(|(_, radio)| radio.index)
}

fn strangers(anchors: &[Anchor], radios: &[Option<RadioIndex>]) -> Vec<String> {
    let unknown = anchors
        .iter()
        .zip(radios)
        .filter(|(_, radio)| radio.is_none());
    unknown.map(|(anchor, _)| anchor.id.clone()).collect()
}

fn sighting(reading: &Reading, radio: RadioIndex) -> Sighting {
    Sighting {
        radio,
        rssi_dbm: reading.rssi_dbm.map(|dbm| dbm as f32),
        count: 1,
        age_s: 0.0,
        range: reading.range_m.map(|distance_m| RangeReading {
            distance_m: distance_m as f32,
            deviation_m: reading.range_std_m.map(|deviation_m| deviation_m as f32),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_where_nobody_can_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write(
            "anchors.csv",
            "anchor_id,x_m,y_m,z_m,floor,band,freq_mhz\nap-101-5,4,4,2.6,1,5,5200\n",
        );
        write(
            "truth.csv",
            "epoch_id,t_s,client_id,traj_id,loc_id,split,x_m,y_m,z_m,floor,los\n\
             e1,0,phone,,p1,cal,1e300,4,,1,\n",
        );
        write(
            "observations.csv",
            "epoch_id,t_s,anchor_id,rssi_dbm,range_m,range_std_m\ne1,0,ap-101-5,-60,,\n",
        );
        let site = Site::parse(include_str!("../../../sites/office.toml")).unwrap();
        let error = format!("{:#}", read(folder.path(), &site).unwrap_err());
        assert!(
            error.contains("epoch \"e1\"") && error.contains("not on floor \"1\""),
            "{error}"
        );
    }
}
