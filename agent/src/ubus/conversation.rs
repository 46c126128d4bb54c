//! The conversation with `ubusd`: find hostapd's objects, subscribe to each, take what they tell.
//!
//! An object that comes or goes is noticed by the daemon's events where this client may hear them,
//! and by asking again every few seconds in any case; the same question shows whether the daemon
//! is alive.
//!
//! This client never asks hostapd to wait for answers (`notify_response`). If another program does,
//! hostapd holds each frame back for up to 100 ms until all subscribers have agreed; then this one
//! agrees at once. It says nothing when it is behind, because a late answer helps nobody.

use super::blob::{BlobError, BlobWriter};
use super::fields::{Fields, Value};
use super::hostapd::Notification;
use super::message::{self, Body, Message, attribute, kind};
use crate::limits::{UBUS_ANSWER_MAX, UBUS_OBJECTS_MAX, UBUS_SILENCE_MAX, UBUS_UNSENT_BYTES_MAX};

/// What hostapd calls its objects: this and the interface.
const OBJECT_PREFIX: &str = "hostapd.";

/// All of them.
const OBJECT_PATTERN: &str = "hostapd.*";

/// The daemon's own object that hands out events.
const EVENT_OBJECT: u32 = 1;

/// The daemon's events when an object comes or goes.
const OBJECT_EVENTS: [&str; 2] = ["ubus.object.add", "ubus.object.remove"];

/// Bytes of an answer: prefix, word, two numbers.
const ANSWER_BYTES: usize = 8 + 4 + 2 * 8;

/// What both sides said so far, as far as it matters for what follows.
#[derive(Debug)]
pub(super) struct Conversation {
    /// Only these interfaces of hostapd; all if empty.
    interfaces: Vec<String>,
    out: Vec<u8>,
    phase: Phase,
    sequence: u16,
    subscriptions: Vec<Subscription>,
    lookup: Option<[u8; 2]>,
    /// An object came or went while a lookup was under way.
    lookup_again: bool,
    /// A message made no sense while a lookup was under way: it may have told of an object.
    lookup_unsound: bool,
    looked_us: Option<u64>,
    /// When the oldest answer that is owed was asked for.
    asked_us: u64,
    /// When anything was last heard.
    heard_us: u64,
    behind: bool,
}

/// What became of a message.
pub(super) enum Handled {
    /// It tells of a frame.
    Told(Notification),
    /// It is nobody else's business.
    Nothing,
    /// The daemon does not want this client.
    Refused(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The daemon speaks first.
    Greeting,
    /// Our object is not on the bus yet.
    Adding([u8; 2]),
    /// It is; its id.
    Ready(u32),
}

#[derive(Debug, Clone, Copy)]
struct Subscription {
    target: u32,
    state: SubscriptionState,
    /// The lookup under way has found it.
    found: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubscriptionState {
    New,
    Asked([u8; 2]),
    Standing,
}

impl Conversation {
    pub(super) fn new(interfaces: Vec<String>) -> Self {
        Self {
            interfaces,
            out: Vec::with_capacity(UBUS_UNSENT_BYTES_MAX),
            phase: Phase::Greeting,
            sequence: 0,
            subscriptions: Vec::with_capacity(UBUS_OBJECTS_MAX),
            lookup: None,
            lookup_again: false,
            lookup_unsound: false,
            looked_us: None,
            asked_us: 0,
            heard_us: 0,
            behind: false,
        }
    }

    pub(super) fn handle_connected(&mut self, now_us: u64) {
        self.out.clear();
        self.phase = Phase::Greeting;
        self.subscriptions.clear();
        self.lookup = None;
        self.lookup_again = false;
        self.looked_us = None;
        self.behind = false;
        (self.asked_us, self.heard_us) = (now_us, now_us);
    }

    pub(super) fn handle_received(&mut self, now_us: u64) {
        self.heard_us = now_us;
    }

    /// A message made no sense.
    pub(super) fn handle_malformed(&mut self) {
        self.lookup_unsound = true;
    }

    pub(super) fn handle_behind(&mut self, behind: bool) {
        self.behind = behind;
    }

