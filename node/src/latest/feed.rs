//! One follower's view of a site: what is known, then what is new, each fix once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wire::ClientId;

use super::packed::PackedFix;
use super::{Hub, PORTION_FIXES_MAX, Portion, Published, read};

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
    /// Shard of which the known clients were listed last, and those whose fix is still to be told.
    shard: Option<usize>,
    known: Vec<ClientId>,
    /// Fixes below this number are told from the shards, those from here on as they come.
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
        Self {
            hub,
            site,
            portions,
            shard: None,
            known: Vec::new(),
            next,
            held: None,
        }
    }

    /// The next piece of news; `None` when the hub is gone. May be cancelled without loss.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            let known = self.tell_known();
            if !known.is_empty() {
                return Some(News::Fixes(known));
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

    /// A portion of the fixes that were known before the first that comes; none when all are told.
    fn tell_known(&mut self) -> Vec<Published> {
        let latest = &self.hub.sites[self.site];
        let mut told = Vec::new();
        while told.len() < PORTION_FIXES_MAX {
            if self.known.is_empty() {
                let next = self.shard.map_or(0, |shard| shard + 1);
                let Some(shard) = latest.shards.get(next) else {
                    break;
                };
                self.shard = Some(next);
                self.known.extend(read(shard).iter().map(PackedFix::client));
            }
            let Some(shard) = self.shard.and_then(|shard| latest.shards.get(shard)) else {
                break;
            };
            let rest = self
                .known
                .len()
                .saturating_sub(PORTION_FIXES_MAX - told.len());
            let reference = latest.reference();
            let shard = read(shard);
            let known = self
                .known
                .drain(rest..)
                .filter_map(|client| shard.get(client));
            told.extend(
                known
                    .filter(|fix| fix.is_before(self.next))
                    .map(|fix| fix.published(self.site, &reference)),
            );
        }
        told
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
