//! Runs the program.

use std::process::{Command, Output, Stdio};

/// The program with these arguments, its log at level trace, and its output kept.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trilobite-agent"));
    command
        .args(["--log", "trace"])
        .args(arguments)
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a program beside this thread; the future is done when it has ended.
pub(crate) fn spawn(mut command: Command) -> impl Future<Output = std::io::Result<Output>> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(command.output()));
    async { receiver.await.expect("the thread ends with the program") }
}
