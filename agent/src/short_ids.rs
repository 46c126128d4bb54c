//! Short ids: which client goes by which small number in this session, without IO.
//!
//! A client that is heard again and again gets a short id, so that its rows take six bytes instead
//! of twelve and the node finds it without a search. The rules, which keep a number from ever
//! meaning the wrong client:
//! - A short id is written only after the node has acknowledged its definition, and only while the
//!   last use is less than [`IDLE_TICKS`] ago; later it is defined again first. Until then the client
//!   goes by its full id, so nothing waits.
//! - A number goes to another client only after [`REUSE_TICKS`] without use: by then no datagram
//!   with the old meaning can be under way.
//! - A client gets one with its third observation: a passer-by costs nothing.
//! - A new session knows none: those in use when the last one ended are defined again at once.
//!
//! Nothing is allocated after [`ShortIds::new`] but the frames that [`ShortIds::poll_define`] gives.

mod index;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use wire::ClientId;
use wire::frame::{Define, Defined};
use wire::limits::DEFINE_CLIENTS_MAX;

use crate::limits::{
    DEFINES_OUTSTANDING_MAX, DEFINES_PER_BURST_MAX, SHORT_ID_BRIDGE_MAX, SHORT_ID_NEWCOMERS,
    SHORT_ID_SWEEP_MAX, SHORT_IDS_MAX,
};
use index::{Index, hash};

/// A tick is 2^20 microseconds, some 1.05 s: ages need no finer grain.
const TICK_SHIFT: u32 = 20;
/// Unused for so long, a short id is defined again before use: 19.9 s.
const IDLE_TICKS: u32 = 19;
/// All short ids in use are defined again so often, since a use that was lost on its way does not
/// keep them alive at the node, which forgets them after 50 s.
const REFRESH_TICKS: u32 = 20;
/// Unused for so long, a number may go to another client: at least 36.7 s. A use is counted when a
/// burst is dealt and may leave up to five seconds later, so 30 s are surely over.
const REUSE_TICKS: u32 = 36;
/// Observations that make a client worth a short id.
const HEARD_MIN: u8 = 3;

/// That time in ticks, for [`ShortIds::handle_burst`].
pub(crate) fn tick(now_us: u64) -> u32 {
    (now_us >> TICK_SHIFT) as u32
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Stands for nobody.
    Vacant,
    /// The node does not know it in this session.
    Unknown,
    /// To be defined.
    Wanted,
    /// Defined, not yet acknowledged.
    Sent,
    /// Acknowledged.
    Ready,
}

/// What a short id stands for; its place in the list is the short id.
///
/// Each observation reads one, so it is small: four fill a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
struct Entry {
    client: ClientId,
    /// Tick of the last use, or since when it has been wanted or sent.
    used: u32,
    state: State,
    /// Who was heard after this client the last time, lowest byte first.
    follower: [u8; 3],
}

const _: () = assert!(size_of::<Entry>() == 16);

/// Where the follower lies in [`Entry::about`], and the bits of use and state below it.
const FOLLOWER_SHIFT: u32 = 40;
const USE: u64 = (1 << FOLLOWER_SHIFT) - 1;
const _: () = assert!(SHORT_IDS_MAX <= 1 << 24);

impl Entry {
    fn new(client: ClientId, used: u32) -> Self {
        Self {
            client,
            used,
            state: State::Unknown,
            follower: [0; 3],
        }
    }

    #[inline]
    fn is_of(&self, client: ClientId) -> bool {
        self.client == client && self.state != State::Vacant
    }

    /// All but the client in one word: when it was used last, the state in the fifth byte, and
    /// who follows.
    #[inline(always)]
    fn about(&self) -> u64 {
        let [a, b, c, d] = self.used.to_le_bytes();
        let [low, middle, high] = self.follower;
        u64::from_le_bytes([a, b, c, d, self.state as u8, low, middle, high])
    }

    /// Its client goes by it: the node knows it, and has been reminded lately.
    #[inline]
    fn is_in_use(&self, now: u32) -> bool {
        self.state == State::Ready && now.saturating_sub(self.used) < IDLE_TICKS
    }

    #[inline]
    fn follower(&self) -> usize {
        let [low, middle, high] = self.follower;
        u32::from_le_bytes([low, middle, high, 0]) as usize
    }

    fn set_follower(&mut self, id: usize) {
        let [low, middle, high, ..] = id.to_le_bytes();
        self.follower = [low, middle, high];
    }
}

/// A frame that the node has not acknowledged.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    number: u16,
    first: u32,
    count: u32,
    sent: u32,
}

