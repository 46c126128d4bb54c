//! Weeks of counts, played fast.

use proptest::prelude::*;

use super::*;
use crate::testing::PostgresServer;
use crate::{Place, Store, StoreConfig};

const HOUR: Duration = Duration::from_secs(3_600);
/// Monday, 2026-03-02, at midnight.
const MONDAY_US: i64 = 1_772_409_600_000_000;
/// Looks per hour: the node looks more often, the core does not care.
const LOOKS: u64 = 12;

/// A world in which hours pass.
struct Play {
    alerts: Alerts,
    now: Time,
    running: Duration,
    notices: Vec<Notice>,
}

impl Play {
    fn new(rules: AlertRules) -> Self {
        let mut play = Self {
            alerts: Alerts::new(rules),
            now: Time::from_micros(MONDAY_US),
            running: Duration::ZERO,
            notices: Vec::new(),
        };
        play.look(&Counts::default());
        play
    }

    fn look(&mut self, counts: &Counts) {
        self.alerts.handle_counts(counts, self.now, self.running);
        while let Some(notice) = self.alerts.poll_notice() {
            self.notices.push(notice);
        }
    }

    /// An hour of messages, and of polls of one consumer.
    fn hour(&mut self, messages: u64, polls: u64) {
        for part in 0..LOOKS {
            // What does not divide evenly comes early.
            let share = |all: u64| all / LOOKS + u64::from(part < all % LOOKS);
            self.now = self.now.plus(HOUR / LOOKS as u32);
            self.running += HOUR / LOOKS as u32;
            let polls = (share(polls) > 0).then(|| ("wms".to_owned(), share(polls)));
            self.look(&Counts {
                messages: share(messages),
                polls: polls.into_iter().collect(),
            });
        }
    }

    fn hour_of_week(&self) -> u64 {
        (self.now.as_micros() - MONDAY_US).cast_unsigned() / 3_600_000_000 % 168
    }

    fn weeks(&mut self, weeks: u64, office: impl Fn(u64) -> u64) {
        for _ in 0..weeks * 168 {
            let hour = self.hour_of_week();
            self.hour(office(hour), 60);
        }
    }

    fn words(&self) -> Vec<(&'static str, bool)> {
        let words = self.notices.iter();
        words
            .map(|notice| (notice.alert.kind.word(), notice.ended.is_none()))
            .collect()
    }

    fn kinds_on(&self) -> Vec<AlertKind> {
        let active = self.alerts.active();
        active.into_iter().map(|alert| alert.kind).collect()
    }
}

/// Workdays from 8 to 18, with a bump at noon; nothing at night.
fn office(hour: u64) -> u64 {
    match (hour / 24, hour % 24) {
        (0..5, 12) => 9_000,
        (0..5, 8..18) => 4_000,
        _ => 0,
    }
}

#[test]
fn a_tenfold_increase_begins_within_its_hour_and_ends_after_a_calm_one() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    for hour in 0..10 {
        play.hour(office(hour), 60);
    }
    assert_eq!(play.words(), []);
    let began = play.now;
    play.hour(40_000, 60);
    assert_eq!(play.words(), [("messages_increase", true)]);
    let alert = play.alerts.active()[0].clone();
    assert!(alert.since.since(began) < HOUR && alert.count < 40_000);
    assert!(alert.usual > 3_000.0 && alert.limit >= 3.0 * alert.usual);
    play.hour(40_000, 60);
    assert_eq!(play.words().len(), 1, "it begins once");
    play.hour(9_000, 60);
    play.hour(4_000, 60);
    assert_eq!(
        play.words()[1..],
        [("messages_increase", false)],
        "an hour below the limit"
    );
}

#[test]
fn an_increase_of_one_consumers_polls_names_it() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    play.hour(0, 20_000);
    let on = play.alerts.active();
    assert!(on.iter().all(|a| a.kind == AlertKind::PollsIncrease));
    let names: Vec<_> = on.iter().map(|alert| alert.consumer.as_deref()).collect();
    assert_eq!(names, [None, Some("wms")], "all together, and who it was");
}

#[test]
fn little_is_no_increase_whatever_is_usual() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, |_| 2);
    play.hour(900, 4_000);
    assert_eq!(play.words(), []);
    play.hour(2, 60);
    play.hour(2, 60);
    play.hour(1_100, 60);
    assert_eq!(play.words(), [("messages_increase", true)]);
}

#[test]
fn a_silence_is_told_in_hours_that_are_usually_busy_and_ends_with_a_message() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    // Nothing since Sunday, which is usual; nothing on Monday morning, which is not.
    for hour in 0..10 {
        play.hour(0, 60);
        assert_eq!(play.words(), [], "at {hour}");
    }
    // 8 to 9 lies beside a quiet hour and does not count; 9 to 11 do.
    play.hour(0, 60);
    assert_eq!(play.words(), [("messages_silence", true)]);
    assert_eq!(play.alerts.active()[0].count, 2);
    for _ in 0..24 {
        play.hour(0, 60);
    }
    assert_eq!(play.words().len(), 1);
    play.hour(1, 60);
    assert_eq!(play.words()[1..], [("messages_silence", false)]);
}

#[test]
fn a_consumer_that_polls_no_more_is_told_until_it_is_no_consumer() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    play.hour(0, 0);
    assert_eq!(play.words(), []);
    play.hour(0, 0);
    assert_eq!(play.words(), [("polls_silence", true)]);
    assert_eq!(
        play.notices[0].alert.consumer.as_deref(),
        Some("wms"),
        "it, not the sum"
    );
    let now = play.now;
    play.alerts.handle_consumers(|name| name == "wms", now);
    assert_eq!(play.kinds_on(), [AlertKind::PollsSilence]);
    play.alerts.handle_consumers(|_| false, now);
    assert_eq!(play.kinds_on(), []);
    let ended = play.alerts.poll_notice().unwrap();
    assert_eq!(ended.ended, Some(now));
}

