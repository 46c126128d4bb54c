//! The loop of a worker, where its links meet it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use link::{Engine, Event, LinkClosed, LinkId, Port};
use wire::Frame;
use wire::frame::Configure;

use crate::limits::{QUESTIONS_PER_TICK_MAX, STOP_TIMEOUT};
use crate::snapshot::Connection;
use crate::worker::Worker;

use super::commands::Phase;
use super::cpu::thread_cpu;
use super::guests::{Guest, Guests};
use super::{Door, TICK, snapshot_interval};

/// A worker, its port and its links.
pub(super) struct Hall {
    pub(super) port: Port,
    pub(super) worker: Worker,
    pub(super) door: Door,
    pub(super) guests: Guests,
    /// Links with datagrams to read.
    pub(super) unread: Vec<LinkId>,
    /// Datagrams on their way from the port to the worker.
    pub(super) reading: Vec<Bytes>,
    /// The time of the running round.
    pub(super) now: Instant,
    pub(super) now_us: u64,
    /// Changes of the commands that have been obeyed.
    obeyed: u64,
    /// Readers should hear of what happened in this round.
    pub(super) news: bool,
    /// Sessions that ended in this round.
    ended: usize,
    solve_cpu: Duration,
    deaf: bool,
}

impl Hall {
    pub(super) fn new(port: Port, worker: Worker, door: Door) -> Self {
        Self {
            port,
            worker,
            now: Instant::now(),
            now_us: door.shared.time.now_us(),
            door,
            guests: Guests::default(),
            unread: Vec::new(),
            reading: Vec::new(),
            obeyed: 0,
            news: false,
            ended: 0,
            solve_cpu: Duration::ZERO,
            deaf: false,
        }
    }

    /// Runs until the process says stop.
    pub(super) fn serve(mut self) {
        let mut next_tick = self.now;
        let mut next_snapshot = self.now;
        let mut more = false;
        while self.door.commands.phase() != Phase::Stopped {
            self.round(if more { self.now } else { next_tick });
            let due = self.now >= next_tick;
            if due {
                next_tick = (next_tick + TICK).max(self.now);
            }
            if due || more {
                more = self.tick();
            }
            if self.now >= next_snapshot {
                next_snapshot = self.now + snapshot_interval(self.worker.agents());
                self.publish();
            }
        }
        self.say_goodbye();
        self.publish();
    }

    /// Receives, handles what came, and answers.
    fn round(&mut self, until: Instant) {
        self.receive(until);
        while let Some(event) = self.port.engine().poll_event() {
            self.handle_event(event);
        }
        self.read_all();
        self.obey();
        self.pass_on_answers();
        self.send_off();
        if self.news {
            self.publish();
        }
        let ended = std::mem::take(&mut self.ended);
        if ended > 0 {
            // Who waits for the last to leave finds its books in the snapshot.
            let connected = &self.door.shared.connected;
            connected.fetch_sub(ended, Ordering::AcqRel);
        }
        // What the socket does not take stays in the port, and nothing else is ever said.
        let _ = self.port.transmit();
    }

