//! `trilobite-load synthetic`: made-up clients at a fixed rate.

mod fix_rate;
mod schedule;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::frame::RadioHello;
use wire::{AgentName, ApName, SiteName};

use crate::api::ledger::LedgerBody;
use crate::books;
use crate::cli::SyntheticArgs;
use crate::fleet::{Fleet, Member};
use crate::hall::{Hall, HallPlan};
use crate::interrupt::Interrupt;
use crate::limits::{LOOK_INTERVAL, SETTLE_MAX};
use crate::node_files::{NodeFiles, SiteFiles};
use crate::progress;
use crate::report::{FixReport, NodeReport, RunReport, rounded};
use crate::target::{Opened, Target};
use fix_rate::FixRate;
use schedule::{Begin, Link, ScheduledSource, Timetable};

/// How long after the begin fixes are counted: every client has been heard and had its turn.
const WARM_UP: Duration = Duration::from_secs(2);

/// How far a client strolls per second, at most, in metres.
const STROLL_M_PER_S_MAX: f64 = 0.5;

/// What came of a run: a report, or word of the files that were written instead.
#[derive(Debug)]
pub enum Outcome {
    /// The run took place.
    Report(Box<RunReport>),
    /// Files were written for a node elsewhere.
    Prepared(String),
}

/// Runs the load and reports.
///
/// # Errors
/// When there is no node, its agents find no way to it, or somebody interrupts.
pub fn run(args: &SyntheticArgs, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let halls = halls(args);
    let files = NodeFiles {
        sites: halls.iter().map(site_files).collect(),
        workers: halls.len(),
        fix_hz: args.fix_hz,
        window_s: None,
        recording_agents: None,
    };
    let mut target = match Target::open(&files, &args.node, interrupt)? {
        Opened::Target(target) => *target,
        Opened::Prepared(told) => return Ok(Outcome::Prepared(told)),
    };
    let begin = Begin::default();
    let fleet = Fleet::start(members(halls, args, &begin, &target)?)?;
    fleet.wait_connected(&mut target, interrupt)?;
    let before = target.api().ledger()?;
    let used = target.usage();
    let began = *begin.get_or_init(Instant::now);
    let rate = watch(args, &fleet, &mut target, began, interrupt)?;
    fleet.leave(SETTLE_MAX);
    let ledger = books::wait_closed(&mut target, &before, fleet.counters().offered, interrupt)?;
    let node = target.usage().map(|now| NodeReport::between(used, now));
    target.close()?;
    Ok(Outcome::Report(Box::new(report(
        args, &before, &ledger, &rate, node,
    ))))
}

/// One hall per worker; agents and clients are dealt to them.
fn halls(args: &SyntheticArgs) -> Vec<Hall> {
    let count = args.workers.min(args.agents);
    let stroll_m = STROLL_M_PER_S_MAX * args.seconds as f64;
    HallPlan::deal(count, args.agents, args.clients, stroll_m, args.seed)
        .map(Hall::new)
        .collect()
}

/// What each agent of a hall hears.
fn links(hall: &Hall) -> Vec<Vec<Link>> {
    let mut links = vec![Vec::new(); hall.agents.len()];
    for block in 0..hall.blocks() {
        hall.listen(block, &mut |audible| {
            links[audible.agent].push(Link {
                client: hall.ids.of(audible.client),
                begin_dbm: audible.begin_dbm,
                end_dbm: audible.end_dbm,
            });
        });
    }
    links
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
    halls: Vec<Hall>,
    args: &SyntheticArgs,
    begin: &Begin,
    target: &Target,
) -> anyhow::Result<Vec<Member>> {
    let heard: Vec<Vec<Vec<Link>>> = halls.iter().map(links).collect();
    let count: usize = heard.iter().flatten().map(Vec::len).sum();
    let rate_per_link = args.rate as f64 / count.max(1) as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut members = Vec::new();
    for (hall, heard) in halls.into_iter().zip(heard) {
        let site = SiteName::new(hall.id).context("a hall has a valid name")?;
        for (agent, mut links) in hall.agents.into_iter().zip(heard) {
            if links.is_empty() {
                continue;
            }
            links.shuffle(&mut rng);
            let radio = RadioHello {
                ap: ApName::new(agent.clone())?,
                band: "5".to_owned(),
            };
            let table = Timetable {
                rate_per_s: rate_per_link * links.len() as f64,
                seconds: args.seconds as f64,
                seed: rng.random(),
                links,
            };
            let source = ScheduledSource::new(table, radio, begin.clone());
            members.push(target.member(&AgentName::new(agent)?, &site, vec![Box::new(source)])?);
        }
    }
    Ok(members)
}

/// Looks at the node while the agents send; returns the rate of its fixes.
fn watch(
    args: &SyntheticArgs,
    fleet: &Fleet,
    target: &mut Target,
    began: Instant,
    interrupt: &Interrupt,
) -> anyhow::Result<FixRate> {
    let seconds = Duration::from_secs(args.seconds);
    let bar: ProgressBar = progress::bar(args.rate * args.seconds, "observations");
    let mut rate = FixRate::default();
    while !fleet.is_over() && began.elapsed() < seconds + SETTLE_MAX {
        interrupt.check()?;
        target.check()?;
        let fixes = target.api().ledger()?.fixes();
        let passed = began.elapsed();
        if passed > WARM_UP && passed <= seconds {
            rate.look(passed, fixes);
        }
        bar.set_position(fleet.counters().offered);
        std::thread::sleep(LOOK_INTERVAL);
    }
    bar.finish_and_clear();
    Ok(rate)
}

fn report(
    args: &SyntheticArgs,
    before: &LedgerBody,
    after: &LedgerBody,
    rate: &FixRate,
    node: Option<NodeReport>,
) -> RunReport {
    let expected_per_s = args.clients as f64 * args.fix_hz;
    let per_s = rate.per_s();
    RunReport {
        observations: after.total.observations() - before.total.observations(),
        datagrams: after.total.datagrams() - before.total.datagrams(),
        fixes: FixReport {
            count: after.fixes() - before.fixes(),
            per_second: per_s.map(|per_s| rounded(per_s, 1)),
            of_expected: per_s.map(|per_s| rounded(per_s / expected_per_s, 4)),
        },
        latency_ms: Some(after.latency.into()),
        node,
        seconds: args.seconds as f64,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn every_client_has_its_hearers_in_its_own_hall() {
        let line = "trilobite-load synthetic --agents 7 --clients 100 --workers 3";
        let Command::Synthetic(args) = Cli::parse_from(line.split_whitespace()).command else {
            panic!("synthetic")
        };
        let links: usize = halls(&args).iter().flat_map(links).map(|of| of.len()).sum();
        assert_eq!(links, 33 * 2 + 33 * 2 + 34 * 3);
    }
}
