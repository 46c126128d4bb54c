//! A thread that carries many agents on one socket.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use link::{Event, Knobs, LinkClosed, LinkId, Port};

use super::crew::{Phase, Progress, Shared};
use super::member::{Member, Next};
use crate::limits::{DIALLING_MAX, FAREWELL_MAX, LOOK_INTERVAL, REDIAL_INTERVAL};

/// The name in certificates of nodes that a run makes.
const NODE_NAME: &str = "localhost";

/// Bursts by which a member may be ahead of the slowest before it hears one more: what a client
/// transmits is heard by all around it at the same time, and leaves each of them with a burst.
const LEAD_BURSTS: f64 = 0.5;

/// How long members wait for room at most until the transport is asked again.
const ROOM_INTERVAL: Duration = Duration::from_micros(500);

/// Members, their links and the socket below.
pub(super) struct Carrier {
    port: Port,
    knobs: Knobs,
    seats: Vec<Seat>,
    by_link: HashMap<LinkId, usize>,
    to_dial: VecDeque<usize>,
    /// Members that have more to do at once.
    ready: Vec<usize>,
    /// Members that wait for room.
    crowded: Vec<usize>,
    /// Members that wait for slower ones, and how far the slowest has come, in rounds.
    ahead: Vec<usize>,
    slowest_rounds: f64,
    /// When members are due; one that was moved since is passed over.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    base: Instant,
    now: Instant,
    told: Instant,
    phase: Phase,
    shared: Arc<Shared>,
}

/// A member's place.
struct Seat {
    member: Member,
    node: SocketAddr,
    link: Option<LinkId>,
    /// The one timer of this member that counts.
    due_us: u64,
    is_ready: bool,
    is_crowded: bool,
    is_done: bool,
}

impl Carrier {
    /// Carries these members to the node.
    pub(super) fn new(
        members: Vec<Member>,
        node: SocketAddr,
        base: Instant,
        shared: Arc<Shared>,
    ) -> anyhow::Result<Self> {
        let knobs = Knobs::default();
        let port = Port::bind_agents((Ipv4Addr::UNSPECIFIED, 0).into(), &knobs)?;
        let seat = |member| Seat {
            member,
            node,
            link: None,
            due_us: u64::MAX,
            is_ready: false,
            is_crowded: false,
            is_done: false,
        };
        Ok(Self {
            port,
            knobs,
            to_dial: (0..members.len()).collect(),
            seats: members.into_iter().map(seat).collect(),
            by_link: HashMap::new(),
            ready: Vec::new(),
            crowded: Vec::new(),
            ahead: Vec::new(),
            slowest_rounds: 0.0,
            timers: BinaryHeap::new(),
            base,
            now: base,
            told: base,
            phase: Phase::Connect,
            shared,
        })
    }

    /// Runs until all members have left, or everything is to stop; returns how many observations
    /// they offered.
    pub(super) fn run(mut self) -> anyhow::Result<u64> {
        while !self.is_over() {
            let until = self.until();
            self.now = self.port.receive(until).context("a socket broke")?;
            self.follow_phase();
            self.dial()?;
            self.handle_events()?;
            self.take_turns()?;
            self.port.transmit().context("a socket broke")?;
            self.tell();
        }
        self.say_farewell()?;
        Ok(self.offered())
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Stop || self.seats.iter().all(|seat| seat.is_done)
    }

    /// When to look again although nothing comes.
    fn until(&self) -> Instant {
        if !self.ready.is_empty() {
            return self.now;
        }
        let wait = match self.crowded.is_empty() && self.ahead.is_empty() {
            true => LOOK_INTERVAL,
            false => ROOM_INTERVAL,
        };
        let look = self.now + wait;
        match self.timers.peek() {
            Some(Reverse((due_us, _))) => look.min(self.base + Duration::from_micros(*due_us)),
            None => look,
        }
    }

    fn now_us(&self) -> u64 {
        as_us(self.now, self.base)
    }

    fn follow_phase(&mut self) {
        let phase = self.shared.phase();
        if phase == self.phase {
            return;
        }
        self.phase = phase;
        let now_us = self.now_us();
        for index in 0..self.seats.len() {
            let member = &mut self.seats[index].member;
            match phase {
                Phase::Hear => member.begin(now_us),
                Phase::Leave => member.leave(now_us),
                Phase::Connect | Phase::Stop => {}
            }
            self.make_ready(index);
        }
    }

