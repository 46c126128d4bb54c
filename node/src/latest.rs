//! The latest fix of each client, for readers outside the workers, and a feed of new ones.
//!
//! One hub per node. Workers never see it: a thread of its own publishes. Packed fixes in shards keep
//! the latest of each client, a ring of bounded length carries new ones to whoever follows. A publisher
//! waits for a reader only while that copies some part of one shard; a follower that is too slow loses
//! the oldest and learns how many.

mod feed;
mod packed;
mod shard;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use ingest::SentFix;
use site::FloorIndex;
use tokio::sync::broadcast;
use wire::ClientId;

use packed::{PackedFix, Reference};
use shard::Shard;

pub use feed::{Feed, News};

/// A fix that the hub has taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// The fix.
    pub sent: SentFix,
    /// When the hub took it, by this process's clock: in a replay `sent_at_us` is another time.
    pub at: Instant,
}

/// Most clients of one site that the hub remembers, as many as a worker does by default: about
/// 250 MB. Fixes of further clients are streamed, not remembered, and counted as refused.
pub const CLIENTS_PER_SITE_MAX: usize = 4_000_000;

/// A client unseen for this long is forgotten: ten minutes, long enough for a person to notice
/// where a device went dark, short enough that yesterday's visitors do not pile up.
pub const FIX_AGE_MAX: Duration = Duration::from_secs(600);

/// Most fixes in one portion of the feed: bounds the memory of the ring.
const PORTION_FIXES_MAX: usize = 256;

