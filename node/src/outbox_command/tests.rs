use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use outbox::relay::{Relay, RelayConfig, RelayKind};
use outbox::{Component, Message, Publish as _, PublishError, Store, StoreConfig, Time};

use crate::cli::{Cli, Command};

use super::run;

/// Runs a command line as a person types it, on a store without tables beside its own.
fn command(folder: &Path, line: &str) -> anyhow::Result<String> {
    command_with(&[], folder, line)
}

fn command_with(tables: &[Component], folder: &Path, line: &str) -> anyhow::Result<String> {
    let line = line.replace("DIR", folder.to_str().unwrap());
    let cli = Cli::try_parse_from(line.split_whitespace())?;
    let Command::Outbox(command) = cli.command else {
        panic!("{line}")
    };
    run(command, tables)
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
    let as_new =
        "trilobite outbox replay --store DIR/m.db --type zone.* --from 2020-01-01T00:00:00Z";
    assert!(command(dir, as_new).is_err(), "to whom?");
    let told = command(dir, &format!("{as_new} --as-new")).unwrap();
    assert_eq!(told, "2 messages published once more, as new ones");
    assert_eq!(count(dir), 6);

    let told = command(dir, "trilobite outbox purge --store DIR/m.db").unwrap();
    assert!(told.starts_with("purged 20"), "{told}");
    assert_eq!(count(dir), 4);
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

/// Answers requests with these statuses in turn, the last one for ever.
fn receiver(statuses: &'static [u16]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    // Ends with the test: whoever asks is gone then.
    std::thread::spawn(move || {
        for n in 0.. {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let status = statuses[n.min(statuses.len() - 1)];
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close");
            // Whoever is gone need not read it.
            let _ = stream.write_all(format!("{head}\r\n\r\n").as_bytes());
        }
    });
    url
}

#[test]
fn relays_tell_how_far_they_are_and_what_came_of_each_message() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let command = |dir: &Path, line: &str| command_with(&[outbox::relay::COMPONENT], dir, line);
    publish(dir, &[0, 0]);
    let store = Store::open(config(dir), &[outbox::relay::COMPONENT]).unwrap();
    // The ping and the first message are taken, the second is refused.
    let url = receiver(&[204, 204, 404]);
    let relay = RelayConfig::new("hook", RelayKind::Webhook, &url);
    let relay = Relay::start(store.clone(), &relay).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while relay.health().failures == 0 {
        assert!(std::time::Instant::now() < until, "{:?}", relay.health());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(relay.health().oldest_waiting.is_some());
    drop(relay);
    store.close();

    let relays = "trilobite outbox relays --store DIR/m.db";
    let told = command(dir, relays).unwrap();
    assert!(
        told.starts_with("hook ") && told.contains("behind by 2 messages"),
        "{told}"
    );
    let json = command(dir, &format!("{relays} --json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["relays"][0]["relay"], "hook");
    assert!(json["relays"][0]["oldest_behind"].is_string(), "{json}");

    let deliveries = "trilobite outbox deliveries --store DIR/m.db";
    let told = command(dir, &format!("{deliveries} hook")).unwrap();
    assert_eq!(told.matches("zone.entered").count(), 2, "{told}");
    assert_eq!(told.matches("acked ").count(), 1, "{told}");
    assert!(told.contains("\"status\":404"), "{told}");
    let open = command(dir, &format!("{deliveries} hook --open --json")).unwrap();
    let open: serde_json::Value = serde_json::from_str(&open).unwrap();
    assert_eq!(open["delivery"]["status"], 404);
    assert_eq!(open["acked"], serde_json::Value::Null);
    let unknown = command(dir, &format!("{deliveries} other")).unwrap_err();
    assert!(unknown.to_string().ends_with("it knows hook"), "{unknown}");
}

#[test]
fn a_relays_receiver_is_asked_whether_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let write = |name: &str, url: &str| {
        let example = include_str!("../../node.example.toml");
        let relay = format!("[[relay]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\n");
        std::fs::write(dir.join("node.toml"), format!("{example}\n{relay}")).unwrap();
    };
    let ping = |name: &str| {
        command(
            dir,
            &format!("trilobite outbox ping {name} --config DIR/node.toml"),
        )
    };
    write("hook", &receiver(&[204, 503]));
    let told = ping("hook").unwrap();
    assert!(told.ends_with("answers as it should"), "{told}");
    let refused = format!("{:#}", ping("hook").unwrap_err());
    assert_eq!(refused, "relay hook: webhook: ping: HTTP 503");
    let unknown = ping("hub").unwrap_err().to_string();
    assert!(
        unknown.ends_with("has no relay hub; it has hook"),
        "{unknown}"
    );
}
