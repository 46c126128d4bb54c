//! One agent of the crew: hears, batches, reports, and hands over what its link has room for.
//!
//! What decides is the agents' own [`AgentSession`] and [`Batcher`]; a member is to them what the
//! agent's shell is, without a task of its own, and with a [`Hearer`] where that has its sources.

mod leave;

use std::collections::VecDeque;
use std::net::SocketAddr;

use agent::batcher::{Batcher, BatcherLimits};
use agent::limits::DATAGRAM_BYTES_MAX;
use agent::session::{AgentSession, Order};
use bytes::Bytes;
use link::{AgentCredentials, ControlError, Engine, LinkId};
use wire::Frame;
use wire::frame::{Clock, RadioHello};

use super::hearer::Hearer;
use super::pace::{Pace, Timetable};
use crate::cli::HearingOrder;
use leave::Leaving;

/// Definitions of short ids that wait for room on the control stream; the others stay with the
/// batcher, which knows which are still wanted.
const DEFINES_WAITING_MAX: usize = 2;

/// What a member is made from.
#[derive(Debug)]
pub(super) struct MemberPlan {
    /// Its name, for errors.
    pub(super) name: String,
    /// Its certificate.
    pub(super) credentials: AgentCredentials,
    /// Its one radio.
    pub(super) radio: RadioHello,
    /// What it hears.
    pub(super) hearer: Hearer,
    /// In which order.
    pub(super) order: HearingOrder,
    /// How often.
    pub(super) pace: Pace,
    /// Part of a hold or burst that passes before its first observation, in [0, 1).
    pub(super) phase: f64,
    /// How it batches.
    pub(super) limits: BatcherLimits,
}

/// An agent on its link.
#[derive(Debug)]
pub(super) struct Member {
    plan: MemberPlan,
    batcher: Batcher,
    session: AgentSession,
    timetable: Option<Timetable>,
    /// Frames that wait for room on the control stream.
    frames: VecDeque<Frame>,
    datagram: Vec<u8>,
    room_max: usize,
    leaving: Option<Leaving>,
}

/// What a member needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A turn as soon as possible.
    Turn,
    /// Room in the transport; then, or at that time, a turn.
    Room(u64),
    /// A turn at that time of its clock, or when a frame comes.
    At(u64),
    /// Another link: the node sends it there.
    GoTo(SocketAddr),
    /// Nothing: all is sent and booked, its link may close.
    Nothing,
}

/// Why a member cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum MemberError {
    #[error("refused by the node: {0}")]
    Refused(String),
    #[error("the node stops")]
    Drained,
    #[error("the node redirects to {0:?}, which is no address")]
    Redirect(String),
    #[error("control stream")]
    Control(#[from] ControlError),
    #[error("the node did not confirm the final report in time")]
    NotSettled,
}

