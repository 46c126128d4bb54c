use super::*;

const HALL: &str = include_str!("../../../../sites/hall.toml");

/// A wall clock 4 s after the full hour.
fn four_seconds_in() -> u64 {
    1_800_000_004_000_000
}

/// The same clock 2 s later.
fn six_seconds_in() -> u64 {
    1_800_000_006_000_000
}

fn hall() -> Site {
    Site::parse(HALL).unwrap()
}

fn source(agent: &str, unix_now_us: fn() -> u64) -> SyntheticSource {
    let world = WorldConfig {
        seed: 3,
        clients: 5,
        ..WorldConfig::default()
    };
    let options = SyntheticOptions::new(AgentName::new(agent).unwrap(), world);
    SyntheticSource::new(
        hall(),
        SyntheticOptions {
            unix_now_us,
            ..options
        },
    )
    .unwrap()
}

/// Runs from one time of the agent's clock to another; what was heard.
fn run(source: &mut SyntheticSource, from_us: u64, to_us: u64) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut now_us = from_us;
    while now_us <= to_us {
        match source
            .drain(now_us, 10_000, &mut |one| heard.push(one))
            .unwrap()
        {
            Drained::NextAt(next_us) => now_us = next_us,
            other => assert_eq!(other, Drained::More),
        }
    }
    heard
}

/// What was heard in a way that can be compared: address or not, time, radio, strength.
fn comparable(heard: &Heard, clock_us: u64) -> (u64, u8, Option<i8>, u8) {
    (
        heard.heard_at_us + clock_us,
        heard.radio,
        heard.rssi_dbm,
        heard.channel,
    )
}

#[test]
fn agents_that_start_at_different_times_hear_one_world() {
    let agent = hall().anchors[0].agent.clone();
    let (mut early, mut late) = (
        source(&agent, four_seconds_in),
        source(&agent, six_seconds_in),
    );
    let early = run(&mut early, 1_000_000, 8_000_000);
    let late = run(&mut late, 500_000, 5_500_000);
    let comparable_late: Vec<_> = late.iter().map(|h| comparable(h, 2_500_000)).collect();
    // The first second of the late one was its last step of catching up.
    let shared = |heard: &&(u64, u8, Option<i8>, u8)| heard.0 > 3_100_000 && heard.0 < 7_900_000;
    let early: Vec<_> = early.iter().map(|h| comparable(h, 0)).collect();
    let (early, late): (Vec<_>, Vec<_>) = (
        early.iter().filter(shared).collect(),
        comparable_late.iter().filter(shared).collect(),
    );
    assert!(early.len() > 10, "{} hearings", early.len());
    assert_eq!(early, late);
}

#[test]
fn only_the_agents_own_radios_hear() {
    let site = hall();
    let agent = site.anchors[0].agent.clone();
    let mut source = source(&agent, four_seconds_in);
    let expected: Vec<_> = site
        .anchors
        .iter()
        .filter(|anchor| anchor.agent == agent)
        .collect();
    let radios: usize = expected.iter().map(|anchor| anchor.radios.len()).sum();
    assert_eq!(source.radios().len(), radios);
    let heard = run(&mut source, 0, 3_000_000);
    assert!(!heard.is_empty() && heard.iter().all(|one| usize::from(one.radio) < radios));
    assert!(
        heard
            .iter()
            .all(|one| one.associated && one.heard_at_us <= 3_100_000)
    );
}

#[test]
fn options_that_do_not_fit_the_site_are_refused() {
    let new = |agent: &str, lifetime| {
        let options = SyntheticOptions::new(AgentName::new(agent).unwrap(), WorldConfig::default());
        SyntheticSource::new(
            hall(),
            SyntheticOptions {
                lifetime,
                ..options
            },
        )
        .unwrap_err()
    };
    let text = new("nobody", CATCH_UP_MAX).to_string();
    assert!(
        text.contains("has no anchor of agent nobody; it has those of "),
        "{text}"
    );
    assert!(matches!(
        new("nobody", Duration::ZERO),
        SyntheticError::Lifetime(_)
    ));
}

#[test]
fn what_finds_no_room_is_given_out_later() {
    let agent = hall().anchors[0].agent.clone();
    let [mut narrow, mut wide] = [
        source(&agent, four_seconds_in),
        source(&agent, four_seconds_in),
    ];
    let wide = run(&mut wide, 0, 2_000_000);
    let mut heard = 0;
    let mut now_us = 0;
    while now_us <= 2_000_000 {
        match narrow.drain(now_us, 1, &mut |_| heard += 1).unwrap() {
            Drained::NextAt(next_us) => now_us = next_us,
            other => assert_eq!(other, Drained::More),
        }
    }
    assert!(heard == wide.len() && narrow.health().heard == heard as u64);
}
