//! The command line: flags in, exit code out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::FileConfig;
use crate::counters::Ledger;
use crate::intake::in_one_line;
use crate::run::Agent;
use crate::status::AgentOutcome;

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
    /// prints them on stderr. A second Ctrl-C ends it at once.
    Run {
        /// The configuration, in TOML or in UCI; agent.example.toml explains every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show what a Wi-Fi capture holds, without sending anything.
    #[cfg(feature = "pcap")]
    Decode(DecodeArgs),
}

#[cfg(feature = "pcap")]
#[derive(Debug, clap::Args)]
struct DecodeArgs {
    /// The capture: pcap or pcapng with radiotap headers, plain or gzip.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print one row per frame, values separated by tabs, instead of a summary.
    #[arg(long)]
    tsv: bool,

    /// Print real addresses instead of throw-away pseudonyms. The output is personal data then.
    #[arg(long)]
    show_addresses: bool,
}

/// Does what the command line asks for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Run { config } => run_agent(&config),
        #[cfg(feature = "pcap")]
        Command::Decode(args) => decode(&args),
    }
}

fn run_agent(path: &std::path::Path) -> ExitCode {
    let agent = match prepare(path) {
        Ok(agent) => agent,
        Err(error) => return fail(MISUSED, &*error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime.and_then(|runtime| runtime.block_on(run_until_signalled(agent)));
    match outcome {
        Ok(Some(outcome)) => conclude(&outcome),
        Ok(None) => ExitCode::from(FAILED),
        Err(error) => fail(FAILED, &error),
    }
}

fn prepare(path: &std::path::Path) -> Result<Agent, Box<dyn std::error::Error>> {
    let config = FileConfig::load(path)?;
    let credentials = config.credentials()?;
    let sources = config.open_sources(&credentials.identity().agent)?;
    tracing::info!("this is {}", credentials.identity());
    Ok(Agent::new(config.agent, credentials, sources)?)
}

/// `None` when a second signal asked to end at once.
async fn run_until_signalled(agent: Agent) -> std::io::Result<Option<AgentOutcome>> {
    let (mut first, mut second) = (Signals::new()?, Signals::new()?);
    let shutdown = async move {
        first.next().await;
        tracing::info!("leaving: sending what waits; Ctrl-C again ends at once");
    };
    let at_once = async move {
        second.next().await;
        second.next().await;
    };
    Ok(tokio::select! {
        outcome = agent.run(shutdown) => Some(outcome),
        () = at_once => None,
    })
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Prints the ledger. A source that failed makes the run a failure.
fn conclude(outcome: &AgentOutcome) -> ExitCode {
    for source in &outcome.sources {
        if let Some(notice) = &source.notice {
            tracing::warn!("{notice}");
        }
    }
    eprintln!("{}", Ledger(&outcome.counters));
    match (outcome.sessions, outcome.settled) {
        (0, _) => eprintln!("no node was reached"),
        (sessions, true) => eprintln!("in {sessions} sessions, booked by the node"),
        (sessions, false) => eprintln!("in {sessions} sessions, not confirmed by the node"),
    }
    match outcome.source_errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    }
}

#[cfg(feature = "pcap")]
fn decode(args: &DecodeArgs) -> ExitCode {
    use crate::decode::{Addresses, DecodeError, Format, decode_file};

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
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let decoded = decode_file(&args.file, format, addresses, &mut out);
    let flushed = std::io::Write::flush(&mut out);
    match decoded.and(flushed.map_err(DecodeError::Write)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(DecodeError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => fail(FAILED, &error),
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
