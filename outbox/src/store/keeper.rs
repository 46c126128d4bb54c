//! The keeper: a thread that looks for commits of other processes, and purges.

use std::time::Instant;

use super::Shared;
use crate::Time;
use crate::cursor::Position;
use crate::value::SqlError;

/// Runs until the store is closed.
pub(super) fn run(shared: &Shared) {
    let mut seen: Option<Position> = None;
    let mut purged_at: Option<Instant> = None;
    while !shared.signal.wait_for_close(shared.config.look_interval) {
        // While the database does not answer, nothing is new; readers are told by their reads.
        let looked = shared.read(|reading| Ok::<_, SqlError>((reading.head(), *reading.state())));
        if let Ok((_, state)) = &looked {
            shared.counters.horizon(state);
        }
        if let Ok((newest, _)) = looked
            && seen.replace(newest) != Some(newest)
        {
            shared.signal.committed();
        }
        let every = shared.config.purge_interval;
        let due = purged_at.is_none_or(|at| at.elapsed() >= every);
        if !every.is_zero() && due {
            purged_at = Some(Instant::now());
            // Trouble is counted where it happens, and it is tried again.
            let _ = shared.purge(Time::now());
        }
    }
}