    pub(super) fn poll_transmit(&self) -> &[u8] {
        &self.out
    }

    pub(super) fn handle_sent(&mut self, bytes: usize) {
        self.out.drain(..bytes.min(self.out.len()));
    }

    /// Objects that notify this client.
    pub(super) fn subscriptions(&self) -> usize {
        let standing = |s: &&Subscription| s.state == SubscriptionState::Standing;
        self.subscriptions.iter().filter(standing).count()
    }

    /// When the last lookup was answered.
    pub(super) fn looked_us(&self) -> Option<u64> {
        self.looked_us
    }

    /// When the daemon counts as dead unless it answers; `None` if it owes no answer. It gets more
    /// time while it says other things.
    pub(super) fn silent_us(&self) -> Option<u64> {
        let silent_us = self.asked_us.max(self.heard_us) + UBUS_SILENCE_MAX.as_micros() as u64;
        let late_us = self.asked_us + UBUS_ANSWER_MAX.as_micros() as u64;
        self.is_owed().then(|| silent_us.min(late_us))
    }

    /// Asks for the objects of hostapd.
    pub(super) fn look_up(&mut self, now_us: u64) {
        self.subscriptions.iter_mut().for_each(|s| s.found = false);
        self.lookup_again = false;
        self.lookup_unsound = false;
        let path =
            |writer: &mut BlobWriter| writer.put_text(attribute::OBJECT_PATH, OBJECT_PATTERN);
        self.lookup = Some(self.send(kind::LOOKUP, 0, path, now_us));
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`BlobError`] when it makes no sense.
    pub(super) fn handle_message(
        &mut self,
        message: &Message<'_>,
        now_us: u64,
    ) -> Result<Handled, BlobError> {
        let body = message.body()?;
        match message.kind {
            kind::HELLO if self.phase == Phase::Greeting => {
                let sequence = self.send(kind::ADD_OBJECT, 0, |_| {}, now_us);
                self.phase = Phase::Adding(sequence);
            }
            kind::DATA if self.lookup == Some(message.sequence) => {
                if let (Some(path), Some(object)) = (body.object_path, body.object) {
                    self.handle_found(path, object);
                }
            }
            kind::DATA if self.phase == Phase::Adding(message.sequence) => {
                self.handle_added(body.object.ok_or(BlobError::Value)?, now_us);
            }
            kind::STATUS => {
                let status = body.status.ok_or(BlobError::Value)?;
                if self.phase == Phase::Adding(message.sequence) {
                    return Ok(Handled::Refused(status));
                }
                self.handle_status(message.sequence, status, now_us);
            }
            kind::INVOKE => return self.handle_invoke(message, &body, now_us),
            kind::UNSUBSCRIBE => {
                if let Some(gone) = body.target {
                    self.subscriptions.retain(|s| s.target != gone);
                    self.look_up_soon(now_us);
                }
            }
            _ => {}
        }
        Ok(Handled::Nothing)
    }

    /// Our object is on the bus: ask for events, and look for hostapd.
    fn handle_added(&mut self, object: u32, now_us: u64) {
        self.phase = Phase::Ready(object);
        for event in OBJECT_EVENTS {
            let register = |writer: &mut BlobWriter| {
                writer.put_u32(attribute::OBJECT, EVENT_OBJECT);
                writer.put_text(attribute::METHOD, "register");
                writer.nest(attribute::DATA, |writer| {
                    writer.field_u32("object", object);
                    writer.field_text("pattern", event);
                });
            };
            // Whether it is allowed does not matter: objects are looked for in any case.
            self.send(kind::INVOKE, EVENT_OBJECT, register, now_us);
        }
        self.look_up(now_us);
    }

    fn look_up_soon(&mut self, now_us: u64) {
        match (self.phase, self.lookup) {
            (Phase::Ready(_), None) => self.look_up(now_us),
            _ => self.lookup_again = true,
        }
    }

