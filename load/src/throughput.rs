//! `trilobite-load throughput`: what a node takes, and what it costs.
//!
//! A node of our own is driven from this process: a few threads carry many agents, each with the
//! agents' own session and batcher over real QUIC. Observations are made one by one when they are
//! due, and nothing is encoded ahead of time.

mod carrier;
mod cpu_limit;
mod crew;
mod hearer;
mod links;
mod machine;
mod member;
mod pace;
mod report;
mod window;

use std::net::SocketAddr;
use std::num::NonZero;
use std::time::{Duration, Instant};

use agent::batcher::BatcherLimits;
use agent::limits::{BURST_BATCHES_MAX, QUEUE_OBSERVATIONS, SHORT_IDS_MAX};
use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::frame::RadioHello;
use wire::{AgentName, ApName, SiteName};

use crate::api::ledger::LedgerBody;
use crate::books;
use crate::child::Usage;
use crate::cli::{IdKind, NodeArgs, Pattern, Rate, ThroughputArgs};
use crate::hall::{Hall, HallPlan};
use crate::interrupt::Interrupt;
use crate::limits::{
    EDGE_INTERVAL, EDGE_MAX, LEAVE_MAX, LOOK_INTERVAL, PROBE_INTERVAL, REST, WARM_UP_MAX,
    WARM_UP_MIN,
};
use crate::node_files::{NodeFiles, SiteFiles};
use crate::progress;
use crate::target::{Opened, Target};
use cpu_limit::CpuLimit;
use crew::Crew;
use hearer::Hearer;
use links::Link;
use member::{Member, MemberPlan};
use pace::Pace;
use window::{Edge, Rates};

pub use machine::Machine;
pub use report::{Quantiles, ThroughputReport};

/// Observations that may wait in an agent that hears only while there is room: more than a burst.
const QUEUE_WITH_ROOM: usize = 4_096;

/// Observations that may wait in an agent with a rate, in seconds of it; within what an agent has
/// by default, but a thousand agents need not have room for what they never hear.
const QUEUE_S: f64 = 4.0;

/// How often everybody is heard before a client has surely got its short id: it gets one from its
/// third observation on.
const SHORT_ID_ROUNDS: u64 = 4;

/// Runs the load and reports.
///
/// # Errors
/// When there is no node, its agents find no way to it, or somebody interrupts.
pub fn run(args: &ThroughputArgs, interrupt: &Interrupt) -> anyhow::Result<ThroughputReport> {
    if args.pattern == Pattern::Fleet && args.rate == Rate::Max {
        bail!("--pattern fleet needs a total rate; add --rate, such as --rate 950000");
    }
    // Bound in this order so that on an early end agents go first and the group of the node last.
    let Stage {
        limit,
        mut target,
        mut crew,
        idle,
    } = Stage::open(args, interrupt)?;
    crew.wait_connected(&mut target, interrupt)?;
    std::thread::sleep(REST);
    let connected = usage(&target)?;
    let before = target.api().ledger()?;
    crew.hear();
    let measured = measure(args, &mut crew, &mut target, interrupt)?;
    let offered = crew.leave(LEAVE_MAX, interrupt)?;
    let after = books::wait_closed(&mut target, &before, offered, interrupt)?;
    target.close()?;
    drop(limit);
    Ok(report::report(
        args, &measured, &before, &after, idle, connected,
    ))
}

/// A node, and agents on their way to it.
struct Stage {
    limit: Option<CpuLimit>,
    target: Target,
    crew: Crew,
    /// Of the node before its agents came.
    idle: Usage,
}

