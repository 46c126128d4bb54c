//! All QUIC connections of one socket, as a state machine without socket or clock.
//!
//! Both ends speak it alike: packets and time go in by `handle_*`, packets, events and the time of
//! the next visit come out by `poll_*`. A [`Port`](crate::Port) drives it over a real socket, a
//! test over a simulated network. After each `handle_*` the owner polls until `None`.
//!
//! - Only connections that something happened to are looked at; a thousand silent ones cost an
//!   entry each in a heap of timers.
//! - What arrives stays in the connection until it is read, so that nothing is copied or queued in
//!   between; memory is bounded by the windows in [`transport`](crate::transport).
//! - Who keeps to [`read_datagram`](Engine::read_datagram) until `None` after each
//!   [`Event::Datagrams`] loses none to a full receive buffer.

mod answers;
mod control;
mod door;
mod link;
mod links;
mod newcomer;
mod settle;
mod talk;
mod timers;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use quinn::ConnectionError;
use quinn_proto::{DatagramEvent, Endpoint};

use crate::agent_end::{ConnectError, client_config};
use crate::closed::LinkClosed;
use crate::identity::Identity;
use crate::refused::Refused;
use crate::reset_key::ResetKey;
use crate::socket::canonical;
use crate::stats::LinkStats;
use crate::tls::{AgentCredentials, NodeCredentials};
use crate::transport::{CLOSE_CODE, Knobs};

use answers::Answers;
use door::Door;
use link::{Handshake, Link};
use links::Links;
use timers::Timers;

pub use door::HandshakeCounts;
pub use links::LinkId;
/// A packet to be sent and its congestion mark: plain data, with the names that QUIC has for them.
pub use quinn_proto::{EcnCodepoint, Transmit};

/// What happened to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done. At a node the agent's [`identity`](Engine::identity) is known now.
    ///
    /// At an agent it is no proof yet that the node accepts its certificate: the answer to the
    /// first control frame is.
    Opened(LinkId),
    /// At a node: somebody did not come in.
    Refused(Refused),
    /// At a node: somebody without a certificate has asked for one, see
    /// [`take_enrolment`](Engine::take_enrolment). Its link is open for nothing else.
    Enrolment(LinkId),
    /// Datagrams can be read. Comes again only after [`read_datagram`](Engine::read_datagram) gave
    /// `None`.
    Datagrams(LinkId),
    /// Frames may be readable. Read until `None`.
    Control(LinkId),
    /// The send buffer has room again, after a datagram or frame found none.
    Room(LinkId),
    /// The link has ended; also one that this end closed. What it had received can still be read,
    /// until [`forget`](Engine::forget).
    Closed(LinkId, LinkClosed),
}

/// The connections of one socket.
pub struct Engine {
    endpoint: Endpoint,
    door: Option<Door>,
    links: Links,
    timers: Timers,
    /// Links to which something happened since their events were last taken.
    touched: Vec<u32>,
    /// Links that may have something to send.
    sending: VecDeque<u32>,
    events: VecDeque<Event>,
    /// The time as the owner last told it; links are settled without a word about it.
    now: Option<Instant>,
    answers: Answers,
    ipv6: bool,
    /// The running round of reception; see [`begin_round`](Self::begin_round).
    round: u32,
    brimming: bool,
    /// Links that are there to enrol.
    newcomers: usize,
    brim_bytes: usize,
}

/// What the socket below an engine can do.
#[derive(Debug, Clone, Copy)]
pub struct Below {
    /// Packets may be cut into pieces on their way, so that a search for the largest is in vain.
    pub may_fragment: bool,
    /// Addresses are those of IPv6; IPv4 ones are mapped.
    pub ipv6: bool,
}

impl Engine {
    /// The end at which agents arrive.
    pub fn node(
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
        below: Below,
    ) -> Self {
        let door = Door::new(credentials, knobs);
        let config = Arc::new(knobs.node_endpoint(reset_key));
        let server = Some(door.server_config());
        let endpoint = Endpoint::new(config, server, !below.may_fragment, None);
        Self::new(endpoint, Some(door), knobs, below)
    }

    /// The end from which agents connect.
    pub fn agents(knobs: &Knobs, below: Below) -> Self {
        let config = Arc::new(knobs.agent_endpoint());
        let endpoint = Endpoint::new(config, None, !below.may_fragment, None);
        Self::new(endpoint, None, knobs, below)
    }

