//! What a link has carried so far.

use std::time::Duration;

use quinn::ConnectionStats;

/// Counters and state of a link; they stay readable after it has closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// DATAGRAM frames put into packets. What was handed over and is not counted here was never
    /// sent; what is counted here and was not received is lost.
    pub datagrams_sent: u64,
    /// DATAGRAM frames received. What is counted here and was not read fell out of the receive
    /// buffer, or still waits in it.
    pub datagrams_received: u64,
    /// UDP packets sent.
    pub packets_sent: u64,
    /// Of those, how many are deemed lost.
    pub packets_lost: u64,
    /// UDP payload sent, in bytes.
    pub bytes_sent: u64,
    /// UDP payload received, in bytes.
    pub bytes_received: u64,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Bytes that may be in flight.
    pub window_bytes: u64,
    /// Largest UDP payload that the path is known to carry, in bytes.
    pub mtu: u16,
}

impl LinkStats {
    pub(crate) fn of(stats: &ConnectionStats) -> Self {
        Self {
            datagrams_sent: stats.frame_tx.datagram,
            datagrams_received: stats.frame_rx.datagram,
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            bytes_sent: stats.udp_tx.bytes,
            bytes_received: stats.udp_rx.bytes,
            rtt: stats.path.rtt,
            window_bytes: stats.path.cwnd,
            mtu: stats.path.current_mtu,
        }
    }
}
