//! Which goals are met.

use super::super::baselines::Pair;
use super::super::row::Row;
use crate::report::rounded;

/// Goals so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    met: usize,
    missed: Vec<String>,
}

impl Tally {
    /// Whether a pair is within its goal, as a cell of a table.
    pub(super) fn pair(&mut self, what: &str, row: Option<&Row>, goal_m: Pair) -> String {
        let (Some(median_m), Some(rmse_m)) = (
            row.and_then(|row| row.median_m),
            row.and_then(|row| row.rmse_m),
        ) else {
            return self.miss(what, "no fix".into());
        };
        let names = ["median", "RMSE"];
        let over: Vec<String> = names
            .into_iter()
            .zip([median_m, rmse_m].map(as_printed).into_iter().zip(goal_m))
            .filter(|(_, (ours, goal))| ours > goal)
            .map(|(name, (ours, goal))| format!("{name} {ours:.3} over {goal:.3}"))
            .collect();
        if over.is_empty() {
            return self.meet();
        }
        let which = match &*over {
            [one] if one.starts_with("median") => "median",
            [_] => "RMSE",
            _ => "both",
        };
        self.missed.push(format!("{what}: {}", over.join(", ")));
        format!("**no**: {which}")
    }

    /// Whether a number is at most so large, as a cell of a table.
    pub(super) fn at_most(&mut self, what: &str, ours: Option<f64>, goal: f64) -> String {
        match ours.map(as_printed) {
            Some(ours) if ours <= goal => self.meet(),
            Some(ours) => self.miss(what, format!("{ours:.3} over {goal:.3}")),
            None => self.miss(what, "no fix".into()),
        }
    }

    /// Whether a number is at least so large, as a cell of a table.
    pub(super) fn at_least(&mut self, what: &str, ours: Option<f64>, goal: f64) -> String {
        match ours.map(as_printed) {
            Some(ours) if ours >= goal => self.meet(),
            Some(ours) => self.miss(what, format!("{ours:.3} under {goal:.3}")),
            None => self.miss(what, "no fix".into()),
        }
    }

    /// Whether a share lies in an interval, as a cell of a table.
    pub(super) fn within(&mut self, what: &str, ours: f64, [low, high]: [f64; 2]) -> String {
        if (low..=high).contains(&as_printed(ours)) {
            self.meet()
        } else {
            let percent = |share: f64| 100.0 * share;
            let (ours, low, high) = (percent(ours), percent(low), percent(high));
            self.miss(
                what,
                format!("{ours:.1} % instead of {low:.0} to {high:.0} %"),
            )
        }
    }

    /// How many goals there were and how many are met.
    pub(super) fn summary(&self) -> String {
        let all = self.met + self.missed.len();
        format!("{} of {all} goals are met", self.met)
    }

    /// The goals that are not met, as a list.
    pub(super) fn missed_list(&self) -> String {
        if self.missed.is_empty() {
            return "None.\n".to_owned();
        }
        self.missed
            .iter()
            .map(|missed| format!("- {missed}\n"))
            .collect()
    }

    fn meet(&mut self) -> String {
        self.met += 1;
        "yes".to_owned()
    }

    fn miss(&mut self, what: &str, how: String) -> String {
        self.missed.push(format!("{what}: {how}"));
        "**no**".to_owned()
    }
}

/// A number is compared as a reader sees it.
fn as_printed(number: f64) -> f64 {
    rounded(number, 3)
}
