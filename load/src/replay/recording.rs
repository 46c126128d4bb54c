//! A recording through real agents: one for each that was recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use agent::source::pace::Pace;
use agent::source::replay::{Replay, ReplaySource, recording};
use anyhow::{Context as _, bail};
use site::Site;
use wire::recording::{Entry, RecordingError, RecordingReader};
use wire::{AgentName, SiteName};

use super::{Outcome, wait_played};
use crate::books;
use crate::cli::ReplayArgs;
use crate::fleet::{Fleet, Member};
use crate::interrupt::Interrupt;
use crate::node_files::{NodeFiles, SiteFiles};
use crate::report::{FixReport, NodeReport, RunReport, rounded};
use crate::target::{Opened, Target};

/// Fixes per second of the recording and client.
const FIX_HZ: f64 = 1.0;

type Replays = BTreeMap<AgentName, Replay>;
type SiteOfAgent = BTreeMap<AgentName, SiteName>;

pub(super) fn run(
    file: &Path,
    args: &ReplayArgs,
    interrupt: &Interrupt,
) -> anyhow::Result<Outcome> {
    let mut replays = recording::load(file, None)?;
    replays.retain(|_, replay| !replay.heard.is_empty());
    let sites = sites_of_agents(file)?;
    let Some((first_us, last_us)) = span_us(&replays) else {
        bail!(
            "recording {} holds no observations; record for longer",
            file.display()
        );
    };
    if let Some(notice) = replays.values().find_map(|replay| replay.notice.as_ref()) {
        tracing::warn!("{notice}");
    }
    let files = NodeFiles {
        sites: site_files(args, &sites)?,
        workers: 1,
        fix_hz: FIX_HZ,
        window_s: None,
        recording_agents: Some(replays.len()),
    };
    let mut target = match Target::open(&files, &args.node, interrupt)? {
        Opened::Target(target) => *target,
        Opened::Prepared(told) => return Ok(Outcome::Prepared(told)),
    };
    let pace = args.speed.map_or(Pace::Speed(1.0), |speed| speed.0);
    let observations = replays
        .values()
        .map(|replay| replay.heard.len() as u64)
        .sum();
    let before = target.api().ledger()?;
    let used = target.usage();
    let fleet = Fleet::start(members(replays, &sites, pace, first_us, &target)?)?;
    let took = wait_played(&fleet, observations, &mut target, interrupt)?;
    let ledger = books::wait_closed(&mut target, &before, fleet.counters().offered, interrupt)?;
    let node = target.usage().map(|now| NodeReport::between(used, now));
    target.close()?;
    let count = ledger.fixes() - before.fixes();
    let recorded_s = (last_us - first_us) as f64 * 1e-6;
    Ok(Outcome::Report(Box::new(RunReport {
        observations: ledger.total.observations() - before.total.observations(),
        datagrams: ledger.total.datagrams() - before.total.datagrams(),
        fixes: FixReport {
            count,
            per_second: (recorded_s > 0.0).then(|| rounded(count as f64 / recorded_s, 1)),
            of_expected: None,
        },
        latency_ms: None,
        node,
        seconds: rounded(took.as_secs_f64(), 2),
    })))
}

/// First and last time of all replays together.
fn span_us(replays: &Replays) -> Option<(u64, u64)> {
    let spans = || replays.values().filter_map(Replay::span_us);
    Some((
        spans().map(|(first, _)| first).min()?,
        spans().map(|(_, last)| last).max()?,
    ))
}

fn members(
    replays: Replays,
    sites: &SiteOfAgent,
    pace: Pace,
    begin_us: u64,
    target: &Target,
) -> anyhow::Result<Vec<Member>> {
    replays
        .into_iter()
        .map(|(agent, replay)| {
            let site = sites
                .get(&agent)
                .context("every agent of a recording has a session")?;
            let source = ReplaySource::new(replay, pace, Some(begin_us));
            target.member(&agent, site, vec![Box::new(source)])
        })
        .collect()
}

/// The site of each agent, by its last session.
fn sites_of_agents(file: &Path) -> anyhow::Result<SiteOfAgent> {
    let told = || format!("recording {}", file.display());
    let bytes = BufReader::new(File::open(file).with_context(told)?);
    let mut reader = RecordingReader::new(bytes).with_context(told)?;
    let mut sites = SiteOfAgent::new();
    loop {
        match reader.read_entry() {
            Ok(Some(Entry::Session { agent, site, .. })) => {
                sites.insert(agent, site);
            }
            Ok(Some(_)) | Err(RecordingError::Malformed { .. }) => {}
            Ok(None) => return Ok(sites),
            Err(error) => return Err(error).with_context(told),
        }
    }
}

/// The buildings that were recorded; each with the calibration beside it, if there is one.
fn site_files(args: &ReplayArgs, sites: &SiteOfAgent) -> anyhow::Result<Vec<SiteFiles>> {
    let files: Vec<SiteFiles> = args
        .sites
        .iter()
        .map(|path| read_site(path))
        .collect::<Result<_, _>>()?;
    if args.node.node.is_none() {
        for site in sites.values() {
            if files.iter().all(|file| file.id != site.as_str()) {
                bail!("the recording was made at site \"{site}\"; name its file with --site FILE");
            }
        }
    }
    Ok(files)
}

fn read_site(path: &Path) -> anyhow::Result<SiteFiles> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let text = read(path)?;
    let site = Site::parse(&text).map_err(|problems| {
        let told: Vec<_> = problems
            .iter()
            .map(|problem| format!("{}, {problem}", path.display()))
            .collect();
        anyhow::anyhow!(told.join("\n"))
    })?;
    let calibration = path.with_extension("calibration.toml");
    let calibration = calibration
        .exists()
        .then(|| read(&calibration))
        .transpose()?;
    Ok(SiteFiles {
        id: site.id,
        site: text,
        calibration,
    })
}

#[cfg(test)]
mod tests {
    use wire::Session;
    use wire::frame::Clock;
    use wire::recording::Recorder;

    use super::*;

    #[test]
    fn agents_keep_their_sites() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.recording");
        let mut recorder = Recorder::new(File::create(&path).unwrap()).unwrap();
        for (number, agent) in [(1, "ap-1"), (2, "ap-2")] {
            let entry = Entry::Session {
                session: Session(number),
                agent: AgentName::new(agent).unwrap(),
                site: SiteName::new("hq").unwrap(),
                clock: Clock::Monotonic,
                radios: Vec::new(),
            };
            recorder.write(&entry).unwrap();
        }
        let sites = sites_of_agents(&path).unwrap();
        assert_eq!(sites.len(), 2);
        assert!(sites.values().all(|site| site.as_str() == "hq"));
        assert!(sites_of_agents(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_wrong_site_file_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hq.toml");
        std::fs::write(&path, "site = \"hq\"\nflor = 1\n").unwrap();
        let error = read_site(&path).unwrap_err().to_string();
        assert!(error.contains("hq.toml, line"), "{error}");
    }
}
