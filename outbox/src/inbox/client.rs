//! Polls a feed over HTTP into a consumer's inbox.
//!
//! A thin shell: [`Poller`] decides, `http` asks, [`Inbox`] stores. One thread per feed runs
//! [`InboxClient::run`]; messages are handled elsewhere, by [`subscribe`](super::subscribe()) or
//! [`Inbox::dequeue`], which the bell wakes.

mod http;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::http::{Fetched, Http};
pub use self::http::{HttpError, Token};
use super::poller::{After, Event, Failure, Filter, Gone, Poller, PollerConfig, Purpose, Received};
use super::{Bell, BoxError, Database, FeedPage, Inbox, InboxConfigError, SchemaError, Until};
use crate::store::TransactError;
use crate::{Message, SqlError, Time, Tx};

/// How often old ids are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Pause while the inbox is full, and after its database refused.
const FULL: Duration = Duration::from_secs(1);

/// A feed and what is wanted of it.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the feed is: `https://host:port`, with `/messages` behind it if nothing else is.
    pub url: String,
    /// The consumer's token.
    pub token: Option<Token>,
    /// Certificates in PEM of the authorities that vouch for the feed; `https` needs some.
    pub authorities_pem: Vec<u8>,
    /// Which messages are wanted.
    pub filter: Filter,
    /// How to poll.
    pub poller: PollerConfig,
    /// Where an inbox begins that never stored a page.
    pub beginning: After,
}

/// Hears of what happens, and does what only the consumer can.
pub trait Watch {
    /// Something went wrong and is tried again.
    fn trouble(&mut self, what: &str);

    /// Messages were missed: read the state itself, and say where to go on. State that came with a
    /// cursor goes on from that one; otherwise first take [`Gone::oldest`], then read the state.
    ///
    /// # Errors
    /// Ends [`InboxClient::run`]; the next run asks for the same again.
    fn resync(&mut self, gone: &Gone) -> Result<After, BoxError>;
}

