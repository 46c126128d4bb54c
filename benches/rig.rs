//! A worker with the sessions of a hall's agents, and datagrams for it as the agents would send
//! them.

use std::sync::Arc;

use ingest::{FixQueue, SessionKey, ShardConfig, Worker, WorkerConfig};
use wire::ClientId;
use wire::batch::{BatchWriter, Header, rows_max, short_rows_max};
use wire::limits::{BATCH_BYTES_MAX, DEFINE_CLIENTS_MAX};
use wire::{Observation, Session};

use crate::crowd;
use crate::hall::{self, AGENTS};

/// Observations in a full datagram of full ids.
pub const FULL_ROWS: usize = rows_max(BATCH_BYTES_MAX, false);

/// Observations in a full datagram of short ids.
pub const SHORT_ROWS: usize = short_rows_max(BATCH_BYTES_MAX, false);

/// By which ids clients go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Eight bytes of each row.
    Full,
    /// What was agreed for the connection, twenty-two bits of each row.
    Short,
}

impl Ids {
    /// Observations in a full datagram.
    pub fn rows(self) -> usize {
        match self {
            Self::Full => FULL_ROWS,
            Self::Short => SHORT_ROWS,
        }
    }
}

/// Datagrams made ready at once: as many as a receiver takes from its socket at a time. They and
/// what they are made from are some 50 KiB, so that making them leaves the worker's lines mostly
/// where they are.
pub const GROUP_DATAGRAMS: usize = 32;

/// Virtual time between two groups of datagrams: so little that no line waits for its fix for long,
/// since none is made.
const STEP_US: u64 = 1;

/// A worker under load. Each client is heard by [`HEARERS`](hall::HEARERS) agents, and each agent
/// hears its clients over and over in a shuffled order.
#[derive(Debug)]
pub struct Rig {
    ids: Ids,
    worker: Worker,
    agents: Vec<Agent>,
    /// Order in which agents hear their clients; each starts somewhere else.
    order: Vec<u32>,
    next_agent: usize,
    now_us: u64,
    writer: BatchWriter,
    heard: Vec<(Observation, Option<u32>)>,
    group: Vec<Ready>,
    group_len: usize,
}

#[derive(Debug)]
struct Agent {
    key: SessionKey,
    session: Session,
    sequence: u64,
    first_observation: u64,
    /// Place in the order.
    cursor: usize,
}

/// A datagram and whose it is.
#[derive(Debug, Default)]
struct Ready {
    agent: usize,
    bytes: Vec<u8>,
}

/// A worker with room for so many clients, and the sessions of all agents.
///
/// # Panics
/// Never: the agents are of the hall.
pub fn served_hall(clients: usize, now_us: u64) -> (Worker, Vec<(SessionKey, Session)>) {
    let config = WorkerConfig {
        shard: ShardConfig {
            clients_max: 2 * clients,
            ..ShardConfig::default()
        },
        ..WorkerConfig::default()
    };
    let fixes = Arc::new(FixQueue::new(16));
    let mut worker = Worker::new(config, vec![hall::served(AGENTS)], fixes);
    let sessions = (0..AGENTS)
        .map(|n| {
            let session = Session(1 << 40 | n as u64);
            let (agent, hello) = (hall::agent(n), hall::hello(n));
            let opened = worker.handle_hello(&agent, &hall::name(), &hello, session, now_us);
            (opened.expect("an agent of the hall").key, session)
        })
        .collect();
    (worker, sessions)
}

/// Observations that a worker has folded.
pub fn folded(worker: &Worker) -> u64 {
    let agents = worker.snapshot().agents;
    agents
        .iter()
        .map(|agent| agent.books.folded.observations)
        .sum()
}

