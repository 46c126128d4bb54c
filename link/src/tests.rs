//! A node's port and the agents in the field over real loopback sockets.

mod node;
pub(crate) mod support;

mod door;
mod enrol;
mod flood;
mod life;
mod loss;
mod ports;
