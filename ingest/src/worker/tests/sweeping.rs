//! The sweep: once per interval for everybody, a little at a time.

use super::*;
use crate::limits::SOLVES_PER_TICK_MAX;

const CLIENTS: u64 = 1_500;

impl Rig {
    fn deliver_many(&mut self, now_us: u64) {
        let all: Vec<Observation> = (1..=CLIENTS).map(|i| heard(i, -50, now_us)).collect();
        for rows in all.chunks(50) {
            self.deliver(0, rows, now_us);
        }
    }
}

#[test]
fn a_tick_makes_so_many_fixes_and_says_that_more_are_due() {
    let mut rig = Rig::live(1);
    rig.worker.handle_tick(BEGAN);
    rig.deliver_many(BEGAN);
    let now = BEGAN + SECOND;
    let mut made = Vec::new();
    while rig.worker.handle_tick(now) {
        made.push(rig.take_fixes().len());
    }
    made.push(rig.take_fixes().len());
    assert!(
        made.iter().all(|fixes| *fixes <= SOLVES_PER_TICK_MAX),
        "{made:?}"
    );
    assert_eq!(made.iter().sum::<usize>(), CLIENTS as usize);
}

#[test]
fn a_client_keeps_its_phase() {
    let mut rig = Rig::live(1);
    rig.worker.handle_tick(BEGAN);
    let mut rounds: Vec<Vec<u64>> = Vec::new();
    for round in 0..3 {
        rig.deliver_many(BEGAN + round * SECOND);
        let mut order = Vec::new();
        for tick in 1..=256 {
            rig.worker
                .handle_tick(BEGAN + round * SECOND + tick * SECOND / 256);
            let fixes = rig.take_fixes();
            assert!(fixes.len() <= 128, "spread over the interval");
            order.extend(fixes.iter().map(|sent| sent.client.0));
        }
        assert_eq!(order.len(), CLIENTS as usize);
        rounds.push(order);
    }
    assert_eq!(rounds[0], rounds[1]);
    assert_eq!(rounds[1], rounds[2]);
}

#[test]
fn the_time_to_the_window_is_sampled() {
    let mut rig = Rig::live(1);
    for i in 0..64 {
        let now = BEGAN + i * SECOND / 10;
        rig.deliver(0, &[heard(7, -50, now - 300_000)], now);
    }
    let folded_us = rig.worker.snapshot().folded_us;
    assert_eq!(folded_us.len(), 4);
    assert!(folded_us.min() >= 299_000 && folded_us.max() <= 301_000);
}
