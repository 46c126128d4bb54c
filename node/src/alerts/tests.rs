//! Alerts over a store, a listener and a webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use outbox::alerts::{Alert, AlertKind};
use outbox::relay::RelayHealth;
use outbox::signature::{Secret, headers};
use outbox::{Message, Place, Publish as _, PublishError, StoreConfig};

use super::*;
use crate::latest::HubCounts;
use crate::metrics::{MessageFigures, exposition};
use crate::presence::Counted;
use crate::status::StatusView;
use crate::testing::over_both_stores;

const HOUR: Duration = Duration::from_secs(3_600);
const SECRET: &str = "a-secret-of-many-letters";
const RULES: &str = include_str!("../../../contrib/prometheus/trilobite.rules.yml");

fn store(place: &Place) -> Store {
    let config = StoreConfig {
        commit_window: Duration::ZERO,
        ..StoreConfig::new(place.clone())
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

/// A request as it came.
struct Request {
    first: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A server for one request.
fn one_request(status: &'static str) -> (String, JoinHandle<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut first, mut headers) = (String::new(), BTreeMap::new());
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        Request {
            first,
            headers,
            body: String::from_utf8(body).unwrap(),
        }
    });
    (url, thread)
}

/// A week and a day in looks of five minutes, each hour with a message and a poll.
fn an_increase_is_counted_from_the_store_and_told_everywhere(place: &Place) {
    let store = store(place);
    let (url, server) = one_request("204 No Content");
    let hook = Hook::new(&url, None).unwrap().signed(SECRET).unwrap();
    let mut watch = watch(&store, Some(hook));
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
    let posted = server.join().unwrap();
    let header = |name: &str| posted.headers[name].as_str();
    assert!(posted.first.starts_with("POST /alarm "), "{}", posted.first);
    let sent_s: i64 = header("webhook-timestamp").parse().unwrap();
    let secret = Secret::new(SECRET).unwrap();
    let (id, sent) = (header("webhook-id"), Time::from_micros(sent_s * 1_000_000));
    let signed: Vec<_> = headers(Some(&secret), id, sent, posted.body.as_bytes()).collect();
    assert_eq!(
        signed[2],
        ("webhook-signature", header("webhook-signature").to_owned())
    );
    let posted: serde_json::Value = serde_json::from_str(&posted.body).unwrap();
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
    let first = refusing.join().unwrap();
    let listener = TcpListener::bind(address).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut second = vec![0; 4_096];
    let mut length = 0;
    let has = |text: &str, what: &str| text.contains(what);
    while !has(&String::from_utf8_lossy(&second[..length]), &first.body) {
        let read = stream.read(&mut second[length..]).unwrap();
        assert!(read > 0, "the same body again");
        length += read;
    }
    let second = String::from_utf8_lossy(&second[..length]);
    assert!(has(&second, &first.headers["webhook-id"]), "{second}");
    assert!(!first.headers.contains_key("webhook-signature"));
    assert!(has(&first.body, "\"consumer\":\"wms\""), "{}", first.body);
}

fn metrics(board: &Board) -> String {
    let relay = RelayHealth {
        name: "hub".to_owned(),
        kind: "nats",
        is_well: false,
        behind: 2,
        oldest_waiting: Some(Time::from_micros(0)),
        attempted: 3,
        acked: 1,
        failures: 1,
        refused: 0,
        gaps: 0,
        last_ack: None,
        last_trouble: None,
    };
    let status = StatusView {
        relays: vec![relay],
        ..StatusView::default()
    };
    exposition(
        &status,
        &[("hq", HubCounts::default())],
        Some(Counted::default()),
        Some(MessageFigures::of(board)),
    )
}

/// No promtool here, so by hand: the form of each rule, and that its metrics are there.
fn the_rules_for_prometheus_name_metrics_that_are_printed(place: &Place) {
    let store = store(place);
    publish(&store, 3);
    store.purge(Time::now()).unwrap();
    let mut watch = watch(&store, None);
    watch.look(Time::now(), Duration::ZERO);
    watch.board.tallies().poll("", 200);
    let text = metrics(&watch.board);
    let mut printed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    if let Place::Postgres(_) = place {
        // Its disk is its own, so nothing is told of it and that rule rests.
        assert!(printed.insert("trilobite_outbox_free_bytes"));
    }
    for name in [
        "trilobite_outbox_free_bytes",
        "trilobite_outbox_last_purge_age_seconds",
        "trilobite_outbox_days_kept",
        "trilobite_relay_oldest_waiting_age_seconds",
    ] {
        assert!(printed.contains(name), "no {name} in {text}");
    }
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
    assert_eq!((rules.len(), expressions), (14, 14));
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

over_both_stores!(
    an_increase_is_counted_from_the_store_and_told_everywhere,
    the_rules_for_prometheus_name_metrics_that_are_printed,
);
