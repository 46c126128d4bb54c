//! Connections for readers, and what they read.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::config::StoreConfig;
use super::link::{self, Link};
use crate::Cursor;
use crate::cursor::Position;
use crate::page;
use crate::schema::State;
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};

/// A bounded set of connections; they are made when they are needed.
pub(super) struct Readers {
    config: StoreConfig,
    idle: Mutex<Idle>,
    came_back: Condvar,
}

struct Idle {
    links: Vec<Box<dyn Link>>,
    /// Connections that may still be made.
    unmade: usize,
}

/// One state of everything, read through a connection of its own.
pub struct Reading<'a> {
    link: &'a mut dyn Link,
    state: State,
    head: Position,
}

impl Readers {
    pub(super) fn new(config: &StoreConfig) -> Self {
        Self {
            config: config.clone(),
            idle: Mutex::new(Idle {
                links: Vec::new(),
                unmade: config.readers,
            }),
            came_back: Condvar::new(),
        }
    }

    pub(super) fn read<T, E: From<SqlError>>(
        &self,
        job: impl FnOnce(&mut Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut lent = self.begin()?;
        let Some((link, (state, head))) = lent.parts() else {
            return Err(super::closed().into());
        };
        let result = job(&mut Reading { link, state, head });
        lent.end();
        result
    }

    /// A connection with a snapshot. Those that broke while nobody used them are thrown away, and
    /// a day that was purged while the snapshot began is looked for once more and not found.
    fn begin(&self) -> Result<Lent<'_>, SqlError> {
        for _ in 0..self.config.readers {
            match self.lend()?.begun() {
                Err(error)
                    if matches!(
                        error.kind(),
                        SqlErrorKind::Disconnected | SqlErrorKind::NoSuchTable
                    ) => {}
                begun => return begun,
            }
        }
        self.lend()?.begun()
    }

    fn lend(&self) -> Result<Lent<'_>, SqlError> {
        let mut lent = Lent {
            readers: self,
            link: None,
            state: None,
        };
        let mut idle = self.lock();
        loop {
            if let Some(link) = idle.links.pop() {
                lent.link = Some(link);
                return Ok(lent);
            }
            if idle.unmade > 0 {
                idle.unmade -= 1;
                drop(idle);
                lent.link = Some(link::reader(&self.config)?);
                return Ok(lent);
            }
            idle = self
                .came_back
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that comes back, or makes room for a new one if it is of no more use.
struct Lent<'a> {
    readers: &'a Readers,
    link: Option<Box<dyn Link>>,
    state: Option<(State, Position)>,
}

impl Lent<'_> {
    fn begun(mut self) -> Result<Self, SqlError> {
        if let Some(link) = self.link.as_mut() {
            link.begin_snapshot()?;
            // The first statement fixes what the transaction sees.
            let state = State::read(link.as_mut())?;
            self.state = Some((state, page::head(link.as_mut(), &state)?));
        }
        Ok(self)
    }

    fn parts(&mut self) -> Option<(&mut dyn Link, (State, Position))> {
        match (self.link.as_mut(), self.state) {
            (Some(link), Some(state)) => Some((link.as_mut(), state)),
            _ => None,
        }
    }

    /// Ends the transaction, so that the connection can be used again.
    fn end(&mut self) {
        self.link = self
            .link
            .take()
            .and_then(|mut link| link.roll_back().is_ok().then_some(link));
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // After a panic or an error a transaction may still be under way.
        let usable = self.link.take().filter(|link| link.is_open());
        let usable = usable.and_then(|mut link| (!link.in_transaction()).then_some(link));
        let mut idle = self.readers.lock();
        match usable {
            Some(link) => idle.links.push(link),
            None => idle.unmade += 1,
        }
        drop(idle);
        self.readers.came_back.notify_one();
    }
}

impl Reading<'_> {
    /// The rows that a statement gives; it cannot change any.
    ///
    /// # Errors
    /// What the database says.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.link.query(sql, values)
    }

    /// The place behind everything that is read here: whoever takes this state and then polls from
    /// this cursor misses nothing. Messages about changes that are in the state already may come
    /// again.
    pub const fn cursor(&self) -> Cursor {
        self.state.cursor(self.head)
    }

    /// What the database speaks.
    pub fn dialect(&self) -> Dialect {
        self.link.dialect()
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// The place behind everything that is read here.
    pub(crate) const fn head(&self) -> Position {
        self.head
    }

    pub(crate) fn link(&mut self) -> &mut dyn Link {
        self.link
    }
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("cursor", &self.cursor())
            .finish_non_exhaustive()
    }
}
