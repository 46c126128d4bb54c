//! How much an agent may have in flight: NewReno, but never less than telemetry needs.
//!
//! NewReno takes every loss for congestion: at a loss share p it settles near 1.2 / sqrt(p)
//! packets per round trip (Mathis et al., 1997), under two at 50 %. But half of a radio link's
//! packets may be lost to interference on an idle network. Slowing down would not bring back one
//! of them and would silence the agent. And an agent is no bulk transfer: it has a few to a
//! hundred datagrams a second, whatever the network could carry, and drops what has become too
//! old before it sends it.
//!
//! So the window never falls below a floor, with two limits that keep the agent a good citizen:
//!
//! - **A standing queue lifts the floor.** Congestion shows in delay before it shows in loss. As
//!   soon as the smoothed round-trip time exceeds the least one by [`QUEUE_MAX`], plain NewReno
//!   holds, with its minimum of two packets per round trip. So an agent never adds more than that to
//!   a queue. Two round trips without a queue end it: with as few acknowledgements as there are, the
//!   smoothed time would remember it for ten seconds.
//! - **The floor is bounded**, by default to what [`FLOOR_BYTES`] says. RFC 8085 grants an
//!   application without congestion control about one datagram per round trip (section 3.1.3),
//!   and asks of one that keeps sending through loss to stop when congestion persists (section
//!   3.1.10): the queue limit above is that breaker. Above the floor, loss and ECN marks (RFC
//!   9002, section 7) halve the window as for everyone.
//!
//! The floor must cover what is sent until its fate is known. Until then a lost packet counts as
//! in flight, and the node acknowledges seldom; with half of the acknowledgements lost as well that
//! takes about a second. NewReno's window is for a path that acknowledges at once: what has arrived
//! and waits for its acknowledgement counts as in flight too, and is added to it, as much as it lets
//! through in the delay. Else a small window would be a window per delay, not per round trip.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

use crate::transport::ACK_DELAY;

/// Default floor: 1.3 s at 100 full packets a second, the most that a busy access point has to say.
/// Acknowledgements take up to 0.8 s, and some of them are lost too.
pub const FLOOR_BYTES: u64 = 192 * 1024;

/// Round-trip time beyond the least one that is taken for a standing queue.
///
/// Radio links vary by tens of milliseconds without any queue; a bottleneck of 1 Mbit/s shows
/// this much with 31 kB waiting.
pub const QUEUE_MAX: Duration = Duration::from_millis(250);

/// The window before anything is known, as RFC 9002 (section 7.2) recommends.
const INITIAL_WINDOW_BYTES: u64 = 14_720;

/// Makes a [`Telemetry`] controller for each path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TelemetryConfig {
    pub(crate) floor_bytes: u64,
}

impl ControllerFactory for TelemetryConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Telemetry::new(self.floor_bytes, now, current_mtu))
    }
}

/// The controller of one path.
#[derive(Debug, Clone)]
struct Telemetry {
    floor_bytes: u64,
    mtu: u64,
    /// What NewReno would allow.
    reno_bytes: u64,
    slow_start_end_bytes: u64,
    /// Acknowledged since the window last grew in congestion avoidance.
    acked_bytes: u64,
    /// Losses among packets sent before this belong to a reduction already made.
    reduced_at: Instant,
    queue: Queue,
    trips: Trips,
}

/// What is known of round trips.
#[derive(Debug, Clone, Copy, Default)]
struct Trips {
    smoothed: Option<Duration>,
    /// The last one found no queue.
    was_short: bool,
}

/// What the round-trip time says about the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Short,
    Standing,
}

impl Telemetry {
    fn new(floor_bytes: u64, now: Instant, mtu: u16) -> Self {
        Self {
            floor_bytes,
            mtu: u64::from(mtu),
            reno_bytes: INITIAL_WINDOW_BYTES,
            slow_start_end_bytes: u64::MAX,
            acked_bytes: 0,
            reduced_at: now,
            queue: Queue::Short,
            trips: Trips::default(),
        }
    }

    fn reno_min_bytes(&self) -> u64 {
        2 * self.mtu
    }

    /// RFC 9002, appendix B.5, counting bytes as in RFC 3465.
    fn acked(&mut self, sent: Instant, bytes: u64, app_limited: bool) {
        if app_limited || sent <= self.reduced_at {
            return;
        }
        if self.reno_bytes < self.slow_start_end_bytes {
            self.reno_bytes += bytes;
            return;
        }
        self.acked_bytes += bytes;
        if self.acked_bytes >= self.reno_bytes {
            self.acked_bytes -= self.reno_bytes;
            self.reno_bytes += self.mtu;
        }
    }

    /// Called for each packet of an acknowledgement, which has one sample for all of them.
    fn round_trip(&mut self, smoothed: Duration, least: Duration) {
        let before = self.trips.smoothed.replace(smoothed);
        if before == Some(smoothed) {
            return;
        }
        // The last sample is part of the smoothed time by an eighth (RFC 9002, section 5.3).
        let sample = before.map_or(smoothed, |before| (8 * smoothed).saturating_sub(7 * before));
        let is_long = |time: Duration| time.saturating_sub(least) > QUEUE_MAX;
        let was_short = std::mem::replace(&mut self.trips.was_short, !is_long(sample));
        if is_long(smoothed) && is_long(sample) {
            self.queue = Queue::Standing;
        } else if !is_long(smoothed) || (was_short && !is_long(sample)) {
            self.queue = Queue::Short;
        }
    }

    /// NewReno's window, and what it lets through while an acknowledgement waits.
    fn reno_with_delay(&self) -> u64 {
        let smoothed = self.trips.smoothed.unwrap_or(QUEUE_MAX).max(QUEUE_MAX);
        let delayed = self.reno_bytes as f64 * ACK_DELAY.div_duration_f64(smoothed);
        let with_delay = self.reno_bytes.saturating_add(delayed as u64);
        with_delay.min(self.floor_bytes).max(self.reno_bytes)
    }
}

impl Controller for Telemetry {
    fn on_ack(
        &mut self,
        _now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.acked(sent, bytes, app_limited);
        self.round_trip(rtt.get(), rtt.min());
    }

    /// RFC 9002, appendices B.6 and B.8.
    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        _lost_bytes: u64,
    ) {
        if sent <= self.reduced_at {
            return;
        }
        self.reduced_at = now;
        self.acked_bytes = 0;
        self.reno_bytes = (self.reno_bytes / 2).max(self.reno_min_bytes());
        self.slow_start_end_bytes = self.reno_bytes;
        if is_persistent_congestion {
            self.reno_bytes = self.reno_min_bytes();
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu);
        self.reno_bytes = self.reno_bytes.max(self.reno_min_bytes());
    }

    fn window(&self) -> u64 {
        match self.queue {
            Queue::Short => self.reno_bytes.max(self.floor_bytes),
            Queue::Standing => self.reno_with_delay(),
        }
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = self.window();
        metrics.ssthresh = Some(self.slow_start_end_bytes);
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        INITIAL_WINDOW_BYTES.max(self.floor_bytes)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests;
