//! The listener of messages over loopback: waiting, purging, pacing, slow readers.

mod caller;
mod slow;

use std::sync::Arc;
use std::time::Duration;

use outbox::consumer::{ConsumerFile, Grant, May, NewConsumer, Pace};
use outbox::{Message, Publish as _, PublishError, Store, StoreConfig, Time};
use site::Site;
use tempfile::TempDir;

use super::{Listening, MessagesParts};
use crate::http::{Door, HttpState, SiteEntry, Unlisted};
use crate::latest::Hub;
use crate::status::StatusView;
use caller::{Answer, ask, get};

const OFFICE: &str = include_str!("../../../sites/office.toml");
const SITE: &str = "/api/v1/sites/office";

/// A listener, its store, its consumers, in a folder.
struct Rig {
    listening: Listening,
    store: Store,
    door: Arc<Door>,
    folder: TempDir,
}

const PACE: Pace = Pace {
    per_s: 1e6,
    burst: 1e6,
};

impl Rig {
    fn new(pace: Pace) -> Self {
        Self::in_folder(pace, tempfile::tempdir().unwrap())
    }

    fn in_folder(pace: Pace, folder: TempDir) -> Self {
        let config = StoreConfig {
            purge_interval: Duration::ZERO,
            commit_window: Duration::ZERO,
            ..StoreConfig::sqlite(folder.path().join("outbox.sqlite"))
        };
        let store = Store::open(config, &[]).unwrap();
        let file = ConsumerFile::in_dir(folder.path());
        let door = Door::listed(file.watch().unwrap(), Unlisted::Welcome);
        let sites = vec![SiteEntry {
            site: Site::parse(OFFICE).unwrap(),
        }];
        let status = Arc::new(StatusView::default());
        let state = HttpState::new(Arc::new(sites), Arc::new(Hub::new(1)), move || {
            status.clone()
        });
        let parts = MessagesParts {
            listen: "127.0.0.1:0".parse().unwrap(),
            otherwise: None,
            tls: None,
            pace,
        };
        let door = Arc::new(door);
        let state = state.with_door(door.clone());
        let listening = Listening::start(parts, store.clone(), &state).unwrap();
        Self {
            listening,
            store,
            door,
            folder,
        }
    }

    fn publish(&self, messages: Vec<Message>) {
        self.store
            .transact(move |tx| {
                for message in &messages {
                    tx.publish(message)?;
                }
                Ok::<_, PublishError>(())
            })
            .unwrap();
    }

    fn get(&self, path: &str) -> Answer {
        get(self.listening.address(), path, "")
    }
}

/// The header line with the token of a new consumer.
fn token(folder: &TempDir, name: &str) -> String {
    let new = NewConsumer {
        name: name.to_owned(),
        grant: Grant::new(May::ReadMessages, [SITE], ["*"]).unwrap(),
        valid: Duration::from_secs(3_600),
    };
    let file = ConsumerFile::in_dir(folder.path());
    let token = file.create(new, crate::http::door::unix_s()).unwrap();
    format!("authorization: Bearer {}\r\n", token.reveal())
}

