//! A data set has one clock per walk or place; a recording has one for all.

use std::collections::HashMap;

use wire::frame::RadioHello;
use wire::{ApName, ClientId, ClientName, Kind, Range};

use super::{Anchor, Dataset, Epoch, Reading, Split};
use crate::channel::Channel;
use crate::pseudonym::named_client_id;
use crate::source::replay::Replay;
use crate::source::{Heard, Transmitter};

/// How epochs are put on one time line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimelineOptions {
    /// Epochs to play; `None` for all.
    pub split: Option<Split>,
    /// Who a client is.
    pub identity: Identity,
    /// Time between the end of one walk or place and the begin of the next, in seconds: longer than
    /// a window, so that no fix mixes two of them.
    pub pause_s: f64,
    /// When the first one begins, in microseconds of the recording's clock.
    pub begin_us: u64,
}

/// Who a client of the data set is when the set is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The device: it jumps from place to place.
    Device,
    /// Each walk and each place of a device is a client of its own: tracks never jump.
    Segment,
}

/// When each epoch is played, and under which client. Walks and places follow one another in the
/// order of the set.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    segments: Vec<Segment>,
    segment_of_epoch: Vec<Option<usize>>,
    end_us: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Segment {
    client: ClientId,
    name: ClientName,
    first_t_s: f64,
    last_t_s: f64,
    begin_us: u64,
}

impl Timeline {
    /// When a time of an epoch's own clock is played; `None` if the epoch is not played.
    pub fn time_us(&self, epoch: usize, t_s: f64) -> Option<u64> {
        let segment = self.segment(epoch)?;
        Some(segment.begin_us + micros((t_s - segment.first_t_s).max(0.0)))
    }

    /// Under which client an epoch is played.
    pub fn client(&self, epoch: usize) -> Option<(ClientId, &ClientName)> {
        self.segment(epoch)
            .map(|segment| (segment.client, &segment.name))
    }

    /// Ids and names of all clients.
    pub fn names(&self) -> Vec<(ClientId, ClientName)> {
        let mut names: Vec<_> = self
            .segments
            .iter()
            .map(|s| (s.client, s.name.clone()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// When the last segment has ended.
    pub fn end_us(&self) -> u64 {
        self.end_us
    }

    fn segment(&self, epoch: usize) -> Option<&Segment> {
        let index = (*self.segment_of_epoch.get(epoch)?)?;
        self.segments.get(index)
    }
}

impl Dataset {
    /// Puts the epochs on one time line.
    pub fn timeline(&self, options: &TimelineOptions) -> Timeline {
        let mut segments: Vec<Segment> = Vec::new();
        let mut index_of: HashMap<(&str, &str), usize> = HashMap::new();
        let mut segment_of_epoch = Vec::with_capacity(self.epochs.len());
        for epoch in &self.epochs {
            if options.split.is_some_and(|split| split != epoch.split) {
                segment_of_epoch.push(None);
                continue;
            }
            let index = *index_of.entry(segment_key(epoch)).or_insert_with(|| {
                segments.push(Segment::new(epoch, options.identity));
                segments.len() - 1
            });
            segments[index].take_in(epoch.t_s);
            segment_of_epoch.push(Some(index));
        }
        self.take_in_readings(&mut segments, &segment_of_epoch);
        let mut next_us = options.begin_us;
        for segment in &mut segments {
            segment.begin_us = next_us;
            let length_s = segment.last_t_s - segment.first_t_s + options.pause_s.max(0.0);
            next_us += micros(length_s);
        }
        Timeline {
            segments,
            segment_of_epoch,
            end_us: next_us,
        }
    }

    /// What the radios `anchors` (indices into [`Dataset::anchors`]) heard, as one agent's replay;
    /// the order of `anchors` is that of its radios.
    pub fn replay(&self, timeline: &Timeline, anchors: &[usize]) -> Replay {
        let radio_of: HashMap<usize, u8> = anchors.iter().copied().zip(0..).collect();
        let heard = self.readings.iter().filter_map(|reading| {
            let radio = *radio_of.get(&reading.anchor)?;
            let (client, _) = timeline.client(reading.epoch)?;
            let heard_at_us = timeline.time_us(reading.epoch, reading.t_s)?;
            Some(heard(
                reading,
                &self.anchors[reading.anchor],
                client,
                heard_at_us,
                radio,
            ))
        });
        Replay {
            heard: heard.collect(),
            radios: anchors
                .iter()
                .map(|&index| radio_hello(&self.anchors[index]))
                .collect(),
            names: timeline.names(),
            notice: None,
        }
    }

    /// Packets of an epoch may lie around its own time.
    fn take_in_readings(&self, segments: &mut [Segment], segment_of_epoch: &[Option<usize>]) {
        for reading in &self.readings {
            if let Some(index) = segment_of_epoch[reading.epoch] {
                segments[index].take_in(reading.t_s);
            }
        }
    }
}

impl Segment {
    fn new(epoch: &Epoch, identity: Identity) -> Self {
        let name = match identity {
            Identity::Device => legal_name(&epoch.client),
            Identity::Segment => {
                let (client, walk_or_place) = segment_key(epoch);
                legal_name(&format!("{client}.{walk_or_place}"))
            }
        };
        Self {
            client: named_client_id(&name),
            name,
            first_t_s: epoch.t_s,
            last_t_s: epoch.t_s,
            begin_us: 0,
        }
    }

    fn take_in(&mut self, t_s: f64) {
        self.first_t_s = self.first_t_s.min(t_s);
        self.last_t_s = self.last_t_s.max(t_s);
    }
}

fn segment_key(epoch: &Epoch) -> (&str, &str) {
    (
        &epoch.client,
        epoch.trajectory.as_deref().unwrap_or(&epoch.place),
    )
}

/// The text as a name may be: other characters become `-`, what is too long is cut.
fn legal_name(text: &str) -> ClientName {
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let text: String = text
        .chars()
        .take(wire::id::NAME_BYTES_MAX)
        .map(legal)
        .collect();
    ClientName::new(text).expect("a row without a client is refused, and all characters are legal")
}

fn radio_hello(anchor: &Anchor) -> RadioHello {
    let name = legal_name(anchor.ap());
    let ap = ApName::new(name.as_str()).expect("names of clients and APs have one rule");
    RadioHello {
        ap,
        band: anchor.band.clone(),
    }
}

fn heard(
    reading: &Reading,
    anchor: &Anchor,
    client: ClientId,
    heard_at_us: u64,
    radio: u8,
) -> Heard {
    let channel = anchor
        .freq_mhz
        .and_then(|freq_mhz| Channel::at_mhz(freq_mhz.round() as u16));
    Heard {
        from: Transmitter::Client(client),
        heard_at_us,
        radio,
        rssi_dbm: reading.rssi_dbm.map(|rssi| rssi.round() as i8),
        noise_dbm: None,
        channel: channel.map_or(0, |channel| channel.number),
        kind: match (reading.range_m, anchor.band.as_str()) {
            (Some(_), _) => Kind::Ranging,
            (None, "ble") => Kind::Advertisement,
            (None, _) => Kind::Other,
        },
        associated: false,
        range: reading.range_m.map(|range_m| Range {
            distance_mm: (range_m * 1_000.0).round() as i32,
            // A device that states 0 states nothing.
            deviation_mm: reading
                .range_std_m
                .filter(|deviation_m| *deviation_m > 0.0)
                .map(|deviation_m| (deviation_m * 1_000.0).round() as u16),
        }),
    }
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}
