//! Packets from the engine to the socket.

use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use quinn::udp::{self, UdpSocketState};

use crate::engine::{EcnCodepoint, Engine, Transmit};
use crate::impair::{Fate, Impairment};
use crate::transport::SEGMENTS_MAX;

/// One buffer for what leaves, and what the socket did not take yet.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    blocked: Option<Transmit>,
    impairment: Option<Impairment>,
}

impl Outgoing {
    pub(super) fn new(impairment: Option<Impairment>) -> Self {
        Self {
            bytes: Vec::new(),
            blocked: None,
            impairment,
        }
    }

    /// Something waits for the socket.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Sends until there is nothing to send or the socket takes no more.
    pub(super) fn send(
        &mut self,
        now: Instant,
        socket: &UdpSocket,
        state: &UdpSocketState,
        engine: &mut Engine,
    ) -> io::Result<()> {
        if let Some(transmit) = self.blocked.take()
            && !self.hand_over(socket, state, transmit)
        {
            return Ok(());
        }
        let faults = self.impairment.as_ref();
        let segments_max = match faults.is_some_and(Impairment::is_running) {
            // With several packets in one they would share one fate.
            true => 1,
            false => state.max_gso_segments().min(SEGMENTS_MAX),
        };
        loop {
            self.bytes.clear();
            let Some(transmit) = engine.poll_transmit(now, segments_max, &mut self.bytes) else {
                return Ok(());
            };
            if !self.hand_over(socket, state, transmit) {
                return Ok(());
            }
        }
    }

    /// Gives the socket what is in the buffer, or keeps it; returns whether it is gone.
    fn hand_over(
        &mut self,
        socket: &UdpSocket,
        state: &UdpSocketState,
        transmit: Transmit,
    ) -> bool {
        if let Some(faults) = &self.impairment
            && faults.is_running()
            && faults.decide(transmit.size) == Fate::Drop
        {
            return true;
        }
        let contents = &self.bytes[..transmit.size];
        let packet = udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.map(ecn),
            contents,
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        // Whatever else goes wrong with a packet is logged there and as good as a loss.
        let blocked = state.send(socket.into(), &packet).is_err();
        if blocked {
            self.blocked = Some(transmit);
        }
        !blocked
    }
}

fn ecn(ecn: EcnCodepoint) -> udp::EcnCodepoint {
    match ecn {
        EcnCodepoint::Ect0 => udp::EcnCodepoint::Ect0,
        EcnCodepoint::Ect1 => udp::EcnCodepoint::Ect1,
        EcnCodepoint::Ce => udp::EcnCodepoint::Ce,
    }
}
