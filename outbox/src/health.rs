//! How a store is, for those who watch over it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::cursor::Position;
use crate::headroom::Intake;
use crate::purge::Purged;
use crate::schema::{self, State};
use crate::store::Shared;
use crate::time::Day;
use crate::tx::Session;
use crate::value::{SqlError, SqlErrorKind};
use crate::{Cursor, Time, migrate, page};

/// How a store is.
#[derive(Debug, Clone)]
pub struct StoreHealth {
    /// Whether transactions are taken in.
    pub intake: Intake,
    /// Whether the clock is believed; while it is not, nothing is purged.
    pub clock: Clock,
    /// Days that are past their age and kept, because the clock is not believed.
    pub days_kept_for_clock: usize,
    /// Days that are past their age and kept for younger messages that were committed before them.
    pub days_kept_for_younger: usize,
    /// Days that are past their age and kept, because somebody used their tables.
    pub days_kept_in_use: usize,
    /// Days that are later than the clock: it was ahead when they were published to.
    pub days_ahead_of_clock: usize,
    /// Free bytes of the file system when it was last asked; nothing with PostgreSQL.
    pub free_bytes: Option<u64>,
    /// Transactions that wait for the writer.
    pub jobs_waiting: usize,
    /// Transactions committed since the start.
    pub jobs_committed: u64,
    /// Commits since the start; each holds one or more transactions.
    pub commits: u64,
    /// Transactions that were not committed because the database refused.
    pub commits_failed: u64,
    /// Transactions refused for lack of space.
    pub commits_full: u64,
    /// How long the last commit took, with the jobs in it.
    pub last_commit: Duration,
    /// Days purged since the start.
    pub days_purged: u64,
    /// When a purge last ended well, whether or not a day went.
    pub last_purge: Option<Time>,
    /// Purges that failed since the start.
    pub purges_failed: u64,
    /// Why the last purge failed, and when; nothing once one ended well.
    pub purge_error: Option<(Time, String)>,
    /// How long one and the same transaction has kept all later messages from being read; only
    /// PostgreSQL has such transactions, of any database of the server.
    pub horizon_age: Duration,
    /// The last trouble, and when.
    pub last_error: Option<(Time, String)>,
    /// What the database says, or why it says nothing.
    pub database: Result<DatabaseHealth, String>,
}

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// The place behind the newest message that can be read.
    pub head: Cursor,
    /// The oldest place that can be answered from.
    pub oldest: Cursor,
    /// Days with messages, oldest first.
    pub days: Vec<Day>,
    /// Versions of all tables, by component.
    pub versions: Vec<(String, i64)>,
    /// Time of the newest message.
    pub newest: Option<Time>,
}