#[test]
fn a_lasting_change_becomes_usual() {
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    play.weeks(8, |hour| 10 * office(hour));
    play.notices.clear();
    play.weeks(2, |hour| 10 * office(hour));
    assert_eq!(play.words(), []);
    assert_eq!(play.kinds_on(), []);
}

#[test]
fn what_was_learned_survives_a_restart_and_an_alert_has_one_end() {
    let folder = tempfile::tempdir().unwrap();
    check_what_survives(Place::Sqlite(folder.path().join("a.db")));
    let server = PostgresServer::start_below(folder.path()).unwrap();
    // Where there is none, that has been said.
    if let Some(server) = server {
        check_what_survives(Place::Postgres(server.database().unwrap()));
    }
}

fn check_what_survives(place: Place) {
    let store = Store::open(StoreConfig::new(place), &[COMPONENT]).unwrap();
    let mut play = Play::new(AlertRules::default());
    play.weeks(3, office);
    play.hour(5_000, 60);
    assert_eq!(play.kinds_on(), [AlertKind::MessagesIncrease]);
    let changes = play.alerts.take_changes();
    assert!(!changes.is_empty() && play.alerts.take_changes().is_empty());
    let given = changes.clone();
    store.transact(move |tx| save(tx, &given)).unwrap();
    store.transact(move |tx| save(tx, &changes)).unwrap();

    let kept = store.read(load).unwrap();
    let mut again = Alerts::new(AlertRules::default());
    again.restore(&kept);
    assert_eq!(again.active(), play.alerts.active());
    assert_eq!(again.hours_learned(), 168);
    assert_eq!(again.consumers().collect::<Vec<_>>(), ["wms"]);
    play.alerts = again;
    play.notices.clear();
    play.look(&Counts::default());
    play.hour(0, 60);
    play.hour(0, 60);
    assert_eq!(play.words(), [("messages_increase", false)]);
}

#[test]
fn rows_that_cannot_be_read_are_forgotten() {
    let mut alerts = Alerts::new(AlertRules::default());
    alerts.handle_counts(&Counts::default(), Time::from_micros(0), Duration::ZERO);
    alerts.changed.insert(Source::Messages);
    let good = alerts.take_changes();
    assert_eq!(good.0.len(), 1);
    for length in 0..good.0[0].1.as_ref().unwrap().len() {
        let mut cut = good.clone();
        cut.0[0].1.as_mut().unwrap().truncate(length);
        alerts.restore(&cut);
    }
    let mut odd = good;
    odd.0[0].1.as_mut().unwrap()[60..].fill(0xff);
    alerts.restore(&odd);
    assert_eq!(alerts.hours_learned(), 0);
}

#[test]
fn consumers_are_bounded() {
    let mut alerts = Alerts::new(AlertRules::default());
    let polls = (0..3 * CONSUMERS_WATCHED_MAX).map(|name| (name.to_string(), 1));
    let counts = Counts {
        messages: 0,
        polls: polls.collect(),
    };
    alerts.handle_counts(&counts, Time::from_micros(0), Duration::ZERO);
    assert_eq!(alerts.consumers().count(), CONSUMERS_WATCHED_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any weekly rhythm, a fifth more or less each hour, raises nothing.
    #[test]
    fn a_weekly_rhythm_raises_nothing(
        rhythm in prop::collection::vec(prop_oneof![Just(0_u64), 100_u64..20_000], 168),
        noise in prop::collection::vec(80_u64..=120, 997),
    ) {
        let mut play = Play::new(AlertRules::default());
        for hour in 0..6 * 168 {
            let usual = rhythm[hour % 168];
            play.hour(usual * noise[hour % 997] / 100, 60);
        }
        prop_assert_eq!(play.words(), []);
    }

    /// Ten times the busiest of an hour and its neighbours is an increase, whatever the rhythm.
    #[test]
    fn tenfold_is_an_increase(
        rhythm in prop::collection::vec(200_u64..20_000, 168),
        noise in prop::collection::vec(80_u64..=120, 997),
        at in 1_usize..167,
    ) {
        let mut play = Play::new(AlertRules::default());
        for hour in 0..3 * 168 + at {
            play.hour(rhythm[hour % 168] * noise[hour % 997] / 100, 60);
        }
        prop_assert_eq!(play.words(), []);
        let busiest = *rhythm[at - 1..=at + 1].iter().max().unwrap();
        play.hour(10 * busiest, 60);
        prop_assert_eq!(play.words(), [("messages_increase", true)]);
    }

    /// A clock that steps to and fro, by minutes or by years, raises nothing by itself.
    #[test]
    fn a_clock_that_steps_raises_nothing(
        steps in prop::collection::vec((1_usize..200, -400_000_000_i64..400_000_000), 1..20),
    ) {
        let mut play = Play::new(AlertRules::default());
        play.weeks(3, office);
        let truth = (play.now, play.running);
        for (hours, seconds) in steps {
            play.now = Time::from_micros(play.now.as_micros() + seconds * 1_000_000);
            for _ in 0..hours {
                // The world goes on in its own time, whatever the clock says.
                let since = truth.0.plus(play.running.saturating_sub(truth.1));
                let hour = (since.as_micros() - MONDAY_US).cast_unsigned() / 3_600_000_000 % 168;
                let polls = 60;
                // Small enough for the floor at any hour: only silence could be seen.
                play.hour(office(hour).clamp(20, 900), polls);
            }
        }
        prop_assert_eq!(play.words(), []);
    }
}
