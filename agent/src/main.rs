//! The program `trilobite-agent`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = agent::cli::Cli::parse();
    match cli.log.parse() {
        Ok(filter) => agent::log::to_stderr(filter),
        Err(error) => {
            eprintln!("trilobite-agent: --log: {error}");
            return ExitCode::from(2);
        }
    }
    agent::cli::run(cli)
}
