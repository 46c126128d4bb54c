//! Devices that are only counted: how many, and how strongly they were heard, minute by minute.

use std::collections::HashMap;

use wire::frame::{Counted, SIGNAL_CLASSES_DBM};

use crate::address::Address;
use crate::limits::{COUNT_INTERVAL, RANDOMISED_CLIENTS_MAX};

/// Counts devices per interval by signal class, and forgets who they were when it is over.
///
/// Times are microseconds of the clock that stamps observations. Memory is taken at the start.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The class of the strongest frame of each device of the running interval.
    devices: HashMap<Address, u8>,
    frames: [u32; 4],
    began_us: Option<u64>,
    interval: u32,
    last: Option<Counted>,
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self {
            devices: HashMap::with_capacity(RANDOMISED_CLIENTS_MAX),
            frames: [0; 4],
            began_us: None,
            interval: 0,
            last: None,
        }
    }

    /// One of them was heard. Devices beyond [`RANDOMISED_CLIENTS_MAX`] are heard but not told apart.
    pub(super) fn handle(&mut self, address: Address, rssi_dbm: Option<i8>, heard_at_us: u64) {
        self.handle_time(heard_at_us);
        let class = class_of(rssi_dbm);
        self.frames[usize::from(class)] = self.frames[usize::from(class)].saturating_add(1);
        if let Some(strongest) = self.devices.get_mut(&address) {
            *strongest = class.min(*strongest);
        } else if self.devices.len() < RANDOMISED_CLIENTS_MAX {
            self.devices.insert(address, class);
        }
    }

    /// It is this late: closes the interval if it is over.
    pub(super) fn handle_time(&mut self, now_us: u64) {
        let began_us = *self.began_us.get_or_insert(now_us);
        if now_us.saturating_sub(began_us) >= COUNT_INTERVAL.as_micros() as u64 {
            self.close(now_us);
        }
    }

    /// Closes the interval, be it over or not: the agent leaves.
    pub(super) fn close(&mut self, now_us: u64) {
        let length_us = now_us.saturating_sub(self.began_us.unwrap_or(now_us));
        let mut devices = [0; 4];
        for (_, class) in self.devices.drain() {
            devices[usize::from(class)] += 1;
        }
        self.last = Some(Counted {
            interval: self.interval,
            length_ms: u32::try_from(length_us / 1_000).unwrap_or(u32::MAX),
            devices,
            frames: std::mem::take(&mut self.frames),
        });
        self.interval = self.interval.wrapping_add(1);
        self.began_us = Some(now_us);
    }

    /// The last interval that is over.
    pub(super) fn last(&self) -> Option<Counted> {
        self.last
    }
}

/// 0 for the strongest; what was not measured is as good as weak.
fn class_of(rssi_dbm: Option<i8>) -> u8 {
    let class = rssi_dbm.and_then(|rssi_dbm| {
        let least = SIGNAL_CLASSES_DBM.iter();
        least.zip(0..).find(|(least, _)| rssi_dbm >= **least)
    });
    class.map_or(SIGNAL_CLASSES_DBM.len() as u8, |(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn device(n: u32) -> Address {
        let [a, b, c, d] = n.to_be_bytes();
        Address::new([0x02, 0, a, b, c, d])
    }

    #[test]
    fn classes_are_bounded_below() {
        let check = |rssi_dbm, class| assert_eq!(class_of(rssi_dbm), class, "{rssi_dbm:?}");
        check(Some(0), 0);
        check(Some(-50), 0);
        check(Some(-51), 1);
        check(Some(-65), 1);
        check(Some(-66), 2);
        check(Some(-80), 2);
        check(Some(-81), 3);
        check(None, 3);
    }

    #[test]
    fn a_device_counts_once_in_the_class_of_its_strongest_frame() {
        let mut crowd = Crowd::new();
        crowd.handle(device(1), Some(-70), 5 * SECOND_US);
        crowd.handle(device(1), Some(-40), 6 * SECOND_US);
        crowd.handle(device(1), Some(-90), 7 * SECOND_US);
        crowd.handle(device(2), Some(-90), 8 * SECOND_US);
        crowd.handle_time(64 * SECOND_US);
        assert_eq!(crowd.last(), None, "the minute is not over");
        crowd.handle_time(65 * SECOND_US);
        let first = Counted {
            interval: 0,
            length_ms: 60_000,
            devices: [1, 0, 0, 1],
            frames: [1, 0, 1, 2],
        };
        assert_eq!(crowd.last(), Some(first));
        // The next interval knows nothing of it.
        crowd.handle(device(1), Some(-70), 66 * SECOND_US);
        crowd.close(67 * SECOND_US);
        let second = Counted {
            interval: 1,
            length_ms: 2_000,
            devices: [0, 0, 1, 0],
            frames: [0, 0, 1, 0],
        };
        assert_eq!(crowd.last(), Some(second));
    }

    #[test]
    fn memory_is_bounded() {
        let mut crowd = Crowd::new();
        let capacity = crowd.devices.capacity();
        for n in 0..2 * RANDOMISED_CLIENTS_MAX as u32 {
            crowd.handle(device(n), Some(-70), u64::from(n));
        }
        assert_eq!(crowd.devices.capacity(), capacity);
        crowd.close(SECOND_US);
        let counted = crowd.last().unwrap();
        assert_eq!(counted.devices[2] as usize, RANDOMISED_CLIENTS_MAX);
        assert_eq!(counted.frames[2] as usize, 2 * RANDOMISED_CLIENTS_MAX);
    }
}
