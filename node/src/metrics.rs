//! The node's figures for Prometheus, in the OpenMetrics text format.
//!
//! Counters live with whoever counts; they are read when somebody scrapes. No label names a client.

mod messages;
mod relays;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::latest::HubCounts;
use crate::presence::Counted;
use crate::status::{Books, LatencyView, StatusView};

pub use messages::MessageFigures;

/// What [`exposition`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, read now; `sites` has the id and the hub's counts of each site.
///
/// # Panics
/// Never: writing to a string cannot fail.
pub fn exposition(
    status: &StatusView,
    sites: &[(&str, HubCounts)],
    presence: Option<Counted>,
    messages: Option<MessageFigures>,
) -> String {
    let mut registry = Registry::with_prefix("trilobite");
    let sites = sites
        .iter()
        .map(|(site, counts)| ((*site).to_owned(), *counts))
        .collect();
    registry.register_collector(Box::new(Figures {
        status: status.clone(),
        sites,
        presence,
        messages,
    }));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string cannot fail");
    text
}

#[derive(Debug)]
struct Figures {
    status: StatusView,
    sites: Vec<(String, HubCounts)>,
    presence: Option<Counted>,
    messages: Option<MessageFigures>,
}

/// Label names and values of one sample.
type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.ledger(&mut encoder)?;
        self.agents(&mut encoder)?;
        self.fixes(&mut encoder)?;
        self.latency(&mut encoder)?;
        self.workers(&mut encoder)?;
        self.presence(&mut encoder)?;
        relays::encode(&mut encoder, &self.status.relays)?;
        match &self.messages {
            Some(messages) => messages.encode(&mut encoder),
            None => Ok(()),
        }
    }
}

impl Figures {
    fn books(&self) -> impl Iterator<Item = (&str, &Books)> {
        self.status
            .ledger
            .sites
            .iter()
            .map(|(site, books)| (site.as_str(), books))
    }

    fn ledger(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let stages = || {
            self.books().flat_map(|(site, books)| {
                let labels = move |stage| vec![("site", site), ("stage", stage)];
                books.stages().map(|(stage, tally)| (labels(stage), tally))
            })
        };
        counters(
            encoder,
            "ledger_observations",
            "Observations by where they went: offered = dropped_at_agent + lost + unknown + received, received = dropped_at_node + folded.",
            stages().map(|(labels, tally)| (labels, tally.observations)),
        )?;
        counters(
            encoder,
            "ledger_datagrams",
            "Datagrams by where they went; an observation dropped before it was packed has none.",
            stages().map(|(labels, tally)| (labels, tally.datagrams)),
        )?;
        gauges(
            encoder,
            "ledger_residual_observations",
            "Observations offered that no other entry explains: 0 at rest, what is under way otherwise.",
            self.books()
                .map(|(site, books)| (vec![("site", site)], books.residual.observations as f64)),
        )?;
        let by_reason = |site, reason| vec![("site", site), ("reason", reason)];
        counters(
            encoder,
            "agent_dropped_observations",
            "Observations that agents discarded, by reason.",
            self.books().flat_map(|(site, books)| {
                let reasons = books.dropped_agent_by_reason.iter();
                reasons.map(move |(reason, count)| (by_reason(site, *reason), *count))
            }),
        )?;
        counters(
            encoder,
            "node_dropped_observations",
            "Observations that the node discarded, by reason.",
            self.books().flat_map(|(site, books)| {
                let reasons = books.dropped_node_by_reason.iter();
                reasons.map(move |(reason, tally)| (by_reason(site, *reason), tally.observations))
            }),
        )?;
        counters(
            encoder,
            "node_dropped_datagrams",
            "Datagrams that the node discarded, by reason.",
            self.books().flat_map(|(site, books)| {
                let reasons = books.dropped_node_by_reason.iter();
                reasons.map(move |(reason, tally)| (by_reason(site, *reason), tally.datagrams))
            }),
        )
    }

    fn agents(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let count = |site: &str, connected: bool| {
            let agents = self.status.ledger.agents.iter();
            agents
                .filter(|agent| agent.site == site && agent.connected == connected)
                .count() as f64
        };
        gauges(
            encoder,
            "agents",
            "Agents that this process has seen, by whether they have a session now.",
            self.sites.iter().flat_map(|(site, _)| {
                [("connected", true), ("away", false)].map(|(state, connected)| {
                    (
                        vec![("site", site.as_str()), ("state", state)],
                        count(site, connected),
                    )
                })
            }),
        )
    }

