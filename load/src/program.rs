//! The program behind `main`: logs, dispatch, errors as a person reads them.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::interrupt::Interrupt;
use crate::{accuracy, replay, synthetic, throughput};

/// Exit code of a run that could not do its work.
const FAILED: u8 = 1;

/// Runs the command line; wrong flags end the process with a hint and code 2.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    let result = run(&cli.command, &mut |told| {
        // A reader that went away (`| head`) is no mistake of ours.
        let _ = writeln!(std::io::stdout(), "{told}");
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in format!("error: {error:#}").lines() {
                eprintln!("{line}");
            }
            ExitCode::from(FAILED)
        }
    }
}

/// Runs a command and tells its result; a result can be worth telling and a failure all the same.
fn run(command: &Command, tell: &mut dyn FnMut(String)) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
    let told = match command {
        Command::Accuracy(args) => match accuracy::run(args, &interrupt)? {
            accuracy::Outcome::Rows(rows) => told(args.json, &rows),
            accuracy::Outcome::Written(told) => Ok(told),
        },
        Command::Synthetic(args) => match synthetic::run(args, &interrupt)? {
            synthetic::Outcome::Report(report) => told(args.json, &*report),
            synthetic::Outcome::Prepared(told) => Ok(told),
        },
        Command::Replay(args) => match replay::run(args, &interrupt)? {
            replay::Outcome::Scores(scores) => told(args.json, &*scores),
            replay::Outcome::Report(report) => told(args.json, &*report),
            replay::Outcome::Prepared(told) => Ok(told),
        },
        Command::Throughput(args) => {
            let report = throughput::run(args, &interrupt)?;
            tell(told(args.json, &report)?);
            return report.verdict().map_err(anyhow::Error::msg);
        }
    };
    tell(told?);
    Ok(())
}

fn told(json: bool, result: &(impl Serialize + Display)) -> anyhow::Result<String> {
    if json {
        Ok(serde_json::to_string(result)?)
    } else {
        Ok(result.to_string())
    }
}

/// Logs go to stderr; `TRILOBITE_LOG` chooses what, warnings by default.
fn start_logging() {
    let filter =
        EnvFilter::try_from_env("TRILOBITE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start, as in tests, keeps the first.
    let _ = logs.with_target(false).try_init();
}
