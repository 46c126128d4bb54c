//! `trilobite inbox`: messages handled by any command, without writing a consumer.
//!
//! One thread polls the feed into the inbox, this one runs the command for one message after the
//! other. A message is done when its command ended with 0 *and* that is stored; who is killed
//! between the two runs the command once more: at least once.

mod args;
#[cfg(any(feature = "relay-nats", feature = "relay-mqtt"))]
mod broker;
mod dead;
mod exec;
mod poll;
mod run;

pub use args::{DeadArgs, DeadCommand, InboxCommand, PollArgs, StoreArgs, WhichArgs};

use anyhow::Context as _;
use outbox::inbox::{Database, Inbox, InboxConfig, InboxStatus};

/// Does what was asked and tells what came of it.
///
/// # Errors
/// What cannot be done, and why.
pub fn run(command: &InboxCommand) -> anyhow::Result<String> {
    match command {
        InboxCommand::Poll(args) => poll::run(args),
        InboxCommand::Dead(command) => dead::run(command),
        InboxCommand::Status { store, json } => status(store, *json),
    }
}

/// The inbox with these rules, and a connection to its tables.
fn open(store: &StoreArgs, config: InboxConfig) -> anyhow::Result<(Inbox, Database)> {
    let inbox = Inbox::new(config).context("--name")?;
    let mut database = Database::open(store.store.clone()).context("--store")?;
    database
        .transact(|tx| inbox.create(tx))
        .context("--store")?;
    Ok((inbox, database))
}

fn status(store: &StoreArgs, json: bool) -> anyhow::Result<String> {
    let (inbox, mut database) = open(store, InboxConfig::new(&store.name))?;
    let status = database.transact(|tx| inbox.status(tx))?;
    Ok(if json {
        status_json(&status).to_string()
    } else {
        status_text(&status)
    })
}

fn status_json(status: &InboxStatus) -> serde_json::Value {
    let time = |time: Option<outbox::Time>| time.map(|time| time.to_string());
    serde_json::json!({
        "cursor": status.cursor.as_ref().map(ToString::to_string),
        "newest": time(status.newest),
        "stored": time(status.stored),
        "seen": status.seen,
        "waiting": status.waiting,
        "failing": status.failing,
        "oldest_waiting": time(status.oldest_waiting),
        "dead": status.dead,
    })
}

fn status_text(status: &InboxStatus) -> String {
    let time =
        |time: Option<outbox::Time>| time.map_or("never".to_owned(), |time| time.to_string());
    let oldest = status
        .oldest_waiting
        .map_or(String::new(), |time| format!(", the oldest of {time}"));
    let cursor = status
        .cursor
        .as_ref()
        .map_or("none yet".to_owned(), ToString::to_string);
    format!(
        "waiting    {}{oldest}\nfailing    {}\ndead       {}\nseen       {}\n\
         newest     {}\nlast page  {}\ncursor     {cursor}",
        status.waiting,
        status.failing,
        status.dead,
        status.seen,
        time(status.newest),
        time(status.stored),
    )
}
