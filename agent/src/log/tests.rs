use std::sync::{Arc, Mutex};

use super::*;

/// The lines of what a scope logs, without their times.
struct Kept(Arc<Mutex<Vec<String>>>, Filter);

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.1.lets(metadata.target(), *metadata.level())
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = head(Duration::ZERO, event.metadata());
        event.record(&mut Body(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn logged(filter: &str, log: impl FnOnce()) -> Vec<String> {
    let lines = Arc::default();
    let kept = Kept(Arc::clone(&lines), filter.parse().unwrap());
    tracing::subscriber::with_default(kept, log);
    let lines = lines.lock().unwrap();
    let start = "1970-01-01T00:00:00.000000Z ";
    let without = |line: &String| line.strip_prefix(start).unwrap().to_owned();
    lines.iter().map(without).collect()
}

#[test]
fn a_line_tells_level_place_and_fields() {
    let lines = logged("info,x=error", || {
        tracing::warn!(target: "agent::run", cause = "far", count = 3, "gone: {}", 7);
        tracing::debug!(target: "agent::run", "not this");
        tracing::warn!(target: "xylophone", "nor this");
        tracing::error!(target: "x::y", "this");
    });
    assert_eq!(
        lines,
        [
            " WARN agent::run: gone: 7 cause=\"far\" count=3",
            "ERROR x::y: this"
        ]
    );
}

#[test]
fn what_strangers_say_stays_in_its_line() {
    let lines = logged("info", || {
        tracing::info!(target: "a", "said \x1b[31mred\r\nand \u{9b}on é");
    });
    assert_eq!(lines, [" INFO a: said \\u{1b}[31mred\\r\\nand \\u{9b}on é"]);
}

#[test]
fn spans_are_not_kept() {
    let filter = "trace".parse().unwrap();
    let log = Log { filter };
    tracing::subscriber::with_default(log, || {
        assert!(tracing::info_span!("drive").is_disabled());
    });
}

#[test]
fn dates_are_days_in_utc() {
    for (days, expected) in [
        (0, (1970, 1, 1)),
        (58, (1970, 2, 28)),
        (59, (1970, 3, 1)),
        (11_016, (2000, 2, 29)),
        (11_017, (2000, 3, 1)),
        (20_758, (2026, 11, 1)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
        (2_932_896, (9999, 12, 31)),
    ] {
        assert_eq!(date(days), expected, "{days}");
    }
}

#[test]
fn the_longest_beginning_rules() {
    let filter: Filter = "warn, agent=debug,agent::run=off,quinn=TRACE"
        .parse()
        .unwrap();
    for (target, level, lets) in [
        ("link::control", Level::WARN, true),
        ("link::control", Level::INFO, false),
        ("agent::intake", Level::DEBUG, true),
        ("agent::intake", Level::TRACE, false),
        ("agent::run::pump", Level::ERROR, false),
        ("quinn_proto", Level::TRACE, true),
    ] {
        assert_eq!(filter.lets(target, level), lets, "{target} {level}");
    }
    assert_eq!(filter.max(), LevelFilter::TRACE);
    let silent: Filter = "".parse().unwrap();
    assert!(!silent.lets("agent", Level::ERROR));
    assert_eq!(silent.max(), LevelFilter::OFF);
    for wrong in ["loud", "agent=loud", "info,agent", "=x"] {
        let error = wrong.parse::<Filter>().unwrap_err().to_string();
        assert!(error.contains("use off, error"), "{error}");
    }
}
