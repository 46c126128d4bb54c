//! The program `trilobite-agent`: see the library for what it does.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let cli = agent::cli::Cli::parse();
    // Levels by target and nothing more: filters by field bring regular expressions along, too much
    // for an access point.
    match cli.log.parse::<Targets>() {
        Ok(filter) => {
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr)
                .finish()
                .with(filter)
                .init();
        }
        Err(error) => {
            eprintln!(
                "trilobite-agent: --log {:?}: {error}; use a level such as info",
                cli.log
            );
            return ExitCode::from(2);
        }
    }
    agent::cli::run(cli)
}
