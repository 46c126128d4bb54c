//! The command line of `trilobite-load`, written for a person.

use std::path::PathBuf;
use std::str::FromStr;

use agent::route::NodeAddress;
use agent::source::pace::Pace;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::limits::{
    AGENTS_MAX, CLIENTS_MAX, HOLD_MS_MAX, RATE_PER_S_MAX, SECONDS_MAX, SITES_MAX, WORKERS_MAX,
};

/// Plays many agents against a node and reports rates, loss and latency.
///
/// Unless --node is given, it starts `trilobite serve` from its own folder on free ports of this
/// machine, with certificates and a site of its own, and stops it at the end.
#[derive(Debug, Parser)]
#[command(name = "trilobite-load", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `trilobite-load` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play a data set with known positions, or a recording, through real agents
    Replay(ReplayArgs),
    /// Make up clients and send observations at a fixed rate, whether the node keeps up or not
    Synthetic(SyntheticArgs),
    /// Measure what a node takes: rate, CPU time per observation and datagram, memory, latency
    Throughput(ThroughputArgs),
    /// Score the estimator on data sets with known positions, without a node or a network
    Accuracy(AccuracyArgs),
}

/// Options of `replay`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("input").required(true)))]
pub struct ReplayArgs {
    /// Folder of a data set: anchors.csv, truth.csv.gz and observations.csv.gz; fixes are scored
    #[arg(long, value_name = "DIR", group = "input", conflicts_with = "sites")]
    pub dataset: Option<PathBuf>,
    /// Recording made by `trilobite serve --record` or `trilobite demo --record`
    #[arg(long, value_name = "FILE", group = "input")]
    pub recording: Option<PathBuf>,
    /// Site file of the building that was recorded; repeat for several
    #[arg(long = "site", value_name = "FILE", required_unless_present_any = ["dataset", "node"])]
    pub sites: Vec<PathBuf>,
    /// How many times faster than it was recorded, or `max`; data sets run at `max` unless told
    /// otherwise, recordings at 1
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<Speed>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// The node to play against.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Options of `synthetic`.
#[derive(Debug, Clone, Args)]
pub struct SyntheticArgs {
    /// How many agents, each with one radio
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=AGENTS_MAX))]
    pub agents: u64,
    /// How many clients, each heard by the eight agents next to it
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    pub clients: u64,
    /// Observations per second of all agents together
    #[arg(long, default_value_t = 200_000, value_name = "PER_SECOND",
          value_parser = clap::value_parser!(u64).range(1..=RATE_PER_S_MAX))]
    pub rate: u64,
    /// For how long to send
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub seconds: u64,
    /// Seed of places and signal strengths: the same seed gives the same observations
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Fixes per second and client
    #[arg(long, default_value_t = 1.0, value_name = "PER_SECOND", value_parser = fix_hz)]
    pub fix_hz: f64,
    /// Worker threads of the node, as many as there are cores unless told otherwise; each serves one
    /// site, so agents and clients are dealt to as many
    #[arg(long, default_value_t = cores(), hide_default_value = true, value_parser = clap::value_parser!(u64).range(1..=WORKERS_MAX))]
    pub workers: u64,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// The node to play against.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Options of `throughput`.
///
/// The node is always one of its own, since its CPU time and memory are measured. Exit code 1 when
/// a client was not folded, fixes are missing or the books do not close.
#[derive(Debug, Clone, Args)]
pub struct ThroughputArgs {
    /// How many agents, each with one radio
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=AGENTS_MAX))]
    pub agents: u64,
    /// How many clients, each heard by the eight agents next to it
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    pub clients: u64,
    /// Sites to which agents and clients are dealt; a worker serves whole sites
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=SITES_MAX))]
    pub sites: u64,
    /// Observations per second of all agents together, or `max`: as many as the node takes, agents
    /// wait for room instead of dropping
    #[arg(long, default_value = "max", value_name = "PER_SECOND")]
    pub rate: Rate,
    /// How observations become datagrams
    #[arg(long, value_enum, default_value_t = Pattern::Bulk)]
    pub pattern: Pattern,
    /// How rows name clients
    #[arg(long, value_enum, default_value_t = IdKind::Short)]
    pub id: IdKind,
    /// In which order agents hear their clients
    #[arg(long, value_enum, default_value_t = HearingOrder::Together)]
    pub order: HearingOrder,
    /// Worker threads of the node, as many as there are cores unless told otherwise
    #[arg(long, default_value_t = cores(), hide_default_value = true, value_parser = clap::value_parser!(u64).range(1..=WORKERS_MAX))]
    pub workers: u64,
    /// For how long to measure, after a warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub seconds: u64,
    /// Fixes per second and client
    #[arg(long, default_value_t = 1.0, value_name = "PER_SECOND", value_parser = fix_hz)]
    pub fix_hz: f64,
    /// How long an observation waits for others to share a burst with, in milliseconds
    #[arg(long, default_value_t = 250, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=HOLD_MS_MAX))]
    pub hold: u64,
    /// Seed of places, signal strengths and the order in which clients are heard
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Limit the node to so many cores, such as 0.25, to see it overloaded; needs root and the
    /// control groups of Linux
    #[arg(long, value_name = "CORES", value_parser = node_cpus)]
    pub node_cpus: Option<f64>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// How observations become datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// Full datagrams back to back
    Bulk,
    /// What the agents' deadline gives at the total rate; needs --rate
    Fleet,
    /// One observation per datagram, back to back
    Single,
}

