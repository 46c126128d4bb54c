//! Who is in which zone: a state machine for one site.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::ops::Range;

use nalgebra::Point2;
use site::{FloorIndex, Polygon, Site, ZoneRules};

use super::chance::{Bar, Place};
use super::{Change, ChangeKind, LeaveReason, ZoneIndex};
use crate::fix::Fix;
use crate::limits::{ZONE_CLIENTS_MAX, ZONES_PER_CLIENT_MAX};

/// Keeps, for all zones of a site, who is inside and who is about to enter or leave.
///
/// Call [`ZoneTracker::poll_change`] until `None` after each `handle_*`. Times are microseconds of
/// any clock that is the same for all calls; one that runs back stands still instead. Clients near
/// no zone take no memory.
#[derive(Debug)]
pub struct ZoneTracker {
    fences: Vec<Fence>,
    /// What each fence asks of who enters, side by side for the first look.
    bars: Vec<Bar>,
    /// Fences of each floor.
    floors: Vec<Range<usize>>,
    clients: HashMap<u64, Visitor>,
    changes: VecDeque<Change>,
    now_us: u64,
    refused: u64,
}

/// A zone made ready.
#[derive(Debug)]
struct Fence {
    floor: FloorIndex,
    area: Polygon,
    bounds: (Point2<f64>, Point2<f64>),
    enter_probability: f64,
    leave_probability: f64,
    enter_after_us: u64,
    leave_after_us: u64,
    silent_after_us: u64,
    dwell_us: Option<u64>,
}

/// A client with at least one stay.
#[derive(Debug)]
struct Visitor {
    heard_at_us: u64,
    stays: Vec<Stay>,
}

/// What is between a client and a zone.
#[derive(Debug, Clone, Copy)]
struct Stay {
    zone: usize,
    since_us: u64,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All fixes since then spoke for inside, for less than the zone asks for.
    Nearing,
    /// Inside, and told so.
    Inside {
        /// All fixes since then spoke for outside.
        leaving_since_us: Option<u64>,
        /// The length of the stay was told.
        dwelt: bool,
    },
}

impl Fence {
    fn new(floor: usize, zone: &site::Zone) -> Self {
        let ZoneRules {
            enter_probability,
            enter_after_s,
            leave_probability,
            leave_after_s,
            silent_after_s,
            dwell_s,
            ..
        } = zone.rules;
        Self {
            floor: FloorIndex(u8::try_from(floor).unwrap_or(u8::MAX)),
            bounds: zone.area.bounds(),
            area: zone.area.clone(),
            enter_probability,
            leave_probability,
            enter_after_us: whole_us(enter_after_s),
            leave_after_us: whole_us(leave_after_s),
            silent_after_us: whole_us(silent_after_s),
            dwell_us: dwell_s.map(whole_us),
        }
    }

    /// What the time since the last fix has done to a stay; an error when it is over.
    fn wait(&self, heard_at_us: u64, now_us: u64, stay: &Stay) -> Result<(), Option<ChangeKind>> {
        let left = |at_us, reason| Err(Some(ChangeKind::Left { at_us, reason }));
        let is_silent = now_us - heard_at_us >= self.silent_after_us;
        match stay.phase {
            Phase::Nearing if is_silent => Err(None),
            Phase::Nearing => Ok(()),
            Phase::Inside {
                leaving_since_us: Some(at_us),
                ..
            } if now_us - at_us >= self.leave_after_us => left(at_us, LeaveReason::Elsewhere),
            Phase::Inside { .. } if is_silent => left(now_us, LeaveReason::Silent),
            Phase::Inside { .. } => Ok(()),
        }
    }

    /// What a fix says of a stay; an error when it ends it.
    fn judge(
        &self,
        place: &Place,
        fix: &Fix,
        now_us: u64,
        stay: &mut Stay,
    ) -> Result<Option<ChangeKind>, Option<ChangeKind>> {
        let probability = self.probability(place, fix);
        let Phase::Inside {
            leaving_since_us, ..
        } = &mut stay.phase
        else {
            let is_nearing = fix.floor == self.floor && probability >= self.enter_probability;
            return if is_nearing {
                Ok(stay.enter(self, now_us))
            } else {
                Err(None)
            };
        };
        if probability >= self.leave_probability {
            *leaving_since_us = None;
            return Ok(None);
        }
        let at_us = *leaving_since_us.get_or_insert(now_us);
        if now_us - at_us < self.leave_after_us {
            return Ok(None);
        }
        let reason = LeaveReason::Elsewhere;
        Err(Some(ChangeKind::Left { at_us, reason }))
    }