    fn fixes(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let per_site = |count: fn(&HubCounts) -> u64| {
            self.sites
                .iter()
                .map(move |(site, counts)| (vec![("site", site.as_str())], count(counts)))
        };
        gauges(
            encoder,
            "clients",
            "Clients with a fix in the last ten minutes.",
            per_site(|counts| counts.clients).map(|(labels, count)| (labels, count as f64)),
        )?;
        counters(
            encoder,
            "fixes",
            "Fixes published.",
            per_site(|counts| counts.published),
        )?;
        counters(
            encoder,
            "clients_expired",
            "Clients forgotten because they were not seen for ten minutes.",
            per_site(|counts| counts.expired),
        )?;
        counters(
            encoder,
            "fixes_refused",
            "Fixes not remembered because too many clients were; streams still carried them.",
            per_site(|counts| counts.refused),
        )?;
        counters(
            encoder,
            "stream_lagged_fixes",
            "Fixes that readers of streams lost because they were too slow.",
            per_site(|counts| counts.lagged),
        )
    }

    fn presence(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let Some(counted) = &self.presence else {
            return Ok(());
        };
        let now = [
            (
                "presence_clients",
                "Clients in zones or near them.",
                counted.clients,
            ),
            (
                "presence_waiting",
                "Changes that the store does not know yet.",
                counted.waiting,
            ),
        ];
        for (name, help, count) in now {
            gauges(encoder, name, help, [(Vec::new(), count as f64)])?;
        }
        let so_far = [
            (
                "presence_fixes",
                "Fixes of sites with zones.",
                counted.taken,
            ),
            (
                "presence_fixes_dropped",
                "Of these, fixes that gave way to newer ones.",
                counted.dropped,
            ),
            (
                "presence_refused",
                "Clients and orders refused for lack of room.",
                counted.refused,
            ),
            (
                "presence_written",
                "Changes that the store has taken.",
                counted.written,
            ),
            (
                "presence_failed",
                "Tries that the store did not take.",
                counted.failed,
            ),
        ];
        for (name, help, count) in so_far {
            counters(encoder, name, help, [(Vec::new(), count)])?;
        }
        Ok(())
    }

    fn latency(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        quantiles(
            encoder,
            "fix_latency_seconds",
            "Seconds from hearing an observation to the first fix that uses it, by quantile.",
            &self.status.latency,
        )?;
        quantiles(
            encoder,
            "folded_latency_seconds",
            "Seconds from hearing an observation to its client's window, by quantile.",
            &self.status.folded_latency,
        )
    }

    fn workers(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let names: Vec<_> = (0..self.status.workers.len())
            .map(|index| index.to_string())
            .collect();
        let workers = || {
            let labels = names.iter().map(|name| vec![("worker", name.as_str())]);
            labels.zip(&self.status.workers)
        };
        gauges(
            encoder,
            "worker_cpu_seconds",
            "Processor time of a worker's thread since the start.",
            workers().map(|(labels, worker)| (labels, worker.cpu_s)),
        )?;
        gauges(
            encoder,
            "worker_solve_cpu_seconds",
            "The part of a worker's processor time that sweeping and solving took.",
            workers().map(|(labels, worker)| (labels, worker.solve_cpu_s)),
        )?;
        gauges(
            encoder,
            "worker_clients",
            "Clients in a worker's tables.",
            workers().map(|(labels, worker)| (labels, worker.clients as f64)),
        )?;
        counters(
            encoder,
            "worker_fixes",
            "Fixes that a worker made.",
            workers().map(|(labels, worker)| (labels, worker.fixes)),
        )?;
        counters(
            encoder,
            "worker_queue_dropped_fixes",
            "Fixes that a worker dropped because the queue to the readers was full.",
            workers().map(|(labels, worker)| (labels, worker.queue_dropped_fixes)),
        )?;
        counters(
            encoder,
            "worker_rounds_skipped",
            "Rounds of the sweep that a worker skipped because it was busy.",
            workers().map(|(labels, worker)| (labels, worker.rounds_skipped)),
        )
    }
}

