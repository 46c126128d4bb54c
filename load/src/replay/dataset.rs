//! A data set through real agents: one for each AP, one client for each walk or place.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use agent::source::pace::Pace;
use agent::source::replay::dataset::{Anchor, Dataset, Reading};
use agent::source::replay::{Replay, ReplaySource};
use agent::source::{Heard, Transmitter};
use anyhow::Context as _;
use wire::frame::RadioHello;
use wire::{AgentName, ApName, ClientId, Kind, Range, SiteName};

use super::layout::Layout;
use super::score::{Played, Scores};
use super::{Outcome, wait_played};
use crate::api::{FixLine, FixStream, StreamLine};
use crate::books;
use crate::cli::ReplayArgs;
use crate::dataset::ground::{Area, Ground};
use crate::dataset::split::{self, Parts, TestEpochs};
use crate::dataset::survey;
use crate::fleet::{Fleet, Member};
use crate::interrupt::Interrupt;
use crate::limits::{LAST_FIXES_MAX, LOOK_INTERVAL};
use crate::node_files::{NodeFiles, SiteFiles};
use crate::target::{Opened, Target};

pub(super) fn run(
    folder: &Path,
    args: &ReplayArgs,
    interrupt: &Interrupt,
) -> anyhow::Result<Outcome> {
    let Parts {
        name,
        anchors,
        calibration,
        test,
    } = split::split(Dataset::load(folder)?);
    let ground = Ground::new(&name, &anchors, &calibration, Area::Open)?;
    let fitted = survey::fit(&ground, &calibration, test.devices());
    let layout = Layout::new(&test);
    let replays = replays(&anchors, &ground, &test, &layout)?;
    let files = NodeFiles {
        sites: vec![SiteFiles {
            id: ground.id.clone(),
            site: ground.text.clone(),
            calibration: Some(fitted.to_toml(&ground.site)),
        }],
        workers: 1,
        fix_hz: layout.fix_hz,
        window_s: Some(layout.window_s()),
        recording_agents: Some(replays.len()),
    };
    let mut target = match Target::open(&files, &args.node, interrupt)? {
        Opened::Target(target) => *target,
        Opened::Prepared(told) => return Ok(Outcome::Prepared(told)),
    };
    let pace = args.speed.map_or(Pace::AsFastAsPossible, |speed| speed.0);
    let observations = replays
        .values()
        .map(|replay| replay.heard.len() as u64)
        .sum();
    let before = target.api().ledger()?;
    let stream = target.api().follow(&ground.id)?;
    let site = SiteName::new(ground.id.clone())?;
    let members = members(replays, pace, &site, &target)?;
    let fleet = Fleet::start(members)?;
    let took = wait_played(&fleet, observations, &mut target, interrupt)?;
    let ledger = books::wait_closed(&mut target, &before, fleet.counters().offered, interrupt)?;
    let fixes = collect(&stream, ledger.fixes() - before.fixes(), interrupt)?;
    target.close()?;
    let flow = ledger.total.observations() - before.total.observations();
    let played = Played {
        offered: flow.offered,
        folded: flow.folded,
        seconds: took.as_secs_f64(),
    };
    let scores = Scores::new(&name, &test, &layout, &fixes, played).with_context(|| {
        format!("data set {name}: no test epoch has a fix; check that its split column has test")
    })?;
    Ok(Outcome::Scores(Box::new(scores)))
}

fn members(
    replays: BTreeMap<String, Replay>,
    pace: Pace,
    site: &SiteName,
    target: &Target,
) -> anyhow::Result<Vec<Member>> {
    let begin_us = replays
        .values()
        .filter_map(Replay::span_us)
        .map(|(first, _)| first)
        .min();
    replays
        .into_iter()
        .map(|(ap, replay)| {
            let source = ReplaySource::new(replay, pace, begin_us);
            target.member(&AgentName::new(ap)?, site, vec![Box::new(source)])
        })
        .collect()
}

