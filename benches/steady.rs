//! Time for work on a machine that others use, too.
//!
//! A thread that is held up for a moment by others shows as a chunk of work that took many times as
//! long as its like. Such chunks are left out: those above twice the median. What the work itself
//! has of dear moments below that stays in.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Bencher;

/// Chunks that took longer than so many times the median were held up.
const HELD_UP: f64 = 2.0;

/// Time for so many pieces of work. `work` is told how many are left, does some of them, and says
/// how many and in what time; some hundred microseconds at a time suit best.
pub fn time(pieces: u64, mut work: impl FnMut(u64) -> (u64, Duration)) -> Duration {
    let mut chunks = Vec::new();
    let mut left = pieces;
    while left > 0 {
        let (done, took) = work(left);
        left = left.saturating_sub(done);
        if done > 0 {
            chunks.push((took.as_secs_f64() / done as f64, done));
        }
    }
    chunks.sort_by(|one, other| one.0.total_cmp(&other.0));
    let median_s = chunks[chunks.len() / 2].0;
    let steady = chunks
        .iter()
        .filter(|(each_s, _)| *each_s <= HELD_UP * median_s);
    let (took_s, done) = steady.fold((0.0, 0), |(took_s, all), (each_s, done)| {
        (took_s + each_s * *done as f64, all + done)
    });
    Duration::from_secs_f64(took_s / done as f64 * pieces as f64)
}

/// As [`Bencher::iter`], in chunks of so many iterations.
pub fn iter<T>(bencher: &mut Bencher<'_>, chunk: u64, mut work: impl FnMut() -> T) {
    bencher.iter_custom(|iterations| {
        time(iterations, |left| {
            let count = left.min(chunk);
            let began = Instant::now();
            for _ in 0..count {
                black_box(work());
            }
            (count, began.elapsed())
        })
    });
}
