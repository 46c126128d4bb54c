//! What would have helped a fix.

use locate::explain::{Change, ChangeKind};
use serde::Serialize;
use site::Site;

use crate::body::rounded;

#[derive(Debug, Serialize)]
pub(super) struct ChangeBody<'a> {
    /// `more_packets`, `fresh_readings`, `anchor_hears`, `known_power`, `survey` or `range`.
    kind: &'static str,
    /// The anchor that it is about, if it is about one.
    anchor: Option<&'a str>,
    /// For a person.
    what: String,
    r50_m: BeforeAfter,
    rmse_m: BeforeAfter,
}

#[derive(Debug, Serialize)]
struct BeforeAfter {
    before: f64,
    after: f64,
}

impl<'a> ChangeBody<'a> {
    pub(super) fn new(change: &Change, site: &'a Site) -> Self {
        let name = |anchor: usize| site.anchors[anchor].id.as_str();
        let (kind, anchor, what) = match change.kind {
            ChangeKind::MorePackets => (
                "more_packets",
                None,
                "one more packet heard by every radio".to_owned(),
            ),
            ChangeKind::FreshReadings(count) => (
                "fresh_readings",
                None,
                match count {
                    1 => "a fresh reading of the one radio that last heard it over a second ago"
                        .to_owned(),
                    _ => format!(
                        "fresh readings of the {count} radios that last heard it over a second ago"
                    ),
                },
            ),
            ChangeKind::AnchorHears(anchor) => (
                "anchor_hears",
                Some(name(anchor)),
                format!("{} hearing it too", name(anchor)),
            ),
            ChangeKind::KnownPower => (
                "known_power",
                None,
                "knowing how strongly the client transmits".to_owned(),
            ),
            ChangeKind::Survey => ("survey", None, "a survey of the site".to_owned()),
            ChangeKind::Range(anchor) => (
                "range",
                Some(name(anchor)),
                format!("a measured distance to {}", name(anchor)),
            ),
        };
        let (before, after) = (change.before, change.after);
        Self {
            kind,
            anchor,
            what,
            r50_m: BeforeAfter {
                before: rounded(before.r50_m, 2),
                after: rounded(after.r50_m, 2),
            },
            rmse_m: BeforeAfter {
                before: rounded(before.rmse_m, 2),
                after: rounded(after.rmse_m, 2),
            },
        }
    }
}
