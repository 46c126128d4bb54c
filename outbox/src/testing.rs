//! Real servers for tests: each on a random port of the loopback, in a folder of its own, ended
//! when it is dropped. Not part of the crate's face.

mod broker;
mod postgres;

pub use self::broker::{Broker, BrokerServer};
pub use self::postgres::PostgresServer;
