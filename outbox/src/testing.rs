//! For tests: real servers, each on a random port of the loopback, in a folder of its own, ended
//! when it is dropped; and databases whose statements fail. Not part of the crate's face.

mod broker;
mod postgres;
pub(crate) mod statements;

pub use self::broker::{Broker, BrokerServer};
pub use self::postgres::PostgresServer;
pub use self::statements::{StatementFault, StatementFaults};