/// What the store's threads count.
#[derive(Debug)]
pub(crate) struct Counters(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    intake: Intake,
    clock: Clock,
    days_kept_for_clock: usize,
    days_kept_for_younger: usize,
    days_kept_in_use: usize,
    days_ahead_of_clock: usize,
    free_bytes: Option<u64>,
    jobs_committed: u64,
    commits: u64,
    commits_failed: u64,
    commits_full: u64,
    last_commit: Duration,
    days_purged: u64,
    last_purge: Option<Time>,
    purges_failed: u64,
    purge_error: Option<(Time, String)>,
    /// The horizon while it is held, and since when.
    held: Option<(Position, Instant)>,
    last_error: Option<(Time, String)>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counted {
            intake: Intake::Open,
            clock: Clock::Believed,
            days_kept_for_clock: 0,
            days_kept_for_younger: 0,
            days_kept_in_use: 0,
            days_ahead_of_clock: 0,
            free_bytes: None,
            jobs_committed: 0,
            commits: 0,
            commits_failed: 0,
            commits_full: 0,
            last_commit: Duration::ZERO,
            days_purged: 0,
            last_purge: None,
            purges_failed: 0,
            purge_error: None,
            held: None,
            last_error: None,
        }))
    }

    pub(crate) fn intake(&self, intake: Intake, free: u64) {
        let mut counted = self.lock();
        counted.intake = intake;
        counted.free_bytes = Some(free);
    }

    pub(crate) fn committed(&self, jobs: usize, took: Duration) {
        let mut counted = self.lock();
        counted.jobs_committed += jobs as u64;
        counted.commits += u64::from(jobs > 0);
        counted.last_commit = took;
    }

    pub(crate) fn failed(&self, error: &SqlError, jobs: usize) {
        let mut counted = self.lock();
        if error.kind() == SqlErrorKind::Full {
            counted.commits_full += jobs as u64;
            counted.intake = Intake::Full;
        } else {
            counted.commits_failed += jobs as u64;
        }
        counted.last_error = Some((Time::now(), error.to_string()));
    }

    pub(crate) fn purged(&self, now: Time, purged: &Purged) {
        let mut counted = self.lock();
        counted.last_purge = Some(now);
        counted.purge_error = None;
        counted.days_purged += purged.days.len() as u64;
        counted.days_kept_for_clock = purged.kept_for_clock;
        counted.days_kept_for_younger = purged.kept_for_younger;
        counted.days_kept_in_use = purged.kept_in_use;
        counted.days_ahead_of_clock = purged.ahead_of_clock;
        counted.clock = purged.clock;
    }

    pub(crate) fn clock(&self, clock: Clock) {
        let mut counted = self.lock();
        counted.clock = clock;
        counted.days_kept_for_clock = 0;
    }

    pub(crate) fn purge_failed(&self, now: Time, error: &SqlError) {
        let mut counted = self.lock();
        counted.purges_failed += 1;
        counted.purge_error = Some((now, error.to_string()));
        counted.last_error = Some((now, format!("purge: {error}")));
    }

    /// Takes note of what the keeper sees, look by look.
    pub(crate) fn horizon(&self, state: &State) {
        let mut counted = self.lock();
        let since = counted.held.filter(|(at, _)| *at == state.horizon);
        let held = || since.unwrap_or_else(|| (state.horizon, Instant::now()));
        counted.held = state.held.then(held);
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the database says in one snapshot.
pub(crate) fn database(
    session: &mut dyn Session,
    state: &State,
    head: Position,
) -> Result<DatabaseHealth, SqlError> {
    Ok(DatabaseHealth {
        head: state.cursor(head),
        oldest: state.cursor(state.purged),
        days: schema::days(session)?,
        versions: migrate::versions(session)?,
        newest: page::newest_time(session, state)?,
    })
}

impl Shared {
    pub(crate) fn health(&self) -> StoreHealth {
        let database: Result<_, SqlError> = self.read(|reading| {
            let state = *reading.state();
            let head = reading.head();
            database(reading.link(), &state, head)
        });
        let counted = self.counters.lock();
        StoreHealth {
            intake: counted.intake,
            clock: counted.clock,
            days_kept_for_clock: counted.days_kept_for_clock,
            days_kept_for_younger: counted.days_kept_for_younger,
            days_kept_in_use: counted.days_kept_in_use,
            days_ahead_of_clock: counted.days_ahead_of_clock,
            free_bytes: counted.free_bytes,
            jobs_waiting: self.jobs_waiting(),
            jobs_committed: counted.jobs_committed,
            commits: counted.commits,
            commits_failed: counted.commits_failed,
            commits_full: counted.commits_full,
            last_commit: counted.last_commit,
            days_purged: counted.days_purged,
            last_purge: counted.last_purge,
            purges_failed: counted.purges_failed,
            purge_error: counted.purge_error.clone(),
            horizon_age: counted
                .held
                .map_or(Duration::ZERO, |(_, since)| since.elapsed()),
            last_error: counted.last_error.clone(),
            database: database.map_err(|error| error.to_string()),
        }
    }
}
