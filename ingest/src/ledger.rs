//! The ledger: every session's account, and what each agent's accounts sum up to.

use std::collections::BTreeMap;

use wire::frame::{Hello, SessionEnd};
use wire::{AgentName, Session, SiteName};

use crate::account::Account;
use crate::books::Books;
use crate::clock::ClockMap;
use crate::dictionary::Dictionary;
use crate::limits::ENDED_PER_AGENT_MAX;
use crate::session::{Phase, RecordingClock, SessionState};
use crate::snapshot::AgentSnapshot;

/// Where the ledger keeps a session; a key is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    slot: u32,
    use_of_slot: u32,
}

/// Sessions, living and lately ended, and the books of those before them.
///
/// An ended session stays for a while, since its agent may still tell how it ended; then its books
/// are added to its agent's.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    slots: Vec<Slot>,
    closed: BTreeMap<(SiteName, AgentName), Closed>,
}

#[derive(Debug, Default)]
struct Slot {
    uses: u32,
    state: Option<SessionState>,
}

impl Slot {
    fn key(&self, index: usize) -> SessionKey {
        SessionKey {
            slot: index as u32,
            use_of_slot: self.uses,
        }
    }
}

/// The sum of an agent's sessions that are no longer kept, and the slots of those that are.
#[derive(Debug, Default)]
struct Closed {
    books: Books,
    heard_at_us: u64,
    kept: Vec<usize>,
}

impl Ledger {
    /// Opens a session; says which living session of the same agent it replaces.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the hello")]
    pub(crate) fn open(
        &mut self,
        agent: &AgentName,
        site: &SiteName,
        shard: usize,
        radios: Vec<Option<u16>>,
        hello: &Hello,
        session: Session,
        now_us: u64,
    ) -> (SessionKey, Option<SessionKey>) {
        let replaces = self.find(agent, site, |state| state.phase == Phase::Connected);
        if let Some(state) = replaces.and_then(|key| self.session_mut(key)) {
            state.end();
            state.account.handle_replaced();
        }
        let account = match &hello.previous {
            Some(previous) => self.settle_previous(agent, site, previous),
            None => Account::default(),
        };
        let named = hello.previous.as_ref().map(|previous| previous.session);
        self.retire_oldest(agent, site, named);
        let key = self.keep(SessionState {
            session,
            agent: agent.clone(),
            site: site.clone(),
            shard,
            radios,
            clock: ClockMap::default(),
            dictionary: Dictionary::default(),
            account,
            phase: Phase::Connected,
            heard_at_us: now_us,
            recording: RecordingClock::default(),
            counted: None,
        });
        let closed = self.closed.entry((site.clone(), agent.clone()));
        closed.or_default().kept.push(key.slot as usize);
        (key, replaces)
    }

    /// Books how the agent's last session ended: in its own account if this node has it, else as
    /// what the new account begins with.
    fn settle_previous(
        &mut self,
        agent: &AgentName,
        site: &SiteName,
        previous: &SessionEnd,
    ) -> Account {
        let known = self.find(agent, site, |state| state.session == previous.session);
        let carrying = self.find(agent, site, |state| state.account.carries(previous.session));
        let mut account = Account::default();
        if let Some(state) = known.and_then(|key| self.session_mut(key)) {
            state.account.settle(&previous.ended);
        } else if let Some(state) = carrying.and_then(|key| self.session_mut(key)) {
            state.account.carry(previous);
        } else {
            account.carry(previous);
        }
        account
    }

    /// The session with this key, unless it is no longer kept.
    #[inline]
    pub(crate) fn session_mut(&mut self, key: SessionKey) -> Option<&mut SessionState> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.uses == key.use_of_slot {
            slot.state.as_mut()
        } else {
            None
        }
    }

    /// A connection is gone, with or without a last report.
    pub(crate) fn close(&mut self, key: SessionKey, transport_received: u64) {
        if let Some(state) = self.session_mut(key) {
            match state.phase {
                Phase::Connected => state.account.handle_closed(transport_received),
                Phase::Ended => state.account.note_transport(transport_received),
            }
            state.end();
        }
    }

    /// All sessions that are kept.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &SessionState> {
        self.slots.iter().filter_map(|slot| slot.state.as_ref())
    }

    /// Keys of the living sessions.
    pub(crate) fn connected(&self) -> Vec<SessionKey> {
        self.keys(|state| state.phase == Phase::Connected).collect()
    }

    /// Agents that ever had a session.
    pub(crate) fn agents_len(&self) -> usize {
        self.closed.len()
    }

    /// Every agent that ever had a session, with all its books.
    pub(crate) fn agents(&self) -> Vec<AgentSnapshot> {
        let agents = self.closed.iter().map(|((site, agent), closed)| {
            let mut snapshot = AgentSnapshot {
                agent: agent.clone(),
                site: site.clone(),
                session: None,
                connection: None,
                heard_at_us: closed.heard_at_us,
                books: closed.books,
                counted: None,
            };
            for &index in &closed.kept {
                let slot = &self.slots[index];
                let Some(state) = &slot.state else { continue };
                if state.phase == Phase::Connected {
                    snapshot.session = Some(slot.key(index));
                }
                if state.heard_at_us >= snapshot.heard_at_us {
                    snapshot.counted = state.counted.or(snapshot.counted);
                }
                snapshot.heard_at_us = snapshot.heard_at_us.max(state.heard_at_us);
                snapshot.books += state.account.books();
            }
            snapshot
        });
        agents.collect()
    }

    fn keep(&mut self, state: SessionState) -> SessionKey {
        let free = self.slots.iter().position(|slot| slot.state.is_none());
        let index = free.unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        let slot = &mut self.slots[index];
        slot.uses += 1;
        slot.state = Some(state);
        slot.key(index)
    }

    /// Closes the books of the agent's oldest ended session when it has too many of them, but not of
    /// the one that its hello names: that one may be told of again.
    fn retire_oldest(&mut self, agent: &AgentName, site: &SiteName, named: Option<Session>) {
        let is_named = |state: &SessionState| {
            named.is_some_and(|named| state.session == named || state.account.carries(named))
        };
        let ended: Vec<SessionKey> = self
            .keys(|s| {
                s.phase == Phase::Ended && s.agent == *agent && s.site == *site && !is_named(s)
            })
            .collect();
        if ended.len() < ENDED_PER_AGENT_MAX {
            return;
        }
        let heard = |key: &SessionKey| {
            self.slots[key.slot as usize]
                .state
                .as_ref()
                .map(|s| s.heard_at_us)
        };
        let Some(oldest) = ended.into_iter().min_by_key(heard) else {
            return;
        };
        if let Some(state) = self.slots[oldest.slot as usize].state.take() {
            let closed = self.closed.entry((state.site, state.agent)).or_default();
            closed.kept.retain(|&index| index != oldest.slot as usize);
            closed.books += state.account.books();
            closed.heard_at_us = closed.heard_at_us.max(state.heard_at_us);
        }
    }

    fn find(
        &self,
        agent: &AgentName,
        site: &SiteName,
        wanted: impl Fn(&SessionState) -> bool,
    ) -> Option<SessionKey> {
        self.keys(|s| s.agent == *agent && s.site == *site && wanted(s))
            .next()
    }

    fn keys(&self, wanted: impl Fn(&SessionState) -> bool) -> impl Iterator<Item = SessionKey> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(index, slot)| {
                let state = slot.state.as_ref()?;
                wanted(state).then(|| slot.key(index))
            })
    }
}
