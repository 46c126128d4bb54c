//! Leaving a node in good order: everything is sent, the final report booked, then the link closes.

use std::time::Duration;

use super::pump::{Ended, HandedOver, Pump};
use crate::limits::{FLUSH_MAX, ROOM_INTERVAL, SETTLE_MAX};
use crate::session::Order;

/// Whether the agent will be back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// The agent ends: nothing more is heard, and what cannot be sent is dropped.
    ForGood,
    /// The agent connects again: what cannot be sent is kept.
    ForNow,
}

/// Ends the session; the caller closes the link.
pub(super) async fn leave(pump: &mut Pump<'_>, leaving: Leaving) -> Ended {
    let ended = match settle(pump, leaving).await {
        Ok(()) => Ended::Drained,
        Err(ended) => ended,
    };
    pump.core.end_leaving();
    ended
}

async fn settle(pump: &mut Pump<'_>, leaving: Leaving) -> Result<(), Ended> {
    if pump.core.session.session().is_none() {
        return Ok(());
    }
    pump.core.begin_leaving(leaving);
    flush(pump, leaving).await?;
    if leaving == Leaving::ForGood {
        pump.core.batcher.handle_give_up();
    }
    pump.leave_session(leaving);
    let until_us = pump.core.now_us() + as_us(SETTLE_MAX);
    loop {
        pump.write_frames();
        let now_us = pump.core.now_us();
        if now_us >= until_us {
            tracing::warn!("the node did not confirm the final report");
            return Ok(());
        }
        pump.nudge(now_us);
        if let Some(Order::Close) = next_order(pump, now_us).await? {
            return Ok(());
        }
    }
}

/// Hands everything over and waits until the transport has sent it.
async fn flush(pump: &mut Pump<'_>, leaving: Leaving) -> Result<(), Ended> {
    let until_us = pump.core.now_us() + as_us(FLUSH_MAX);
    loop {
        let now_us = pump.core.now_us();
        if leaving == Leaving::ForNow {
            pump.core.handle_wake();
            pump.core.fill(now_us);
        }
        match next_order(pump, now_us).await? {
            Some(Order::UseKey(key)) => pump.core.handle_key(&key),
            Some(Order::KnowAccessPoints(told)) => pump.core.handle_access_points(&told),
            // Sources that finish at once leave before the shell has seen the session begin.
            Some(Order::Begin(session)) => pump.begin(session),
            _ => {}
        }
        let handed_over = pump.turn(now_us);
        if handed_over == HandedOver::AllDue && pump.has_sent_all() {
            return Ok(());
        }
        if now_us >= until_us {
            // What the transport holds may still leave, so no report can be final.
            return match pump.has_sent_all() {
                true => Ok(()),
                false => Err(Ended::Lost("the path takes nothing any more".to_owned())),
            };
        }
    }
}

/// The next order, if there is one within a moment.
async fn next_order(pump: &mut Pump<'_>, now_us: u64) -> Result<Option<Order>, Ended> {
    let moment = pump.core.instant(now_us) + ROOM_INTERVAL;
    tokio::select! {
        biased;
        order = pump.next_order() => order.map(Some),
        () = tokio::time::sleep_until(moment) => Ok(None),
    }
}

fn as_us(duration: Duration) -> u64 {
    duration.as_micros() as u64
}
