//! A site for a data set that has none: the anchors' box and some metres around it, or its mask.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use agent::source::replay::dataset::Anchor;
use anyhow::{Context as _, bail};
use nalgebra::Point3;
use site::{RadioIndex, Site};

use super::mask;
use super::rectangle::Rectangle;
use super::split::{CalibrationEpochs, Truth};
use super::storeys::{CARRYING_M, Storey, Storeys};

/// How far the ground reaches beyond the anchors, in metres.
const MARGIN_M: f64 = 4.0;

/// Where the site lets clients be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// In the box of the anchors and some metres around it.
    Open,
    /// Near places where the calibration was on the same floor, as a floor plan would say.
    Mask,
}

/// A site made for a data set.
#[derive(Debug)]
pub(crate) struct Ground {
    /// Its id: the set's name.
    pub(crate) id: String,
    /// Text of the site file.
    pub(crate) text: String,
    /// The same, read.
    pub(crate) site: Site,
    /// The AP of each of the set's anchors, as site and agents name it.
    pub(crate) aps: Vec<String>,
    /// The site's radio for each of the set's anchors.
    pub(crate) radios: Vec<RadioIndex>,
    storeys: Storeys,
}

impl Ground {
    /// Makes the site; heights come from the anchors and from calibration epochs where measured.
    ///
    /// # Errors
    /// When the set has no anchors, or values that no site can have.
    pub(crate) fn new(
        name: &str,
        anchors: &[Anchor],
        calibration: &CalibrationEpochs,
        area: Area,
    ) -> anyhow::Result<Self> {
        if anchors.is_empty() {
            bail!("data set {name}: no anchors; add them to anchors.csv");
        }
        let id = legal_name(name);
        let aps = ap_names(anchors);
        let storeys = Storeys::new(anchors, calibration);
        let masked = match area {
            Area::Open => None,
            Area::Mask => Some(calibration),
        };
        let text = site_file(&id, anchors, &aps, &storeys, masked);
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
    pub(crate) fn position(&self, truth: &Truth) -> Point3<f64> {
        let storey = self.storeys.of(truth.floor);
        let measured = truth.z_m.filter(|_| self.storeys.have_heights);
        Point3::new(
            truth.x_m,
            truth.y_m,
            measured.unwrap_or(storey.elevation_m + CARRYING_M),
        )
    }

    /// Id of a floor of the set in the site.
    pub(crate) fn floor_id(floor: Option<i32>) -> String {
        floor.unwrap_or(0).to_string()
    }
}

fn site_file(
    id: &str,
    anchors: &[Anchor],
    aps: &[String],
    storeys: &Storeys,
    masked: Option<&CalibrationEpochs>,
) -> String {
    let anchors_box = Rectangle::around(anchors.iter().map(|a| [a.x_m, a.y_m]), MARGIN_M);
    let mut text = format!("site = \"{id}\"\n");
    for (&floor, storey) in &storeys.by_floor {
        let Storey {
            elevation_m,
            height_m,
        } = storey;
        let places: Vec<[f64; 2]> = masked
            .into_iter()
            .flat_map(CalibrationEpochs::iter)
            .map(|epoch| &epoch.truth)
            .filter(|truth| truth.floor.unwrap_or(0) == floor)
            .map(|truth| [truth.x_m, truth.y_m])
            .collect();
        let near = Rectangle::around(places.iter().copied(), mask::REACH_M);
        let outline = anchors_box.joined(near);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[floor]]\nid = \"{floor}\"\nelevation_m = {elevation_m}\nheight_m = {height_m}\n\
             outline = {outline}\n"
        );
        if !places.is_empty() {
            let areas = mask::near(&places, outline.low);
            let areas: Vec<String> = areas.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "allowed = [{}]", areas.join(", "));
        }
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
            "\n[[anchor]]\nid = \"{ap}\"\nfloor = \"{floor}\"\nposition = [{x}, {y}]\nheight_m = \
                {height_m}\n"
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
pub(crate) fn legal_name(text: &str) -> String {
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
    use super::super::storeys::STOREY_M;
    use super::*;

    #[test]
    fn the_box_of_the_anchors_and_a_margin() {
        let anchors = [
            anchor("A-2.4", 0.0, 1.0, "2.4"),
            anchor("A-5", 0.0, 1.0, "5"),
            anchor("B-5", 10.0, 6.0, "5"),
        ];
        let ground = Ground::new("my set", &anchors, &calibration(vec![]), Area::Open).unwrap();
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
        let ground = Ground::new(
            "s",
            &[low, high],
            &calibration(vec![seen.clone()]),
            Area::Open,
        )
        .unwrap();
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
        let ground = Ground::new(
            "s",
            &[on("A", 2), on("B", -1)],
            &calibration(vec![]),
            Area::Open,
        )
        .unwrap();
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
        assert!(Ground::new("s", &twice, &calibration(vec![]), Area::Open).is_ok());
        assert!(Ground::new("s", &[], &calibration(vec![]), Area::Open).is_err());
    }

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(legal_name("a b/c"), "a-b-c");
        assert_eq!(legal_name(""), "unnamed");
        assert_eq!(legal_name(&"ä".repeat(90)).len(), 63);
    }
}
