//! A database of messages, and of the state that they tell of.

mod config;
mod job;
mod keeper;
mod link;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod readers;
mod signal;
mod sqlite;
mod writer;

pub use config::{ConfigError, Place, StoreConfig};
pub use job::{Ticket, TransactError};
pub use readers::Reading;
pub use signal::Follow;

pub(crate) use link::{Link, in_transaction, reader, writer};
#[cfg(feature = "postgres")]
pub(crate) use postgres::server;
pub(crate) use sqlite::SqliteLink;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, ThreadId};

use crate::health::{Counters, StoreHealth};
use crate::limits::JOBS_WAITING_MAX;
use crate::migrate::{self, Component, MigrateError};
use crate::page::{self, Page, PageError, PageQuery};
use crate::purge::{PurgeError, Purged};
use crate::schema::State;
use crate::value::{SqlError, SqlErrorKind};
use crate::{Cursor, MessageId, Time, Tx};

use job::Work;
use queue::Queue;
use readers::Readers;
use signal::Signal;
use writer::Item;

/// A database of messages, and of the state that they tell of; clones share it.
///
/// A thread of its own writes; each reader has a connection. The last clone that is dropped, or
/// [`Store::close`], ends them after everything given was committed.
#[derive(Clone)]
pub struct Store(Arc<Owner>);

/// Ends the threads when the last clone goes.
struct Owner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the store's threads and its clones share.
pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    pub(crate) counters: Counters,
    queue: Queue<Item>,
    readers: Readers,
    signal: Signal,
    /// The thread that commits, once it runs.
    writer: OnceLock<ThreadId>,
    /// Held while the file is in use, so that nobody restores another over it.
    _in_use: Option<std::fs::File>,
}

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is out of its range.
    #[error("store: {0}")]
    Config(#[from] ConfigError),
    /// The database cannot be opened.
    #[error("store {place}: {source}")]
    Sql {
        /// Where.
        place: Place,
        /// Why.
        source: SqlError,
    },
    /// Its tables cannot be used.
    #[error("store {place}: {source}")]
    Migrate {
        /// Where.
        place: Place,
        /// Why.
        source: MigrateError,
    },
    /// The file beside the store that tells that it is in use cannot be had.
    #[error("store {place}: {source}")]
    InUse {
        /// Where.
        place: Place,
        /// Why.
        source: crate::backup::InUseError,
    },
    /// A thread cannot be started.
    #[error("store: no thread: {0}")]
    Thread(std::io::Error),
}

impl Store {
    /// Opens a store; makes it and its tables if they do not exist, and brings the tables of
    /// `components` and its own to the versions that this program needs.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub fn open(config: StoreConfig, components: &[Component]) -> Result<Self, OpenError> {
        config.validate()?;
        let place = config.place.clone();
        let sql = |source| OpenError::Sql {
            place: place.clone(),
            source,
        };
        let in_use =
            crate::backup::lock_in_use(&config.place).map_err(|source| OpenError::InUse {
                place: place.clone(),
                source,
            })?;
        let mut link = writer(&config).map_err(sql)?;
        let migrate = |link: &mut dyn Link| migrate::migrate(link, components);
        in_transaction(link.as_mut(), migrate).map_err(|source| OpenError::Migrate {
            place: place.clone(),
            source,
        })?;
        let state = State::read(link.as_mut()).map_err(sql)?;
        MessageId::no_new_before(state.purged_day.next());

