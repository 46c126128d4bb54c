//! One observation for many: the mean of what a radio heard of a client in a short interval.
//!
//! For devices that must save: a client that sends a hundred frames a second costs as much as one
//! that sends five. Off unless configured. All memory is taken at the start.

use std::collections::{HashMap, VecDeque};

use wire::{ClientId, Observation};

use crate::limits::COALESCED_CLIENTS_MAX;

/// Gathers observations of the same client by the same radio and gives out their mean.
///
/// Times are microseconds of the clock that stamps observations. A client's interval begins with
/// its first observation; when the table is full, the one that began first ends early, so that
/// nothing is lost.
#[derive(Debug)]
pub struct Coalescer {
    interval_us: u64,
    /// In the order in which their intervals began.
    gathered: VecDeque<Gathered>,
    /// The number of each in that order, counted from the first there ever was.
    numbers: HashMap<(ClientId, u8), u64>,
    /// The number of the first in `gathered`.
    first_number: u64,
    merged: u64,
}

#[derive(Debug, Clone, Copy)]
struct Gathered {
    last: Observation,
    began_us: u64,
    sum_dbm: i32,
    strengths: i32,
}

impl Coalescer {
    /// An empty table with intervals of this length.
    pub fn new(interval_us: u64) -> Self {
        Self {
            interval_us,
            gathered: VecDeque::with_capacity(COALESCED_CLIENTS_MAX),
            // With this much room, what was removed is cleared away without growing.
            numbers: HashMap::with_capacity(2 * COALESCED_CLIENTS_MAX),
            first_number: 0,
            merged: 0,
        }
    }

    /// Takes an observation; what is complete by its time goes to `out`.
    ///
    /// A measured distance is no mean of others: such an observation goes out at once.
    pub fn handle(&mut self, observation: Observation, out: &mut impl FnMut(Observation)) {
        if observation.range.is_some() {
            return out(observation);
        }
        self.handle_time(observation.heard_at_us, out);
        let key = (observation.client, observation.radio);
        let place = self
            .numbers
            .get(&key)
            .map(|number| number - self.first_number);
        if let Some(gathered) = place.and_then(|place| self.gathered.get_mut(place as usize)) {
            gathered.add(&observation);
            self.merged += 1;
            return;
        }
        if self.gathered.len() == COALESCED_CLIENTS_MAX {
            self.release(out);
        }
        self.numbers
            .insert(key, self.first_number + self.gathered.len() as u64);
        self.gathered.push_back(Gathered::new(observation));
    }

    /// Gives out all whose interval is over at this time.
    pub fn handle_time(&mut self, now_us: u64, out: &mut impl FnMut(Observation)) {
        while self.poll_timeout().is_some_and(|due_us| due_us <= now_us) {
            self.release(out);
        }
    }

    /// Gives out everything, be its interval over or not.
    pub fn flush(&mut self, out: &mut impl FnMut(Observation)) {
        while !self.gathered.is_empty() {
            self.release(out);
        }
    }

    /// When an interval is over next.
    pub fn poll_timeout(&self) -> Option<u64> {
        let first = self.gathered.front()?;
        Some(first.began_us.saturating_add(self.interval_us))
    }

    /// When the earliest observation was heard that is still gathered. Looks at all of them.
    pub fn heard_first_us(&self) -> Option<u64> {
        self.gathered.iter().map(|gathered| gathered.began_us).min()
    }

    /// Observations that went into others.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    fn release(&mut self, out: &mut impl FnMut(Observation)) {
        let Some(gathered) = self.gathered.pop_front() else {
            return;
        };
        self.first_number += 1;
        self.numbers
            .remove(&(gathered.last.client, gathered.last.radio));
        out(gathered.mean());
    }
}

impl Gathered {
    fn new(observation: Observation) -> Self {
        Self {
            last: observation,
            began_us: observation.heard_at_us,
            sum_dbm: observation.rssi_dbm.map_or(0, i32::from),
            strengths: observation.rssi_dbm.map_or(0, |_| 1),
        }
    }

    fn add(&mut self, observation: &Observation) {
        self.sum_dbm += observation.rssi_dbm.map_or(0, i32::from);
        self.strengths += observation.rssi_dbm.map_or(0, |_| 1);
        self.began_us = self.began_us.min(observation.heard_at_us);
        self.last = Observation {
            heard_at_us: observation.heard_at_us.max(self.last.heard_at_us),
            noise_dbm: observation.noise_dbm.or(self.last.noise_dbm),
            associated: observation.associated || self.last.associated,
            ..*observation
        };
    }

