//! The program `trilobite-agent`: see the library for what it does.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = agent::cli::Cli::parse();
    match EnvFilter::try_new(&cli.log) {
        Ok(filter) => {
            tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr)
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
