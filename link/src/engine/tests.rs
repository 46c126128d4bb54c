//! Both ends over a simulated network, in virtual time.

mod abuse;
mod crowd;
mod faults;
mod life;
mod network;
mod thin;
