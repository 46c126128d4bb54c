//! What agents' definitions of short ids lead to.

use wire::ClientId;

use super::Worker;
use crate::dictionary::{Dictionary, seconds};
use crate::ledger::SessionKey;
use crate::limits::{SHORT_IDS_PER_SESSION_MAX, SHORT_IDS_PER_WORKER_MAX};
use crate::line::Line;
use crate::moment::Moment;
use crate::session::Phase;

/// Definitions looked up together, so that their cache misses overlap.
const GROUP_LEN: usize = 64;

impl Worker {
    /// How many short ids a session may define: what `welcome` grants it. 0 on a recording's clock,
    /// on which readings wait under their full ids.
    pub fn short_ids(&mut self, key: SessionKey) -> u32 {
        let serves = self.recorded.is_none() && self.ledger.session_mut(key).is_some();
        if serves { SHORT_IDS_PER_SESSION_MAX } else { 0 }
    }

    /// An agent defines short ids: `first + i` stands for `clients[i]` from now on. Says whether to
    /// acknowledge; what is not acknowledged is not used.
    pub fn handle_define(
        &mut self,
        key: SessionKey,
        first: u32,
        clients: &[ClientId],
        now_us: u64,
    ) -> bool {
        let granted = self.short_ids(key) as usize;
        let end = (first as usize).saturating_add(clients.len());
        if clients.is_empty() || end > granted {
            return false;
        }
        let Some(state) = self.ledger.session_mut(key) else {
            return false;
        };
        let more = state.dictionary.len_for(end) - state.dictionary.len();
        if state.phase == Phase::Ended
            || more > 0 && self.short_ids_held() + more > SHORT_IDS_PER_WORKER_MAX
        {
            return false;
        }
        let Some(state) = self.ledger.session_mut(key) else {
            return false;
        };
        state.heard_at_us = now_us;
        state.dictionary.grow(end);
        let shard = &mut self.shards[state.shard];
        let (now, now_s) = (Moment::from_us(now_us), seconds(now_us));
        let mut all_placed = true;
        for (group, short_id) in clients.chunks(GROUP_LEN).zip((first..).step_by(GROUP_LEN)) {
            for client in group {
                shard.prefetch(Line::key_of(*client));
            }
            for (client, short_id) in group.iter().zip(short_id..) {
                let key = Line::key_of(*client);
                match shard.place(key, now) {
                    Some(index) => {
                        shard.keep(index, now);
                        let mark = Line::mark_of(key);
                        state.dictionary.define(short_id, index, mark, now_s);
                    }
                    None => {
                        state.dictionary.forget(short_id);
                        all_placed = false;
                    }
                }
            }
        }
        all_placed
    }

    /// Entries of all dictionaries. Asked for only when one grows, by a thousand or so.
    fn short_ids_held(&self) -> usize {
        let dictionaries = self.ledger.sessions().map(|state| &state.dictionary);
        dictionaries.map(Dictionary::len).sum()
    }
}
