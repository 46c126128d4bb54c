//! Relays: messages to a broker or a webhook, beside the feed and never instead of it.
//!
//! A [`Relay`] is a thread that tails the outbox by a cursor of its own, sends each message, and keeps
//! beside it what came of that. It deletes nothing: a broker that loses everything after it said that
//! it had it is filled again by `trilobite outbox replay` ([`crate::Store::replay`]), and consumers
//! that poll never depend on it.
//!
//! What it keeps beside a message, under its own name as transport:
//!
//! | key | value |
//! |---|---|
//! | `attempted` | how often it was sent, and when last; written before it is sent |
//! | `acked` | when it was last acknowledged, and what the receiver called it (`ORDERS 17`: sequence 17 of stream `ORDERS`) |
//! | `delivery` | webhooks only: status, attempts and error of the last delivery, as JSON |
//! | `refused` | how often the receiver said that it never takes this one, and its last words |
//! | `again` | somebody asked to send it once more; removed when it is acknowledged |
//!
//! # Invariants
//! - The cursor and `acked` change in one transaction, so after a crash exactly what is not `acked` is
//!   sent again. Receivers may see a message twice, under the same id.
//! - `acked` is only ever written for an acknowledgement of that message.
//! - Nothing is sent that the store does not know as `attempted`.
//!
//! The protocols are spoken here, over blocking sockets and rustls with ring: what a sender needs of
//! each is small, and the clients that exist bring more than that (another TLS provider, an old
//! certificate checker, or runtimes) into a tree that has to stay small.

#[cfg(feature = "relay-amqp")]
mod amqp;
mod config;
mod health;
pub mod limits;
mod line;
#[cfg(any(feature = "relay-nats", feature = "relay-mqtt"))]
mod listen;
#[cfg(feature = "relay-mqtt")]
mod mqtt;
mod names;
#[cfg(feature = "relay-nats")]
mod nats;
mod record;
mod run;
mod stop;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod transport;
#[cfg(feature = "relay-webhook")]
mod webhook;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

pub use config::{RelayConfig, RelayConfigError, RelayKind, Wanted};
pub use health::RelayHealth;
#[cfg(any(feature = "relay-nats", feature = "relay-mqtt"))]
pub use listen::{Listener, ListenerConfig};
pub use record::{DeliveryRecord, RelayRecord};
pub use stop::Stop;
pub use table::COMPONENT;
pub use target::{Credentials, TargetError};
pub use transport::{Delivery, Sent, Transport};

use crate::Store;

/// A relay, running. It ends when this is dropped; what it was sending is then sent again by the
/// next, unless it was acknowledged.
pub struct Relay {
    name: String,
    health: Arc<health::Watched>,
    stop: Stop,
    ended: Receiver<()>,
}

/// Asks a receiver whether it is there and takes us in, without a message of the outbox: a webhook
/// gets a signed message of type `ping`, to a broker it is the connection with its credentials.
///
/// `retention` is that of the store, for a NATS stream that is made when it is missing.
///
/// # Errors
/// [`PingError`] tells the setting that cannot be used, or what the receiver said.
pub fn ping(config: &RelayConfig, retention: Duration) -> Result<(), PingError> {
    let mut transport = transport::open(config, retention)?;
    match transport.send(&[], &Stop::new()).trouble {
        None => Ok(()),
        Some(trouble) => Err(PingError::Trouble(health::words(&trouble))),
    }
}

/// A receiver that does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] RelayConfigError),
    /// What came instead of an answer.
    #[error("{0}")]
    Trouble(String),
}

impl Relay {
    /// Starts a relay on a store that was opened with [`COMPONENT`].
    ///
    /// # Errors
    /// [`RelayConfigError`] for a setting that cannot be used; a receiver that does not answer is
    /// none, it is tried again.
    pub fn start(store: Store, config: &RelayConfig) -> Result<Self, RelayConfigError> {
        let transport = transport::open(config, store.retention())?;
        Self::start_with(store, &config.name, config.wanted.clone(), transport)
    }

    /// Starts a relay with a transport of one's own.
    ///
    /// # Errors
    /// [`RelayConfigError`] for a name that cannot be one, or when the system gives no thread.
    pub fn start_with(
        store: Store,
        name: &str,
        wanted: Wanted,
        transport: Box<dyn Transport>,
    ) -> Result<Self, RelayConfigError> {
        config::check_name(name)?;
        let health = Arc::new(health::Watched::new(name, transport.kind()));
        let stop = Stop::new();
        let runner = run::Runner::new(store, wanted, transport, Arc::clone(&health), stop.clone());
        let (sender, ended) = sync_channel(1);
        std::thread::Builder::new()
            .name(format!("relay-{name}"))
            .spawn(move || {
                runner.run();
                // Nobody may wait any more.
                let _ = sender.try_send(());
            })
            .map_err(RelayConfigError::Thread)?;
        Ok(Self {
            name: name.to_owned(),
            health,
            stop,
            ended,
        })
    }

    /// The name of the transport.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is.
    pub fn health(&self) -> RelayHealth {
        self.health.now()
    }

    /// Reads its health wherever it is, also after the relay has ended.
    pub fn health_reader(&self) -> impl Fn() -> RelayHealth + Send + Sync + use<> {
        let health = Arc::clone(&self.health);
        move || health.now()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.set();
        // A receiver that hangs does not hold us: all that the thread stores is stored whole.
        let _ = self.ended.recv_timeout(limits::STOP_PATIENCE);
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
