//! Presence without threads and without a store: fixes, sessions and orders in, writes out.
//!
//! The truth is in the trackers. What the store does not know yet waits in [`Pending`], one write for
//! each thing, so that a store that is slow or dead costs a bounded table and nobody waits for it: at
//! most one write for each visit that is true and one for each that the store still believes in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ingest::SentFix;
use locate::zone::{Change, ChangeKind, LeaveReason, ZoneIndex, ZoneTracker};
use wire::ClientId;

use super::aps::Aps;
use super::limits::{AP_GRACE, ENDED_IGNORED, ORDERS_WAITING_MAX, ROUND_LEN_MAX};
use super::pending::{Key, Pending, VisitKey};
use super::write::{Client, EndReason, KeyId, SiteFacts, Visit, VisitState, Write, ZoneFacts};
use crate::names::Names;

/// The trackers of all sites, and what the store is to hear of them.
#[derive(Debug)]
pub(super) struct Core {
    sites: Vec<SiteCore>,
    names: Arc<Names>,
    /// Names of clients that the store knows and no agent has told yet.
    stored_names: HashMap<u64, String>,
    pending: Pending,
    /// Visits that the store believes in, or may.
    published: HashSet<VisitKey>,
    /// What is in the round that is under way.
    in_flight: HashSet<Key>,
    /// Clients that ended, and until when fixes of them are ignored.
    ended: HashMap<(u32, u64), u64>,
    /// How many of them until the key rotates.
    held: usize,
    now_us: u64,
    refused: u64,
}

#[derive(Debug)]
struct SiteCore {
    name: Arc<str>,
    zones: Vec<ZoneFacts>,
    /// `None` for a site without zones.
    tracker: Option<ZoneTracker>,
    aps: Aps,
    key: KeyId,
    /// What the store knew at the start is known.
    loaded: bool,
}

/// What the store knew of a site when the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) visits: Vec<StoredVisit>,
    pub(super) aps: Vec<(String, bool)>,
}

/// A client that is in a zone, by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredVisit {
    pub(super) zone: String,
    pub(super) client: u64,
    pub(super) text: String,
    pub(super) since_us: u64,
    pub(super) dwelt: bool,
}

/// How a write fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is durable.
    Done,
    /// It is not, or nobody knows: to be done again.
    Again,
    /// It never will be: a mistake in what it says.
    Dropped,
}

impl Core {
    /// Nobody is anywhere, as far as known. `facts` and `keys` are the sites' own.
    pub(super) fn new(
        sites: &[Arc<site::Site>],
        facts: Vec<SiteFacts>,
        keys: &[KeyId],
        names: Arc<Names>,
        now_us: u64,
    ) -> Self {
        let mut core = Self {
            sites: Vec::with_capacity(sites.len()),
            names,
            stored_names: HashMap::new(),
            pending: Pending::default(),
            published: HashSet::new(),
            in_flight: HashSet::new(),
            ended: HashMap::new(),
            held: 0,
            now_us,
            refused: 0,
        };
        for (((index, site), facts), key) in (0..).zip(sites).zip(facts).zip(keys) {
            let grace_us = u64::try_from(AP_GRACE.as_micros()).unwrap_or(u64::MAX);
            core.sites.push(SiteCore {
                name: facts.site.clone(),
                zones: facts.zones.clone(),
                tracker: (!facts.zones.is_empty()).then(|| ZoneTracker::new(site)),
                aps: Aps::new(site, grace_us),
                key: *key,
                loaded: false,
            });
            // Zones are declared before anybody enters them, keys that are gone end before.
            core.pending
                .put(Key::Site { site: index }, Write::Site(facts));
            core.rotate(index, *key);
        }
        core
    }

    /// Fixes of any sites, in the order in which they were made.
    pub(super) fn handle_fixes(&mut self, fixes: impl IntoIterator<Item = SentFix>) {
        for sent in fixes {
            self.now_us = self.now_us.max(sent.sent_at_us);
            let Some(site) = self.sites.get_mut(sent.site) else {
                continue;
            };
            let Some(tracker) = &mut site.tracker else {
                continue;
            };
            let index = sent.site as u32;
            if !self.ended.is_empty() && self.ended.contains_key(&(index, sent.client.0)) {
                continue;
            }
            tracker.handle_fix(sent.client.0, &sent.fix, sent.sent_at_us);
            self.take_changes(index);
        }
    }

