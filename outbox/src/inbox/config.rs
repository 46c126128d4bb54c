//! What a consumer chooses about its inbox.

use std::time::Duration;

use super::limits::{ATTEMPTS_MAX, NAME_BYTES_MAX, WINDOW_DAYS};
use crate::KindPattern;

/// One inbox of a consumer: several in one database have different names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxConfig {
    /// Its name in the tables.
    pub name: String,
    /// Types that are stored; others are ignored, as unknown types are by contract. None means all.
    pub kinds: Vec<KindPattern>,
    /// Of the waiting messages of one resource keep only the newest.
    pub coalesce: bool,
    /// Days for which an id is known again; more than the feed keeps messages.
    pub window_days: u32,
    /// How often a message is tried before it goes to the dead letters.
    pub attempts_max: u32,
    /// Wait after a message's first failure.
    pub retry_min: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InboxConfigError {
    /// The name.
    #[error("name of the inbox: use 1 to {NAME_BYTES_MAX} letters, digits, \"-\", \"_\" and \".\"")]
    Name,
    /// The number of tries.
    #[error("attempts of a message: use 1 or more")]
    Attempts,
    /// The waits.
    #[error(
        "waits between tries: use a first one that is not zero and not above the longest, and a longest of at most a day"
    )]
    Retry,
    /// The window against what a feed says of its retention.
    #[error(
        "the inbox forgets ids after {window_days} days, the feed gives messages for up to \
         {needed_days}: they would be handled twice; use a window of at least {needed_days} days"
    )]
    Window {
        /// As configured.
        window_days: u32,
        /// At least this.
        needed_days: u32,
    },
}

impl InboxConfig {
    /// An inbox of this name with the usual settings.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kinds: Vec::new(),
            coalesce: false,
            window_days: WINDOW_DAYS,
            attempts_max: ATTEMPTS_MAX,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(60 * 60),
        }
    }

    pub(super) fn check(&self) -> Result<(), InboxConfigError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let length = 1..=NAME_BYTES_MAX;
        if !length.contains(&self.name.len()) || !self.name.bytes().all(known) {
            return Err(InboxConfigError::Name);
        }
        if self.attempts_max == 0 {
            return Err(InboxConfigError::Attempts);
        }
        let day = Duration::from_secs(86_400);
        if self.retry_min.is_zero() || self.retry_min > self.retry_max || self.retry_max > day {
            return Err(InboxConfigError::Retry);
        }
        Ok(())
    }

    /// Compares the window with the days for which the feed keeps messages. Whole days are purged,
    /// so a message may be given for up to one day more.
    ///
    /// # Errors
    /// [`InboxConfigError::Window`] when an id would be forgotten while the feed still gives it.
    pub fn check_retention(&self, retention_days: u32) -> Result<(), InboxConfigError> {
        let needed_days = retention_days.saturating_add(1);
        if self.window_days < needed_days {
            let window_days = self.window_days;
            return Err(InboxConfigError::Window {
                window_days,
                needed_days,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused() {
        assert_eq!(InboxConfig::new("billing-2").check(), Ok(()));
        for name in ["", "a b", "a'b", "ä", &"a".repeat(65)] {
            let bad = InboxConfig::new(name).check();
            assert_eq!(bad, Err(InboxConfigError::Name), "{name:?}");
        }
        let mut config = InboxConfig::new("a");
        config.attempts_max = 0;
        assert_eq!(config.check(), Err(InboxConfigError::Attempts));
        let mut config = InboxConfig::new("a");
        config.retry_min = config.retry_max * 2;
        assert_eq!(config.check(), Err(InboxConfigError::Retry));
    }

    #[test]
    fn the_window_is_longer_than_the_feed_keeps_messages() {
        let config = InboxConfig::new("a");
        assert_eq!(config.check_retention(5), Ok(()));
        assert_eq!(config.check_retention(6), Ok(()));
        for days in [7, 30, u32::MAX] {
            assert!(config.check_retention(days).is_err(), "{days}");
        }
    }
}
