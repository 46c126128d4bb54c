//! The program behind `main`: logs, dispatch, errors as a person reads them.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use link::CredentialError;

use crate::calibrate::survey_file::SurveyError;
use crate::cli::{Cli, Command, ValidateArgs};
use crate::config::ConfigError;
use crate::sites::SiteError;
use crate::{
    calibrate, certificates, demo, explain, inbox_command, outbox_command, serve, tokens, validate,
};

/// Exit code of a command that could not do its work.
const FAILED: u8 = 1;

/// Exit code of a file or setting that has to be corrected first.
const INVALID: u8 = 2;

/// Runs the command line; wrong flags end the process with a hint and code 2.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(&cli.command);
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args).map(|told| say(&told)),
        Command::Serve(args) => serve::run(&args.config, args.record),
        Command::Validate(args) => return validate_all(&args),
        Command::Calibrate(args) => calibrate::command::run(&args).map(|told| say(&told)),
        Command::Explain(args) => explain::run(&args).map(|told| say(&told)),
        Command::Ca(command) => certificates::run(command)
            .map(|told| say(&told))
            .map_err(Into::into),
        Command::Token(command) => tokens::run(command).map(|told| say(&told)),
        Command::Inbox(command) => inbox_command::run(&command).map(|told| say(&told)),
        Command::Outbox(command) => {
            outbox_command::run(command, &crate::node::COMPONENTS).map(|told| say(&told))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What has to be corrected in a file is told apart from what failed while running.
fn exit_code(error: &anyhow::Error) -> u8 {
    let invalid = error.is::<ConfigError>()
        || error.is::<SiteError>()
        || error.is::<SurveyError>()
        || error.is::<CredentialError>();
    if invalid { INVALID } else { FAILED }
}

/// Logs go to stderr; `TRILOBITE_LOG` chooses what. By default all that an operator wants to know,
/// and in the demo what a guest does.
fn start_logging(command: &Command) {
    let usual = match command {
        Command::Demo(_) => "warn,node=info",
        _ => "info",
    };
    let filter = EnvFilter::try_from_env("TRILOBITE_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start, as in tests, keeps the first.
    let _ = logs.with_target(false).try_init();
}

fn validate_all(args: &ValidateArgs) -> ExitCode {
    let mut worst = ExitCode::SUCCESS;
    for file in &args.files {
        match validate::run(file) {
            Ok(told) => say(&told),
            Err(error) => {
                complain(&error.into());
                worst = ExitCode::from(INVALID);
            }
        }
    }
    worst
}

/// Prints a result on stdout; a reader that went away (`| head`) is no mistake of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints an error with its causes; several lines are several errors.
fn complain(error: &anyhow::Error) {
    for line in told(error).lines() {
        eprintln!("error: {line}");
    }
}

/// An error and its causes, each once: some tell their cause in their own words already.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::other("no space is left");
        let plain = Err::<(), _>(cause()).context("cannot write a.toml");
        assert_eq!(
            told(&plain.unwrap_err()),
            "cannot write a.toml: no space is left"
        );
        let twice = outbox::OpenError::Thread(cause());
        let twice = anyhow::Error::from(twice).context("messages");
        assert_eq!(told(&twice), "messages: store: no thread: no space is left");
    }
}
