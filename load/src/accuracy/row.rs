//! One way of one set, in numbers.

use std::fmt::{self, Display, Formatter};

use locate::Fix;
use serde::Serialize;

use super::mode::Mode;
use super::pass::Answers;
use crate::dataset::errors::Errors;
use crate::dataset::ground::Ground;
use crate::dataset::split::{TestEpochs, Truth};
use crate::report::rounded;

/// Where parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scoring {
    /// Fitted on the epochs of split `cal`.
    Calibrated,
    /// Fixed constants.
    Blind,
}

/// Where the site lets clients be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// In the box of the anchors and 4 m around it.
    Open,
    /// Within 1 m of places of split `cal` on the same floor.
    Mask,
}

/// What is remembered from one epoch to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Nothing.
    Epoch,
    /// The track of a walk; all epochs of a static place.
    Track,
}

/// How a row came about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) set: &'a str,
    pub(super) mode: Mode,
    pub(super) scoring: Scoring,
    pub(super) area: Area,
}

/// Errors of the fixes of one set in one way; distances are horizontal, in metres.
///
/// Errors and coverages are those of the epochs with a fix, `None` (JSON `null`) where there are
/// none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the set's folder.
    pub set: String,
    /// What was used; with `--mode auto`, what that came to.
    pub mode: Mode,
    /// Where parameters came from.
    pub scoring: Scoring,
    /// Where clients could be.
    pub area: Area,
    /// What was remembered.
    pub memory: Memory,
    /// Test epochs.
    pub epochs: usize,
    /// Share of them with a fix.
    pub fix_rate: f64,
    /// Half of the errors are smaller.
    pub median_m: Option<f64>,
    /// Mean error.
    pub mean_m: Option<f64>,
    /// Root of the mean square error.
    pub rmse_m: Option<f64>,
    /// Nine of ten errors are smaller.
    pub p90_m: Option<f64>,
    /// Share of fixes with the truth within their `r50_m`.
    pub coverage50: Option<f64>,
    /// Share of fixes with the truth within their `r90_m`.
    pub coverage90: Option<f64>,
    /// Share of fixes on the right floor; `None` for a set without floors.
    pub floor_accuracy: Option<f64>,
    /// CPU time in the estimator per fix, in microseconds.
    pub us_per_fix: f64,
}

impl Row {
    pub(super) fn new(
        way: &Way<'_>,
        memory: Memory,
        ground: &Ground,
        test: &TestEpochs,
        answers: &Answers,
    ) -> Self {
        let epochs = test.as_slice();
        let answered: Vec<(&Truth, &Fix)> = epochs
            .iter()
            .zip(&answers.fixes)
            .filter_map(|(epoch, fix)| Some((&epoch.truth, fix.as_ref()?)))
            .collect();
        let errors = Errors::of(answered.iter().map(error_m).collect());
        let metres = |of: fn(&Errors) -> f64| errors.as_ref().map(|errors| rounded(of(errors), 4));
        Self {
            set: way.set.to_owned(),
            mode: way.mode,
            scoring: way.scoring,
            area: way.area,
            memory,
            epochs: epochs.len(),
            fix_rate: rounded(answered.len() as f64 / epochs.len() as f64, 4),
            median_m: metres(|errors| errors.median_m),
            mean_m: metres(|errors| errors.mean_m),
            rmse_m: metres(|errors| errors.rmse_m),
            p90_m: metres(|errors| errors.p90_m),
            coverage50: share(answered.iter().map(|of| error_m(of) <= of.1.r50_m)),
            coverage90: share(answered.iter().map(|of| error_m(of) <= of.1.r90_m)),
            floor_accuracy: share(
                answered
                    .iter()
                    .filter(|(truth, _)| truth.floor.is_some())
                    .map(|(truth, fix)| {
                        Ground::floor_id(truth.floor) == ground.site.floor(fix.floor).id
                    }),
            ),
            us_per_fix: rounded(answers.us_per_fix(), 2),
        }
    }
}

fn error_m((truth, fix): &(&Truth, &Fix)) -> f64 {
    let place = fix.position_in_site;
    (truth.x_m - place.x).hypot(truth.y_m - place.y)
}

/// Share of what is so; `None` of nothing.
fn share(are: impl Iterator<Item = bool>) -> Option<f64> {
    let (right, count) = are.fold((0, 0), |(right, count), is| {
        (right + usize::from(is), count + 1)
    });
    (count > 0).then(|| rounded(right as f64 / count as f64, 4))
}

impl Area {
    /// As rows spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Mask => "mask",
        }
    }
}

impl Display for Scoring {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Calibrated => "calibrated",
            Self::Blind => "blind",
        })
    }
}

impl Display for Area {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Display for Memory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Epoch => "epoch",
            Self::Track => "track",
        })
    }
}
