//! Where a calibration came from: two comment lines at the head of its file, for people and for us.

use locate::self_calibration::{Comparison, SelfCalibration};
use serde::{Deserialize, Serialize};
use site::{Calibration, Site};

use super::held_back::HeldBack;

/// How the line begins that we read again.
const MARK: &str = "# origin: ";

/// How a calibration was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// There is none: the physics of the site file, or fixed constants.
    None,
    /// From anchors that hear each other, and from clients at unknown places.
    #[serde(rename = "self")]
    SelfMade,
    /// From known places.
    Survey,
    /// From a file that does not say.
    File,
}

impl Way {
    /// The word of API and command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SelfMade => "self",
            Self::Survey => "survey",
            Self::File => "file",
        }
    }
}

/// Where a calibration came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// How it was come by.
    pub way: Way,
    /// When it was made, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// Surveyed points or epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<usize>,
    /// Errors at held-back places in metres, without and with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// Pairs of anchors that heard each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_pairs: Option<usize>,
    /// Windows of clients at unknown places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<usize>,
    /// Log-density of held-back links between anchors, without and with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Likelihood>,
    /// Log-density of held-back readings of clients, without and with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<Likelihood>,
}

/// Mean log-density of held-back data, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// Without calibration.
    pub before_nats: f64,
    /// With it.
    pub after_nats: f64,
    /// Of how many.
    pub count: usize,
}

impl From<Comparison> for Likelihood {
    fn from(comparison: Comparison) -> Self {
        Self {
            before_nats: comparison.before_nats,
            after_nats: comparison.after_nats,
            count: comparison.count,
        }
    }
}

impl Origin {
    /// Nothing was learned.
    pub fn none() -> Self {
        Self {
            way: Way::None,
            made: None,
            points: None,
            held_back: None,
            anchor_pairs: None,
            windows: None,
            links: None,
            clients: None,
        }
    }

    /// From a survey of so many points.
    pub fn survey(made: String, points: usize, held_back: HeldBack) -> Self {
        Self {
            way: Way::Survey,
            made: Some(made),
            points: Some(points),
            held_back: Some(held_back),
            ..Self::none()
        }
    }

    /// From self-calibration, checked at surveyed places where there are any.
    pub fn self_made(made: String, told: &SelfCalibration, held_back: Option<HeldBack>) -> Self {
        Self {
            way: Way::SelfMade,
            made: Some(made),
            held_back,
            anchor_pairs: Some(told.pairs),
            windows: Some(told.windows),
            links: told.links.map(Into::into),
            clients: told.traffic.map(Into::into),
            ..Self::none()
        }
    }

    /// What a calibration file says of its origin.
    pub fn of_text(text: &str) -> Self {
        let marked = text.lines().find_map(|line| line.strip_prefix(MARK));
        marked
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or(Self {
                way: Way::File,
                ..Self::none()
            })
    }

    /// The text of a calibration file that says where it came from.
    ///
    /// # Panics
    /// Never: an origin has string keys.
    pub fn file_text(&self, calibration: &Calibration, site: &Site) -> String {
        let json = serde_json::to_string(self).expect("an origin has string keys");
        let when = self.made.as_deref().unwrap_or("by hand");
        let way = self.way.as_str();
        format!(
            "# Made {when} by `trilobite calibrate`, way: {way}.\n{MARK}{json}\n{}",
            calibration.to_toml(site)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::held_back::Errors;
    use super::*;

    #[test]
    fn a_file_says_where_it_came_from() {
        let site = Site::parse(include_str!("../../../sites/office.toml")).unwrap();
        let errors = Errors {
            median_m: 2.0,
            rmse_m: 3.0,
            floor_share: 1.0,
        };
        let held_back = HeldBack {
            places: 9,
            fixes: 12,
            before: errors,
            after: errors,
        };
        let origin = Origin::survey("2026-11-20T10:15:00.000Z".into(), 12, held_back);
        let text = origin.file_text(&Calibration::default(), &site);
        assert_eq!(Origin::of_text(&text), origin);
        assert!(Calibration::parse(&text, &site).is_ok());
        assert!(
            text.starts_with(
                "# Made 2026-11-20T10:15:00.000Z by `trilobite calibrate`, way: survey."
            )
        );
        assert_eq!(Origin::of_text("site = \"office\"\n").way, Way::File);
    }
}
