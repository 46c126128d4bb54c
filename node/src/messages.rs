//! The listener of messages: a runtime, threads and limits of its own, so that a mad poller hurts only
//! this path.
//!
//! [`Messages`] answers one poll: it looks into the store on a thread that may wait, and sleeps until the
//! store's next commit where there is nothing yet. [`Listening`] is the listener around it.

mod held;
pub mod limits;
mod listening;
mod poll;
#[cfg(test)]
mod tests;
mod upkeep;

pub use listening::{Listening, MessagesParts};
pub use poll::{Messages, MessagesCounts};
pub(crate) use upkeep::look_after;
