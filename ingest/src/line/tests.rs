//! What a line remembers, and how exactly.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Moment {
    Moment::from_us(ms * 1_000)
}

fn dial() -> Dial {
    Dial::new(1.0)
}

/// A line that begins at time 0.
fn line() -> Line {
    Line::new(7, at(0))
}

fn only_slot(line: &Line) -> Slot {
    let slots: Vec<Slot> = line.slots(&dial()).collect();
    assert_eq!(slots.len(), 1, "{slots:?}");
    slots[0]
}

/// How far apart two moments are, in seconds.
fn apart_s(a: Moment, b: Moment) -> f32 {
    a.seconds_since(b).max(b.seconds_since(a))
}

#[test]
fn a_radio_heard_again_gives_the_mean_since_the_last_fix() {
    let mut line = line();
    for rssi in [-60, -64, -62] {
        assert!(line.fold(3, rssi, at(100), &dial()));
    }
    let slot = only_slot(&line);
    assert_eq!((slot.radio, slot.fresh, slot.rssi_dbm), (3, 3, -62.0));
    line.mark_used(at(1_000), &dial());
    assert!(!line.is_fresh());
    assert_eq!(only_slot(&line).rssi_dbm, -62.0);
    line.fold(3, -80, at(1_100), &dial());
    let slot = only_slot(&line);
    assert_eq!((slot.rssi_dbm, slot.fresh), (-80.0, 1));
    assert!(apart_s(slot.heard, at(1_100)) < 0.05, "{slot:?}");
}

#[test]
fn one_radio_too_many_must_be_stronger_than_the_weakest() {
    let mut line = line();
    let last = SLOTS as u16 - 1;
    for radio in 0..=last {
        line.fold(radio, -50 - radio as i8, at(0), &dial());
    }
    assert!(!line.fold(100, -90, at(0), &dial()), "weaker than all");
    assert!(
        line.fold(101, -55, at(0), &dial()),
        "replaces the last radio"
    );
    let radios: Vec<u16> = line.slots(&dial()).map(|slot| slot.radio).collect();
    assert!(
        radios.iter().copied().eq((0..last).chain([101])),
        "{radios:?}"
    );
}

#[test]
fn a_stale_radio_gives_way_to_a_weaker_fresh_one() {
    let mut line = line();
    for radio in 0..SLOTS as u16 {
        let now = at(u64::from(radio) * 500);
        line.fold(radio, -50, now, &dial());
        line.mark_used(now, &dial());
    }
    assert!(
        line.fold(100, -70, at(8_000), &dial()),
        "radio 0 is 8 s old: worth -82 dBm"
    );
    assert!(line.slots(&dial()).all(|slot| slot.radio != 0));
}

#[test]
fn silence_empties_the_line() {
    let mut line = line();
    line.fold(1, -50, at(0), &dial());
    assert!(!line.is_silent(at(61_000)), "no fix has used it");
    line.mark_used(at(0), &dial());
    assert!(!line.is_silent(at(59_000)));
    assert!(line.is_silent(at(61_000)));
    line.mark_used(at(70_000), &dial());
    assert_eq!(line.slots(&dial()).count(), 0);
}

#[test]
fn a_radio_that_is_silent_while_others_are_heard_is_forgotten() {
    let mut line = line();
    line.fold(1, -50, at(0), &dial());
    for second in 1..=70 {
        line.fold(2, -60, at(second * 1_000 - 500), &dial());
        line.mark_used(at(second * 1_000), &dial());
        let remembered = line.slots(&dial()).any(|slot| slot.radio == 1);
        assert!(remembered || second > 57, "gone after {second} s");
        assert!(!remembered || second < 64, "still there after {second} s");
    }
}

#[test]
fn news_after_a_silence_has_its_own_time() {
    let mut line = line();
    line.fold(1, -50, at(500), &dial());
    line.mark_used(at(1_000), &dial());
    line.fold(2, -60, at(20_500), &dial());
    let heard: Vec<Moment> = line.slots(&dial()).map(|slot| slot.heard).collect();
    assert!(apart_s(heard[0], at(500)) < 3.0, "{heard:?}");
    assert!(apart_s(heard[1], at(20_500)) < 0.05, "{heard:?}");
}

