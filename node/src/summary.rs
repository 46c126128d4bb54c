//! The final ledger as a person reads it.

use std::fmt::Write as _;

use ingest::{Books, Tally};

/// The books as a table: what was offered and where it went, in observations and in datagrams.
pub fn ledger_table(books: &Books) -> String {
    let mut out = String::new();
    let mut row = |name: &str, tally: Tally| {
        let (observations, datagrams) = (tally.observations, tally.datagrams);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<28}{observations:>16}{datagrams:>14}");
    };
    let reasons = [
        ("queue full", books.dropped_agent.queue_full),
        ("too old", books.dropped_agent.too_old),
        ("disconnected", books.dropped_agent.disconnected),
        ("unsent", books.dropped_agent.unsent),
    ];
    row("offered", books.offered);
    row("- dropped at agents", books.dropped_agent_total());
    for (reason, observations) in reasons.into_iter().filter(|(_, n)| *n > 0) {
        row(
            &format!("    {reason}"),
            Tally {
                observations,
                datagrams: 0,
            },
        );
    }
    row("- lost in the network", books.lost);
    row("- unknown (crash)", books.unknown);
    row("= received", books.received);
    row("- dropped at the node", books.dropped_node.total());
    for (reason, tally) in books
        .dropped_node
        .iter()
        .filter(|(_, t)| *t != Tally::default())
    {
        row(&format!("    {}", reason.as_str()), tally);
    }
    row("= folded", books.folded);
    row("residual (0 at rest)", books.residual());
    format!(
        "{:<28}{:>16}{:>14}\n{out}",
        "ledger", "observations", "datagrams"
    )
}

#[cfg(test)]
mod tests {
    use ingest::DropReason;

    use super::*;

    #[test]
    fn the_table_names_only_reasons_that_happened() {
        let offered = Tally {
            observations: 10,
            datagrams: 2,
        };
        let mut books = Books {
            offered,
            ..Books::default()
        };
        books.dropped_agent.too_old = 3;
        books.dropped_node[DropReason::Radio] = Tally {
            observations: 1,
            datagrams: 1,
        };
        let table = ledger_table(&books);
        assert!(
            table.contains("too old") && table.contains("radio"),
            "{table}"
        );
        assert!(
            !table.contains("disconnected") && !table.contains("duplicate"),
            "{table}"
        );
    }
}
