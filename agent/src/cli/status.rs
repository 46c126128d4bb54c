//! `status`: how the agent on this device is doing.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::FAILED;
use crate::status::{DEFAULT_SOCKET, Format, ask};

#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// The agent's status socket, as its configuration names it under [status].
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,

    /// Print one line of JSON instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> ExitCode {
    let format = if args.json {
        Format::Json
    } else {
        Format::Lines
    };
    match ask(&args.socket, format) {
        Ok(text) => {
            // Who closes the pipe has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "trilobite-agent: no agent answers at {}: {error}; check that it runs, that its \
                 configuration has [status], and who you are",
                args.socket.display()
            );
            ExitCode::from(FAILED)
        }
    }
}