impl Stage {
    fn open(args: &ThroughputArgs, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let count = args.sites.min(args.agents);
        let halls: Vec<Hall> = HallPlan::deal(count, args.agents, args.clients, 0.0, args.seed)
            .map(Hall::new)
            .collect();
        let heard: Vec<Vec<Vec<Link>>> = halls
            .iter()
            .map(|hall| {
                interrupt.check()?;
                Ok(links::of_hall(hall, args.order, args.seed))
            })
            .collect::<anyhow::Result<_>>()?;
        let files = NodeFiles {
            sites: halls.iter().map(site_files).collect(),
            workers: args.workers as usize,
            fix_hz: args.fix_hz,
            window_s: None,
            recording_agents: None,
        };
        // Outlives the node, since a group with a process in it cannot be removed.
        let limit;
        let Opened::Target(target) = Target::open(&files, &NodeArgs::default(), interrupt)? else {
            bail!("a node of our own is started, not prepared");
        };
        let target = *target;
        let child = target.child().context("the node is a child of ours")?;
        limit = args
            .node_cpus
            .map(|cores| CpuLimit::on(child.id(), cores))
            .transpose()?;
        let node: SocketAddr = *child
            .ready()
            .quic
            .first()
            .context("the node serves no agents; use one of this version")?;
        let members = members(args, halls, heard, &target)?;
        std::thread::sleep(REST);
        let idle = usage(&target)?;
        let threads = threads(args);
        let crew = Crew::start(members, threads, node)?;
        Ok(Self {
            limit,
            target,
            crew,
            idle,
        })
    }
}

/// One thread for each worker of the node, at most one for each core.
fn threads(args: &ThroughputArgs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (args.workers.min(args.agents) as usize).min(cores)
}

fn site_files(hall: &Hall) -> SiteFiles {
    SiteFiles {
        id: hall.id.clone(),
        site: hall.site.clone(),
        calibration: Some(hall.calibration.clone()),
    }
}

/// Every pair of client and agent is heard equally often.
fn members(
    args: &ThroughputArgs,
    halls: Vec<Hall>,
    heard: Vec<Vec<Vec<Link>>>,
    target: &Target,
) -> anyhow::Result<Vec<Member>> {
    let count: usize = heard.iter().flatten().map(Vec::len).sum();
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut members = Vec::new();
    for (hall, heard) in halls.into_iter().zip(heard) {
        let site = SiteName::new(hall.id).context("a hall has a valid name")?;
        for (agent, links) in hall.agents.into_iter().zip(heard) {
            let share = links.len() as f64 / count.max(1) as f64;
            let radio = RadioHello {
                ap: ApName::new(agent.clone())?,
                band: "5".to_owned(),
            };
            members.push(Member::new(MemberPlan {
                credentials: target.credentials(&AgentName::new(agent.clone())?, &site)?,
                name: agent,
                radio,
                order: args.order,
                pace: pace(args, share),
                limits: limits(args, share),
                phase: rng.random(),
                hearer: Hearer::new(hall.ids, links, rng.random()),
            }));
        }
    }
    Ok(members)
}

/// How an agent hears that has this share of all links.
fn pace(args: &ThroughputArgs, share: f64) -> Pace {
    match (args.rate, args.pattern) {
        (Rate::Max, _) => Pace::WithRoom,
        (Rate::PerSecond(rate), Pattern::Fleet) => Pace::Steady(rate as f64 * share),
        (Rate::PerSecond(rate), _) => Pace::Bursts(rate as f64 * share),
    }
}

/// How such an agent batches.
fn limits(args: &ThroughputArgs, share: f64) -> BatcherLimits {
    let queue_observations_max = match args.rate {
        Rate::Max => QUEUE_WITH_ROOM,
        Rate::PerSecond(rate) => {
            ((QUEUE_S * rate as f64 * share) as usize).clamp(QUEUE_WITH_ROOM, QUEUE_OBSERVATIONS)
        }
    };
    let limits = BatcherLimits {
        queue_observations_max,
        hold: Duration::from_millis(args.hold),
        short_ids_max: match args.id {
            IdKind::Full => 0,
            // As many as it hears clients: not an access point, but what a node must bear.
            IdKind::Short => SHORT_IDS_MAX,
        },
        ..BatcherLimits::default()
    };
    match args.pattern {
        Pattern::Single => BatcherLimits {
            burst_batches_max: BURST_BATCHES_MAX,
            rows_max: 1,
            ..limits
        },
        Pattern::Bulk | Pattern::Fleet => limits,
    }
}

fn usage(target: &Target) -> anyhow::Result<Usage> {
    target
        .usage()
        .context("this system does not tell what a process uses; run it on Linux")
}