/// In which order the agents of `throughput` hear their clients, round and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HearingOrder {
    /// What a client transmits is heard by all agents around it at about the same time, as on the
    /// air
    Together,
    /// Each agent hears its clients in an order of its own: nothing is at hand in the node's caches
    Shuffled,
}

/// How rows name clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IdKind {
    /// By their pseudonyms of eight bytes
    Full,
    /// By short ids that agent and node agree on
    Short,
}

/// How fast agents of `throughput` send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As fast as there is room.
    Max,
    /// So many observations per second, whether there is room or not.
    PerSecond(u64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<u64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) if (1..=RATE_PER_S_MAX).contains(&rate) => Ok(Self::PerSecond(rate)),
            _ => Err(format!(
                "use 1 to {RATE_PER_S_MAX} observations per second, or max"
            )),
        }
    }
}

/// Options of `accuracy`.
#[derive(Debug, Clone, Default, Args)]
pub struct AccuracyArgs {
    /// Folder of a data set (anchors.csv, truth.csv.gz and observations.csv.gz), or of several such
    /// folders
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// Use fixed constants and no position of the set's calibration; without it, parameters are
    /// fitted on the epochs of split `cal`
    #[arg(long)]
    pub blind: bool,
    /// What to locate with; every mode that a set has unless told otherwise
    #[arg(long, value_enum)]
    pub mode: Option<ModeChoice>,
    /// Only in the box of the anchors and 4 m around it, not also within 1 m of places of `cal`
    #[arg(long)]
    pub open_area: bool,
    /// Print the rows as one JSON array on stdout
    #[arg(long)]
    pub json: bool,
    /// Score in every way and write tables beside the baselines of known sets into this file, such
    /// as docs/accuracy.md; its part written by hand is kept
    #[arg(long, value_name = "FILE", conflicts_with_all = ["blind", "mode", "open_area", "json"])]
    pub report: Option<PathBuf>,
}

/// What to locate with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeChoice {
    /// Signal strength only
    Rssi,
    /// Ranges only
    Range,
    /// Signal strength and ranges
    Both,
    /// All that a set has, as a node would
    Auto,
}

/// Which node to play against.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Against a node elsewhere")]
pub struct NodeArgs {
    /// Play against this node instead of starting one: host:port of its first worker
    #[arg(long, value_name = "ADDRESS", requires_all = ["http", "certificates"])]
    pub node: Option<NodeAddress>,
    /// Where that node serves its API, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", requires = "node")]
    pub http: Option<String>,
    /// Folder made by `trilobite ca init` for that node, with its ca.key: agents get certificates
    /// from it that live in memory only
    #[arg(long, value_name = "DIR", requires = "node")]
    pub certificates: Option<PathBuf>,
    /// Only write what that node needs into this folder (node.toml, site files, certificates);
    /// start it with `trilobite serve --config DIR/node.toml`
    #[arg(long, value_name = "DIR", conflicts_with = "node")]
    pub prepare: Option<PathBuf>,
}

/// How fast a replay is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(pub Pace);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self(Pace::AsFastAsPossible));
        }
        match text.parse::<f64>() {
            Ok(times) if (0.01..=10_000.0).contains(&times) => Ok(Self(Pace::Speed(times))),
            _ => Err("use a number from 0.01 to 10000, or max".to_owned()),
        }
    }
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() as u64).min(WORKERS_MAX))
}

fn fix_hz(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.01..=50.0).contains(&value) => Ok(value),
        _ => Err("use 0.01 to 50 fixes per second".to_owned()),
    }
}

fn node_cpus(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.01..=256.0).contains(&value) => Ok(value),
        _ => Err("use 0.01 to 256 cores".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("trilobite-load").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_belongs_together_is_asked_for() {
        for line in [
            "replay --dataset d --json",
            "replay --recording r --site s --site t --speed max",
            "replay --recording r --node h:1 --http http://h:2 --certificates c",
            "synthetic --agents 64 --clients 100000 --rate 2000000 --seconds 10 --seed 1",
            "synthetic --prepare d",
            "throughput",
            "throughput --agents 1000 --rate 950000 --pattern fleet --id full --hold 1000 --json",
            "throughput --rate max --pattern single --workers 1 --node-cpus 0.25 --fix-hz 0.1",
            "accuracy a b --blind --mode auto --open-area --json",
            "accuracy a --report f",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
        for line in [
            "replay",
            "replay --dataset d --recording r",
            "replay --recording r",
            "replay --dataset d --speed 0",
            "replay --dataset d --node h:1",
            "synthetic --agents 0",
            "synthetic --fix-hz nan",
            "synthetic --http http://h:2",
            "throughput --rate 0",
            "throughput --rate fast",
            "throughput --node-cpus 0",
            "throughput --node h:1",
            "throughput --pattern burst",
            "accuracy",
            "accuracy a --mode wifi",
            "accuracy a --blind --report f",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
