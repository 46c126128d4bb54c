//! The writer: one thread that runs what gathered in one transaction and commits it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::headroom;
use crate::limits::JOBS_PER_COMMIT_MAX;
use crate::tx::Tx;
use crate::value::{SqlError, SqlErrorKind};

use super::Shared;
use super::job::{Job, Outcome, Wish};
use super::link::{self, Link};

/// What waits for the writer.
pub(super) enum Item {
    /// A transaction; shares a commit with its neighbours.
    Job(Box<dyn Job>),
    /// Work of the store itself, alone on the connection.
    Task(Task),
}

/// What the store itself does with the connection, or hears that there is none.
type Task = Box<dyn FnOnce(Result<&mut dyn Link, SqlError>) + Send>;

/// Answers whoever waits once the writer ended, however that came.
struct LastWord<'a>(&'a Shared);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
        loop {
            let left = self.0.queue.gather(Duration::ZERO, JOBS_PER_COMMIT_MAX);
            if left.is_empty() {
                return;
            }
            for item in left {
                match item {
                    Item::Job(job) => finish(job, Outcome::Closed),
                    Item::Task(task) => survive(|| task(Err(super::closed()))),
                }
            }
        }
    }
}

/// Tells a job how it ended. What it holds is dropped then, which may panic.
fn finish(job: Box<dyn Job>, outcome: Outcome) {
    survive(|| job.finish(outcome));
}

/// Runs what is not the writer's own: a panic of one caller is not the end of all others. The
/// caller's channel is closed by it, and that is the answer.
fn survive(run: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(run));
}

/// Runs until the queue is closed and empty.
pub(super) fn run(shared: &Shared, link: Box<dyn Link>) {
    // It is set once only: there is one writer.
    let _ = shared.writer.set(std::thread::current().id());
    let _last_word = LastWord(shared);
    let mut writer = Writer {
        shared,
        link: Some(link),
    };
    loop {
        let gathered = shared
            .queue
            .gather(shared.config.commit_window, JOBS_PER_COMMIT_MAX);
        if gathered.is_empty() {
            return;
        }
        let mut jobs = VecDeque::with_capacity(gathered.len());
        for item in gathered {
            match item {
                Item::Job(job) => jobs.push_back(job),
                Item::Task(task) => {
                    // What was given before the task is committed before it.
                    writer.commit_all(std::mem::take(&mut jobs));
                    survive(|| task(writer.connected()));
                    // After a panic a transaction may still be under way.
                    writer.roll_back();
                }
            }
        }
        writer.commit_all(jobs);
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    /// None after the connection broke.
    link: Option<Box<dyn Link>>,
}

impl Writer<'_> {
    fn commit_all(&mut self, mut jobs: VecDeque<Box<dyn Job>>) {
        while !jobs.is_empty() {
            self.commit(&mut jobs);
        }
    }

    /// Runs jobs from the front in one transaction, until none is left or the database ends it.
    fn commit(&mut self, jobs: &mut VecDeque<Box<dyn Job>>) {
        let began = Instant::now();
        if let Err(error) = self.begin() {
            self.roll_back();
            return self.fail(jobs.drain(..), &error, Ended::Before);
        }
        let Some(link) = self.link.as_mut() else {
            return;
        };
        let mut ran: Vec<(Box<dyn Job>, Fate)> = Vec::with_capacity(jobs.len());
        while let Some(mut job) = jobs.pop_front() {
            match run_one(link.as_mut(), job.as_mut()) {
                Ok(fate) => ran.push((job, fate)),
                Err(error) => {
                    // The database ended the transaction, and with it all that ran before.
                    let lost = ran.into_iter().map(|(job, _)| job).chain([job]);
                    self.roll_back();
                    return self.fail(lost, &error, Ended::Before);
                }
            }
        }
        if let Err(error) = link.commit() {
            self.roll_back();
            return self.fail(ran.into_iter().map(|(job, _)| job), &error, Ended::InCommit);
        }
        let kept = ran
            .iter()
            .filter(|(_, fate)| matches!(fate, Fate::Kept))
            .count();
        self.shared.counters.committed(kept, began.elapsed());
        for (job, fate) in ran {
            let outcome = match fate {
                Fate::Kept => Outcome::Committed,
                Fate::Undone => Outcome::RolledBack,
                Fate::Broken(error) => Outcome::NotCommitted(error),
            };
            finish(job, outcome);
        }
        if kept > 0 {
            self.shared.signal.committed();
        }
    }

    /// Begins a transaction, if there is a connection and room for what it writes.
    fn begin(&mut self) -> Result<(), SqlError> {
        let shared = self.shared;
        let link = self.connected()?;
        headroom::check(shared, link)?;
        match link.begin() {
            Err(error) if error.kind() == SqlErrorKind::Disconnected => {
                // It broke while nobody used it.
                self.link = None;
                self.connected()?.begin()
            }
            begun => begun,
        }
    }

    /// The connection, made anew if it broke.
    fn connected(&mut self) -> Result<&mut dyn Link, SqlError> {
        let open = self.link.take().filter(|link| link.is_open());
        let link = match open {
            Some(link) => link,
            None => link::writer(&self.shared.config)?,
        };
        Ok(self.link.insert(link).as_mut())
    }

    /// Ends what may be left of a transaction. A connection that cannot is given up, which ends it
    /// too: with a transaction that stays open no other could begin.
    fn roll_back(&mut self) {
        let clean = |link: &mut Box<dyn Link>| {
            link.is_open() && (!link.in_transaction() || link.roll_back().is_ok())
        };
        self.link = self
            .link
            .take()
            .and_then(|mut link| clean(&mut link).then_some(link));
    }

    fn fail(&mut self, jobs: impl Iterator<Item = Box<dyn Job>>, error: &SqlError, ended: Ended) {
        // Counted first: who is answered may look at the counters.
        let jobs: Vec<_> = jobs.collect();
        self.shared.counters.failed(error, jobs.len());
        for job in jobs {
            let outcome = match (error.kind(), ended) {
                (SqlErrorKind::Full, _) => Outcome::Full,
                (_, Ended::Before) => Outcome::NotCommitted(error.again()),
                (_, Ended::InCommit) if error.answers_commit() => {
                    Outcome::NotCommitted(error.again())
                }
                (_, Ended::InCommit) => Outcome::Unknown(error.again()),
            };
            finish(job, outcome);
        }
    }
}

/// When a transaction ended that was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Before its commit was asked for.
    Before,
    /// While it was asked for.
    InCommit,
}

/// What became of a job in a transaction that goes on.
enum Fate {
    Kept,
    Undone,
    /// It went on after a statement that failed, and PostgreSQL keeps nothing of that.
    Broken(SqlError),
}

/// Runs a job in a savepoint. An error means that the whole transaction is gone.
fn run_one(link: &mut dyn Link, job: &mut dyn Job) -> Result<Fate, SqlError> {
    link.execute("SAVEPOINT job", &[])?;
    let wish = job.run(&mut Tx::new(&mut *link));
    let trouble = link.trouble();
    if !link.is_open() || !link.in_transaction() {
        let gone = || SqlError::new(SqlErrorKind::Disconnected, "the connection broke");
        return Err(trouble.unwrap_or_else(gone));
    }
    let fate = match (wish, trouble) {
        (Wish::Keep, None) => Fate::Kept,
        (Wish::Keep, Some(error)) => Fate::Broken(error),
        (Wish::Undo, _) => Fate::Undone,
    };
    if !matches!(fate, Fate::Kept) {
        link.roll_back_to("job")?;
    }
    link.execute("RELEASE SAVEPOINT job", &[])?;
    Ok(fate)
}
