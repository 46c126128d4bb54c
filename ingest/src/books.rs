//! The books: what was offered, and where each observation went.
//!
//! `offered = dropped at agent + lost + unknown + received` and
//! `received = dropped at node + folded`, in datagrams and in observations.

use std::ops::{AddAssign, Index, IndexMut};

use wire::frame::AgentDrops;

/// A count in observations and in the datagrams that carried them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Observations.
    pub observations: u64,
    /// Datagrams.
    pub datagrams: u64,
}

impl Tally {
    /// One datagram with so many observations.
    pub fn datagram(observations: u64) -> Self {
        Self {
            observations,
            datagrams: 1,
        }
    }

    /// Difference that stops at zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self {
            observations: self.observations.saturating_sub(other.observations),
            datagrams: self.datagrams.saturating_sub(other.datagrams),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.observations += other.observations;
        self.datagrams += other.datagrams;
    }
}

/// Why the node dropped what it had received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum DropReason {
    /// The bytes are no batch; its observations cannot be counted.
    Undecodable,
    /// The batch carries another session's number.
    Session,
    /// The sequence number arrived before.
    Duplicate,
    /// The sequence number is older than the window.
    Late,
    /// The sequence number jumped absurdly far ahead.
    Sequence,
    /// The radio is not in the agent's hello, not in the site file, or another agent's.
    Radio,
    /// Heard too long ago, or at a time that cannot be.
    Time,
    /// Neither a signal strength nor a range in the range of nature.
    Signal,
    /// A beacon of an AP that is none of the site's other anchors, or not in the hearing radio's
    /// band: neither a client nor a link of known ends.
    Beacon,
    /// The site has as many clients as it may have.
    Clients,
    /// The short id stands for nobody: never defined, unused for too long, or its client forgotten.
    ShortId,
    /// The transport's receive buffer overflowed before the worker read it.
    ReceiveBuffer,
}

impl DropReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Undecodable,
        Self::Session,
        Self::Duplicate,
        Self::Late,
        Self::Sequence,
        Self::Radio,
        Self::Time,
        Self::Signal,
        Self::Beacon,
        Self::Clients,
        Self::ShortId,
        Self::ReceiveBuffer,
    ];

    /// The reason as the ledger and metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Session => "session",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Sequence => "sequence",
            Self::Radio => "radio",
            Self::Time => "time",
            Self::Signal => "signal",
            Self::Beacon => "beacon",
            Self::Clients => "clients",
            Self::ShortId => "short_id",
            Self::ReceiveBuffer => "receive_buffer",
        }
    }
}

/// What the node dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeDrops([Tally; DropReason::ALL.len()]);

impl NodeDrops {
    /// Everything dropped, for whatever reason.
    pub fn total(&self) -> Tally {
        self.0.iter().fold(Tally::default(), |mut sum, tally| {
            sum += *tally;
            sum
        })
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, Tally)> + '_ {
        DropReason::ALL
            .into_iter()
            .map(|reason| (reason, self[reason]))
    }
}

impl Index<DropReason> for NodeDrops {
    type Output = Tally;

    fn index(&self, reason: DropReason) -> &Tally {
        &self.0[reason as usize]
    }
}

impl IndexMut<DropReason> for NodeDrops {
    fn index_mut(&mut self, reason: DropReason) -> &mut Tally {
        &mut self.0[reason as usize]
    }
}

impl AddAssign for NodeDrops {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// The books of a session, an agent, a site or a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    /// What sources gave after filters, as agents report it.
    pub offered: Tally,
    /// What agents dropped, by reason, in observations.
    pub dropped_agent: AgentDrops,
    /// Datagrams among them that had been packed before the transport closed.
    pub dropped_agent_datagrams: u64,
    /// What the network lost: missing sequence numbers that nobody saw.
    pub lost: Tally,
    /// What a crash of either end hides.
    pub unknown: Tally,
    /// What the node received.
    pub received: Tally,
    /// What the node dropped, by reason.
    pub dropped_node: NodeDrops,
    /// What changed the state of a client. A datagram counts when any of its rows did or could.
    pub folded: Tally,
}

impl Books {
    /// What agents dropped, in observations and in packed datagrams.
    pub fn dropped_agent_total(&self) -> Tally {
        Tally {
            observations: self.dropped_agent.total(),
            datagrams: self.dropped_agent_datagrams,
        }
    }

    /// What the two equations leave open, in observations and in datagrams, as absolute values
    /// summed; zero when traffic rests.
    pub fn residual(&self) -> Tally {
        let dropped = self.dropped_agent_total();
        let at_node = self.dropped_node.total();
        let open = |pick: fn(Tally) -> u64| {
            let network = pick(self.offered).abs_diff(
                pick(dropped) + pick(self.lost) + pick(self.unknown) + pick(self.received),
            );
            network + pick(self.received).abs_diff(pick(at_node) + pick(self.folded))
        };
        Tally {
            observations: open(|t| t.observations),
            datagrams: open(|t| t.datagrams),
        }
    }
}

impl AddAssign for Books {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        add_agent_drops(&mut self.dropped_agent, &other.dropped_agent);
        self.dropped_agent_datagrams += other.dropped_agent_datagrams;
        self.lost += other.lost;
        self.unknown += other.unknown;
        self.received += other.received;
        self.dropped_node += other.dropped_node;
        self.folded += other.folded;
    }
}

/// Adds drops at an agent to a sum, reason by reason.
pub(crate) fn add_agent_drops(sum: &mut AgentDrops, more: &AgentDrops) {
    sum.queue_full += more.queue_full;
    sum.too_old += more.too_old;
    sum.disconnected += more.disconnected;
    sum.unsent += more.unsent;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_in_the_order_of_their_numbers() {
        for (number, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number, "{}", reason.as_str());
        }
    }

    #[test]
    fn residual_is_zero_only_when_both_equations_close() {
        let tally = |observations, datagrams| Tally {
            observations,
            datagrams,
        };
        let mut books = Books {
            offered: tally(100, 10),
            lost: tally(20, 2),
            received: tally(75, 8),
            folded: tally(70, 8),
            ..Books::default()
        };
        books.dropped_agent.queue_full = 5;
        books.dropped_node[DropReason::Radio] = tally(5, 0);
        assert_eq!(books.residual(), Tally::default());
        books.folded.observations += 1;
        assert_eq!(books.residual(), tally(1, 0));
        books.offered.datagrams += 3;
        assert_eq!(books.residual(), tally(1, 3));
    }
}
