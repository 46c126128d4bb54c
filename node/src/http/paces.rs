//! How often each consumer may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use outbox::consumer::{Bucket, CONSUMERS_MAX, Pace};

/// A bucket for each consumer of a listener; who polls without a token shares one with all others.
#[derive(Debug)]
pub(crate) struct Paces {
    pace: Pace,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Paces {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            buckets: Mutex::default(),
        }
    }

    /// Counts a request; after how long to come back where it is too early.
    pub(super) fn take(&self, name: &str, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(name) {
            return bucket.take(self.pace, now);
        }
        if buckets.len() > CONSUMERS_MAX {
            // Consumers that came and went: a full bucket says nothing that a new one does not.
            buckets.retain(|_, bucket| !bucket.is_full(self.pace, now));
        }
        let mut bucket = Bucket::full(self.pace, now);
        let taken = bucket.take(self.pace, now);
        buckets.insert(name.to_owned(), bucket);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mad_consumer_hurts_only_itself() {
        let paces = Paces::new(Pace {
            per_s: 1.0,
            burst: 2.0,
        });
        let now = Instant::now();
        let passed = (0..100).filter(|_| paces.take("mad", now).is_ok()).count();
        assert_eq!(passed, 2);
        paces.take("calm", now).unwrap();
        let after = paces.take("mad", now).unwrap_err();
        assert_eq!(after, Duration::from_secs(1));
    }

    #[test]
    fn names_that_came_and_went_are_forgotten() {
        let paces = Paces::new(Pace {
            per_s: 1.0,
            burst: 1.0,
        });
        let begin = Instant::now();
        for index in 0..3 * CONSUMERS_MAX {
            let second = u64::try_from(index).unwrap();
            let _ = paces.take(&index.to_string(), begin + Duration::from_secs(second));
        }
        assert!(paces.buckets.lock().unwrap().len() <= CONSUMERS_MAX + 1);
    }
}