impl Member {
    pub(super) fn new(plan: MemberPlan) -> Self {
        let program = concat!("trilobite-load ", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            batcher: Batcher::new(plan.limits),
            session: AgentSession::new(program, vec![plan.radio.clone()], Clock::Monotonic),
            timetable: None,
            frames: VecDeque::new(),
            datagram: Vec::with_capacity(DATAGRAM_BYTES_MAX),
            room_max: 0,
            leaving: None,
            plan,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.plan.name
    }

    pub(super) fn credentials(&self) -> &AgentCredentials {
        &self.plan.credentials
    }

    pub(super) fn is_connected(&self) -> bool {
        self.session.session().is_some()
    }

    /// Whether there are clients whose short ids the node has not been told.
    pub(super) fn is_defining(&self) -> bool {
        self.batcher.has_define()
    }

    /// How often everybody has been heard.
    pub(super) fn rounds(&self) -> u64 {
        self.plan.hearer.rounds()
    }

    /// How often it has heard everybody, parts of a round included, if it hears as fast as it can and
    /// what the others hear.
    pub(super) fn round(&self) -> Option<f64> {
        let hears_all =
            self.plan.pace == Pace::WithRoom && self.plan.order == HearingOrder::Together;
        (hears_all && !self.plan.hearer.is_deaf()).then(|| self.plan.hearer.round())
    }

    /// Part of a round that fills a burst; one at most, though who hears few needs several.
    pub(super) fn rounds_per_burst(&self) -> f64 {
        (self.burst_observations() as f64 / self.plan.hearer.links().max(1) as f64).min(1.0)
    }

    /// Observations that it has made so far.
    pub(super) fn offered(&self) -> u64 {
        self.session.total(&self.batcher).observations_offered
    }

    /// The transport's room for datagrams when it holds none.
    pub(super) fn room_max(&self) -> usize {
        self.room_max
    }

    /// A link stands: greets.
    pub(super) fn handle_linked(&mut self, engine: &mut Engine, link: LinkId) {
        self.room_max = engine.datagram_room(link);
        let hello = self.session.handle_linked(&mut self.batcher);
        self.frames.clear();
        self.frames.push_back(hello);
    }

    /// Its link is gone.
    pub(super) fn handle_link_lost(&mut self, engine: &Engine, link: LinkId) {
        let sent = datagrams_sent(engine, link);
        self.session.handle_link_lost(&mut self.batcher, sent);
    }

    /// Frames may have come.
    pub(super) fn handle_control(
        &mut self,
        engine: &mut Engine,
        link: LinkId,
        now_us: u64,
    ) -> Result<(), MemberError> {
        while let Some(frame) = engine.read_frame(link)? {
            let batcher = &mut self.batcher;
            self.session.handle_frame(frame, batcher, now_us, now_us);
        }
        Ok(())
    }

    /// Begins to hear.
    pub(super) fn begin(&mut self, now_us: u64) {
        let burst = self.burst_observations() as f64;
        let hold_us = self.plan.limits.hold.as_micros() as f64;
        self.timetable = match self.plan.pace {
            Pace::WithRoom => None,
            Pace::Bursts(rate) => {
                let burst_us = 1e6 * burst / rate;
                Some(Timetable::new(rate, now_us, self.plan.phase, burst_us))
            }
            Pace::Steady(rate) => Some(Timetable::new(rate, now_us, self.plan.phase, hold_us)),
        };
    }

    /// Hears and hands over what is due, and reports if that is due.
    pub(super) fn turn(
        &mut self,
        engine: &mut Engine,
        link: LinkId,
        now_us: u64,
        hearing: bool,
    ) -> Result<Next, MemberError> {
        if let Some(next) = self.obey()? {
            return Ok(next);
        }
        self.write_frames(engine, link)?;
        if !self.is_connected() && self.leaving.is_none() {
            return Ok(Next::At(u64::MAX));
        }
        if self.session.awaits_sign_of_life() {
            let received = engine.stats(link).map_or(0, |stats| stats.bytes_received);
            self.session.handle_received(received);
        }
        let hears = hearing && !self.plan.hearer.is_deaf();
        if hears {
            self.hear(now_us);
        }
        let report_due = self.session.is_report_due(now_us, now_us);
        if report_due {
            // As an agent does: the report then shows nothing that waits.
            self.batcher.handle_flush();
        }
        let all_due = self.hand_over(engine, link, now_us);
        self.define(now_us);
        if report_due {
            let report = self.session.report(&self.batcher, now_us, now_us);
            self.frames.extend(report);
        }
        self.write_frames(engine, link)?;
        if self.leaving.is_some() {
            return self.go_on_leaving(engine, link, now_us);
        }
        Ok(self.next(all_due, hearing))
    }

    /// What the node asked for.
    fn obey(&mut self) -> Result<Option<Next>, MemberError> {
        while let Some(order) = self.session.poll_order() {
            match order {
                // Pseudonyms are made up here, and the session is looked at by itself.
                Order::UseKey(_) | Order::Begin(_) => {}
                Order::GoTo(address) => return Ok(Some(Next::GoTo(parsed(&address)?))),
                Order::Close => return Ok(Some(Next::Nothing)),
                Order::Refused(why) => return Err(MemberError::Refused(why)),
                // It hears no access points.
                Order::KnowAccessPoints(_) => {}
                Order::Leave => return Err(MemberError::Drained),
            }
        }
        Ok(None)
    }

    /// Makes the observations that are due; whether there were any.
    fn hear(&mut self, now_us: u64) -> bool {
        let (hearer, batcher) = (&mut self.plan.hearer, &mut self.batcher);
        let heard = hearer.heard();
        match (self.plan.pace, &mut self.timetable) {
            (Pace::WithRoom, _) => {
                let mut wanted = batcher
                    .burst_observations()
                    .saturating_sub(batcher.waiting());
                while wanted > 0 && !hearer.is_deaf() {
                    let heard = hearer.hear_next(wanted, now_us);
                    wanted -= heard.len();
                    batcher.handle_observations(heard);
                }
            }
            (Pace::Bursts(_), Some(timetable)) => {
                let burst = batcher.burst_observations() as u64;
                while timetable.due(now_us) >= burst {
                    for _ in 0..burst {
                        batcher.handle_observation(hearer.hear(timetable.make()));
                    }
                }
            }
            (Pace::Steady(_), Some(timetable)) => {
                for _ in 0..timetable.due(now_us) {
                    batcher.handle_observation(hearer.hear(timetable.make()));
                }
            }
            (Pace::Bursts(_) | Pace::Steady(_), None) => {}
        }
        hearer.heard() > heard
    }

    /// Hands due batches to the transport; whether it had room for all.
    fn hand_over(&mut self, engine: &mut Engine, link: LinkId, now_us: u64) -> bool {
        let bytes_max = engine.datagram_bytes_max(link);
        self.batcher.handle_datagram_bytes_max(bytes_max);
        while engine.datagram_room(link) >= DATAGRAM_BYTES_MAX {
            let Some(rows) = self.batcher.poll_batch(now_us, &mut self.datagram) else {
                return true;
            };
            self.session.handle_handed_over(rows);
            let datagram = Bytes::copy_from_slice(&self.datagram);
            if let Err(error) = engine.send_datagram(link, datagram) {
                // It counts as handed over and was not sent: the books show it as unsent.
                tracing::debug!("datagram not taken: {error}");
            }
        }
        false
    }

    /// Tells the node what short ids stand for.
    fn define(&mut self, now_us: u64) {
        while self.frames.len() < DEFINES_WAITING_MAX {
            let Some(define) = self.batcher.poll_define(now_us) else {
                return;
            };
            self.frames.push_back(Frame::Define(define));
        }
    }

    fn write_frames(&mut self, engine: &mut Engine, link: LinkId) -> Result<(), MemberError> {
        while let Some(frame) = self.frames.front() {
            match engine.write_frame(link, frame) {
                Ok(()) => self.frames.pop_front(),
                // The transport tells when it has some.
                Err(ControlError::NoRoom) => break,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }

    fn next(&self, all_due: bool, hearing: bool) -> Next {
        let report_us = self.session.report_due_us().unwrap_or(u64::MAX);
        if !all_due {
            return Next::Room(report_us);
        }
        let batch_us = self.batcher.poll_timeout().unwrap_or(u64::MAX);
        let hear_us = match (self.plan.pace, &self.timetable) {
            (Pace::WithRoom, _) if hearing && !self.plan.hearer.is_deaf() => return Next::Turn,
            (Pace::Bursts(_), Some(table)) => table.due_us(self.burst_observations() as u64 - 1),
            (Pace::Steady(_), Some(table)) => {
                // The first to come leaves after its hold, or with the one that fills the burst.
                let full_us = table.due_us(self.burst_observations() as u64 - 1);
                let hold_us = self.plan.limits.hold.as_micros() as u64;
                full_us.min(table.due_us(0) + hold_us)
            }
            _ => u64::MAX,
        };
        Next::At(report_us.min(batch_us).min(hear_us))
    }

    fn burst_observations(&self) -> usize {
        self.batcher.burst_observations()
    }
}

fn datagrams_sent(engine: &Engine, link: LinkId) -> u64 {
    engine.stats(link).map_or(0, |stats| stats.datagrams_sent)
}

/// The port that a redirect names; nodes of ours are all on this machine.
fn parsed(address: &str) -> Result<SocketAddr, MemberError> {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .ok_or_else(|| MemberError::Redirect(address.to_owned()))
}
