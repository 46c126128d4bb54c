use std::time::Duration;

use clap::Parser as _;

use super::super::Probes;
use super::super::window::Rates;
use super::*;
use crate::cli::{Cli, Command};

const BOOKS: &str = r#"{"offered":{"observations":100,"datagrams":10},
    "dropped_at_agent":{"observations":5,"datagrams":0},
    "lost":{"observations":20,"datagrams":2},"unknown":{"observations":0,"datagrams":0},
    "received":{"observations":75,"datagrams":8},
    "dropped_at_node":{"observations":5,"datagrams":0},
    "folded":{"observations":70,"datagrams":8}}"#;

const LATENCY: &str = r#"{"p50_ms":1,"p90_ms":2,"p99_ms":3,"p999_ms":4,"max_ms":5}"#;

fn ledger(books: &str, clients: u64) -> LedgerBody {
    let text = format!(
        r#"{{"total":{books},"sites":[],"agents":[],"latency":{LATENCY},
        "workers":[{{"clients":{clients},"fixes":0}}]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn used(rss_now_mib: f64) -> Usage {
    Usage {
        cpu_s: 0.0,
        rss_mib: 99.0,
        rss_now_mib,
    }
}

/// A report of 1,000 clients, of which so many were folded.
fn made(line: &str, clients: u64, rates: Rates) -> ThroughputReport {
    let line = format!("trilobite-load throughput --clients 1000 --agents 8 {line}");
    let Command::Throughput(args) = Cli::parse_from(line.split_whitespace()).command else {
        panic!("throughput")
    };
    let measured = Measured {
        window: Duration::from_secs(20),
        rates,
        node_cpu_s: 10.0,
        load_cpu_s: 15.0,
        node: used(50.0),
        ledger: ledger(BOOKS, clients),
        probes: Probes::default(),
    };
    let nothing: LedgerBody = LedgerBody::default();
    let after = ledger(BOOKS, clients);
    report(&args, &measured, &nothing, &after, used(10.0), used(20.0))
}

fn rates() -> Rates {
    Rates {
        folded: 25e6,
        datagrams: 2e5,
        fixes: 1_000.0,
        solve_cpu_s: Some(0.1),
        rounds_skipped: None,
    }
}

#[test]
fn keys_come_in_the_promised_order() {
    let json = serde_json::to_string(&made("", 1_000, rates())).unwrap();
    let promised = "agents clients sites anchors_per_client seconds observations_per_10s node_cpu_s \
        observations_per_node_cpu_s load_cpu_s observations_per_cpu_s_both datagrams \
        ns_per_observation us_per_datagram lost dropped residual fixes_per_s rss_node_mib \
        latency_ms solve_cpu_s us_per_fix pattern id rate workers fix_hz clients_folded_share \
        rounds_skipped folded_latency_ms health_ms_max ledger_ms_max load_cores_used \
        node_cores_used machine";
    let mut from = 0;
    for key in promised.split_whitespace() {
        let quoted = format!("\"{key}\":");
        let at = json[from..].find(&quoted);
        from += at.unwrap_or_else(|| panic!("{key} is missing or early in {json}"));
    }
}

#[test]
fn costs_leave_solving_out_and_rates_contain_everything() {
    let report = made("--id full --rate 5 --pattern fleet", 1_000, rates());
    // 20 s, 500 M observations, 4 M datagrams, 20,000 fixes; 10 s of CPU, 2 s of it for solving.
    assert_eq!(report.observations_per_10s, 250e6);
    assert_eq!(report.observations_per_node_cpu_s, 50e6);
    assert_eq!(report.observations_per_cpu_s_both, 20e6);
    assert_eq!(
        (report.datagrams, report.ns_per_observation),
        (4_000_000, 16.0)
    );
    assert_eq!(
        (report.us_per_datagram, report.us_per_fix),
        (2.0, Some(100.0))
    );
    assert_eq!((report.lost, report.dropped, report.residual), (20, 10, 0));
    assert_eq!(
        (report.node_cores_used, report.load_cores_used),
        (0.5, 0.75)
    );
    assert_eq!(
        report.bytes_per_client,
        (30.0 * 1_048_576.0 / 1_000.0f64).round()
    );
    assert_eq!(report.bytes_per_connection, 10.0 * 1_048_576.0 / 8.0);
    assert_eq!(
        (report.anchors_per_client, report.latency_ms.p999),
        (4, Some(4.0))
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["pattern"], "fleet");
    assert_eq!(json["id"], "full");
    assert_eq!(json["rate"], 5);
    assert!(json["folded_latency_ms"].is_null());
}

#[test]
fn a_node_that_does_not_tell_of_solving_has_it_in_all_costs() {
    let silent = Rates {
        solve_cpu_s: None,
        ..rates()
    };
    let report = made("", 1_000, silent);
    assert_eq!((report.ns_per_observation, report.us_per_fix), (20.0, None));
}

#[test]
fn the_verdict_says_what_is_wrong() {
    let check = |line: &str, clients: u64, rates: Rates, expected: Option<&str>| {
        let verdict = made(line, clients, rates).verdict();
        match (expected, &verdict) {
            (None, Ok(())) => {}
            (Some(words), Err(told)) => assert!(told.contains(words), "{told}"),
            _ => panic!("{line} {clients}: {verdict:?}"),
        }
    };
    check("", 1_000, rates(), None);
    check("", 990, rates(), None);
    check("", 989, rates(), Some("only 98.9 % of the clients"));
    let slow = Rates {
        fixes: 899.0,
        ..rates()
    };
    check(
        "",
        1_000,
        slow,
        Some("only 899 fixes per second instead of 1000"),
    );
    check("--fix-hz 0.5", 1_000, slow, None);
    let mut open = made("", 1_000, rates());
    open.residual = 3;
    assert!(open.verdict().unwrap_err().contains("do not close, 3"));
}

#[test]
fn a_person_reads_cost_and_rate() {
    let told = made("", 1_000, rates()).to_string();
    for words in [
        "250.00 M",
        "16.00 ns per observation",
        "residual 0",
        "p99.9 4.0 ms",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
