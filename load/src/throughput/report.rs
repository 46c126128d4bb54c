//! What a measurement tells: one JSON object for programs, a table for people, and a verdict.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Machine, Measured};
use crate::api::ledger::{LatencyBody, LedgerBody};
use crate::child::Usage;
use crate::cli::{HearingOrder, IdKind, Pattern, Rate, ThroughputArgs};
use crate::hall::HEARERS_MAX;
use crate::report::rounded;

/// Share of the clients that must be folded.
const CLIENTS_SHARE_MIN: f64 = 0.99;

/// Share of one fix per client and interval that must be made.
const FIXES_SHARE_MIN: f64 = 0.9;

/// Share of the rate asked for that must be folded, unless the node was limited on purpose.
const RATE_SHARE_MIN: f64 = 0.98;

/// What was measured. Rates and costs are of the window; `lost`, `dropped`, `residual` and the
/// latencies are of the whole run, warm-up included.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughputReport {
    /// Agents.
    pub agents: u64,
    /// Clients in the node's tables at the end of the window.
    pub clients: u64,
    /// Sites.
    pub sites: u64,
    /// Anchors that hear a client.
    pub anchors_per_client: usize,
    /// Length of the window, in seconds.
    pub seconds: f64,
    /// Observations folded, normalised to ten seconds.
    pub observations_per_10s: f64,
    /// CPU time of the node, all its threads, in seconds.
    pub node_cpu_s: f64,
    /// Observations folded per second of that.
    pub observations_per_node_cpu_s: f64,
    /// CPU time of the generator, in seconds.
    pub load_cpu_s: f64,
    /// Observations folded per CPU second of both.
    pub observations_per_cpu_s_both: f64,
    /// Datagrams that the node received.
    pub datagrams: u64,
    /// CPU time of the node without solving, per observation, in nanoseconds.
    pub ns_per_observation: f64,
    /// The same per datagram, in microseconds.
    pub us_per_datagram: f64,
    /// Observations that the network lost.
    pub lost: u64,
    /// Observations that agents or node dropped.
    pub dropped: u64,
    /// What the books leave open, in observations and datagrams.
    pub residual: i64,
    /// Fixes made per second.
    pub fixes_per_s: f64,
    /// Memory of the node at the end of the window, in MiB.
    pub rss_node_mib: f64,
    /// From hearing to the first fix that uses it, in milliseconds.
    pub latency_ms: Quantiles,
    /// CPU time of sweeping and solving, in seconds; `null` from a node that does not tell, and then
    /// it is in all costs.
    pub solve_cpu_s: Option<f64>,
    /// That per fix, in microseconds.
    pub us_per_fix: Option<f64>,
    /// How observations became datagrams.
    #[serde(serialize_with = "word")]
    pub pattern: Pattern,
    /// How rows named clients.
    #[serde(serialize_with = "word")]
    pub id: IdKind,
    /// In which order agents heard their clients.
    #[serde(serialize_with = "word")]
    pub order: HearingOrder,
    /// How long an observation waited for others at most, in milliseconds.
    pub hold_ms: u64,
    /// Seed of places, strengths and orders.
    pub seed: u64,
    /// Observations per second that were asked for, or `max`.
    #[serde(serialize_with = "rate")]
    pub rate: Rate,
    /// Worker threads of the node.
    pub workers: u64,
    /// Fixes per second and client that were asked for.
    pub fix_hz: f64,
    /// `clients` as a share of those that were heard.
    pub clients_folded_share: f64,
    /// Rounds of the sweep that workers skipped for lack of time; `null` from a node that does not
    /// tell.
    pub rounds_skipped: Option<u64>,
    /// From hearing to the client's window, in milliseconds; `null` from a node that does not tell.
    pub folded_latency_ms: Option<Quantiles>,
    /// How long the node took at worst to answer `/livez`, in milliseconds.
    pub health_ms_max: f64,
    /// How long it took at worst to tell its ledger, in milliseconds.
    pub ledger_ms_max: f64,
    /// Cores that the generator used.
    pub load_cores_used: f64,
    /// Cores that the node used.
    pub node_cores_used: f64,
    /// The machine.
    pub machine: Machine,
    /// Memory of the node before its agents connected, in MiB.
    pub rss_node_idle_mib: f64,
    /// Memory of the node when all had connected and nothing had been sent, in MiB.
    pub rss_node_connected_mib: f64,
    /// Memory that came with the observations, per client, in bytes.
    pub bytes_per_client: f64,
    /// Memory that came with the connections, per agent, in bytes.
    pub bytes_per_connection: f64,
    /// Cores to which the node was limited; `null` where it was not.
    pub node_cpus: Option<f64>,
    /// Of `dropped`, what agents dropped.
    pub dropped_agent: u64,
    /// Of `dropped`, what the node dropped.
    pub dropped_node: u64,
}

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half are shorter.
    pub p50: f64,
    /// All but one in a hundred are shorter.
    pub p99: f64,
    /// All but one in a thousand are shorter; `null` from a node that does not tell.
    pub p999: Option<f64>,
}

