//! `trilobite-load replay`: a data set or a recording through real agents.

mod dataset;
mod layout;
mod recording;
mod score;

use std::time::{Duration, Instant};

use crate::cli::ReplayArgs;
use crate::fleet::Fleet;
use crate::interrupt::Interrupt;
use crate::limits::LOOK_INTERVAL;
use crate::progress;
use crate::report::RunReport;
use crate::target::Target;

pub use score::Scores;

/// What came of a replay.
#[derive(Debug)]
pub enum Outcome {
    /// A data set was scored.
    Scores(Box<Scores>),
    /// A recording was played.
    Report(Box<RunReport>),
    /// Files were written for a node elsewhere.
    Prepared(String),
}

/// Plays what the flags name and tells what came of it.
///
/// # Errors
/// When the input is wrong, there is no node, its agents find no way to it, or somebody interrupts.
pub fn run(args: &ReplayArgs, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    match (&args.dataset, &args.recording) {
        (Some(folder), _) => dataset::run(folder, args, interrupt),
        (None, Some(file)) => recording::run(file, args, interrupt),
        (None, None) => anyhow::bail!("nothing to play; name --dataset or --recording"),
    }
}

/// Waits until all agents have played everything; returns how long that took.
fn wait_played(
    fleet: &Fleet,
    observations: u64,
    target: &mut Target,
    interrupt: &Interrupt,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    fleet.wait_connected(target, interrupt)?;
    let bar = progress::bar(observations, "observations");
    while !fleet.is_over() {
        interrupt.check()?;
        target.check()?;
        bar.set_position(fleet.counters().sent);
        std::thread::sleep(LOOK_INTERVAL);
    }
    bar.finish_and_clear();
    Ok(began.elapsed())
}