/// What the agent of each AP hears of the test epochs; an AP that hears nothing has an agent, too.
fn replays(
    anchors: &[Anchor],
    ground: &Ground,
    test: &TestEpochs,
    layout: &Layout,
) -> anyhow::Result<BTreeMap<String, Replay>> {
    let mut replays: BTreeMap<String, Replay> = BTreeMap::new();
    let mut radio_of = Vec::with_capacity(anchors.len());
    for (anchor, ap) in anchors.iter().zip(&ground.aps) {
        let radios = &mut replays.entry(ap.clone()).or_default().radios;
        radio_of.push(u8::try_from(radios.len()).context("an AP has few radios")?);
        radios.push(RadioHello {
            ap: ApName::new(ap.clone())?,
            band: anchor.band.clone(),
        });
    }
    for placed in layout.placed() {
        let epoch = &test.as_slice()[placed.epoch];
        for reading in &epoch.readings {
            let ap = &ground.aps[reading.anchor];
            let replay = replays.get_mut(ap).context("every AP has a replay")?;
            let heard_at_us = placed.time_us(reading.t_s - epoch.t_s);
            let radio = radio_of[reading.anchor];
            replay.heard.push(heard(
                reading,
                &anchors[reading.anchor],
                placed.client,
                heard_at_us,
                radio,
            ));
            let named = (placed.client, placed.name.clone());
            if replay.names.last() != Some(&named) {
                replay.names.push(named);
            }
        }
    }
    Ok(replays)
}

fn heard(
    reading: &Reading,
    anchor: &Anchor,
    client: ClientId,
    heard_at_us: u64,
    radio: u8,
) -> Heard {
    Heard {
        from: Transmitter::Client(client),
        heard_at_us,
        radio,
        rssi_dbm: reading.rssi_dbm.map(|dbm| dbm.round() as i8),
        noise_dbm: None,
        channel: 0,
        kind: match reading.range_m {
            Some(_) => Kind::Ranging,
            None if anchor.band == "ble" => Kind::Advertisement,
            None => Kind::Other,
        },
        associated: true,
        range: reading.range_m.map(|distance_m| Range {
            distance_mm: (distance_m * 1e3).round() as i32,
            deviation_mm: reading
                .range_std_m
                .map(|std_m| (std_m * 1e3).round() as u16),
        }),
    }
}

/// The fixes that the node made, as far as they come in time.
fn collect(
    stream: &FixStream,
    expected: u64,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<FixLine>> {
    let mut fixes = Vec::new();
    let mut come = 0;
    let until = Instant::now() + LAST_FIXES_MAX;
    while come < expected && Instant::now() < until {
        interrupt.check()?;
        match stream.next(LOOK_INTERVAL)? {
            Some(StreamLine::Fix(fix)) => {
                come += 1;
                fixes.push(fix);
            }
            Some(StreamLine::Lagged { lagged }) => {
                tracing::warn!("{lagged} fixes came faster than they could be read");
                come += lagged;
            }
            None => {}
        }
    }
    Ok(fixes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::fixture::{anchor, calibration, epoch, reading, test};

    #[test]
    fn radios_of_one_ap_are_one_agent() {
        let anchors = [
            anchor("A-2.4", 0.0, 0.0, "2.4"),
            anchor("B-5", 9.0, 0.0, "5"),
            anchor("A-5", 0.0, 0.0, "5"),
            anchor("C-5", 9.0, 9.0, "5"),
        ];
        let ground = Ground::new("s", &anchors, &calibration(vec![]), Area::Open).unwrap();
        let mut seen = epoch(None, "p", 4.0);
        seen.readings = vec![
            reading(4.1, 2, -60.4),
            reading(3.9, 0, -70.0),
            reading(4.0, 1, -80.0),
        ];
        let test = test(vec![seen]);
        let layout = Layout::new(&test);
        let replays = replays(&anchors, &ground, &test, &layout).unwrap();
        assert_eq!(replays.keys().collect::<Vec<_>>(), ["A", "B", "C"]);
        let a = &replays["A"];
        assert_eq!((a.radios.len(), a.names.len(), a.heard.len()), (2, 1, 2));
        assert_eq!((a.heard[0].radio, a.heard[0].rssi_dbm), (1, Some(-60)));
        let times: Vec<u64> = a.heard.iter().map(|heard| heard.heard_at_us).collect();
        assert!(
            times[0].abs_diff(1_600_000) <= 1 && times[1].abs_diff(1_400_000) <= 1,
            "{times:?}"
        );
        assert!(replays["C"].heard.is_empty());
    }
}