#[test]
fn what_was_heard_before_the_fix_and_came_after_it_is_news() {
    let mut line = line();
    line.mark_used(at(30_000), &dial());
    for (radio, late_ms) in [(1, 200u64), (2, 900), (3, 4_000)] {
        line.fold(radio, -50, at(30_000 - late_ms), &dial());
        let slot = line.slots(&dial()).last().unwrap();
        let error_s = apart_s(slot.heard, at(30_000 - late_ms));
        assert!(error_s < (late_ms as f32 * 0.15e-3).max(0.1), "{slot:?}");
        assert_eq!(slot.fresh, 1);
    }
    line.fold(1, -60, at(29_000), &dial());
    let slot = line.slots(&dial()).next().unwrap();
    assert_eq!(slot.fresh, 2);
    assert!(apart_s(slot.heard, at(29_800)) < 0.1, "the newest counts");
}

#[test]
fn a_mean_forgets_after_seven_and_follows_a_walk() {
    let mut line = line();
    for _ in 0..200 {
        line.fold(1, -50, at(100), &dial());
    }
    assert_eq!(only_slot(&line).rssi_dbm, -50.0);
    assert_eq!(only_slot(&line).fresh, 7);
    for _ in 0..60 {
        line.fold(1, -80, at(200), &dial());
    }
    let mean = only_slot(&line).rssi_dbm;
    assert!((mean + 80.0).abs() < 1.0, "{mean}");
}

#[test]
fn levels_beyond_the_scale_count_as_its_ends() {
    for (given, kept) in [(-120, -118.0), (-118, -118.0), (9, 9.0), (10, 9.0)] {
        let mut line = line();
        for _ in 0..20 {
            line.fold(4_094, given, at(0), &dial());
        }
        line.mark_used(at(0), &dial());
        let slot = only_slot(&line);
        assert_eq!((slot.radio, slot.rssi_dbm), (4_094, kept));
    }
}

/// What a line is an abbreviation of.
#[derive(Debug, Clone, Copy)]
struct Exact {
    sum: f32,
    count: u8,
    mean: f32,
    heard_ms: u64,
}

proptest! {
    /// Against exact means and times, over observations that come late and out of order.
    #[test]
    fn means_and_ages_are_nearly_exact(
        intervals in prop::collection::vec(
            prop::collection::vec((0u16..16, -90i8..-30, 0u64..1_000, 0u64..600), 0..25),
            1..40,
        ),
        start_ms in 0u64..2_000_000,
        fix_hz in prop::sample::select(vec![0.5, 1.0, 2.0]),
    ) {
        let dial = Dial::new(fix_hz);
        let interval_ms = (1_000.0 / fix_hz) as u64;
        let start_ms = start_ms + 1_000;
        let mut line = Line::new(7, at(start_ms));
        let mut exact: BTreeMap<u16, Exact> = BTreeMap::new();
        for (number, interval) in (0..).zip(intervals) {
            let base_ms = start_ms + number * interval_ms;
            for (radio, rssi, share, late_ms) in interval {
                let heard_ms = base_ms + share * interval_ms / 1_000 - late_ms;
                let known = exact.entry(radio).or_insert(Exact { sum: 0., count: 0, mean: 0., heard_ms });
                if known.count == 7 {
                    continue;
                }
                line.fold(radio, rssi, at(heard_ms), &dial);
                known.heard_ms = if known.count == 0 { heard_ms } else { known.heard_ms.max(heard_ms) };
                known.sum += f32::from(rssi);
                known.count += 1;
                known.mean = known.sum / f32::from(known.count);
            }
            let now_ms = base_ms + interval_ms;
            for used in [false, true] {
                if used {
                    line.mark_used(at(now_ms), &dial);
                    exact.values_mut().for_each(|known| (known.sum, known.count) = (0., 0));
                }
                let slots: BTreeMap<u16, Slot> =
                    line.slots(&dial).map(|slot| (slot.radio, slot)).collect();
                for (radio, known) in &exact {
                    let age_s = (now_ms - known.heard_ms) as f32 * 1e-3;
                    let Some(slot) = slots.get(radio) else {
                        prop_assert!(age_s > 57.0, "radio {} lost at {} s", radio, age_s);
                        continue;
                    };
                    prop_assert_eq!(slot.fresh, known.count);
                    prop_assert!((slot.rssi_dbm - known.mean).abs() < 0.26, "{:?} {:?}", slot, known);
                    let error_s = apart_s(slot.heard, at(known.heard_ms));
                    let bound_s = (0.15 * age_s).max(0.1);
                    prop_assert!(error_s < bound_s, "{} s of {} s", error_s, age_s);
                }
            }
        }
    }
}
