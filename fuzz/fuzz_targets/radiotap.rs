//! Any frame of a radio in monitor mode has a header or is refused; what is read lies inside it.

#![no_main]

use agent::channel::Channel;
use agent::dot11::Header;
use agent::radiotap::Radiotap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(radiotap) = Radiotap::parse(frame) {
        assert!((8..=frame.len()).contains(&radiotap.header_bytes));
        let signals = radiotap.signals_dbm.as_slice();
        assert_eq!(radiotap.signals_dbm.first(), signals.first().copied());
        // A reading takes a byte of the header at least.
        let readings = signals.len()
            + radiotap.noises_dbm.as_slice().len()
            + radiotap.antennas.as_slice().len();
        assert!(readings <= radiotap.header_bytes);
        assert!(radiotap.signal_dbm().is_none_or(|dbm| signals.contains(&dbm)));
        let _ = radiotap.noise_dbm();
        let _ = radiotap.freq_mhz.and_then(Channel::at_mhz);
        check_header(&frame[radiotap.header_bytes..]);
    }
    // By itself too: behind a radiotap header the fuzzer would seldom reach it.
    check_header(frame);
});

fn check_header(frame: &[u8]) {
    if let Ok(header) = Header::parse(frame) {
        let _ = (header.kind(), header.role(), header.shows_association());
        assert!(header.frame_type <= 3 && header.subtype <= 15);
        assert_eq!(header.is_management(), header.frame_type == 0);
    }
}
