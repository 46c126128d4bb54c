//! The demo as the README runs it, only shorter, and with a network that loses.

use clap::Parser;
use node::cli::{Cli, Command, DemoArgs};
use serde_json::Value;

fn demo(flags: &[&str]) -> Value {
    let line = [
        "trilobite",
        "demo",
        "--headless",
        "--json",
        "--clients",
        "60",
        "--seconds",
        "4",
    ];
    let cli = Cli::parse_from(line.iter().chain(flags));
    let Command::Demo(args) = cli.command else {
        panic!("not the demo")
    };
    let args: DemoArgs = args;
    serde_json::from_str(&node::demo::run(&args).unwrap()).unwrap()
}

fn count(report: &Value, name: &str) -> u64 {
    report["observations"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {report}"))
}

#[test]
fn without_loss_everything_offered_is_folded() {
    let report = demo(&[]);
    assert_eq!(count(&report, "residual"), 0, "{report}");
    assert_eq!(
        count(&report, "offered"),
        count(&report, "folded"),
        "{report}"
    );
    assert!(count(&report, "folded") > 1_000, "{report}");
    assert!(report["fixes"]["count"].as_u64() > Some(100), "{report}");
}

#[test]
fn under_loss_the_books_close_and_tell_the_loss() {
    // Four seconds are some hundred datagrams, of which whole runs go at once in the second case: the
    // share that is lost varies by 0.05 and 0.15 (one standard deviation). That what is counted is what
    // the network lost, to the datagram, is told by `network`.
    for (flags, share, tolerance) in [
        (&["--loss", "0.3"][..], 0.3, 0.25),
        (&["--loss", "0.5", "--burst", "8"], 0.5, 0.45),
    ] {
        let report = demo(flags);
        assert_eq!(count(&report, "residual"), 0, "{report}");
        let lost = count(&report, "lost") as f64 / count(&report, "offered") as f64;
        assert!((lost - share).abs() < tolerance, "lost {lost:.3}: {report}");
    }
}
