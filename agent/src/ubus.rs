//! The bus of OpenWrt as a client of it sees it: values, messages, the conversation with `ubusd`.
//!
//! Nothing here does IO: bytes in, bytes out, time as an argument. [`crate::source::ubus`] owns the
//! socket.

pub mod blob;
pub mod fields;
pub mod hostapd;
pub mod message;

mod client;
mod conversation;

pub(crate) use client::{ClientError, UbusClient};