/// What was measured in the window.
#[derive(Debug)]
struct Measured {
    /// Length of the window.
    window: Duration,
    rates: Rates,
    node_cpu_s: f64,
    load_cpu_s: f64,
    /// At the end of the window.
    node: Usage,
    ledger: LedgerBody,
    probes: Probes,
}

/// How long the node took to answer at worst.
#[derive(Debug, Clone, Copy, Default)]
struct Probes {
    health: Duration,
    ledger: Duration,
}

/// The node at one end of the window.
struct Look {
    at: Duration,
    edge: Edge,
    node: Usage,
    load: Usage,
    ledger: LedgerBody,
}

fn measure(
    args: &ThroughputArgs,
    crew: &mut Crew,
    target: &mut Target,
    interrupt: &Interrupt,
) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let bar = progress::bar(args.seconds, "seconds");
    warm_up(args, crew, target, interrupt)?;
    let mut probes = Probes::default();
    let first = look(began, target)?;
    let until = first.at + Duration::from_secs(args.seconds);
    // A short run is asked in its middle.
    let mut next_probe = first.at + PROBE_INTERVAL.min(Duration::from_secs(args.seconds) / 2);
    while began.elapsed() < until {
        crew.check(target, interrupt)?;
        if began.elapsed() >= next_probe {
            next_probe += PROBE_INTERVAL;
            probes.ask(target)?;
        }
        show(&bar, began.elapsed().saturating_sub(first.at));
        let left = until.saturating_sub(began.elapsed());
        std::thread::sleep(LOOK_INTERVAL.min(left));
    }
    let last = look(began, target)?;
    bar.finish_and_clear();
    Ok(Measured {
        window: last.at - first.at,
        rates: first.edge.rates_until(&last.edge),
        node_cpu_s: last.node.cpu_s - first.node.cpu_s,
        load_cpu_s: last.load.cpu_s - first.load.cpu_s,
        node: last.node,
        ledger: last.ledger,
        probes,
    })
}

fn show(bar: &ProgressBar, passed: Duration) {
    bar.set_position(passed.as_secs());
}

/// Waits until all clients have been folded and, where they get some, have their short ids.
fn warm_up(
    args: &ThroughputArgs,
    crew: &mut Crew,
    target: &mut Target,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let rounds = match args.id {
        IdKind::Full => 0,
        IdKind::Short => SHORT_ID_ROUNDS,
    };
    while began.elapsed() < WARM_UP_MAX {
        crew.check(target, interrupt)?;
        std::thread::sleep(2 * LOOK_INTERVAL);
        let progress = crew.progress();
        if began.elapsed() < WARM_UP_MIN || progress.rounds < rounds || progress.defining > 0 {
            continue;
        }
        if target.api().ledger_in_brief()?.clients() >= args.clients {
            return Ok(());
        }
    }
    tracing::warn!(
        "not all clients were heard within {} s of warm-up; it is measured all the same",
        WARM_UP_MAX.as_secs()
    );
    Ok(())
}

/// Looks until every worker has told its counters anew, then at what both processes have used.
fn look(began: Instant, target: &Target) -> anyhow::Result<Look> {
    let mut edge = Edge::default();
    let until = Instant::now() + EDGE_MAX;
    loop {
        let ledger = target.api().ledger_in_brief()?;
        let at = began.elapsed();
        if edge.look(at, &ledger) || Instant::now() >= until {
            let load = Usage::of(std::process::id()).context("this process has no /proc")?;
            return Ok(Look {
                at: began.elapsed(),
                edge,
                node: usage(target)?,
                load,
                ledger,
            });
        }
        std::thread::sleep(EDGE_INTERVAL);
    }
}

impl Probes {
    fn ask(&mut self, target: &Target) -> anyhow::Result<()> {
        let asked = Instant::now();
        target.api().live()?;
        self.health = self.health.max(asked.elapsed());
        let asked = Instant::now();
        target.api().ledger()?;
        self.ledger = self.ledger.max(asked.elapsed());
        Ok(())
    }
}
