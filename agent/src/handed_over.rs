//! Remembers how many observations each of the newest datagrams holds.

use std::collections::VecDeque;

use crate::limits::HANDED_OVER_DATAGRAMS_MAX;

/// Row counts of the newest datagrams of a link.
///
/// A transport that closes may still hold datagrams. It sends in order, so these are the newest; how
/// many follows from its own count of what it sent.
#[derive(Debug)]
pub(crate) struct HandedOver {
    datagrams: u64,
    rows: VecDeque<u16>,
}

/// What the transport never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsent {
    pub(crate) datagrams: u64,
    pub(crate) observations: u64,
}

impl HandedOver {
    pub(crate) fn new() -> Self {
        Self {
            datagrams: 0,
            rows: VecDeque::with_capacity(HANDED_OVER_DATAGRAMS_MAX),
        }
    }

    /// A link without any datagram yet.
    pub(crate) fn clear(&mut self) {
        self.datagrams = 0;
        self.rows.clear();
    }

    pub(crate) fn handle_datagram(&mut self, rows: usize) {
        if self.rows.len() == HANDED_OVER_DATAGRAMS_MAX {
            self.rows.pop_front();
        }
        self.rows.push_back(u16::try_from(rows).unwrap_or(u16::MAX));
        self.datagrams += 1;
    }

    pub(crate) fn datagrams(&self) -> u64 {
        self.datagrams
    }

    /// What is unsent when the transport has sent so many datagrams in all.
    pub(crate) fn unsent(&self, datagrams_sent: u64) -> Unsent {
        let datagrams = self.datagrams.saturating_sub(datagrams_sent);
        let newest = usize::try_from(datagrams).unwrap_or(usize::MAX);
        let observations = self
            .rows
            .iter()
            .rev()
            .take(newest)
            .map(|rows| u64::from(*rows))
            .sum();
        Unsent {
            datagrams,
            observations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_datagrams_are_the_unsent_ones() {
        let mut handed_over = HandedOver::new();
        for rows in 1..=5 {
            handed_over.handle_datagram(rows);
        }
        let cases = [
            (5, (0, 0)),
            (9, (0, 0)),
            (4, (1, 5)),
            (2, (3, 12)),
            (0, (5, 15)),
        ];
        for (sent, (datagrams, observations)) in cases {
            assert_eq!(
                handed_over.unsent(sent),
                Unsent {
                    datagrams,
                    observations
                }
            );
        }
        handed_over.clear();
        assert_eq!(
            handed_over.unsent(0),
            Unsent {
                datagrams: 0,
                observations: 0
            }
        );
    }

    #[test]
    fn memory_stays_flat() {
        let mut handed_over = HandedOver::new();
        for _ in 0..3 * HANDED_OVER_DATAGRAMS_MAX {
            handed_over.handle_datagram(2);
        }
        assert_eq!(handed_over.rows.len(), HANDED_OVER_DATAGRAMS_MAX);
        let sent = handed_over.datagrams() - 7;
        assert_eq!(
            handed_over.unsent(sent),
            Unsent {
                datagrams: 7,
                observations: 14
            }
        );
    }
}
