//! Clients that workers have still to forget: who opted out or was erased leaves no track.
//!
//! A worker takes orders from a bounded queue and may be busy; what it does not take now is ordered
//! again at the next tick. Nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};

use ingest::AskError;
use ingest::limits::FORGOTTEN_AT_ONCE_MAX;
use wire::ClientId;

use super::limits::ORDERS_WAITING_MAX;

/// Clients by the number of their site.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    waiting: BTreeMap<usize, BTreeSet<ClientId>>,
    len: usize,
}

impl Forgetting {
    /// A client is to be forgotten. Beyond a bound it is not: its line then ends by silence, within
    /// a minute after the last agent tells of it.
    pub(super) fn add(&mut self, site: usize, client: ClientId) {
        if self.len < ORDERS_WAITING_MAX {
            let is_new = self.waiting.entry(site).or_default().insert(client);
            self.len += usize::from(is_new);
        }
    }

    /// Orders what waits, as much as `order` takes.
    pub(super) fn hand_over(
        &mut self,
        mut order: impl FnMut(usize, Vec<ClientId>) -> Result<(), AskError>,
    ) {
        self.waiting.retain(|site, clients| {
            while !clients.is_empty() {
                let some = clients.iter().take(FORGOTTEN_AT_ONCE_MAX).copied();
                // A worker that has stopped has no tables.
                if let Err(AskError::Busy) = order(*site, some.collect()) {
                    return true;
                }
                let before = clients.len();
                *clients = clients
                    .iter()
                    .skip(FORGOTTEN_AT_ONCE_MAX)
                    .copied()
                    .collect();
                self.len -= before - clients.len();
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_busy_worker_does_not_take_is_ordered_again() {
        let mut forgetting = Forgetting::default();
        let many = FORGOTTEN_AT_ONCE_MAX as u64 + 1;
        (0..many).for_each(|client| forgetting.add(0, ClientId(client)));
        forgetting.add(0, ClientId(0));
        forgetting.add(1, ClientId(7));
        let mut taken = Vec::new();
        forgetting.hand_over(|site, clients| match site {
            0 if taken.is_empty() => {
                taken.extend(clients);
                Ok(())
            }
            0 => Err(AskError::Busy),
            _ => Err(AskError::Stopped),
        });
        assert_eq!((taken.len(), forgetting.len), (FORGOTTEN_AT_ONCE_MAX, 1));
        forgetting.hand_over(|site, clients| {
            assert_eq!((site, clients), (0, vec![ClientId(many - 1)]));
            Ok(())
        });
        forgetting.hand_over(|_, _| panic!("nothing waits"));
        (0..2 * ORDERS_WAITING_MAX as u64).for_each(|id| forgetting.add(0, ClientId(id)));
        assert_eq!(forgetting.len, ORDERS_WAITING_MAX);
    }
}
