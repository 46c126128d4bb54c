//! What happens on a link, from `hello` until it ends.

use std::collections::VecDeque;

use bytes::Bytes;
use link::NodeLink;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::{Frame, Session};

use super::Shutdown;
use super::control::{Incoming, read_control, write_control};
use super::core::Core;
use super::leave::{Leaving, leave};
use super::wake::Wake;
use crate::limits::{
    CONTROL_FRAMES_MAX, CONTROL_FRAMES_SPARE, DATAGRAM_BYTES_MAX, IDLE_MAX, NUDGE_INTERVAL,
    ROOM_INTERVAL, ROOM_TURNS, WELCOME_MAX,
};
use crate::route::Route;
use crate::session::{Order, names_frames, opt_out_frames};
use crate::system::alarm::Alarm;

/// How a link ended, or why none came about.
#[derive(Debug)]
pub(super) enum Ended {
    /// No link came about.
    Failed(String),
    /// The link is gone.
    Lost(String),
    /// The node sends us elsewhere.
    GoTo(String),
    /// The node does not want us.
    Refused(String),
    /// The node is about to stop; all books are settled.
    Drained,
    /// The node has to be told of more radios than in the last `hello`.
    AnotherHello,
    /// This agent is done.
    Left,
}

/// Greets the node and serves the link until one of them ends it.
pub(super) async fn serve(
    core: &mut Core,
    route: &mut Route,
    link: &NodeLink,
    shutdown: &mut Shutdown<'_, impl Future<Output = ()>>,
) -> Ended {
    let (reader, writer) = match link.open_control().await {
        Ok(control) => control,
        Err(closed) => return Ended::of(&closed.into()),
    };
    let (outgoing, to_write) = mpsc::channel(CONTROL_FRAMES_MAX);
    let (read, incoming) = mpsc::channel(CONTROL_FRAMES_MAX);
    let mut pump = Pump::new(core, link, outgoing, incoming);
    tokio::select! {
        ended = pump.run(route, shutdown) => ended,
        () = read_control(reader, read.clone()) => Ended::Lost("control stream".to_owned()),
        () = write_control(writer, to_write, read) => Ended::Lost("control stream".to_owned()),
    }
}

/// Moves observations and frames over one link.
pub(super) struct Pump<'a> {
    pub(super) core: &'a mut Core,
    pub(super) link: &'a NodeLink,
    outgoing: mpsc::Sender<Frame>,
    incoming: mpsc::Receiver<Incoming>,
    /// Frames that wait for room in `outgoing`: `hello`, names, who opted out.
    frames: VecDeque<Frame>,
    /// When to say one more word while an answer is waited for.
    nudge_due_us: u64,
    datagram: Vec<u8>,
    turns_without_room: u32,
    room_max: usize,
}

/// How far [`Pump::hand_over`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandedOver {
    /// All that is due now.
    AllDue,
    /// Until the transport had no room left.
    NoRoom,
    /// Nothing, since the agent rests.
    Resting(u64),
}

impl<'a> Pump<'a> {
    fn new(
        core: &'a mut Core,
        link: &'a NodeLink,
        outgoing: mpsc::Sender<Frame>,
        incoming: mpsc::Receiver<Incoming>,
    ) -> Self {
        core.asked.handle_hello();
        let hello = core.session.handle_linked(&mut core.batcher);
        let nudge_due_us = core.now_us() + NUDGE_INTERVAL.as_micros() as u64;
        Self {
            core,
            link,
            outgoing,
            incoming,
            frames: VecDeque::from([hello]),
            nudge_due_us,
            datagram: Vec::with_capacity(DATAGRAM_BYTES_MAX),
            turns_without_room: 0,
            room_max: link.datagram_room(),
        }
    }