/// The short ids of an agent's clients; see the module.
#[derive(Debug)]
pub(crate) struct ShortIds {
    /// As many as our own limit allows.
    ids_max: usize,
    /// As many as the node keeps in this session, within our own limit; 0 without a session.
    ids: usize,
    entries: Vec<Entry>,
    /// For each entry that was ever sent, the number of the frame.
    sent_in: Vec<u16>,
    index: Index,
    /// Observations of clients without a short id, by hash; those that share a place share its count.
    newcomers: Vec<u8>,
    newcomers_since: u32,
    /// One bit for each entry in [`State::Wanted`].
    wanted: Vec<u64>,
    wanted_count: usize,
    outstanding: VecDeque<Outstanding>,
    next_number: u16,
    defines_left: usize,
    /// Next entry to look at for reuse, and looks in vain since the last that was reused.
    hand: usize,
    looks_in_vain: usize,
    /// Until this tick all are in use.
    full_until: u32,
    last_heard: u32,
    /// The entry that was used last, and the one that followed it before.
    last: usize,
    guess: usize,
    /// When those in use were last asked for again.
    refreshed: u32,
}

/// Names the clients of a burst, one after the other.
///
/// Who was last is kept here, apart from what each look-up writes: the processor then looks at
/// several clients at once.
#[derive(Debug)]
pub(crate) struct Burst<'a> {
    short_ids: &'a mut ShortIds,
    /// As in [`ShortIds`].
    last: usize,
    guess: usize,
    now: u32,
    /// [`USE`] of an entry that is in use and was used in this tick; of none without a session.
    in_use_now: u64,
}

impl Burst<'_> {
    /// A client is about to be sent: gives the short id to use, `None` for the full id.
    ///
    /// Who follows the last one as it did before costs no more than a look at its entry.
    #[inline]
    pub(crate) fn handle_heard(&mut self, client: ClientId) -> Option<u32> {
        let id = self.guess;
        if let Some(entry) = self.short_ids.entries.get(id)
            && entry.client == client
        {
            let about = entry.about();
            if about & USE == self.in_use_now {
                (self.last, self.guess) = (id, (about >> FOLLOWER_SHIFT) as usize);
                return Some(id as u32);
            }
        }
        self.handle_any(client)
    }

    /// As [`Burst::handle_heard`], whatever is known of the client.
    #[inline(never)]
    fn handle_any(&mut self, client: ClientId) -> Option<u32> {
        (self.short_ids.last, self.short_ids.guess) = (self.last, self.guess);
        let short_id = self.short_ids.handle_any(client, self.now);
        (self.last, self.guess) = (self.short_ids.last, self.short_ids.guess);
        short_id
    }

    /// The burst is dealt.
    pub(crate) fn end(self) {
        (self.short_ids.last, self.short_ids.guess) = (self.last, self.guess);
    }
}

impl ShortIds {
    /// At most `ids_max` short ids; 0 for none ever. Memory is touched only as clients come.
    pub(crate) fn new(ids_max: usize) -> Self {
        let newcomers = if ids_max == 0 { 0 } else { SHORT_ID_NEWCOMERS };
        Self {
            ids_max,
            ids: 0,
            entries: Vec::with_capacity(ids_max),
            sent_in: vec![0; ids_max],
            index: Index::new(ids_max),
            newcomers: vec![0; newcomers],
            newcomers_since: 0,
            wanted: vec![0; ids_max.div_ceil(64)],
            wanted_count: 0,
            outstanding: VecDeque::with_capacity(DEFINES_OUTSTANDING_MAX),
            next_number: 0,
            defines_left: 0,
            hand: 0,
            looks_in_vain: 0,
            full_until: 0,
            last_heard: 0,
            last: 0,
            guess: 0,
            refreshed: 0,
        }
    }

    /// A session began, whose node keeps so many short ids and knows none of them yet.
    pub(crate) fn handle_granted(&mut self, ids: u32, now_us: u64) {
        let now = tick(now_us);
        self.ids = self.ids_max.min(ids as usize);
        self.outstanding.clear();
        self.wanted.fill(0);
        self.wanted_count = 0;
        self.defines_left = DEFINES_PER_BURST_MAX;
        (self.hand, self.looks_in_vain, self.full_until) = (0, 0, 0);
        if self.entries.len() > self.ids {
            self.entries.truncate(self.ids);
            self.index.rebuild(&self.entries);
        }
        let last_heard = self.last_heard;
        for id in 0..self.entries.len() {
            let entry = &mut self.entries[id];
            if entry.state == State::Vacant {
                continue;
            }
            entry.state = State::Unknown;
            // In use when the link was lost: whoever was there a moment ago is there now.
            if last_heard.saturating_sub(entry.used) < IDLE_TICKS {
                self.want(id, now);
            }
        }
    }

