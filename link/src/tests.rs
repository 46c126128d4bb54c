//! Both ends over real loopback sockets.

pub(crate) mod support;

mod door;
mod flood;
mod life;
mod loss;
