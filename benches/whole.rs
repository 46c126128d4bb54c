//! Agents and a node in one process, without sockets and without a clock: batchers, links at both
//! ends, a worker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ingest::{SessionKey, Worker};
use link::authority::Authority;
use link::engine::{Below, Transmit};
use link::{AgentCredentials, Engine, Event, Knobs, LinkId, NodeCredentials, ResetKey};

use wire::Frame;
use wire::frame::{Define, Defined};

use crate::hall::{self, AGENTS};
use crate::outgoing::Outgoing;
use crate::rig::{self, Ids, served_hall};

/// Name in the node's certificate.
const NODE: &str = "localhost";

/// Packets that leave in one system call where there is a system.
const SEGMENTS_MAX: usize = 10;

/// Virtual time on the way, in each direction; a burst leaves every two of it.
const UNDER_WAY: Duration = Duration::from_micros(10);

/// Datagrams of a burst.
const BURST: usize = agent::limits::BURST_BATCHES;

/// Times that agents hear their clients before anything is measured; short ids take some.
const ROUNDS: usize = 8;

/// Turns before anything is measured, at least.
const TURNS_MIN: usize = 20 * AGENTS;

/// Agents, a node, and nothing in between.
#[derive(Debug)]
pub struct Whole {
    ids: Ids,
    began: Instant,
    now: Instant,
    agents_end: End,
    node_end: End,
    agents: Vec<Agent>,
    next_agent: usize,
    worker: Worker,
    keys: BTreeMap<LinkId, SessionKey>,
}

#[derive(Debug)]
struct Agent {
    number: usize,
    link: LinkId,
    outgoing: Outgoing,
}

/// What a turn did and took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn {
    /// Observations that left the agent.
    pub observations: usize,
    /// Datagrams that reached the worker.
    pub datagrams: usize,
    /// Time of the agents' batchers and links.
    pub agents: Duration,
    /// Time of the node's links and worker.
    pub node: Duration,
}

impl Turn {
    /// Adds another turn.
    pub fn add(&mut self, other: Self) {
        self.observations += other.observations;
        self.datagrams += other.datagrams;
        self.agents += other.agents;
        self.node += other.node;
    }
}