    /// Time has passed.
    pub(super) fn handle_tick(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        let now_us = self.now_us;
        let (pending, in_flight) = (&self.pending, &self.in_flight);
        self.ended.retain(|(site, client), until_us| {
            let end = Key::End {
                site: *site,
                client: *client,
            };
            // A visit that began before the end is written would be ended by it.
            *until_us > now_us || pending.contains(&end) || in_flight.contains(&end)
        });
        for site in 0..self.sites.len() as u32 {
            if let Some(tracker) = &mut self.sites[site as usize].tracker {
                tracker.handle_tick(now_us);
                self.take_changes(site);
            }
        }
    }

    /// These agents of a site have sessions now.
    pub(super) fn handle_sessions(&mut self, site: usize, agents: &HashSet<&str>, now_us: u64) {
        let Some(state) = self.sites.get_mut(site).filter(|state| state.loaded) else {
            return;
        };
        for change in state.aps.handle_sessions(agents, now_us) {
            let ap = change.ap as u32;
            let write = Write::Ap {
                site: state.name.clone(),
                ap: state.aps.id(change.ap).to_owned(),
                online: change.online,
                since_us: change.since_us,
            };
            let site = site as u32;
            self.pending.put(Key::Ap { site, ap }, write);
        }
    }

    /// Another pseudonym key is in force: whoever has no name has ended, and comes back as
    /// somebody else.
    pub(super) fn handle_rotation(&mut self, site: usize, key: KeyId) {
        let Some(state) = self.sites.get_mut(site).filter(|state| state.key != key) else {
            return;
        };
        state.key = key;
        let index = site as u32;
        let (names, stored) = (&self.names, &self.stored_names);
        let is_named =
            |client: u64| stored.contains_key(&client) || names.is_named(ClientId(client));
        let until_us = self.now_us.saturating_add(ignored_us());
        for ((site, _), until) in &mut self.ended {
            if *site == index && *until == UNTIL_ROTATION {
                *until = until_us;
                self.held -= 1;
            }
        }
        if let Some(tracker) = &mut state.tracker {
            let ended = &mut self.ended;
            tracker.retain(|client| {
                let is_named = is_named(client);
                if !is_named {
                    ended.insert((index, client), until_us);
                }
                is_named
            });
            // The rotation itself tells that they left.
            while tracker.poll_change().is_some() {}
        }
        let stays = |visit: &VisitKey| visit.site != index || is_named(visit.client);
        self.published.retain(stays);
        self.pending.retain(|key, _| match key {
            Key::Visit(visit) => stays(visit),
            _ => true,
        });
        self.rotate(index, key);
    }

    /// Whether a client opted out under the running key, and nothing of it was taken since.
    pub(super) fn is_held(&self, site: usize, client: u64) -> bool {
        self.ended.get(&(site as u32, client)) == Some(&UNTIL_ROTATION)
    }

    /// A client is to be forgotten; false when too many such orders wait.
    ///
    /// Who opted out is ignored until the key rotates: agents learn of it one after the other, and
    /// those that have not yet go on to tell of it.
    pub(super) fn handle_end(&mut self, site: usize, client: u64, reason: EndReason) -> bool {
        let Some(state) = self.sites.get_mut(site) else {
            return false;
        };
        if self.ended.len() >= 2 * ORDERS_WAITING_MAX || self.pending.len() >= pending_max() {
            self.refused += 1;
            return false;
        }
        let index = site as u32;
        if let Some(tracker) = &mut state.tracker {
            tracker.forget(client);
            while tracker.poll_change().is_some() {}
        }
        for zone in 0..state.zones.len() as u32 {
            let visit = VisitKey {
                site: index,
                zone,
                client,
            };
            self.published.remove(&visit);
            self.pending.remove(&Key::Visit(visit));
        }
        if !self.is_held(site, client) {
            // Beyond that bound the store refuses who opted out, and room is left for erasures.
            let is_held = reason == EndReason::OptedOut && self.held < ORDERS_WAITING_MAX;
            self.held += usize::from(is_held);
            let until_us = match is_held {
                true => UNTIL_ROTATION,
                false => self.now_us.saturating_add(ignored_us()),
            };
            self.ended.insert((index, client), until_us);
        }
        let write = Write::End {
            site: self.sites[site].name.clone(),
            client: self.client(index, client),
            reason,
            at_us: self.now_us,
        };
        let key = Key::End {
            site: index,
            client,
        };
        self.pending.put(key, write);
        true
    }

