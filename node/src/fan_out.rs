//! From the workers' queue to the readers: one thread, in portions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::{FixQueue, SentFix};

/// Most fixes handed on at once.
const PORTION_LEN: usize = 4_096;

/// How long the thread rests when the queue is empty: what it adds to a fix's latency.
const REST: Duration = Duration::from_millis(5);

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
    let mut portion = Vec::with_capacity(PORTION_LEN);
    loop {
        let stopping = stop.load(Ordering::Acquire);
        while portion.len() < PORTION_LEN {
            match fixes.pop() {
                Some(fix) => portion.push(fix),
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