    fn new(endpoint: Endpoint, door: Option<Door>, knobs: &Knobs, below: Below) -> Self {
        Self {
            endpoint,
            door,
            links: Links::default(),
            timers: Timers::default(),
            touched: Vec::new(),
            sending: VecDeque::new(),
            events: VecDeque::new(),
            now: None,
            answers: Answers::default(),
            ipv6: below.ipv6,
            round: 0,
            brimming: false,
            newcomers: 0,
            // Two bytes of memory are enough for one of a packet, and a burst may follow.
            brim_bytes: knobs.datagram_receive_buffer_bytes / 4,
        }
    }

    /// Begins a connection to a node whose certificate must be valid for `name`. It opens or
    /// closes; which, an [`Event`] tells.
    ///
    /// # Errors
    /// [`ConnectError`] when the address or name cannot be one.
    pub fn connect(
        &mut self,
        now: Instant,
        node: SocketAddr,
        name: &str,
        credentials: &AgentCredentials,
        knobs: &Knobs,
    ) -> Result<LinkId, ConnectError> {
        let address = if self.ipv6 { mapped(node) } else { node };
        let config = client_config(credentials, knobs);
        let connected = self.endpoint.connect(now, config, address, name);
        let (handle, connection) = connected.map_err(|error| ConnectError::Address {
            node,
            name: name.to_owned(),
            why: error.to_string(),
        })?;
        let handshake = Handshake {
            waited: knobs.handshake_timeout,
            until: now + knobs.handshake_timeout,
            verdict: None,
        };
        let id = self.links.insert(handle, connection, handshake);
        self.touch(id.slot());
        Ok(id)
    }

    /// Whether agents arrive here.
    pub(crate) fn is_node(&self) -> bool {
        self.door.is_some()
    }

    /// Shows another certificate, and trusts another authority, from the next handshake on. Links
    /// that stand are not touched.
    pub fn replace_credentials(&mut self, credentials: &NodeCredentials) {
        if let Some(door) = &mut self.door {
            door.replace_credentials(credentials);
        }
    }

    /// What became of agents' handshakes so far, and how many are in progress.
    pub fn handshakes(&self) -> HandshakeCounts {
        self.door.as_ref().map(Door::counts).unwrap_or_default()
    }

