//! What others reach on sets that are known: baselines, goals, limits of the model itself.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

/// Median and RMSE of horizontal errors, in metres.
pub(super) type Pair = [f64; 2];

/// Python baselines with parameters fitted on `cal`, and goals; the file says which is which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baselines {
    pub(super) goal: Vec<Goal>,
    exact: Vec<Exact>,
    fixed: Vec<Fixed>,
    method: Vec<Method>,
}

/// What a set and mode should reach with the mask, and what was reached before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Goal {
    pub(super) set: String,
    pub(super) mode: String,
    pub(super) base_m: Pair,
    pub(super) base_method: String,
    pub(super) mask_m: Pair,
    pub(super) memory_m: Pair,
    pub(super) goal_epoch_m: Pair,
    pub(super) goal_track_m: Pair,
}

/// Errors of an estimator whose model is exact.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exact {
    set: String,
    mode: String,
    area: String,
    pub(super) exact_m: Pair,
    pub(super) ratio_max: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixed {
    set: String,
    area: String,
    error_m: Pair,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    name: String,
    mode: String,
    kind: Kind,
    error_m: BTreeMap<String, Pair>,
}

/// What a method knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Anchors and path loss.
    Model,
    /// What was heard where.
    Map,
}

/// The best of several methods, for the median and for the RMSE.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Best {
    pub(super) error_m: Pair,
    pub(super) methods: [String; 2],
}

impl Baselines {
    /// Reads the file that is part of the program.
    pub(super) fn load() -> anyhow::Result<Self> {
        toml::from_str(include_str!("baselines.toml")).context("baselines of the program itself")
    }

    pub(super) fn exact(&self, set: &str, mode: &str, area: &str) -> Option<&Exact> {
        let mut all = self.exact.iter();
        all.find(|of| of.set == set && of.mode == mode && of.area == area)
    }

    /// The blind estimator with fixed constants.
    pub(super) fn fixed(&self, set: &str, area: &str) -> Option<Pair> {
        let found = self
            .fixed
            .iter()
            .find(|of| of.set == set && of.area == area);
        found.map(|of| of.error_m)
    }

    /// One method by name.
    pub(super) fn method(&self, set: &str, mode: &str, name: &str) -> Option<Pair> {
        let mut all = self.method.iter();
        let found = all.find(|of| of.mode == mode && of.name == name)?;
        found.error_m.get(set).copied()
    }

    /// The best methods of a kind in the open area.
    pub(super) fn best(&self, set: &str, mode: &str, kind: Kind) -> Option<Best> {
        let of_kind = self
            .method
            .iter()
            .filter(|of| of.mode == mode && of.kind == kind);
        let errors: Vec<(&str, Pair)> = of_kind
            .filter_map(|of| Some((of.name.as_str(), *of.error_m.get(set)?)))
            .collect();
        let least = |number: usize| {
            let by_error =
                |a: &&(&str, Pair), b: &&(&str, Pair)| a.1[number].total_cmp(&b.1[number]);
            errors.iter().min_by(by_error)
        };
        let (median, rmse) = (least(0)?, least(1)?);
        Some(Best {
            error_m: [median.1[0], rmse.1[1]],
            methods: [median.0.to_owned(), rmse.0.to_owned()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_set() {
        let baselines = Baselines::load().unwrap();
        assert_eq!((baselines.goal.len(), baselines.exact.len()), (18, 36));
        for Goal { set, mode, .. } in &baselines.goal {
            for area in ["open", "mask"] {
                assert!(
                    baselines.exact(set, mode, area).is_some(),
                    "{set} {mode} {area}"
                );
                assert_eq!(
                    baselines.fixed(set, area).is_some(),
                    set != "lias-uwb",
                    "{set}"
                );
            }
            assert!(
                baselines.best(set, mode, Kind::Model).is_some(),
                "{set} {mode}"
            );
            assert!(
                baselines.best(set, mode, Kind::Map).is_some(),
                "{set} {mode}"
            );
        }
    }

    #[test]
    fn the_best_is_told_for_each_number() {
        let baselines = Baselines::load().unwrap();
        let best = baselines.best("yu-carpark", "rssi", Kind::Model).unwrap();
        assert_eq!(best.error_m, [4.83, 5.58]);
        assert_eq!(
            best.methods,
            ["censored fit + not-heard"; 2].map(str::to_owned)
        );
        let raw = baselines.method("lias-uwb", "range", "nonlinear LS raw");
        assert_eq!(raw, Some([0.17, 0.19]));
        assert_eq!(baselines.best("elsewhere", "rssi", Kind::Model), None);
    }
}
