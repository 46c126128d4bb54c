//! A link of somebody without a certificate: one request, one answer, and a short stay.
//!
//! Nothing of it reaches what sessions are made of: its stream is read here and never cut into
//! frames, its datagrams end it, and it has no identity.

use std::time::Instant;

use bytes::Bytes;
use quinn::ConnectionError;
use quinn::crypto::rustls::HandshakeData;
use quinn_proto::{Dir, Event as QuicEvent, ReadError, StreamEvent, StreamId};
use wire::limits::ENROL_REQUEST_BYTES_MAX;

use crate::control::CHUNK_BYTES_MAX;
use crate::refused::Reason;
use crate::transport::{CLOSE_CODE, NEWCOMER_STAY, NEWCOMERS_MAX};

use super::link::{Link, Stage};
use super::{Engine, Event, LinkId};

/// What a newcomer has said so far.
#[derive(Debug)]
pub(super) struct Newcomer {
    /// When it has to be gone.
    pub(super) until: Instant,
    stream: Option<StreamId>,
    request: Vec<u8>,
    said: Said,
    /// What is left of the answer.
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The request is not whole.
    Part,
    /// The request waits for the owner.
    Request,
    /// The owner has the request.
    Taken,
}

impl Engine {
    /// The request of a link that [`Event::Enrolment`] named, once: bytes of a stranger, at most
    /// [`ENROL_REQUEST_BYTES_MAX`].
    pub fn take_enrolment(&mut self, id: LinkId) -> Option<Vec<u8>> {
        let newcomer = self.newcomer(id)?;
        if newcomer.said != Said::Request {
            return None;
        }
        newcomer.said = Said::Taken;
        Some(std::mem::take(&mut newcomer.request))
    }

    /// Answers such a request. The link closes when the newcomer has heard it, or when its time is
    /// over; a link that is gone hears nothing.
    pub fn answer_enrolment(&mut self, id: LinkId, answer: Vec<u8>) {
        let Some(newcomer) = self.newcomer(id) else {
            return;
        };
        if newcomer.said == Said::Taken && newcomer.answer.is_empty() {
            newcomer.answer = answer;
            if let Some(link) = self.links.at(id.slot()) {
                flush(link);
            }
            self.send(id.slot());
        }
    }

    fn newcomer(&mut self, id: LinkId) -> Option<&mut Newcomer> {
        match &mut self.links.get(id)?.stage {
            Stage::Newcomer(newcomer) => Some(newcomer),
            _ => None,
        }
    }

    /// The handshake of a newcomer is done, which had to be so by `until`.
    pub(super) fn open_for_newcomer(&mut self, slot: u32, until: Instant) {
        let now = self.now.unwrap_or(until);
        let Some(link) = self.links.at(slot) else {
            return;
        };
        // Decided from the hello; what the handshake agreed on is a second lock on the door.
        let agreed = protocol(link).is_some_and(|agreed| agreed == wire::enrol::PROTOCOL);
        if !agreed || self.newcomers >= NEWCOMERS_MAX {
            let why = if agreed {
                Reason::Crowded
            } else {
                Reason::WrongProtocol
            };
            let words = Bytes::copy_from_slice(why.to_string().as_bytes());
            link.connection.close(now, CLOSE_CODE, words);
            self.refuse(slot, why);
            return;
        }
        link.newcomer = true;
        link.stage = Stage::Newcomer(Newcomer {
            until: until + NEWCOMER_STAY,
            stream: None,
            request: Vec::new(),
            said: Said::Part,
            answer: Vec::new(),
        });
        self.newcomers += 1;
        if let Some(door) = &mut self.door {
            door.handshake_ended();
        }
    }

    pub(super) fn handle_newcomers_event(&mut self, slot: u32, event: QuicEvent) {
        let now = self.now;
        let Some(link) = self.links.at(slot) else {
            return;
        };
        let obeys = match event {
            QuicEvent::Stream(StreamEvent::Opened { dir: Dir::Bi }) => accept(link) && read(link),
            QuicEvent::Stream(StreamEvent::Readable { .. }) => read(link),
            QuicEvent::Stream(StreamEvent::Writable { .. }) => {
                flush(link);
                true
            }
            QuicEvent::Stream(StreamEvent::Opened { dir: Dir::Uni })
            | QuicEvent::DatagramReceived => false,
            _ => true,
        };
        let id = link.id();
        let Stage::Newcomer(newcomer) = &mut link.stage else {
            return;
        };
        if !obeys {
            let now = now.unwrap_or(newcomer.until);
            let words =
                Bytes::from_static(b"one request to enrol, and nothing else, is heard here");
            link.connection.close(now, CLOSE_CODE, words);
            self.end(slot, &ConnectionError::LocallyClosed);
        } else if newcomer.said == Said::Request && !link.told.control {
            link.told.control = true;
            self.events.push_back(Event::Enrolment(id));
        }
    }
}

/// Takes the one stream; there is no second.
fn accept(link: &mut Link) -> bool {
    let Stage::Newcomer(newcomer) = &mut link.stage else {
        return false;
    };
    while let Some(stream) = link.connection.streams().accept(Dir::Bi) {
        if newcomer.stream.replace(stream).is_some() {
            return false;
        }
    }
    true
}

/// Reads what has come of the request; returns whether it is none too much.
fn read(link: &mut Link) -> bool {
    let Stage::Newcomer(newcomer) = &mut link.stage else {
        return false;
    };
    let Some(id) = newcomer.stream else {
        return true;
    };
    if newcomer.said != Said::Part {
        return true;
    }
    let mut stream = link.connection.recv_stream(id);
    let Ok(mut chunks) = stream.read(true) else {
        return false;
    };
    loop {
        match chunks.next(CHUNK_BYTES_MAX) {
            Ok(Some(chunk)) => {
                if newcomer.request.len() + chunk.bytes.len() > ENROL_REQUEST_BYTES_MAX {
                    return false;
                }
                newcomer.request.extend_from_slice(&chunk.bytes);
            }
            Ok(None) => {
                newcomer.said = Said::Request;
                return true;
            }
            Err(ReadError::Blocked) => return true,
            Err(ReadError::Reset(_)) => return false,
        }
    }
}

/// Writes what the transport takes of the answer, and ends the stream behind it.
fn flush(link: &mut Link) {
    let Stage::Newcomer(newcomer) = &mut link.stage else {
        return;
    };
    let Some(id) = newcomer.stream.filter(|_| !newcomer.answer.is_empty()) else {
        return;
    };
    // What fails is a stream that the newcomer has given up: then it hears nothing.
    while let Ok(bytes) = link.connection.send_stream(id).write(&newcomer.answer) {
        newcomer.answer.drain(..bytes);
        if newcomer.answer.is_empty() {
            let _ = link.connection.send_stream(id).finish();
            return;
        }
    }
}

fn protocol(link: &Link) -> Option<Vec<u8>> {
    let data = link.connection.crypto_session().handshake_data()?;
    data.downcast::<HandshakeData>().ok()?.protocol
}
