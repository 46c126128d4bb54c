//! What a capture's frames begin with. Source: tcpdump.org, "Link-layer header types".

/// An 802.11 frame behind a radiotap header: the only one with what we need.
pub(super) const RADIOTAP: u16 = 127;

/// What to tell a person whose capture has another link type.
pub(super) fn advice(link_type: u16) -> String {
    let (name, flaw) = match link_type {
        1 => ("Ethernet", "was not recorded in monitor mode"),
        105 => ("802.11 without radiotap", "has no signal strengths"),
        119 => (
            "802.11 with Prism headers",
            "has an outdated header whose strengths have no fixed unit",
        ),
        163 => (
            "802.11 with AVS headers",
            "has an outdated header that is not read",
        ),
        192 => ("per-packet information", "has a header that is not read"),
        _ => ("unknown", "is not read"),
    };
    format!(
        "link type {link_type} ({name}) {flaw}; record with radiotap (127), for example with \
         `tcpdump -i MONITOR -y IEEE802_11_RADIO -w FILE`"
    )
}
