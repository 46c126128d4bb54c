//! `decode`: what a capture holds.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::line::{Line, Misuse, Takes};
use super::{FAILED, MISUSED, fail};
use crate::capture::CaptureError;
use crate::decode::{Addresses, DecodeCounters, DecodeError, Format, decode_file};

pub(super) const HELP: &str = "\
Shows what a Wi-Fi capture holds, without sending anything.

Usage: trilobite-agent decode [--tsv] [--show-addresses] FILE

  FILE              the capture: pcap or pcapng with radiotap headers, plain or gzip

Options:
  --tsv             print one row per frame, values separated by tabs, instead of a summary
  --show-addresses  print real addresses instead of throw-away pseudonyms; the output is personal
                    data then
";

pub(super) const TAKES: Takes = Takes {
    options: &[("--tsv", None), ("--show-addresses", None)],
    word: Some("FILE"),
};

#[derive(Debug)]
pub(super) struct DecodeArgs {
    file: PathBuf,
    tsv: bool,
    show_addresses: bool,
}

impl DecodeArgs {
    pub(super) fn read(mut line: Line) -> Result<Self, Misuse> {
        Ok(Self {
            tsv: line.has("--tsv"),
            show_addresses: line.has("--show-addresses"),
            file: line.word("FILE, a capture,")?,
        })
    }
}

pub(super) fn decode(args: &DecodeArgs) -> ExitCode {
    let format = if args.tsv {
        Format::Table
    } else {
        Format::Summary
    };
    let addresses = if args.show_addresses {
        Addresses::Show
    } else {
        Addresses::Hide
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let decoded = decode_file(&args.file, format, addresses, &mut out);
    let flushed = out.flush();
    match decoded.and_then(|counters| flushed.map(|()| counters).map_err(DecodeError::Write)) {
        Ok(counters) => {
            if format == Format::Table {
                say_counts(&counters);
            }
            ExitCode::SUCCESS
        }
        // Whoever reads the output has seen enough.
        Err(DecodeError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => fail(exit_code(&error), &error),
    }
}

/// A table has no room for sums, and its readers want rows only.
fn say_counts(counters: &DecodeCounters) {
    let DecodeCounters {
        frames,
        with_signal,
        malformed,
    } = counters;
    eprintln!(
        "{frames} frames, {with_signal} with a signal strength in dBm, {malformed} malformed"
    );
}

/// A file of which nothing can be read is the wrong file; one that is damaged further on is not.
pub(super) fn exit_code(error: &DecodeError) -> u8 {
    match error {
        DecodeError::Capture(
            CaptureError::LinkType { .. } | CaptureError::Format { .. } | CaptureError::Open { .. },
        ) => MISUSED,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureReader;
    use crate::testing::{heard_at, pcap};

    /// The exit code for a file with these bytes, and what a person reads.
    fn refused(bytes: Vec<u8>) -> (u8, String) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let error = decode_file(file.path(), Format::Table, Addresses::Show, &mut io::sink());
        let error = error.expect_err("of no use");
        (exit_code(&error), error.to_string())
    }

    #[test]
    fn link_types_without_radiotap_are_a_wrong_file() {
        for (link_type, name) in [
            (105, "802.11 without radiotap"),
            (119, "802.11 with Prism headers"),
            (163, "802.11 with AVS headers"),
            (1, "Ethernet"),
            (147, "unknown"),
        ] {
            let (code, text) = refused(pcap(false, 0xa1b2_c3d4, link_type, &[(1, 0, b"frame")]));
            assert_eq!(code, MISUSED, "{text}");
            let expected = format!("link type {link_type} ({name})");
            assert!(
                text.contains(&expected) && text.contains("record with radiotap (127)"),
                "{text}"
            );
        }
        assert_eq!(refused(b"no capture at all".to_vec()).0, MISUSED);
        let missing = CaptureReader::open(std::path::Path::new("/nowhere/x.pcap")).unwrap_err();
        assert_eq!(exit_code(&missing.into()), MISUSED);
    }

    #[test]
    fn a_damaged_file_is_a_failure() {
        let mut bytes = pcap(
            false,
            0xa1b2_c3d4,
            127,
            &[(1, 0, &heard_at(2_437, -60, &[]))],
        );
        bytes.extend([0xff; 16]);
        assert_eq!(refused(bytes).0, FAILED);
    }
}