    /// Most probability with which the client is inside.
    ///
    /// A fix tells the probability of its own floor only. What is left is shared by the others, and
    /// the zone's may have all of it: so nobody leaves a zone because a fix doubts the floor.
    fn probability(&self, place: &Place, fix: &Fix) -> f64 {
        let of_floor = if fix.floor == self.floor {
            fix.floor_probability
        } else {
            1.0 - fix.floor_probability
        };
        if of_floor < self.leave_probability || place.is_far_from(&self.bounds) {
            return 0.0;
        }
        of_floor * place.probability_in(&self.area)
    }

    /// Whether a stay is as long as the zone wants to hear of, and nobody heard of it yet.
    fn dwells(&self, stay: &mut Stay, now_us: u64) -> Option<ChangeKind> {
        let Phase::Inside {
            leaving_since_us: None,
            dwelt: dwelt @ false,
        } = &mut stay.phase
        else {
            return None;
        };
        let at_us = stay.since_us.saturating_add(self.dwell_us?);
        *dwelt = now_us >= at_us;
        dwelt.then_some(ChangeKind::Dwelt {
            since_us: stay.since_us,
            at_us,
        })
    }
}

impl ZoneTracker {
    /// Nobody is in any of the site's zones.
    pub fn new(site: &Site) -> Self {
        let mut fences = Vec::new();
        let mut floors = Vec::with_capacity(site.floors.len());
        for (index, floor) in site.floors.iter().enumerate() {
            let first = fences.len();
            fences.extend(floor.zones.iter().map(|zone| Fence::new(index, zone)));
            floors.push(first..fences.len());
        }
        let bar = |fence: &Fence| Bar::new(&fence.area, fence.enter_probability);
        Self {
            bars: fences.iter().map(bar).collect(),
            fences,
            floors,
            clients: HashMap::new(),
            changes: VecDeque::new(),
            now_us: 0,
            refused: 0,
        }
    }

    /// Takes a client's fix. One that is stale, a jump that nothing explains, or no place at all
    /// speaks for nothing.
    pub fn handle_fix(&mut self, client: u64, fix: &Fix, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        let place = Place::new(fix.position_in_site.xy(), &fix.covariance_m2);
        let floor_probability = fix.floor_probability;
        let (Some(place), false) = (place, fix.flags.stale) else {
            return;
        };
        if !(0.0..=1.0).contains(&floor_probability) {
            return;
        }
        let is_known = self.clients.contains_key(&client);
        if is_known {
            self.revisit(client, &place, fix);
        }
        if !fix.flags.teleport {
            self.approach(client, &place, fix);
        }
    }

    /// Time has passed: who was silent, or outside, for long enough leaves. Looks at every client
    /// that is in a zone or near one; once a second is often enough.
    pub fn handle_tick(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        let (now_us, fences, changes) = (self.now_us, &self.fences, &mut self.changes);
        self.clients.retain(|&client, visitor| {
            let heard_at_us = visitor.heard_at_us;
            visitor.stays.retain_mut(|stay| {
                let zone = stay.zone;
                let waited = fences[zone].wait(heard_at_us, now_us, stay);
                let news = match waited {
                    Ok(()) => fences[zone].dwells(stay, now_us),
                    Err(news) => news,
                };
                changes.extend(news.map(|kind| change(client, zone, kind)));
                waited.is_ok()
            });
            !visitor.stays.is_empty()
        });
    }

    /// A client was inside before this tracker began; tells nothing. Its silence begins now.
    pub fn restore(
        &mut self,
        client: u64,
        zone: ZoneIndex,
        since_us: u64,
        dwelt: bool,
        now_us: u64,
    ) {
        self.now_us = self.now_us.max(now_us);
        let zone = zone.0 as usize;
        if zone >= self.fences.len() || !self.has_room(client) {
            return;
        }
        let visitor = self.clients.entry(client).or_insert_with(|| Visitor {
            heard_at_us: self.now_us,
            stays: Vec::with_capacity(1),
        });
        let phase = Phase::Inside {
            leaving_since_us: None,
            dwelt,
        };
        let restored = Stay {
            zone,
            since_us,
            phase,
        };
        let known = visitor.stays.iter_mut().find(|stay| stay.zone == zone);
        if let Some(stay) = known {
            *stay = restored;
        } else if visitor.stays.len() < ZONES_PER_CLIENT_MAX {
            visitor.stays.push(restored);
        } else {
            self.refused += 1;
        }
    }

    /// Gives up a client; it leaves where it is inside.
    pub fn forget(&mut self, client: u64) {
        if let Some(visitor) = self.clients.remove(&client) {
            self.give_up(client, &visitor);
        }
    }

    /// Gives up all clients that are not wanted; they leave where they are inside.
    pub fn retain(&mut self, mut wanted: impl FnMut(u64) -> bool) {
        let clients = self.clients.keys().copied();
        let gone: Vec<u64> = clients.filter(|client| !wanted(*client)).collect();
        for client in gone {
            self.forget(client);
        }
    }

