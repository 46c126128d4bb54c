//! The header of an 802.11 frame: who sent it, to whom, and in which role.
//!
//! Source: IEEE 802.11-2020, 9.2 (general frame format) and 9.3 (format of individual types).

use wire::Kind;

use crate::address::Address;

/// What the header of a frame tells. It holds real addresses and stays inside the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Type of the frame: 0 management, 1 control, 2 data, 3 extension.
    pub frame_type: u8,
    /// Subtype within the type.
    pub subtype: u8,
    /// The frame repeats an earlier one that was not acknowledged.
    pub retry: bool,
    /// Which of the two sides of the distribution system the frame travels between.
    pub direction: Direction,
    /// To whom the frame is sent.
    pub receiver: Option<Address>,
    /// Who sent it; acknowledgements and the like do not tell.
    pub transmitter: Option<Address>,
    /// The access point's network, where the frame names it.
    pub bssid: Option<Address>,
}

/// The bits "to DS" and "from DS".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Neither: management, control and direct frames between clients.
    Direct,
    /// A client sends to its access point.
    ToAccessPoint,
    /// An access point sends to a client.
    FromAccessPoint,
    /// Between access points.
    Relayed,
}

/// Who the transmitter is, as far as a single frame tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An access point.
    AccessPoint,
    /// A client.
    Client,
    /// Either: control frames look the same from both.
    Unknown,
}

/// Why a frame's header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dot11Error {
    /// The frame ends before its header does.
    #[error("the 802.11 frame is cut short")]
    Short,
    /// A protocol version other than 0.
    #[error("the 802.11 frame has protocol version {0}; only version 0 is known")]
    Version(u8),
}

const MANAGEMENT: u8 = 0;
const CONTROL: u8 = 1;
const DATA: u8 = 2;

/// Subtypes of management frames (IEEE 802.11-2020, table 9-1).
mod management {
    pub(super) const ASSOCIATION_RESPONSE: u8 = 1;
    pub(super) const REASSOCIATION_RESPONSE: u8 = 3;
    pub(super) const PROBE_REQUEST: u8 = 4;
    pub(super) const PROBE_RESPONSE: u8 = 5;
    pub(super) const BEACON: u8 = 8;
}

/// Subtypes of control frames that name their transmitter.
mod control {
    pub(super) const TRIGGER: u8 = 2;
    pub(super) const BEAMFORMING_REPORT_POLL: u8 = 4;
    pub(super) const NDP_ANNOUNCEMENT: u8 = 5;
    pub(super) const BLOCK_ACK_REQUEST: u8 = 8;
    pub(super) const BLOCK_ACK: u8 = 9;
    pub(super) const PS_POLL: u8 = 10;
    pub(super) const RTS: u8 = 11;
    pub(super) const CF_END: u8 = 14;
    pub(super) const CF_END_ACK: u8 = 15;
}

impl Header {
    /// Reads the header at the start of an 802.11 frame.
    ///
    /// # Errors
    /// [`Dot11Error`] when the frame is too short for what its type says, or of another version.
    pub fn parse(frame: &[u8]) -> Result<Self, Dot11Error> {
        let [first, flags, ..] = *frame else {
            return Err(Dot11Error::Short);
        };
        if first & 0x03 != 0 {
            return Err(Dot11Error::Version(first & 0x03));
        }
        let mut header = Self {
            frame_type: (first >> 2) & 0x03,
            subtype: first >> 4,
            retry: flags & 0x08 != 0,
            direction: Direction::Direct,
            receiver: None,
            transmitter: None,
            bssid: None,
        };
        match header.frame_type {
            MANAGEMENT | DATA => header.read_addresses(flags, frame)?,
            CONTROL => header.read_control_addresses(frame)?,
            // Extension frames (60 GHz beacons and the like) have layouts of their own.
            _ => {}
        }
        Ok(header)
    }

    fn read_addresses(&mut self, flags: u8, frame: &[u8]) -> Result<(), Dot11Error> {
        let [first, second, third] = [address(frame, 4)?, address(frame, 10)?, address(frame, 16)?];
        self.direction = match (self.frame_type, flags & 0x03) {
            (DATA, 1) => Direction::ToAccessPoint,
            (DATA, 2) => Direction::FromAccessPoint,
            (DATA, 3) => Direction::Relayed,
            _ => Direction::Direct,
        };
        self.receiver = Some(first);
        self.transmitter = Some(second);
        self.bssid = match self.direction {
            Direction::Direct => Some(third),
            Direction::ToAccessPoint => Some(first),
            Direction::FromAccessPoint => Some(second),
            Direction::Relayed => None,
        };
        Ok(())
    }

    fn read_control_addresses(&mut self, frame: &[u8]) -> Result<(), Dot11Error> {
        use control::*;
        match self.subtype {
            TRIGGER
            | BEAMFORMING_REPORT_POLL
            | NDP_ANNOUNCEMENT
            | BLOCK_ACK_REQUEST
            | BLOCK_ACK
            | PS_POLL
            | RTS
            | CF_END
            | CF_END_ACK => {
                self.receiver = Some(address(frame, 4)?);
                // The group bit of such a transmitter only says that bandwidth is signalled
                // (IEEE 802.11-2020, 9.3.1.2); it is not part of the address.
                self.transmitter = Some(address(frame, 10)?.as_individual());
            }
            // Wrapper, CTS and acknowledgement: a receiver and nothing else.
            7 | 12 | 13 => self.receiver = Some(address(frame, 4)?),
            _ => {}
        }
        if self.subtype == PS_POLL {
            self.bssid = self.receiver;
        }
        Ok(())
    }

    /// Whether this is a management frame.
    pub fn is_management(&self) -> bool {
        self.frame_type == MANAGEMENT
    }

    /// What kind of transmission this is, in the words of the wire.
    pub fn kind(&self) -> Kind {
        use management::{BEACON, PROBE_REQUEST, PROBE_RESPONSE};
        match (self.frame_type, self.subtype) {
            (MANAGEMENT, PROBE_REQUEST) => Kind::Probe,
            (MANAGEMENT, BEACON | PROBE_RESPONSE) => Kind::Beacon,
            (MANAGEMENT, _) => Kind::Management,
            (DATA, _) => Kind::Data,
            _ => Kind::Other,
        }
    }

    /// Whether an access point or a client sent this.
    pub fn role(&self) -> Role {
        use management::*;
        match (self.frame_type, self.subtype, self.direction) {
            (MANAGEMENT, BEACON | PROBE_RESPONSE, _)
            | (MANAGEMENT, ASSOCIATION_RESPONSE | REASSOCIATION_RESPONSE, _)
            | (DATA, _, Direction::FromAccessPoint | Direction::Relayed) => Role::AccessPoint,
            // Authentication, action and the like travel both ways; the network is named after its
            // access point.
            (MANAGEMENT, _, _) if self.transmitter == self.bssid => Role::AccessPoint,
            (MANAGEMENT | DATA, _, _) | (CONTROL, control::PS_POLL, _) => Role::Client,
            _ => Role::Unknown,
        }
    }

    /// Whether the frame shows that its transmitter is associated: only then it sends data to, or
    /// polls, an access point. Which one, [`Header::bssid`] says.
    pub fn shows_association(&self) -> bool {
        match self.frame_type {
            DATA => self.direction == Direction::ToAccessPoint,
            CONTROL => self.subtype == control::PS_POLL,
            _ => false,
        }
    }
}

fn address(frame: &[u8], at: usize) -> Result<Address, Dot11Error> {
    let octets = frame
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(Dot11Error::Short)?;
    Ok(Address::new(*octets))
}

#[cfg(test)]
mod tests;
