//! Lines about requests that were not listened to: one a minute, whoever sends how many.

use std::time::{Duration, Instant};

/// Time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// Counts what no line has told yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told_at: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// One more was refused. Returns how many a line has to tell of now, if it is time for one.
    pub(super) fn note(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        let told_lately = self
            .told_at
            .is_some_and(|told_at| now.saturating_duration_since(told_at) < PAUSE);
        if told_lately {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_others_together() {
        let (mut refusals, began) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.note(began), Some(1));
        for second in 1..60 {
            assert_eq!(refusals.note(began + Duration::from_secs(second)), None);
        }
        assert_eq!(refusals.note(began + PAUSE), Some(60));
        assert_eq!(refusals.note(began + PAUSE), None);
    }
}
