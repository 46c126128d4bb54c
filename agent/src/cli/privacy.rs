//! `privacy`: what of a capture would leave this device.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::{FAILED, MISUSED, fail};
use crate::capture::CaptureError;
use crate::config::FileConfig;
use crate::preview::{PreviewError, preview_file};
use crate::privacy::Rules;

#[derive(Debug, clap::Args)]
pub(super) struct PrivacyArgs {
    /// The capture: pcap or pcapng with radiotap headers, plain or gzip.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The configuration whose rules are asked; without it, those that hold by default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
