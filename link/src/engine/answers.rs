//! Packets that answer strangers: they belong to no connection.

use std::collections::VecDeque;

use quinn_proto::Transmit;

use crate::transport::ANSWERS_MAX;

/// Answers that wait to be sent. Beyond [`ANSWERS_MAX`] they are dropped, as if the network had
/// lost them: who is honest asks again.
#[derive(Debug, Default)]
pub(super) struct Answers {
    waiting: VecDeque<(Transmit, Vec<u8>)>,
    buffer: Vec<u8>,
}

impl Answers {
    /// Where the next answer is written to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        &mut self.buffer
    }

    /// Keeps the answer that is in the buffer.
    pub(super) fn push(&mut self, transmit: Transmit) {
        if self.waiting.len() < ANSWERS_MAX {
            self.waiting.push_back((transmit, self.buffer.clone()));
        }
    }

    pub(super) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let (transmit, bytes) = self.waiting.pop_front()?;
        out.extend_from_slice(&bytes);
        Some(transmit)
    }
}
