//! A site for a data set that has none: the anchors' box and some metres around it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use agent::source::replay::dataset::Anchor;
use anyhow::{Context as _, bail};
use nalgebra::Point3;
use site::{RadioIndex, Site};

use super::split::{CalibrationEpochs, Truth};

/// How far the ground reaches beyond the anchors, in metres.
const MARGIN_M: f64 = 4.0;

/// Height at which clients are carried, as the node's model has it, in metres.
const CARRYING_M: f64 = 1.2;

/// Height of an anchor over the clients where nobody measured it, in metres.
const ANCHOR_OVER_CLIENT_M: f64 = 1.3;

/// Height of a storey where nobody measured it, and least height of one where somebody did.
const STOREY_M: f64 = 3.5;
const STOREY_M_MIN: f64 = 2.0;

/// Space over the highest anchor of the top storey, in metres.
const HEADROOM_M: f64 = 0.5;

/// A site made for a data set.
#[derive(Debug)]
pub(super) struct Ground {
    /// Its id: the set's name.
    pub(super) id: String,
    /// Text of the site file.
    pub(super) text: String,
    /// The same, read.
    pub(super) site: Site,
    /// The AP of each of the set's anchors, as site and agents name it.
    pub(super) aps: Vec<String>,
    /// The site's radio for each of the set's anchors.
    pub(super) radios: Vec<RadioIndex>,
    storeys: Storeys,
}

impl Ground {
    /// Makes the site; heights come from the anchors and from calibration epochs where measured.
    ///
    /// # Errors
    /// When the set has no anchors, or values that no site can have.
    pub(super) fn new(
        name: &str,
        anchors: &[Anchor],
        calibration: &CalibrationEpochs,
    ) -> anyhow::Result<Self> {
        if anchors.is_empty() {
            bail!("data set {name}: no anchors; add them to anchors.csv");
        }
        let id = legal_name(name);
        let aps = ap_names(anchors);
        let storeys = Storeys::new(anchors, calibration);
        let text = site_file(&id, anchors, &aps, &storeys);
        let site = Site::parse(&text).map_err(|problems| {
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("data set {name} makes no site: {}", told.join("; "))
        })?;
        let radios = anchors
            .iter()
            .zip(&aps)
            .map(|(anchor, ap)| {
                let mut radios = site.radios();
                let found =
                    radios.find(|(of, radio)| of.id == *ap && radio.band.as_str() == anchor.band);
                found
                    .map(|(_, radio)| radio.index)
                    .context("every anchor is in the site file")
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id,
            text,
            site,
            aps,
            radios,
            storeys,
        })
    }

    /// A true place in the site's frame; at carrying height where its own was not measured.
    pub(super) fn position(&self, truth: &Truth) -> Point3<f64> {
        let storey = self.storeys.of(truth.floor);
        let measured = truth.z_m.filter(|_| self.storeys.have_heights);
        Point3::new(
            truth.x_m,
            truth.y_m,
            measured.unwrap_or(storey.elevation_m + CARRYING_M),
        )
    }

    /// Id of a floor of the set in the site.
    pub(super) fn floor_id(floor: Option<i32>) -> String {
        floor.unwrap_or(0).to_string()
    }
}

/// The storeys, by the set's floor numbers.
#[derive(Debug, Clone, PartialEq)]
struct Storeys {
    by_floor: BTreeMap<i32, Storey>,
    /// The set's z is that of the site.
    have_heights: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Storey {
    elevation_m: f64,
    height_m: f64,
}

impl Storeys {
    fn new(anchors: &[Anchor], calibration: &CalibrationEpochs) -> Self {
        let of_anchors = anchors.iter().map(|anchor| anchor.floor.unwrap_or(0));
        let of_epochs = calibration
            .iter()
            .map(|epoch| epoch.truth.floor.unwrap_or(0));
        let mut floors: Vec<i32> = of_anchors.chain(of_epochs).collect();
        floors.sort_unstable();
        floors.dedup();
        let measured = measured_elevations(&floors, anchors, calibration);
        let have_heights = measured.is_some();
        let elevations =
            measured.unwrap_or_else(|| (0..floors.len()).map(|n| n as f64 * STOREY_M).collect());
        let mut by_floor = BTreeMap::new();
        for (n, (&floor, &elevation_m)) in floors.iter().zip(&elevations).enumerate() {
            let next_m = elevations.get(n + 1).copied();
            let height_m = match next_m {
                Some(next_m) => next_m - elevation_m,
                None => headroom(floor, elevation_m, anchors),
            };
            by_floor.insert(
                floor,
                Storey {
                    elevation_m,
                    height_m,
                },
            );
        }
        Self {
            by_floor,
            have_heights,
        }
    }

