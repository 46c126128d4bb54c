//! A connection whose peer must take bytes: one that stopped reading, or hardly reads, is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How slow a peer may be while we wait for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// So many bytes it must take ...
    pub(super) bytes: usize,
    /// ... in so much time.
    pub(super) time: Duration,
}

/// Fails a write whose peer is slower than its patience.
pub(super) struct StallGuard<S> {
    stream: S,
    patience: Patience,
    /// Runs since a write first had to wait for the peer, until it has taken enough.
    waiting: Option<Waiting>,
}

struct Waiting {
    deadline: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> StallGuard<S> {
    pub(super) fn new(stream: S, patience: Patience) -> Self {
        Self {
            stream,
            patience,
            waiting: None,
        }
    }

    /// Passes `progress`, so many bytes, on, unless the peer has made us wait for too long.
    fn guard<T>(
        &mut self,
        progress: Poll<io::Result<T>>,
        bytes: impl Fn(&T) -> usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let patience = self.patience;
        if let Poll::Ready(done) = &progress {
            if let (Some(waiting), Ok(done)) = (&mut self.waiting, done) {
                waiting.taken = waiting.taken.saturating_add(bytes(done));
                // Past the deadline without a write that waits: nothing was there to be taken.
                let is_past = Instant::now() >= waiting.deadline.deadline();
                if waiting.taken >= patience.bytes || is_past {
                    self.waiting = None;
                }
            }
            return progress;
        }
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            deadline: Box::pin(sleep(patience.time)),
            taken: 0,
        });
        ready!(waiting.deadline.as_mut().poll(context));
        waiting
            .deadline
            .as_mut()
            .reset(Instant::now() + patience.time);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.guard(progress, |count| *count, context)
    }

    /// Several pieces at once: those that nobody copies together are freed as they are taken.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.guard(progress, |count| *count, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.guard(progress, |()| 0, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(context);
        self.guard(progress, |()| 0, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Patience = Patience {
        bytes: 8,
        time: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_is_served_and_one_that_stopped_is_not() {
        let (ours, mut theirs) = duplex(8);
        let mut ours = StallGuard::new(ours, PATIENCE);
        ours.write_all(&[0; 8]).await.unwrap();
        theirs.read_exact(&mut [0; 8]).await.unwrap();
        ours.write_all(&[0; 8]).await.unwrap();
        let began = Instant::now();
        let error = ours.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_less_than_it_must_is_closed() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = StallGuard::new(ours, PATIENCE);
        let began = Instant::now();
        let writing = tokio::spawn(async move { ours.write_all(&[0; 100]).await });
        for _ in 0..7 {
            sleep(Duration::from_secs(4)).await;
            theirs.read_exact(&mut [0]).await.unwrap();
        }
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_slow_but_fast_enough_is_served() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = StallGuard::new(ours, PATIENCE);
        let writing = tokio::spawn(async move { ours.write_all(&[0; 100]).await });
        for _ in 0..100 {
            sleep(Duration::from_secs(3)).await;
            theirs.read_exact(&mut [0]).await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_between_two_answers_is_not_the_peers() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = StallGuard::new(ours, PATIENCE);
        let reading = async {
            let mut got = [0; 6];
            sleep(Duration::from_secs(1)).await;
            theirs.read_exact(&mut got).await.unwrap();
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 6]), reading);
        written.unwrap();
        sleep(Duration::from_secs(3_600)).await;
        let reading = async {
            sleep(Duration::from_secs(1)).await;
            theirs.read_exact(&mut [0; 12]).await.unwrap();
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 12]), reading);
        written.unwrap();
    }
}
