//! Which sequence numbers of a session have arrived: never twice, and every gap counted.

use crate::books::Tally;
use crate::limits::{OBSERVATION_JUMP_MAX, SEQUENCE_JUMP_MAX, SEQUENCE_WINDOW_LEN};

const WORDS: usize = (SEQUENCE_WINDOW_LEN / 64) as usize;

/// A sliding window over the sequence numbers of one session.
///
/// Numbers at or above `next` are to come; below it, the last [`SEQUENCE_WINDOW_LEN`] are
/// remembered bit by bit. A number that was skipped is a gap until it arrives after all.
#[derive(Debug, Clone)]
pub struct SequenceWindow {
    seen: [u64; WORDS],
    next: u64,
    next_observation: u64,
    gaps: Tally,
}

/// What a sequence number turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// First arrival: take it.
    New,
    /// It came before.
    Duplicate,
    /// Too old to tell; it was counted as a gap and no longer is.
    Late,
    /// Absurdly far ahead.
    Absurd,
}

impl Default for SequenceWindow {
    fn default() -> Self {
        Self {
            seen: [0; WORDS],
            next: 0,
            next_observation: 0,
            gaps: Tally::default(),
        }
    }
}

impl SequenceWindow {
    /// Takes note of a datagram: its number, its first observation's number, how many it carries.
    pub fn handle_arrival(&mut self, sequence: u64, first_observation: u64, len: u64) -> Arrival {
        if sequence >= self.next {
            if self.is_absurd(sequence, first_observation) {
                return Arrival::Absurd;
            }
            self.skip_to(sequence, first_observation);
            self.mark(sequence);
            self.next = sequence + 1;
            self.next_observation += len;
            return Arrival::New;
        }
        if self.next - sequence > SEQUENCE_WINDOW_LEN {
            self.fill_gap(len);
            return Arrival::Late;
        }
        if self.is_marked(sequence) {
            return Arrival::Duplicate;
        }
        self.mark(sequence);
        self.fill_gap(len);
        Arrival::New
    }

    /// The agent says that it has sent so much: what did not arrive by now is a gap.
    pub fn handle_sent(&mut self, datagrams_sent: u64, observations_sent: u64) {
        if datagrams_sent > self.next && !self.is_absurd(datagrams_sent, observations_sent) {
            self.skip_to(datagrams_sent, observations_sent);
        }
    }

    /// Sequence numbers that did not arrive, and the observations in them.
    pub fn gaps(&self) -> Tally {
        self.gaps
    }

    /// What the session is known to have sent: the numbers that come next.
    pub fn sent(&self) -> Tally {
        Tally {
            observations: self.next_observation,
            datagrams: self.next,
        }
    }

    fn is_absurd(&self, sequence: u64, first_observation: u64) -> bool {
        sequence.saturating_sub(self.next) > SEQUENCE_JUMP_MAX
            || first_observation.saturating_sub(self.next_observation) > OBSERVATION_JUMP_MAX
    }

    fn skip_to(&mut self, sequence: u64, first_observation: u64) {
        self.gaps.datagrams += sequence - self.next;
        self.gaps.observations += first_observation.saturating_sub(self.next_observation);
        if sequence - self.next >= SEQUENCE_WINDOW_LEN {
            self.seen = [0; WORDS];
        } else {
            for skipped in self.next..=sequence {
                self.clear(skipped);
            }
        }
        self.next = sequence;
        self.next_observation = self.next_observation.max(first_observation);
    }

    fn fill_gap(&mut self, len: u64) {
        self.gaps = self.gaps.saturating_sub(Tally::datagram(len));
    }

    fn mark(&mut self, sequence: u64) {
        let (word, bit) = place(sequence);
        self.seen[word] |= bit;
    }

    fn clear(&mut self, sequence: u64) {
        let (word, bit) = place(sequence);
        self.seen[word] &= !bit;
    }

    fn is_marked(&self, sequence: u64) -> bool {
        let (word, bit) = place(sequence);
        self.seen[word] & bit != 0
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let index = sequence % SEQUENCE_WINDOW_LEN;
    ((index / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const LEN: u64 = 10;

    fn arrive(window: &mut SequenceWindow, sequence: u64) -> Arrival {
        window.handle_arrival(sequence, sequence.saturating_mul(LEN), LEN)
    }

    #[test]
    fn a_gap_is_lost_until_it_arrives() {
        let mut window = SequenceWindow::default();
        assert_eq!(arrive(&mut window, 0), Arrival::New);
        assert_eq!(arrive(&mut window, 3), Arrival::New);
        assert_eq!(
            window.gaps(),
            Tally {
                observations: 20,
                datagrams: 2
            }
        );
        assert_eq!(arrive(&mut window, 1), Arrival::New);
        assert_eq!(arrive(&mut window, 1), Arrival::Duplicate);
        assert_eq!(window.gaps(), Tally::datagram(10));
    }

    #[test]
    fn the_last_report_reveals_a_lost_tail() {
        let mut window = SequenceWindow::default();
        arrive(&mut window, 0);
        window.handle_sent(4, 4 * LEN);
        assert_eq!(
            window.gaps(),
            Tally {
                observations: 30,
                datagrams: 3
            }
        );
        assert_eq!(
            arrive(&mut window, 3),
            Arrival::New,
            "reported as sent, arrives later"
        );
        assert_eq!(
            window.gaps(),
            Tally {
                observations: 20,
                datagrams: 2
            }
        );
        assert_eq!(
            window.sent(),
            Tally {
                observations: 40,
                datagrams: 4
            }
        );
    }

    #[test]
    fn older_than_the_window_is_late_and_no_longer_lost() {
        let mut window = SequenceWindow::default();
        arrive(&mut window, SEQUENCE_WINDOW_LEN + 5);
        let gaps = window.gaps();
        assert_eq!(arrive(&mut window, 2), Arrival::Late);
        assert_eq!(window.gaps(), gaps.saturating_sub(Tally::datagram(LEN)));
        assert_eq!(arrive(&mut window, u64::MAX), Arrival::Absurd);
    }

    proptest! {
        /// Against a plain set: never twice, and gaps are exactly the numbers not seen.
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((0u64..64, any::<bool>()), 1..400)) {
            let mut window = SequenceWindow::default();
            let mut seen = HashSet::new();
            let mut base = 0u64;
            for (offset, advance) in steps {
                let sequence = base + offset;
                if advance {
                    base += offset;
                }
                let expected = if seen.insert(sequence) { Arrival::New } else { Arrival::Duplicate };
                let arrival = arrive(&mut window, sequence);
                if window.sent().datagrams - sequence <= SEQUENCE_WINDOW_LEN {
                    prop_assert_eq!(arrival, expected);
                }
            }
            if window.sent().datagrams <= SEQUENCE_WINDOW_LEN {
                let missing = window.sent().datagrams - seen.len() as u64;
                prop_assert_eq!(window.gaps(), Tally { observations: missing * LEN, datagrams: missing });
            }
        }
    }
}