    /// The session ended: full ids until the next one.
    pub(crate) fn handle_disconnected(&mut self) {
        self.ids = 0;
    }

    /// There are short ids in this session.
    #[inline]
    pub(crate) fn is_granted(&self) -> bool {
        self.ids > 0
    }

    /// [`Burst::handle_heard`], whatever is known of the client.
    fn handle_any(&mut self, client: ClientId, now: u32) -> Option<u32> {
        if self.ids == 0 {
            return None;
        }
        let Some(id) = self.find(client) else {
            self.handle_newcomer(hash(client), client, now);
            return None;
        };
        let entry = &mut self.entries[id];
        if entry.is_in_use(now) {
            entry.used = now;
            return Some(id as u32);
        }
        self.handle_unready(id, now);
        None
    }

    /// The entry of a client.
    ///
    /// Many sources name clients in the same order each time, as drivers list their stations: who
    /// followed the last one before is a good guess, and costs no look-up.
    fn find(&mut self, client: ClientId) -> Option<usize> {
        let guess = self.entries.get(self.guess);
        let id = if guess.is_some_and(|entry| entry.is_of(client)) {
            self.guess
        } else {
            let id = self.index.find(hash(client), client, &self.entries)?;
            if let Some(last) = self.entries.get_mut(self.last) {
                last.set_follower(id);
            }
            id
        };
        self.last = id;
        self.guess = self.entries.get(id)?.follower();
        Some(id)
    }

