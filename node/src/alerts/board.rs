//! What the last look found, for who reads `/alerts` and `/metrics`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use outbox::alerts::{Alert, Notice};
use outbox::{Figures, StoreHealth, Time};

use super::tallies::Tallies;

/// Beginnings and ends that are shown.
const NOTES_MAX: usize = 100;

/// What the last look found.
#[derive(Debug, Clone)]
pub struct View {
    /// When it was.
    pub at: Time,
    /// What is unusual.
    pub active: Vec<Alert>,
    /// Hours of the week, of 168, that are past their warm-up.
    pub hours_learned: usize,
    /// The store's figures, or why there are none.
    pub figures: Result<Figures, String>,
    /// How the store is.
    pub health: StoreHealth,
    /// Notices that the webhook did not take, if there is one.
    pub webhook_failed: Option<u64>,
}

/// What the last look found, and what began and ended before.
#[derive(Debug, Default)]
pub struct Board {
    pub(crate) tallies: Tallies,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    view: Option<View>,
    notes: VecDeque<Notice>,
}

impl Board {
    /// What the last look found; nothing before the first.
    pub fn view(&self) -> Option<View> {
        self.lock().view.clone()
    }

    /// What began and ended lately, the newest first.
    pub fn notes(&self) -> Vec<Notice> {
        self.lock().notes.iter().rev().cloned().collect()
    }

    /// How polls fared.
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    pub(super) fn show(&self, view: View) {
        self.lock().view = Some(view);
    }

    pub(super) fn note(&self, notice: Notice) {
        let mut state = self.lock();
        if state.notes.len() == NOTES_MAX {
            state.notes.pop_front();
        }
        state.notes.push_back(notice);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
