//! Signals that end the process in good order.

/// Waits for Ctrl-C or, on Unix, SIGTERM.
///
/// # Errors
/// When the system lets nobody listen for signals.
pub async fn terminate() -> std::io::Result<()> {
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
