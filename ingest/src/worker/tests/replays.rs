//! Workers that replay a recording.

use super::*;

#[test]
fn a_time_that_cannot_be_does_not_stop_a_replay() {
    let shard = ShardConfig {
        fix_hz: 2.0,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        1,
        WorkerConfig {
            shard,
            recording_agents: Some(1),
        },
    );
    rig.deliver(0, &[heard(7, -50, u64::MAX)], u64::MAX);
    rig.deliver(0, &[heard(7, -50, SECOND)], SECOND);
    rig.report(0, u64::MAX, true);
    assert_eq!(rig.take_fixes().len(), 1);
    assert_eq!(rig.books().dropped_node[DropReason::Time].observations, 1);
}

#[test]
fn a_full_site_counts_what_a_replay_finds_no_place_for() {
    let shard = ShardConfig {
        clients_max: 1,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        1,
        WorkerConfig {
            shard,
            recording_agents: Some(1),
        },
    );
    rig.deliver(0, &[heard(1, -50, SECOND), heard(2, -50, SECOND)], SECOND);
    rig.report(0, u64::MAX, true);
    let books = rig.books();
    assert_eq!(books.folded.observations, 1);
    assert_eq!(books.dropped_node[DropReason::Clients].observations, 1);
}

#[test]
fn time_never_runs_back_for_a_late_reading_of_a_replay() {
    let shard = ShardConfig {
        fix_hz: 1.0,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        1,
        WorkerConfig {
            shard,
            recording_agents: Some(1),
        },
    );
    rig.deliver(0, &[heard(7, -50, 5 * SECOND)], 5 * SECOND);
    rig.report(0, 6 * SECOND, false);
    rig.deliver(0, &[heard(7, -52, 2 * SECOND)], 2 * SECOND);
    rig.report(0, u64::MAX, true);
    let fixes = rig.take_fixes();
    let times: Vec<u64> = fixes.iter().map(|sent| sent.sent_at_us).collect();
    assert_eq!(times, [6 * SECOND, 7 * SECOND]);
}

/// Two agents replay the same second at different speeds; the slow one last.
fn replay(fast: usize, slow: usize) -> Vec<SentFix> {
    let shard = ShardConfig {
        fix_hz: 1.0,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        2,
        WorkerConfig {
            shard,
            recording_agents: Some(2),
        },
    );
    for i in [fast, slow] {
        for second in 0..5 {
            let at = second * SECOND + 300_000;
            rig.deliver(
                i,
                &[heard(7, -50 - i as i8 * 10 - second as i8, at)],
                at + 100_000,
            );
            rig.report(i, (second + 1) * SECOND, false);
        }
        rig.report(i, u64::MAX, true);
    }
    rig.take_fixes()
}

#[test]
fn a_replay_gives_the_same_fixes_at_any_speed() {
    let fixes = replay(0, 1);
    assert_eq!(fixes.len(), 5);
    assert!(
        fixes.iter().all(|sent| sent.fix.radios == 2),
        "both agents in every fix"
    );
    assert_eq!(fixes[2].sent_at_us, 3 * SECOND);
    assert_eq!(fixes, replay(1, 0));
}
