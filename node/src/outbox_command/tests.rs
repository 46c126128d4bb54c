use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use outbox::{Message, Publish as _, PublishError, Store, StoreConfig, Time};

use crate::cli::{Cli, Command};

use super::run;

/// Runs a command line as a person types it.
fn command(folder: &Path, line: &str) -> anyhow::Result<String> {
    let line = line.replace("DIR", folder.to_str().unwrap());
    let cli = Cli::try_parse_from(line.split_whitespace())?;
    let Command::Outbox(command) = cli.command else {
        panic!("{line}")
    };
    run(command, &[])
}

/// Publishes messages, days old, into the store of the folder.
fn publish(folder: &Path, days_old: &[u32]) {
    let config = StoreConfig {
        purge_interval: Duration::ZERO,
        ..config(folder)
    };
    let store = Store::open(config, &[]).unwrap();
    for days in days_old {
        let time = Time::now().minus(Duration::from_secs(86_400) * *days);
        let kind = if days % 2 == 0 {
            "zone.entered"
        } else {
            "ap.online"
        };
        let message = Message::at(time, kind.parse().unwrap(), "/api/v1/x".parse().unwrap());
        store
            .transact(move |tx| {
                tx.publish(&message)?;
                Ok::<_, PublishError>(())
            })
            .unwrap();
    }
    store.close();
}

fn config(folder: &Path) -> StoreConfig {
    StoreConfig::sqlite(folder.join("m.db"))
}

fn count(folder: &Path) -> usize {
    let query = outbox::PageQuery::new(outbox::Start::Oldest);
    Store::open(config(folder), &[])
        .unwrap()
        .page(&query)
        .unwrap()
        .messages
        .len()
}

#[test]
fn each_command_does_its_work_on_a_store_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    publish(dir, &[9, 8, 1, 0]);
    let told = command(dir, "trilobite outbox status --store DIR/m.db").unwrap();
    assert!(
        told.contains("4 days") && told.contains("outbox version 2"),
        "{told}"
    );
    let told = command(dir, "trilobite outbox status --store DIR/m.db --json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(json["days"].as_array().unwrap().len(), 4);
    let told = command(dir, "trilobite outbox migrate --store DIR/m.db").unwrap();
    assert!(told.starts_with("nothing to do"), "{told}");
    let told = command(dir, "trilobite outbox backup --store DIR/m.db --to DIR/b").unwrap();
    assert!(told.starts_with("backup written"), "{told}");

    let replay =
        "trilobite outbox replay --store DIR/m.db --type zone.* --to-transport nats --from";
    let told = command(dir, &format!("{replay} 2020-01-01T00:00:00Z")).unwrap();
    assert_eq!(told, "2 messages asked of transport nats again");
    assert!(command(dir, &format!("{replay} yesterday")).is_err());

    let told = command(dir, "trilobite outbox purge --store DIR/m.db").unwrap();
    assert!(told.starts_with("purged 20"), "{told}");
    assert_eq!(count(dir), 2);
    let told = command(
        dir,
        "trilobite outbox purge --store DIR/m.db --accept-clock",
    )
    .unwrap();
    assert!(told.starts_with("nothing to purge"), "{told}");

    let restore = "trilobite outbox restore --store DIR/m.db --from DIR/b";
    let refused = command(dir, restore).unwrap_err();
    assert!(
        format!("{refused:#}").contains("there is a store already"),
        "{refused:#}"
    );
    command(dir, &format!("{restore} --replace")).unwrap();
    let store = Store::open(
        StoreConfig {
            purge_interval: Duration::ZERO,
            ..config(dir)
        },
        &[],
    );
    let query = outbox::PageQuery::new(outbox::Start::Oldest);
    assert_eq!(store.unwrap().page(&query).unwrap().messages.len(), 4);
}

#[test]
fn a_mistyped_path_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    for command_line in [
        "trilobite outbox status --store DIR/none.db",
        "trilobite outbox purge --store DIR/none.db",
        "trilobite outbox backup --store DIR/none.db --to DIR/b",
        "trilobite outbox replay --store DIR/none.db --from 2020-01-01T00:00:00Z --to-transport a",
    ] {
        let error = command(folder.path(), command_line).unwrap_err();
        assert!(format!("{error:#}").contains("none.db"), "{error:#}");
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    assert!(command(folder.path(), "trilobite outbox status").is_err());
}
