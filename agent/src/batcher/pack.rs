//! One batch into a datagram.

use wire::Session;
use wire::batch::{Header, SHORT_AGE_MS_MAX};

use super::Batcher;
use super::limited::as_us;
use super::waiting::Waiting;
use crate::limits;

impl Batcher {
    /// Packs what is left of the next batch that is dealt, or as much as fits; 0 when nothing is left.
    pub(super) fn pack(&self, session: Session, now_us: u64, out: &mut Vec<u8>) -> usize {
        let (queue, deal) = (&self.queue, &self.deal);
        let (heard_first_us, heard_last_us) = deal.heard_us();
        let batch = deal.batch().filter_map(|index| queue.get(index));
        let Some(first) = batch.clone().next() else {
            return 0;
        };
        // Radios of a recording are read with a little skew; an age is never negative.
        let sent_us = match heard_last_us <= now_us {
            true => now_us,
            false => batch.map(Waiting::heard_at_us).fold(now_us, u64::max),
        };
        let header = Header {
            session,
            sequence: self.counters.datagrams_sent,
            first_observation: self.counters.observations_sent,
            sent_us,
            radio: first.radio(),
        };
        // What waited long goes by full ids: short ones may have got another meaning, and their
        // rows tell ages of a few seconds only.
        let held = now_us.saturating_sub(self.dealt_at_us) > as_us(limits::SHORT_IDS_HOLD)
            || now_us.saturating_sub(heard_first_us) > u64::from(SHORT_AGE_MS_MAX) * 1_000;
        match deal.plain_batch() {
            Some(places) if first.short_id().is_some() && !held => {
                let rows = queue.range(places).map(Waiting::short_row);
                self.writer
                    .encode_short_rows(&header, first.air(), rows, out)
            }
            Some(places) => {
                let rows = queue.range(places).map(Waiting::row);
                self.writer.encode_rows(&header, first.air(), rows, out)
            }
            None => {
                let batch = deal.batch().filter_map(|index| {
                    let short_id = queue.get(index)?.short_id();
                    Some((queue.observation(index)?, short_id.filter(|_| !held)))
                });
                self.writer.encode_mixed(&header, batch, out)
            }
        }
    }
}
