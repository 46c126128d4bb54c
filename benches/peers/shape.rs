//! What is sent: by whom, in how large messages, how fast.

use std::time::Duration;

/// Publisher processes.
pub(crate) const PUBLISHERS: usize = 4;

/// Connections and observations per second of the fleet, all publishers together.
const FLEET_CONNECTIONS: usize = 1_000;
const FLEET_RATE_PER_S: usize = 200_000;

/// How publishers and consumer are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    None,
    Tcp,
    Quinn,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tcp => "tcp",
            Self::Quinn => "quinn",
        }
    }
}

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as it goes, one connection per publisher.
    FlatOut,
    /// Many connections, each with little to say.
    Fleet,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) pace: Pace,
    pub(crate) per_message: usize,
}

const fn flat_out(per_message: usize) -> Shape {
    Shape {
        pace: Pace::FlatOut,
        per_message,
    }
}

const FLEET: Shape = Shape {
    pace: Pace::Fleet,
    per_message: 16,
};

/// All that is measured.
pub(crate) const SHAPES: [(Peer, Shape); 8] = [
    (Peer::None, flat_out(1_000)),
    (Peer::Tcp, flat_out(1)),
    (Peer::Tcp, flat_out(64)),
    (Peer::Tcp, flat_out(1_000)),
    (Peer::Tcp, FLEET),
    (Peer::Quinn, flat_out(1)),
    (Peer::Quinn, flat_out(48)),
    (Peer::Quinn, FLEET),
];

impl Shape {
    pub(crate) fn name(&self) -> String {
        match self.pace {
            Pace::FlatOut => format!("flat-out-{}", self.per_message),
            Pace::Fleet => format!("fleet-{}", self.per_message),
        }
    }

    /// Connections of all publishers.
    pub(crate) fn connections(&self) -> usize {
        match self.pace {
            Pace::FlatOut => PUBLISHERS,
            Pace::Fleet => FLEET_CONNECTIONS,
        }
    }

    /// Messages that one publisher of a fleet has sent so long after its begin.
    pub(crate) fn messages_due(&self, passed: Duration) -> u64 {
        let rate_per_s = FLEET_RATE_PER_S / PUBLISHERS / self.per_message;
        (passed.as_secs_f64() * rate_per_s as f64) as u64
    }
}
