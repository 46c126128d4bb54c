//! `trilobite-load accuracy`: the estimator on data sets with known positions, nothing in between.
//!
//! It asks the same [`locate::Locator`] that a worker asks, without processes or sockets, so that
//! what it tells is the estimator's accuracy and not that of a replay.
//!
//! What is scored: the epochs of split `test`. What may be used: the set's anchors, the plan of the
//! site (its storeys and, where the area is masked, where people walk: within 1 m of places of
//! split `cal`), and, in a calibrated run, parameters fitted on the epochs of `cal`. A blind run
//! fits nothing; the mask stays, for a floor plan is no fit.
//!
//! Each way of a set is scored with two kinds of memory:
//! - `epoch`: every epoch alone, with a track that knows nothing.
//! - `track`: the epochs of a walk in order of time on one track. The epochs of one client at one
//!   static place are averaged instead: one fix of all that was heard there, which counts once for
//!   each of its epochs, so that both kinds have the same number of epochs. It says how good a
//!   place is known after standing there, not what an epoch tells at its own time.

mod baselines;
mod folders;
mod mode;
mod pass;
mod report;
mod row;
mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agent::source::replay::dataset::Dataset;
use anyhow::Context as _;
use indicatif::ProgressBar;
use locate::{Locator, Model, ModelOptions};
use serde::Serialize;
use site::Calibration;

use crate::cli::AccuracyArgs;
use crate::dataset::ground::{self, Ground};
use crate::dataset::split::{self, Parts};
use crate::dataset::survey;
use crate::interrupt::Interrupt;
use crate::progress;

pub use mode::Mode;
pub use row::{Area, Memory, Row, Scoring};

/// Scores of all sets in every way asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Rows(pub Vec<Row>);

/// What came of an accuracy run.
#[derive(Debug)]
pub enum Outcome {
    /// The sets were scored.
    Rows(Rows),
    /// A report was written; a line about it.
    Written(String),
}

/// Scores the sets that the flags name and tells what came of it.
///
/// # Errors
/// Those of [`score_all`], and when a report cannot be written.
pub fn run(args: &AccuracyArgs, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let Some(path) = &args.report else {
        return Ok(Outcome::Rows(score_all(args, interrupt)?));
    };
    let report = report::Report::open(path)?;
    let sets = folders::load(&args.folders)?;
    let jobs = mode::jobs(&sets, None)?;
    let scorings = [Scoring::Calibrated, Scoring::Blind];
    let rows = score(&jobs, &scorings, &[Area::Open, Area::Mask], interrupt)?;
    Ok(Outcome::Written(report.write(&rows)?))
}

/// Scores the sets that the flags name, in the ways they ask for.
///
/// Cost: some tenths of a second for each set and mode.
///
/// # Errors
/// When a folder holds no data set or a broken one, no set has what `--mode` asks for, or somebody
/// interrupts.
pub fn score_all(args: &AccuracyArgs, interrupt: &Interrupt) -> anyhow::Result<Rows> {
    let scorings: &[Scoring] = match args.blind {
        true => &[Scoring::Blind],
        false => &[Scoring::Calibrated],
    };
    let areas: &[Area] = match args.open_area {
        true => &[Area::Open],
        false => &[Area::Open, Area::Mask],
    };
    let sets = folders::load(&args.folders)?;
    let jobs = mode::jobs(&sets, args.mode)?;
    score(&jobs, scorings, areas, interrupt)
}

/// A set and what is used of it.
type Job<'a> = (&'a Dataset, Mode);

/// Scores all jobs, on as many threads as there are cores; rows come in the order of the jobs.
fn score(
    jobs: &[Job<'_>],
    scorings: &[Scoring],
    areas: &[Area],
    interrupt: &Interrupt,
) -> anyhow::Result<Rows> {
    let ways = jobs.len() * scorings.len() * areas.len();
    let bar = progress::bar(ways as u64, "ways");
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<anyhow::Result<Vec<Row>>>>> =
        Mutex::new(jobs.iter().map(|_| None).collect());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((set, mode)) = jobs.get(index) else {
                return;
            };
            let rows = score_job(set, *mode, scorings, areas, &bar, interrupt);
            done.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(rows);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut rows = Vec::new();
    for job in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        rows.extend(job.context("a thread ended before its work was done")??);
    }
    Ok(Rows(rows))
}

fn score_job(
    set: &Dataset,
    mode: Mode,
    scorings: &[Scoring],
    areas: &[Area],
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Row>> {
    let parts = split::split(mode.part_of(set));
    if parts.test.as_slice().is_empty() {
        anyhow::bail!(
            "data set {}: no epoch to score; its split column needs test",
            set.name
        );
    }
    let mut rows = Vec::new();
    for &area in areas {
        for &scoring in scorings {
            interrupt.check()?;
            let (ground, mut locator) = prepare(&parts, area, scoring)?;
            let way = row::Way {
                set: &parts.name,
                mode,
                scoring,
                area,
            };
            let alone = pass::epochs(&mut locator, &ground, &parts.test);
            rows.push(Row::new(&way, Memory::Epoch, &ground, &parts.test, &alone));
            let tracked = pass::tracks(&mut locator, &ground, &parts.test);
            rows.push(Row::new(
                &way,
                Memory::Track,
                &ground,
                &parts.test,
                &tracked,
            ));
            bar.inc(1);
        }
    }
    Ok(rows)
}

/// The site and what makes fixes in it.
fn prepare(parts: &Parts, area: Area, scoring: Scoring) -> anyhow::Result<(Ground, Locator)> {
    let (ground, calibration) = fitted(parts, area, scoring)?;
    let model = Model::new(&ground.site, &calibration, &ModelOptions::default());
    Ok((ground, Locator::new(Arc::new(model))))
}

/// The site, and the parameters of its radios from the calibration epochs only.
fn fitted(parts: &Parts, area: Area, scoring: Scoring) -> anyhow::Result<(Ground, Calibration)> {
    let ground = Ground::new(&parts.name, &parts.anchors, &parts.calibration, area.into())?;
    if scoring == Scoring::Blind {
        return Ok((ground, Calibration::default()));
    }
    if parts.calibration.iter().next().is_none() {
        anyhow::bail!(
            "data set {}: no epoch to fit on; its split column needs cal, or add --blind",
            parts.name
        );
    }
    let calibration = survey::fit(&ground, &parts.calibration, parts.test.devices());
    Ok((ground, calibration))
}

impl From<Area> for ground::Area {
    fn from(area: Area) -> Self {
        match area {
            Area::Open => Self::Open,
            Area::Mask => Self::Mask,
        }
    }
}

#[cfg(test)]
mod tests;
