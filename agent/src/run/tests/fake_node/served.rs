//! A node's port on a thread of its own, asked from async code.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use link::{Event, LinkId, Port, PortWaker};
use tokio::sync::oneshot;

/// Something to be tried after each round, until it is done.
type Job = Box<dyn FnMut(&mut Node) -> bool + Send>;

/// What the thread has.
pub(super) struct Node {
    pub(super) port: Port,
    pub(super) now: Instant,
    pub(super) opened: VecDeque<LinkId>,
    pub(super) closed: HashSet<LinkId>,
}

/// A running node; dropped, it ends without a word.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    waker: PortWaker,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(super) fn start(port: Port) -> Self {
        let (sender, jobs) = channel();
        let (address, waker) = (port.local_addr(), port.waker());
        let node = Node {
            port,
            now: Instant::now(),
            opened: VecDeque::new(),
            closed: HashSet::new(),
        };
        let thread = std::thread::spawn(move || node.serve(&jobs));
        Self {
            address,
            waker,
            jobs: Some(sender),
            thread: Some(thread),
        }
    }

    /// Waits until the node has an answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        mut question: impl FnMut(&mut Node) -> Option<T> + Send + 'static,
    ) -> T {
        let (sender, answer) = oneshot::channel();
        let mut sender = Some(sender);
        self.tell(move |node| {
            let Some(answer) = question(node) else {
                return false;
            };
            if let Some(sender) = sender.take() {
                let _ = sender.send(answer);
            }
            true
        });
        answer.await.expect("the node runs")
    }

    /// Has something tried until it is done.
    pub(super) fn tell(&self, job: impl FnMut(&mut Node) -> bool + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Box::new(job));
            self.waker.wake();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.jobs = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Node {
    fn serve(mut self, jobs: &Receiver<Job>) {
        let mut waiting: Vec<Job> = Vec::new();
        loop {
            let until = Instant::now() + Duration::from_secs(1);
            self.now = self.port.receive(until).expect("a working socket");
            while let Some(event) = self.port.engine().poll_event() {
                match event {
                    Event::Opened(id) => self.opened.push_back(id),
                    Event::Closed(id, _) => drop(self.closed.insert(id)),
                    _ => {}
                }
            }
            let last = loop {
                match jobs.try_recv() {
                    Ok(job) => waiting.push(job),
                    Err(end) => break end,
                }
            };
            waiting.retain_mut(|job| !job(&mut self));
            self.port.transmit().expect("a working socket");
            if last == TryRecvError::Disconnected {
                return;
            }
        }
    }
}