impl Rig {
    /// A worker that has heard each of about so many clients from each of its agents.
    ///
    /// # Panics
    /// When there are more clients than the worker has short ids for.
    pub fn new(clients: usize, ids: Ids) -> Self {
        let now_us = 1_000_000_000;
        let (worker, sessions) = served_hall(clients, now_us);
        let order = crowd::shuffled(hall::clients_per_agent(clients) as u32);
        let agents = (0..)
            .zip(sessions)
            .map(|(n, (key, session))| Agent {
                key,
                session,
                sequence: 0,
                first_observation: 0,
                cursor: n * order.len() / AGENTS,
            })
            .collect();
        let mut rig = Self {
            ids,
            worker,
            agents,
            order,
            next_agent: 0,
            now_us,
            writer: BatchWriter::new(BATCH_BYTES_MAX),
            heard: Vec::new(),
            group: (0..GROUP_DATAGRAMS).map(|_| Ready::default()).collect(),
            group_len: 0,
        };
        if ids == Ids::Short {
            rig.define();
        }
        rig.warm_up();
        rig
    }

    /// Observations in each datagram.
    pub fn rows(&self) -> usize {
        self.ids.rows()
    }

    /// Clients in the worker's table.
    pub fn clients(&self) -> usize {
        let snapshot = self.worker.snapshot();
        snapshot
            .clients_by_site
            .iter()
            .map(|(_, clients)| clients)
            .sum()
    }

    /// Makes the next datagrams ready, at most [`GROUP_DATAGRAMS`]; returns how many.
    pub fn prepare(&mut self, datagrams: usize) -> usize {
        self.group_len = datagrams.min(GROUP_DATAGRAMS);
        for place in 0..self.group_len {
            self.prepare_one(place);
        }
        self.group_len
    }

    /// What is measured: the worker takes in the datagrams made ready.
    #[inline]
    pub fn take_in(&mut self) {
        self.now_us += STEP_US;
        for ready in &self.group[..self.group_len] {
            let key = self.agents[ready.agent].key;
            self.worker.handle_datagram(key, &ready.bytes, self.now_us);
        }
    }

    /// Every agent tells which short ids stand for its clients.
    fn define(&mut self) {
        let count = self.order.len() as u32;
        for (n, agent) in self.agents.iter().enumerate() {
            let granted = self.worker.short_ids(agent.key);
            assert!(
                count <= granted,
                "an agent has {count} clients and {granted} short ids"
            );
            for first in (0..count).step_by(DEFINE_CLIENTS_MAX) {
                let end = count.min(first + DEFINE_CLIENTS_MAX as u32);
                let client = |m| crowd::client(hall::client_of(n, m));
                let clients: Vec<ClientId> = (first..end).map(client).collect();
                let defined = self
                    .worker
                    .handle_define(agent.key, first, &clients, self.now_us);
                assert!(defined, "the worker keeps the short ids of agent {n}");
            }
        }
    }

    /// Observations that the worker has folded.
    pub fn folded(&self) -> u64 {
        folded(&self.worker)
    }

    /// Every agent once through its clients.
    fn warm_up(&mut self) {
        let datagrams = AGENTS * self.order.len().div_ceil(self.rows());
        for _ in 0..datagrams.div_ceil(GROUP_DATAGRAMS) {
            self.prepare(GROUP_DATAGRAMS);
            self.take_in();
        }
        let sent = datagrams.next_multiple_of(GROUP_DATAGRAMS) * self.rows();
        assert_eq!(self.folded(), sent as u64, "nothing is dropped");
    }

    fn prepare_one(&mut self, place: usize) {
        let number = self.next_agent;
        self.next_agent = (number + 1) % AGENTS;
        let rows = self.rows();
        let agent = &mut self.agents[number];
        self.heard.clear();
        for _ in 0..rows {
            let n = self.order[agent.cursor];
            agent.cursor = (agent.cursor + 1) % self.order.len();
            let observation = crowd::observation(hall::client_of(number, n), self.now_us);
            let short_id = (self.ids == Ids::Short).then_some(n);
            self.heard.push((observation, short_id));
        }
        let header = Header {
            session: agent.session,
            sequence: agent.sequence,
            first_observation: agent.first_observation,
            sent_us: self.now_us,
            radio: 0,
        };
        let ready = &mut self.group[place];
        ready.agent = number;
        let heard = self
            .heard
            .iter()
            .map(|(observation, id)| (observation, *id));
        let packed = self.writer.encode_mixed(&header, heard, &mut ready.bytes);
        assert_eq!(packed, rows, "the datagram is full");
        agent.sequence += 1;
        agent.first_observation += packed as u64;
    }
}
