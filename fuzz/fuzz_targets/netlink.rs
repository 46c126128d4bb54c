//! Whatever a netlink datagram holds: no panic, and every walk ends.
#![no_main]

use agent::netlink::{Answer, Messages};
use agent::nl80211::{Interface, Station, Survey, family, ftm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for message in Messages::new(bytes) {
        if let Answer::Row { attributes, .. } = message.answer {
            let _ = (family(attributes), Interface::parse(attributes));
            let _ = ftm::results(attributes).count();
            let _ = (Station::parse(attributes), Survey::parse(attributes));
        }
    }
});