fn message(kind: &str) -> Message {
    Message::new(kind.parse().unwrap(), SITE.parse().unwrap())
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let messages = body["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_follow_each_other_and_types_are_chosen() {
    let rig = Rig::new(PACE);
    let made: Vec<Message> = (0..5)
        .map(|number| {
            message(if number % 2 == 0 {
                "site.owner"
            } else {
                "calibration.changed"
            })
        })
        .collect();
    rig.publish(made.clone());
    let first = rig.get("/messages?limit=2");
    assert_eq!((first.status, ids(&first).len()), (200, 2));
    assert_eq!(first.json()["more"], true);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let rest = rig.get(&format!("/messages?after={next}"));
    assert_eq!(ids(&rest).len(), 3);
    assert_eq!(rest.json()["more"], false);
    let owners = rig.get("/messages?type=site.*&site=office");
    assert_eq!(ids(&owners).len(), 3);
    let newest = rig.get("/messages?coalesce=resource");
    assert_eq!(ids(&newest), [made[4].id.to_string()]);
    assert!(ids(&rig.get("/messages?site=elsewhere")).is_empty());
    let bad = rig.get("/messages?limit=%27");
    assert_eq!(
        (bad.status, bad.json()["error"]["parameter"].as_str()),
        (400, Some("limit"))
    );
    assert_eq!(rig.get("/livez").status, 200);
    assert_eq!(rig.get("/metrics").status, 404, "the map's listener has it");
}

#[test]
fn a_group_shares_every_resource_out_once() {
    let rig = Rig::new(PACE);
    let made: Vec<Message> = (0..50)
        .map(|client| {
            let resource = format!("{SITE}/clients/{client:016x}");
            Message::new("client.gone".parse().unwrap(), resource.parse().unwrap())
        })
        .collect();
    rig.publish(made.clone());
    let mut all: Vec<String> = (0..3)
        .flat_map(|member| ids(&rig.get(&format!("/messages?group=g&member={member}&of=3"))))
        .collect();
    all.sort_unstable();
    let mut expected: Vec<String> = made.iter().map(|message| message.id.to_string()).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn a_wait_ends_with_the_commit_it_waits_for_and_with_no_other() {
    let rig = Rig::new(PACE);
    let address = rig.listening.address();
    let head = rig.get("/messages?after=head").json()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/messages?after={head}&type=site.*&wait=60");
    let waiting = ask(address, &path, "");
    rig.publish(vec![message("calibration.changed")]);
    let wanted = message("site.owner");
    rig.publish(vec![wanted.clone()]);
    // Were it not woken, this would take a minute and be empty.
    assert_eq!(ids(&caller::answer(waiting)), [wanted.id.to_string()]);
}

#[test]
fn a_token_that_is_revoked_during_a_wait_gets_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let header = token(&folder, "a");
    let rig = Rig::in_folder(PACE, folder);
    let path = "/messages?after=head&wait=60";
    let waiting = ask(rig.listening.address(), path, &header);
    while rig.listening.messages().counts().waiting == 0 {
        std::thread::yield_now();
    }
    assert!(ConsumerFile::in_dir(rig.folder.path()).revoke("a").unwrap());
    rig.door.look();
    rig.publish(vec![message("site.owner")]);
    let answer = caller::answer(waiting);
    assert_eq!(answer.status, 401);
    assert!(answer.json().get("messages").is_none());
}

#[test]
fn a_wait_ends_when_the_listener_does() {
    let rig = Rig::new(PACE);
    let waiting = ask(rig.listening.address(), "/messages?after=head&wait=60", "");
    // It is in the handler once another request has been answered behind it.
    let began = std::time::Instant::now();
    rig.get("/livez");
    drop(rig.listening);
    let _ = caller::read_all(waiting);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_was_purged_is_gone_and_the_answer_says_where_to_go_on() {
    let rig = Rig::new(PACE);
    let (kind, resource) = ("site.owner".parse::<outbox::Kind>().unwrap(), SITE);
    let old = |days: u64| {
        let time = Time::now().minus(Duration::from_secs(days * 86_400));
        Message::at(time, kind.clone(), resource.parse().unwrap())
    };
    rig.publish(vec![old(9), old(9)]);
    let first = rig.get("/messages?limit=1");
    let next = first.json()["next"].as_str().unwrap().to_owned();
    rig.publish(vec![old(0)]);
    let now = Time::now();
    rig.store.accept_clock(now).unwrap();
    rig.store.purge(now).unwrap();
    let gone = rig.get(&format!("/messages?after={next}"));
    assert_eq!(gone.status, 410);
    let body = gone.json();
    assert_eq!(body["resync"], "/api/v1/sites");
    let oldest = body["oldest"].as_str().unwrap();
    assert_eq!(ids(&rig.get(&format!("/messages?after={oldest}"))).len(), 1);
    assert_eq!(rig.get("/messages?since=2026-01-01T00:00:00Z").status, 410);
}

#[test]
fn a_consumer_that_asks_too_often_is_told_when_to_come_back() {
    let rig = Rig::new(Pace {
        per_s: 0.5,
        burst: 3.0,
    });
    let statuses: Vec<u16> = (0..4).map(|_| rig.get("/messages").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let refused = rig.get("/api/v1/sites");
    assert_eq!(refused.status, 429);
    let after: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    assert_eq!(rig.get("/livez").status, 200, "a probe is no poll");
}

#[test]
fn a_mad_consumer_hurts_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mad, calm) = (token(&folder, "mad"), token(&folder, "calm"));
    let pace = Pace {
        per_s: 0.001,
        burst: 2.0,
    };
    let rig = Rig::in_folder(pace, folder);
    let address = rig.listening.address();
    let statuses = |header: &str| {
        let ask = |_| get(address, "/messages", header).status;
        (0..3).map(ask).collect::<Vec<u16>>()
    };
    assert_eq!(statuses(&mad), [200, 200, 429]);
    assert_eq!(statuses(&calm), [200, 200, 429]);
    assert_eq!(statuses(""), [401, 401, 401]);
}
