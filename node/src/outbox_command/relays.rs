//! Relays, from what the store knows of them, and their receivers, asked from here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use outbox::relay::{DeliveryRecord, RelayRecord};
use outbox::{Store, Time};
use serde_json::json;

use super::StorePlace;
use crate::config::NodeConfig;

/// Options of `outbox deliveries`.
#[derive(Debug, Clone, Args)]
pub struct DeliveriesArgs {
    /// The relay, as the node's configuration names it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which store.
    #[command(flatten)]
    pub place: StorePlace,
    /// Only messages that were sent and never acknowledged
    #[arg(long)]
    pub open: bool,
    /// Most messages to show, the newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// Print each message as a JSON object on a line of its own
    #[arg(long)]
    pub json: bool,
}

/// Options of `outbox ping`.
#[derive(Debug, Clone, Args)]
pub struct PingArgs {
    /// The relay, as the node's configuration names it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Each relay and how far it is.
pub(super) fn relays(store: &Store, json: bool) -> anyhow::Result<String> {
    let records = store.relay_records()?;
    let now = Time::now();
    if json {
        let list: Vec<_> = records.iter().map(relay_json).collect();
        return Ok(json!({ "relays": list }).to_string());
    }
    if records.is_empty() {
        return Ok("no relay has sent anything from this store".to_owned());
    }
    let lines = records.iter().map(|record| relay_line(record, now));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn relay_json(record: &RelayRecord) -> serde_json::Value {
    json!({
        "relay": record.name,
        "stored": record.stored.to_string(),
        "behind": record.behind,
        "oldest_behind": record.next.as_ref().map(|message| message.time.to_string()),
        "gap": record.has_gap,
    })
}

fn relay_line(record: &RelayRecord, now: Time) -> String {
    let how = match (&record.next, record.has_gap) {
        (_, true) => "messages were purged, or the store restored, before all were sent".to_owned(),
        (None, false) => "has everything".to_owned(),
        (Some(next), false) => format!(
            "behind by {} messages, the oldest {} s old",
            record.behind,
            now.since(next.time).as_secs()
        ),
    };
    format!(
        "{:16} {how}; its place is of {}",
        record.name, record.stored
    )
}

/// What became of messages at one relay.
pub(super) fn deliveries(store: &Store, args: &DeliveriesArgs) -> anyhow::Result<String> {
    let records = store.deliveries(&args.name, args.open, usize::from(args.limit))?;
    if args.json {
        let lines = records
            .iter()
            .map(|record| delivery_json(record).to_string());
        return Ok(lines.collect::<Vec<_>>().join("\n"));
    }
    if records.is_empty() {
        let known = store.relay_records()?;
        if !known.iter().any(|relay| relay.name == args.name) {
            let names: Vec<_> = known.iter().map(|relay| relay.name.as_str()).collect();
            bail!(
                "no relay {} has sent anything from this store; it knows {}",
                args.name,
                match names.is_empty() {
                    true => "none".to_owned(),
                    false => names.join(", "),
                }
            );
        }
        return Ok("nothing".to_owned());
    }
    let lines = records.iter().map(delivery_line);
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn delivery_json(record: &DeliveryRecord) -> serde_json::Value {
    // A value that is no JSON was written by another program: shown as it is.
    let delivery = record.delivery.as_ref().map(|text| {
        serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text.as_str()))
    });
    json!({
        "message": record.message,
        "attempted": record.attempted,
        "acked": record.acked,
        "refused": record.refused,
        "delivery": delivery,
        "again": record.is_asked_again,
    })
}

fn delivery_line(record: &DeliveryRecord) -> String {
    let message = &record.message;
    let mut line = format!("{} {} {}", message.id, message.kind, message.resource);
    let told = [
        ("acked", &record.acked),
        ("refused", &record.refused),
        ("attempted", &record.attempted),
        ("delivery", &record.delivery),
    ];
    for (word, value) in told {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(line, "\n    {word:9} {value}");
        }
    }
    if record.is_asked_again {
        line.push_str("\n    again     asked for; not sent yet");
    }
    line
}

/// Asks a relay's receiver whether it is there.
pub(super) fn ping(args: &PingArgs) -> anyhow::Result<String> {
    let config = NodeConfig::load(&args.config)?;
    let Some(section) = config.relays.iter().find(|relay| relay.name == args.name) else {
        bail!(
            "configuration {} has no relay {}{}",
            args.config.display(),
            args.name,
            others(&config)
        );
    };
    let relay = section.config()?;
    let retention = config.messages.store(Path::new("")).retention;
    outbox::relay::ping(&relay, retention).with_context(|| format!("relay {}", args.name))?;
    Ok(format!("{}: {} answers as it should", args.name, relay.url))
}

fn others(config: &NodeConfig) -> String {
    let names: Vec<_> = config
        .relays
        .iter()
        .map(|relay| relay.name.as_str())
        .collect();
    match names.is_empty() {
        true => ", and no other".to_owned(),
        false => format!("; it has {}", names.join(", ")),
    }
}
