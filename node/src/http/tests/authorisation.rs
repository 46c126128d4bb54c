//! Who gets in where: every route of both listeners, by every kind of token.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use outbox::consumer::{ConsumerFile, Grant, May, NewConsumer, Pace};
use outbox::{Message, Publish as _, PublishError, Store};
use tempfile::TempDir;

use super::caller::{Running, read_until};
use super::listed;
use crate::http::door::unix_s;
use crate::http::policy::{ANY, Policy};
use crate::http::routes::table;
use crate::http::{Door, Face, Unlisted};

const SITE: &str = "/api/v1/sites/office";

/// A list of consumers in a folder of its own.
struct List {
    _folder: TempDir,
    file: ConsumerFile,
}

impl List {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(folder.path());
        Self {
            _folder: folder,
            file,
        }
    }

    /// The header line with a new consumer's token, made so many seconds ago for an hour.
    fn header(&self, name: &str, may: May, under: &str, kind: &str, ago_s: u64) -> String {
        let new = NewConsumer {
            name: name.to_owned(),
            grant: Grant::new(may, [under], [kind]).unwrap(),
            valid: Duration::from_secs(3_600),
        };
        let token = self.file.create(new, unix_s() - ago_s).unwrap();
        format!("authorization: Bearer {}\r\n", token.reveal())
    }

    fn door(&self) -> Door {
        Door::listed(self.file.clone().watch().unwrap(), Unlisted::Welcome)
    }
}

fn filled(path: &str) -> String {
    let filled = path
        .replace("{site}", "office")
        .replace("{client}", "0000000000000001")
        .replace("{zone}", "lobby")
        .replace("{ap}", "ap-1")
        .replace("{consumer}", "wms")
        .replace("{point}", "1")
        .replace("{file}", "app.js");
    assert!(
        !filled.contains('{'),
        "{path} has a parameter that is new here"
    );
    filled
}

/// Statuses: not let in, let in but not here, or whatever the handler says.
fn verdict(status: u16) -> &'static str {
    match status {
        401 => "who are you",
        403 => "not for you",
        _ => "come in",
    }
}

#[tokio::test]
async fn every_route_refuses_whoever_was_not_granted_it() {
    let list = List::new();
    let right = list.header("right", May::ReadMessages, SITE, "*", 0);
    let all = list.header("all", May::Admin, "/api/v1/sites", "*", 0);
    let admin = list.header("admin", May::Admin, SITE, "*", 0);
    let reader = list.header("reader", May::ReadResources, SITE, "*", 0);
    let site = list.header("site", May::Admin, "/api/v1/sites/offic", "*", 0);
    let kind = list.header("kind", May::Admin, SITE, "nothing.like_it", 0);
    let expired = list.header("expired", May::Admin, "/", "*", 3_700);
    let revoked = list.header("revoked", May::Admin, "/", "*", 0);
    list.file.revoke("revoked").unwrap();
    let garbage = "authorization: Bearer trilobite-token-00\r\n".to_owned();
    let unknown = format!(
        "authorization: Bearer trilobite-token-{}\r\n",
        "0".repeat(64)
    );

    let mut verbs_seen = 0;
    for face in [Face::Map, Face::Messages] {
        let (state, _store) = listed(face, list.door());
        let node = Running::start(state).await;
        for route in table().iter().filter(|route| route.is_on(face)) {
            for verb in &route.verbs {
                verbs_seen += 1;
                let policy = verb.policy;
                let path = filled(route.path);
                let check = async |header: &str, expected: &str| {
                    let answer = node.send(verb.method.as_str(), &path, header, "").await;
                    let (method, status) = (&verb.method, answer.status);
                    let context = format!("{method} {path} {policy:?} {header}: {status}");
                    let expected = match policy {
                        Policy::Open => "come in",
                        _ => expected,
                    };
                    assert_eq!(verdict(status), expected, "{context}");
                    if status == 401 {
                        assert!(
                            answer.headers["www-authenticate"].contains("realm"),
                            "{context}"
                        );
                    }
                };
                let yes = |allowed: bool| if allowed { "come in" } else { "not for you" };
                for nobody in ["", &garbage, &unknown, &expired, &revoked] {
                    check(nobody, "who are you").await;
                }
                let is_whole = matches!(policy, Policy::AllSites(_));
                let is_site = matches!(policy, Policy::Site(_) | Policy::Order);
                let any = match policy {
                    Policy::Site(kinds) | Policy::AllSites(kinds) => kinds == ANY,
                    _ => true,
                };
                check(&all, "come in").await;
                check(&right, yes(!is_whole && policy != Policy::Order)).await;
                check(&admin, yes(!is_whole)).await;
                let orders_or_polls = [Policy::Order, Policy::Messages].contains(&policy);
                check(&reader, yes(!is_whole && !orders_or_polls)).await;
                check(&site, yes(!is_whole && !is_site)).await;
                check(&kind, yes(!is_whole && any)).await;
            }
        }
        node.stop().await;
    }
    assert!(verbs_seen > 30, "{verbs_seen}");
}

#[tokio::test]
async fn without_a_list_everybody_on_this_machine_gets_in_everywhere() {
    for face in [Face::Map, Face::Messages] {
        let (state, _store) = listed(face, Door::open());
        let node = Running::start(state).await;
        for route in table().iter().filter(|route| route.is_on(face)) {
            for verb in route.verbs.iter().filter(|verb| verb.method == Method::GET) {
                let answer = node.send("GET", &filled(route.path), "", "").await;
                assert_eq!(
                    verdict(answer.status),
                    "come in",
                    "{} {:?}",
                    route.path,
                    verb.policy
                );
            }
        }
        node.stop().await;
    }
}

