//! One site in a worker's hands: fold rows into lines, sweep lines into fixes.

use std::sync::Arc;

use locate::{Fix, Locator, Model, RangeReading, Sighting};
use site::{RadioIndex, Site};
use wire::ClientId;

use crate::beacons::{Beacon, Beacons};
use crate::limits::{CLIENT_SILENCE_MAX, RADIOS_PER_CLIENT_MAX, SEGMENTS};
use crate::line::{Line, Moment};
use crate::outlet::{Outlet, SentFix};
use crate::probe::Probes;
use crate::question::ClientWindow;
use crate::ranges::{RangeLines, RangeSlot};
use crate::table::{Place, Table};
use crate::watch::Watches;

mod answer;

/// A row ready to be folded: radio and time are known to the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) key: u64,
    pub(crate) radio: u16,
    pub(crate) rssi_dbm: Option<i8>,
    pub(crate) range: Option<RangeReading>,
    pub(crate) heard_us: u64,
}

/// How a shard behaves.
#[derive(Debug, Clone, Copy)]
pub struct ShardConfig {
    /// Fixes per second and client.
    pub fix_hz: f64,
    /// Oldest sighting that takes part in a fix, in seconds.
    pub window_s: f32,
    /// Most clients.
    pub clients_max: usize,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            fix_hz: 1.0,
            window_s: 3.0,
            clients_max: 4_000_000,
        }
    }
}

/// A site: the window of each client, and the solver.
#[derive(Debug)]
pub struct Shard {
    site: usize,
    config: ShardConfig,
    locator: Locator,
    table: Table,
    ranges: RangeLines,
    probes: Probes,
    beacons: Beacons,
    watches: Watches,
    sweep: Sweep,
    /// Time of the last sweep: in a replay that of the recording, to which all times here belong.
    swept_at_us: Option<u64>,
}

/// Where the sweep stands. Segment s of round k is due at `began + (k + s / SEGMENTS) / fix_hz`.
#[derive(Debug, Default)]
struct Sweep {
    began_us: Option<u64>,
    segments_done: u64,
    next_slot: usize,
    rounds_skipped: u64,
}

impl Shard {
    /// A shard for the building with this index and model.
    pub fn new(site: usize, building: &Site, model: Arc<Model>, config: ShardConfig) -> Self {
        Self {
            site,
            beacons: Beacons::new(building),
            watches: Watches::default(),
            config,
            locator: Locator::new(model),
            table: Table::new(config.clients_max),
            ranges: RangeLines::default(),
            probes: Probes::default(),
            sweep: Sweep::default(),
            swept_at_us: None,
        }
    }

    /// Clients remembered.
    pub fn clients(&self) -> usize {
        self.table.clients()
    }

    /// Rounds of the sweep that were skipped because the worker was busy for longer than a round.
    pub fn rounds_skipped(&self) -> u64 {
        self.sweep.rounds_skipped
    }

    /// Which of a batch's rows to follow to its fix, if any.
    pub(crate) fn row_to_follow(&mut self, len: usize) -> Option<usize> {
        self.probes.row_to_follow(len)
    }

    /// Finds or makes the client's line; `None` when the site is full.
    #[inline]
    pub(crate) fn place(&mut self, key: u64) -> Option<Place> {
        self.table.place(key)
    }

    /// Folds a reading into the line at its place.
    #[inline]
    pub(crate) fn fold(&mut self, place: Place, reading: &Reading, follow: bool) {
        let heard = Moment::from_us(reading.heard_us);
        let mut kept = false;
        if let (Some(rssi), Some(line)) = (reading.rssi_dbm, self.table.line_at(place, reading.key))
        {
            kept = line.fold(reading.radio, rssi, heard);
        }
        if let Some(range) = reading.range {
            self.ranges.fold(reading.key, reading.radio, range, heard);
            kept = true;
        }
        if follow && kept {
            self.probes.follow(reading.key, reading.heard_us);
        }
    }

    /// Folds a beacon; false when it is of no other anchor of the site.
    pub(crate) fn fold_beacon(&mut self, beacon: &Beacon) -> bool {
        self.beacons.fold(beacon)
    }

    /// Sweeps what is due, at most so many solves; returns how many were made.
    pub(crate) fn sweep_due(&mut self, now_us: u64, solves_max: usize, out: &mut Outlet) -> usize {
        self.swept_at_us = Some(now_us);
        let began = *self.sweep.began_us.get_or_insert(now_us);
        let rounds = now_us.saturating_sub(began) as f64 * 1e-6 * self.config.fix_hz;
        let due = (rounds * SEGMENTS as f64) as u64;
        let behind = due.saturating_sub(self.sweep.segments_done);
        if behind > SEGMENTS as u64 {
            let skipped = (behind - 1) / SEGMENTS as u64;
            self.sweep.segments_done += skipped * SEGMENTS as u64;
            self.sweep.rounds_skipped += skipped;
        }
        let mut solves = 0;
        while self.sweep.segments_done < due && solves < solves_max {
            let index = (self.sweep.segments_done % SEGMENTS as u64) as usize;
            solves += self.sweep_segment(index, now_us, solves_max - solves, out);
            if self.sweep.next_slot == 0 {
                self.sweep.segments_done += 1;
            }
        }
        solves
    }

    /// Sweeps every client at once: a replay's clock has reached the end of an interval.
    pub(crate) fn sweep_all(&mut self, now_us: u64, out: &mut Outlet) {
        self.swept_at_us = Some(now_us);
        for index in 0..SEGMENTS {
            self.sweep_segment(index, now_us, usize::MAX, out);
        }
    }