    async fn run(
        &mut self,
        route: &mut Route,
        shutdown: &mut Shutdown<'_, impl Future<Output = ()>>,
    ) -> Ended {
        let welcome_until_us = self.core.now_us() + WELCOME_MAX.as_micros() as u64;
        loop {
            self.core.fill(self.core.now_us());
            let now_us = self.core.now_us();
            let handed_over = self.turn(now_us);
            let greeting = self.core.session.session().is_none();
            // A greeting that is answered in a moment lets even a short visit settle its books.
            if !greeting && (shutdown.asked || self.core.is_finished()) {
                let left = leave(self, Leaving::ForGood).await;
                return match left {
                    Ended::Drained => Ended::Left,
                    left => left,
                };
            }
            if !greeting && self.core.asked.wants_hello() {
                return match leave(self, Leaving::ForNow).await {
                    Ended::Drained => Ended::AnotherHello,
                    left => left,
                };
            }
            if !greeting && self.core.asked.take_names_changed() {
                self.introduce();
                continue;
            }
            if greeting && now_us >= welcome_until_us {
                return Ended::Lost("it did not answer our hello".to_owned());
            }
            let mut wake_us = self.wake_us(now_us, handed_over);
            if greeting {
                self.nudge(now_us);
                wake_us = wake_us.min(welcome_until_us).min(self.nudge_due_us);
            }
            let wake = self.core.wake();
            let inbox = self.core.asked.inbox();
            let alarm = self.core.alarm.clone();
            let until = (wake_us > now_us).then(|| self.core.instant(wake_us));
            let pause = pause(until, &wake, &alarm);
            let order = tokio::select! {
                biased;
                order = self.next_order() => order,
                () = shutdown.wait(), if !shutdown.asked => continue,
                () = inbox.rung() => continue,
                woken = pause => {
                    if woken {
                        self.core.handle_wake();
                    }
                    continue;
                }
            };
            match order {
                Ok(Order::UseKey(key)) => self.core.handle_key(&key),
                Ok(Order::KnowAccessPoints(told)) => self.core.handle_access_points(&told),
                Ok(Order::Begin(session)) => {
                    route.handle_welcome();
                    self.begin(session);
                }
                Ok(Order::GoTo(address)) => {
                    let ended = leave(self, Leaving::ForNow).await;
                    return match ended {
                        Ended::Drained => Ended::GoTo(address),
                        ended => ended,
                    };
                }
                Ok(Order::Leave) => return leave(self, Leaving::ForNow).await,
                Ok(Order::Refused(reason)) => return Ended::Refused(reason),
                Ok(Order::Close) => return Ended::Drained,
                Err(ended) => return ended,
            }
        }
    }

    /// Hands over what is due, and reports if that is due.
    pub(super) fn turn(&mut self, now_us: u64) -> HandedOver {
        self.frames.extend(self.core.renewal_request(now_us));
        self.write_frames();
        if self.core.session.awaits_sign_of_life() {
            let received = self.link.stats().bytes_received;
            self.core.session.handle_received(received);
        }
        let clock_us = self.core.packing_clock_us(now_us);
        let report_due = self.core.session.is_report_due(now_us, clock_us);
        if report_due {
            // The report then shows nothing that waits, and wakes the node together with a burst.
            self.core.flush();
        }
        let handed_over = match self.core.resting_until_us(now_us) {
            Some(until_us) => HandedOver::Resting(until_us),
            None => self.hand_over(clock_us),
        };
        self.define(clock_us);
        if report_due {
            self.report(now_us, clock_us);
        }
        handed_over
    }

    /// Tells what short ids stand for, while that leaves room for reports.
    fn define(&mut self, clock_us: u64) {
        while self.core.batcher.has_define() && self.outgoing.capacity() > CONTROL_FRAMES_SPARE {
            let define = self.core.batcher.poll_define(clock_us);
            let Some(define) = define else {
                break;
            };
            if let Err(error) = self.outgoing.try_send(Frame::Define(define)) {
                self.frames.push_back(error.into_inner());
            }
        }
    }

    fn report(&mut self, now_us: u64, clock_us: u64) {
        self.core.prepare_report(now_us);
        let (batcher, session) = (&self.core.batcher, &mut self.core.session);
        if let Ok(slot) = self.outgoing.try_reserve() {
            if let Some(report) = session.report(batcher, now_us, clock_us) {
                slot.send(report);
            }
        } else {
            session.skip_report(now_us, clock_us);
        }
        self.core.publish();
    }

    /// Passes waiting frames to the writer while it takes them.
    pub(super) fn write_frames(&mut self) {
        while let Some(frame) = self.frames.pop_front() {
            if let Err(error) = self.outgoing.try_send(frame) {
                self.frames.push_front(error.into_inner());
                break;
            }
        }
    }

    /// Says a word that means nothing when an answer takes long: the node acknowledges late, but not
    /// when something is missing before what comes, and so learns of it and gets it soon.
    pub(super) fn nudge(&mut self, now_us: u64) {
        if now_us < self.nudge_due_us {
            return;
        }
        self.nudge_due_us = now_us + NUDGE_INTERVAL.as_micros() as u64;
        if self.frames.is_empty() {
            self.frames.push_back(Frame::Names { names: Vec::new() });
            self.write_frames();
        }
    }

