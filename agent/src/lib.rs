//! Runs on the access point: listen, pseudonymise, batch, send.
//!
//! It does not know where a client is, keeps nothing on disk but its key and
//! certificates, and never waits for the network: what
//! cannot be sent in time is dropped, counted under a reason, and told to the node.
//!
//! Start from [`run::Agent`], which is all of it; [`source::Source`], from where observations come;
//! [`batcher::Batcher`] and [`session::AgentSession`], which decide without IO what is sent and what
//! is told. [`config`] and [`cli`] are the program around it; [`run::AgentHandle`] asks one that runs.
//!
//! Invariants:
//! - A client's real address ends in [`privacy`]; nothing that leaves has one.
//! - Every observation offered is sent, dropped for a counted reason, or waiting; and it stands in
//!   the counters of exactly one session.
//! - Memory is allocated at start and stays flat, whatever happens to the network.
//! - One thread, no lock, no 64-bit atomics: routers have neither cores nor these to spare.
//!
//! ```no_run
//! use agent::run::{Agent, AgentConfig};
//! use link::AgentCredentials;
//!
//! # async fn example(source: Box<dyn agent::source::Source>) -> Result<(), Box<dyn std::error::Error>> {
//! let paths = ["ca.pem", "ap-1.pem", "ap-1.key"].map(std::path::Path::new);
//! let credentials = AgentCredentials::from_files(paths[0], paths[1], paths[2])?;
//! let config = AgentConfig::new(vec!["node.example:4433".parse()?]);
//! let agent = Agent::new(config, credentials, vec![source])?;
//! let shutdown = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
//! let outcome = agent.run(shutdown).await;
//! assert!(outcome.settled);
//! # Ok(())
//! # }
//! ```

/// Name and version, as nodes and people are told.
pub(crate) const PROGRAM: &str = concat!("trilobite-agent ", env!("CARGO_PKG_VERSION"));

// From the radio to the link.
pub mod address;
mod backoff;
pub mod batcher;
pub mod coalesce;
pub mod counters;
mod handed_over;
pub mod intake;
pub mod limits;
pub mod privacy;
pub mod pseudonym;
pub mod renewal;
pub mod route;
pub mod run;
pub mod session;
mod short_ids;
pub mod source;
pub mod status;
mod system;
pub mod time_of_day;

// What captures are made of.
#[cfg(feature = "pcap")]
pub mod capture;
pub mod channel;
pub mod dot11;
pub mod radiotap;

// What hostapd and the kernel tell of Wi-Fi interfaces.
#[cfg(feature = "hostapd")]
pub mod hostapd;
#[cfg(feature = "nl80211")]
pub mod netlink;
#[cfg(feature = "nl80211")]
pub mod nl80211;

// What else speaks of the air.
#[cfg(feature = "ble")]
pub mod hci;
#[cfg(feature = "ubus")]
pub mod ubus;

// The program.
pub mod cli;
pub mod config;
#[cfg(feature = "pcap")]
pub mod decode;
pub mod enrol;
pub mod log;
#[cfg(feature = "pcap")]
pub mod preview;

#[cfg(test)]
mod testing;
