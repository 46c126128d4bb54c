//! Processes that are killed at random moments, and what is left afterwards: `kill -9` on a writer, a
//! feed, a consumer, a relay and, with PostgreSQL, the database itself.
//!
//! Without arguments it kills 50 times over SQLite and 5 times over PostgreSQL. A release:
//!
//! ```text
//! cargo test -p trilobite-outbox --test crash -- --kills 1000 --store sqlite --seed 1
//! cargo test -p trilobite-outbox --test crash -- --kills 100 --store postgres --seed 1
//! ```
//!
//! The same seed gives the same victims in the same order; the moments depend on the machine.
//! What is proven is that nothing is lost or done twice when processes die. A power cut is another
//! matter: there everything hangs on the settings for durability, which the store checks at its start.

#![cfg_attr(
    unix,
    expect(clippy::unwrap_used, reason = "a test fails by panicking"),
    expect(
        clippy::print_stdout,
        reason = "the report is what this program is for"
    )
)]

#[cfg(unix)]
mod consumer;
#[cfg(unix)]
mod feed;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod journal;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod relay;
#[cfg(unix)]
mod rig;
#[cfg(unix)]
mod verdict;
#[cfg(unix)]
mod writer;

#[cfg(not(unix))]
fn main() {
    eprintln!("skipped: processes are killed with signals, which this system does not have");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("role") => {
            process::become_role(&arguments[1], arguments[2].as_ref());
            std::process::ExitCode::SUCCESS
        }
        // A runner of tests asks what there is: one test, of this binary's name.
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("crash: test");
            }
            std::process::ExitCode::SUCCESS
        }
        _ => rig::main(&arguments),
    }
}
