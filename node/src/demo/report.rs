//! What a run came to: one JSON object, or a few lines for a person.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use ingest::Books;
use serde::Serialize;

use super::score::Accuracy;
use crate::body::rounded;
use crate::summary::ledger_table;

/// The result of a demo.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    observations: Observations,
    fixes: Fixes,
    latency_ms: Latency,
    #[serde(skip)]
    table: String,
}

/// Where every observation went.
#[derive(Debug, Serialize)]
struct Observations {
    offered: u64,
    dropped_agent: u64,
    lost: u64,
    unknown: u64,
    received: u64,
    dropped_node: u64,
    folded: u64,
    residual: u64,
}

#[derive(Debug, Serialize)]
struct Fixes {
    count: u64,
    per_second: f64,
    median_error_m: f64,
    p90_error_m: f64,
    floor_accuracy: f64,
}

/// From the hearing of an observation to the sending of the first fix that uses it.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

impl Report {
    pub(super) fn new(
        books: &Books,
        accuracy: Accuracy,
        latency_us: &Histogram<u64>,
        seconds: f64,
    ) -> Self {
        let ms = |quantile| rounded(latency_us.value_at_quantile(quantile) as f64 * 1e-3, 1);
        Self {
            observations: Observations {
                offered: books.offered.observations,
                dropped_agent: books.dropped_agent_total().observations,
                lost: books.lost.observations,
                unknown: books.unknown.observations,
                received: books.received.observations,
                dropped_node: books.dropped_node.total().observations,
                folded: books.folded.observations,
                residual: books.residual().observations,
            },
            fixes: Fixes {
                count: accuracy.fixes,
                per_second: rounded(accuracy.fixes as f64 / seconds.max(1e-3), 1),
                median_error_m: rounded(accuracy.median_error_m, 3),
                p90_error_m: rounded(accuracy.p90_error_m, 3),
                floor_accuracy: rounded(accuracy.floor_accuracy, 4),
            },
            latency_ms: Latency {
                p50: ms(0.5),
                p99: ms(0.99),
            },
            table: ledger_table(books),
        }
    }

    /// One line of JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and field names are always JSON")
    }

    /// A few lines for a person.
    pub(super) fn to_text(&self) -> String {
        let (fixes, latency) = (&self.fixes, &self.latency_ms);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} fixes, {:.0} per second",
            fixes.count, fixes.per_second
        );
        let _ = writeln!(
            text,
            "median error {:.2} m, nine of ten within {:.2} m, right floor {:.1} %",
            fixes.median_error_m,
            fixes.p90_error_m,
            fixes.floor_accuracy * 100.0
        );
        let _ = writeln!(
            text,
            "from hearing to fix: half within {:.0} ms, 99 of 100 within {:.0} ms\n",
            latency.p50, latency.p99
        );
        text + &self.table
    }
}
