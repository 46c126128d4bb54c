//! One row per frame, in the columns that tshark would give.

use std::fmt::Display;
use std::io::{self, Write};

use super::{AddressWriter, Dissected};

/// Names of the columns, as tshark names the fields.
const COLUMNS: [&str; 16] = [
    "frame.number",
    "frame.time_epoch",
    "frame.len",
    "radiotap.length",
    "radiotap.mactime",
    "wlan.fc.type_subtype",
    "wlan.ta",
    "wlan.ra",
    "wlan.bssid",
    "radiotap.dbm_antsignal",
    "radiotap.dbm_antnoise",
    "radiotap.antenna",
    "radiotap.channel.freq",
    "radiotap.datarate",
    "radiotap.flags.badfcs",
    "_ws.malformed",
];

pub(super) fn write_header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join("\t"))
}

/// Writes the row of one frame; an empty cell is a field that the frame has not.
pub(super) fn write_row(
    number: u64,
    dissected: &Dissected<'_>,
    addresses: &mut AddressWriter,
    out: &mut dyn Write,
) -> io::Result<()> {
    let frame = dissected.frame;
    let (seconds, nanoseconds) = (
        frame.captured_at_ns / 1_000_000_000,
        frame.captured_at_ns % 1_000_000_000,
    );
    let radiotap = dissected.radiotap.as_ref().ok();
    let header = dissected.header.as_ref().ok();
    let mut address = |address: Option<_>| address.map(|a| addresses.text(&a)).unwrap_or_default();
    let cells: [String; COLUMNS.len()] = [
        number.to_string(),
        format!("{seconds}.{nanoseconds:09}"),
        frame.original_bytes.to_string(),
        cell(radiotap.map(|r| r.header_bytes)),
        cell(radiotap.and_then(|r| r.tsft_us)),
        cell(header.map(|h| {
            format!(
                "{:#06x}",
                u16::from(h.frame_type) << 4 | u16::from(h.subtype)
            )
        })),
        address(header.and_then(|h| h.transmitter)),
        address(header.and_then(|h| h.receiver)),
        address(header.and_then(|h| h.bssid)),
        list(radiotap.map(|r| r.signals_dbm.as_slice())),
        list(radiotap.map(|r| r.noises_dbm.as_slice())),
        list(radiotap.map(|r| r.antennas.as_slice())),
        cell(radiotap.and_then(|r| r.freq_mhz)),
        cell(
            radiotap
                .and_then(|r| r.rate_500kbps)
                .map(|rate| f64::from(rate) / 2.0),
        ),
        cell(radiotap.map(|r| u8::from(r.checksum_bad))),
        if radiotap.is_none() || header.is_none() {
            "malformed".to_owned()
        } else {
            String::new()
        },
    ];
    writeln!(out, "{}", cells.join("\t"))
}

fn cell(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn list(values: Option<&[impl Display]>) -> String {
    let values: Vec<_> = values
        .unwrap_or_default()
        .iter()
        .map(|v| v.to_string())
        .collect();
    values.join(",")
}
