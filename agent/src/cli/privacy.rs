//! `privacy`: what of a capture would leave this device.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::line::{Line, Misuse, Takes};
use super::{FAILED, MISUSED, fail};
use crate::capture::CaptureError;
use crate::config::FileConfig;
use crate::preview::{PreviewError, preview_file};
use crate::privacy::Rules;

pub(super) const HELP: &str = "\
Shows what of a Wi-Fi capture would leave this device, field by field, without sending it.

Usage: trilobite-agent privacy [--config FILE] FILE

  FILE           the capture: pcap or pcapng with radiotap headers, plain or gzip

Options:
  --config FILE  the configuration whose rules are asked; without it, those that hold by default
";

pub(super) const TAKES: Takes = Takes {
    options: &[("--config", Some("FILE"))],
    word: Some("FILE"),
};

#[derive(Debug)]
pub(super) struct PrivacyArgs {
    file: PathBuf,
    config: Option<PathBuf>,
}

impl PrivacyArgs {
    pub(super) fn read(mut line: Line) -> Result<Self, Misuse> {
        Ok(Self {
            config: line.path("--config"),
            file: line.word("FILE, a capture,")?,
        })
    }
}

pub(super) fn privacy(args: &PrivacyArgs) -> ExitCode {
    let (rules, radios) = match &args.config {
        None => (Rules::default(), Vec::new()),
        Some(path) => match FileConfig::load(path) {
            Ok(config) => (config.agent.privacy, config.radios),
            Err(error) => return fail(MISUSED, &error),
        },
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let shown = preview_file(&args.file, rules, &radios, &mut out);
    let flushed = out.flush().map_err(PreviewError::Write);
    match shown.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(PreviewError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => fail(exit_code(&error), &error),
    }
}

/// As for `decode`: a file of which nothing can be read is the wrong file.
fn exit_code(error: &PreviewError) -> u8 {
    match error {
        PreviewError::Capture(
            CaptureError::LinkType { .. } | CaptureError::Format { .. } | CaptureError::Open { .. },
        ) => MISUSED,
        _ => FAILED,
    }
}
