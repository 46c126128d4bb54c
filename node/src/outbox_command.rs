//! `trilobite outbox`: backup, restore, migration, purge, replay and a look at the store of messages.

mod place;
mod words;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use outbox::{Component, Replay, Store, StoreConfig, Time};

pub use place::StorePlace;

/// What `trilobite outbox` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum OutboxCommand {
    /// Show the store: days, newest message, versions of its tables
    Status {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Copy the store to a file while it is used; PostgreSQL by pg_dump
    Backup {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
        /// File to write; never overwritten
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Make the store of a backup; consumers' cursors of before are answered by 410 Gone
    Restore {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
        /// File that `trilobite outbox backup` wrote
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Replace the store that is there
        #[arg(long)]
        replace: bool,
    },
    /// Bring the store's tables to what this program needs; `serve` does it too when it starts
    Migrate {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
    },
    /// Drop the days that are past the retention; `serve` does it by itself
    Purge {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
        /// Believe the clock: it leapt, or the store rested for more than a day, and it is right
        #[arg(long)]
        accept_clock: bool,
    },
    /// Ask one transport to send messages again, under the same ids
    Replay(ReplayArgs),
}

/// Options of `outbox replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Which store.
    #[command(flatten)]
    pub place: StorePlace,
    /// Messages of this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Time,
    /// Messages before this time; by default all
    #[arg(long, value_name = "TIME")]
    pub to: Option<Time>,
    /// Type of message, or zone.* for all below zone; repeat for several; by default all
    #[arg(long = "type", value_name = "TYPE")]
    pub kinds: Vec<outbox::KindPattern>,
    /// The transport that is to send them, as the node's configuration names it
    #[arg(long, value_name = "NAME")]
    pub to_transport: String,
}

/// Does what the command says; returns what to tell. `components` are the tables that the node
/// keeps beside its messages.
///
/// # Errors
/// Tells what the store or a file lacks, and what to do.
pub fn run(command: OutboxCommand, components: &[Component]) -> anyhow::Result<String> {
    match command {
        OutboxCommand::Status { place, json } => {
            let config = place.config()?;
            let health = outbox::inspect(&config).with_context(|| named(&config))?;
            Ok(if json {
                words::status_json(&health)
            } else {
                words::status(&health)
            })
        }
        OutboxCommand::Backup { place, to } => {
            let config = place.config()?;
            outbox::backup(&config, &to).with_context(|| named(&config))?;
            Ok(format!("backup written to {}", to.display()))
        }
        OutboxCommand::Restore {
            place,
            from,
            replace,
        } => {
            let config = place.config()?;
            outbox::restore(&config, &from, replace)
                .with_context(|| format!("{}, from {}", named(&config), from.display()))?;
            Ok(
                "restored; consumers are answered by 410 Gone once, and read their resources anew"
                    .to_owned(),
            )
        }
        OutboxCommand::Migrate { place } => {
            let config = place.config()?;
            let done =
                outbox::migrate_store(&config, components).with_context(|| named(&config))?;
            Ok(words::migrated(&done))
        }
        OutboxCommand::Purge {
            place,
            accept_clock,
        } => {
            let (store, _) = open(&place, components)?;
            let now = Time::now();
            if accept_clock {
                store.accept_clock(now)?;
            }
            let purged = store.purge(now)?;
            store.close();
            Ok(words::purged(&purged))
        }
        OutboxCommand::Replay(args) => {
            let (store, _) = open(&args.place, components)?;
            let replay = Replay {
                from: args.from,
                to: args.to.unwrap_or_else(Time::now),
                kinds: args.kinds,
                transport: args.to_transport,
            };
            let asked = store.replay(&replay)?;
            store.close();
            Ok(format!(
                "{asked} messages asked of transport {} again",
                replay.transport
            ))
        }
    }
}

/// Opens a store that is there: a mistyped path must not make a new one.
fn open(place: &StorePlace, components: &[Component]) -> anyhow::Result<(Store, StoreConfig)> {
    let mut config = place.config()?;
    outbox::inspect(&config).with_context(|| named(&config))?;
    // The command does what it says and nothing beside.
    config.purge_interval = std::time::Duration::ZERO;
    let store = Store::open(config.clone(), components)?;
    Ok((store, config))
}

fn named(config: &StoreConfig) -> String {
    match &config.place {
        outbox::Place::Sqlite(path) => format!("store {}", path.display()),
        outbox::Place::Postgres(_) => "store in PostgreSQL".to_owned(),
    }
}

#[cfg(test)]
mod tests;
