//! The account of one session: what arrived, what is missing, what the agent says.

use wire::Session;
use wire::frame::{AgentDrops, Counters, Report, SessionEnd};

use crate::books::{Books, DropReason, NodeDrops, Tally, add_agent_drops};
use crate::limits::COUNT_MAX;
use crate::sequence::{Arrival, SequenceWindow};

/// Counts of one session, from which its [`Books`] follow.
#[derive(Debug, Clone, Default)]
pub struct Account {
    window: SequenceWindow,
    received: Tally,
    folded: Tally,
    dropped: NodeDrops,
    /// Arrivals outside the agent's numbering: repeated, absurd, of another session.
    unnumbered: Tally,
    counters: Counters,
    /// What the previous report said was sent: by now it has arrived or is lost.
    due: Tally,
    /// DATAGRAM frames that the transport received.
    transport_received: u64,
    /// Datagrams that the worker read.
    read: u64,
    /// The connection went without a last report, and the agent has not told since how it ended.
    open_ended: bool,
    /// Brought over from a session that this node never booked, with that session's number.
    carried: Option<(Session, Books)>,
}

impl Account {
    /// Whether the account has taken over what is left of this session.
    pub fn carries(&self, session: Session) -> bool {
        self.carried.is_some_and(|(carried, _)| carried == session)
    }

    /// Takes over what is left of a session with a node that is gone: what happened after its last
    /// report. What was sent then is `unknown`, at most one report interval of it.
    ///
    /// An agent whose hello got no answer tells again, with larger numbers: the last word counts.
    pub fn carry(&mut self, previous: &SessionEnd) {
        let (reported, ended) = (
            &believable(&previous.reported),
            &believable(&previous.ended),
        );
        let dropped = drops_since(&ended.dropped, &reported.dropped);
        let sent = |c: &Counters| Tally {
            observations: c.observations_sent.saturating_sub(c.dropped.unsent),
            datagrams: c.datagrams_sent.saturating_sub(c.datagrams_unsent),
        };
        let unknown = sent(ended).saturating_sub(sent(reported));
        let unsent = ended
            .datagrams_unsent
            .saturating_sub(reported.datagrams_unsent);
        let books = Books {
            offered: Tally {
                observations: dropped.total() + unknown.observations,
                datagrams: unsent + unknown.datagrams,
            },
            dropped_agent: dropped,
            dropped_agent_datagrams: unsent,
            unknown,
            ..Books::default()
        };
        self.carried = Some((previous.session, books));
    }

    /// A datagram that could not be decoded.
    pub fn handle_undecodable(&mut self) {
        self.read += 1;
        self.received.datagrams += 1;
        self.dropped[DropReason::Undecodable].datagrams += 1;
    }

    /// A datagram of another session.
    pub fn handle_stranger(&mut self, len: u64) {
        self.read += 1;
        self.refuse_unnumbered(DropReason::Session, len);
    }

    /// A datagram of this session; says whether its rows may be folded.
    pub fn handle_datagram(&mut self, sequence: u64, first_observation: u64, len: u64) -> bool {
        self.read += 1;
        let reason = match self.window.handle_arrival(sequence, first_observation, len) {
            Arrival::New => {
                self.received += Tally::datagram(len);
                return true;
            }
            Arrival::Late => {
                self.received += Tally::datagram(len);
                self.dropped[DropReason::Late] += Tally::datagram(len);
                return false;
            }
            Arrival::Duplicate => DropReason::Duplicate,
            Arrival::Absurd => DropReason::Sequence,
        };
        self.refuse_unnumbered(reason, len);
        false
    }

    fn refuse_unnumbered(&mut self, reason: DropReason, len: u64) {
        let tally = Tally::datagram(len);
        self.received += tally;
        self.unnumbered += tally;
        self.dropped[reason] += tally;
    }

    /// A datagram whose radio is nobody's: all its rows are dropped.
    pub fn drop_datagram(&mut self, reason: DropReason, len: u64) {
        self.dropped[reason] += Tally::datagram(len);
    }

    /// Rows of an accepted datagram that were dropped one by one.
    pub fn drop_row(&mut self, reason: DropReason) {
        self.dropped[reason].observations += 1;
    }

    /// An accepted datagram with so many rows folded.
    pub fn fold_datagram(&mut self, rows: u64) {
        self.folded += Tally::datagram(rows);
    }

    /// A report: what the one before it called sent must be here by now, and all of it after the
    /// last one.
    pub fn handle_report(&mut self, report: &Report, transport_received: u64) {
        self.transport_received = transport_received;
        self.counters = believable(&report.counters);
        let sent = Tally {
            observations: self.counters.observations_sent,
            datagrams: self.counters.datagrams_sent,
        };
        let due = if report.last {
            sent
        } else {
            std::mem::replace(&mut self.due, sent)
        };
        self.window.handle_sent(due.datagrams, due.observations);
    }

    /// The connection is gone: what the last report called sent and is not here is lost.
    pub fn handle_closed(&mut self, transport_received: u64) {
        self.transport_received = transport_received;
        self.open_ended = true;
        self.window
            .handle_sent(self.due.datagrams, self.due.observations);
    }