impl From<LatencyBody> for Quantiles {
    fn from(body: LatencyBody) -> Self {
        Self {
            p50: body.p50_ms,
            p99: body.p99_ms,
            p999: body.p999_ms,
        }
    }
}

pub(super) fn report(
    args: &ThroughputArgs,
    measured: &Measured,
    before: &LedgerBody,
    after: &LedgerBody,
    idle: Usage,
    connected: Usage,
) -> ThroughputReport {
    let Measured {
        rates,
        node_cpu_s,
        load_cpu_s,
        ledger,
        ..
    } = measured;
    let seconds = measured.window.as_secs_f64();
    let (folded, datagrams) = (rates.folded * seconds, rates.datagrams * seconds);
    let solve_cpu_s = rates.solve_cpu_s.map(|per_s| per_s * seconds);
    let serving_s = node_cpu_s - solve_cpu_s.unwrap_or(0.0);
    let books = after.total.observations() - before.total.observations();
    let open = books.residual + (after.total.datagrams() - before.total.datagrams()).residual;
    let mib = |from: f64, to: f64, count: u64| (to - from) * 1_048_576.0 / count as f64;
    let now_mib = measured.node.rss_now_mib;
    ThroughputReport {
        agents: args.agents,
        clients: ledger.clients(),
        sites: args.sites.min(args.agents),
        anchors_per_client: HEARERS_MAX.min((args.agents / args.sites.min(args.agents)) as usize),
        seconds: rounded(seconds, 3),
        observations_per_10s: rounded(10.0 * rates.folded, 0),
        node_cpu_s: rounded(*node_cpu_s, 3),
        observations_per_node_cpu_s: rounded(per(folded, *node_cpu_s), 0),
        load_cpu_s: rounded(*load_cpu_s, 3),
        observations_per_cpu_s_both: rounded(per(folded, node_cpu_s + load_cpu_s), 0),
        datagrams: datagrams.round() as u64,
        ns_per_observation: rounded(per(1e9 * serving_s, folded), 2),
        us_per_datagram: rounded(per(1e6 * serving_s, datagrams), 3),
        lost: books.lost,
        dropped: books.dropped_agent + books.dropped_node,
        residual: open,
        fixes_per_s: rounded(rates.fixes, 1),
        rss_node_mib: rounded(now_mib, 1),
        latency_ms: ledger.latency.into(),
        solve_cpu_s: solve_cpu_s.map(|cpu_s| rounded(cpu_s, 3)),
        us_per_fix: solve_cpu_s.map(|cpu_s| rounded(per(1e6 * cpu_s, rates.fixes * seconds), 3)),
        pattern: args.pattern,
        order: args.order,
        hold_ms: args.hold,
        seed: args.seed,
        id: args.id,
        rate: args.rate,
        workers: args.workers,
        fix_hz: args.fix_hz,
        clients_folded_share: rounded(ledger.clients() as f64 / args.clients as f64, 4),
        rounds_skipped: rates
            .rounds_skipped
            .map(|per_s| (per_s * seconds).round() as u64),
        folded_latency_ms: ledger.folded_latency.map(Into::into),
        health_ms_max: rounded(1e3 * measured.probes.health.as_secs_f64(), 1),
        ledger_ms_max: rounded(1e3 * measured.probes.ledger.as_secs_f64(), 1),
        load_cores_used: rounded(load_cpu_s / seconds, 3),
        node_cores_used: rounded(node_cpu_s / seconds, 3),
        machine: Machine::this(),
        rss_node_idle_mib: rounded(idle.rss_now_mib, 1),
        rss_node_connected_mib: rounded(connected.rss_now_mib, 1),
        bytes_per_client: rounded(mib(connected.rss_now_mib, now_mib, args.clients), 0),
        bytes_per_connection: rounded(mib(idle.rss_now_mib, connected.rss_now_mib, args.agents), 0),
        node_cpus: args.node_cpus,
        dropped_agent: books.dropped_agent,
        dropped_node: books.dropped_node,
    }
}

