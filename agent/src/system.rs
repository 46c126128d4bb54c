//! What the agent needs of the system beyond the standard library: small safe faces.
//!
//! All `unsafe` of the agent lives below, in files that do one thing each.

pub(crate) mod alarm;
#[cfg(all(feature = "hostapd", target_os = "linux"))]
pub(crate) mod datagrams;
#[cfg(all(feature = "ble", target_os = "linux"))]
pub(crate) mod hci_socket;
#[cfg(all(any(feature = "monitor", feature = "nl80211"), target_os = "linux"))]
pub(crate) mod interface;
#[cfg(all(feature = "nl80211", target_os = "linux"))]
pub(crate) mod netlink_socket;
pub(crate) mod own_use;
#[cfg(all(feature = "monitor", target_os = "linux"))]
pub(crate) mod packet_socket;
#[cfg(target_os = "linux")]
pub(crate) mod poller;
#[cfg(not(target_os = "linux"))]
#[path = "system/no_poller.rs"]
pub(crate) mod poller;
pub(crate) mod supervisor;
#[cfg(all(test, feature = "monitor", feature = "pcap", target_os = "linux"))]
pub(crate) mod tap;
