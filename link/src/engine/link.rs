//! One connection and what the engine knows of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::{Connection, ConnectionHandle, Endpoint};

use crate::closed::LinkClosed;
use crate::identity::Identity;
use crate::tls::Verdict;

use super::Event;
use super::control::Control;
use super::links::LinkId;
use super::newcomer::Newcomer;

/// A connection from its first packet until it is forgotten.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) handle: ConnectionHandle,
    pub(super) slot: u32,
    generation: u32,
    pub(super) stage: Stage,
    /// It is or was there to enrol: never a word of it goes where those of agents go.
    pub(super) newcomer: bool,
    pub(super) identity: Option<Identity>,
    pub(super) control: Control,
    pub(super) queued: Queued,
    pub(super) told: Told,
    /// QUIC is done with it: nothing will be sent or received any more.
    pub(super) drained: bool,
    /// The owner is done with it.
    pub(super) forgotten: bool,
    round: u32,
    round_bytes: usize,
}

/// How far a link is.
#[derive(Debug)]
pub(super) enum Stage {
    Handshake(Handshake),
    /// Somebody without a certificate, who may ask for one.
    Newcomer(Newcomer),
    Open,
    Closed(LinkClosed),
}

impl Stage {
    /// When it is over at the latest, for those that must not last.
    pub(super) fn until(&self) -> Option<Instant> {
        match self {
            Self::Handshake(handshake) => Some(handshake.until),
            Self::Newcomer(newcomer) => Some(newcomer.until),
            Self::Open | Self::Closed(_) => None,
        }
    }
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Handshake {
    /// How long it may take in all.
    pub(super) waited: Duration,
    pub(super) until: Instant,
    /// At a node: where the judgement of the agent's certificate will be.
    pub(super) verdict: Option<Arc<Verdict>>,
}

/// In which of the engine's lists the link is.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub(super) touched: bool,
    pub(super) sending: bool,
}

/// Events that wait for the owner already, so that each waits once.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) datagrams: bool,
    pub(super) control: bool,
    pub(super) room: bool,
}

impl Link {
    pub(super) fn new(
        slot: u32,
        generation: u32,
        handle: ConnectionHandle,
        connection: Connection,
        handshake: Handshake,
    ) -> Self {
        Self {
            connection,
            handle,
            slot,
            generation,
            stage: Stage::Handshake(handshake),
            newcomer: false,
            identity: None,
            control: Control::default(),
            queued: Queued::default(),
            told: Told::default(),
            drained: false,
            forgotten: false,
            round: 0,
            round_bytes: 0,
        }
    }

    pub(super) fn id(&self) -> LinkId {
        LinkId::new(self.slot, self.generation)
    }

    /// Counts a packet; returns the bytes of this round.
    pub(super) fn receives(&mut self, round: u32, bytes: usize) -> usize {
        if self.round != round {
            self.round = round;
            self.round_bytes = 0;
        }
        self.round_bytes += bytes;
        self.round_bytes
    }

    /// When the link wants to be looked at next.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let timeout = self.connection.poll_timeout();
        match self.stage.until() {
            Some(until) => Some(timeout.map_or(until, |at| at.min(until))),
            None => timeout,
        }
    }

    /// Lets connection and endpoint tell each other of connection ids and the end. Returns whether
    /// the connection has ended for QUIC.
    pub(super) fn exchange_endpoint_events(&mut self, endpoint: &mut Endpoint) -> bool {
        let mut drained = false;
        while let Some(event) = self.connection.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        drained
    }

    pub(super) fn announce_datagrams(&mut self, events: &mut VecDeque<Event>) {
        if !self.forgotten && !std::mem::replace(&mut self.told.datagrams, true) {
            events.push_back(Event::Datagrams(self.id()));
        }
    }

    pub(super) fn announce_control(&mut self, events: &mut VecDeque<Event>) {
        if !self.forgotten && !std::mem::replace(&mut self.told.control, true) {
            events.push_back(Event::Control(self.id()));
        }
    }

    pub(super) fn announce_room(&mut self, events: &mut VecDeque<Event>) {
        if !self.forgotten && !std::mem::replace(&mut self.told.room, true) {
            events.push_back(Event::Room(self.id()));
        }
    }

    /// Announces room when a frame had found none.
    pub(super) fn announce_control_room(&mut self, events: &mut VecDeque<Event>) {
        if self.control.take_has_room_again() {
            self.announce_room(events);
        }
    }
}