        let shared = Arc::new(Shared {
            counters: Counters::new(),
            queue: Queue::new(JOBS_WAITING_MAX),
            readers: Readers::new(&config),
            signal: Signal::new(),
            writer: OnceLock::new(),
            _in_use: in_use,
            config,
        });
        let store = Self(Arc::new(Owner {
            shared: Arc::clone(&shared),
            threads: Mutex::new(Vec::new()),
        }));
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            let thread = thread.map_err(OpenError::Thread)?;
            store
                .0
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
            Ok::<_, OpenError>(())
        };
        let for_writer = Arc::clone(&shared);
        start(
            "outbox-writer",
            Box::new(move || writer::run(&for_writer, link)),
        )?;
        start("outbox-keeper", Box::new(move || keeper::run(&shared)))?;
        Ok(store)
    }

    /// Runs `job` in a transaction and returns once that is durable.
    ///
    /// Jobs of all threads that come within the commit window share one commit; each is a
    /// savepoint in it and is rolled back alone if it refuses. A job that panics is rolled back,
    /// and the panic goes on here. Jobs run one after the other on the writer's thread: they
    /// compute and wait for nothing.
    ///
    /// # Errors
    /// [`TransactError`]; only after `Unknown` may the job have been committed.
    pub fn transact<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, TransactError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        if self.shared().is_writer() {
            return Err(TransactError::Sql(job::waits_for_itself()));
        }
        self.transact_later(job).wait()
    }

    /// As [`Store::transact`], without waiting: one thread fills a commit. While too many jobs
    /// wait already, it waits for room; a job or a hook on the writer's thread is refused then.
    pub fn transact_later<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Ticket<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let shared = self.shared();
        let (work, ticket) = Work::new(job, shared.writer.get().copied());
        let item = Item::Job(Box::new(work));
        let refused = if shared.is_writer() {
            let outcome = || job::Outcome::NotCommitted(job::waits_for_itself());
            shared
                .queue
                .put_at_once(item)
                .map_err(|item| (item, outcome()))
        } else {
            let closed = |item| (item, job::Outcome::Closed);
            shared.queue.put(item).map_err(closed)
        };
        if let Err((Item::Job(work), outcome)) = refused {
            work.finish(outcome);
        }
        ticket
    }

    /// Reads one state of everything: what `job` reads, and [`Reading::cursor`], belong together.
    ///
    /// # Errors
    /// What `job` returns, and what the database says.
    pub fn read<T, E: From<SqlError>>(
        &self,
        job: impl FnOnce(&mut Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.shared().read(job)
    }

    /// A page of messages.
    ///
    /// # Errors
    /// [`PageError::Gone`] if the answer would have a gap; [`PageError::Sql`].
    pub fn page(&self, query: &PageQuery) -> Result<Page, PageError> {
        let give = || self.read(|reading| page::page(reading, query));
        match give() {
            // A day was purged in between; its cursor is gone now, or it was not needed.
            Err(PageError::Sql(error)) if error.kind() == SqlErrorKind::NoSuchTable => give(),
            given => given,
        }
    }

    /// The place behind the newest message that can be read.
    ///
    /// # Errors
    /// What the database says.
    pub fn head(&self) -> Result<Cursor, SqlError> {
        self.read(|reading| Ok(reading.cursor()))
    }

    /// Waits for messages.
    pub fn follow(&self) -> Follow {
        Follow::new(Arc::clone(self.shared()))
    }

    /// Calls `hook` after each commit that may have brought messages, from a thread of the store:
    /// it returns at once. Commits of other processes are found within the look interval.
    pub fn on_commit(&self, hook: Box<dyn Fn() + Send + Sync>) {
        self.shared().signal.add(hook);
    }

    /// Drops the days whose messages are all older than the retention at `now`.
    ///
    /// # Errors
    /// [`PurgeError`]; what was purged before stays purged.
    pub fn purge(&self, now: Time) -> Result<Purged, PurgeError> {
        self.shared().purge(now)
    }

    /// Believes the clock at `now`, after a step that paused purging was found to be right.
    ///
    /// # Errors
    /// What the database says.
    pub fn accept_clock(&self, now: Time) -> Result<(), PurgeError> {
        self.shared().accept_clock(now)
    }

    /// Age after which messages may go.
    pub fn retention(&self) -> std::time::Duration {
        self.shared().config.retention
    }

    /// How the store is.
    pub fn health(&self) -> StoreHealth {
        self.shared().health()
    }

    /// Commits what was given, and ends the store's threads. Other clones then get `Closed`.
    pub fn close(self) {
        self.0.end();
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

impl Shared {
    pub(crate) fn read<T, E: From<SqlError>>(
        &self,
        job: impl FnOnce(&mut Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.readers.read(job)
    }

    /// Runs `task` on the writer's thread, alone on its connection, also when nothing is taken in.
    pub(crate) fn task<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn Link) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        if self.is_writer() {
            return Err(job::waits_for_itself());
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let run = Box::new(move |link: Result<&mut dyn Link, SqlError>| {
            // A receiver that is gone has stopped waiting.
            let _ = sender.send(link.and_then(task));
        });
        self.queue.put(Item::Task(run)).map_err(|_| closed())?;
        receiver.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Whether this is the thread that commits: it cannot wait for itself.
    fn is_writer(&self) -> bool {
        self.writer.get() == Some(&std::thread::current().id())
    }

    pub(crate) fn jobs_waiting(&self) -> usize {
        self.queue.len()
    }
}

fn closed() -> SqlError {
    SqlError::new(SqlErrorKind::Disconnected, "the store is closed")
}

impl Owner {
    fn end(&self) {
        self.shared.queue.close();
        self.shared.signal.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // A job or a hook may hold the last clone: a thread cannot wait for itself, nor for another
        // that waits for it.
        let current = std::thread::current().id();
        if threads.iter().all(|thread| thread.thread().id() != current) {
            for thread in threads {
                // A panic there was told when it happened.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store")
            .field(&self.shared().config.place)
            .finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