/// Their ratio, or 0 of nothing.
fn per(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}

impl ThroughputReport {
    /// Whether the figures are worth anything.
    ///
    /// # Errors
    /// Says what is wrong: clients or fixes are missing, or the books do not close.
    pub fn verdict(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        let clients = self.clients as f64 / self.clients_folded_share.max(f64::MIN_POSITIVE);
        if self.clients_folded_share < CLIENTS_SHARE_MIN {
            wrong.push(format!(
                "only {:.1} % of the clients were folded; give it more --seconds or a higher --rate",
                100.0 * self.clients_folded_share
            ));
        }
        let expected = clients * self.fix_hz;
        if self.fixes_per_s < FIXES_SHARE_MIN * expected {
            wrong.push(format!(
                "only {:.0} fixes per second instead of {expected:.0}; lower --fix-hz or --clients, or \
                 raise --rate so that each client is heard between two fixes",
                self.fixes_per_s
            ));
        }
        if let (Rate::PerSecond(asked), None) = (self.rate, self.node_cpus) {
            let folded = self.observations_per_10s / 10.0;
            if folded < RATE_SHARE_MIN * asked as f64 {
                wrong.push(format!(
                    "only {folded:.0} of {asked} observations per second were folded; lower --rate"
                ));
            }
        }
        if self.residual != 0 {
            wrong.push(format!(
                "the books do not close, {} observations and datagrams are unaccounted for",
                self.residual
            ));
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n"))
        }
    }
}

fn word<S: Serializer>(value: &impl clap::ValueEnum, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&named(value))
}

fn named(value: &impl clap::ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn rate<S: Serializer>(value: &Rate, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Rate::Max => to.serialize_str("max"),
        Rate::PerSecond(rate) => to.serialize_u64(*rate),
    }
}

impl fmt::Display for ThroughputReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millions = |value: f64| format!("{:.2} M", value / 1e6);
        let optional = |value: Option<f64>, unit: &str| {
            value.map_or("not told".to_owned(), |value| format!("{value:.2} {unit}"))
        };
        let quantiles = |of: Quantiles| {
            let p999 = of
                .p999
                .map_or(String::new(), |p999| format!(", p99.9 {p999:.1}"));
            format!("p50 {:.1}, p99 {:.1}{p999} ms", of.p50, of.p99)
        };
        let rows = [
            (
                "load",
                format!(
                    "{}, {} ids, {} agents, {} clients, {} sites, {} workers",
                    named(&self.pattern),
                    named(&self.id),
                    self.agents,
                    self.clients,
                    self.sites,
                    self.workers
                ),
            ),
            ("observations in 10 s", millions(self.observations_per_10s)),
            (
                "per CPU second",
                format!(
                    "{} of the node, {} of both",
                    millions(self.observations_per_node_cpu_s),
                    millions(self.observations_per_cpu_s_both)
                ),
            ),
            (
                "cores used",
                format!(
                    "{:.2} by the node, {:.2} by the generator, of {}",
                    self.node_cores_used, self.load_cores_used, self.machine.cores
                ),
            ),
            (
                "without solving",
                format!(
                    "{:.2} ns per observation, {:.3} us per datagram, {} datagrams",
                    self.ns_per_observation, self.us_per_datagram, self.datagrams
                ),
            ),
            (
                "fixes",
                format!(
                    "{:.0} per second, {} each",
                    self.fixes_per_s,
                    optional(self.us_per_fix, "us")
                ),
            ),
            (
                "books",
                format!(
                    "{} lost, {} dropped by agents, {} by the node, residual {}",
                    self.lost, self.dropped_agent, self.dropped_node, self.residual
                ),
            ),
            ("heard to fix", quantiles(self.latency_ms)),
            (
                "heard to folded",
                self.folded_latency_ms
                    .map_or("not told".to_owned(), quantiles),
            ),
            (
                "memory",
                format!(
                    "{:.0} MiB, {:.0} B per client, {:.0} B per connection",
                    self.rss_node_mib, self.bytes_per_client, self.bytes_per_connection
                ),
            ),
            (
                "answers at worst",
                format!(
                    "health {:.0} ms, ledger {:.0} ms",
                    self.health_ms_max, self.ledger_ms_max
                ),
            ),
            (
                "machine",
                self.machine.cpu.clone().unwrap_or("unknown".to_owned()),
            ),
        ];
        let lines = rows.map(|(name, value)| format!("{name:<22}{value}"));
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests;