    fn handle_found(&mut self, path: &str, object: u32) {
        let Some(interface) = path.strip_prefix(OBJECT_PREFIX) else {
            return;
        };
        if !self.interfaces.is_empty() && !self.interfaces.iter().any(|own| own == interface) {
            return;
        }
        let known = self.subscriptions.iter_mut().find(|s| s.target == object);
        if let Some(subscription) = known {
            subscription.found = true;
        } else if self.subscriptions.len() < UBUS_OBJECTS_MAX {
            self.subscriptions.push(Subscription {
                target: object,
                state: SubscriptionState::New,
                found: true,
            });
        }
    }

    fn handle_status(&mut self, sequence: [u8; 2], status: u32, now_us: u64) {
        if self.lookup == Some(sequence) {
            return self.handle_looked_up(now_us);
        }
        let asked = SubscriptionState::Asked(sequence);
        if status != 0 {
            // The next lookup finds it again, or not.
            self.subscriptions.retain(|s| s.state != asked);
        } else if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.state == asked)
        {
            subscription.state = SubscriptionState::Standing;
        }
    }

    /// Everything has been found: subscribe to what is new, forget what is gone.
    fn handle_looked_up(&mut self, now_us: u64) {
        self.lookup = None;
        self.looked_us = Some(now_us);
        let Phase::Ready(own) = self.phase else {
            return;
        };
        // Of an object that goes the daemon tells at once. Subscribing a second time to one that is
        // still there would have everything told twice.
        let unsound = self.lookup_unsound;
        self.subscriptions.retain(|s| s.found || unsound);
        for index in 0..self.subscriptions.len() {
            let Subscription { target, state, .. } = self.subscriptions[index];
            if state == SubscriptionState::New {
                let request = |writer: &mut BlobWriter| {
                    writer.put_u32(attribute::OBJECT, own);
                    writer.put_u32(attribute::TARGET, target);
                };
                let sequence = self.send(kind::SUBSCRIBE, 0, request, now_us);
                self.subscriptions[index].state = SubscriptionState::Asked(sequence);
            }
        }
        if self.lookup_again {
            self.look_up(now_us);
        }
    }

    /// A notification of hostapd, or an event of the daemon.
    fn handle_invoke(
        &mut self,
        message: &Message<'_>,
        body: &Body<'_>,
        now_us: u64,
    ) -> Result<Handled, BlobError> {
        let method = body.method.ok_or(BlobError::Value)?;
        let data = body.data.unwrap_or_default();
        if OBJECT_EVENTS.contains(&method) {
            if let Some(Value::Text(Some(path))) = Fields::new(data).find("path")
                && path.starts_with(OBJECT_PREFIX)
            {
                self.look_up_soon(now_us);
            }
            return Ok(Handled::Nothing);
        }
        // Answered before it is read: even what makes no sense holds hostapd up.
        if !body.no_reply {
            self.agree(message);
        }
        let notification = Notification::parse(method, data)?;
        Ok(notification.map_or(Handled::Nothing, Handled::Told))
    }

    /// Tells hostapd that this subscriber has nothing against the frame.
    fn agree(&mut self, message: &Message<'_>) {
        let Phase::Ready(own) = self.phase else {
            return;
        };
        if self.behind || self.out.len() + ANSWER_BYTES > UBUS_UNSENT_BYTES_MAX {
            return;
        }
        let (sequence, peer) = (message.sequence, message.peer);
        message::encode(&mut self.out, kind::STATUS, sequence, peer, |writer| {
            writer.put_u32(attribute::STATUS, 0);
            writer.put_u32(attribute::OBJECT, own);
        });
    }

    fn send(
        &mut self,
        kind: u8,
        peer: u32,
        fill: impl FnOnce(&mut BlobWriter),
        now_us: u64,
    ) -> [u8; 2] {
        if !self.is_owed() {
            self.asked_us = now_us;
        }
        // 0 is the number of what nobody asked for.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let sequence = self.sequence.to_be_bytes();
        message::encode(&mut self.out, kind, sequence, peer.to_be_bytes(), fill);
        sequence
    }

    /// The daemon has to say something.
    fn is_owed(&self) -> bool {
        !matches!(self.phase, Phase::Ready(_))
            || self.lookup.is_some()
            || self
                .subscriptions
                .iter()
                .any(|s| s.state != SubscriptionState::Standing)
    }
}
