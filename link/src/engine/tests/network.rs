//! A small network: one node, one socket of agents, and between them delay, loss, duplicates and
//! disorder from a seed. Time jumps from one happening to the next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::Frame;

use crate::engine::{Below, Engine, Event, LinkId};
use crate::tests::support::Installation;
use crate::{AgentCredentials, Knobs, LinkClosed, ResetKey};

/// One way through the network.
pub(super) const DELAY: Duration = Duration::from_millis(5);

const NODE: ([u8; 4], u16) = ([10, 0, 0, 1], 4433);
const AGENTS: ([u8; 4], u16) = ([10, 0, 0, 2], 40_000);

const SOCKET: Below = Below {
    may_fragment: false,
    ipv6: false,
};

/// Shares of packets that meet a fault.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    /// Delayed by up to ten times as much.
    pub(super) late: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Node,
    Agents,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    arrives: Instant,
    number: u64,
    to: End,
    from: SocketAddr,
    bytes: Vec<u8>,
}

pub(super) struct Network {
    pub(super) home: Installation,
    pub(super) knobs: Knobs,
    pub(super) reset_key: ResetKey,
    pub(super) now: Instant,
    pub(super) node: Engine,
    pub(super) agents: Engine,
    pub(super) agents_address: SocketAddr,
    pub(super) faults: Faults,
    pub(super) node_events: Vec<Event>,
    pub(super) agents_events: Vec<Event>,
    /// Packets that were sent, by the end that sent them.
    pub(super) sent: HashMap<&'static str, usize>,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    number: u64,
    random: ChaCha8Rng,
}

impl Network {
    pub(super) fn new(knobs: Knobs) -> Self {
        let home = Installation::new();
        let reset_key = ResetKey::random().unwrap();
        Self {
            node: Engine::node(&home.node(), &reset_key, &knobs, SOCKET),
            agents: Engine::agents(&knobs, SOCKET),
            home,
            knobs,
            reset_key,
            now: Instant::now(),
            agents_address: AGENTS.into(),
            faults: Faults::default(),
            node_events: Vec::new(),
            agents_events: Vec::new(),
            sent: HashMap::new(),
            under_way: BinaryHeap::new(),
            number: 0,
            random: ChaCha8Rng::seed_from_u64(7),
        }
    }

    /// Another node takes the place of the first, which ends without a word.
    pub(super) fn restart_node(&mut self, reset_key: &ResetKey) {
        self.node = Engine::node(&self.home.node(), reset_key, &self.knobs, SOCKET);
    }

    pub(super) fn connect(&mut self, agent: &str) -> LinkId {
        let credentials = self.home.agent(agent);
        self.connect_with(&credentials, "localhost")
    }

    pub(super) fn connect_with(&mut self, credentials: &AgentCredentials, name: &str) -> LinkId {
        self.agents
            .connect(self.now, NODE.into(), name, credentials, &self.knobs)
            .unwrap()
    }

    /// Both ends of a new link.
    pub(super) fn link(&mut self, agent: &str) -> (LinkId, LinkId) {
        let at_agent = self.connect(agent);
        let at_node = self.until("opened at the node", |network| {
            network.node_events.iter().find_map(|event| match event {
                Event::Opened(id) => Some(*id),
                _ => None,
            })
        });
        self.node_events.clear();
        self.until("opened at the agent", |network| {
            let opened = Event::Opened(at_agent);
            network.agents_events.contains(&opened).then_some(())
        });
        (at_node, at_agent)
    }

    /// Lets time pass until something is so, for a minute at most.
    pub(super) fn until<T>(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = self.now + Duration::from_secs(60);
        loop {
            self.exchange();
            if let Some(value) = so(self) {
                return value;
            }
            assert!(self.advance(end), "never {what}");
        }
    }

