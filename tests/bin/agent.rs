//! The agent as a process of its own, for tests that kill it.

fn main() -> std::process::ExitCode {
    agent::cli::run(agent::cli::Cli::parse())
}
