//! The node as a process of its own, for tests that kill it.

fn main() -> std::process::ExitCode {
    node::program::main()
}