/// Shards of a site: the top bits of a client's id name one, so that pages in order of client visit
/// one after the other. With a million clients a reader copies 200 kB of one at most.
const SHARDS: usize = 256;

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
    shards: Vec<RwLock<Shard>>,
    began: Instant,
    /// When the newest fix was taken, in milliseconds since `began`.
    at_ms: AtomicU64,
    /// Middle of the newest fix's sightings, in milliseconds since 1970.
    time_ms: AtomicU64,
    /// Fixes in all shards.
    clients: AtomicUsize,
    /// Serialises publishers, so that numbers rise along the feed; readers never take it.
    publishing: Mutex<()>,
    published: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    lagged: AtomicU64,
    portions: broadcast::Sender<Portion>,
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
        // Workers of several sites fill one queue: their fixes come mixed. The sort is stable.
        let mut by_site: Vec<&SentFix> = fixes.iter().collect();
        by_site.sort_by_key(|sent| sent.site);
        for run in by_site.chunk_by(|a, b| a.site == b.site) {
            let Some(site) = run.first().and_then(|sent| self.sites.get(sent.site)) else {
                continue;
            };
            let _publishing = site
                .publishing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            site.publish(run, at);
        }
    }

    /// The latest fix of a client at a site.
    pub fn latest(&self, site: usize, client: ClientId) -> Option<Published> {
        let latest = self.sites.get(site)?;
        let fix = *read(&latest.shards[shard_of(client)]).get(client)?;
        Some(fix.published(site, &latest.reference()))
    }

    /// At most `limit` latest fixes, of one floor if one is given, in order of client, from the first
    /// client above `after` on. Visits only the shards that it needs.
    pub fn page(
        &self,
        site: usize,
        after: Option<ClientId>,
        limit: usize,
        floor: Option<FloorIndex>,
    ) -> Vec<Published> {
        let mut page = Vec::new();
        let Some(latest) = self.sites.get(site) else {
            return page;
        };
        let wanted = |fix: &&PackedFix| {
            after.is_none_or(|after| fix.client() > after)
                && floor.is_none_or(|floor| fix.floor() == floor)
        };
        let mut found = Vec::new();
        for shard in &latest.shards[after.map_or(0, shard_of)..] {
            let missing = limit - page.len();
            if missing == 0 {
                break;
            }
            found.clear();
            // Copied only: sorting and unpacking keep no publisher waiting.
            found.extend(read(shard).iter().filter(wanted).copied());
            if found.len() > missing {
                found.select_nth_unstable_by_key(missing, PackedFix::client);
                found.truncate(missing);
            }
            found.sort_unstable_by_key(PackedFix::client);
            let reference = latest.reference();
            page.extend(found.iter().map(|fix| fix.published(site, &reference)));
        }
        page
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

    /// Forgets a client at once; later fixes of it are taken as ever.
    pub fn forget(&self, site: usize, client: ClientId) {
        let Some(latest) = self.sites.get(site) else {
            return;
        };
        let forgotten =
            write(&latest.shards[shard_of(client)]).retain(|fix| fix.client() != client);
        latest.clients.fetch_sub(forgotten, Ordering::Relaxed);
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
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            began: Instant::now(),
            at_ms: AtomicU64::new(0),
            time_ms: AtomicU64::new(0),
            clients: AtomicUsize::new(0),
            publishing: Mutex::new(()),
            published: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
            portions: broadcast::Sender::new(PORTIONS_MAX),
        }
    }

    fn publish(&self, fixes: &[&SentFix], at: Instant) {
        let first = self.published.load(Ordering::Relaxed);
        let at_ms = self.ms(at);
        if let Some(newest) = fixes.last() {
            self.at_ms.store(at_ms, Ordering::Relaxed);
            self.time_ms
                .store(packed::time_ms(newest), Ordering::Relaxed);
        }
        // Shard by shard, so that each is locked and brought into the cache once. A place in the feed
        // is part of what is sorted: of two fixes of one client the later stays.
        let mut places: Vec<u64> = (0..)
            .zip(fixes)
            .map(|(place, sent): (u64, _)| (shard_of(sent.client) as u64) << 32 | place)
            .collect();
        places.sort_unstable();
        let mut packed: Vec<PackedFix> = Vec::new();
        for run in places.chunk_by(|a, b| a >> 32 == b >> 32) {
            let of_run = run.iter().map(|place| u64::from(*place as u32));
            packed.clear();
            packed.extend(
                of_run.map(|place| PackedFix::new(fixes[place as usize], first + place, at_ms)),
            );
            let mut shard = write(&self.shards[(run[0] >> 32) as usize]);
            shard.replace_all(&mut packed);
            for fix in packed.drain(..) {
                self.remember(&mut shard, fix);
            }
        }
        // Released after the shards are written: whoever reads this number finds its fixes there.
        self.published
            .store(first + fixes.len() as u64, Ordering::Release);
        if self.portions.receiver_count() == 0 {
            return;
        }
        for (first, fixes) in (first..)
            .step_by(PORTION_FIXES_MAX)
            .zip(fixes.chunks(PORTION_FIXES_MAX))
        {
            // Fails only when the last follower just left.
            let _ = self.portions.send(Portion {
                first,
                at,
                fixes: fixes.iter().map(|sent| **sent).collect(),
            });
        }
    }

    fn remember(&self, shard: &mut Shard, fix: PackedFix) {
        if shard.replace(&fix) {
            return;
        }
        if self.clients.load(Ordering::Relaxed) >= CLIENTS_PER_SITE_MAX {
            self.refused.fetch_add(1, Ordering::Relaxed);
        } else {
            shard.add(fix);
            self.clients.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sweep(&self, now: Instant) -> usize {
        let (now_ms, age_max_ms) = (self.ms(now), whole_ms(FIX_AGE_MAX));
        let forget_old = |shard: &RwLock<Shard>| {
            let reference = self.reference();
            let is_fresh =
                |fix: &PackedFix| now_ms.saturating_sub(fix.at_ms(&reference)) <= age_max_ms;
            if read(shard).iter().all(is_fresh) {
                return 0;
            }
            write(shard).retain(is_fresh)
        };
        let forgotten = self.shards.iter().map(forget_old).sum();
        self.clients.fetch_sub(forgotten, Ordering::Relaxed);
        self.expired.fetch_add(forgotten as u64, Ordering::Relaxed);
        forgotten
    }

    /// Milliseconds since this site's hub began.
    fn ms(&self, at: Instant) -> u64 {
        whole_ms(at.saturating_duration_since(self.began))
    }

    /// What the times of packed fixes are near to.
    fn reference(&self) -> Reference {
        Reference {
            began: self.began,
            at_ms: self.at_ms.load(Ordering::Relaxed),
            time_ms: self.time_ms.load(Ordering::Relaxed),
        }
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

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn shard_of(client: ClientId) -> usize {
    (client.0 >> (u64::BITS - SHARDS.ilog2())) as usize
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

const _: () = assert!(SHARDS.is_power_of_two());

#[cfg(test)]
pub(crate) mod tests;
