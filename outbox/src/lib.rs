//! Must-deliver messages: stored in the transaction that changed the state, read by cursor.
//!
//! A message says that the state of a resource changed; it carries no state. A consumer polls for
//! messages, keeps those it has not seen, and reads the resource's current state. The crate knows
//! no Wi-Fi, opens no socket of its own, and needs no async runtime.
//!
//! Start with [`Store`], [`Message`] and [`PageQuery`]. [`feed`] turns queries into pages and answers
//! for any HTTP server; [`consumer`] says who may see what; [`alerts`] tells what is unusual.
//!
//! - Nothing publishes without a transaction in hand ([`Publish`]).
//! - A message has four fields and never a fifth.
//! - A message that was committed is given to every consumer that polls within the retention; a
//!   cursor that cannot be answered without a gap is refused ([`PageError::Gone`]).
//! - Messages come in the order of commits; a late commit is never skipped.
//! - The same id again stores nothing twice.
//!
//! ```
//! use outbox::{Message, PageQuery, Publish as _, PublishError, Start, Store, StoreConfig, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop.db");
//! let store = Store::open(StoreConfig::sqlite(path), &[])?;
//! # store.transact(|tx| tx.execute("CREATE TABLE door (name TEXT, open INTEGER)", &[]))?;
//!
//! // State and message change in one transaction.
//! store.transact(|tx| {
//!     tx.execute("INSERT INTO door VALUES (?1, ?2)", &[Value::from("north"), true.into()])?;
//!     let kind = "door.opened".parse().expect("a valid type");
//!     let resource = "/doors/north".parse().expect("a valid path");
//!     tx.publish(&Message::new(kind, resource))?;
//!     Ok::<_, PublishError>(())
//! })?;
//!
//! // A consumer polls, and keeps `next` for its next poll.
//! let page = store.page(&PageQuery::new(Start::Oldest))?;
//! assert_eq!(page.messages[0].resource.as_str(), "/doors/north");
//! let again = store.page(&PageQuery::new(Start::Cursor(page.next)))?;
//! assert!(again.messages.is_empty());
//! # Ok(()) }
//! ```

pub mod alerts;
pub mod consumer;
pub mod feed;
pub mod inbox;
pub mod limits;
#[cfg(feature = "relay")]
pub mod relay;
#[cfg(feature = "signature")]
pub mod signature;

mod backup;
mod clock;
mod cursor;
mod figures;
mod headroom;
mod health;
mod kv;
mod message;
mod migrate;
mod page;
mod private;
mod purge;
mod replay;
mod schema;
mod store;
mod time;
mod tx;
mod value;

#[cfg(feature = "testing")]
pub mod testing;

pub use backup::{BackupError, InUseError, backup, inspect, migrate_store, restore};
pub use clock::Clock;
pub use cursor::{Cursor, CursorError};
pub use figures::Figures;
pub use headroom::Intake;
pub use health::{DatabaseHealth, StoreHealth};
pub use kv::{KV_AGAIN, KvError};
pub use message::{
    IdError, IdMaker, Kind, KindError, KindPattern, Message, MessageId, Resource, ResourceError,
};
pub use migrate::{Component, MigrateError, Migrated, Migration};
pub use page::{Page, PageError, PageQuery, Sees, Share, Start};
pub use purge::{PurgeError, Purged};
pub use replay::{AsNewError, Replay, ReplayAsNew, ReplayError};
pub use store::{
    ConfigError, Follow, OpenError, Place, Reading, Store, StoreConfig, Ticket, TransactError,
};
pub use time::{Day, Time, TimeError};
pub use tx::{Publish, PublishError, Published, Tx};
pub use value::{Dialect, Row, SqlError, SqlErrorKind, Value};
