//! How often a consumer may ask: a bucket that fills with time.

use std::time::{Duration, Instant};

/// A steady rate and what may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Requests per second in the long run; above 0.
    pub per_s: f64,
    /// Most requests at once, after a pause; 1 or more.
    pub burst: f64,
}

/// What one consumer has left.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn full(pace: Pace, now: Instant) -> Self {
        Self {
            left: pace.burst,
            at: now,
        }
    }

    /// Takes one request out.
    ///
    /// # Errors
    /// When it is empty: after how long it will not be.
    pub fn take(&mut self, pace: Pace, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * pace.per_s).min(pace.burst);
        self.at = self.at.max(now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        let wait_s = (1.0 - self.left) / pace.per_s;
        Err(Duration::try_from_secs_f64(wait_s).unwrap_or(Duration::from_secs(3_600)))
    }

    /// Whether it is as good as new: forgetting it changes nothing.
    pub fn is_full(&self, pace: Pace, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left + since * pace.per_s >= pace.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_burst_requests_pass_at_the_rate() {
        let pace = Pace {
            per_s: 10.0,
            burst: 3.0,
        };
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut bucket = Bucket::full(pace, begin);
        for _ in 0..3 {
            bucket.take(pace, at(0)).unwrap();
        }
        let wait = bucket.take(pace, at(0)).unwrap_err();
        assert_eq!(wait.as_millis(), 100);
        bucket.take(pace, at(100)).unwrap();
        bucket.take(pace, at(150)).unwrap_err();
        let passed = (200..10_200).filter(|ms| bucket.take(pace, at(*ms)).is_ok());
        assert!((99..=101).contains(&passed.count()));
        assert!(!bucket.is_full(pace, at(10_200)));
        assert!(bucket.is_full(pace, at(10_600)));
        // A clock that steps back gives nothing and takes nothing.
        let before = bucket.left;
        let _ = bucket.take(pace, begin);
        assert!(bucket.left <= before);
    }
}
