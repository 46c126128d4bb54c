//! Wakes the agent's task when a source's descriptor has something to read.

use std::sync::Arc;

use tokio::io::unix::AsyncFd;

use crate::limits::LOOK_INTERVAL_MAX;
use crate::system::poller::Poller;

/// Waits for the descriptors of all sources. Cheap to clone, so that the wait borrows nothing else.
#[derive(Clone, Default)]
pub(super) enum Wake {
    /// No source has a descriptor.
    #[default]
    Never,
    /// Readable as soon as one of them is.
    Readable(Arc<AsyncFd<Poller>>),
    /// The runtime cannot watch them.
    ByTime,
}

impl Wake {
    /// Registers the sources' descriptors with the runtime, once.
    pub(super) fn follow(&mut self, poller: Option<&Poller>) {
        let (Self::Never, Some(poller)) = (&self, poller) else {
            return;
        };
        *self = match poller.watch() {
            Ok(watched) => Self::Readable(Arc::new(watched)),
            Err(error) => {
                let ms = LOOK_INTERVAL_MAX.as_millis();
                tracing::warn!("sources are looked at every {ms} ms, not when they wake: {error}");
                Self::ByTime
            }
        };
    }

    /// Returns when a source may have something to read. Nothing is lost when dropped unready.
    pub(super) async fn ready(&self) {
        match self {
            Self::Never => std::future::pending().await,
            Self::Readable(watched) => match watched.readable().await {
                // Who comes back from here takes all that fired; what fires later wakes anew.
                Ok(mut readiness) => readiness.clear_ready(),
                Err(_) => tokio::time::sleep(LOOK_INTERVAL_MAX).await,
            },
            Self::ByTime => tokio::time::sleep(LOOK_INTERVAL_MAX).await,
        }
    }
}