/// Why polling ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The inbox's tables cannot be used.
    #[error("inbox: {0}")]
    Schema(#[from] TransactError<SchemaError>),
    /// The inbox's database does not answer.
    #[error("inbox: {0}")]
    Database(#[from] TransactError<SqlError>),
    /// The inbox forgets too early for this feed.
    #[error(transparent)]
    Window(#[from] InboxConfigError),
    /// The feed no longer has what was missed, and the state could not be read instead.
    #[error("messages were missed, and the state was not read anew")]
    Resync(#[source] BoxError),
    /// No page could be had, where only one try was wanted.
    #[error("{0}")]
    NoPage(String),
}

/// Polls one feed into one inbox.
#[derive(Debug)]
pub struct InboxClient {
    inbox: Inbox,
    http: Http,
    config: ClientConfig,
    broker: Mutex<Option<Time>>,
}

impl InboxClient {
    /// A client that has not asked yet.
    ///
    /// # Errors
    /// [`HttpError`] for an address, token or certificate that cannot be used.
    pub fn new(config: ClientConfig, inbox: Inbox) -> Result<Self, HttpError> {
        let http = Http::new(&config)?;
        let broker = Mutex::default();
        Ok(Self {
            inbox,
            http,
            config,
            broker,
        })
    }

    /// Stores a message that a broker brought, and polls more slowly while brokers bring some.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn receive_from_broker(
        &self,
        tx: &mut Tx<'_>,
        message: &Message,
        now: Time,
    ) -> Result<Received, SqlError> {
        let received = self.inbox.receive_one(tx, message, now)?;
        let mut broker = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        *broker = (*broker).max(Some(message.time));
        Ok(received)
    }

    /// Polls until the bell is stopped, or until there is nothing more ([`Until::Idle`]).
    ///
    /// Rings the bell when something was stored. A request that the feed holds ends before the bell
    /// is looked at, so stopping takes up to [`PollerConfig::wait`].
    ///
    /// # Errors
    /// [`ClientError`] for what trying again does not mend; with [`Until::Idle`] for any failure.
    pub fn run(
        &self,
        database: &mut Database,
        until: Until,
        bell: &Bell,
        watch: &mut dyn Watch,
    ) -> Result<(), ClientError> {
        let mut polling = self.begin(database, until)?;
        let mut purge_due = Instant::now();
        while !bell.is_stopped() {
            if let Some(Event::Resync(gone)) = polling.poller.poll_event() {
                self.resync(&mut polling, database, &gone, watch)?;
                continue;
            }
            let heard = self
                .broker
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(time) = heard {
                polling.poller.handle_broker_message(time, polling.now());
            }
            if purge_due <= Instant::now() {
                self.purge(database, watch);
                purge_due = Instant::now() + PURGE_EVERY;
            }
            if polling.is_idle && until == Until::Idle {
                return Ok(());
            }
            let now = polling.now();
            let Some(due) = polling.poller.poll_timeout() else {
                continue;
            };
            if due > now {
                bell.pause((due - now).min(FULL));
                continue;
            }
            self.poll(&mut polling, database, bell, watch)?;
        }
        Ok(())
    }

    fn begin(&self, database: &mut Database, until: Until) -> Result<Polling, ClientError> {
        database.transact(|tx| self.inbox.create(tx))?;
        let beginning = self.config.beginning.clone();
        let resume = database.transact(|tx| self.inbox.resume(tx, beginning))?;
        let mut config = self.config.poller.clone();
        if until == Until::Idle {
            config.wait = Duration::ZERO;
        }
        // Without entropy consumers only come back together.
        let seed = getrandom::u64().unwrap_or(0);
        Ok(Polling {
            poller: Poller::new(config, resume, seed, Duration::ZERO),
            start: Instant::now(),
            until,
            is_idle: false,
        })
    }

    /// One request, if there is room for its answer.
    fn poll(
        &self,
        polling: &mut Polling,
        database: &mut Database,
        bell: &Bell,
        watch: &mut dyn Watch,
    ) -> Result<(), ClientError> {
        match database.transact(|tx| self.inbox.has_room(tx)) {
            Ok(true) => {}
            Ok(false) if polling.until == Until::Idle => {
                polling.is_idle = true;
                return Ok(());
            }
            Ok(false) => {
                watch.trouble(
                    "the inbox is full of waiting messages: polling rests until some are handled",
                );
                bell.pause(FULL);
                return Ok(());
            }
            Err(error) if polling.until == Until::Idle => return Err(error.into()),
            Err(error) => {
                watch.trouble(&format!("inbox: {error}"));
                bell.pause(FULL);
                return Ok(());
            }
        }
        let Some(request) = polling.poller.poll_request(polling.now()) else {
            return Ok(());
        };
        let (failure, what) = match self.http.fetch(&request, &self.config.filter) {
            Fetched::Page(page, retention_days) => {
                if let Some(days) = retention_days {
                    self.inbox.config().check_retention(days)?;
                }
                match self.store(database, &page, request.purpose) {
                    Ok(received) => {
                        let onward = request.purpose == Purpose::Onward;
                        polling.is_idle = onward && !page.more;
                        polling.poller.handle_page(&page, received, polling.now());
                        if received.stored > 0 {
                            bell.ring();
                        }
                        return Ok(());
                    }
                    Err(error) => (Failure::NotStored, format!("inbox: {error}")),
                }
            }
            Fetched::Failed(failure, what) => (failure, what),
        };
        let is_gone = matches!(failure, Failure::Gone(_));
        polling.poller.handle_failure(failure, polling.now());
        if polling.until == Until::Idle && !is_gone {
            return Err(ClientError::NoPage(what));
        }
        watch.trouble(&what);
        Ok(())
    }

    fn store(
        &self,
        database: &mut Database,
        page: &FeedPage,
        purpose: Purpose,
    ) -> Result<Received, TransactError<SqlError>> {
        database.transact(|tx| self.inbox.receive(tx, page, purpose, Time::now()))
    }

    fn resync(
        &self,
        polling: &mut Polling,
        database: &mut Database,
        gone: &Gone,
        watch: &mut dyn Watch,
    ) -> Result<(), ClientError> {
        let after = watch.resync(gone).map_err(ClientError::Resync)?;
        database.transact(|tx| self.inbox.go_on_from(tx, &after))?;
        polling.poller.handle_resynced(after, polling.now());
        Ok(())
    }

    /// Forgets old ids, page by page. A failure waits for the next time.
    fn purge(&self, database: &mut Database, watch: &mut dyn Watch) {
        loop {
            match database.transact(|tx| self.inbox.purge(tx, Time::now())) {
                Ok(purged) if purged >= u64::from(super::limits::PURGE_ROWS_MAX) => {}
                Ok(_) => return,
                Err(error) => return watch.trouble(&format!("inbox: {error}")),
            }
        }
    }
}

/// A run under way.
struct Polling {
    poller: Poller,
    start: Instant,
    until: Until,
    is_idle: bool,
}

impl Polling {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