    fn receive(&mut self, until: Instant) {
        match self.port.receive(until) {
            Ok(now) => {
                self.now = now;
                self.deaf = false;
            }
            Err(error) => {
                self.now = Instant::now();
                if !std::mem::replace(&mut self.deaf, true) {
                    let index = self.door.index;
                    tracing::error!("worker {index} receives nothing: {error}");
                }
                // The sweep goes on; the socket is tried again.
                std::thread::sleep(TICK);
            }
        }
        self.now_us = self.door.shared.time.at_us(self.now);
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Opened(id) => self.guests.arrive(id, self.now),
            Event::Refused(refused) => {
                self.door.shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("{refused}");
            }
            Event::Datagrams(id) => self.unread.push(id),
            Event::Control(id) => self.converse(id),
            Event::Enrolment(id) => self.enrol(id),
            // Frames to an agent are few: one that found no room has closed its link.
            Event::Room(_) => {}
            Event::Closed(id, closed) => self.see_off(id, &closed),
        }
    }

    /// Reads all that links have received in this round. It is not much: the port ends a round
    /// before it is, and what stays unread would count against the room for what comes next.
    fn read_all(&mut self) {
        let mut unread = std::mem::take(&mut self.unread);
        for id in unread.drain(..) {
            // What comes before the hello waits for it; what comes after a last word is nothing to us.
            if let Some(Guest::Talking(call)) = self.guests.of(id) {
                self.read(id, &call);
            }
        }
        self.unread = unread;
    }

    /// Does what the process has said since.
    fn obey(&mut self) {
        let changes = self.door.commands.changes();
        if changes == self.obeyed {
            return;
        }
        self.obeyed = changes;
        let drain = self.door.commands.phase() == Phase::Draining;
        let mut words = Vec::new();
        for (id, call) in self.guests.calls() {
            let site_key = self.door.commands.key(call.owner.site);
            if site_key.version != call.key_version {
                call.key_version = site_key.version;
                let pseudonym_key = site_key.key;
                words.push((id, Frame::Configure(Configure { pseudonym_key })));
            }
            if drain && !std::mem::replace(&mut call.told_to_leave, true) {
                words.push((id, Frame::Drain {}));
            }
        }
        for (id, word) in words {
            self.tell(id, &word);
        }
    }

    /// Says a word to an agent. One that lets too many wait is not worth waiting for.
    pub(super) fn tell(&mut self, id: LinkId, word: &Frame) {
        let engine = self.port.engine();
        if let Err(link::ControlError::NoRoom) = engine.write_frame(id, word) {
            engine.close(id, self.now, "the control stream is not read");
        }
    }

    /// Closes the links whose time to speak or to leave is over.
    fn send_off(&mut self) {
        while let Some(id) = self.guests.pop_silent(self.now) {
            let engine = self.port.engine();
            tracing::warn!("{} said no hello; closed", describe(engine, id));
            engine.close(id, self.now, "no hello on the control stream");
        }
        while let Some((id, reason)) = self.guests.pop_lingering(self.now) {
            self.port.engine().close(id, self.now, reason);
        }
    }

    /// A link has ended.
    fn see_off(&mut self, id: LinkId, closed: &LinkClosed) {
        if let Some(Guest::Talking(call)) = self.guests.of(id) {
            // Datagrams that arrived before the end count.
            self.read(id, &call);
            let engine = self.port.engine();
            let received = engine.stats(id).map_or(0, |stats| stats.datagrams_received);
            tracing::info!("{} left: {closed}", describe(engine, id));
            self.worker.handle_closed(call.key, received, self.now_us);
            self.news = true;
            self.ended += 1;
        }
        self.guests.leave(id);
        self.port.engine().forget(id);
    }

    /// Questions and what is due of the sweep; returns whether more is due at once.
    fn tick(&mut self) -> bool {
        let now_us = self.door.shared.time.now_us();
        for question in self.door.questions.try_iter().take(QUESTIONS_PER_TICK_MAX) {
            self.worker.handle_question(question, now_us);
        }
        let before = thread_cpu();
        let more = self.worker.handle_tick(now_us);
        self.solve_cpu += thread_cpu().saturating_sub(before);
        more
    }

    /// Closes all links and waits until their agents have most likely been told.
    fn say_goodbye(&mut self) {
        let until = Instant::now() + STOP_TIMEOUT;
        self.port
            .engine()
            .close_all(Instant::now(), "the node stops");
        let _ = self.port.transmit();
        while self.port.engine().connections() > 0 && self.now < until {
            self.round(until);
        }
    }

    fn publish(&mut self) {
        self.news = false;
        let mut snapshot = self.worker.snapshot();
        let engine = self.port.engine();
        for agent in &mut snapshot.agents {
            let link = agent.session.and_then(|key| self.guests.link(key));
            agent.connection = link.and_then(|id| {
                Some(Connection {
                    remote: engine.remote_address(id)?,
                    rtt: engine.stats(id)?.rtt,
                })
            });
        }
        snapshot.cpu = Some(thread_cpu());
        snapshot.solve_cpu = Some(self.solve_cpu);
        self.door.shared.publish(self.door.index, snapshot);
    }
}

/// Who is at the other end.
pub(super) fn describe(engine: &Engine, id: LinkId) -> String {
    let (Some(identity), Some(remote)) = (engine.identity(id), engine.remote_address(id)) else {
        return "an agent".to_owned();
    };
    format!(
        "agent {} of site {} at {remote}",
        identity.agent, identity.site
    )
}
