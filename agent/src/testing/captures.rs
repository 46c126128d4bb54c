//! Writers of captures.

use super::RadiotapWriter;

/// A radiotap header with frequency and signal, followed by `frame`.
pub(crate) fn heard_at(freq_mhz: u16, signal_dbm: i8, frame: &[u8]) -> Vec<u8> {
    let [low, high] = freq_mhz.to_le_bytes();
    RadiotapWriter::default()
        .word(1 << 3 | 1 << 5)
        .field(2, &[low, high, 0, 0])
        .field(1, &[signal_dbm.cast_unsigned()])
        .frame(frame)
}

/// A number as a file of the given order of bytes holds it.
pub(crate) fn ordered<const N: usize>(big: bool, little_endian: [u8; N]) -> [u8; N] {
    let mut bytes = little_endian;
    if big {
        bytes.reverse();
    }
    bytes
}

/// A pcap file; times in ticks of the format.
pub(crate) fn pcap(big: bool, magic: u32, link_type: u32, frames: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let word = |value: u32| ordered(big, value.to_le_bytes());
    let mut file = word(magic).to_vec();
    file.extend(
        [
            ordered(big, 2u16.to_le_bytes()),
            ordered(big, 4u16.to_le_bytes()),
        ]
        .concat(),
    );
    file.extend([word(0), word(0), word(65_535), word(link_type)].concat());
    for (seconds, ticks, bytes) in frames {
        let len = bytes.len() as u32;
        file.extend([word(*seconds), word(*ticks), word(len), word(len)].concat());
        file.extend(*bytes);
    }
    file
}

/// A pcap file of our own order of bytes with radiotap frames, a millisecond apart.
pub(crate) fn radiotap_pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let frames: Vec<_> = frames
        .iter()
        .zip(0..)
        .map(|(bytes, n)| (1_000, n * 1_000, bytes.as_slice()))
        .collect();
    pcap(false, 0xa1b2_c3d4, 127, &frames)
}

/// A pcapng block of any type.
pub(crate) fn block(big: bool, block_type: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| ordered(big, value.to_le_bytes());
    let padding = body.len().next_multiple_of(4) - body.len();
    let total = word((12 + body.len() + padding) as u32);
    [
        &word(block_type)[..],
        &total,
        body,
        &[0; 3][..padding],
        &total,
    ]
    .concat()
}

/// The frames of every capture that is stored beside the project and can be read, by file name.
/// Says so when there are none.
#[cfg(all(feature = "monitor", target_os = "linux"))]
pub(crate) fn stored_captures() -> Vec<(String, Vec<Vec<u8>>)> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let data = std::env::var_os("TRILOBITE_DATA").unwrap_or_else(|| beside.into());
    let folder = std::path::Path::new(&data).join("captures");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let folder = folder.display();
        eprintln!("skipped: no captures in {folder}; set TRILOBITE_DATA");
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.to_string_lossy();
        [".pcap", ".cap", ".pcapng", ".gz"]
            .iter()
            .any(|end| name.ends_with(end))
    });
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        // Some are of link types without radiotap.
        let mut reader = crate::capture::CaptureReader::open(path).ok()?;
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = reader.next_frame() {
            frames.push(frame.bytes.to_vec());
        }
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, frames))
    };
    paths.iter().filter_map(read).collect()
}
