//! A source that another thread of the same process fills: a demo's world, a load generator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::atomic::AtomicCell;
use crossbeam::queue::ArrayQueue;
use wire::frame::{Clock, RadioHello};
use wire::{ClientId, ClientName};

use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};

/// What counts as the time of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedClock {
    /// Microseconds since this instant, in real time.
    Since(Instant),
    /// Microseconds of a recording's or a simulated clock; see [`FeedSender::advance_to`].
    Recording,
}

/// How a feed is set up.
#[derive(Debug, Clone)]
pub struct FeedOptions {
    /// Observations that may wait; one more drops the oldest.
    pub capacity: usize,
    /// The radios, as [`Heard::radio`] counts them.
    pub radios: Vec<RadioHello>,
    /// Clients that are known by name.
    pub names: Vec<(ClientId, ClientName)>,
    /// The clock of [`Heard::heard_at_us`].
    pub clock: FeedClock,
    /// How often an agent with nothing to do looks for more.
    pub poll_interval: Duration,
}

/// The end that is filled; clones fill the same feed.
#[derive(Clone)]
pub struct FeedSender {
    shared: Arc<Shared>,
}

/// The end that an agent listens to.
pub struct FeedSource {
    shared: Arc<Shared>,
    options: FeedOptions,
    /// What the agent's clock shows at time zero of the feed's clock.
    offset_us: Option<i64>,
    watermark_us: u64,
    heard: u64,
}

struct Shared {
    queue: ArrayQueue<Heard>,
    sent: AtomicCell<u64>,
    dropped: AtomicCell<u64>,
    clock_us: AtomicCell<u64>,
}

/// A feed and the sender that fills it.
///
/// # Panics
/// When the capacity is 0.
pub fn feed(options: FeedOptions) -> (FeedSender, FeedSource) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(options.capacity),
        sent: AtomicCell::new(0),
        dropped: AtomicCell::new(0),
        clock_us: AtomicCell::new(0),
    });
    let sender = FeedSender {
        shared: Arc::clone(&shared),
    };
    (
        sender,
        FeedSource {
            shared,
            options,
            offset_us: None,
            watermark_us: 0,
            heard: 0,
        },
    )
}

impl FeedSender {
    /// Adds what was heard; never blocks. A full queue drops its oldest, counted.
    pub fn send(&self, heard: Heard) {
        self.shared.sent.fetch_add(1);
        if self.shared.queue.force_push(heard).is_some() {
            self.shared.dropped.fetch_add(1);
        }
    }

    /// Free places; a sender that must not lose anything sends no more than that.
    pub fn room(&self) -> usize {
        self.shared.queue.capacity() - self.shared.queue.len()
    }

    /// Says that everything heard before this time of a [`FeedClock::Recording`] has been sent.
    pub fn advance_to(&self, clock_us: u64) {
        self.shared.clock_us.store(clock_us);
    }

    /// Observations dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load()
    }
}

impl FeedSource {
    /// Maps a time of the feed to the agent's clock.
    fn agent_us(&mut self, now_us: u64, feed_us: u64) -> u64 {
        let FeedClock::Since(start) = self.options.clock else {
            return feed_us;
        };
        let offset_us = *self.offset_us.get_or_insert_with(|| {
            let since_start = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
            now_us.cast_signed().saturating_sub(since_start)
        });
        feed_us.saturating_add_signed(offset_us)
    }
}

