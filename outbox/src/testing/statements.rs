//! Statements that fail: the n-th that a program gives to some databases.
//!
//! A thin layer around the store's own connections, counted over all of them. What fails, fails in the
//! database too where that can be had, so that the connection is afterwards as it is in real trouble.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Link, Place};
use crate::tx::Session;
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};

/// What neither database takes; the error is the database's own.
const REFUSED: &str = "SELECT";

/// How a statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFault {
    /// It is not done, and an error comes.
    Refused,
    /// It is not done, and the transaction that it was in is gone: SQLite rolled it back by itself,
    /// PostgreSQL's end of the connection died.
    Ended,
    /// It is done, and an error comes all the same; PostgreSQL's end of the connection died after it.
    Unanswered,
    /// The driver panics.
    Panics,
}

/// Some statements for some databases fail, from the n-th on. Connections that are opened while it is in force
/// take part; opening one is a statement, and so are the beginning and the end of a transaction.
#[derive(Debug)]
pub struct StatementFaults {
    places: Vec<Place>,
    fault: StatementFault,
    given: AtomicI64,
    faulty: Range<i64>,
}

static IN_FORCE: Mutex<Vec<Arc<StatementFaults>>> = Mutex::new(Vec::new());

fn in_force() -> MutexGuard<'static, Vec<Arc<StatementFaults>>> {
    IN_FORCE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StatementFaults {
    /// From now on, until [`StatementFaults::end`]: `count` statements fail from the n-th on, which is
    /// 1 for the first.
    pub fn begin(places: &[Place], nth: i64, count: i64, fault: StatementFault) -> Arc<Self> {
        let faults = Arc::new(Self {
            places: places.to_vec(),
            fault,
            given: AtomicI64::new(0),
            faulty: nth..nth.saturating_add(count),
        });
        in_force().push(Arc::clone(&faults));
        faults
    }

    /// Ends it for connections to come; how many statements were given so far.
    pub fn end(&self) -> i64 {
        in_force().retain(|faults| !std::ptr::eq(faults.as_ref(), self));
        self.given.load(Ordering::SeqCst)
    }

    /// How this statement fails, if it does.
    fn next(&self) -> Option<StatementFault> {
        let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        self.faulty.contains(&number).then_some(self.fault)
    }
}

fn unanswered() -> SqlError {
    SqlError::new(SqlErrorKind::Other, "a fault of the test: no answer")
}

fn panics() -> ! {
    panic!("a panic that the test wants")
}

/// A connection to `place`, with faults if there are any in force for it.
pub(crate) fn over(
    place: &Place,
    connect: impl FnOnce() -> Result<Box<dyn Link>, SqlError>,
) -> Result<Box<dyn Link>, SqlError> {
    let found = in_force()
        .iter()
        .find(|faults| faults.places.contains(place))
        .map(Arc::clone);
    let Some(faults) = found else {
        return connect();
    };
    match faults.next() {
        Some(StatementFault::Refused | StatementFault::Ended) => Err(unanswered()),
        Some(StatementFault::Unanswered) => connect().and_then(|_| Err(unanswered())),
        Some(StatementFault::Panics) => panics(),
        None => Ok(Box::new(Faulty {
            below: connect()?,
            faults,
        })),
    }
}

struct Faulty {
    below: Box<dyn Link>,
    faults: Arc<StatementFaults>,
}

impl Faulty {
    fn statement<T>(
        &mut self,
        run: impl FnOnce(&mut dyn Link) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let below = self.below.as_mut();
        match self.faults.next() {
            None => return run(below),
            Some(StatementFault::Refused) => {}
            Some(StatementFault::Panics) => panics(),
            Some(StatementFault::Ended) => match below.dialect() {
                Dialect::Sqlite if below.in_transaction() => below.batch("ROLLBACK")?,
                Dialect::Sqlite => {}
                Dialect::Postgres => return die(below),
            },
            Some(StatementFault::Unanswered) => {
                run(below)?;
                match below.dialect() {
                    Dialect::Sqlite => return Err(unanswered()),
                    Dialect::Postgres => return die(below),
                }
            }
        }
        below.batch(REFUSED)?;
        Err(unanswered())
    }
}

/// The server's end of the connection ends itself.
fn die<T>(link: &mut dyn Link) -> Result<T, SqlError> {
    link.batch("SELECT pg_terminate_backend(pg_backend_pid())")?;
    Err(unanswered())
}

impl Session for Faulty {
    fn dialect(&self) -> Dialect {
        self.below.dialect()
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.statement(|below| below.execute(sql, values))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.statement(|below| below.query(sql, values))
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        self.statement(|below| below.batch(sql))
    }
}

impl Link for Faulty {
    fn begin(&mut self) -> Result<(), SqlError> {
        self.statement(|below| below.begin())
    }

    fn begin_snapshot(&mut self) -> Result<(), SqlError> {
        self.statement(|below| below.begin_snapshot())
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        self.statement(|below| below.commit())
    }

    fn roll_back(&mut self) -> Result<(), SqlError> {
        self.statement(|below| below.roll_back())
    }

    fn roll_back_to(&mut self, savepoint: &str) -> Result<(), SqlError> {
        self.statement(|below| below.roll_back_to(savepoint))
    }

    fn is_open(&self) -> bool {
        self.below.is_open()
    }

    fn in_transaction(&mut self) -> bool {
        self.below.in_transaction()
    }

    fn trouble(&mut self) -> Option<SqlError> {
        self.below.trouble()
    }

    fn restart_log(&mut self) {
        self.below.restart_log();
    }

    fn free_bytes_inside(&mut self) -> Result<u64, SqlError> {
        self.statement(|below| below.free_bytes_inside())
    }
}
