//! Sources, batcher and session of a running agent, and the clock that they share.

use std::net::SocketAddr;
use std::time::Duration;

use link::AgentCredentials;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::frame::{Clock, PseudonymKey};
use wire::{AccessPoint, Frame};

use super::asked::Asked;
use super::inbox::Desk;
use super::leave::Leaving;
use super::pace::Pace;
use super::wake::Wake;
use crate::batcher::Batcher;
use crate::intake::{Flow, Intake};
use crate::limits::{LOOK_INTERVAL_MAX, LOOK_INTERVAL_MIN, RENEWAL_LOOK};
use crate::renewal::{Outcome, Renewal};
use crate::session::AgentSession;
use crate::status::{AgentOutcome, AgentStatus, Ending};
use crate::system::alarm::Alarm;
use crate::system::own_use;
use crate::time_of_day::own_unix_s;

/// All of an agent but its link.
pub(super) struct Core {
    pub(super) batcher: Batcher,
    pub(super) session: AgentSession,
    pub(super) renewal: Option<Renewal>,
    /// What the renewal brought, until the next link.
    pub(super) renewed: Option<Box<AgentCredentials>>,
    renewal_look_us: u64,
    pub(super) intake: Intake,
    status: watch::Sender<AgentStatus>,
    started: Instant,
    look_interval_us: u64,
    looked_at_us: u64,
    pub(super) flow: Flow,
    leaving: bool,
    wake: Wake,
    pub(super) alarm: Alarm,
    pub(super) asked: Asked,
    pub(super) pace: Option<Pace>,
    /// The node that the link is or will be with.
    pub(super) node: String,
    /// Where that was found, while a session runs.
    pub(super) remote: Option<SocketAddr>,
}