    /// Starts a round of reception, after which the links that have received are read.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.brimming = false;
    }

    /// A link has received so much in this round that its datagrams should be read before it gets
    /// more, or the oldest of them will be dropped.
    pub fn is_brimming(&self) -> bool {
        self.brimming
    }

    /// A packet has arrived.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local_ip: Option<IpAddr>,
        ecn: Option<EcnCodepoint>,
        packet: BytesMut,
    ) {
        self.now = Some(now);
        let bytes = packet.len();
        let answer = self.answers.buffer();
        match self
            .endpoint
            .handle(now, remote, local_ip, ecn, packet, answer)
        {
            None => {}
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(link) = self.links.of_handle(handle) {
                    link.connection.handle_event(event);
                    self.brimming |= link.receives(self.round, bytes) > self.brim_bytes;
                    let slot = link.slot;
                    self.touch(slot);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.handle_newcomer(now, incoming),
            Some(DatagramEvent::Response(transmit)) => self.answers.push(transmit),
        }
    }

    fn handle_newcomer(&mut self, now: Instant, incoming: quinn_proto::Incoming) {
        let remote = canonical(incoming.remote_address());
        let Some(door) = &mut self.door else {
            self.endpoint.ignore(incoming);
            return;
        };
        match door.admit(now, incoming, &mut self.endpoint, &mut self.answers) {
            Ok(Some((handle, connection, handshake))) => {
                let id = self.links.insert(handle, connection, handshake);
                self.touch(id.slot());
            }
            Ok(None) => {}
            Err(reason) => {
                let refused = Refused { remote, reason };
                self.events.push_back(Event::Refused(refused));
            }
        }
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = Some(now);
        while let Some(slot) = self.timers.pop_due(now) {
            let Some(link) = self.links.at(slot) else {
                continue;
            };
            let connection_due = link
                .connection
                .poll_timeout()
                .is_some_and(|timeout| timeout <= now);
            let too_slow = link.stage.until().is_some_and(|until| until <= now);
            if connection_due {
                link.connection.handle_timeout(now);
            }
            if too_slow {
                self.give_up(slot, now);
            }
            // Also when it woke up too early: to be woken at the right time.
            self.touch(slot);
        }
    }

    /// A handshake took too long.
    fn give_up(&mut self, slot: u32, now: Instant) {
        if let Some(link) = self.links.at(slot) {
            link.connection.close(now, CLOSE_CODE, Bytes::new());
            self.end(slot, &ConnectionError::TimedOut);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work; may come early.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What happened since.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.settle();
        let event = self.events.pop_front()?;
        match event {
            Event::Datagrams(id) => self.unmark(id, |link| link.told.datagrams = false),
            Event::Control(id) => self.unmark(id, |link| link.told.control = false),
            Event::Room(id) => self.unmark(id, |link| link.told.room = false),
            Event::Opened(_) | Event::Enrolment(_) | Event::Refused(_) | Event::Closed(..) => {}
        }
        Some(event)
    }

    fn unmark(&mut self, id: LinkId, unmark: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get(id) {
            unmark(link);
        }
    }

    /// Whether [`poll_event`](Self::poll_event) has something to say.
    pub(crate) fn has_events(&mut self) -> bool {
        self.settle();
        !self.events.is_empty()
    }

    /// The next packet, or up to `segments_max` of one link at once, written to `out`, which is
    /// empty.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        segments_max: usize,
        out: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.now = Some(now);
        if let Some(transmit) = self.answers.pop(out) {
            return Some(transmit);
        }
        self.settle();
        while let Some(&slot) = self.sending.front() {
            if let Some(link) = self.links.at(slot) {
                let connection = &mut link.connection;
                if let Some(transmit) = connection.poll_transmit(now, segments_max, out) {
                    // Sending makes room, and whoever waits for it must hear of that.
                    self.touch(slot);
                    return Some(transmit);
                }
                link.queued.sending = false;
                if !link.drained
                    && let Some(timeout) = link.poll_timeout()
                {
                    self.timers.wake_by(slot, timeout);
                }
            }
            self.sending.pop_front();
        }
        None
    }

    /// Closes a link at once and tells the other end why. What waits in the send buffer is never
    /// sent; [`stats`](Self::stats) tells how much that was.
    pub fn close(&mut self, id: LinkId, now: Instant, reason: &str) {
        if self.links.get(id).is_some() {
            self.close_slot(id.slot(), now, reason);
        }
    }

    /// Closes all links and lets nobody in any more.
    pub fn close_all(&mut self, now: Instant, reason: &str) {
        if let Some(door) = &mut self.door {
            door.shut();
        }
        for slot in self.links.slots() {
            self.close_slot(slot, now, reason);
        }
    }

    fn close_slot(&mut self, slot: u32, now: Instant, reason: &str) {
        if let Some(link) = self.links.at(slot) {
            let reason = Bytes::copy_from_slice(reason.as_bytes());
            link.connection.close(now, CLOSE_CODE, reason);
            self.end(slot, &ConnectionError::LocallyClosed);
            self.touch(slot);
        }
    }

    /// Connections that still send or wait for something, closed ones included whose other end may
    /// not have heard of it.
    pub fn connections(&self) -> usize {
        self.links.connections()
    }

    /// Ends all access to a link, and drops it once it has ended.
    pub fn forget(&mut self, id: LinkId) {
        self.links.forget(id);
    }

    /// What the link has carried so far.
    pub fn stats(&self, id: LinkId) -> Option<LinkStats> {
        let link = self.links.peek(id)?;
        Some(LinkStats::of(&link.connection.stats()))
    }

    /// Where the other end sends from now; an agent's may change.
    pub fn remote_address(&self, id: LinkId) -> Option<SocketAddr> {
        let link = self.links.peek(id)?;
        Some(canonical(link.connection.remote_address()))
    }

    /// Who the agent is, by its certificate; at a node, once the link is open.
    pub fn identity(&self, id: LinkId) -> Option<&Identity> {
        self.links.peek(id)?.identity.as_ref()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("connections", &self.connections())
            .field("handshakes", &self.handshakes())
            .finish_non_exhaustive()
    }
}

/// An address as a socket of IPv6 knows it.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests;
