//! What a store is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits;

/// Where the messages are.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL database: `postgres://user:password@host:port/name`, or `key=value` words.
    /// The connection is not encrypted: a host that is neither a socket nor loopback is refused,
    /// unless the address says `sslmode=disable`.
    Postgres(String),
}

/// Where and how messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where the messages are.
    pub place: Place,
    /// Age after which messages may go, day by day. One to sixty days; default five.
    pub retention: Duration,
    /// With less free space than this nothing new is taken in. At least 1 MiB; default 256 MiB.
    /// PostgreSQL's disk is its own: it is not watched from here.
    pub headroom_bytes: u64,
    /// Time during which jobs gather for one commit: each waits for it, and all share the price of
    /// one synchronisation with the disk. At most a second; default 20 ms.
    pub commit_window: Duration,
    /// How long to wait for another process that holds the write lock. Default 60 s.
    pub busy_wait: Duration,
    /// Connections for readers. 1 to 64; default 4.
    pub readers: usize,
    /// How often commits of other processes are looked for. Default 250 ms.
    pub look_interval: Duration,
    /// How often the store purges by itself; zero: never, [`Store::purge`](crate::Store::purge) is
    /// called. Default ten minutes.
    pub purge_interval: Duration,
}

/// A configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}; {rule}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Which setting.
    pub key: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it may be.
    pub rule: &'static str,
}

impl std::fmt::Debug for Place {
    /// Without the password that an address may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

impl std::fmt::Display for Place {
    /// As a person reads it, without the password that an address may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(_) => f.write_str("in PostgreSQL"),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = std::convert::Infallible;

    /// An address of PostgreSQL, or else the path of a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        Ok(if postgres {
            Self::Postgres(text.to_owned())
        } else {
            Self::Sqlite(text.into())
        })
    }
}

impl StoreConfig {
    /// A place with the default of everything else.
    pub const fn new(place: Place) -> Self {
        Self {
            place,
            retention: limits::RETENTION_DEFAULT,
            headroom_bytes: limits::HEADROOM_BYTES_DEFAULT,
            commit_window: limits::COMMIT_WINDOW_DEFAULT,
            busy_wait: limits::BUSY_WAIT_DEFAULT,
            readers: limits::READERS_DEFAULT,
            look_interval: limits::LOOK_INTERVAL_DEFAULT,
            purge_interval: limits::PURGE_INTERVAL_DEFAULT,
        }
    }

    /// A file of SQLite, with the default of everything else.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::new(Place::Sqlite(path.into()))
    }

    /// A PostgreSQL database, with the default of everything else.
    pub fn postgres(address: impl Into<String>) -> Self {
        Self::new(Place::Postgres(address.into()))
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |holds: bool, key, value: String, rule| {
            if holds {
                Ok(())
            } else {
                Err(ConfigError { key, value, rule })
            }
        };
        check(
            (limits::RETENTION_MIN..=limits::RETENTION_MAX).contains(&self.retention),
            "retention",
            format!("{:?}", self.retention),
            "use one to sixty days; consumers that were down for longer start over",
        )?;
        check(
            self.headroom_bytes >= limits::HEADROOM_BYTES_MIN,
            "headroom_bytes",
            self.headroom_bytes.to_string(),
            "use at least 1048576, so that a full disk can still be purged",
        )?;
        check(
            self.commit_window <= limits::COMMIT_WINDOW_MAX,
            "commit_window",
            format!("{:?}", self.commit_window),
            "use at most a second; every job waits for it",
        )?;
        check(
            (1..=64).contains(&self.readers),
            "readers",
            self.readers.to_string(),
            "use 1 to 64 connections",
        )?;
        check(
            self.look_interval >= Duration::from_millis(10),
            "look_interval",
            format!("{:?}", self.look_interval),
            "use at least 10 ms",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let check = |change: fn(&mut StoreConfig), key: &str| {
            let mut config = StoreConfig::sqlite("messages.db");
            assert_eq!(config.validate(), Ok(()));
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().key, key);
        };
        check(|c| c.retention = Duration::from_secs(3_600), "retention");
        check(|c| c.retention = Duration::MAX, "retention");
        check(|c| c.headroom_bytes = 0, "headroom_bytes");
        check(
            |c| c.commit_window = Duration::from_secs(2),
            "commit_window",
        );
        check(|c| c.readers = 0, "readers");
        check(|c| c.look_interval = Duration::ZERO, "look_interval");
    }

    #[test]
    fn a_place_hides_its_password() {
        let place: Place = "postgres://me:secret@127.0.0.1/db".parse().unwrap();
        assert!(matches!(place, Place::Postgres(_)));
        assert!(!format!("{place:?} {place}").contains("secret"));
    }
}
