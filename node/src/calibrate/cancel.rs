//! Calling off what takes seconds, when the node stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that long work looks at between its parts. Copies share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

/// The work was called off; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the calibration was called off since the node stops; order it again when it runs")]
pub struct Cancelled;

impl Cancel {
    /// Calls the work off, for good.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the work may go on.
    ///
    /// # Errors
    /// [`Cancelled`] once the work is called off.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.0.load(Ordering::Acquire) {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }
}
