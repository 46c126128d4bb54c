//! From the workers' queue to the readers: one thread, in portions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::{FixQueue, SentFix};

/// Fixes handed on at once, or a few more.
const PORTION_LEN: usize = 4_096;

/// How long the thread rests when the queue is empty: what it adds to a fix's latency. A client has a
/// fix a second, and each of fewer wake-ups finds the more of them.
const REST: Duration = Duration::from_millis(25);

/// The running thread; it ends, with the queue emptied, when this is dropped.
#[derive(Debug)]
pub struct FanOut {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FanOut {
    /// Hands everything that comes through the queue to `give`, in portions.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        fixes: Arc<FixQueue>,
        give: impl Fn(&[SentFix]) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("fan-out".into())
            .spawn(move || run(&fixes, &told, give))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A reader's panic was told by the thread itself.
            let _ = thread.join();
        }
    }
}

fn run(fixes: &FixQueue, stop: &AtomicBool, give: impl Fn(&[SentFix])) {
    let mut portion = Vec::with_capacity(PORTION_LEN + PORTION_LEN / 16);
    loop {
        let stopping = stop.load(Ordering::Acquire);
        while portion.len() < PORTION_LEN {
            match fixes.pop() {
                Some(fixes) => portion.extend_from_slice(&fixes),
                None => break,
            }
        }
        if !portion.is_empty() {
            give(&portion);
            portion.clear();
        } else if stopping {
            return;
        } else {
            std::thread::sleep(REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::latest::Hub;
    use crate::latest::tests::sent;

    #[test]
    fn a_reader_that_hangs_costs_the_oldest_fixes_and_no_worker_waits() {
        let queue = Arc::new(FixQueue::new(100));
        let (arrived, hanging) = mpsc::sync_channel(0);
        let (release, released) = mpsc::channel::<()>();
        let hub = Arc::new(Hub::new(1));
        let (deaf, readers_hub) = (hub.follow(0), hub.clone());
        queue.force_push(vec![sent(0, 0.0, 0)]);
        let fan_out = FanOut::start(queue.clone(), move |fixes| {
            // Only the first time is there somebody to tell, and something to wait for.
            if arrived.send(()).is_ok() {
                let _ = released.recv();
            }
            readers_hub.publish(fixes);
        })
        .unwrap();
        hanging.recv().unwrap();
        drop(hanging);
        // The reader hangs now; ends only if sending never waits for it.
        let dropped: usize = (1..=1_000)
            .map(|client| queue.force_push(vec![sent(client, 0.0, 0)]))
            .sum();
        assert_eq!(dropped, 900);
        release.send(()).unwrap();
        drop(fan_out);
        assert!(queue.is_empty());
        assert_eq!(hub.counts(0).published, 1 + 100);
        assert!(hub.latest(0, wire::ClientId(1_000)).is_some());
        drop(deaf);
    }
}
