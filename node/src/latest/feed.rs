//! One follower's view of a site: what is known, then what is new, each fix once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wire::ClientId;

use super::{Hub, PORTION_FIXES_MAX, Portion, Published};

/// What a feed tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Fixes, oldest first; at least one.
    Fixes(Vec<Published>),
    /// The follower was too slow and lost this many fixes.
    Lagged(u64),
}

/// A follower of one site.
///
/// Dropping it ends the subscription. A feed that is not read costs the publisher nothing.
#[derive(Debug)]
pub struct Feed {
    hub: Arc<Hub>,
    site: usize,
    portions: Receiver<Portion>,
    /// Clients whose latest fix is still to be told.
    known: Vec<ClientId>,
    /// Fixes below this number are told from the map, those from here on as they come.
    next: u64,
    /// Received, but to be told after the loss before it.
    held: Option<Portion>,
}

impl Feed {
    pub(super) fn new(hub: Arc<Hub>, site: usize) -> Self {
        let latest = &hub.sites[site];
        // In this order: whatever is published after the number was read reaches the subscription.
        let portions = latest.portions.subscribe();
        let next = latest.published.load(Ordering::Acquire);
        let known = latest.fixes.iter().map(|entry| *entry.key()).collect();
        Self {
            hub,
            site,
            portions,
            known,
            next,
            held: None,
        }
    }

    /// The next piece of news; `None` when the hub is gone. May be cancelled without loss.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            if !self.known.is_empty() {
                let fixes = self.tell_known();
                if !fixes.is_empty() {
                    return Some(News::Fixes(fixes));
                }
                continue;
            }
            let portion = match self.held.take() {
                Some(portion) => portion,
                None => match self.portions.recv().await {
                    Ok(portion) => portion,
                    // The next portion's number tells how many fixes the lost portions held.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return None,
                },
            };
            if let Some(news) = self.tell(portion) {
                return Some(news);
            }
        }
    }

    fn tell_known(&mut self) -> Vec<Published> {
        let rest = self.known.len().saturating_sub(PORTION_FIXES_MAX);
        let latest = &self.hub.sites[self.site];
        let told = self.known.split_off(rest).into_iter();
        told.filter_map(|client| latest.fixes.get(&client).map(|entry| *entry))
            .filter(|numbered| numbered.number < self.next)
            .map(|numbered| numbered.published)
            .collect()
    }

    fn tell(&mut self, portion: Portion) -> Option<News> {
        let lost = portion.first.saturating_sub(self.next);
        if lost > 0 {
            self.next = portion.first;
            self.held = Some(portion);
            self.hub.sites[self.site]
                .lagged
                .fetch_add(lost, Ordering::Relaxed);
            return Some(News::Lagged(lost));
        }
        let told = usize::try_from(self.next - portion.first).unwrap_or(usize::MAX);
        let fixes = portion.fixes.get(told..).unwrap_or_default();
        self.next += fixes.len() as u64;
        let published = fixes.iter().map(|sent| Published {
            sent: *sent,
            at: portion.at,
        });
        (!fixes.is_empty()).then(|| News::Fixes(published.collect()))
    }
}
