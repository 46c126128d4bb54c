//! What to log: a level for all, others for some modules.

use std::str::FromStr;

use tracing::Level;
use tracing::level_filters::LevelFilter;

/// Levels by the beginning of a module's path, parted by commas, as in `info,agent::run=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The longest beginnings first; the level for all has an empty one.
    rules: Vec<(String, LevelFilter)>,
}

/// A filter that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such level in {0:?}; use off, error, warn, info, debug or trace, as in info or agent=debug"
)]
pub struct FilterError(String);

impl Filter {
    pub(super) fn lets(&self, target: &str, level: Level) -> bool {
        let rule = self
            .rules
            .iter()
            .find(|(beginning, _)| target.starts_with(beginning));
        rule.is_some_and(|(_, most)| level <= *most)
    }

    pub(super) fn max(&self) -> LevelFilter {
        let levels = self.rules.iter().map(|(_, level)| *level);
        levels.max().unwrap_or(LevelFilter::OFF)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rules = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let wrong = |_| FilterError(part.to_owned());
            rules.push(match part.split_once('=') {
                Some((beginning, level)) => (beginning.to_owned(), level.parse().map_err(wrong)?),
                None => (String::new(), part.parse().map_err(wrong)?),
            });
        }
        rules.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        Ok(Self { rules })
    }
}
