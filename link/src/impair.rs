//! A network that loses packets, on one machine and without special rights.
//!
//! An impaired endpoint asks a [`Policy`] about each UDP packet before it leaves, and counts the
//! answers, so that a test or a load generator can prove that its faults happened. Segmentation
//! offload is off while it is on: with it, ten packets would share one fate.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It leaves.
    Send,
    /// It vanishes, and the sender believes that it left.
    Drop,
}

/// Decides the fate of each packet, in the order in which they are sent.
///
/// Any `FnMut(usize) -> Fate + Send` is one; its argument is the packet's size in bytes.
pub trait Policy: Send {
    /// The fate of the next packet, of `bytes` bytes.
    fn fate(&mut self, bytes: usize) -> Fate;
}

impl<F: FnMut(usize) -> Fate + Send> Policy for F {
    fn fate(&mut self, bytes: usize) -> Fate {
        self(bytes)
    }
}

/// The faults of one endpoint: a policy, a switch and counters. Clones share them.
#[derive(Clone)]
pub struct Impairment(Arc<Shared>);

struct Shared {
    policy: Mutex<Box<dyn Policy>>,
    running: AtomicBool,
    sent: AtomicUsize,
    dropped: AtomicUsize,
}

/// What a policy has decided so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImpairCounts {
    /// Packets that were let through while it was on.
    pub sent: usize,
    /// Packets that vanished.
    pub dropped: usize,
}

impl Impairment {
    /// Faults by `policy`, off until [`start`](Self::start).
    pub fn new(policy: impl Policy + 'static) -> Self {
        Self(Arc::new(Shared {
            policy: Mutex::new(Box::new(policy)),
            running: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        }))
    }

    /// Lets the faults begin.
    pub fn start(&self) {
        self.0.running.store(true, Ordering::Relaxed);
    }

    /// Ends the faults; the counters stay.
    pub fn stop(&self) {
        self.0.running.store(false, Ordering::Relaxed);
    }

    /// What was decided so far.
    pub fn counts(&self) -> ImpairCounts {
        ImpairCounts {
            sent: self.0.sent.load(Ordering::Relaxed),
            dropped: self.0.dropped.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.0.running.load(Ordering::Relaxed)
    }

    /// Decides about a packet and counts the answer.
    pub(crate) fn decide(&self, bytes: usize) -> Fate {
        let fate = self.fate(bytes);
        let counter = match fate {
            Fate::Send => &self.0.sent,
            Fate::Drop => &self.0.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        fate
    }

    fn fate(&self, bytes: usize) -> Fate {
        self.0
            .policy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fate(bytes)
    }
}

impl fmt::Debug for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impairment")
            .field("running", &self.is_running())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// A socket whose outgoing packets meet an [`Impairment`].
#[derive(Debug)]
pub(crate) struct Impaired {
    socket: Arc<dyn AsyncUdpSocket>,
    impairment: Impairment,
}

impl Impaired {
    pub(crate) fn new(socket: Arc<dyn AsyncUdpSocket>, impairment: Impairment) -> Self {
        Self { socket, impairment }
    }
}

impl AsyncUdpSocket for Impaired {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if !self.impairment.is_running() {
            return self.socket.try_send(transmit);
        }
        let counter = match self.impairment.fate(transmit.contents.len()) {
            Fate::Send => {
                self.socket.try_send(transmit)?;
                &self.impairment.0.sent
            }
            Fate::Drop => &self.impairment.0.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        if self.impairment.is_running() {
            1
        } else {
            self.socket.max_transmit_segments()
        }
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}