    /// Lets so much time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.exchange();
            if !self.advance(end) {
                self.now = end;
                return;
            }
        }
    }

    /// Takes events and packets out of both ends.
    pub(super) fn exchange(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.node_events.push(event);
        }
        while let Some(event) = self.agents.poll_event() {
            self.agents_events.push(event);
        }
        let mut out = Vec::new();
        for (from, name) in [(End::Node, "node"), (End::Agents, "agents")] {
            loop {
                out.clear();
                let engine = match from {
                    End::Node => &mut self.node,
                    End::Agents => &mut self.agents,
                };
                let Some(transmit) = engine.poll_transmit(self.now, 10, &mut out) else {
                    break;
                };
                let segment = transmit.segment_size.unwrap_or(transmit.size);
                for packet in out[..transmit.size].chunks(segment) {
                    *self.sent.entry(name).or_default() += 1;
                    self.carry(from, transmit.destination, packet);
                }
            }
        }
    }

    fn carry(&mut self, from: End, destination: SocketAddr, packet: &[u8]) {
        let to = match from {
            End::Node => End::Agents,
            End::Agents => End::Node,
        };
        // Whoever has moved does not get what is sent to the old address.
        if to == End::Agents && destination != self.agents_address {
            return;
        }
        if self.random.random_bool(self.faults.loss) {
            return;
        }
        let copies = 1 + usize::from(self.random.random_bool(self.faults.duplicate));
        for _ in 0..copies {
            let mut delay = DELAY;
            if self.random.random_bool(self.faults.late) {
                delay = delay.mul_f64(self.random.random_range(1.0..10.0));
            }
            self.number += 1;
            self.under_way.push(Reverse(UnderWay {
                arrives: self.now + delay,
                number: self.number,
                to,
                from: match from {
                    End::Node => NODE.into(),
                    End::Agents => self.agents_address,
                },
                bytes: packet.to_vec(),
            }));
        }
    }

    /// A packet that somebody made up arrives at the node.
    pub(super) fn forge(&mut self, from: SocketAddr, packet: &[u8]) {
        self.node
            .handle_packet(self.now, from, None, None, BytesMut::from(packet));
    }

    /// Goes to the next happening; returns whether there is one before `end`.
    fn advance(&mut self, end: Instant) -> bool {
        let arrival = self.under_way.peek().map(|Reverse(packet)| packet.arrives);
        let timers = [self.node.poll_timeout(), self.agents.poll_timeout()];
        let next = timers.into_iter().chain([arrival]).flatten().min();
        let Some(next) = next.filter(|&next| next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        while let Some(Reverse(first)) = self.under_way.peek()
            && first.arrives <= self.now
        {
            let Some(Reverse(packet)) = self.under_way.pop() else {
                break;
            };
            let engine = match packet.to {
                End::Node => &mut self.node,
                End::Agents => &mut self.agents,
            };
            let bytes = BytesMut::from(&packet.bytes[..]);
            engine.handle_packet(self.now, packet.from, None, None, bytes);
        }
        self.node.handle_timeout(self.now);
        self.agents.handle_timeout(self.now);
        true
    }

    /// All datagrams that a link at the node has received.
    pub(super) fn read_all(&mut self, id: LinkId) -> Vec<Bytes> {
        std::iter::from_fn(|| self.node.read_datagram(id)).collect()
    }

    /// The next frame at the node.
    pub(super) fn frame_at_node(&mut self, id: LinkId) -> Frame {
        self.until("a frame at the node", |network| {
            network.node.read_frame(id).unwrap()
        })
    }

    /// The next frame at an agent.
    pub(super) fn frame_at_agent(&mut self, id: LinkId) -> Frame {
        self.until("a frame at the agent", |network| {
            network.agents.read_frame(id).unwrap()
        })
    }

    pub(super) fn closed_at_node(&mut self, id: LinkId) -> LinkClosed {
        self.until("closed at the node", |network| {
            closed(&network.node_events, id)
        })
    }

    pub(super) fn closed_at_agent(&mut self, id: LinkId) -> LinkClosed {
        self.until("closed at the agent", |network| {
            closed(&network.agents_events, id)
        })
    }
}

fn closed(events: &[Event], id: LinkId) -> Option<LinkClosed> {
    events.iter().find_map(|event| match event {
        Event::Closed(closed, why) if *closed == id => Some(why.clone()),
        _ => None,
    })
}
