//! What follows from what happened to links: events for the owner, a place in the queues.

use bytes::Bytes;
use quinn::ConnectionError;
use quinn_proto::{Event as QuicEvent, StreamEvent};

use crate::agent_end::ConnectError;
use crate::closed::LinkClosed;
use crate::refused::{Reason, Refused};
use crate::socket::canonical;
use crate::transport::CLOSE_CODE;

use super::link::Stage;
use super::{Engine, Event};

impl Engine {
    /// Notes that something happened to a link.
    pub(super) fn touch(&mut self, slot: u32) {
        if let Some(link) = self.links.at(slot)
            && !std::mem::replace(&mut link.queued.touched, true)
        {
            self.touched.push(slot);
        }
    }

    /// Notes that a link may have something to send.
    pub(super) fn send(&mut self, slot: u32) {
        if let Some(link) = self.links.at(slot)
            && !std::mem::replace(&mut link.queued.sending, true)
        {
            self.sending.push_back(slot);
        }
    }

    /// Takes the events of all touched links.
    pub(super) fn settle(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        let mut touched = std::mem::take(&mut self.touched);
        for &slot in &touched {
            self.settle_link(slot);
        }
        touched.clear();
        debug_assert!(self.touched.is_empty(), "settling touches no link");
        self.touched = touched;
    }

    fn settle_link(&mut self, slot: u32) {
        let Some(link) = self.links.at(slot) else {
            return;
        };
        link.queued.touched = false;
        let drained = link.exchange_endpoint_events(&mut self.endpoint);
        while let Some(event) = self.links.at(slot).and_then(|link| link.connection.poll()) {
            self.handle_quic_event(slot, event);
        }
        if let Some(link) = self.links.at(slot) {
            link.control.flush(&mut link.connection);
        }
        if drained {
            self.links.drained(slot);
            self.timers.cancel(slot);
        }
        self.send(slot);
    }

    fn handle_quic_event(&mut self, slot: u32, event: QuicEvent) {
        let Some(link) = self.links.at(slot) else {
            return;
        };
        let newcomer = link.newcomer;
        match event {
            QuicEvent::Connected => self.open(slot),
            QuicEvent::ConnectionLost { reason } => self.end(slot, &reason),
            event if newcomer => self.handle_newcomers_event(slot, event),
            QuicEvent::DatagramReceived => link.announce_datagrams(&mut self.events),
            QuicEvent::DatagramsUnblocked => link.announce_room(&mut self.events),
            QuicEvent::Stream(event) => {
                match event {
                    StreamEvent::Opened { .. } => link.control.accept(&mut link.connection),
                    StreamEvent::Finished { .. } | StreamEvent::Readable { .. } => {}
                    StreamEvent::Stopped { id, .. } => link.control.handle_stopped(id),
                    StreamEvent::Writable { .. } | StreamEvent::Available { .. } => {
                        link.control.flush(&mut link.connection);
                        link.announce_control_room(&mut self.events);
                    }
                }
                if matches!(
                    event,
                    StreamEvent::Opened { .. } | StreamEvent::Readable { .. }
                ) {
                    link.announce_control(&mut self.events);
                }
            }
            QuicEvent::HandshakeDataReady => {}
        }
    }

    /// The handshake is done: who is it?
    fn open(&mut self, slot: u32) {
        let now = self.now;
        let Some(link) = self.links.at(slot) else {
            return;
        };
        let Stage::Handshake(handshake) = &link.stage else {
            return;
        };
        if let Some(verdict) = &handshake.verdict {
            if verdict.enrols() {
                let until = handshake.until;
                self.open_for_newcomer(slot, until);
                return;
            }
            match verdict.get() {
                Some(Ok(identity)) => link.identity = Some(identity.clone()),
                // TLS fails before, so this is a second lock on the door.
                judged => {
                    let refusal = judged.and_then(|judged| judged.clone().err());
                    let now = now.unwrap_or(handshake.until);
                    link.connection.close(now, CLOSE_CODE, Bytes::new());
                    self.refuse(slot, refusal.unwrap_or(Reason::NoCertificate));
                    return;
                }
            }
            if let Some(door) = &mut self.door {
                door.handshake_ended();
            }
        }
        link.stage = Stage::Open;
        self.events.push_back(Event::Opened(link.id()));
    }

    /// A link or a handshake is over.
    pub(super) fn end(&mut self, slot: u32, error: &ConnectionError) {
        let Some(link) = self.links.at(slot) else {
            return;
        };
        let remote = canonical(link.connection.remote_address());
        let closed = match &link.stage {
            Stage::Closed(_) => return,
            Stage::Newcomer(_) => {
                self.newcomers -= 1;
                LinkClosed::of(error)
            }
            Stage::Open => LinkClosed::of(error),
            Stage::Handshake(handshake) => match &handshake.verdict {
                None => ConnectError::of(remote, handshake.waited, error).into_closed(),
                Some(verdict) => {
                    let reason = Reason::of(error, verdict);
                    self.refuse(slot, reason);
                    return;
                }
            },
        };
        link.stage = Stage::Closed(closed.clone());
        if !link.forgotten {
            self.events.push_back(Event::Closed(link.id(), closed));
        }
    }

    /// A newcomer does not come in; nobody but us knows its link.
    pub(super) fn refuse(&mut self, slot: u32, reason: Reason) {
        let Some(link) = self.links.at(slot) else {
            return;
        };
        let remote = canonical(link.connection.remote_address());
        link.stage = Stage::Closed(LinkClosed::Here);
        link.forgotten = true;
        self.events
            .push_back(Event::Refused(Refused { remote, reason }));
        if let Some(door) = &mut self.door {
            door.handshake_ended();
        }
    }
}