    /// The storey of a floor; the lowest for one that neither an anchor nor the calibration knows.
    fn of(&self, floor: Option<i32>) -> Storey {
        let lowest = Storey {
            elevation_m: 0.0,
            height_m: STOREY_M,
        };
        let known = self
            .by_floor
            .get(&floor.unwrap_or(0))
            .or(self.by_floor.values().next());
        known.copied().unwrap_or(lowest)
    }

    /// Height of an anchor over its floor.
    fn anchor_height_m(&self, anchor: &Anchor) -> f64 {
        let storey = self.of(anchor.floor);
        let measured = anchor.z_m.filter(|_| self.have_heights);
        let height_m = match measured {
            Some(z_m) => z_m - storey.elevation_m,
            None => CARRYING_M + ANCHOR_OVER_CLIENT_M,
        };
        height_m.clamp(0.0, storey.height_m)
    }
}

/// Walking surfaces, lowest first, if the set's heights make sense as storeys.
fn measured_elevations(
    floors: &[i32],
    anchors: &[Anchor],
    calibration: &CalibrationEpochs,
) -> Option<Vec<f64>> {
    let lowest_anchor_m = anchors
        .iter()
        .filter_map(|anchor| anchor.z_m)
        .reduce(f64::min)?;
    let carried_m = |floor: i32| {
        let on_floor = calibration
            .iter()
            .filter(move |e| e.truth.floor.unwrap_or(0) == floor);
        mean(on_floor.filter_map(|epoch| epoch.truth.z_m)).map(|z_m| z_m - CARRYING_M)
    };
    if let [only] = *floors {
        let surface_m = carried_m(only).unwrap_or(0.0);
        return Some(vec![surface_m.min(lowest_anchor_m)]);
    }
    let elevations: Vec<f64> = floors
        .iter()
        .map(|&floor| carried_m(floor))
        .collect::<Option<_>>()?;
    let rise = elevations
        .windows(2)
        .all(|pair| pair[1] - pair[0] >= STOREY_M_MIN);
    rise.then_some(elevations)
}

fn headroom(floor: i32, elevation_m: f64, anchors: &[Anchor]) -> f64 {
    let on_floor = anchors
        .iter()
        .filter(|anchor| anchor.floor.unwrap_or(0) == floor);
    let heights = on_floor
        .filter_map(|anchor| anchor.z_m)
        .map(|z_m| z_m - elevation_m + HEADROOM_M);
    heights.fold(STOREY_M, f64::max)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

fn site_file(id: &str, anchors: &[Anchor], aps: &[String], storeys: &Storeys) -> String {
    let low = |pick: fn(&Anchor) -> f64| {
        anchors.iter().map(pick).fold(f64::INFINITY, f64::min) - MARGIN_M
    };
    let high = |pick: fn(&Anchor) -> f64| {
        anchors.iter().map(pick).fold(f64::NEG_INFINITY, f64::max) + MARGIN_M
    };
    let (x0, x1) = (low(|anchor| anchor.x_m), high(|anchor| anchor.x_m));
    let (y0, y1) = (low(|anchor| anchor.y_m), high(|anchor| anchor.y_m));
    let mut text = format!("site = \"{id}\"\n");
    for (
        floor,
        Storey {
            elevation_m,
            height_m,
        },
    ) in &storeys.by_floor
    {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[floor]]\nid = \"{floor}\"\nelevation_m = {elevation_m}\nheight_m = {height_m}\n\
             outline = [[{x0}, {y0}], [{x1}, {y0}], [{x1}, {y1}], [{x0}, {y1}]]\n"
        );
    }
    let mut by_ap: BTreeMap<&str, Vec<&Anchor>> = BTreeMap::new();
    for (anchor, ap) in anchors.iter().zip(aps) {
        by_ap.entry(ap).or_default().push(anchor);
    }
    for (ap, radios) in by_ap {
        let anchor = radios[0];
        let (x, y, floor) = (anchor.x_m, anchor.y_m, Ground::floor_id(anchor.floor));
        let height_m = storeys.anchor_height_m(anchor);
        let _ = write!(
            text,
            "\n[[anchor]]\nid = \"{ap}\"\nfloor = \"{floor}\"\nposition = [{x}, {y}]\nheight_m = {height_m}\n"
        );
        for radio in radios {
            let _ = writeln!(text, "[[anchor.radio]]\nband = {:?}", radio.band);
            if let Some(freq_mhz) = radio.freq_mhz {
                let _ = writeln!(text, "freq_mhz = {freq_mhz}");
            }
        }
    }
    text
}