/// An engine, its address, and what it sent.
#[derive(Debug)]
struct End {
    engine: Engine,
    address: SocketAddr,
    sent: Vec<(Transmit, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

impl End {
    fn new(engine: Engine, port: u16) -> Self {
        Self {
            engine,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            sent: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Sends all that there is to send; it waits here until the other end takes it.
    fn transmit(&mut self, now: Instant) {
        loop {
            let mut burst = self.spare.pop().unwrap_or_default();
            match self.engine.poll_transmit(now, SEGMENTS_MAX, &mut burst) {
                Some(transmit) => self.sent.push((transmit, burst)),
                None => {
                    self.spare.push(burst);
                    return;
                }
            }
        }
    }

    /// Takes in all that the other end has sent, and the time.
    fn take_in(&mut self, other: &mut Self, now: Instant) {
        for (transmit, mut burst) in other.sent.drain(..) {
            let mut rest = BytesMut::from(&burst[..transmit.size]);
            while !rest.is_empty() {
                let len = transmit.segment_size.unwrap_or(rest.len());
                let packet = rest.split_to(len.min(rest.len()));
                let ip = Some(self.address.ip());
                let engine = &mut self.engine;
                engine.handle_packet(now, other.address, ip, transmit.ecn, packet);
            }
            burst.clear();
            other.spare.push(burst);
        }
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
    }
}

impl Whole {
    /// All agents connected, every client heard by its agents and known by the ids that are asked
    /// for.
    ///
    /// # Panics
    /// Without randomness for certificates, when an agent does not come in, or something is lost.
    pub fn new(clients: usize, ids: Ids) -> Self {
        let now = Instant::now();
        let (worker, sessions) = served_hall(clients, now_us(Duration::ZERO));
        let authority = Authority::create().expect("randomness");
        let knobs = Knobs::default();
        let below = Below {
            may_fragment: false,
            ipv6: false,
        };
        let node_end = End::new(node_engine(&authority, &knobs, below), 4_433);
        let mut agents_end = End::new(Engine::agents(&knobs, below), 50_000);
        let agents = (0..AGENTS)
            .map(|n| {
                let credentials = agent_credentials(&authority, n);
                let engine = &mut agents_end.engine;
                let link = engine.connect(now, node_end.address, NODE, &credentials, &knobs);
                Agent {
                    number: n,
                    link: link.expect("address and name are valid"),
                    outgoing: Outgoing::new(n, clients, sessions[n].1, now_us(Duration::ZERO)),
                }
            })
            .collect();
        let mut whole = Self {
            ids,
            began: now,
            now,
            agents_end,
            node_end,
            agents,
            next_agent: 0,
            worker,
            keys: BTreeMap::new(),
        };
        whole.connect(&sessions.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
        whole.warm_up(AGENTS * hall::clients_per_agent(clients));
        whole
    }

    /// Past the search for the largest packet, and every one of so many pairs of agent and client
    /// heard often enough.
    fn warm_up(&mut self, pairs: usize) {
        let turns = (ROUNDS * pairs / (BURST * self.ids.rows())).max(TURNS_MIN);
        let (mut all, mut last) = (Turn::default(), Turn::default());
        for turn in 0..turns {
            let turned = self.turn();
            all.add(turned);
            if turn >= turns - AGENTS {
                last.add(turned);
            }
        }
        let folded = rig::folded(&self.worker);
        assert_eq!(
            folded, all.observations as u64,
            "nothing is lost or dropped"
        );
        let (rows, wanted) = (last.observations, last.datagrams * self.ids.rows());
        assert!(
            50 * rows > 49 * wanted,
            "datagrams are full, by {:?} ids",
            self.ids
        );
    }

    /// Lets all agents in; a link's session is that of the agent in its certificate.
    fn connect(&mut self, keys: &[SessionKey]) {
        let names: Vec<_> = (0..AGENTS).map(hall::agent).collect();
        for _ in 0..1_000 {
            self.now += UNDER_WAY;
            self.agents_end.take_in(&mut self.node_end, self.now);
            while self.agents_end.engine.poll_event().is_some() {}
            self.agents_end.transmit(self.now);
            self.node_end.take_in(&mut self.agents_end, self.now);
            while let Some(event) = self.node_end.engine.poll_event() {
                if let Event::Opened(link) = event {
                    let identity = self.node_end.engine.identity(link).expect("an open link");
                    let agent = names.iter().position(|name| *name == identity.agent);
                    self.keys
                        .insert(link, keys[agent.expect("one of the hall")]);
                }
            }
            self.node_end.transmit(self.now);
        }
        assert_eq!(self.keys.len(), AGENTS, "all agents are connected");
        if self.ids == Ids::Short {
            let now_us = self.now_us();
            for agent in &mut self.agents {
                let granted = self.worker.short_ids(keys[agent.number]);
                agent.outgoing.handle_short_ids(granted, now_us);
            }
        }
    }

    /// The agents' part of a turn, then the node's.
    pub fn turn(&mut self) -> Turn {
        let began = Instant::now();
        let observations = self.agents_turn();
        let sent = Instant::now();
        let datagrams = self.node_turn();
        Turn {
            observations,
            datagrams,
            agents: sent - began,
            node: sent.elapsed(),
        }
    }

    /// What is measured: agents take in what the node answered; one hears a burst, packs and sends
    /// it. Returns how many observations left.
    pub fn agents_turn(&mut self) -> usize {
        self.now += UNDER_WAY;
        self.agents_end.take_in(&mut self.node_end, self.now);
        while let Some(event) = self.agents_end.engine.poll_event() {
            if let Event::Control(link) = event {
                self.take_defined(link);
            }
        }
        let observations = self.hear();
        self.agents_end.transmit(self.now);
        observations
    }

    /// The next agent hears a burst and hands it to its link, as far as that has room.
    fn hear(&mut self) -> usize {
        let now_us = self.now_us();
        let Agent { link, outgoing, .. } = &mut self.agents[self.next_agent];
        self.next_agent = (self.next_agent + 1) % AGENTS;
        let engine = &mut self.agents_end.engine;
        let bytes_max = engine.datagram_bytes_max(*link);
        outgoing.handle_datagram_bytes_max(bytes_max);
        if engine.datagram_room(*link) < BURST * bytes_max {
            return 0;
        }
        outgoing.hear(BURST * self.ids.rows(), now_us);
        let mut observations = 0;
        while engine.datagram_room(*link) >= bytes_max {
            let Some((datagram, packed)) = outgoing.poll(now_us) else {
                break;
            };
            let sent = engine.send_datagram(*link, Bytes::copy_from_slice(datagram));
            sent.expect("there is room");
            observations += packed;
        }
        while let Some(define) = outgoing.poll_define(now_us) {
            let written = engine.write_frame(*link, &Frame::Define(define));
            written.expect("an open link");
        }
        observations
    }

    /// An agent may use the short ids that it has defined.
    fn take_defined(&mut self, link: LinkId) {
        let agent = self.agents.iter_mut().find(|agent| agent.link == link);
        let agent = agent.expect("one of the agents");
        let engine = &mut self.agents_end.engine;
        while let Some(frame) = engine.read_frame(link).expect("a frame") {
            if let Frame::Defined(defined) = frame {
                agent.outgoing.handle_defined(&defined);
            }
        }
    }

    /// What is measured: the node takes in what agents have sent, and answers. Returns how many
    /// datagrams reached the worker.
    pub fn node_turn(&mut self) -> usize {
        self.now += UNDER_WAY;
        self.node_end.take_in(&mut self.agents_end, self.now);
        let now_us = self.now_us();
        let mut datagrams = 0;
        while let Some(event) = self.node_end.engine.poll_event() {
            match event {
                Event::Datagrams(link) => {
                    let key = self.keys[&link];
                    while let Some(datagram) = self.node_end.engine.read_datagram(link) {
                        self.worker.handle_datagram(key, &datagram, now_us);
                        datagrams += 1;
                    }
                }
                Event::Control(link) => self.take_defines(link, now_us),
                _ => {}
            }
        }
        self.node_end.transmit(self.now);
        datagrams
    }

    /// The node takes in what short ids stand for.
    fn take_defines(&mut self, link: LinkId, now_us: u64) {
        let (key, engine) = (self.keys[&link], &mut self.node_end.engine);
        while let Some(frame) = engine.read_frame(link).expect("a frame") {
            let Frame::Define(Define { first, clients }) = frame else {
                continue;
            };
            if self.worker.handle_define(key, first, &clients, now_us) {
                let count = clients.len() as u32;
                let defined = Frame::Defined(Defined { first, count });
                engine.write_frame(link, &defined).expect("an open link");
            }
        }
    }

    fn now_us(&self) -> u64 {
        now_us(self.now - self.began)
    }
}

/// Time on the clocks of node and agents, which agree.
fn now_us(passed: Duration) -> u64 {
    1_000_000_000 + passed.as_micros() as u64
}

fn node_engine(authority: &Authority, knobs: &Knobs, below: Below) -> Engine {
    let issued = authority.issue_node(&[NODE.to_owned()], 1).expect("a name");
    let credentials = NodeCredentials::from_pem(
        authority.certificate_pem(),
        &issued.certificate_pem,
        &issued.key_pem,
    );
    let reset_key = ResetKey::random().expect("randomness");
    Engine::node(&credentials.expect("fresh ones"), &reset_key, knobs, below)
}

fn agent_credentials(authority: &Authority, n: usize) -> AgentCredentials {
    let issued = authority.issue_agent(&hall::agent(n), &hall::name(), 1);
    let issued = issued.expect("a name");
    let credentials = AgentCredentials::from_pem(
        authority.certificate_pem(),
        &issued.certificate_pem,
        &issued.key_pem,
    );
    credentials.expect("fresh ones")
}