impl Source for FeedSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        // Read before the queue is emptied: what the sender calls complete is in the queue by then.
        let clock_us = self.shared.clock_us.load();
        let no_sender_left = Arc::strong_count(&self.shared) == 1;
        for _ in 0..room {
            let Some(mut heard) = self.shared.queue.pop() else {
                self.watermark_us = match self.options.clock {
                    FeedClock::Since(_) => now_us,
                    FeedClock::Recording => self.watermark_us.max(clock_us),
                };
                let poll_us = self.options.poll_interval.as_micros() as u64;
                let next = Drained::NextAt(now_us.saturating_add(poll_us));
                return Ok(if no_sender_left {
                    Drained::Finished
                } else {
                    next
                });
            };
            heard.heard_at_us = self.agent_us(now_us, heard.heard_at_us);
            self.watermark_us = self.watermark_us.max(heard.heard_at_us);
            self.heard += 1;
            out(heard);
        }
        Ok(Drained::More)
    }

    fn clock(&self) -> Clock {
        match self.options.clock {
            FeedClock::Since(_) => Clock::Monotonic,
            FeedClock::Recording => Clock::Recording,
        }
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.options.radios
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        self.options.names.clone()
    }

    fn health(&self) -> SourceHealth {
        SourceHealth {
            frames: self.shared.sent.load(),
            heard: self.heard,
            dropped: self.shared.dropped.load(),
            ..SourceHealth::default()
        }
    }
}

impl std::fmt::Debug for FeedSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedSender")
            .field("waiting", &self.shared.queue.len())
            .finish()
    }
}

impl std::fmt::Debug for FeedSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedSource")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use wire::Kind;

    use super::*;
    use crate::source::Transmitter;

    fn options(capacity: usize, clock: FeedClock) -> FeedOptions {
        let poll_interval = Duration::from_millis(5);
        FeedOptions {
            capacity,
            radios: Vec::new(),
            names: Vec::new(),
            clock,
            poll_interval,
        }
    }

    fn heard_at(heard_at_us: u64) -> Heard {
        Heard {
            from: Transmitter::Client(ClientId(heard_at_us)),
            heard_at_us,
            radio: 0,
            rssi_dbm: Some(-50),
            noise_dbm: None,
            channel: 0,
            kind: Kind::Other,
            associated: false,
            range: None,
        }
    }

    fn drain(source: &mut FeedSource, now_us: u64, room: usize) -> (Vec<u64>, Drained) {
        let mut times = Vec::new();
        let drained = source.drain(now_us, room, &mut |heard| times.push(heard.heard_at_us));
        (times, drained.unwrap())
    }

    #[test]
    fn a_full_feed_drops_the_oldest_and_counts() {
        let (sender, mut source) = feed(options(2, FeedClock::Recording));
        (1..=3).for_each(|time| sender.send(heard_at(time)));
        assert_eq!(sender.room(), 0);
        assert_eq!(
            drain(&mut source, 0, 9),
            (vec![2, 3], Drained::NextAt(5_000))
        );
        let health = source.health();
        assert_eq!((health.frames, health.heard, health.dropped), (3, 2, 1));
    }

    #[test]
    fn the_watermark_follows_the_sender_only_once_the_queue_is_empty() {
        let (sender, mut source) = feed(options(9, FeedClock::Recording));
        (1..=3).for_each(|time| sender.send(heard_at(time)));
        sender.advance_to(100);
        assert_eq!(drain(&mut source, 0, 2).1, Drained::More);
        assert_eq!(source.watermark_us(), 2);
        drain(&mut source, 0, 2);
        assert_eq!(source.watermark_us(), 100);
    }

    #[test]
    fn real_time_is_mapped_to_the_agents_clock() {
        let (sender, mut source) = feed(options(9, FeedClock::Since(Instant::now())));
        sender.send(heard_at(1_000_000));
        let (times, _) = drain(&mut source, 5_000_000, 9);
        // The feed began a moment before the agent's clock showed five seconds.
        assert!((5_000_000..=6_000_000).contains(&times[0]), "{times:?}");
    }

    #[test]
    fn a_feed_without_senders_finishes() {
        let (sender, mut source) = feed(options(9, FeedClock::Recording));
        sender.send(heard_at(1));
        drop(sender);
        assert_eq!(drain(&mut source, 0, 9), (vec![1], Drained::Finished));
    }
}
