//! The fields of an observation on the wire, with examples, and what has none.

use std::io::{self, Write};

use wire::Observation;
use wire::frame::RadioHello;

/// Different values that are shown of each field.
const EXAMPLES: usize = 3;

/// Makes the text of a field's value, if the observation has one.
type Show = fn(&Observation, &[RadioHello]) -> Option<String>;

/// Name, what it is, and how it is shown; in the order of `wire/FORMAT.md`.
const FIELDS: [(&str, &str, Show); 10] = [
    (
        "client",
        "keyed hash of the address, another one each day; the id of a named device or an AP",
        |o, _| Some(o.client.to_string()),
    ),
    (
        "heard at",
        "age in the datagram, in microseconds; here since the capture's first observation",
        |o, _| Some(o.heard_at_us.to_string()),
    ),
    (
        "radio",
        "which radio heard, told once as AP and band",
        |o, radios| {
            let radio = radios.get(usize::from(o.radio))?;
            Some(format!("{} {}", radio.ap, radio.band))
        },
    ),
    ("signal", "strength in dBm", |o, _| {
        o.rssi_dbm.map(|dbm| dbm.to_string())
    }),
    (
        "noise",
        "noise floor in dBm, where the driver tells it",
        |o, _| o.noise_dbm.map(|dbm| dbm.to_string()),
    ),
    ("channel", "number in the band", |o, _| {
        (o.channel != 0).then(|| o.channel.to_string())
    }),
    ("kind", "what was heard", |o, _| {
        Some(format!("{:?}", o.kind).to_lowercase())
    }),
    ("randomised", "whether the address was made up", |o, _| {
        Some(o.randomised.to_string())
    }),
    (
        "associated",
        "whether it uses one of the site's networks",
        |o, _| Some(o.associated.to_string()),
    ),
    (
        "range",
        "measured distance, of sources that range",
        |o, _| o.range.map(|range| format!("{range:?}")),
    ),
];

/// What the agent tells beside observations.
const BESIDE: [(&str, &str); 4] = [
    (
        "on connecting",
        "program and version, APs and bands of the radios, which clock it uses",
    ),
    ("names", "of devices named by consent, with their ids"),
    (
        "each second",
        "sums: observations offered, sent, dropped by reason; the agent's clock",
    ),
    (
        "each minute",
        "how many devices were only counted, by signal class, see below",
    ),
];

/// What is in the frames and nowhere in what leaves.
const STAYS: [&str; 7] = [
    "addresses of devices, whole or in part: neither the vendor's half nor the device's",
    "addresses of receivers and networks (BSSID), network names (SSID) that were looked for",
    "contents of frames: probe elements, capabilities, payload",
    "sequence numbers, rates, antennas, exact receive times of the hardware (TSFT)",
    "the key that makes pseudonyms (the node hands it out, and forgets it each day)",
    "addresses of the opt-out, allow, deny and name lists",
    "anything of frames that a rule drops",
];

/// Examples of each field.
pub(super) struct Fields {
    radios: Vec<RadioHello>,
    began_us: Option<u64>,
    examples: [Vec<String>; FIELDS.len()],
}

impl Fields {
    pub(super) fn new(radios: &[RadioHello]) -> Self {
        Self {
            radios: radios.to_vec(),
            began_us: None,
            examples: Default::default(),
        }
    }

    pub(super) fn add(&mut self, observation: &Observation) {
        let mut observation = *observation;
        let began_us = *self.began_us.get_or_insert(observation.heard_at_us);
        observation.heard_at_us = observation.heard_at_us.saturating_sub(began_us);
        for (examples, (_, _, show)) in self.examples.iter_mut().zip(FIELDS) {
            if examples.len() < EXAMPLES
                && let Some(text) = show(&observation, &self.radios)
                && !examples.contains(&text)
            {
                examples.push(text);
            }
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "What would leave of each observation")?;
        for ((name, what, _), examples) in FIELDS.iter().zip(&self.examples) {
            let examples = match examples.is_empty() {
                true => "none".to_owned(),
                false => examples.join(", "),
            };
            writeln!(out, "  {name:<13} {what}\n  {:<13}   {examples}", "")?;
        }
        writeln!(out, "\nBeside them")?;
        for (when, what) in BESIDE {
            writeln!(out, "  {when:<13} {what}")?;
        }
        writeln!(out)
    }
}

pub(super) fn write_what_stays(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "What never leaves")?;
    for what in STAYS {
        writeln!(out, "  {what}")?;
    }
    writeln!(out)
}
