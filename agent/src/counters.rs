//! Sums of counters, and the ledger that a person reads when the agent leaves.

use std::fmt;

use wire::frame::Counters;

/// Adds the account `other` to `sum`.
pub(crate) fn add(sum: &mut Counters, other: &Counters) {
    sum.observations_offered += other.observations_offered;
    sum.observations_sent += other.observations_sent;
    sum.datagrams_sent += other.datagrams_sent;
    sum.datagrams_unsent += other.datagrams_unsent;
    sum.dropped.queue_full += other.dropped.queue_full;
    sum.dropped.too_old += other.dropped.too_old;
    sum.dropped.disconnected += other.dropped.disconnected;
    sum.dropped.unsent += other.dropped.unsent;
}

/// Counters as a table for a person: what was offered and where it went.
///
/// What the network lost is not in it; only the node knows that.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'a>(pub &'a Counters);

impl fmt::Display for Ledger<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            observations_offered: offered,
            observations_sent,
            datagrams_sent,
            datagrams_unsent,
            dropped,
        } = *self.0;
        let sent = observations_sent - dropped.unsent;
        let datagrams = datagrams_sent - datagrams_unsent;
        let waiting = offered - sent - dropped.total();
        writeln!(f, "observations offered      {offered:>14}")?;
        writeln!(
            f,
            "  sent                    {sent:>14}   in {datagrams} datagrams"
        )?;
        writeln!(f, "  dropped: queue full     {:>14}", dropped.queue_full)?;
        writeln!(f, "  dropped: too old        {:>14}", dropped.too_old)?;
        writeln!(f, "  dropped: disconnected   {:>14}", dropped.disconnected)?;
        writeln!(
            f,
            "  dropped: unsent         {:>14}   in {datagrams_unsent} datagrams",
            dropped.unsent
        )?;
        write!(f, "  waiting                 {waiting:>14}")
    }
}

#[cfg(test)]
mod tests {
    use wire::frame::AgentDrops;

    use super::*;

    #[test]
    fn the_ledger_adds_up() {
        let counters = Counters {
            observations_offered: 1_000,
            observations_sent: 900,
            datagrams_sent: 20,
            datagrams_unsent: 2,
            dropped: AgentDrops {
                queue_full: 40,
                too_old: 30,
                disconnected: 20,
                unsent: 80,
            },
        };
        let mut sum = counters;
        add(&mut sum, &counters);
        let text = Ledger(&sum).to_string();
        let expected = [2_000, 1_640, 80, 60, 40, 160, 20];
        assert_eq!(text.lines().count(), expected.len());
        for (line, number) in text.lines().zip(expected) {
            assert!(
                line.contains(&format!(" {number}")),
                "{line:?} should say {number}"
            );
        }
    }
}