    /// Forgets everything: a replay's clock has jumped.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.ranges.clear();
        self.beacons.clear();
        self.probes = Probes::default();
    }

    /// Sweeps a segment from where it was left; `next_slot` is 0 again when it is through.
    fn sweep_segment(
        &mut self,
        index: usize,
        now_us: u64,
        solves_max: usize,
        out: &mut Outlet,
    ) -> usize {
        let now = Moment::from_us(now_us);
        let mut solves = 0;
        while self.sweep.next_slot < self.table.segment(index).slots() {
            if solves == solves_max {
                return solves;
            }
            match self.visit(index, self.sweep.next_slot, now, now_us, out) {
                Visit::Solved => solves += 1,
                Visit::Quiet => {}
                // The gap was closed with a client that still has to be visited.
                Visit::Forgotten => continue,
            }
            self.sweep.next_slot += 1;
        }
        self.sweep.next_slot = 0;
        solves
    }

    fn visit(
        &mut self,
        index: usize,
        slot: usize,
        now: Moment,
        now_us: u64,
        out: &mut Outlet,
    ) -> Visit {
        let Some((line, track)) = self.table.segment(index).client(slot) else {
            return Visit::Quiet;
        };
        let key = line.key();
        let ranges = self.ranges.slots(key);
        if !line.is_fresh() && ranges.iter().all(|slot| slot.fresh == 0) {
            return self.forget_if_silent(index, slot, now);
        }
        let mut sightings = [NOTHING; 2 * RADIOS_PER_CLIENT_MAX];
        let observations =
            line.observations() + ranges.iter().map(|s| u32::from(s.fresh)).sum::<u32>();
        let len = gather(line, ranges, now, self.config.window_s, &mut sightings);
        let watched = self.watches.want(key).then(|| {
            let older = gather_older(line, ranges, now, self.config.window_s);
            (older, *track)
        });
        line.mark_used();
        // Gathered already: what is old enough goes, before its time wraps and it looks new.
        line.expire(now, silence_steps());
        let fix = self
            .locator
            .locate(&sightings[..len], track, now_us as f64 * 1e-6)
            .map(|fix| Fix {
                observations,
                ..fix
            });
        if let Some((older, before)) = watched {
            self.watches.give(&ClientWindow {
                client: ClientId(key),
                sightings: sightings[..len].to_vec(),
                older,
                track_before: Some(before),
                track: *track,
                fix,
                at_us: now_us,
                model: self.locator.model().clone(),
            });
        }
        self.ranges.mark_used(key);
        self.ranges.expire(key, now, silence_steps());
        if let Some(fix) = fix {
            out.send(SentFix {
                site: self.site,
                client: ClientId(key),
                fix,
                sent_at_us: now_us,
            });
            self.probes.arrive(key, now_us, out);
        }
        Visit::Solved
    }

    fn forget_if_silent(&mut self, index: usize, slot: usize, now: Moment) -> Visit {
        let steps = silence_steps();
        let Some((line, _)) = self.table.segment(index).client(slot) else {
            return Visit::Quiet;
        };
        let key = line.key();
        let silent = line.expire(now, steps);
        if !silent || !self.ranges.expire(key, now, steps) {
            return Visit::Quiet;
        }
        self.probes.forget(key);
        self.table.remove(key);
        Visit::Forgotten
    }
}

/// How long a radio may be silent about a client, in steps of [`Moment`].
fn silence_steps() -> u16 {
    Moment::from_us(CLIENT_SILENCE_MAX.as_micros() as u64).steps_since(Moment::from_us(0))
}

enum Visit {
    Solved,
    Quiet,
    Forgotten,
}

const NOTHING: Sighting = Sighting {
    radio: RadioIndex(0),
    rssi_dbm: None,
    count: 1,
    age_s: 0.0,
    range: None,
};

/// The readings that are too old to count, for those who ask what became of them.
fn gather_older(line: &Line, ranges: &[RangeSlot], now: Moment, window_s: f32) -> Vec<Sighting> {
    let mut all = [NOTHING; 2 * RADIOS_PER_CLIENT_MAX];
    let mut counted = all;
    let len = gather(line, ranges, now, f32::INFINITY, &mut all);
    let counted_len = gather(line, ranges, now, window_s, &mut counted);
    let is_counted = |radio| counted[..counted_len].iter().any(|s| s.radio == radio);
    all[..len]
        .iter()
        .filter(|sighting| !is_counted(sighting.radio))
        .copied()
        .collect()
}

/// Writes a client's sightings young enough to count; a radio with both kinds gives one sighting.
fn gather(
    line: &Line,
    ranges: &[RangeSlot],
    now: Moment,
    window_s: f32,
    out: &mut [Sighting; 2 * RADIOS_PER_CLIENT_MAX],
) -> usize {
    let mut len = 0;
    for slot in line.slots() {
        let age_s = now.seconds_since(slot.heard);
        if slot.fresh > 0 || age_s <= window_s {
            out[len] = Sighting {
                radio: RadioIndex(slot.radio),
                rssi_dbm: Some(slot.rssi_dbm),
                count: u16::from(slot.fresh.max(1)),
                age_s,
                range: None,
            };
            len += 1;
        }
    }
    for slot in ranges {
        let age_s = now.seconds_since(slot.heard);
        if slot.fresh == 0 && age_s > window_s {
            continue;
        }
        match out[..len]
            .iter_mut()
            .find(|sighting| sighting.radio.0 == slot.radio)
        {
            Some(sighting) => sighting.range = Some(slot.reading),
            None => {
                out[len] = Sighting {
                    radio: RadioIndex(slot.radio),
                    rssi_dbm: None,
                    count: u16::from(slot.fresh.max(1)),
                    age_s,
                    range: Some(slot.reading),
                };
                len += 1;
            }
        }
    }
    len
}