impl Core {
    pub(super) fn new(
        intake: Intake,
        batcher: Batcher,
        session: AgentSession,
        status: watch::Sender<AgentStatus>,
        desk: Desk,
        hold: Duration,
    ) -> Self {
        let look_interval = (hold / 4).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX);
        Self {
            batcher,
            session,
            renewal: None,
            renewed: None,
            renewal_look_us: 0,
            intake,
            status,
            started: Instant::now(),
            look_interval_us: look_interval.as_micros() as u64,
            looked_at_us: 0,
            flow: Flow::Now,
            leaving: false,
            wake: Wake::default(),
            alarm: Alarm::default(),
            asked: Asked::new(desk),
            pace: None,
            node: String::new(),
            remote: None,
        }
    }

    /// The agent's monotonic clock.
    pub(super) fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// That time of the monotonic clock, for a timer.
    pub(super) fn instant(&self, at_us: u64) -> Instant {
        self.started + Duration::from_micros(at_us)
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    pub(super) fn handle_key(&mut self, key: &PseudonymKey) {
        self.intake.handle_key(key);
    }

    pub(super) fn handle_access_points(&mut self, told: &[AccessPoint]) {
        self.intake.handle_access_points(told);
    }

    /// Gathers observations for so long.
    pub(super) fn set_coalescing(&mut self, interval: Option<Duration>) {
        let interval_us = interval.map(|interval| interval.as_micros() as u64);
        self.intake.set_coalescing(interval_us, &mut self.batcher);
    }

    /// Takes no more than this share of a processor.
    pub(super) fn set_pace(&mut self, cpu_percent: Option<u8>) {
        self.pace = cpu_percent.map(Pace::new);
    }

    /// Until when the agent rests; `None` while it works. Who leaves has no time to rest.
    pub(super) fn resting_until_us(&self, now_us: u64) -> Option<u64> {
        let pace = self.pace.as_ref().filter(|_| !self.leaving)?;
        pace.resting_until_us(now_us)
    }

    /// Does what others ask for, then looks at the sources if it is time to.
    pub(super) fn fill(&mut self, now_us: u64) {
        self.handle_requests(now_us);
        if self.resting_until_us(now_us).is_some() {
            return;
        }
        if self
            .look_due_us(now_us)
            .is_some_and(|due_us| due_us <= now_us)
        {
            self.flow = self.intake.fill(now_us, &mut self.batcher);
            self.looked_at_us = now_us;
        }
        if let Some(pace) = &mut self.pace {
            pace.handle_turn(now_us, own_use::thread_cpu_us());
        }
    }

    /// Waits for the sources' descriptors; ask again after each [`Core::fill`].
    pub(super) fn wake(&mut self) -> Wake {
        self.wake.follow(self.intake.poller());
        self.wake.clone()
    }

    /// A source may have something to read: it is looked at as soon as the last look is long enough
    /// ago, so that a flood costs no more wake-ups than a trickle.
    pub(super) fn handle_wake(&mut self) {
        if self.intake.handle_wake() {
            self.flow = self.flow.min(Flow::At(0));
        }
    }

    /// When to look at the sources again; `None` when that is never, or depends on room.
    pub(super) fn look_due_us(&self, now_us: u64) -> Option<u64> {
        let due_us = self.awake_look_due_us(now_us)?;
        Some(due_us.max(self.resting_until_us(now_us).unwrap_or(0)))
    }

    fn awake_look_due_us(&self, now_us: u64) -> Option<u64> {
        match self.flow {
            Flow::Now => Some(now_us),
            Flow::At(at_us) => {
                let interval_us = self.look_interval_us();
                let due_us = at_us.max(self.looked_at_us + interval_us);
                Some(self.together(due_us, at_us, interval_us / 2))
            }
            Flow::WithRoom if self.batcher.room_soon() > 0 && self.session.session().is_some() => {
                Some(now_us)
            }
            Flow::WithRoom | Flow::Finished => None,
        }
    }

    fn look_interval_us(&self) -> u64 {
        let wait_max_us = self.intake.wait_max().as_micros() as u64;
        self.look_interval_us.min(wait_max_us)
    }

    /// A look that is due about when something leaves anyway is taken at that moment, but not before
    /// `from_us`: one wake-up serves both.
    fn together(&self, due_us: u64, from_us: u64, within_us: u64) -> u64 {
        let batch = self.batcher.poll_timeout();
        let batch = batch.filter(|_| self.intake.clock() == Clock::Monotonic);
        [batch, self.session.report_due_us()]
            .into_iter()
            .flatten()
            .filter(|&at_us| at_us >= from_us)
            .find(|at_us| at_us.abs_diff(due_us) < within_us)
            .unwrap_or(due_us)
    }

    /// Nothing will be heard any more.
    pub(super) fn is_finished(&self) -> bool {
        self.flow == Flow::Finished
    }

    /// The clock that stamps observations, as far as batches may be packed now.
    ///
    /// A recording may be read far ahead; it is packed deadline by deadline all the same.
    pub(super) fn packing_clock_us(&self, now_us: u64) -> u64 {
        let clock_us = self.intake.clock_us(now_us);
        match (self.intake.clock(), self.batcher.deadline_us()) {
            (Clock::Monotonic, _) | (_, None) => clock_us,
            (Clock::Recording, Some(deadline_us)) if self.leaving => deadline_us,
            (Clock::Recording, Some(deadline_us)) => clock_us.min(deadline_us),
        }
    }

    /// When a batch is due, on the agent's monotonic clock.
    pub(super) fn batch_due_us(&self, now_us: u64) -> Option<u64> {
        let due_us = self.batcher.poll_timeout()?;
        match self.intake.clock() {
            Clock::Monotonic => Some(due_us),
            // Due when the sources have come so far; reading them is what wakes us.
            Clock::Recording => (due_us <= self.packing_clock_us(now_us)).then_some(now_us),
        }
    }

    /// All that waits is to leave before its deadline, as far as it can.
    pub(super) fn flush(&mut self) {
        // In a recording, what was read ahead would leave as if it had been heard together.
        if self.intake.clock() == Clock::Monotonic {
            self.batcher.handle_flush();
        }
    }

    pub(super) fn begin_leaving(&mut self, leaving: Leaving) {
        self.leaving = true;
        if leaving == Leaving::ForGood || self.intake.clock() == Clock::Monotonic {
            self.intake.flush(&mut self.batcher);
        }
        self.flush();
    }

    pub(super) fn end_leaving(&mut self) {
        self.leaving = false;
    }

    /// Reads the sources while there is no connection. Returns when there is nothing left to hear
    /// and nothing left to tell the node.
    pub(super) async fn collect(&mut self) {
        loop {
            let now_us = self.now_us();
            self.fill(now_us);
            if self.is_finished() && !self.session.owes(&self.batcher) {
                return;
            }
            let wake = self.wake();
            let inbox = self.asked.inbox();
            let due_us = self.look_due_us(now_us);
            let due = due_us.filter(|&due_us| due_us > now_us);
            let due = due.map(|due_us| self.instant(due_us));
            let alarm = self.alarm.clone();
            let look = async move {
                match (due_us, due) {
                    (None, _) => std::future::pending().await,
                    (Some(_), None) => tokio::task::yield_now().await,
                    (Some(_), Some(due)) => alarm.wait_until(due).await,
                }
            };
            tokio::select! {
                biased;
                () = wake.ready() => self.handle_wake(),
                () = inbox.rung() => {}
                () = look => {}
            }
        }
    }

    pub(super) fn handle_frame(&mut self, frame: Frame) {
        let now_us = self.now_us();
        let clock_us = self.packing_clock_us(now_us);
        if let Some(renewal) = &mut self.renewal {
            let outcome = match &frame {
                Frame::Welcome(welcome) => {
                    renewal.handle_time(welcome.time_unix_s, now_us);
                    self.renewal_look_us = 0;
                    None
                }
                Frame::Renewed { certificate } => Some(renewal.handle_renewed(certificate)),
                Frame::NotRenewed { reason } => {
                    Some(renewal.handle_not_renewed(reason, now_us, own_unix_s()))
                }
                _ => None,
            };
            match outcome {
                Some(Outcome::Renewed(credentials)) => {
                    tracing::info!("the certificate was renewed; it counts from the next link on");
                    self.renewed = Some(credentials);
                }
                Some(Outcome::Kept(why)) => tracing::warn!("certificate not renewed: {why}"),
                None => {}
            }
        }
        self.session
            .handle_frame(frame, &mut self.batcher, now_us, clock_us);
    }

    /// A request for the next certificate, if it is time for one and a session runs.
    pub(super) fn renewal_request(&mut self, now_us: u64) -> Option<Frame> {
        let renewal = self.renewal.as_mut()?;
        if now_us < self.renewal_look_us || self.session.session().is_none() {
            return None;
        }
        self.renewal_look_us = now_us + RENEWAL_LOOK.as_micros() as u64;
        renewal.poll_request(now_us, own_unix_s())
    }

    /// The final report of the session, if there is one.
    pub(super) fn leave_session(&mut self, datagrams_sent: u64, leaving: Leaving) -> Option<Frame> {
        let now_us = self.now_us();
        let clock_us = self.intake.clock_us(now_us);
        if leaving == Leaving::ForGood {
            self.intake.close_counted(now_us);
        }
        self.session.handle_counted(self.intake.counted(now_us));
        self.session
            .leave(&mut self.batcher, datagrams_sent, clock_us)
    }

    pub(super) fn handle_link_lost(&mut self, datagrams_sent: u64) {
        self.session
            .handle_link_lost(&mut self.batcher, datagrams_sent);
        self.remote = None;
        if let Some(renewal) = &mut self.renewal {
            renewal.handle_link_lost();
        }
        self.publish();
    }

    /// A report is about to be made.
    pub(super) fn prepare_report(&mut self, now_us: u64) {
        self.session.handle_counted(self.intake.counted(now_us));
    }

    /// Tells those who follow this agent.
    pub(super) fn publish(&self) {
        self.status.send_replace(AgentStatus {
            session: self.session.session(),
            sessions: self.session.sessions(),
            counters: self.session.total(&self.batcher),
        });
    }

    pub(super) fn into_outcome(mut self, ending: Ending) -> AgentOutcome {
        let settled = !self.session.owes(&self.batcher);
        self.batcher.handle_give_up();
        self.publish();
        AgentOutcome {
            ending,
            settled,
            sessions: self.session.sessions(),
            counters: self.session.total(&self.batcher),
            privacy: self.intake.privacy(),
            sources: self.intake.health(),
            source_errors: self.intake.take_errors(),
        }
    }
}
