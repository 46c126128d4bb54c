//! The latest fix of each client, for readers outside the workers, and a feed of new ones.
//!
//! One hub per node. Workers publish and never wait: a concurrent map keeps the latest fix, a ring
//! of bounded length carries new ones to whoever follows. A follower that is too slow loses the
//! oldest and learns how many.

mod feed;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use ingest::SentFix;
use tokio::sync::broadcast;
use wire::ClientId;

pub use feed::{Feed, News};

/// A fix that the hub has taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// The fix.
    pub sent: SentFix,
    /// When the hub took it, by this process's clock: in a replay `sent_at_us` is another time.
    pub at: Instant,
}

/// Most clients of one site that the hub remembers: about 250 MB. Fixes of further clients are
/// streamed, not remembered, and counted as refused.
pub const CLIENTS_PER_SITE_MAX: usize = 1 << 20;

/// A client unseen for this long is forgotten: ten minutes, long enough for a person to notice
/// where a device went dark, short enough that yesterday's visitors do not pile up.
pub const FIX_AGE_MAX: Duration = Duration::from_secs(600);

/// Most fixes in one portion of the feed: bounds the memory of the ring.
const PORTION_FIXES_MAX: usize = 256;

/// Portions that a follower may lag behind before it loses the oldest: at most 27 MB per site, a
/// second or more at any rate that one site makes.
const PORTIONS_MAX: usize = 512;

/// The latest fixes of all sites.
#[derive(Debug)]
pub struct Hub {
    sites: Vec<SiteLatest>,
}

/// How a site's hub has fared, cumulative but for `clients`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubCounts {
    /// Clients remembered now.
    pub clients: u64,
    /// Fixes published.
    pub published: u64,
    /// Clients forgotten for their age.
    pub expired: u64,
    /// Fixes not remembered because [`CLIENTS_PER_SITE_MAX`] clients were.
    pub refused: u64,
    /// Fixes that slow followers lost.
    pub lagged: u64,
}

#[derive(Debug)]
struct SiteLatest {
    fixes: DashMap<ClientId, Numbered>,
    /// Entries of `fixes`: its own count would visit every shard.
    clients: AtomicUsize,
    /// Serialises publishers, so that numbers rise along the feed; readers never take it.
    publishing: Mutex<()>,
    published: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    lagged: AtomicU64,
    portions: broadcast::Sender<Portion>,
}

/// A fix with its place in the site's feed.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    number: u64,
    published: Published,
}

/// Neighbours in the feed; the first has the number `first`.
#[derive(Debug, Clone)]
struct Portion {
    first: u64,
    at: Instant,
    fixes: Arc<[SentFix]>,
}

impl Hub {
    /// A hub for `sites` sites.
    pub fn new(sites: usize) -> Self {
        Self {
            sites: (0..sites).map(|_| SiteLatest::new()).collect(),
        }
    }

    /// Takes fixes: remembers them and hands them to whoever follows. Never waits for a reader.
    ///
    /// Fixes of a site that the hub does not know are ignored.
    pub fn publish(&self, fixes: &[SentFix]) {
        let at = Instant::now();
        for run in fixes.chunk_by(|a, b| a.site == b.site) {
            let Some(site) = run.first().and_then(|sent| self.sites.get(sent.site)) else {
                continue;
            };
            let _publishing = site
                .publishing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for portion in run.chunks(PORTION_FIXES_MAX) {
                site.publish(portion, at);
            }
        }
    }

    /// The latest fix of a client at a site.
    pub fn latest(&self, site: usize, client: ClientId) -> Option<Published> {
        self.sites
            .get(site)?
            .fixes
            .get(&client)
            .map(|entry| entry.published)
    }

    /// At most `limit` latest fixes that `wanted` accepts, in order of client, from the first
    /// client above `after` on. Visits every client of the site.
    pub fn page(
        &self,
        site: usize,
        after: Option<ClientId>,
        limit: usize,
        wanted: impl Fn(&SentFix) -> bool,
    ) -> Vec<Published> {
        let mut page = BTreeMap::new();
        for entry in self
            .sites
            .get(site)
            .into_iter()
            .flat_map(|site| site.fixes.iter())
        {
            let client = *entry.key();
            let passed = after.is_some_and(|after| client <= after);
            let full = page.len() >= limit;
            let late = full && page.last_key_value().is_none_or(|(last, _)| client > *last);
            if passed || late || !wanted(&entry.published.sent) {
                continue;
            }
            if full {
                page.pop_last();
            }
            page.insert(client, entry.published);
        }
        page.into_values().collect()
    }

    /// The latest fixes of a site, then each new one.
    ///
    /// `None` for a site that the hub does not know.
    pub fn follow(self: &Arc<Self>, site: usize) -> Option<Feed> {
        self.sites
            .get(site)
            .map(|_| Feed::new(Arc::clone(self), site))
    }

    /// Forgets clients whose last fix came more than [`FIX_AGE_MAX`] before `now`; returns how many.
    pub fn sweep(&self, now: Instant) -> usize {
        self.sites.iter().map(|site| site.sweep(now)).sum()
    }

    /// How a site has fared; zeros for a site that the hub does not know.
    pub fn counts(&self, site: usize) -> HubCounts {
        self.sites
            .get(site)
            .map(SiteLatest::counts)
            .unwrap_or_default()
    }
}

impl SiteLatest {
    fn new() -> Self {
        Self {
            fixes: DashMap::new(),
            clients: AtomicUsize::new(0),
            publishing: Mutex::new(()),
            published: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
            portions: broadcast::Sender::new(PORTIONS_MAX),
        }
    }

    fn publish(&self, fixes: &[SentFix], at: Instant) {
        let first = self.published.load(Ordering::Relaxed);
        for (number, sent) in (first..).zip(fixes) {
            self.remember(Numbered {
                number,
                published: Published { sent: *sent, at },
            });
        }
        // Released after the map is written: whoever reads this number finds its fixes there.
        self.published
            .store(first + fixes.len() as u64, Ordering::Release);
        if self.portions.receiver_count() > 0 {
            // Fails only when the last follower just left.
            let _ = self.portions.send(Portion {
                first,
                at,
                fixes: fixes.into(),
            });
        }
    }

    fn remember(&self, numbered: Numbered) {
        match self.fixes.entry(numbered.published.sent.client) {
            Entry::Occupied(mut entry) => {
                entry.insert(numbered);
            }
            Entry::Vacant(_) if self.clients.load(Ordering::Relaxed) >= CLIENTS_PER_SITE_MAX => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Entry::Vacant(entry) => {
                entry.insert(numbered);
                self.clients.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn sweep(&self, now: Instant) -> usize {
        let mut forgotten = 0;
        self.fixes.retain(|_, numbered| {
            let fresh = now.saturating_duration_since(numbered.published.at) <= FIX_AGE_MAX;
            forgotten += usize::from(!fresh);
            fresh
        });
        self.clients.fetch_sub(forgotten, Ordering::Relaxed);
        self.expired.fetch_add(forgotten as u64, Ordering::Relaxed);
        forgotten
    }

    fn counts(&self) -> HubCounts {
        HubCounts {
            clients: self.clients.load(Ordering::Relaxed) as u64,
            published: self.published.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            lagged: self.lagged.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