    /// What has happened, in the order in which it was found out.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Who is inside which zone, since when, and whether the length of the stay was told.
    pub fn inside(&self) -> impl Iterator<Item = (u64, ZoneIndex, u64, bool)> {
        self.clients.iter().flat_map(|(client, visitor)| {
            visitor.stays.iter().filter_map(|stay| match stay.phase {
                Phase::Nearing => None,
                Phase::Inside { dwelt, .. } => {
                    Some((*client, zone_index(stay.zone), stay.since_us, dwelt))
                }
            })
        })
    }

    /// Clients that are in a zone or near one.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How often somebody was not taken for a visitor, since
    /// [`ZONE_CLIENTS_MAX`] clients were, or [`ZONES_PER_CLIENT_MAX`] zones overlap.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Lets a fix speak for or against the stays of a client that has some.
    fn revisit(&mut self, client: u64, place: &Place, fix: &Fix) {
        let Entry::Occupied(mut entry) = self.clients.entry(client) else {
            return;
        };
        let (now_us, fences, changes) = (self.now_us, &self.fences, &mut self.changes);
        let visitor = entry.get_mut();
        let heard_at_us = visitor.heard_at_us;
        visitor.stays.retain_mut(|stay| {
            let zone = stay.zone;
            let fence = &fences[zone];
            // First what the time before this fix has brought.
            let judged = match fence.wait(heard_at_us, now_us, stay) {
                Ok(()) if !fix.flags.teleport => fence.judge(place, fix, now_us, stay),
                waited => waited.map(|()| None),
            };
            let (Ok(news) | Err(news)) = judged;
            let dwelt = judged.is_ok().then(|| fence.dwells(stay, now_us)).flatten();
            let news = news.into_iter().chain(dwelt);
            changes.extend(news.map(|kind| change(client, zone, kind)));
            judged.is_ok()
        });
        visitor.heard_at_us = now_us;
        if visitor.stays.is_empty() {
            entry.remove();
        }
    }

    /// Looks for zones of the fix's floor that the client is not near yet.
    fn approach(&mut self, client: u64, place: &Place, fix: &Fix) {
        let Some(zones) = self.floors.get(usize::from(fix.floor.0)) else {
            return;
        };
        for zone in zones.clone() {
            if !place.may_reach(&self.bars[zone]) {
                continue;
            }
            let fence = &self.fences[zone];
            let is_near = |visitor: &Visitor| visitor.stays.iter().any(|stay| stay.zone == zone);
            if fix.floor_probability < fence.enter_probability
                || self.clients.get(&client).is_some_and(is_near)
                || fence.probability(place, fix) < fence.enter_probability
            {
                continue;
            }
            if !self.has_room(client) {
                continue;
            }
            let (now_us, fence) = (self.now_us, &self.fences[zone]);
            let visitor = self.clients.entry(client).or_insert_with(|| Visitor {
                heard_at_us: now_us,
                stays: Vec::with_capacity(1),
            });
            let mut stay = Stay {
                zone,
                since_us: now_us,
                phase: Phase::Nearing,
            };
            let entered = stay.enter(fence, now_us);
            let dwelt = fence.dwells(&mut stay, now_us);
            visitor.stays.push(stay);
            let kinds = entered.into_iter().chain(dwelt);
            self.changes
                .extend(kinds.map(|kind| change(client, zone, kind)));
        }
    }

    /// Whether a client may have one stay more; counts if not.
    fn has_room(&mut self, client: u64) -> bool {
        let has_room = match self.clients.get(&client) {
            Some(visitor) => visitor.stays.len() < ZONES_PER_CLIENT_MAX,
            None => self.clients.len() < ZONE_CLIENTS_MAX,
        };
        self.refused += u64::from(!has_room);
        has_room
    }

    fn give_up(&mut self, client: u64, visitor: &Visitor) {
        let inside = visitor
            .stays
            .iter()
            .filter(|stay| stay.phase != Phase::Nearing);
        let kind = ChangeKind::Left {
            at_us: self.now_us,
            reason: LeaveReason::Forgotten,
        };
        self.changes
            .extend(inside.map(|stay| change(client, stay.zone, kind)));
    }
}

impl Stay {
    /// Nearing becomes inside when it has lasted for long enough.
    fn enter(&mut self, fence: &Fence, now_us: u64) -> Option<ChangeKind> {
        let since_us = self.since_us;
        (now_us - since_us >= fence.enter_after_us).then(|| {
            self.phase = Phase::Inside {
                leaving_since_us: None,
                dwelt: false,
            };
            ChangeKind::Entered { since_us }
        })
    }
}

fn change(client: u64, zone: usize, kind: ChangeKind) -> Change {
    Change {
        client,
        zone: zone_index(zone),
        kind,
    }
}

fn zone_index(zone: usize) -> ZoneIndex {
    ZoneIndex(u32::try_from(zone).unwrap_or(u32::MAX))
}

/// Microseconds of a time from a site file, which is neither negative nor long.
fn whole_us(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}
