//! Ctrl-C and SIGTERM, for threads that wait in small steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The run is to end early.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; nothing is reported")]
pub struct Interrupted;

/// Whether somebody asked the run to end; clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C and SIGTERM from now on.
    ///
    /// # Errors
    /// When the system gives no thread or lets nobody listen.
    pub fn listen() -> std::io::Result<Self> {
        let interrupt = Self::default();
        let asked = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                if runtime.block_on(terminate()).is_ok() {
                    asked.0.store(true, Ordering::Release);
                }
            })?;
        Ok(interrupt)
    }

    /// Goes on only while nobody asked.
    ///
    /// # Errors
    /// [`Interrupted`] once somebody did.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.0.load(Ordering::Acquire) {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }
}

async fn terminate() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            result = tokio::signal::ctrl_c() => result,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