    /// Begins handshakes, a few at a time.
    fn dial(&mut self) -> anyhow::Result<()> {
        let dialling = |seat: &Seat| seat.link.is_some() && !seat.member.is_connected();
        if self.to_dial.is_empty() {
            return Ok(());
        }
        let mut open = self.seats.iter().filter(|seat| dialling(seat)).count();
        while open < DIALLING_MAX {
            let Some(index) = self.to_dial.pop_front() else {
                break;
            };
            let seat = &mut self.seats[index];
            let (now, credentials) = (self.now, seat.member.credentials());
            let engine = self.port.engine();
            let link = engine.connect(now, seat.node, NODE_NAME, credentials, &self.knobs)?;
            seat.link = Some(link);
            self.by_link.insert(link, index);
            open += 1;
        }
        Ok(())
    }

    fn handle_events(&mut self) -> anyhow::Result<()> {
        let now_us = self.now_us();
        while let Some(event) = self.port.engine().poll_event() {
            let of = |link| self.by_link.get(link).copied();
            match &event {
                Event::Opened(link) => {
                    if let Some(index) = of(link) {
                        let member = &mut self.seats[index].member;
                        member.handle_linked(self.port.engine(), *link);
                        self.make_ready(index);
                    }
                }
                Event::Control(link) => {
                    if let Some(index) = of(link) {
                        let Seat { member, .. } = &mut self.seats[index];
                        let read = member.handle_control(self.port.engine(), *link, now_us);
                        read.with_context(|| format!("agent {}", member.name()))?;
                        self.make_ready(index);
                    }
                }
                Event::Room(link) => {
                    if let Some(index) = of(link) {
                        self.make_ready(index);
                    }
                }
                Event::Closed(link, why) => self.handle_closed(*link, why)?,
                Event::Datagrams(_) | Event::Refused(_) | Event::Enrolment(_) => {}
            }
        }
        Ok(())
    }

    fn handle_closed(&mut self, link: LinkId, why: &LinkClosed) -> anyhow::Result<()> {
        let Some(index) = self.by_link.remove(&link) else {
            // Closed by us.
            self.port.engine().forget(link);
            return Ok(());
        };
        let seat = &mut self.seats[index];
        let was_connected = seat.member.is_connected() || self.phase != Phase::Connect;
        seat.member.handle_link_lost(self.port.engine(), link);
        seat.link = None;
        self.port.engine().forget(link);
        if was_connected {
            bail!("agent {} lost the node: {why}", seat.member.name());
        }
        // A node that is asked by many at once may not hear everybody.
        self.shared
            .note_trouble(format!("agent {}: {why}", seat.member.name()));
        let due = self.now + REDIAL_INTERVAL;
        self.schedule(index, as_us(due, self.base));
        Ok(())
    }

    /// Gives every member a turn that has something to do.
    fn take_turns(&mut self) -> anyhow::Result<()> {
        self.take_due();
        self.take_uncrowded();
        self.take_caught_up();
        let mut ready = std::mem::take(&mut self.ready);
        for index in ready.drain(..) {
            self.take_turn(index)?;
        }
        // What became ready meanwhile has its turn after the next packets.
        ready.append(&mut self.ready);
        self.ready = ready;
        Ok(())
    }

    fn take_due(&mut self) {
        let now_us = self.now_us();
        while let Some(&Reverse((due_us, index))) = self.timers.peek() {
            if due_us > now_us {
                return;
            }
            self.timers.pop();
            if self.seats[index].due_us == due_us {
                self.seats[index].due_us = u64::MAX;
                self.make_ready(index);
            }
        }
    }

    /// Members go on once half of their send buffer is free: datagrams leave in trains.
    fn take_uncrowded(&mut self) {
        let engine = self.port.engine();
        let (seats, ready) = (&mut self.seats, &mut self.ready);
        self.crowded.retain(|&index| {
            let seat = &mut seats[index];
            let room = seat.link.map_or(0, |link| engine.datagram_room(link));
            let has_room = room >= seat.member.room_max() / 2;
            seat.is_crowded = !has_room;
            if has_room && !seat.is_ready {
                seat.is_ready = true;
                ready.push(index);
            }
            !has_room
        });
    }

