//! Zones: with which probability a fix lies in one, and who has entered, stayed and left.
//!
//! A [`ZoneTracker`] is a state machine without IO and without a clock: fixes and the time go in,
//! [`Change`]s come out. Two hystereses keep a client at a border from flapping: what speaks for
//! inside must be clearly more probable than what speaks for outside
//! ([`ZoneRules::enter_probability`](site::ZoneRules) and `leave_probability`), and must do so for
//! some time. A fix between the two speaks for neither, and ends both kinds of waiting.

mod chance;
mod tracker;

pub use chance::area_probability;
pub use tracker::ZoneTracker;

/// Number of a zone in its site: floor after floor, in the order of the site file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneIndex(pub u32);

/// Something that happened between a client and a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub client: u64,
    /// Where.
    pub zone: ZoneIndex,
    /// What.
    pub kind: ChangeKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The client has entered.
    Entered {
        /// Since when its fixes have spoken for it.
        since_us: u64,
    },
    /// The client has been inside for as long as the zone wants to hear of.
    Dwelt {
        /// Since when it is inside.
        since_us: u64,
        /// When the stay became so long.
        at_us: u64,
    },
    /// The client has left.
    Left {
        /// Since when its fixes spoke for it, or when it was given up.
        at_us: u64,
        /// Why.
        reason: LeaveReason,
    },
}

/// Why a client left a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// Its fixes say that it is elsewhere.
    Elsewhere,
    /// No fix came for too long.
    Silent,
    /// The owner gave the client up.
    Forgotten,
}

#[cfg(test)]
mod tests;
