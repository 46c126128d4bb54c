//! A Bluetooth adapter as its host sees it: commands, events, and the start of a passive scan.
//!
//! Nothing here does IO: packets in, packets out, time as an argument. [`crate::source::ble`] owns
//! the socket.

pub mod command;
pub mod event;

mod scanner;

pub(crate) use scanner::{Scanner, ScannerError};
