//! How far fixes were from the truth.

use std::fmt;

use serde::Serialize;

use crate::api::FixLine;
use crate::dataset::errors::Errors;
use crate::dataset::ground::Ground;
use crate::dataset::split::{TestEpochs, Truth};
use crate::report::rounded;

use super::layout::Layout;

/// Errors of a data set's fixes; distances are horizontal, in metres.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Name of the set.
    pub set: String,
    /// Test epochs with a fix.
    pub epochs: usize,
    /// Test epochs in all.
    pub epochs_in_set: usize,
    /// Half of the errors are smaller.
    pub median_m: f64,
    /// Mean error.
    pub mean_m: f64,
    /// Root of the mean square error.
    pub rmse_m: f64,
    /// Nine of ten errors are smaller.
    pub p90_m: f64,
    /// Share of fixes on the right floor, for a set with floors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor_accuracy: Option<f64>,
    /// Observations that the node folded.
    pub observations: u64,
    /// Observations that the agents offered.
    pub observations_offered: u64,
    /// How long the replay took, in seconds.
    pub seconds: f64,
}

/// What became of the observations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Played {
    pub(super) offered: u64,
    pub(super) folded: u64,
    pub(super) seconds: f64,
}

impl Scores {
    /// Scores fixes, each at the time of the epoch that it answers; the last one of an epoch counts.
    ///
    /// `None` when no fix answers any epoch.
    pub(super) fn new(
        set: &str,
        epochs: &TestEpochs,
        layout: &Layout,
        fixes: &[FixLine],
        played: Played,
    ) -> Option<Self> {
        let epochs = epochs.as_slice();
        let mut answers = vec![None; epochs.len()];
        for fix in fixes {
            if let Some(epoch) = layout.epoch_of(&fix.client, fix.time_us) {
                answers[epoch] = Some(fix);
            }
        }
        let answered: Vec<(&Truth, &FixLine)> = epochs
            .iter()
            .zip(answers)
            .filter_map(|(epoch, fix)| Some((&epoch.truth, fix?)))
            .collect();
        let errors = Errors::of(
            answered
                .iter()
                .map(|(truth, fix)| (truth.x_m - fix.x_m).hypot(truth.y_m - fix.y_m))
                .collect(),
        )?;
        Some(Self {
            set: set.to_owned(),
            epochs: answered.len(),
            epochs_in_set: epochs.len(),
            median_m: rounded(errors.median_m, 3),
            mean_m: rounded(errors.mean_m, 3),
            rmse_m: rounded(errors.rmse_m, 3),
            p90_m: rounded(errors.p90_m, 3),
            floor_accuracy: floor_accuracy(&answered).map(|share| rounded(share, 4)),
            observations: played.folded,
            observations_offered: played.offered,
            seconds: rounded(played.seconds, 2),
        })
    }
}

/// `None` for a set without floors.
fn floor_accuracy(answered: &[(&Truth, &FixLine)]) -> Option<f64> {
    let known: Vec<_> = answered
        .iter()
        .filter(|(truth, _)| truth.floor.is_some())
        .collect();
    let is_right = |(truth, fix): &&&(&Truth, &FixLine)| Ground::floor_id(truth.floor) == fix.floor;
    let right = known.iter().filter(is_right).count();
    (!known.is_empty()).then(|| right as f64 / known.len() as f64)
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "set          {}", self.set)?;
        writeln!(
            f,
            "epochs       {} of {} have a fix",
            self.epochs, self.epochs_in_set
        )?;
        writeln!(
            f,
            "error        median {:.2} m, mean {:.2} m, RMSE {:.2} m, p90 {:.2} m",
            self.median_m, self.mean_m, self.rmse_m, self.p90_m
        )?;
        if let Some(share) = self.floor_accuracy {
            writeln!(f, "floor        right in {:.1} %", 100.0 * share)?;
        }
        write!(
            f,
            "observations {} of {} folded, in {:.1} s",
            self.observations, self.observations_offered, self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::fixture::{epoch, test};

    fn fix(client: &str, time_us: u64, x_m: f64, y_m: f64) -> FixLine {
        FixLine {
            client: client.into(),
            time_us,
            x_m,
            y_m,
            floor: "0".into(),
        }
    }

    fn scores(fixes: &[FixLine]) -> Option<Scores> {
        let epochs = test((0..3).map(|n| epoch(None, "a", f64::from(n))).collect());
        let layout = Layout::new(&epochs);
        Scores::new(
            "s",
            &epochs,
            &layout,
            fixes,
            Played {
                offered: 4,
                folded: 3,
                seconds: 1.0,
            },
        )
    }

    #[test]
    fn each_epoch_counts_once_with_its_own_fix() {
        let fixes = [
            fix("a", 1_500_000, 1.0, 2.0),
            fix("a", 2_400_000, 9.0, 9.0),
            fix("a", 2_500_000, 4.0, 6.0),
            fix("a", 9_000_000, 99.0, 0.0),
            fix("b", 1_500_000, 99.0, 0.0),
        ];
        let scores = scores(&fixes).unwrap();
        assert_eq!(
            (scores.epochs, scores.epochs_in_set, scores.observations),
            (2, 3, 3)
        );
        assert_eq!(
            (scores.median_m, scores.mean_m, scores.p90_m),
            (2.5, 2.5, 4.5)
        );
        assert!((scores.rmse_m - 12.5f64.sqrt()).abs() < 1e-3);
        assert_eq!(scores.floor_accuracy, None);
    }

    #[test]
    fn without_any_fix_there_is_no_score() {
        assert_eq!(scores(&[]), None);
    }

    #[test]
    fn floors_are_scored_where_they_are_known() {
        let mut truth = epoch(None, "a", 0.0).truth;
        truth.floor = Some(2);
        let (right, wrong) = (fix("a", 1_500_000, 0.0, 0.0), fix("a", 1_500_000, 0.0, 0.0));
        let right = FixLine {
            floor: "2".into(),
            ..right
        };
        assert_eq!(
            floor_accuracy(&[(&truth, &right), (&truth, &wrong)]),
            Some(0.5)
        );
        assert_eq!(floor_accuracy(&[]), None);
    }
}
