//! What a run tells: one JSON object for programs, a table for people.

use std::fmt;

use serde::Serialize;

use crate::api::ledger::{Flow, LatencyBody};
use crate::child::Usage;

/// What became of everything that was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The books in observations.
    pub observations: Flow,
    /// The books in datagrams.
    pub datagrams: Flow,
    /// Fixes of the node.
    pub fixes: FixReport,
    /// From hearing to the sending of the first fix that uses it, in milliseconds; `null` for a
    /// replay, whose clock is not the node's.
    pub latency_ms: Option<LatencyReport>,
    /// What the node used; `null` for one elsewhere.
    pub node: Option<NodeReport>,
    /// How long was sent, in seconds.
    pub seconds: f64,
}

/// Fixes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FixReport {
    /// All of them.
    pub count: u64,
    /// Per second after a warm-up; `null` when the run was too short to tell.
    pub per_second: Option<f64>,
    /// That as a share of one fix per client and interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_expected: Option<f64>,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyReport {
    /// Half are shorter.
    pub p50: f64,
    /// Nine of ten are shorter.
    pub p90: f64,
    /// All but one in a hundred are shorter.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What the node used from the first observation until its books were closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NodeReport {
    /// CPU time of all its threads, in seconds.
    pub cpu_s: f64,
    /// Most memory resident at once since its start, in MiB.
    pub rss_mib: f64,
}

impl NodeReport {
    /// From two looks at the process.
    pub fn between(before: Option<Usage>, now: Usage) -> Self {
        let earlier_s = before.map_or(0.0, |usage| usage.cpu_s);
        Self {
            cpu_s: rounded(now.cpu_s - earlier_s, 2),
            rss_mib: rounded(now.rss_mib, 1),
        }
    }
}

/// The number with so many digits behind the point: more would be noise.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

impl From<LatencyBody> for LatencyReport {
    fn from(body: LatencyBody) -> Self {
        Self {
            p50: body.p50_ms,
            p90: body.p90_ms,
            p99: body.p99_ms,
            max: body.max_ms,
        }
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (o, d) = (&self.observations, &self.datagrams);
        writeln!(
            f,
            "{:<24}{:>16}{:>14}",
            "ledger", "observations", "datagrams"
        )?;
        let rows = [
            ("offered", o.offered, d.offered),
            ("- dropped at agents", o.dropped_agent, d.dropped_agent),
            ("- lost in the network", o.lost, d.lost),
            ("- unknown (crash)", o.unknown, d.unknown),
            ("= received", o.received, d.received),
            ("- dropped at the node", o.dropped_node, d.dropped_node),
            ("= folded", o.folded, d.folded),
        ];
        for (name, observations, datagrams) in rows {
            writeln!(f, "{name:<24}{observations:>16}{datagrams:>14}")?;
        }
        writeln!(
            f,
            "{:<24}{:>16}{:>14}",
            "residual (0 at rest)", o.residual, d.residual
        )?;
        writeln!(f)?;
        let folded_per_s = o.folded as f64 / self.seconds;
        writeln!(f, "folded       {folded_per_s:.0} observations per second")?;
        write!(f, "fixes        {}", self.fixes.count)?;
        if let Some(per_s) = self.fixes.per_second {
            write!(f, ", {per_s:.0} per second")?;
        }
        if let Some(share) = self.fixes.of_expected {
            write!(f, ", {:.1} % of one per client and interval", 100.0 * share)?;
        }
        if let Some(LatencyReport { p50, p90, p99, max }) = self.latency_ms {
            write!(
                f,
                "\nlatency      p50 {p50:.0} ms, p90 {p90:.0} ms, p99 {p99:.0} ms, max {max:.0} ms"
            )?;
        }
        if let Some(NodeReport { cpu_s, rss_mib }) = self.node {
            write!(f, "\nnode         {cpu_s:.1} s of CPU, {rss_mib:.0} MiB")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RunReport {
        let flow = Flow {
            offered: 10,
            lost: 1,
            received: 9,
            folded: 9,
            ..Flow::default()
        };
        RunReport {
            observations: flow,
            datagrams: flow,
            fixes: FixReport {
                count: 5,
                per_second: Some(2.5),
                of_expected: None,
            },
            latency_ms: Some(LatencyReport {
                p50: 1.0,
                p90: 2.0,
                p99: 3.0,
                max: 4.0,
            }),
            node: None,
            seconds: 3.0,
        }
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let json = serde_json::to_value(report()).unwrap();
        for books in ["observations", "datagrams"] {
            for key in [
                "offered",
                "dropped_agent",
                "lost",
                "unknown",
                "received",
                "dropped_node",
                "folded",
                "residual",
            ] {
                assert!(json[books][key].is_number(), "{books}.{key}");
            }
        }
        for key in ["p50", "p90", "p99", "max"] {
            assert!(json["latency_ms"][key].is_number(), "{key}");
        }
        assert_eq!(
            (json["fixes"]["count"].as_u64(), json["node"].is_null()),
            (Some(5), true)
        );
    }

    #[test]
    fn a_person_reads_the_rate() {
        let told = report().to_string();
        assert!(
            told.contains("folded       3 observations per second"),
            "{told}"
        );
    }
}