fn quantiles(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    latency: &LatencyView,
) -> fmt::Result {
    let quantiles = [
        ("0.5", latency.p50_ms),
        ("0.9", latency.p90_ms),
        ("0.99", latency.p99_ms),
        ("0.999", latency.p999_ms),
        ("1", latency.max_ms),
    ];
    let samples = quantiles.map(|(quantile, ms)| (vec![("quantile", quantile)], ms / 1_000.0));
    gauges(encoder, name, help, samples)
}

fn counters<'a>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
) -> fmt::Result {
    let samples = samples
        .into_iter()
        .map(|(labels, value)| (labels, ConstCounter::new(value)));
    family(encoder, name, help, samples)
}

fn gauges<'a>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
) -> fmt::Result {
    let samples = samples
        .into_iter()
        .map(|(labels, value)| (labels, ConstGauge::new(value)));
    family(encoder, name, help, samples)
}

/// One metric with its samples; nothing when there are none, as a head alone is noise.
fn family<'a, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (Labels<'a>, M)>,
) -> fmt::Result {
    let mut samples = samples.peekable();
    let Some((_, first)) = samples.peek() else {
        return Ok(());
    };
    let mut family = encoder.encode_descriptor(name, help, None, first.metric_type())?;
    for (labels, sample) in samples {
        sample.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{AgentView, LedgerView, Tally, WorkerView};

    #[test]
    fn every_sample_has_a_help_and_names_no_client() {
        let books = Books {
            offered: Tally {
                observations: 10,
                datagrams: 2,
            },
            folded: Tally {
                observations: 9,
                datagrams: 2,
            },
            residual: Tally {
                observations: 1,
                datagrams: 0,
            },
            dropped_agent_by_reason: vec![("queue_full", 1)],
            dropped_node_by_reason: vec![("unknown_radio", Tally::default())],
            ..Books::default()
        };
        let agent = AgentView {
            site: "hq".into(),
            connected: true,
            ..AgentView::default()
        };
        let status = StatusView {
            ledger: LedgerView {
                total: books.clone(),
                sites: vec![("hq".into(), books)],
                agents: vec![agent],
            },
            folded_latency: LatencyView {
                p999_ms: 250.0,
                ..LatencyView::default()
            },
            workers: vec![WorkerView {
                clients: 3,
                solve_cpu_s: 1.5,
                rounds_skipped: 4,
                ..WorkerView::default()
            }],
            ..StatusView::default()
        };
        let counts = HubCounts {
            clients: 3,
            published: 7,
            ..HubCounts::default()
        };
        let presence = Counted {
            dropped: 2,
            waiting: 5,
            ..Counted::default()
        };
        let text = exposition(&status, &[("hq", counts)], Some(presence), None);
        for line in [
            "trilobite_ledger_observations_total{site=\"hq\",stage=\"offered\"} 10",
            "trilobite_ledger_residual_observations{site=\"hq\"} 1.0",
            "trilobite_agent_dropped_observations_total{site=\"hq\",reason=\"queue_full\"} 1",
            "trilobite_agents{site=\"hq\",state=\"connected\"} 1.0",
            "trilobite_fixes_total{site=\"hq\"} 7",
            "trilobite_clients{site=\"hq\"} 3.0",
            "trilobite_fix_latency_seconds{quantile=\"0.999\"} 0.0",
            "trilobite_folded_latency_seconds{quantile=\"0.999\"} 0.25",
            "trilobite_worker_solve_cpu_seconds{worker=\"0\"} 1.5",
            "trilobite_worker_rounds_skipped_total{worker=\"0\"} 4",
            "trilobite_presence_fixes_dropped_total{} 2",
            "trilobite_presence_waiting{} 5.0",
            "trilobite_worker_clients{worker=\"0\"} 3.0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
        let described: Vec<_> = text
            .lines()
            .filter_map(|l| l.strip_prefix("# HELP "))
            .collect();
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let name = sample
                .split(['{', ' '])
                .next()
                .unwrap()
                .trim_end_matches("_total");
            assert!(
                described.iter().any(|help| help.starts_with(name)),
                "{sample}"
            );
            assert!(!sample.contains("client=\""), "{sample}");
        }
    }
}