    /// Another calibration is in force.
    pub(super) fn handle_calibration(&mut self, site: usize, hash: String) {
        if let Some(state) = self.sites.get(site) {
            let write = Write::Calibration {
                site: state.name.clone(),
                hash,
            };
            let site = site as u32;
            self.pending.put(Key::Calibration { site }, write);
        }
    }

    /// These consumers have valid tokens now, and no others.
    pub(super) fn handle_tokens(&mut self, tokens: Arc<[(String, String)]>, at_us: u64) {
        self.pending
            .put(Key::Tokens, Write::Tokens { tokens, at_us });
    }

    /// It is time to remove old rows.
    pub(super) fn handle_purge(&mut self, before_us: u64) {
        self.pending.put(Key::Purge, Write::Purge { before_us });
    }

    /// What the store knew of a site, after its first writes. Nobody enters anew who is there.
    pub(super) fn handle_stored(&mut self, site: usize, stored: Stored) {
        let Some(state) = self.sites.get_mut(site) else {
            return;
        };
        state.loaded = true;
        let now_us = self.now_us;
        for (ap, online) in &stored.aps {
            state.aps.restore(ap, *online, now_us);
        }
        for visit in stored.visits {
            let zone = state.zones.iter().position(|zone| *zone.id == *visit.zone);
            let (Some(zone), Some(tracker)) = (zone, &mut state.tracker) else {
                // Its zone is gone, and so is it: the first write has told.
                continue;
            };
            let zone = zone as u32;
            if visit.text != ClientId(visit.client).to_string() {
                self.stored_names.insert(visit.client, visit.text);
            }
            let index = ZoneIndex(zone);
            tracker.restore(visit.client, index, visit.since_us, visit.dwelt, now_us);
            let key = VisitKey {
                site: site as u32,
                zone,
                client: visit.client,
            };
            self.published.insert(key);
            self.pending.remove(&Key::Visit(key));
        }
    }

    /// What to write next; nothing while nothing waits. Then [`Core::handle_written`] before the
    /// next round.
    pub(super) fn take_round(&mut self) -> Vec<(Key, Write)> {
        let is_loaded = self.sites.iter().all(|site| site.loaded);
        let round = self.pending.take(ROUND_LEN_MAX, |key| {
            // First who is where by the store, or it would hear of that again.
            is_loaded || matches!(key, Key::Site { .. } | Key::Rotate { .. })
        });
        self.in_flight = round.iter().map(|(key, _)| *key).collect();
        round
    }

    /// How the writes of the round fared.
    pub(super) fn handle_written(&mut self, written: Vec<(Key, Write, Fate)>) {
        self.in_flight.clear();
        let mut again = Vec::new();
        for (key, write, fate) in written {
            let is_inside = matches!(
                &write,
                Write::Visit(Visit {
                    state: VisitState::Inside { .. },
                    ..
                })
            );
            if let (Key::Visit(visit), Write::Visit(Visit { client, .. })) = (key, &write) {
                let site = &self.sites[visit.site as usize];
                let is_over = self.ended.contains_key(&(visit.site, visit.client))
                    || ![site.key, KeyId::NAMED].contains(&client.key);
                if is_over {
                    // What ended it tells the rest.
                    continue;
                }
                // What may have been committed may have to be taken back.
                if is_inside && fate != Fate::Dropped {
                    self.published.insert(visit);
                } else if fate == Fate::Done {
                    self.published.remove(&visit);
                }
            }
            if fate == Fate::Again {
                again.push((key, write));
            }
        }
        self.pending.put_back(again);
    }

