//! One site in a worker's hands: fold rows into lines, sweep lines into fixes.

use std::sync::Arc;

use locate::{Locator, Model, RangeReading};
use site::Site;

use crate::beacons::{Beacon, Beacons};
use crate::limits::RADIOS_PER_CLIENT_MAX;
use crate::line::{Dial, Line, Sightings};
use crate::machine::{GROUP, Plain, Words};
use crate::moment::Moment;
use crate::probe::Probes;
use crate::ranges::RangeLines;
use crate::table::Table;
use crate::watch::Watches;

mod answer;
mod gather;
mod sweep;

use gather::{Gathered, NOTHING};
pub(crate) use sweep::Budget;
use sweep::Sweep;

/// A row ready to be folded: radio and time are known to the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) key: u64,
    pub(crate) radio: u16,
    pub(crate) rssi_dbm: Option<i8>,
    pub(crate) range: Option<RangeReading>,
    pub(crate) heard_us: u64,
}

/// A bit for each lane of a group.
pub(crate) const ALL_LANES: u32 = (1 << GROUP) - 1;

/// How a shard behaves.
#[derive(Debug, Clone, Copy)]
pub struct ShardConfig {
    /// Fixes per second and client.
    pub fix_hz: f64,
    /// Oldest sighting that takes part in a fix, in seconds.
    pub window_s: f32,
    /// Most clients.
    pub clients_max: usize,
    /// A random number of the process, that no agent may know: ids can be chosen to collide in
    /// tables whose hash is known.
    pub secret: u64,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            fix_hz: 1.0,
            window_s: 3.0,
            clients_max: 4_000_000,
            secret: 0xd129_0d3e_41c5_a6b1,
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
    dial: Dial,
    ranges: RangeLines,
    probes: Probes,
    beacons: Beacons,
    watches: Watches,
    sweep: Sweep,
    /// Room for what one fix is made of.
    sightings: Box<Gathered>,
    /// Time of the last sweep: in a replay that of the recording, to which all times here belong.
    swept_at_us: Option<u64>,
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
            table: Table::new(config.clients_max, config.secret),
            dial: Dial::new(config.fix_hz),
            ranges: RangeLines::default(),
            probes: Probes::default(),
            sweep: Sweep::default(),
            sightings: Box::new([NOTHING; 2 * RADIOS_PER_CLIENT_MAX]),
            swept_at_us: None,
        }
    }

    /// Clients remembered.
    pub fn clients(&self) -> usize {
        self.table.clients()
    }

    /// Which of a batch's rows to follow to its fix, if any.
    pub(crate) fn row_to_follow(&mut self, len: usize) -> Option<usize> {
        self.probes.row_to_follow(len)
    }

    /// Tells the processor that a client will be looked up soon.
    #[inline]
    pub(crate) fn prefetch(&self, key: u64) {
        self.table.prefetch(key);
    }

    /// Tells the processor that something will be folded at an index soon.
    #[inline]
    pub(crate) fn prefetch_line(&self, index: u32) {
        self.table.prefetch_line(index);
    }

    /// The index of the client, given now if it is new; `None` when the site is full.
    #[inline]
    pub(crate) fn place(&mut self, key: u64, now: Moment) -> Option<u32> {
        self.table.place(key, now)
    }

    /// As [`Shard::place`], in vectors of a machine.
    #[inline(always)]
    pub(crate) fn place_in<W: Words>(&mut self, key: u64, now: Moment) -> Option<u32> {
        self.table.place_in::<W>(key, now)
    }

    /// Folds a signal strength into the line at an index, if there is one; says whether there is.
    #[inline(always)]
    pub(crate) fn fold_level<W: Words>(
        &mut self,
        index: u32,
        radio: u16,
        rssi_dbm: i8,
        heard: Moment,
    ) -> bool {
        let Some(line) = self.table.line_mut(index) else {
            return false;
        };
        line.fold_in::<W>(radio, rssi_dbm, heard, &self.dial);
        true
    }

    /// As [`Shard::fold_level`], if the line bears this mark; says whether it does.
    #[inline(always)]
    pub(crate) fn fold_marked<W: Words>(
        &mut self,
        (index, mark): (u32, u16),
        radio: u16,
        rssi_dbm: i8,
        heard: Moment,
    ) -> bool {
        match self.table.line_mut(index) {
            Some(line) if line.mark_in::<W>() == mark => {
                line.fold_in::<W>(radio, rssi_dbm, heard, &self.dial);
                true
            }
            _ => false,
        }
    }

    /// Folds a group into the lines at these indices; returns a bit for each lane that is left to
    /// be folded alone. That may be all of them.
    #[inline(always)]
    pub(crate) fn fold_together<W: Words>(
        &mut self,
        indices: &[u32; GROUP],
        sightings: &Sightings<'_>,
    ) -> u32 {
        match self.table.lines_apart_mut::<W>(indices) {
            Some(lines) => sightings.fold_into::<W>(lines, &self.dial),
            None => ALL_LANES,
        }
    }

    /// Folds a reading of any kind into what is kept of the client at an index.
    pub(crate) fn fold(&mut self, index: u32, reading: &Reading) {
        let heard = Moment::from_us(reading.heard_us);
        if let Some(rssi_dbm) = reading.rssi_dbm {
            self.fold_level::<Plain>(index, reading.radio, rssi_dbm, heard);
        }
        if let Some(range) = reading.range {
            self.ranges.fold(reading.key, reading.radio, range, heard);
        }
    }

    /// Follows an observation that was folded at an index to its fix, if its radio was kept.
    pub(crate) fn follow(&mut self, index: u32, radio: u16, heard_us: u64) {
        let (Some(line), Some(key)) = (self.table.line(index), self.table.key(index)) else {
            return;
        };
        let kept = line.holds(radio) || !self.ranges.slots(key).is_empty();
        if kept && !line.is_free() {
            self.probes.follow(key, heard_us);
        }
    }

    /// Keeps a client that was just named for as long as one that was just heard.
    pub(crate) fn keep(&mut self, index: u32, now: Moment) {
        if let Some(line) = self.table.line_mut(index)
            && !line.is_fresh()
        {
            line.mark_used(now, &self.dial);
        }
    }

    /// The key and mark of the client at an index, for who remembers the index.
    pub(crate) fn key_and_mark(&self, index: u32) -> Option<(u64, u16)> {
        let key = self.table.key(index)?;
        Some((key, Line::mark_of(key)))
    }

    /// Whether the line at an index bears this mark.
    pub(crate) fn bears(&self, index: u32, mark: u16) -> bool {
        self.table
            .line(index)
            .is_some_and(|line| line.mark() == mark)
    }

    /// Keys and times of the observations that are followed to their fix.
    #[cfg(test)]
    pub(crate) fn followed(&self) -> Vec<(u64, u64)> {
        self.probes.followed()
    }

    /// The line at an index.
    #[cfg(test)]
    pub(crate) fn line(&self, index: u32) -> Option<&Line> {
        self.table.line(index)
    }

    /// Folds a beacon; false when it is of no other anchor of the site.
    pub(crate) fn fold_beacon(&mut self, beacon: &Beacon) -> bool {
        self.beacons.fold(beacon)
    }

    /// Forgets everything: a replay's clock has jumped.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.ranges.clear();
        self.beacons.clear();
        self.probes = Probes::default();
    }
}
