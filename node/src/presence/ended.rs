//! Clients that ended: late fixes of them reach no reader.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use ingest::SentFix;
use wire::ClientId;

use super::limits::{ENDED_IGNORED, ORDERS_WAITING_MAX};

/// Clients whose fixes are held back: who opted out until the key rotates, for agents whose lists are
/// older may go on to tell of it, others for a while. While there are none, it costs one load.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    is_used: AtomicBool,
    /// Since when they count as late; `None` for who opted out under the running key.
    since: RwLock<HashMap<(usize, ClientId), Option<Instant>>>,
    /// Of them, those of whom fixes came since [`Ended::take_heard`].
    heard: Mutex<HashSet<(usize, ClientId)>>,
}

impl Ended {
    /// Holds back a client's fixes for a while; beyond a bound, nobody's.
    pub(super) fn add(&self, site: usize, client: ClientId, now: Instant) {
        self.insert((site, client), Some(now));
    }

    /// Holds back a client's fixes until the key rotates; beyond a bound, nobody's.
    pub(super) fn add_until_rotation(&self, site: usize, client: ClientId) {
        self.insert((site, client), None);
    }

    /// Another key is in force at a site: only late fixes bear the pseudonyms of before.
    pub(super) fn rotate(&self, site: usize, now: Instant) {
        let mut since = self.since.write().unwrap_or_else(PoisonError::into_inner);
        for ((other, _), since) in since.iter_mut() {
            if *other == site && since.is_none() {
                *since = Some(now);
            }
        }
    }

    fn insert(&self, client: (usize, ClientId), new: Option<Instant>) {
        let mut since = self.since.write().unwrap_or_else(PoisonError::into_inner);
        match since.get(&client) {
            // An erasure does not let in who opted out.
            Some(None) => return,
            None if since.len() >= 2 * ORDERS_WAITING_MAX => return,
            Some(Some(_)) | None => drop(since.insert(client, new)),
        }
        self.is_used.store(true, Ordering::Release);
    }

    /// Lets those back in who ended long ago.
    pub(super) fn sweep(&self, now: Instant) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        let mut since = self.since.write().unwrap_or_else(PoisonError::into_inner);
        since.retain(|_, since| {
            since.is_none_or(|since| now.saturating_duration_since(since) < ENDED_IGNORED)
        });
        self.is_used.store(!since.is_empty(), Ordering::Release);
    }

    /// The fixes that may go on.
    pub(crate) fn filter<'a>(&self, fixes: &'a [SentFix]) -> Cow<'a, [SentFix]> {
        if !self.is_used.load(Ordering::Acquire) {
            return Cow::Borrowed(fixes);
        }
        let since = self.since.read().unwrap_or_else(PoisonError::into_inner);
        let is_late = |fix: &&SentFix| since.contains_key(&(fix.site, fix.client));
        let late = fixes.iter().filter(is_late);
        self.note(late.map(|fix| (fix.site, fix.client)));
        fixes.iter().filter(|fix| !is_late(fix)).copied().collect()
    }

    /// Whether a client's fixes are held back.
    pub(crate) fn has(&self, site: usize, client: ClientId) -> bool {
        self.is_used.load(Ordering::Acquire)
            && self
                .since
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains_key(&(site, client))
    }

    /// Those of whom fixes came since the last time; as many as there are at most.
    pub(super) fn take_heard(&self) -> HashSet<(usize, ClientId)> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, mut late: impl Iterator<Item = (usize, ClientId)>) {
        let Some(first) = late.next() else { return };
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(first);
        heard.extend(late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latest::tests::sent;

    #[test]
    fn who_ended_is_held_back_for_a_while() {
        let ended = Ended::default();
        let fixes = [sent(1, 0.0, 0), sent(2, 0.0, 0)];
        assert!(matches!(ended.filter(&fixes), Cow::Borrowed(_)));
        let now = Instant::now();
        ended.add(0, ClientId(1), now);
        ended.add(1, ClientId(2), now);
        assert_eq!(ended.take_heard().len(), 0);
        assert_eq!(*ended.filter(&fixes), [fixes[1]]);
        assert_eq!(ended.take_heard(), HashSet::from([(0, ClientId(1))]));
        ended.sweep(now + ENDED_IGNORED);
        assert!(matches!(ended.filter(&fixes), Cow::Borrowed(_)));
    }

    #[test]
    fn who_opted_out_is_held_back_until_the_key_rotates() {
        let ended = Ended::default();
        let fixes = [sent(1, 0.0, 0), sent(2, 0.0, 0)];
        let now = Instant::now();
        ended.add_until_rotation(0, ClientId(1));
        ended.add(0, ClientId(1), now);
        ended.sweep(now + 100 * ENDED_IGNORED);
        assert_eq!(*ended.filter(&fixes), [fixes[1]]);
        ended.rotate(1, now);
        ended.rotate(0, now + ENDED_IGNORED);
        ended.sweep(now + ENDED_IGNORED);
        assert_eq!(*ended.filter(&fixes), [fixes[1]], "late fixes");
        ended.sweep(now + 2 * ENDED_IGNORED);
        assert!(matches!(ended.filter(&fixes), Cow::Borrowed(_)));
    }
}