    /// Writes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() + self.in_flight.len()
    }

    /// Clients in zones or near them.
    pub(super) fn clients(&self) -> usize {
        let trackers = self.sites.iter().filter_map(|site| site.tracker.as_ref());
        trackers.map(ZoneTracker::clients).sum()
    }

    /// What was refused for lack of room.
    pub(super) fn refused(&self) -> u64 {
        let trackers = self.sites.iter().filter_map(|site| site.tracker.as_ref());
        self.refused + trackers.map(ZoneTracker::refused).sum::<u64>()
    }

    /// Who is in which zone of a site, by the trackers.
    #[cfg(test)]
    pub(super) fn truth(&self, site: usize) -> std::collections::BTreeSet<(String, u64)> {
        let state = &self.sites[site];
        let inside = state.tracker.iter().flat_map(ZoneTracker::inside);
        inside
            .map(|(client, zone, ..)| (state.zones[zone.0 as usize].id.to_string(), client))
            .collect()
    }

    fn rotate(&mut self, site: u32, key: KeyId) {
        let write = Write::Rotate {
            site: self.sites[site as usize].name.clone(),
            key,
            at_us: self.now_us,
        };
        self.pending.put(Key::Rotate { site }, write);
    }

    fn take_changes(&mut self, site: u32) {
        while let Some(change) = self.sites[site as usize]
            .tracker
            .as_mut()
            .and_then(ZoneTracker::poll_change)
        {
            self.take_change(site, change);
        }
    }

    fn take_change(&mut self, site: u32, change: Change) {
        let Change { client, zone, kind } = change;
        let visit = VisitKey {
            site,
            zone: zone.0,
            client,
        };
        let key = Key::Visit(visit);
        let state = match kind {
            ChangeKind::Entered { since_us } => VisitState::Inside {
                since_us,
                dwelt_us: None,
            },
            ChangeKind::Dwelt { since_us, at_us } => VisitState::Inside {
                since_us,
                dwelt_us: Some(at_us),
            },
            // Nobody has heard of it, and now there is nothing to hear.
            ChangeKind::Left { .. }
                if !self.published.contains(&visit) && !self.in_flight.contains(&key) =>
            {
                self.pending.remove(&key);
                return;
            }
            ChangeKind::Left { at_us, reason } => VisitState::Outside {
                at_us,
                reason: match reason {
                    LeaveReason::Elsewhere => "elsewhere",
                    LeaveReason::Silent => "silent",
                    LeaveReason::Forgotten => "forgotten",
                },
            },
        };
        let write = Write::Visit(Visit {
            site: self.sites[site as usize].name.clone(),
            zone: self.sites[site as usize].zones[zone.0 as usize].clone(),
            client: self.client(site, client),
            state,
        });
        self.pending.put(key, write);
    }

    /// A client as the store is to know it.
    fn client(&self, site: u32, id: u64) -> Client {
        let stored = self.stored_names.get(&id).cloned();
        let name = stored.or_else(|| self.names.name(ClientId(id)).map(|name| name.to_string()));
        match name {
            Some(text) => Client {
                text,
                id,
                key: KeyId::NAMED,
            },
            None => Client {
                text: ClientId(id).to_string(),
                id,
                key: self.sites[site as usize].key,
            },
        }
    }
}

/// When fixes of a client are taken again that opted out under the running key.
const UNTIL_ROTATION: u64 = u64::MAX;

fn ignored_us() -> u64 {
    u64::try_from(ENDED_IGNORED.as_micros()).unwrap_or(u64::MAX)
}

/// Writes that may wait beside those of visits, whose number is bounded by the trackers'.
fn pending_max() -> usize {
    2 * locate::limits::ZONE_CLIENTS_MAX + ORDERS_WAITING_MAX
}

#[cfg(test)]
mod tests;