    /// The agent has opened a newer connection while this one lingered.
    pub fn handle_replaced(&mut self) {
        self.open_ended = true;
        self.window
            .handle_sent(self.due.datagrams, self.due.observations);
    }

    /// What the transport of an ended session had received in all.
    pub fn note_transport(&mut self, transport_received: u64) {
        self.transport_received = transport_received;
    }

    /// A row that was counted as folded found no place after all.
    pub fn unfold_row(&mut self, reason: DropReason) {
        self.folded.observations = self.folded.observations.saturating_sub(1);
        self.dropped[reason].observations += 1;
    }

    /// The agent tells, in its next hello, how the session really ended.
    pub fn settle(&mut self, ended: &Counters) {
        self.counters = believable(ended);
        self.open_ended = false;
        self.window
            .handle_sent(ended.datagrams_sent, ended.observations_sent);
    }

    /// Whether every datagram that a report called sent has arrived.
    pub fn has_arrived(&self, datagrams_sent: u64) -> bool {
        self.window.sent().datagrams >= datagrams_sent
    }

    /// The books as they stand.
    ///
    /// A gap may be explained by something seen: the transport closed before sending it, its buffer
    /// here overflowed, or it arrived undecodable. Only what nothing explains is lost. How many
    /// observations an overflow or undecodable datagram held is not known; they take the gaps' mean.
    pub fn books(&self) -> Books {
        let (sent, gaps) = (self.window.sent(), self.window.gaps());
        let unsent = Tally {
            observations: self.counters.dropped.unsent,
            datagrams: self.counters.datagrams_unsent,
        };
        let overflow = self.transport_received.saturating_sub(self.read);
        let undecodable = self.dropped[DropReason::Undecodable].datagrams;
        let open = gaps.saturating_sub(unsent);
        let share = |datagrams: u64| Tally {
            observations: mean_times(open, datagrams.min(open.datagrams)),
            datagrams: datagrams.min(open.datagrams),
        };
        let (overflow, unread) = (share(overflow), share(undecodable));

        let mut books = self.carried.map(|(_, books)| books).unwrap_or_default();
        books.lost += open.saturating_sub(overflow).saturating_sub(unread);
        books.received += self.received;
        books.received += overflow;
        books.received.observations += unread.observations;
        books.folded += self.folded;
        books.dropped_node += self.dropped;
        books.dropped_node[DropReason::ReceiveBuffer] += overflow;
        books.dropped_node[DropReason::Undecodable].observations += unread.observations;
        let (offered, hidden) = self.offered(sent);
        books.offered += offered;
        books.unknown.observations += hidden;
        add_agent_drops(&mut books.dropped_agent, &self.counters.dropped);
        books.dropped_agent_datagrams += self.counters.datagrams_unsent;
        books
    }

    /// What the agent says it offered, but never less than what its numbering proves; and what it
    /// still held when it vanished, of which nobody knows the end.
    fn offered(&self, sent: Tally) -> (Tally, u64) {
        let dropped_unpacked = self.counters.dropped.total() - self.counters.dropped.unsent;
        let proven = dropped_unpacked + sent.observations;
        let held = self.counters.observations_offered.saturating_sub(proven);
        let mut offered = Tally {
            observations: self.counters.observations_offered.max(proven),
            datagrams: sent.datagrams,
        };
        offered += self.unnumbered;
        (offered, if self.open_ended { held } else { 0 })
    }
}

/// Counters as they came, but none beyond what an agent can count in its life: sums of what broken
/// or lying agents say must not overflow the books of the others.
fn believable(counters: &Counters) -> Counters {
    let cap = |count: u64| count.min(COUNT_MAX);
    Counters {
        observations_offered: cap(counters.observations_offered),
        observations_sent: cap(counters.observations_sent),
        datagrams_sent: cap(counters.datagrams_sent),
        datagrams_unsent: cap(counters.datagrams_unsent),
        dropped: AgentDrops {
            queue_full: cap(counters.dropped.queue_full),
            too_old: cap(counters.dropped.too_old),
            disconnected: cap(counters.dropped.disconnected),
            unsent: cap(counters.dropped.unsent),
        },
    }
}

/// Observations in so many datagrams of the mean size of `tally`.
fn mean_times(tally: Tally, datagrams: u64) -> u64 {
    if tally.datagrams == 0 {
        return 0;
    }
    let product = u128::from(tally.observations) * u128::from(datagrams);
    (product / u128::from(tally.datagrams)) as u64
}

fn drops_since(ended: &AgentDrops, reported: &AgentDrops) -> AgentDrops {
    AgentDrops {
        queue_full: ended.queue_full.saturating_sub(reported.queue_full),
        too_old: ended.too_old.saturating_sub(reported.too_old),
        disconnected: ended.disconnected.saturating_sub(reported.disconnected),
        unsent: ended.unsent.saturating_sub(reported.unsent),
    }
}

#[cfg(test)]
mod tests;