#[tokio::test]
async fn nobody_sees_sites_of_others() {
    let list = List::new();
    let other = list.header("other", May::ReadMessages, "/api/v1/sites/lab", "*", 0);
    let own = list.header("own", May::ReadMessages, SITE, "*", 0);
    let (state, _store) = listed(Face::Messages, list.door());
    let node = Running::start(state).await;
    let sites = async |header: &str| {
        let answer = node.get("/api/v1/sites", header).await;
        answer.json()["sites"].as_array().unwrap().len()
    };
    assert_eq!((sites(&own).await, sites(&other).await), (1, 0));
    // The path's own tricks reach no other site.
    for path in [
        "/api/v1/sites/lab%2f..%2foffice/fixes",
        "/api/v1/sites/..%2foffice/fixes",
        "/api/v1/sites/%2e%2e/fixes",
        "/api/v1/sites/lab/../office/fixes",
    ] {
        let answer = node.get(path, &other).await;
        assert!(
            [403, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    let answer = node.get("/messages?site=office", &other).await;
    assert_eq!(answer.status, 403);
    assert_eq!(node.get("/messages?site=office", &own).await.status, 200);
    node.stop().await;
}

fn publish(store: &Store, kind: &str, resource: &str) {
    let message = Message::new(kind.parse().unwrap(), resource.parse().unwrap());
    store
        .transact(move |tx| {
            tx.publish(&message)?;
            Ok::<_, PublishError>(())
        })
        .unwrap();
}

#[tokio::test]
async fn no_id_is_visible_whose_resource_would_be_refused() {
    let list = List::new();
    let mut headers = Vec::new();
    for (index, under) in [
        "/",
        "/api/v1/sites",
        SITE,
        "/api/v1/sites/lab",
        "/api/v1/ledger",
    ]
    .into_iter()
    .enumerate()
    {
        for (number, kind) in ["*", "zone.*", "calibration.changed", "position.*"]
            .into_iter()
            .enumerate()
        {
            for may in May::ALL {
                let name = format!("{index}-{number}-{}", may.1);
                headers.push(list.header(&name, may.0, under, kind, 0));
            }
        }
    }
    let (state, (store, _folder)) = listed(Face::Messages, list.door());
    for kind in [
        "zone.entered",
        "calibration.changed",
        "site.owner",
        "client.erased",
    ] {
        for resource in [
            "/api/v1/sites",
            SITE,
            "/api/v1/sites/office/nothing",
            "/api/v1/sites/lab",
            "/api/v1/sites/officer",
            "/api/v1/ledger",
            "/metrics",
            "/livez",
            "/elsewhere",
        ] {
            publish(&store, kind, resource);
        }
    }
    let node = Running::start(state).await;
    let mut seen = 0;
    for header in &headers {
        let answer = node.get("/messages", header).await;
        if answer.status == 403 {
            continue;
        }
        let body = answer.json();
        for message in body["messages"].as_array().unwrap() {
            seen += 1;
            let resource = message["resource"].as_str().unwrap();
            let read = node.get(resource, header).await;
            assert_eq!(read.status, 200, "{resource} {header}");
        }
    }
    assert!(seen > 10, "{seen}");
    node.stop().await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams() {
    let list = List::new();
    let header = list.header("map", May::ReadMessages, SITE, "position.*", 0);
    let door = Arc::new(list.door());
    let (state, hub, _) = super::office();
    hub.publish(&[super::sent(1, 0)]);
    let node = Running::start(state.with_door(door.clone())).await;
    let lines = format!("accept: application/x-ndjson\r\n{header}");
    let mut stream = node.ask("/api/v1/sites/office/fixes", &lines).await;
    read_until(&mut stream, "0000000000000001").await;
    list.file.revoke("map").unwrap();
    door.look();
    // The last chunk: the body has ended, and in good order.
    read_until(&mut stream, "0\r\n\r\n").await;
    assert_eq!(node.get("/api/v1/sites", &header).await.status, 401);
    node.stop().await;
}

#[tokio::test]
async fn on_each_listener_a_mad_consumer_hurts_only_itself() {
    let list = List::new();
    let [mad, calm] = ["mad", "calm"].map(|name| list.header(name, May::Admin, "/", "*", 0));
    let pace = Pace {
        per_s: 0.01,
        burst: 3.0,
    };
    for face in [Face::Map, Face::Messages] {
        let (state, _store) = listed(face, list.door());
        let node = Running::start(state.with_pace(pace)).await;
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(node.send("GET", SITE, &mad, "").await.status);
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
        let refused = node.send("GET", SITE, &mad, "").await;
        let wait_s: u64 = refused.headers["retry-after"].parse().unwrap();
        assert!((1..=100).contains(&wait_s), "{wait_s}");
        assert_eq!(node.send("GET", SITE, &calm, "").await.status, 200);
        assert_eq!(node.send("GET", "/livez", &mad, "").await.status, 200);
        node.stop().await;
    }
    // Who needs no token may be many behind one proxy.
    let (state, _store) = listed(Face::Map, Door::open());
    let node = Running::start(state.with_pace(pace)).await;
    for _ in 0..5 {
        assert_eq!(node.send("GET", SITE, "", "").await.status, 200);
    }
    node.stop().await;
}
