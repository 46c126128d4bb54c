//! How a relay is, for those who watch over it.

use std::sync::{Mutex, PoisonError};

use super::limits::WORDS_MAX;
use crate::Time;

/// How a relay is. What it counts, it counts since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHealth {
    /// The name of the transport.
    pub name: String,
    /// What it speaks.
    pub kind: &'static str,
    /// Whether the last it sent was acknowledged, or nothing was to be sent yet.
    pub is_well: bool,
    /// Messages that it has still to look at, as far as numbers tell: some of them may be unwanted.
    pub behind: u64,
    /// Time of the oldest message that waits for its acknowledgement, if one does.
    pub oldest_waiting: Option<Time>,
    /// Messages sent.
    pub attempted: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Tries that failed; each may be of many messages.
    pub failures: u64,
    /// Messages passed over since their receiver refused them again and again.
    pub refused: u64,
    /// How often messages were purged before they were sent.
    pub gaps: u64,
    /// When something was last acknowledged.
    pub last_ack: Option<Time>,
    /// The last trouble, and when.
    pub last_trouble: Option<(Time, String)>,
}

/// Written by the relay's thread, read by others.
#[derive(Debug)]
pub(super) struct Watched(Mutex<RelayHealth>);

impl Watched {
    pub(super) fn new(name: &str, kind: &'static str) -> Self {
        Self(Mutex::new(RelayHealth {
            name: name.to_owned(),
            kind,
            is_well: true,
            behind: 0,
            oldest_waiting: None,
            attempted: 0,
            acked: 0,
            failures: 0,
            refused: 0,
            gaps: 0,
            last_ack: None,
            last_trouble: None,
        }))
    }

    pub(super) fn now(&self) -> RelayHealth {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut RelayHealth)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn trouble(&self, what: &str) {
        let words = words(what);
        self.change(|health| {
            health.is_well = false;
            health.failures += 1;
            health.last_trouble = Some((Time::now(), words));
        });
    }
}

/// What a stranger said, short and without control characters.
pub(super) fn words(text: &str) -> String {
    let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().take(WORDS_MAX).map(letter).collect()
}
