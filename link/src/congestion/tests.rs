use super::*;
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const MTU: u16 = 1_452;

fn controller(start: Instant) -> Telemetry {
    Telemetry::new(FLOOR_BYTES, start, MTU)
}

#[test]
fn loss_alone_never_takes_the_floor_away() {
    let start = Instant::now();
    let mut controller = controller(start);
    for millis in 1..1_000 {
        let now = start + Duration::from_millis(millis);
        controller.on_congestion_event(now, now, true, 1_400);
        assert_eq!(controller.window(), FLOOR_BYTES);
    }
    assert_eq!(controller.reno_bytes, 2 * u64::from(MTU));
}

#[test]
fn above_the_floor_a_mark_halves_the_window_once_per_round_trip() {
    let start = Instant::now();
    let mut controller = controller(start);
    let at = |millis| start + Duration::from_millis(millis);
    controller.acked(at(1), 400_000, false);
    let before = controller.window();
    assert!(before > 2 * FLOOR_BYTES);

    controller.on_congestion_event(at(20), at(10), false, 0);
    assert_eq!(controller.window(), before / 2);
    controller.on_congestion_event(at(21), at(15), false, 1_400);
    assert_eq!(controller.window(), before / 2, "sent before the reduction");
    controller.on_congestion_event(at(40), at(30), false, 1_400);
    assert_eq!(controller.window(), FLOOR_BYTES.max(before / 4));
}

#[test]
fn a_standing_queue_lifts_the_floor_until_it_is_gone() {
    let start = Instant::now();
    let mut controller = controller(start);
    let millis = Duration::from_millis;
    controller.on_congestion_event(start + millis(1), start + millis(1), true, 1_400);

    controller.round_trip(millis(20) + QUEUE_MAX, millis(20));
    assert_eq!(controller.window(), FLOOR_BYTES);
    controller.round_trip(millis(21) + QUEUE_MAX, millis(20));
    let per_trip = 2.0 * f64::from(MTU);
    let trips = (ACK_DELAY + QUEUE_MAX + millis(21)).div_duration_f64(QUEUE_MAX + millis(21));
    assert_eq!(controller.window(), (per_trip * trips) as u64);
    controller.round_trip(millis(30), millis(20));
    assert_eq!(controller.window(), FLOOR_BYTES);
}

#[test]
fn two_round_trips_without_a_queue_end_it_and_the_packets_of_one_count_once() {
    let least = Duration::from_millis(20);
    let mut smoothed = Duration::from_millis(1_000);
    let mut controller = controller(Instant::now());
    controller.round_trip(smoothed, least);
    assert!(controller.window() < FLOOR_BYTES);
    let mut window_after = |sample_ms| {
        smoothed = (7 * smoothed + Duration::from_millis(sample_ms)) / 8;
        for _packet in 0..3 {
            controller.round_trip(smoothed, least);
        }
        (controller.window(), smoothed)
    };
    for sample_ms in [30, 900, 30] {
        assert!(window_after(sample_ms).0 < FLOOR_BYTES, "{sample_ms}");
    }
    for _ in 0..2 {
        let (window, smoothed) = window_after(30);
        assert_eq!(window, FLOOR_BYTES);
        assert!(smoothed > least + QUEUE_MAX, "it is remembered for longer");
    }
}

#[test]
fn late_acknowledgements_leave_a_small_window_its_share_of_each_round_trip() {
    // Bytes that NewReno lets through in a second while a queue of 300 ms stands, and what goes
    // through when each acknowledgement is late by the delay.
    let trip = Duration::from_millis(320);
    let mut controller = controller(Instant::now());
    controller.round_trip(trip, Duration::from_millis(20));
    let prompt = controller.reno_bytes as f64 / trip.as_secs_f64();
    let late = controller.window() as f64 / (trip + ACK_DELAY).as_secs_f64();
    assert!(
        (0.99..=1.01).contains(&(late / prompt)),
        "{late} of {prompt}"
    );
}

#[test]
fn the_window_grows_only_when_it_was_the_limit() {
    let start = Instant::now();
    let mut controller = controller(start);
    controller.acked(start + Duration::from_millis(1), 100_000, true);
    assert_eq!(controller.reno_bytes, INITIAL_WINDOW_BYTES);
}

/// The longest time that one of 100 datagrams a second waits for the window, when each packet is
/// lost if `lost` says so and its fate is known 1.1 s after it was sent: a burst and the delay of an
/// acknowledgement.
fn longest_wait(floor_bytes: u64, mut lost: impl FnMut() -> bool) -> Duration {
    const BYTES: u64 = 1_240;
    let fate_known_after = Duration::from_millis(1_100);
    let start = Instant::now();
    let mut controller = Telemetry::new(floor_bytes, start, MTU);
    let mut in_flight: VecDeque<(Instant, bool)> = VecDeque::new();
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let mut longest = Duration::ZERO;
    for millis in 0..30_000 {
        let now = start + Duration::from_millis(millis);
        if millis % 10 == 0 {
            waiting.push_back(now);
        }
        while let Some(&(sent, lost)) = in_flight.front() {
            if now - sent < fate_known_after {
                break;
            }
            in_flight.pop_front();
            match lost {
                true => controller.on_congestion_event(now, sent, false, BYTES),
                false => controller.acked(sent, BYTES, waiting.is_empty()),
            }
        }
        while let Some(&since) = waiting.front() {
            if (in_flight.len() as u64 + 1) * BYTES >= controller.window() {
                break;
            }
            waiting.pop_front();
            longest = longest.max(now - since);
            in_flight.push_back((now, lost()));
        }
    }
    longest
}

/// Half of the packets, each for itself.
fn random_loss() -> impl FnMut() -> bool {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    move || random.random_bool(0.5)
}

/// Half of the packets, in bursts of eight on average.
fn bursty_loss() -> impl FnMut() -> bool {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut bad = false;
    move || {
        bad ^= random.random_bool(1.0 / 8.0);
        bad
    }
}

#[test]
fn half_of_the_packets_lost_hold_nothing_back() {
    assert_eq!(longest_wait(FLOOR_BYTES, random_loss()), Duration::ZERO);
    assert_eq!(longest_wait(FLOOR_BYTES, bursty_loss()), Duration::ZERO);
}

#[test]
fn without_the_floor_the_same_loss_holds_them_back_for_seconds() {
    assert!(longest_wait(0, random_loss()) > Duration::from_secs(5));
    assert!(longest_wait(0, bursty_loss()) > Duration::from_secs(5));
}
