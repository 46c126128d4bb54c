use wire::Kind;

use super::*;
use crate::source::Transmitter;

fn replay(times_us: &[u64]) -> Replay {
    let heard = |&heard_at_us: &u64| Heard {
        from: Transmitter::Client(ClientId(heard_at_us)),
        heard_at_us,
        radio: 0,
        rssi_dbm: Some(-50),
        noise_dbm: None,
        channel: 0,
        kind: Kind::Other,
        associated: false,
        range: None,
    };
    Replay {
        heard: times_us.iter().map(heard).collect(),
        ..Replay::default()
    }
}

fn drain(source: &mut ReplaySource, now_us: u64) -> (Vec<u64>, Drained) {
    let mut times = Vec::new();
    let drained = source.drain(now_us, 9, &mut |heard| times.push(heard.heard_at_us));
    (times, drained.unwrap())
}

#[test]
fn readings_come_in_order_of_time() {
    let mut source = ReplaySource::new(replay(&[30, 10, 20]), Pace::AsFastAsPossible, None);
    assert_eq!(source.clock(), Clock::Recording);
    assert_eq!(drain(&mut source, 0), (vec![10, 20, 30], Drained::Finished));
    assert_eq!((source.watermark_us(), source.health().heard), (30, 3));
}

#[test]
fn agents_that_share_a_recording_keep_together() {
    let play = |times: &[u64]| {
        let mut source = ReplaySource::new(replay(times), Pace::Speed(1.0), Some(1_000));
        (
            drain(&mut source, 50).1,
            drain(&mut source, 150).0,
            source.watermark_us(),
        )
    };
    assert_eq!(
        play(&[1_100, 1_300]),
        (Drained::NextAt(150), vec![1_100], 1_100)
    );
    assert_eq!(
        play(&[1_070, 1_300]),
        (Drained::NextAt(120), vec![1_070], 1_100)
    );
}
