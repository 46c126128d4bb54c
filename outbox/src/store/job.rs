//! One transaction that somebody waits for.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::ThreadId;

use crate::Tx;
use crate::value::{SqlError, SqlErrorKind};

/// A transaction was not committed, or nobody knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactError<E> {
    /// The job itself refused; it was rolled back.
    #[error("{0}")]
    Refused(E),
    /// There is too little free space; nothing was committed. It goes on by itself once there is
    /// more.
    #[error(
        "the store takes nothing in: its file system has less free space than its headroom; free \
         some, or keep messages for a shorter time"
    )]
    Full,
    /// The database refused; nothing was committed.
    #[error("not committed: {0}")]
    Sql(SqlError),
    /// The commit was sent and its answer never came: do it again with the same message ids,
    /// which store nothing twice.
    #[error("nobody knows whether it was committed: {0}; do it again with the same message ids")]
    Unknown(SqlError),
    /// The store was closed; nothing was committed.
    #[error("the store is closed")]
    Closed,
}

/// A transaction on its way.
#[must_use = "what becomes of the transaction is known only by waiting"]
pub struct Ticket<T, E> {
    answer: Receiver<Answer<T, E>>,
    /// The thread that will answer; it cannot wait for itself.
    writer: Option<ThreadId>,
}

enum Answer<T, E> {
    Done(Result<T, TransactError<E>>),
    Panicked(Box<dyn Any + Send>),
}

/// How the commit that a job was part of ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Committed,
    /// Rolled back, as the job wished or because it panicked.
    RolledBack,
    Full,
    NotCommitted(SqlError),
    Unknown(SqlError),
    Closed,
}

/// What a job wishes after it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Keep,
    Undo,
}

/// A job whatever it returns.
pub(super) trait Job: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> Wish;
    fn finish(self: Box<Self>, outcome: Outcome);
}

/// A job and the way to who waits for it.
pub(super) struct Work<F, T, E> {
    job: Option<F>,
    result: Option<std::thread::Result<Result<T, E>>>,
    answer: SyncSender<Answer<T, E>>,
}

impl<F, T, E> Work<F, T, E> {
    pub(super) fn new(job: F, writer: Option<ThreadId>) -> (Self, Ticket<T, E>) {
        let (answer, receiver) = sync_channel(1);
        (
            Self {
                job: Some(job),
                result: None,
                answer,
            },
            Ticket {
                answer: receiver,
                writer,
            },
        )
    }
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Wish {
        let Some(job) = self.job.take() else {
            return Wish::Undo;
        };
        // What a panicking job leaves half done is rolled back; nobody sees it.
        let result = catch_unwind(AssertUnwindSafe(|| job(tx)));
        let wish = if matches!(result, Ok(Ok(_))) {
            Wish::Keep
        } else {
            Wish::Undo
        };
        self.result = Some(result);
        wish
    }

    fn finish(self: Box<Self>, outcome: Outcome) {
        let answer = match (self.result, outcome) {
            (Some(Err(panic)), _) => Answer::Panicked(panic),
            (Some(Ok(Err(refusal))), Outcome::Committed | Outcome::RolledBack) => {
                Answer::Done(Err(TransactError::Refused(refusal)))
            }
            (Some(Ok(Ok(value))), Outcome::Committed) => Answer::Done(Ok(value)),
            (_, Outcome::Full) => Answer::Done(Err(TransactError::Full)),
            (_, Outcome::NotCommitted(error)) => Answer::Done(Err(TransactError::Sql(error))),
            (_, Outcome::Unknown(error)) => Answer::Done(Err(TransactError::Unknown(error))),
            (_, Outcome::Closed) => Answer::Done(Err(TransactError::Closed)),
            (_, Outcome::Committed | Outcome::RolledBack) => {
                let text = "the job was rolled back without having run";
                let error = SqlError::new(SqlErrorKind::Other, text);
                Answer::Done(Err(TransactError::Sql(error)))
            }
        };
        // A ticket that was dropped means that nobody wants to know.
        let _ = self.answer.send(answer);
    }
}

/// Why something was not waited for on the writer's thread.
pub(super) fn waits_for_itself() -> SqlError {
    let text = "a job or a hook of the store cannot wait for another transaction, which would run \
                after it on the same thread; give it from another thread";
    SqlError::new(SqlErrorKind::Other, text)
}

impl<T, E> Ticket<T, E> {
    /// Waits until the transaction is durable or refused.
    ///
    /// # Errors
    /// [`TransactError`]; only after `Unknown` may the job have been committed.
    ///
    /// # Panics
    /// If the job panicked. A hook or a job that runs on the writer's thread itself is answered
    /// with `Unknown` at once: there the transaction can only come later.
    pub fn wait(self) -> Result<T, TransactError<E>> {
        let answer = if self.writer == Some(std::thread::current().id()) {
            match self.answer.try_recv() {
                Err(TryRecvError::Empty) => {
                    return Err(TransactError::Unknown(waits_for_itself()));
                }
                answer => answer.ok(),
            }
        } else {
            self.answer.recv().ok()
        };
        match answer {
            Some(Answer::Done(result)) => result,
            Some(Answer::Panicked(panic)) => resume_unwind(panic),
            None => {
                let text = "the store's writer ended without an answer";
                Err(TransactError::Unknown(SqlError::new(
                    SqlErrorKind::Disconnected,
                    text,
                )))
            }
        }
    }
}

impl<T, E> fmt::Debug for Ticket<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
