//! How another thread ends a port's wait.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the wait of a [`Port`](crate::Port) from any thread; clones wake the same one.
#[derive(Debug, Clone)]
pub struct PortWaker(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    stream: UnixStream,
    ringing: AtomicBool,
}

/// The port's side of its waker.
#[derive(Debug)]
pub(super) struct Alarm {
    stream: UnixStream,
    bell: Arc<Bell>,
}

pub(super) fn pair() -> io::Result<(Alarm, PortWaker)> {
    let (bell, alarm) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    alarm.set_nonblocking(true)?;
    let bell = Arc::new(Bell {
        stream: bell,
        ringing: AtomicBool::new(false),
    });
    let waker = PortWaker(bell.clone());
    let alarm = Alarm {
        stream: alarm,
        bell,
    };
    Ok((alarm, waker))
}

impl PortWaker {
    /// Lets the running wait of the port end, or the next one if there is none.
    pub fn wake(&self) {
        if !self.0.ringing.swap(true, Ordering::AcqRel) {
            // It has room for a byte: there is never more than one in it.
            let _ = (&self.0.stream).write(&[1]);
        }
    }
}

impl Alarm {
    pub(super) fn descriptor(&self) -> &UnixStream {
        &self.stream
    }

    /// Gets ready for the next ring. Who calls it looks afterwards at what the ring may mean.
    pub(super) fn silence(&mut self) {
        let _ = self.stream.read(&mut [0; 8]);
        // A swap, so that what the ring is about is seen by who looks afterwards.
        self.bell.ringing.swap(false, Ordering::AcqRel);
    }
}
