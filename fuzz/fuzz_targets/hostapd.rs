//! Whatever hostapd sends: no panic.
#![no_main]

use agent::hostapd::{Client, Told, freq_mhz};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Told::Answer(answer) = Told::parse(bytes) {
        let _ = (Client::parse(answer), freq_mhz(answer));
    }
});
