//! Which observations of a batch share channel and noise floor: each change takes room in the datagram.

use wire::batch::Air;

use super::key::Key;
use super::{Queue, Waiting};

/// Counts them, and brings them together.
#[derive(Debug, Default)]
pub(super) struct Airs {
    /// With their places, so that the others keep their order.
    scratch: Vec<(Air, u16, Key)>,
}

impl Airs {
    /// For so many observations at once; more are taken as well.
    pub(super) fn with_capacity(observations: usize) -> Self {
        Self {
            scratch: Vec::with_capacity(observations),
        }
    }

    /// How many there are among these.
    pub(super) fn count(&mut self, keys: &[Key], queue: &Queue) -> usize {
        self.sort(keys, queue);
        let changes = self
            .scratch
            .windows(2)
            .filter(|pair| pair[0].0 != pair[1].0);
        changes.count() + usize::from(!keys.is_empty())
    }

    /// Brings those of each together, in their order.
    pub(super) fn gather(&mut self, keys: &mut [Key], queue: &Queue) {
        self.sort(keys, queue);
        for (place, (_, _, key)) in keys.iter_mut().zip(&self.scratch) {
            *place = *key;
        }
    }

    fn sort(&mut self, keys: &[Key], queue: &Queue) {
        let air = |key: &Key| queue.get(key.index()).map_or(Air::UNKNOWN, Waiting::air);
        let keys = (0..).zip(keys);
        self.scratch.clear();
        self.scratch
            .extend(keys.map(|(place, key)| (air(key), place, *key)));
        self.scratch.sort_unstable();
    }
}
