//! Log lines on stderr, one per event: time, level, where from, what.
//!
//! Spans are not kept, so that those of the transport cost nothing. A library for every taste would
//! be 40 kB on an access point.

mod filter;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

pub use filter::{Filter, FilterError};

/// Writes from now on what the filter lets through, for the life of the process; what came first
/// stays.
pub fn to_stderr(filter: Filter) {
    // Fails only where this process has a log already.
    let _ = tracing::subscriber::set_global_default(Log { filter });
}

struct Log {
    filter: Filter,
}

impl Subscriber for Log {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.enabled(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.filter.lets(metadata.target(), *metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.max())
    }

    fn event(&self, event: &Event<'_>) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut line = head(since_1970.unwrap_or_default(), event.metadata());
        event.record(&mut Body(&mut line));
        line.push('\n');
        // Whoever reads the log may be gone; the agent goes on.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What stands before what is told.
fn head(since_1970: Duration, metadata: &Metadata<'_>) -> String {
    let (days, second) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let level = match *metadata.level() {
        Level::ERROR => "ERROR",
        Level::WARN => " WARN",
        Level::INFO => " INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z {level} {}:",
        since_1970.subsec_micros(),
        metadata.target()
    )
}

/// Year, month and day in UTC of a number of days since 1970.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that a leap day is the last of its year.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Appends the fields of an event: the message as it is, others with their names.
struct Body<'a>(&'a mut String);

impl Visit for Body<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(OneLine(self.0), " {value:?}"),
            name => write!(OneLine(self.0), " {name}={value:?}"),
        };
    }
}

/// Escapes what would end a line or steer a terminal: some of it comes from strangers.
struct OneLine<'a>(&'a mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char.is_control() {
                true => self.0.extend(char.escape_default()),
                false => self.0.push(char),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
