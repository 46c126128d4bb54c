//! A webhook over real HTTP: the ping goes first, every request is signed, and answers mean what they say.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::relay::{Credentials, Relay, RelayConfig, RelayConfigError, RelayKind, TargetError};
use crate::signature::{Secret, headers};

const SECRET: &str = "a-secret-of-many-letters";

/// One request as it came.
struct Request {
    headers: HashMap<String, String>,
    message: Message,
    body: Vec<u8>,
}

/// Answers the first requests with these statuses and all others with 204.
fn receiver(statuses: Vec<u16>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    let mut statuses = statuses.into_iter();
    // Ends with the test: whoever asks is gone then.
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end().split_once(": ") {
                    Some((name, value)) => {
                        headers.insert(name.to_ascii_lowercase(), value.to_owned());
                    }
                    None if line.trim().is_empty() => break,
                    None => assert!(line.starts_with("POST /hook HTTP/1.1"), "{line}"),
                }
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let status = statuses.next().unwrap_or(204);
            let message = serde_json::from_slice(&body).unwrap();
            // Told before it is answered, so that whoever sees the effect finds the cause.
            sender
                .send(Request {
                    headers,
                    message,
                    body,
                })
                .unwrap();
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, requests)
}

#[test]
fn the_ping_goes_first_and_answers_mean_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(Place::Sqlite(folder.path().join("store")));
    // Ping: not yet, then yes. First message: later, then yes. Second: never.
    let statuses = vec![503, 204, 429, 200, 404, 404, 404, 404, 404, 404];
    let (url, requests) = receiver(statuses);
    let made = publish(&store, 0..2);
    let mut config = RelayConfig::new("hook", RelayKind::Webhook, &url);
    config.credentials = Some(Credentials::new(SECRET).unwrap());
    let relay = Relay::start(store.clone(), &config).unwrap();
    wait_until("giving up", || relay.health().refused == 1);
    drop(relay);
    let requests: Vec<Request> = requests.try_iter().collect();
    let kinds: Vec<&str> = requests.iter().map(|r| r.message.kind.as_str()).collect();
    assert_eq!(kinds[..3], ["ping", "ping", "test.made"]);
    assert_eq!(requests.len(), 10);
    let secret = Secret::new(SECRET).unwrap();
    for request in &requests {
        let header = |name: &str| request.headers[name].as_str();
        assert_eq!(header("webhook-id"), request.message.id.to_string());
        let sent_s: i64 = header("webhook-timestamp").parse().unwrap();
        let sent = Time::from_micros(sent_s * 1_000_000);
        let mut signed = headers(Some(&secret), header("webhook-id"), sent, &request.body);
        assert_eq!(header("webhook-signature"), signed.nth(2).unwrap().1);
    }
    let log = |message| -> serde_json::Value {
        serde_json::from_str(&kv(&store, message, "hook", "delivery").unwrap()).unwrap()
    };
    let told = serde_json::json!({"status": 200, "attempts": 3, "error": null});
    assert_eq!(log(&made[0]), told);
    assert!(kv(&store, &made[0], "hook", "acked").is_some());
    assert_eq!(log(&made[1])["status"], 404);
    assert!(kv(&store, &made[1], "hook", "acked").is_none());
}

#[test]
fn a_secret_that_can_be_guessed_and_a_way_that_can_be_read_are_refused() {
    let transport = |url: &str, secret: Option<&str>| {
        let mut config = RelayConfig::new("hook", RelayKind::Webhook, url);
        config.credentials = secret.map(|secret| Credentials::new(secret).unwrap());
        crate::relay::webhook::Webhook::new(&config).err()
    };
    assert!(transport("http://127.0.0.1:1/x", Some("short")).is_some());
    let clear = transport("http://hook.example/x", None);
    assert!(matches!(
        clear,
        Some(RelayConfigError::Target(TargetError::Clear(_)))
    ));
    let unknown = transport("https://hook.example/x", None);
    assert!(matches!(
        unknown,
        Some(RelayConfigError::Target(TargetError::NoAuthority(_)))
    ));
}
