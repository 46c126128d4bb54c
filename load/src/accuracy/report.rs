//! `docs/accuracy.md`: what is measured, our numbers beside the baselines, and which goals are met.
//!
//! All of it is made from scores, but for a part between two markers that people write: it is kept.

mod blind;
mod goals;
mod honesty;
mod markdown;
mod open_area;
mod tally;

use std::path::Path;

use anyhow::{Context as _, bail};

use super::Rows;
use super::baselines::Baselines;
use super::mode::Mode;
use super::row::{Area, Memory, Row, Scoring};
use tally::Tally;

/// Between these, people write.
const BY_HAND: [&str; 2] = [
    "<!-- written by hand from here on; --report keeps it -->",
    "<!-- written by hand up to here -->",
];

const INTRODUCTION: &str = include_str!("report/introduction.md");

const PLACEHOLDER: &str = "Nothing was written yet.";

/// Scores on which a report is made, found by their way.
#[derive(Debug, Clone, Copy)]
struct Found<'a>(&'a [Row]);

impl<'a> Found<'a> {
    fn row(
        &self,
        set: &str,
        mode: &str,
        scoring: Scoring,
        area: Area,
        memory: Memory,
    ) -> Option<&'a Row> {
        self.0.iter().find(|row| {
            row.set == set
                && row.mode.as_str() == mode
                && (row.scoring, row.area, row.memory) == (scoring, area, memory)
        })
    }

    fn calibrated(&self, set: &str, mode: &str, area: Area, memory: Memory) -> Option<&'a Row> {
        self.row(set, mode, Scoring::Calibrated, area, memory)
    }

    /// Sets and modes with rssi or ranges alone, in the order of the goals, then the others.
    fn scored(&self, baselines: &Baselines) -> Vec<(String, Mode)> {
        let mut scored: Vec<(String, Mode)> = Vec::new();
        for row in self.0.iter().filter(|row| row.mode != Mode::Both) {
            let way = (row.set.clone(), row.mode);
            if !scored.contains(&way) {
                scored.push(way);
            }
        }
        let place = |(set, mode): &(String, Mode)| {
            let mut goals = baselines.goal.iter();
            goals
                .position(|goal| goal.set == *set && goal.mode == mode.as_str())
                .unwrap_or(usize::MAX)
        };
        scored.sort_by_key(place);
        scored
    }
}

/// A report that is to be written.
#[derive(Debug)]
pub(super) struct Report<'a> {
    path: &'a Path,
    by_hand: String,
}

impl<'a> Report<'a> {
    /// Looks at the file before the work begins: what was written by hand in it stays.
    ///
    /// # Errors
    /// When the file cannot be read, has not both markers, or its folder does not exist.
    pub(super) fn open(path: &'a Path) -> anyhow::Result<Self> {
        let told = || format!("report {}", path.display());
        let by_hand = match std::fs::read_to_string(path) {
            Ok(text) => by_hand(&text).with_context(told)?.to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => PLACEHOLDER.to_owned(),
            Err(error) => return Err(error).with_context(told),
        };
        let folder = path.parent().filter(|of| !of.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            bail!("{}: its folder does not exist; make it first", told());
        }
        Ok(Self { path, by_hand })
    }

    /// Writes the report; returns a line for the person who asked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, rows: &Rows) -> anyhow::Result<String> {
        let told = || format!("report {}", self.path.display());
        let (text, tally) = text(rows, &self.by_hand)?;
        std::fs::write(self.path, text).with_context(told)?;
        Ok(format!(
            "wrote {}: {}",
            self.path.display(),
            tally.summary()
        ))
    }
}

/// What stands between the markers.
fn by_hand(text: &str) -> anyhow::Result<&str> {
    let [begin, end] = BY_HAND;
    text.split_once(begin)
        .and_then(|(_, after)| after.split_once(end))
        .map(|(by_hand, _)| by_hand.trim())
        .with_context(|| {
            format!(
                "no part between \"{begin}\" and \"{end}\"; put the lines back or move the \
            file away"
            )
        })
}

fn text(rows: &Rows, by_hand: &str) -> anyhow::Result<(String, Tally)> {
    let baselines = Baselines::load()?;
    let found = Found(&rows.0);
    let mut tally = Tally::default();
    let sections = [
        goals::section(&found, &baselines, &mut tally),
        open_area::section(&found, &baselines, &mut tally),
        blind::section(&found, &baselines, &mut tally),
        honesty::section(&found, &baselines, &mut tally),
        honesty::floors(&found, &mut tally),
        honesty::cost(&found, &baselines),
    ];
    let [begin, end] = BY_HAND;
    let missed = tally.missed_list();
    let summary = tally.summary();
    let sections = sections.join("\n");
    let text = format!(
        "{INTRODUCTION}\nIn short: {summary}.\n\n{sections}\n## Goals missed\n\n{missed}\n## \
            Why\n\n{begin}\n\n{by_hand}\n\n{end}\n"
    );
    Ok((text, tally))
}

#[cfg(test)]
mod tests;