/// The AP of each anchor: radios of one AP share it, unless two of them are of one band.
fn ap_names(anchors: &[Anchor]) -> Vec<String> {
    let mut taken: Vec<(String, &str)> = Vec::new();
    let mut names = Vec::with_capacity(anchors.len());
    for anchor in anchors {
        let mut name = legal_name(anchor.ap());
        while taken
            .iter()
            .any(|(ap, band)| *ap == name && *band == anchor.band)
        {
            name = legal_name(&format!("{}-{}", anchor.id, names.len()));
        }
        taken.push((name.clone(), &anchor.band));
        names.push(name);
    }
    names
}

/// The text as a name on the wire: other characters become dashes, what is too long is cut.
pub(super) fn legal_name(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = text
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .take(wire::id::NAME_BYTES_MAX)
        .collect();
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::fixture::{anchor, calibration, epoch};
    use super::*;

    #[test]
    fn the_box_of_the_anchors_and_a_margin() {
        let anchors = [
            anchor("A-2.4", 0.0, 1.0, "2.4"),
            anchor("A-5", 0.0, 1.0, "5"),
            anchor("B-5", 10.0, 6.0, "5"),
        ];
        let ground = Ground::new("my set", &anchors, &calibration(vec![])).unwrap();
        assert_eq!(ground.id, "my-set");
        assert_eq!(ground.aps, ["A", "A", "B"]);
        assert_eq!(ground.radios, [0, 1, 2].map(RadioIndex));
        let (low, high) = ground.site.floors[0].outline.bounds();
        assert_eq!((low.x, low.y, high.x, high.y), (-4.0, -3.0, 14.0, 10.0));
        assert!((ground.site.anchors[0].position.z - 2.5).abs() < 1e-9);
        let truth = epoch(None, "p", 0.0).truth;
        assert_eq!(ground.position(&truth), Point3::new(1.0, 2.0, CARRYING_M));
    }

    #[test]
    fn measured_heights_are_kept() {
        let low = Anchor {
            z_m: Some(0.4),
            ..anchor("A", 0.0, 0.0, "ble")
        };
        let high = Anchor {
            z_m: Some(5.0),
            ..anchor("B", 5.0, 5.0, "ble")
        };
        let mut seen = epoch(None, "p", 0.0);
        seen.truth.z_m = Some(1.9);
        let ground = Ground::new("s", &[low, high], &calibration(vec![seen.clone()])).unwrap();
        let heights: Vec<f64> = ground.site.anchors.iter().map(|a| a.position.z).collect();
        assert_eq!(heights, [0.4, 5.0]);
        assert_eq!(ground.position(&seen.truth).z, 1.9);
    }

    #[test]
    fn floors_without_heights_are_stacked() {
        let on = |id: &str, floor| Anchor {
            floor: Some(floor),
            ..anchor(id, 0.0, 0.0, "5")
        };
        let ground = Ground::new("s", &[on("A", 2), on("B", -1)], &calibration(vec![])).unwrap();
        let ids: Vec<&str> = ground
            .site
            .floors
            .iter()
            .map(|floor| floor.id.as_str())
            .collect();
        assert_eq!(ids, ["-1", "2"]);
        assert_eq!(ground.site.floors[1].elevation_m, STOREY_M);
        assert_eq!(ground.radios, [0, 1].map(RadioIndex));
    }

    #[test]
    fn two_radios_of_one_band_are_two_aps() {
        let twice = [anchor("A", 0.0, 0.0, "5"), anchor("A", 1.0, 0.0, "5")];
        assert!(Ground::new("s", &twice, &calibration(vec![])).is_ok());
        assert!(Ground::new("s", &[], &calibration(vec![])).is_err());
    }

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(legal_name("a b/c"), "a-b-c");
        assert_eq!(legal_name(""), "unnamed");
        assert_eq!(legal_name(&"ä".repeat(90)).len(), 63);
    }
}
