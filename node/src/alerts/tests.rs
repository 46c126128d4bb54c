//! Alerts over a store, a listener and a webhook.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use outbox::alerts::{Alert, AlertKind};
use outbox::{Message, Publish as _, PublishError, StoreConfig};

use super::*;
use crate::latest::HubCounts;
use crate::metrics::{MessageFigures, exposition};
use crate::presence::Counted;
use crate::status::StatusView;

const HOUR: Duration = Duration::from_secs(3_600);
const RULES: &str = include_str!("../../../contrib/prometheus/trilobite.rules.yml");

fn store(folder: &std::path::Path) -> Store {
    let config = StoreConfig {
        commit_window: Duration::ZERO,
        ..StoreConfig::sqlite(folder.join("outbox.sqlite"))
    };
    Store::open(config, &[outbox::alerts::COMPONENT]).unwrap()
}

fn publish(store: &Store, count: usize) {
    let job = move |tx: &mut outbox::Tx<'_>| {
        for _ in 0..count {
            let resource = "/api/v1/sites/office".parse().unwrap();
            tx.publish(&Message::new("site.owner".parse().unwrap(), resource))?;
        }
        Ok::<_, PublishError>(())
    };
    store.transact(job).unwrap();
}

fn rules() -> AlertRules {
    AlertRules {
        messages_floor: 10.0,
        polls_floor: 10.0,
        warm_up_weeks: 1,
        ..AlertRules::default()
    }
}

fn watch(store: &Store, hook: Option<Hook>) -> Watch {
    let parts = AlertsParts {
        rules: rules(),
        hook,
    };
    Watch::new(parts, store.clone(), Arc::new(Door::open()), Arc::default()).unwrap()
}

/// A server for one request; gives its first line and its body.
fn one_request(status: &'static str) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        (first, String::from_utf8(body).unwrap())
    });
    (url, thread)
}

/// A week and a day in looks of five minutes, each hour with a message and a poll.
#[test]
fn an_increase_is_counted_from_the_store_and_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let (url, server) = one_request("204 No Content");
    let mut watch = watch(&store, Some(Hook::new(&url, None).unwrap()));
    let begin = Time::from_micros(1_772_409_600_000_000);
    let mut running = Duration::ZERO;
    watch.look(begin, running);
    while running < 170 * HOUR {
        running += HOUR / 12;
        watch.look(begin.plus(running), running);
    }
    assert_eq!(watch.alerts.hours_learned(), 168);
    publish(&store, 50);
    running += HOUR / 12;
    watch.look(begin.plus(running), running);
    let body = serde_json::to_value(body::AlertsBody::new(&watch.board)).unwrap();
    assert_eq!(body["active"][0]["kind"], "messages_increase");
    assert_eq!(body["active"][0]["count"], 50);
    assert_eq!(body["recent"][0]["state"], "began");
    let (first, posted) = server.join().unwrap();
    assert!(first.starts_with("POST /alarm "), "{first}");
    let posted: serde_json::Value = serde_json::from_str(&posted).unwrap();
    assert_eq!(posted, body["recent"][0]);
    let text = metrics(&watch.board);
    let line = "trilobite_alert{kind=\"messages_increase\"} 1.0";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("trilobite_messages_published_total{} 50\n"));

    // Another process takes up where this one was.
    let mut again = self::watch(&store, None);
    again.look(begin.plus(running), Duration::ZERO);
    let view = again.board.view().unwrap();
    assert_eq!((view.active.len(), view.hours_learned), (1, 168));
}

#[test]
fn a_webhook_that_refuses_is_tried_again() {
    let (url, refusing) = one_request("500 Internal Server Error");
    let address = url.trim_start_matches("http://").trim_end_matches("/alarm");
    let webhook = Webhook::start(Hook::new(&url, None).unwrap()).unwrap();
    let alert = Alert {
        kind: AlertKind::PollsSilence,
        consumer: Some("wms".to_owned()),
        since: Time::from_micros(0),
        count: 2,
        usual: 60.0,
        limit: 0.0,
    };
    webhook.give(&Notice { alert, ended: None });
    let (_, first) = refusing.join().unwrap();
    let listener = TcpListener::bind(address).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut second = vec![0; 4_096];
    let mut length = 0;
    while !String::from_utf8_lossy(&second[..length]).contains(&first) {
        let read = stream.read(&mut second[length..]).unwrap();
        assert!(read > 0, "the same body again");
        length += read;
    }
    assert!(first.contains("\"consumer\":\"wms\""), "{first}");
}

fn metrics(board: &Board) -> String {
    exposition(
        &StatusView::default(),
        &[("hq", HubCounts::default())],
        Some(Counted::default()),
        Some(MessageFigures::of(board)),
    )
}

/// No promtool here, so by hand: the form of each rule, and that its metrics are there.
#[test]
fn the_rules_for_prometheus_name_metrics_that_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    publish(&store, 3);
    let mut watch = watch(&store, None);
    watch.look(Time::now(), Duration::ZERO);
    watch.board.tallies().poll("", 200);
    let text = metrics(&watch.board);
    let printed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    assert!(printed.contains("trilobite_outbox_free_bytes"), "{text}");
    let (mut rules, mut expressions) = (BTreeSet::new(), 0);
    for line in RULES.lines() {
        assert!(!line.contains('\t') && line.trim_end() == line, "{line:?}");
        if let Some(name) = line.strip_prefix("      - alert: ") {
            assert!(rules.insert(name), "{name} stands there twice");
        }
        let Some(expression) = line.strip_prefix("        expr: ") else {
            continue;
        };
        expressions += 1;
        let depth =
            |open, close| expression.matches(open).count() == expression.matches(close).count();
        assert!(depth('(', ')') && depth('{', '}'), "{expression}");
        let names: Vec<&str> = expression
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("trilobite_"))
            .collect();
        assert_eq!(names.len(), 1, "{expression}");
        assert!(printed.contains(names[0]), "no {} is printed", names[0]);
        for label in ["kind=\"", "answer=\""] {
            let Some((_, rest)) = expression.split_once(label) else {
                continue;
            };
            let pair = format!("{label}{}\"", rest.split('"').next().unwrap());
            assert!(text.contains(&pair), "no {pair} is printed");
        }
    }
    assert_eq!((rules.len(), expressions), (12, 12));
    if let Ok(check) = std::process::Command::new("promtool")
        .args(["check", "rules"])
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../contrib/prometheus/trilobite.rules.yml"
        ))
        .output()
    {
        assert!(check.status.success(), "{check:?}");
    } else {
        eprintln!("skipped: promtool is not installed; the form was checked by hand");
    }
}
