//! Answers that wait for their readers, within a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::limits::{HELD_BYTES_MAX, HELD_BYTES_PER_CONSUMER_MAX, PAGE_BYTES};

/// Counts the bytes of answers that are made and not yet with the system.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    all: usize,
    /// Of consumers with a token.
    of: HashMap<String, usize>,
}

/// Why an answer is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// This consumer reads too slowly.
    Consumer,
    /// All together do.
    All,
}

impl Held {
    /// Whether there is room for another page.
    pub(crate) fn check(&self, consumer: &str) -> Result<(), NoRoom> {
        self.lock().check(consumer, PAGE_BYTES)
    }

    /// Bytes that count until the last copy is gone; `consumer` is empty for who has no token.
    pub(crate) fn hold(self: &Arc<Self>, consumer: &str, bytes: Vec<u8>) -> Result<Bytes, NoRoom> {
        let mut sums = self.lock();
        let size = bytes.len();
        sums.check(consumer, size)?;
        if !consumer.is_empty() {
            *sums.of.entry(consumer.to_owned()).or_default() += size;
        }
        sums.all += size;
        Ok(Bytes::from_owner(Holding {
            bytes,
            consumer: consumer.to_owned(),
            held: self.clone(),
        }))
    }

    fn release(&self, consumer: &str, size: usize) {
        let mut sums = self.lock();
        sums.all -= size;
        if let Some(sum) = sums.of.get_mut(consumer) {
            *sum -= size;
            if *sum == 0 {
                sums.of.remove(consumer);
            }
        }
    }

    /// Bytes that wait now.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    fn check(&self, consumer: &str, size: usize) -> Result<(), NoRoom> {
        if self.all + size > HELD_BYTES_MAX {
            return Err(NoRoom::All);
        }
        let own = self.of.get(consumer).copied().unwrap_or(0);
        match !consumer.is_empty() && own + size > HELD_BYTES_PER_CONSUMER_MAX {
            true => Err(NoRoom::Consumer),
            false => Ok(()),
        }
    }
}

/// Bytes that are counted while anybody has them: the connection's task, until the system took them.
struct Holding {
    bytes: Vec<u8>,
    consumer: String,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Holding {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.release(&self.consumer, self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_for_each_and_for_all() {
        let held = Arc::<Held>::default();
        let hold = |consumer: &str, size: usize| held.hold(consumer, vec![0; size]);
        let a = hold("a", HELD_BYTES_PER_CONSUMER_MAX).unwrap();
        assert_eq!(hold("a", 1).unwrap_err(), NoRoom::Consumer);
        assert_eq!(held.check("a"), Err(NoRoom::Consumer));
        held.check("b").unwrap();
        let rest = HELD_BYTES_MAX - HELD_BYTES_PER_CONSUMER_MAX;
        let others = hold("", rest).unwrap();
        assert_eq!(hold("b", 1).unwrap_err(), NoRoom::All);
        let copy = a.clone();
        drop(a);
        assert_eq!(hold("b", 1).unwrap_err(), NoRoom::All, "a copy still waits");
        drop(copy);
        drop(hold("a", HELD_BYTES_PER_CONSUMER_MAX).unwrap());
        drop(others);
        assert_eq!(held.bytes(), 0);
    }
}