    /// A burst is about to be dealt: definitions may leave with it.
    pub(crate) fn handle_burst(&mut self, now: u32) -> Burst<'_> {
        if self.ids > 0 {
            self.defines_left = DEFINES_PER_BURST_MAX;
            self.last_heard = now;
            if now.saturating_sub(self.refreshed) >= REFRESH_TICKS {
                self.refresh(now);
            }
        }
        let in_use_now = match self.ids {
            0 => u64::MAX,
            _ => u64::from(now) | (State::Ready as u64) << u32::BITS,
        };
        Burst {
            last: self.last,
            guess: self.guess,
            now,
            in_use_now,
            short_ids: self,
        }
    }

    /// Those in use are to be defined again; they stay in use meanwhile.
    #[cold]
    fn refresh(&mut self, now: u32) {
        self.refreshed = now;
        for id in 0..self.entries.len() {
            let entry = &self.entries[id];
            if entry.is_in_use(now) {
                self.set_wanted(id);
            }
        }
    }

    /// The node has acknowledged definitions. What we did not ask for is ignored.
    pub(crate) fn handle_defined(&mut self, defined: &Defined) {
        let asked = |o: &Outstanding| o.first == defined.first;
        let Some(position) = self.outstanding.iter().position(asked) else {
            return;
        };
        // The node answers in order: frames before this one were refused.
        for _ in 0..position {
            self.handle_refused();
        }
        let Some(answered) = self.outstanding.pop_front() else {
            return;
        };
        let first = answered.first as usize;
        let count = defined.count.min(answered.count) as usize;
        let known = self.entries.iter_mut().zip(&self.sent_in);
        for (entry, sent_in) in known.skip(first).take(count) {
            if entry.state == State::Sent && *sent_in == answered.number {
                entry.state = State::Ready;
            }
        }
    }

    /// The next definitions to send: a few frames with each burst.
    pub(crate) fn poll_define(&mut self, now_us: u64) -> Option<Define> {
        if self.wanted_count == 0 || self.defines_left == 0 || self.ids == 0 {
            return None;
        }
        let now = tick(now_us);
        // No answer for so long means refused; its clients are asked for anew from now on.
        let is_refused = |o: &Outstanding| now.saturating_sub(o.sent) >= IDLE_TICKS;
        while self.outstanding.front().is_some_and(is_refused) {
            self.handle_refused();
        }
        if self.outstanding.len() == DEFINES_OUTSTANDING_MAX {
            return None;
        }
        let first = self.next_wanted()?;
        let end = self.end_of_run(first);
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        self.defines_left -= 1;
        let mut clients = Vec::with_capacity(end - first);
        for id in first..end {
            self.unwant(id);
            let entry = &mut self.entries[id];
            clients.push(entry.client);
            // Saying again what the node has acknowledged changes nothing.
            if entry.state != State::Ready {
                entry.state = State::Sent;
                entry.used = now;
                self.sent_in[id] = number;
            }
        }
        self.outstanding.push_back(Outstanding {
            number,
            first: first as u32,
            count: clients.len() as u32,
            sent: now,
        });
        Some(Define {
            first: first as u32,
            clients,
        })
    }

    /// The node did not take the oldest frame: what it said again does not hold any more either.
    fn handle_refused(&mut self) {
        let Some(refused) = self.outstanding.pop_front() else {
            return;
        };
        let ids = self.entries.iter_mut().skip(refused.first as usize);
        for entry in ids.take(refused.count as usize) {
            if entry.state == State::Ready {
                entry.state = State::Unknown;
            }
        }
    }

    /// Definitions wait that may leave now.
    pub(crate) fn has_defines(&self) -> bool {
        self.wanted_count > 0 && self.defines_left > 0 && self.ids > 0
    }

    /// The client of an entry that cannot be used was heard.
    #[cold]
    fn handle_unready(&mut self, id: usize, now: u32) {
        let entry = &mut self.entries[id];
        let idle = now.saturating_sub(entry.used) >= IDLE_TICKS;
        match entry.state {
            State::Wanted => entry.used = now,
            State::Unknown => self.want(id, now),
            // Idle for too long, or refused: asked for again at the same pace.
            State::Ready | State::Sent if idle => self.want(id, now),
            State::Ready | State::Sent | State::Vacant => {}
        }
    }

    /// A client without a short id was heard.
    #[cold]
    fn handle_newcomer(&mut self, hash: u64, client: ClientId, now: u32) {
        if now.saturating_sub(self.newcomers_since) >= IDLE_TICKS {
            self.newcomers.fill(0);
            self.newcomers_since = now;
        }
        let place = hash as usize >> 8 & (SHORT_ID_NEWCOMERS - 1);
        let heard = &mut self.newcomers[place];
        *heard = heard.saturating_add(1);
        if *heard < HEARD_MIN {
            return;
        }
        let Some(id) = self.free_id(now) else {
            return;
        };
        let entry = Entry::new(client, now);
        if id == self.entries.len() {
            self.entries.push(entry);
            self.index.make_room(&self.entries);
        } else {
            self.entries[id] = entry;
        }
        if self.index.find(hash, client, &self.entries).is_some()
            || self.index.insert(hash, id as u32)
        {
            self.want(id, now);
        } else {
            self.entries[id].state = State::Vacant;
        }
    }

    /// A short id that stands for nobody any more.
    fn free_id(&mut self, now: u32) -> Option<usize> {
        if self.entries.len() < self.ids {
            return Some(self.entries.len());
        }
        if now < self.full_until {
            return None;
        }
        for _ in 0..SHORT_ID_SWEEP_MAX {
            let id = self.hand;
            self.hand = if id + 1 < self.ids { id + 1 } else { 0 };
            let Entry {
                client,
                used,
                state,
                ..
            } = self.entries[id];
            if state == State::Vacant || now.saturating_sub(used) >= REUSE_TICKS {
                if state != State::Vacant {
                    self.index.remove(hash(client), id as u32, &self.entries);
                    self.unwant(id);
                }
                self.looks_in_vain = 0;
                return Some(id);
            }
        }
        self.looks_in_vain += SHORT_ID_SWEEP_MAX;
        if self.looks_in_vain >= self.ids {
            self.looks_in_vain = 0;
            self.full_until = now + 1;
        }
        None
    }

    fn want(&mut self, id: usize, now: u32) {
        self.entries[id].state = State::Wanted;
        self.entries[id].used = now;
        self.set_wanted(id);
    }

    fn set_wanted(&mut self, id: usize) {
        let bit = 1 << (id % 64);
        self.wanted_count += usize::from(self.wanted[id / 64] & bit == 0);
        self.wanted[id / 64] |= bit;
    }

    fn unwant(&mut self, id: usize) {
        let bit = 1 << (id % 64);
        self.wanted_count -= usize::from(self.wanted[id / 64] & bit != 0);
        self.wanted[id / 64] &= !bit;
    }

    fn is_wanted(&self, id: usize) -> bool {
        self.wanted[id / 64] & 1 << (id % 64) != 0
    }

    /// The lowest id that is wanted.
    fn next_wanted(&self) -> Option<usize> {
        let word = self.wanted.iter().position(|word| *word != 0)?;
        Some(64 * word + self.wanted[word].trailing_zeros() as usize)
    }

    /// Where a frame ends that begins with `first`: a few that are not wanted cost less than a
    /// further frame.
    fn end_of_run(&self, first: usize) -> usize {
        let mut end = first + 1;
        let run = self.entries[first..].iter().take(DEFINE_CLIENTS_MAX);
        for (id, entry) in (first..).zip(run) {
            match entry.state {
                State::Vacant => break,
                _ if self.is_wanted(id) => end = id + 1,
                _ if id - end >= SHORT_ID_BRIDGE_MAX => break,
                _ => {}
            }
        }
        end
    }
}
