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
    /// Of each consumer; those without a token are one, without a name.
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
        *sums.of.entry(consumer.to_owned()).or_default() += size;
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
        let own = self.of.get(consumer).copied().unwrap_or(0);
        // One half takes only the first answer of each consumer, so that some that do not read leave
        // room for one that does.
        let is_first = own == 0 && !consumer.is_empty();
        let room = HELD_BYTES_MAX / if is_first { 1 } else { 2 };
        let full = self.all + size > room;
        if consumer.is_empty() || is_first {
            return if full { Err(NoRoom::All) } else { Ok(()) };
        }
        match full || own + size > HELD_BYTES_PER_CONSUMER_MAX {
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
        let rest = HELD_BYTES_MAX / 2 - HELD_BYTES_PER_CONSUMER_MAX;
        let others = hold("", rest).unwrap();
        assert_eq!(hold("", 1).unwrap_err(), NoRoom::All);
        let copy = others.clone();
        drop(others);
        assert_eq!(hold("", 1).unwrap_err(), NoRoom::All, "a copy still waits");
        drop(copy);
        drop(hold("", rest).unwrap());
        drop(a);
        assert_eq!(held.bytes(), 0);
    }

    #[test]
    fn consumers_that_do_not_read_leave_room_for_one_that_does() {
        let held = Arc::<Held>::default();
        let mut waiting = Vec::new();
        // Whoever has no token, and more consumers than fill one half alone.
        for slow in 0..40 {
            let name = if slow == 0 {
                String::new()
            } else {
                slow.to_string()
            };
            while let Ok(answer) = held.hold(&name, vec![0; PAGE_BYTES]) {
                waiting.push(answer);
            }
        }
        assert!(held.bytes() > HELD_BYTES_MAX / 2);
        assert_eq!(held.check(""), Err(NoRoom::All));
        assert_eq!(held.check("1"), Err(NoRoom::Consumer));
        held.check("one that reads").unwrap();
        // But never beyond the bound of all.
        for one in 100..1_000 {
            waiting.extend(held.hold(&one.to_string(), vec![0; PAGE_BYTES]));
        }
        assert!(held.bytes() <= HELD_BYTES_MAX);
        assert_eq!(held.check("one that reads"), Err(NoRoom::All));
    }
}
