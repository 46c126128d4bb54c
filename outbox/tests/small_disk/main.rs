//! A disk that fills up: intake is refused in time, purges work, and it goes on by itself.
//!
//! The disk is a file system of 24 MiB that only a namespace of its own may mount: this program starts
//! itself anew in one.

#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, reason = "a test fails by panicking"),
    expect(clippy::print_stdout, reason = "the list of tests goes there")
)]

#[cfg(target_os = "linux")]
mod full;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: no small file system can be mounted on this system");
}

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("on") => full::fill_and_purge(arguments[1].as_ref()),
        // A runner of tests asks what there is: one test, of this binary's name.
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("small_disk: test");
            }
        }
        _ => full::on_a_small_disk(),
    }
}