    /// Members go on once the slowest has followed.
    fn take_caught_up(&mut self) {
        let members = self.seats.iter().map(|seat| &seat.member);
        let slowest = members.filter_map(Member::round).min_by(f64::total_cmp);
        self.slowest_rounds = slowest.unwrap_or(f64::INFINITY);
        for index in std::mem::take(&mut self.ahead) {
            self.make_ready(index);
        }
    }

    fn take_turn(&mut self, index: usize) -> anyhow::Result<()> {
        let seat = &mut self.seats[index];
        let lead_rounds = LEAD_BURSTS * seat.member.rounds_per_burst();
        let is_ahead = |rounds| rounds > self.slowest_rounds + lead_rounds;
        let is_ahead = seat.member.round().is_some_and(is_ahead);
        let hearing = self.phase == Phase::Hear && !is_ahead;
        seat.is_ready = false;
        if seat.is_done {
            return Ok(());
        }
        let Some(link) = seat.link else {
            if !self.to_dial.contains(&index) {
                self.to_dial.push_back(index);
            }
            return Ok(());
        };
        // One look at the clock for a burst: what is heard in it has this time.
        let now_us = as_us(Instant::now(), self.base);
        let engine = self.port.engine();
        let next = seat.member.turn(engine, link, now_us, hearing);
        if is_ahead {
            self.ahead.push(index);
        }
        match next.with_context(|| format!("agent {}", seat.member.name()))? {
            Next::Turn => self.make_ready(index),
            Next::Room(until_us) => {
                if !std::mem::replace(&mut seat.is_crowded, true) {
                    self.crowded.push(index);
                }
                self.schedule(index, until_us);
            }
            Next::At(due_us) => self.schedule(index, due_us),
            Next::GoTo(node) => {
                seat.node = node;
                self.hang_up(index, "redirected");
                self.to_dial.push_back(index);
            }
            Next::Nothing => {
                seat.is_done = true;
                self.hang_up(index, "leaving");
            }
        }
        Ok(())
    }

    fn hang_up(&mut self, index: usize, why: &str) {
        let seat = &mut self.seats[index];
        if let Some(link) = seat.link.take() {
            self.by_link.remove(&link);
            seat.member.handle_link_lost(self.port.engine(), link);
            self.port.engine().close(link, self.now, why);
        }
    }

    fn make_ready(&mut self, index: usize) {
        if !std::mem::replace(&mut self.seats[index].is_ready, true) {
            self.ready.push(index);
        }
    }

    fn schedule(&mut self, index: usize, due_us: u64) {
        let seat = &mut self.seats[index];
        if seat.due_us != due_us {
            seat.due_us = due_us;
            if due_us != u64::MAX {
                self.timers.push(Reverse((due_us, index)));
            }
        }
    }

    /// Tells the run how far this thread is, a few times a second.
    fn tell(&mut self) {
        if self.now.saturating_duration_since(self.told) < LOOK_INTERVAL / 2 {
            return;
        }
        self.told = self.now;
        let members = || self.seats.iter().map(|seat| &seat.member);
        self.shared.tell(Progress {
            connected: members().filter(|member| member.is_connected()).count(),
            rounds: members().map(Member::rounds).min().unwrap_or(0),
            defining: members().filter(|member| member.is_defining()).count(),
            offered: self.offered(),
        });
    }

    fn offered(&self) -> u64 {
        self.seats.iter().map(|seat| seat.member.offered()).sum()
    }

    /// Closes what is open, and stays until the node has most likely been told.
    fn say_farewell(&mut self) -> anyhow::Result<()> {
        for index in 0..self.seats.len() {
            self.hang_up(index, "leaving");
        }
        let until = self.now + FAREWELL_MAX;
        while self.port.engine().connections() > 0 && self.now < until {
            self.port.transmit().context("a socket broke")?;
            self.now = self.port.receive(until).context("a socket broke")?;
            while self.port.engine().poll_event().is_some() {}
        }
        Ok(())
    }
}

fn as_us(at: Instant, base: Instant) -> u64 {
    at.saturating_duration_since(base).as_micros() as u64
}
