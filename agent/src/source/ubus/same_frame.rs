//! One frame, told several times: a radio with three networks passes a probe to each of them.

use wire::Kind;

use crate::limits::{SAME_FRAME_PLACES, SAME_FRAME_WITHIN};
use crate::ubus::hostapd::Notification;

/// The frames of the last moments.
pub(super) struct LastFrames {
    places: [Option<(Notification, u64)>; SAME_FRAME_PLACES],
    next: usize,
}

impl LastFrames {
    pub(super) fn new() -> Self {
        Self {
            places: [None; SAME_FRAME_PLACES],
            next: 0,
        }
    }

    /// Whether this frame was told before; remembers it if not.
    ///
    /// Two probes of one client that are a few milliseconds apart and equally strong are taken for
    /// one: the second would have said nothing new.
    pub(super) fn has(&mut self, frame: &Notification, now_us: u64) -> bool {
        if frame.kind != Kind::Probe {
            return false;
        }
        let within_us = SAME_FRAME_WITHIN.as_micros() as u64;
        let same = |(last, at_us): &(Notification, u64)| {
            last == frame && now_us.saturating_sub(*at_us) <= within_us
        };
        if self.places.iter().flatten().any(same) {
            return true;
        }
        self.places[self.next] = Some((*frame, now_us));
        self.next = (self.next + 1) % SAME_FRAME_PLACES;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::channel::Channel;

    fn frame(kind: Kind, rssi_dbm: i8) -> Notification {
        Notification {
            kind,
            from: Some(Address::new([0, 0, 0x5e, 0, 0x53, 1])),
            rssi_dbm: Some(rssi_dbm),
            channel: Channel::at_mhz(2_412),
        }
    }

    #[test]
    fn a_frame_told_by_two_networks_counts_once() {
        let mut last = LastFrames::new();
        assert!(!last.has(&frame(Kind::Probe, -50), 1_000));
        assert!(last.has(&frame(Kind::Probe, -50), 2_000));
        assert!(!last.has(&frame(Kind::Probe, -51), 2_000));
        assert!(!last.has(&frame(Kind::Probe, -50), 6_001));
    }

    #[test]
    fn frames_for_one_network_are_never_the_same() {
        let mut last = LastFrames::new();
        assert!(!last.has(&frame(Kind::Management, -50), 0));
        assert!(!last.has(&frame(Kind::Management, -50), 0));
    }
}
