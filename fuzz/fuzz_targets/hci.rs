//! Any packet is an event of a Bluetooth adapter or refused; its reports end.

#![no_main]

use agent::hci::event::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (extended, bytes) = input;
    check(bytes);
    // The beginning is given, or the fuzzer would spend its time on guessing it.
    let subevent = if extended { 0x0d } else { 0x02 };
    let length = bytes.len().min(254) as u8 + 1;
    check(&[&[0x04, 0x3e, length, subevent], bytes].concat());
});

fn check(packet: &[u8]) {
    if let Ok(Event::Reports(reports)) = Event::parse(packet) {
        let reports: Vec<_> = reports.collect();
        assert!(reports.len() <= 255);
        let errors = reports.iter().filter(|report| report.is_err());
        assert!(errors.count() <= 1);
    }
}
