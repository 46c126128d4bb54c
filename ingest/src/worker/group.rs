//! Datagrams of one session together: the cache misses of small batches overlap.
//!
//! A batch of many rows overlaps those of its own rows ([`fold`](super::fold)); one of a few rows
//! has nothing to do meanwhile. So all of a group are decoded first, then what their rows need is
//! asked for, and then they are folded one after the other.

use wire::batch::Batch;

use super::Worker;
use crate::ledger::SessionKey;
use crate::limits::DATAGRAMS_PER_GROUP_MAX;
use crate::line::Line;

/// A batch of more rows than this overlaps enough by itself.
pub(super) const ROWS_FEW_MAX: usize = 4;

impl Worker {
    /// Datagrams arrived on a session's connection, in this order.
    pub fn handle_datagrams<B: AsRef<[u8]>>(
        &mut self,
        key: SessionKey,
        datagrams: &[B],
        now_us: u64,
    ) {
        for group in datagrams.chunks(DATAGRAMS_PER_GROUP_MAX) {
            let batches: [Option<Batch<'_>>; DATAGRAMS_PER_GROUP_MAX] = std::array::from_fn(|i| {
                let bytes = group.get(i)?.as_ref();
                wire::batch::decode(bytes).ok()
            });
            if group.len() > 1 {
                self.prefetch(key, &batches);
            }
            for batch in batches.iter().take(group.len()) {
                self.handle_batch(key, batch.as_ref(), now_us);
            }
        }
    }

    /// Tells the processor what the rows of small batches will need.
    fn prefetch(&mut self, key: SessionKey, batches: &[Option<Batch<'_>>]) {
        let Some(state) = self.ledger.session_mut(key) else {
            return;
        };
        let shard = &self.shards[state.shard];
        let few = || {
            let batches = batches.iter().flatten();
            batches.filter(|batch| batch.len() <= ROWS_FEW_MAX)
        };
        for batch in few() {
            for row in batch.rows.raw() {
                shard.prefetch(Line::key_of(row.client()));
            }
            for row in batch.short_rows.raw() {
                state.dictionary.prefetch(row.short_id());
            }
        }
        for batch in few() {
            for row in batch.short_rows.raw() {
                if let Some(index) = state.dictionary.peek(row.short_id()) {
                    shard.prefetch_line(index);
                }
            }
        }
    }
}
