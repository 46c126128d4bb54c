//! One side of the control stream, without IO: greeting, reports, leaving, and the books of sessions.
//!
//! **Every observation stands in the counters of exactly one session.** An account is opened when
//! the agent says `hello` and closed when it says `hello` again:
//! - What is offered and dropped before the first session counts in the first session.
//! - What is offered and dropped after a link is lost, until the next `hello`, counts in the session
//!   that ended; `hello` tells it as [`SessionEnd::ended`].
//! - What still waits when a session ends is sent in a later one and counts there. So `ended` may
//!   have fewer observations offered than `reported`, by at most those that waited then.
//! - When a `hello` is not answered by `welcome`, the next one repeats it with larger numbers: it is
//!   cumulative, and booking it twice changes nothing.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use wire::batch::BATCH_VERSION;
use wire::frame::{Clock, Counted, Counters, Hello, PseudonymKey, RadioHello, Report, SessionEnd};
use wire::limits::DEFINE_CLIENTS_MAX;
use wire::{AccessPoint, ClientId, ClientName, Frame, Session};

use crate::batcher::Batcher;
use crate::counters;
use crate::handed_over::{HandedOver, Unsent};
use crate::limits::{NAMES_PER_FRAME_MAX, REPORT_INTERVAL_MIN};

/// What the shell has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Use this key for pseudonyms from now on, and forget the one before.
    UseKey(PseudonymKey),
    /// These are the site's access points that may be heard; those told before are forgotten.
    KnowAccessPoints(Vec<AccessPoint>),
    /// The session began: batches may be sent.
    Begin(Session),
    /// Close, and connect there instead; an empty host means the same host.
    GoTo(String),
    /// The node is about to stop: leave in good order and come back later.
    Leave,
    /// Close; the node does not serve this agent and says why.
    Refused(String),
    /// The final report has been booked: close.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// No link.
    Apart,
    /// `hello` is on its way.
    Greeting,
    /// Batches flow.
    Open {
        session: Session,
        report_interval_us: u64,
        reported_at_us: u64,
        reported_clock_us: u64,
    },
    /// The final report is on its way, or booked.
    Left,
}

/// The agent's side of its sessions, one after the other.
///
/// The shell reports what happens with `handle_*`, and asks for [`AgentSession::poll_order`] until
/// `None` after each. All times are microseconds: `now_us` of the agent's monotonic clock,
/// `clock_us` of the clock that stamps observations.
#[derive(Debug)]
pub struct AgentSession {
    program: String,
    radios: Vec<RadioHello>,
    clock: Clock,
    state: State,
    /// Counters of the last report that the node has most likely received.
    reported: Counters,
    /// Counters of a later one, handed over and without a sign of life since.
    told: Option<Counters>,
    /// Bytes that the link had received when it was first looked at after that.
    told_at_bytes: Option<u64>,
    previous: Option<SessionEnd>,
    /// Sum of all closed accounts.
    closed: Counters,
    sessions: u32,
    settled: bool,
    handed_over: HandedOver,
    /// What the next report says of devices that are only counted.
    counted: Option<Counted>,
    orders: VecDeque<Order>,
}

impl AgentSession {
    /// No session yet; `program` is the agent's name and version.
    pub fn new(program: String, radios: Vec<RadioHello>, clock: Clock) -> Self {
        Self {
            program,
            radios,
            clock,
            state: State::Apart,
            reported: Counters::default(),
            told: None,
            told_at_bytes: None,
            previous: None,
            closed: Counters::default(),
            sessions: 0,
            settled: true,
            handed_over: HandedOver::new(),
            counted: None,
            orders: VecDeque::new(),
        }
    }

    /// A link stands: gives the `hello` to send on its control stream.
    pub fn handle_linked(&mut self, batcher: &mut Batcher) -> Frame {
        if let Some(previous) = &mut self.previous {
            let since = batcher.close_books();
            counters::add(&mut previous.ended, &since);
            counters::add(&mut self.closed, &since);
        }
        self.state = State::Greeting;
        self.handed_over.clear();
        self.orders.clear();
        Frame::Hello(Hello {
            version: BATCH_VERSION,
            program: self.program.clone(),
            radios: self.radios.clone(),
            clock: self.clock,
            previous: self.previous.clone(),
        })
    }

