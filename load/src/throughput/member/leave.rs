//! Leaving in good order: everything is sent, the final report is booked, then the link may close.

use agent::limits::{FLUSH_MAX, ROOM_INTERVAL};
use link::{Engine, LinkId};

use super::{Member, MemberError, Next, datagrams_sent};
use crate::limits::SETTLE_MAX;

/// How far a member is with leaving.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaving {
    /// What waits is sent until then, and dropped after.
    Flushing { until_us: u64 },
    /// The final report is under way; it should be booked until then.
    Settling { until_us: u64 },
}

impl Member {
    /// Hears nothing any more.
    pub(in crate::throughput) fn leave(&mut self, now_us: u64) {
        self.batcher.handle_flush();
        let until_us = now_us + FLUSH_MAX.as_micros() as u64;
        self.leaving = Some(Leaving::Flushing { until_us });
    }

    /// What is due has been handed over as far as there was room.
    pub(super) fn go_on_leaving(
        &mut self,
        engine: &mut Engine,
        link: LinkId,
        now_us: u64,
    ) -> Result<Next, MemberError> {
        let soon = Next::At(now_us + ROOM_INTERVAL.as_micros() as u64);
        match self.leaving {
            Some(Leaving::Flushing { until_us }) => {
                let sent = datagrams_sent(engine, link);
                let is_sent = self.session.datagrams_held(sent) == 0
                    || engine.datagram_room(link) >= self.room_max;
                if now_us < until_us && (self.batcher.waiting() > 0 || !is_sent) {
                    self.batcher.handle_flush();
                    return Ok(soon);
                }
                self.batcher.handle_give_up();
                let last = self.session.leave(&mut self.batcher, sent, now_us);
                self.frames.extend(last);
                self.write_frames(engine, link)?;
                let until_us = now_us + SETTLE_MAX.as_micros() as u64;
                self.leaving = Some(Leaving::Settling { until_us });
                Ok(Next::At(until_us))
            }
            Some(Leaving::Settling { until_us }) if now_us < until_us => Ok(Next::At(until_us)),
            _ => Err(MemberError::NotSettled),
        }
    }
}
