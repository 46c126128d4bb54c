//! `status`: how the agent on this device is doing.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::FAILED;
use super::line::{Line, Takes};
use crate::status::{DEFAULT_SOCKET, Format, ask};

pub(super) const HELP: &str = "\
Shows how the agent on this device is doing: its link, sources, privacy counters and ledger.

Usage: trilobite-agent status [--socket PATH] [--json]

Options:
  --socket PATH  the agent's status socket, as its configuration names it under [status]
                 [default: /var/run/trilobite-agent.sock]
  --json         print one line of JSON instead of lines for people
";

pub(super) const TAKES: Takes = Takes {
    options: &[("--socket", Some("PATH")), ("--json", None)],
    word: None,
};

#[derive(Debug)]
pub(super) struct StatusArgs {
    socket: PathBuf,
    json: bool,
}

impl StatusArgs {
    pub(super) fn read(mut line: Line) -> Self {
        let json = line.has("--json");
        let socket = line.path("--socket");
        let socket = socket.unwrap_or_else(|| DEFAULT_SOCKET.into());
        Self { socket, json }
    }
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
