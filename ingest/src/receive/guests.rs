//! The links of a hall: what each is there for, and who must have spoken by when.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use foldhash::fast::RandomState;
use link::LinkId;
use wire::Session;

use crate::ledger::SessionKey;
use crate::limits::{HELLO_TIMEOUT, PARTING_TIMEOUT, RENEWAL_INTERVAL_MIN};
use crate::pipeline::Owner;

/// What a link is there for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guest {
    /// It has still to say hello.
    Greeting,
    /// It has a session.
    Talking(Call),
    /// It has got its last word, and is closed for this reason when it does not leave.
    Parting(&'static str),
}

/// One agent's session over a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) key: SessionKey,
    pub(super) session: Session,
    pub(super) owner: Owner,
    /// The pseudonym key that it knows.
    pub(super) key_version: u64,
    pub(super) told_to_leave: bool,
    /// When it last asked for a certificate.
    pub(super) renewed: Option<Instant>,
}

/// All links of a worker.
#[derive(Debug, Default)]
pub(super) struct Guests {
    guests: HashMap<LinkId, Guest, RandomState>,
    links: HashMap<SessionKey, LinkId, RandomState>,
    /// Each queue has one timeout, so its order is that of the deadlines.
    hellos: VecDeque<(Instant, LinkId)>,
    partings: VecDeque<(Instant, LinkId)>,
}

impl Guests {
    /// A link has opened.
    pub(super) fn arrive(&mut self, id: LinkId, now: Instant) {
        self.guests.insert(id, Guest::Greeting);
        self.hellos.push_back((now + HELLO_TIMEOUT, id));
    }

    /// A link has got a session.
    pub(super) fn talk(&mut self, id: LinkId, call: Call) {
        self.guests.insert(id, Guest::Talking(call));
        self.links.insert(call.key, id);
    }

    /// A link has got its last word.
    pub(super) fn part(&mut self, id: LinkId, now: Instant, reason: &'static str) {
        self.guests.insert(id, Guest::Parting(reason));
        self.partings.push_back((now + PARTING_TIMEOUT, id));
    }

    /// A link has ended.
    pub(super) fn leave(&mut self, id: LinkId) -> Option<Guest> {
        let guest = self.guests.remove(&id);
        if let Some(Guest::Talking(call)) = guest
            && self.links.get(&call.key) == Some(&id)
        {
            self.links.remove(&call.key);
        }
        guest
    }

    pub(super) fn of(&self, id: LinkId) -> Option<Guest> {
        self.guests.get(&id).copied()
    }

    /// The link of a session.
    pub(super) fn link(&self, key: SessionKey) -> Option<LinkId> {
        self.links.get(&key).copied()
    }

    /// The session has a newer link, or none any more.
    pub(super) fn unlink(&mut self, key: SessionKey) -> Option<LinkId> {
        self.links.remove(&key)
    }

    /// Whether an agent may ask for a certificate now; then it has.
    pub(super) fn may_renew(&mut self, id: LinkId, now: Instant) -> bool {
        let Some(Guest::Talking(call)) = self.guests.get_mut(&id) else {
            return false;
        };
        let since = call.renewed.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|since| since < RENEWAL_INTERVAL_MIN) {
            return false;
        }
        call.renewed = Some(now);
        true
    }

    /// All sessions.
    pub(super) fn calls(&mut self) -> impl Iterator<Item = (LinkId, &mut Call)> {
        self.guests
            .iter_mut()
            .filter_map(|(&id, guest)| match guest {
                Guest::Talking(call) => Some((id, call)),
                Guest::Greeting | Guest::Parting(_) => None,
            })
    }

    /// A link that did not say hello in time.
    pub(super) fn pop_silent(&mut self, now: Instant) -> Option<LinkId> {
        while let Some(id) = pop_due(&mut self.hellos, now) {
            if matches!(self.of(id), Some(Guest::Greeting)) {
                return Some(id);
            }
        }
        None
    }

    /// A link that did not leave in time, and what it is told.
    pub(super) fn pop_lingering(&mut self, now: Instant) -> Option<(LinkId, &'static str)> {
        while let Some(id) = pop_due(&mut self.partings, now) {
            if let Some(Guest::Parting(reason)) = self.of(id) {
                return Some((id, reason));
            }
        }
        None
    }
}

fn pop_due(queue: &mut VecDeque<(Instant, LinkId)>, now: Instant) -> Option<LinkId> {
    let (due, _) = queue.front()?;
    if *due > now {
        return None;
    }
    queue.pop_front().map(|(_, id)| id)
}