    /// What the node asks for next, or how the link ended. Nothing is lost when dropped unready.
    pub(super) async fn next_order(&mut self) -> Result<Order, Ended> {
        loop {
            if let Some(order) = self.core.session.poll_order() {
                return Ok(order);
            }
            let frame = match self.incoming.recv().await {
                Some(incoming) => incoming?,
                None => return Err(Ended::Lost("the control stream ended".to_owned())),
            };
            self.core.handle_frame(frame);
        }
    }

    /// Tells who the named clients are, and who opted out.
    fn introduce(&mut self) {
        let intake = self.core.intake();
        self.frames.extend(names_frames(intake.names()));
        self.frames.extend(opt_out_frames(intake.opt_outs()));
    }

    /// The session began.
    pub(super) fn begin(&mut self, session: Session) {
        self.introduce();
        self.core.publish();
        let address = self.link.remote_address();
        self.core.remote = Some(address);
        tracing::info!("connected to node {address}, session {}", session.0);
    }

    /// Closes the session's books; its final report is on the way.
    pub(super) fn leave_session(&mut self, leaving: Leaving) {
        let sent = self.link.stats().datagrams_sent;
        self.frames.extend(self.core.leave_session(sent, leaving));
        self.nudge_due_us = self.core.now_us() + NUDGE_INTERVAL.as_micros() as u64;
    }

    /// The transport holds nothing any more.
    pub(super) fn has_sent_all(&self) -> bool {
        // A path that shrank may have made datagrams vanish: then there is room, but a gap as well.
        let sent = self.link.stats().datagrams_sent;
        let held = self.core.session.datagrams_held(sent);
        held == 0 || self.link.datagram_room() >= self.room_max
    }

    /// Hands due batches to the transport while it has room.
    fn hand_over(&mut self, clock_us: u64) -> HandedOver {
        let (batcher, session) = (&mut self.core.batcher, &mut self.core.session);
        batcher.handle_datagram_bytes_max(self.link.datagram_bytes_max());
        while batcher
            .poll_timeout()
            .is_some_and(|due_us| due_us <= clock_us)
        {
            if self.link.datagram_room() < DATAGRAM_BYTES_MAX {
                self.turns_without_room += 1;
                return HandedOver::NoRoom;
            }
            let Some(rows) = batcher.poll_batch(clock_us, &mut self.datagram) else {
                continue;
            };
            session.handle_handed_over(rows);
            let datagram = Bytes::copy_from_slice(&self.datagram);
            if let Err(error) = self.link.send_datagram(datagram) {
                // It counts as handed over and was not sent: the books show it as unsent.
                tracing::debug!("datagram not taken: {error}");
            }
        }
        if batcher.waiting() == 0 {
            // Polled until there is nothing, the batcher knows that a flush is over; else all that
            // comes after a report would leave look by look, without waiting for others.
            let nothing = batcher.poll_batch(clock_us, &mut self.datagram);
            debug_assert_eq!(nothing, None);
        }
        self.turns_without_room = 0;
        HandedOver::AllDue
    }

    /// When to take the next turn.
    fn wake_us(&self, now_us: u64, handed_over: HandedOver) -> u64 {
        let room_us = now_us + ROOM_INTERVAL.as_micros() as u64;
        let due_us = [
            Some(now_us + IDLE_MAX.as_micros() as u64),
            self.core.look_due_us(now_us),
            self.core.session.report_due_us(),
            (!self.frames.is_empty()).then_some(room_us),
            match handed_over {
                HandedOver::AllDue => self.core.batch_due_us(now_us),
                HandedOver::NoRoom if self.turns_without_room > ROOM_TURNS => Some(room_us),
                HandedOver::NoRoom => Some(now_us),
                HandedOver::Resting(until_us) => Some(until_us),
            },
        ];
        due_us.into_iter().flatten().min().unwrap_or(now_us)
    }
}

/// Waits, or lets the transport have its turn if there is no time to wait. Whether a source has
/// something to read.
async fn pause(until: Option<Instant>, wake: &Wake, alarm: &Alarm) -> bool {
    let Some(until) = until else {
        tokio::task::yield_now().await;
        return false;
    };
    tokio::select! {
        biased;
        () = wake.ready() => true,
        () = alarm.wait_until(until) => false,
    }
}
