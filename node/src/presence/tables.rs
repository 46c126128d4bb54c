//! The tables of presence, and what one write does to them: state and messages in one transaction.
//!
//! Every write compares what is to be true with what the row says, changes the row if they differ,
//! and then publishes. So a write may be done twice, or after newer ones were lost, and a commit
//! whose answer never came is done again without harm.

mod end;
mod site;
mod token;
mod visit;

use outbox::{Component, Message, Migration, Publish as _, PublishError, SqlError, Tx};
use outbox::{Resource, ResourceError};

use super::write::Write;

pub(super) use end::thresholds;
pub(super) use visit::level;

/// The tables, for [`outbox::Store::open`].
pub const COMPONENT: Component = Component {
    name: "presence",
    migrations: &[
        Migration {
            version: 1,
            sqlite: TABLES,
            postgres: TABLES,
        },
        Migration {
            version: 2,
            sqlite: CONSUMERS,
            postgres: CONSUMERS,
        },
    ],
};

/// Both databases read it alike. Times are microseconds since 1970.
const TABLES: &str = "
CREATE TABLE presence_visit (
    site TEXT NOT NULL, zone TEXT NOT NULL, client TEXT NOT NULL,
    client_id BIGINT NOT NULL, inside BIGINT NOT NULL, since_us BIGINT NOT NULL,
    dwelt_us BIGINT, reason TEXT, version BIGINT NOT NULL, changed_us BIGINT NOT NULL,
    PRIMARY KEY (site, zone, client));
CREATE INDEX presence_visit_client ON presence_visit (site, client);
CREATE INDEX presence_visit_ended ON presence_visit (inside, changed_us);
CREATE TABLE presence_zone (
    site TEXT NOT NULL, zone TEXT NOT NULL, occupancy BIGINT NOT NULL, level BIGINT NOT NULL,
    level_since_us BIGINT NOT NULL, thresholds TEXT NOT NULL, removed BIGINT NOT NULL,
    version BIGINT NOT NULL, changed_us BIGINT NOT NULL,
    PRIMARY KEY (site, zone));
CREATE TABLE presence_ap (
    site TEXT NOT NULL, ap TEXT NOT NULL, online BIGINT NOT NULL, since_us BIGINT NOT NULL,
    reason TEXT, version BIGINT NOT NULL,
    PRIMARY KEY (site, ap));
CREATE TABLE presence_client (
    site TEXT NOT NULL, client TEXT NOT NULL, client_id BIGINT NOT NULL, key_id BIGINT NOT NULL,
    state TEXT NOT NULL, since_us BIGINT NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (site, client));
CREATE INDEX presence_client_state ON presence_client (site, state, key_id);
CREATE INDEX presence_client_ended ON presence_client (state, since_us);
CREATE TABLE presence_site (
    site TEXT NOT NULL PRIMARY KEY, file_hash TEXT NOT NULL, plan_hash TEXT NOT NULL,
    zones_hash TEXT NOT NULL, calibration_hash TEXT NOT NULL, version BIGINT NOT NULL);
";

/// Consumers, which belong to no site.
const CONSUMERS: &str = "
CREATE TABLE presence_consumer (
    consumer TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, state TEXT NOT NULL,
    since_us BIGINT NOT NULL, version BIGINT NOT NULL);
";

/// A write was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The database refused.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The message was refused.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// An id makes no path.
    #[error(transparent)]
    Path(#[from] ResourceError),
}

/// Whether a write is done, or wants to go on in another transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    More,
}

/// Makes true what a write says.
pub(super) fn apply(tx: &mut Tx<'_>, write: &Write) -> Result<Progress, WriteError> {
    match write {
        Write::Visit(visit) => visit::write(tx, visit)?,
        Write::Ap {
            site,
            ap,
            online,
            since_us,
        } => site::write_ap(tx, site, ap, *online, *since_us)?,
        Write::End {
            site,
            client,
            reason,
            at_us,
        } => end::end(tx, site, client, *reason, *at_us)?,
        Write::Rotate { site, key, at_us } => return end::rotate(tx, site, *key, *at_us),
        Write::Site(facts) => site::compare(tx, facts)?,
        Write::Calibration { site, hash } => site::write_calibration(tx, site, hash)?,
        Write::Tokens { tokens, at_us } => token::compare(tx, tokens, *at_us)?,
        Write::Purge { before_us } => return end::purge(tx, *before_us),
    }
    Ok(Progress::Done)
}

/// Says that a resource changed.
fn tell(tx: &mut Tx<'_>, kind: &'static str, resource: Resource) -> Result<(), WriteError> {
    let kind = kind
        .parse()
        .expect("types of messages are constants of the right form: a test reads them all");
    tx.publish(&Message::new(kind, resource))?;
    Ok(())
}

/// A time as a column.
fn column(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}
