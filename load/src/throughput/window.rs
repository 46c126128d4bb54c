//! The measured window: what counters that are told in steps did per second.

use std::time::Duration;

use crate::api::ledger::LedgerBody;

/// A counter as it was told at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Told {
    at: Duration,
    value: f64,
}

/// One counter while its edge is looked for.
///
/// A worker tells its counters several times a second. Only a look that finds a new value knows
/// when that value was true, give or take the time between two looks.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    seen: Option<Told>,
    edge: Option<Told>,
}

impl Counter {
    fn look(&mut self, at: Duration, value: f64) {
        let told = Told { at, value };
        if self.seen.is_some_and(|seen| seen.value != value) {
            self.edge = Some(told);
        }
        self.seen = Some(told);
    }

    /// Where it last changed, or how it stands where it does not.
    fn told(&self) -> Option<Told> {
        self.edge.or(self.seen)
    }
}

/// What is counted; each site and each worker has its own moment at which it is told.
const COUNTERS: usize = 5;

/// The counters of a node at one end of the window.
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    counters: Vec<[Option<Counter>; COUNTERS]>,
}

/// What happened per second between two edges, all sites and workers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Observations folded.
    pub(super) folded: f64,
    /// Datagrams received.
    pub(super) datagrams: f64,
    /// Fixes made.
    pub(super) fixes: f64,
    /// Processor seconds of solving; `None` from a node that does not tell.
    pub(super) solve_cpu_s: Option<f64>,
    /// Rounds skipped; `None` from a node that does not tell.
    pub(super) rounds_skipped: Option<f64>,
}

impl Edge {
    /// The ledger as it is at this time of the run; whether all that counts has had its edge.
    pub(super) fn look(&mut self, at: Duration, ledger: &LedgerBody) -> bool {
        let sites = ledger.sites.iter().map(|site| {
            let folded = site.books.observations().folded as f64;
            let datagrams = site.books.datagrams().received as f64;
            [Some(folded), Some(datagrams), None, None, None]
        });
        let workers = ledger.workers.iter().map(|worker| {
            let skipped = worker.rounds_skipped.map(|rounds| rounds as f64);
            let fixes = Some(worker.fixes as f64);
            [None, None, fixes, worker.solve_cpu_s, skipped]
        });
        let values: Vec<_> = sites.chain(workers).collect();
        self.counters.resize(values.len(), [None; COUNTERS]);
        for (counters, values) in self.counters.iter_mut().zip(&values) {
            for (counter, value) in counters.iter_mut().zip(values) {
                if let Some(value) = value {
                    counter.get_or_insert_default().look(at, *value);
                }
            }
        }
        let has_edge = |counters: &[Option<Counter>; COUNTERS]| {
            counters
                .iter()
                .flatten()
                .any(|counter| counter.edge.is_some())
        };
        self.counters.iter().all(has_edge)
    }

    /// What happened per second from this edge to a later one.
    pub(super) fn rates_until(&self, later: &Self) -> Rates {
        let [folded, datagrams, fixes, solve_cpu_s, rounds_skipped] =
            std::array::from_fn(|n| self.rate_until(later, n));
        Rates {
            folded: folded.unwrap_or(0.0),
            datagrams: datagrams.unwrap_or(0.0),
            fixes: fixes.unwrap_or(0.0),
            solve_cpu_s,
            rounds_skipped,
        }
    }

    fn rate_until(&self, later: &Self, n: usize) -> Option<f64> {
        let told = |counters: &[Option<Counter>; COUNTERS]| counters[n]?.told();
        self.counters
            .iter()
            .zip(&later.counters)
            .filter_map(|(first, last)| Some(rate(told(first)?, told(last)?)))
            .reduce(|sum, rate| sum + rate)
    }
}

fn rate(first: Told, last: Told) -> f64 {
    let passed_s = last.at.saturating_sub(first.at).as_secs_f64();
    if passed_s > 0.0 {
        (last.value - first.value) / passed_s
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of two sites and two workers; their counters at a time of the run.
    fn ledger(folded: [u64; 2], fixes: [u64; 2], solve_cpu_s: Option<f64>) -> LedgerBody {
        let tally =
            |count: u64| format!(r#"{{"observations":{count},"datagrams":{}}}"#, count / 10);
        let books = |folded: u64| {
            let (none, all) = (tally(0), tally(folded));
            format!(
                r#"{{"offered":{all},"dropped_at_agent":{none},"lost":{none},"unknown":{none},
                "received":{all},"dropped_at_node":{none},"folded":{all}}}"#
            )
        };
        let site = |n: usize| {
            let books = books(folded[n]);
            format!(r#"{{"site":"{n}","books":{books},"fixes":{{"published":0}}}}"#)
        };
        let solving = solve_cpu_s.map_or(String::new(), |cpu| format!(r#","solve_cpu_s":{cpu}"#));
        let worker = |n: usize| format!(r#"{{"clients":1,"fixes":{}{solving}}}"#, fixes[n]);
        let text = format!(
            r#"{{"total":{},"sites":[{},{}],"agents":[],
            "latency":{{"p50_ms":0,"p90_ms":0,"p99_ms":0,"max_ms":0}},"workers":[{},{}]}}"#,
            books(folded[0] + folded[1]),
            site(0),
            site(1),
            worker(0),
            worker(1)
        );
        serde_json::from_str(&text).unwrap()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What the node tells at this time: site and worker 0 at multiples of 250 ms, site and worker
    /// 1 100 ms later.
    fn told_at(ms: u64) -> LedgerBody {
        let (first, second) = (ms / 250 * 250, (ms - 100) / 250 * 250 + 100);
        ledger(
            [1_000 * first, 3_000 * second],
            [2 * first, 5 * second],
            Some(first as f64 / 4_000.0),
        )
    }

    fn edge(from_ms: u64) -> (Edge, u64) {
        let mut edge = Edge::default();
        let mut at_ms = from_ms;
        while !edge.look(ms(at_ms), &told_at(at_ms)) {
            at_ms += 10;
        }
        (edge, at_ms)
    }

    #[test]
    fn steps_told_at_different_moments_give_exact_rates() {
        let (first, found_ms) = edge(420);
        assert_eq!(found_ms, 600, "the worker that told last is waited for");
        let (last, _) = edge(10_490);
        let rates = first.rates_until(&last);
        assert!((rates.folded - 4_000_000.0).abs() < 1e-3, "{rates:?}");
        assert!((rates.datagrams - 400_000.0).abs() < 1e-3, "{rates:?}");
        assert!((rates.fixes - 7_000.0).abs() < 1e-6, "{rates:?}");
        assert_eq!(rates.rounds_skipped, None);
    }

    #[test]
    fn what_stands_still_has_a_rate_of_zero() {
        let mut first = Edge::default();
        let still = ledger([7, 7], [1, 1], None);
        assert!(!first.look(ms(0), &still) && !first.look(ms(500), &still));
        let mut last = Edge::default();
        last.look(ms(9_000), &still);
        let rates = first.rates_until(&last);
        assert_eq!(
            (rates.folded, rates.fixes, rates.solve_cpu_s),
            (0.0, 0.0, None)
        );
    }
}
