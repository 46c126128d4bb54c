//! Writers of radiotap headers, 802.11 frames and captures, for tests.

#[cfg(feature = "pcap")]
mod captures;
mod frames;
#[cfg(feature = "nl80211")]
pub(crate) mod kernel;

#[cfg(feature = "pcap")]
pub(crate) use captures::*;
pub(crate) use frames::*;
