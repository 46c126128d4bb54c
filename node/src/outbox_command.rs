//! `trilobite outbox`: backup, restore, migration, purge, replay, relays and a look at the store of
//! messages.

mod place;
mod relays;
mod words;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{ArgGroup, Args, Subcommand};
use outbox::{Component, Replay, ReplayAsNew, Store, StoreConfig, Time};

pub use place::StorePlace;
pub use relays::{DeliveriesArgs, PingArgs};

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
    /// Ask one transport to send messages again, under the same ids; or publish them once more as new
    Replay(ReplayArgs),
    /// Show each relay and how far it is, as the store knows it; whether it is well now, the running
    /// node tells at /api/v1/ledger and in /metrics
    Relays {
        /// Which store.
        #[command(flatten)]
        place: StorePlace,
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what became of messages at one relay: attempts, acknowledgements, a webhook's answers
    Deliveries(DeliveriesArgs),
    /// Ask a relay's receiver whether it is there and takes us in: a webhook gets a signed `ping`
    Ping(PingArgs),
}

/// Options of `outbox replay`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("how").required(true).args(["to_transport", "as_new"])))]
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
    pub to_transport: Option<String>,
    /// Publish them once more under new ids: consumers that know the old ones act again
    #[arg(long)]
    pub as_new: bool,
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
            let (from, to) = (args.from, args.to.unwrap_or_else(Time::now));
            let kinds = args.kinds;
            let told = match args.to_transport {
                Some(transport) => {
                    let replay = Replay {
                        from,
                        to,
                        kinds,
                        transport,
                    };
                    let asked = store.replay(&replay)?;
                    format!(
                        "{asked} messages asked of transport {} again",
                        replay.transport
                    )
                }
                None => {
                    let published = store.replay_as_new(&ReplayAsNew { from, to, kinds })?;
                    format!("{published} messages published once more, as new ones")
                }
            };
            store.close();
            Ok(told)
        }
        OutboxCommand::Relays { place, json } => {
            let (store, _) = open(&place, components)?;
            let told = relays::relays(&store, json);
            store.close();
            told
        }
        OutboxCommand::Deliveries(args) => {
            let (store, _) = open(&args.place, components)?;
            let told = relays::deliveries(&store, &args);
            store.close();
            told
        }
        OutboxCommand::Ping(args) => relays::ping(&args),
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