    /// The last observation, with the mean strength, at the middle of the times.
    fn mean(&self) -> Observation {
        // Halves go away from zero.
        let rounded = |sum: i32, count: i32| (2 * sum + sum.signum() * count) / (2 * count);
        let mean_dbm = (self.strengths > 0).then(|| rounded(self.sum_dbm, self.strengths));
        Observation {
            heard_at_us: self.began_us.midpoint(self.last.heard_at_us),
            rssi_dbm: mean_dbm.and_then(|dbm| i8::try_from(dbm).ok()),
            ..self.last
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Kind, Range};

    use super::*;

    fn heard(client: u64, rssi_dbm: i8, heard_at_us: u64) -> Observation {
        Observation {
            client: ClientId(client),
            heard_at_us,
            radio: 0,
            rssi_dbm: Some(rssi_dbm),
            noise_dbm: None,
            channel: 6,
            kind: Kind::Data,
            randomised: false,
            associated: false,
            range: None,
        }
    }

    /// What comes out for these, up to a time: client, strength, time.
    fn check(heard: &[Observation], now_us: u64, expected: &[(u64, i8, u64)]) {
        let mut coalescer = Coalescer::new(200);
        let mut told = Vec::new();
        let mut out = |o: Observation| told.push((o.client.0, o.rssi_dbm.unwrap(), o.heard_at_us));
        heard
            .iter()
            .for_each(|one| coalescer.handle(*one, &mut out));
        coalescer.handle_time(now_us, &mut out);
        assert_eq!(told, expected);
    }

    #[test]
    fn an_interval_gives_one_mean() {
        let three = [heard(1, -60, 100), heard(1, -70, 150), heard(1, -62, 200)];
        check(&three, 299, &[]);
        check(&three, 300, &[(1, -64, 150)]);
        check(
            &[heard(1, -60, 100), heard(1, -70, 300)],
            300,
            &[(1, -60, 100)],
        );
        check(
            &[heard(1, -60, 100), heard(2, -70, 110), heard(1, -61, 120)],
            310,
            &[(1, -61, 110), (2, -70, 110)],
        );
    }

    #[test]
    fn radios_are_kept_apart_and_flags_are_gathered() {
        let mut coalescer = Coalescer::new(200);
        let other = Observation {
            radio: 1,
            ..heard(1, -40, 0)
        };
        let associated = Observation {
            associated: true,
            noise_dbm: Some(-95),
            ..heard(1, -60, 1)
        };
        let mut told = Vec::new();
        for one in [associated, other, heard(1, -60, 2)] {
            coalescer.handle(one, &mut |o| told.push(o));
        }
        coalescer.flush(&mut |o| told.push(o));
        assert_eq!(told.len(), 2);
        assert!(told[0].associated && told[0].noise_dbm == Some(-95));
        assert_eq!((told[1].radio, coalescer.merged()), (1, 1));
    }

    #[test]
    fn ranges_do_not_wait() {
        let ranging = Observation {
            range: Some(Range {
                distance_mm: 1_000,
                deviation_mm: None,
            }),
            ..heard(1, -60, 0)
        };
        let mut told = Vec::new();
        Coalescer::new(200).handle(ranging, &mut |o| told.push(o));
        assert_eq!(told, [ranging]);
    }

    #[test]
    fn a_full_table_ends_the_oldest_early_and_never_grows() {
        let mut coalescer = Coalescer::new(u64::MAX);
        let (entries, numbers) = (coalescer.gathered.capacity(), coalescer.numbers.capacity());
        let many = 5 * COALESCED_CLIENTS_MAX as u64;
        let mut told = Vec::new();
        for client in 0..many {
            coalescer.handle(heard(client, -60, client), &mut |o| told.push(o.client.0));
        }
        assert!(told.into_iter().eq(0..many - COALESCED_CLIENTS_MAX as u64));
        assert_eq!(
            coalescer.heard_first_us(),
            Some(many - COALESCED_CLIENTS_MAX as u64)
        );
        assert_eq!(coalescer.gathered.capacity(), entries);
        // Places that were emptied do not count until they are cleared away.
        assert!(coalescer.numbers.capacity() <= numbers);
        coalescer.flush(&mut |_| {});
        assert!(coalescer.numbers.is_empty() && coalescer.poll_timeout().is_none());
    }
}
