//! Real brokers: everything arrives, a crash in between included; a broker that loses everything
//! after it acknowledged is filled again; what is written as acknowledged was acknowledged.

use std::collections::HashSet;

use super::*;
use crate::relay::{Listener, ListenerConfig, Relay, RelayConfig, RelayKind, Stop};
use crate::testing::{Broker, BrokerServer};
use crate::{MessageId, Replay};

const NAME: &str = "hub";

struct Rig {
    folder: tempfile::TempDir,
    server: BrokerServer,
    store: Store,
    config: RelayConfig,
}

impl Rig {
    fn new(broker: Broker, kind: RelayKind) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let server = BrokerServer::start_below(folder.path(), broker).unwrap()?;
        let store = open(Place::Sqlite(folder.path().join("store")));
        let mut config = RelayConfig::new(NAME, kind, &server.url());
        config.prefix = "t".to_owned();
        Some(Self {
            folder,
            server,
            store,
            config,
        })
    }

    fn relay(&self) -> Relay {
        Relay::start(self.store.clone(), &self.config).unwrap()
    }

    /// Publishes, with a crash of the broker between two halves, and waits until all is acknowledged.
    fn send_with_a_crash(&mut self) -> Vec<Message> {
        let relay = self.relay();
        let mut made = publish(&self.store, 0..150);
        wait_for_acks(&self.store, &made, NAME);
        self.server.kill();
        made.extend(publish(&self.store, 150..300));
        wait_until("failure", || !relay.health().is_well);
        let acked = |message: &&Message| kv(&self.store, message, NAME, "acked").is_some();
        assert_eq!(made.iter().filter(acked).count(), 150);
        self.server.start().unwrap();
        wait_for_acks(&self.store, &made, NAME);
        // Counted just after it is written.
        wait_until("counting", || relay.health().acked == 300);
        let health = relay.health();
        assert_eq!((health.refused, health.gaps), (0, 0));
        made
    }

    fn lose_everything(&mut self) {
        self.server.kill();
        self.server.lose_everything().unwrap();
        self.server.start().unwrap();
    }

    fn ask_again(&self) {
        let replay = Replay {
            from: NOON,
            to: NOON.plus(PATIENCE),
            kinds: Vec::new(),
            transport: NAME.to_owned(),
        };
        assert_eq!(self.store.replay(&replay).unwrap(), 300);
    }

    fn listener(&self) -> Listener {
        let config = ListenerConfig {
            url: self.server.url(),
            credentials: None,
            authorities_pem: Vec::new(),
            plain: false,
            prefix: "t".to_owned(),
        };
        Listener::new(config, Stop::new()).unwrap()
    }
}

fn ids(messages: &[Message]) -> HashSet<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn hear(listener: &mut Listener, count: usize) -> HashSet<MessageId> {
    let mut heard = HashSet::new();
    wait_until("hearing all", || {
        heard.extend(
            listener
                .next(Duration::from_millis(50))
                .unwrap()
                .map(|m| m.id),
        );
        heard.len() >= count
    });
    heard
}

/// What is written as acknowledged is in the stream under the sequence that is written.
fn assert_acks_are_real(rig: &Rig, made: &[Message]) {
    let kept = readers::jetstream(&rig.server.url(), made);
    assert_eq!(kept.len(), made.len());
    for message in made {
        let acked = kv(&rig.store, message, NAME, "acked").unwrap();
        let sequence = kept[&message.id];
        assert!(
            acked.ends_with(&format!(" TRILOBITE {sequence}")),
            "{acked} {sequence}"
        );
    }
}

#[test]
fn nats() {
    let Some(mut rig) = Rig::new(Broker::Nats, RelayKind::Nats) else {
        return;
    };
    let made = rig.send_with_a_crash();
    assert_acks_are_real(&rig, &made);
    rig.lose_everything();
    rig.ask_again();
    let mut listener = rig.listener();
    assert!(listener.next(Duration::ZERO).unwrap().is_none());
    let relay = rig.relay();
    wait_until("filling again", || relay.health().acked == 300);
    assert_acks_are_real(&rig, &made);
    assert_eq!(hear(&mut listener, 300), ids(&made));
}

#[test]
fn mosquitto() {
    let Some(mut rig) = Rig::new(Broker::Mosquitto, RelayKind::Mqtt) else {
        return;
    };
    let made = rig.send_with_a_crash();
    rig.lose_everything();
    rig.ask_again();
    // Whoever listens now has heard nothing of what was acknowledged before.
    let mut listener = rig.listener();
    assert!(listener.next(Duration::ZERO).unwrap().is_none());
    let relay = rig.relay();
    wait_until("filling again", || relay.health().acked == 300);
    assert_eq!(hear(&mut listener, 300), ids(&made));
}

#[test]
fn rabbitmq() {
    let Some(mut rig) = Rig::new(Broker::Rabbit, RelayKind::Amqp) else {
        return;
    };
    // Without a queue nothing is acknowledged, whatever the broker confirms.
    let early = publish(&rig.store, 0..1);
    let relay = rig.relay();
    wait_until("failure", || relay.health().failures >= 2);
    let trouble = relay.health().last_trouble.unwrap().1;
    assert!(trouble.contains("no queue"), "{trouble}");
    assert!(kv(&rig.store, &early[0], NAME, "acked").is_none());
    drop(relay);
    rig.config.keep_in = Some("all".to_owned());
    let relay = rig.relay();
    wait_for_acks(&rig.store, &early, NAME);
    drop(relay);
    assert_eq!(readers::queue(&rig.server.url(), "all"), ids(&early));
    // From here on as with the others, in a store of its own.
    rig.store = open(Place::Sqlite(rig.folder.path().join("other")));
    let made = rig.send_with_a_crash();
    assert_eq!(readers::queue(&rig.server.url(), "all"), ids(&made));
    rig.lose_everything();
    rig.ask_again();
    let relay = rig.relay();
    wait_until("filling again", || relay.health().acked == 300);
    assert_eq!(readers::queue(&rig.server.url(), "all"), ids(&made));
}