    /// A frame came from the node. What makes no sense now is ignored.
    pub fn handle_frame(
        &mut self,
        frame: Frame,
        batcher: &mut Batcher,
        now_us: u64,
        clock_us: u64,
    ) {
        match (frame, self.state) {
            (Frame::Welcome(welcome), State::Greeting) => {
                let interval = Duration::from_millis(welcome.report_interval_ms.into());
                self.state = State::Open {
                    session: welcome.session,
                    report_interval_us: interval.max(REPORT_INTERVAL_MIN).as_micros() as u64,
                    reported_at_us: now_us,
                    reported_clock_us: clock_us,
                };
                self.previous = None;
                self.reported = Counters::default();
                self.told = None;
                self.sessions += 1;
                self.settled = false;
                batcher.handle_connected(welcome.session, clock_us);
                batcher.handle_short_ids(welcome.short_ids, clock_us);
                self.orders
                    .push_back(Order::UseKey(welcome.configure.pseudonym_key));
                self.orders
                    .push_back(Order::KnowAccessPoints(welcome.access_points));
                self.orders.push_back(Order::Begin(welcome.session));
            }
            (Frame::Configure(configure), State::Open { .. }) => {
                self.orders
                    .push_back(Order::UseKey(configure.pseudonym_key));
            }
            (Frame::Defined(defined), State::Open { .. }) => batcher.handle_defined(&defined),
            (Frame::Redirect { address }, State::Greeting | State::Open { .. }) => {
                self.orders.push_back(Order::GoTo(address));
            }
            (Frame::Reject { reason }, State::Greeting | State::Open { .. }) => {
                self.orders.push_back(Order::Refused(reason));
            }
            (Frame::Drain {}, State::Greeting | State::Open { .. }) => {
                self.orders.push_back(Order::Leave);
            }
            (Frame::Settled {}, State::Left) => {
                self.settled = true;
                self.orders.push_back(Order::Close);
            }
            _ => {}
        }
    }

    /// A batch with so many observations was handed to the transport.
    pub fn handle_handed_over(&mut self, observations: usize) {
        self.handed_over.handle_datagram(observations);
    }

    /// The link is gone after `datagrams_sent` datagrams.
    pub fn handle_link_lost(&mut self, batcher: &mut Batcher, datagrams_sent: u64) {
        if let State::Open { session, .. } = self.state {
            self.end(session, batcher, datagrams_sent);
        }
        self.state = State::Apart;
        self.orders.clear();
    }

    /// Ends the session in good order: gives the final report. Nothing may be handed over after it.
    ///
    /// `None` without a session.
    pub fn leave(
        &mut self,
        batcher: &mut Batcher,
        datagrams_sent: u64,
        clock_us: u64,
    ) -> Option<Frame> {
        let State::Open { session, .. } = self.state else {
            return None;
        };
        let clock_us = unsent_from_us(batcher, clock_us);
        let counters = self.end(session, batcher, datagrams_sent);
        self.reported = counters;
        if let Some(previous) = &mut self.previous {
            previous.reported = counters;
        }
        self.state = State::Left;
        Some(Frame::Report(Report {
            counters,
            clock_us,
            last: true,
            counted: self.counted,
        }))
    }

    /// The next `hello` tells of these radios.
    pub fn set_radios(&mut self, radios: Vec<RadioHello>) {
        self.radios = radios;
    }

    /// Reports tell this of devices that are only counted from now on.
    pub fn handle_counted(&mut self, counted: Option<Counted>) {
        self.counted = counted;
    }

    /// What the shell has to do next.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When the next report is due on the agent's monotonic clock; `None` without a session.
    pub fn report_due_us(&self) -> Option<u64> {
        match self.state {
            State::Open {
                report_interval_us,
                reported_at_us,
                ..
            } => Some(reported_at_us + report_interval_us),
            _ => None,
        }
    }

