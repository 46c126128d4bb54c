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
    assert_eq!(controller.window(), 2 * u64::from(MTU));
    controller.round_trip(millis(30), millis(20));
    assert_eq!(controller.window(), FLOOR_BYTES);
}

#[test]
fn the_window_grows_only_when_it_was_the_limit() {
    let start = Instant::now();
    let mut controller = controller(start);
    controller.acked(start + Duration::from_millis(1), 100_000, true);
    assert_eq!(controller.reno_bytes, INITIAL_WINDOW_BYTES);
}

/// The longest time that one of 100 datagrams a second waits for the window, when each packet is
/// lost if `lost` says so and its fate is known 700 ms after it was sent: two bursts and the delay of an
/// acknowledgement.
fn longest_wait(floor_bytes: u64, mut lost: impl FnMut() -> bool) -> Duration {
    const BYTES: u64 = 1_240;
    let fate_known_after = Duration::from_millis(700);
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
