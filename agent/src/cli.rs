//! The command line: flags in, exit code out.

#[cfg(feature = "pcap")]
mod decode;
mod enroll;
#[cfg(feature = "pcap")]
mod privacy;
mod run;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::intake::in_one_line;

/// Something went wrong while running.
const FAILED: u8 = 1;

/// The command line or the configuration is wrong; nothing was done.
const MISUSED: u8 = 2;

/// Listens on an access point and tells a Trilobite node who was heard how strongly.
///
/// The agent reads its sources (radios of this device, a capture, a recording), replaces addresses by
/// pseudonyms, packs what it heard into small batches and sends them to a node over QUIC. What
/// cannot be sent in time is dropped and counted: positions of the past are of no use.
#[derive(Debug, Parser)]
#[command(name = "trilobite-agent", version, max_term_width = 100)]
pub struct Cli {
    /// What to log on stderr: error, warn, info, debug or trace; or a filter such as agent=debug.
    #[arg(
        long,
        global = true,
        env = "TRILOBITE_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until Ctrl-C, or until its sources have given out everything.
    ///
    /// On Ctrl-C or SIGTERM the agent sends what waits, has the node book its final counters and
    /// prints them on stderr. A second Ctrl-C ends it at once. On SIGHUP it reads the configuration
    /// again: rules hold at once, sources are opened again only if theirs changed, and a file that
    /// is not right changes nothing.
    Run {
        /// The configuration, in TOML or in UCI; agent.example.toml explains every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make this device an agent: make its key, get its certificate from a node, store both.
    ///
    /// "trilobite token join", where the node runs, prints this command with everything in it.
    /// The key never leaves the device. If the answer is lost, the same command may be repeated.
    Enroll(enroll::EnrollArgs),
    /// Show how the agent on this device is doing: its link, sources, privacy counters and ledger.
    Status(status::StatusArgs),
    /// Show what a Wi-Fi capture holds, without sending anything.
    #[cfg(feature = "pcap")]
    Decode(decode::DecodeArgs),
    /// Show what of a Wi-Fi capture would leave this device, field by field, without sending it.
    #[cfg(feature = "pcap")]
    Privacy(privacy::PrivacyArgs),
}

/// Does what the command line asks for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Run { config } => run::run_agent(&config),
        Command::Enroll(args) => enroll::enroll(args),
        Command::Status(args) => status::status(&args),
        #[cfg(feature = "pcap")]
        Command::Decode(args) => decode::decode(&args),
        #[cfg(feature = "pcap")]
        Command::Privacy(args) => privacy::privacy(&args),
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("trilobite-agent: {}", in_one_line(error));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_flags_are_refused() {
        for wrong in [
            &["run"][..],
            &["run", "--config"],
            &["walk"],
            &["run", "--confg", "x"],
        ] {
            let line = std::iter::once("trilobite-agent").chain(wrong.iter().copied());
            let error = Cli::try_parse_from(line).expect_err("wrong");
            assert_eq!(error.exit_code(), i32::from(MISUSED), "{wrong:?}");
        }
    }
}