    /// A report is due. A recording's clock runs at its own pace; then its seconds count as well.
    pub fn is_report_due(&self, now_us: u64, clock_us: u64) -> bool {
        let State::Open {
            report_interval_us,
            reported_clock_us,
            ..
        } = self.state
        else {
            return false;
        };
        let of_recording = self.clock == Clock::Recording
            && clock_us.saturating_sub(reported_clock_us) >= report_interval_us;
        of_recording || self.report_due_us().is_some_and(|due_us| due_us <= now_us)
    }

    /// The report to send now; all that was due before `clock_us` has been handed over, as far as
    /// the transport had room.
    pub fn report(&mut self, batcher: &Batcher, now_us: u64, clock_us: u64) -> Option<Frame> {
        self.skip_report(now_us, clock_us);
        self.session()?;
        let counters = *batcher.counters();
        self.told = Some(counters);
        self.told_at_bytes = None;
        let clock_us = unsent_from_us(batcher, clock_us);
        Some(Frame::Report(Report {
            counters,
            clock_us,
            last: false,
            counted: self.counted,
        }))
    }

    /// Whether a report was handed over and nothing has come from the node since.
    pub fn awaits_sign_of_life(&self) -> bool {
        self.told.is_some()
    }

    /// The link has received so many bytes: if they grew since the last report, the node lives and
    /// has that report. Reports to a node that is dead do not count as told, so that what it can no
    /// longer book becomes `unknown` at its successor.
    pub fn handle_received(&mut self, bytes_received: u64) {
        let told_at_bytes = *self.told_at_bytes.get_or_insert(bytes_received);
        if bytes_received > told_at_bytes
            && let Some(told) = self.told.take()
        {
            self.reported = told;
        }
    }

    /// The control stream takes no report now; the next one makes up for it.
    pub fn skip_report(&mut self, now_us: u64, clock_us: u64) {
        if let State::Open {
            reported_at_us,
            reported_clock_us,
            ..
        } = &mut self.state
        {
            *reported_at_us = now_us;
            *reported_clock_us = clock_us;
        }
    }

    /// What the transport still holds after it has sent `datagrams_sent` datagrams.
    pub fn datagrams_held(&self, datagrams_sent: u64) -> u64 {
        self.handed_over.datagrams().saturating_sub(datagrams_sent)
    }

    /// The session that runs.
    pub fn session(&self) -> Option<Session> {
        match self.state {
            State::Open { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The node has not booked everything yet.
    pub fn owes(&self, batcher: &Batcher) -> bool {
        !self.settled || *batcher.counters() != Counters::default()
    }

    /// Sessions that began so far.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Counters of all sessions and of the time between them.
    pub fn total(&self, batcher: &Batcher) -> Counters {
        let mut total = self.closed;
        counters::add(&mut total, batcher.counters());
        total
    }

    /// Closes the account of the session; returns it.
    fn end(&mut self, session: Session, batcher: &mut Batcher, datagrams_sent: u64) -> Counters {
        let Unsent {
            datagrams,
            observations,
        } = self.handed_over.unsent(datagrams_sent);
        batcher.handle_disconnected(datagrams, observations);
        let ended = batcher.close_books();
        counters::add(&mut self.closed, &ended);
        self.previous = Some(SessionEnd {
            session,
            reported: self.reported,
            ended,
        });
        ended
    }
}

/// The time before which nothing heard is still unsent.
fn unsent_from_us(batcher: &Batcher, clock_us: u64) -> u64 {
    batcher
        .heard_first_us()
        .map_or(clock_us, |first_us| first_us.min(clock_us))
}

/// Who opted out, in frames that are never too long.
pub(crate) fn opt_out_frames(clients: &[ClientId]) -> impl Iterator<Item = Frame> {
    (clients.chunks(DEFINE_CLIENTS_MAX)).map(|clients| Frame::OptOut {
        clients: clients.to_vec(),
    })
}

/// Names of clients in frames that are never too long.
pub(crate) fn names_frames(
    names: impl Iterator<Item = (ClientId, ClientName)>,
) -> impl Iterator<Item = Frame> {
    let mut names = names.map(|(client, name)| (client.0, name)).peekable();
    std::iter::from_fn(move || {
        names.peek()?;
        Some(Frame::Names {
            names: names.by_ref().take(NAMES_PER_FRAME_MAX).collect(),
        })
    })
}
