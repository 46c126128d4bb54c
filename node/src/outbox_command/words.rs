//! What the commands tell.

use std::fmt::Write as _;

use outbox::{Clock, DatabaseHealth, Migrated, Purged};
use serde_json::json;

pub(super) fn status(health: &DatabaseHealth) -> String {
    let mut told = String::new();
    let days = match (health.days.first(), health.days.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}, {} days", health.days.len()),
        _ => "none".to_owned(),
    };
    let newest = health
        .newest
        .map_or_else(|| "none".to_owned(), |time| time.to_string());
    // Writing to a string cannot fail.
    let _ = writeln!(told, "messages of   {days}");
    let _ = writeln!(told, "newest        {newest}");
    let _ = writeln!(
        told,
        "cursor        {} (oldest {})",
        health.head, health.oldest
    );
    let _ = write!(told, "tables        ");
    for (position, (component, version)) in health.versions.iter().enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let _ = write!(told, "{separator}{component} version {version}");
    }
    told
}

pub(super) fn status_json(health: &DatabaseHealth) -> String {
    let days: Vec<String> = health.days.iter().map(ToString::to_string).collect();
    let versions: serde_json::Map<String, serde_json::Value> = health
        .versions
        .iter()
        .map(|(name, version)| (name.clone(), (*version).into()))
        .collect();
    json!({
        "days": days,
        "newest": health.newest.map(|time| time.to_string()),
        "head": health.head.to_string(),
        "oldest": health.oldest.to_string(),
        "versions": versions,
    })
    .to_string()
}

pub(super) fn migrated(done: &[Migrated]) -> String {
    if done.is_empty() {
        return "nothing to do: all tables have the versions that this program needs".to_owned();
    }
    let steps = done.iter().map(|step| {
        format!(
            "{}: from version {} to {}",
            step.component, step.from, step.to
        )
    });
    steps.collect::<Vec<_>>().join("\n")
}

pub(super) fn purged(purged: &Purged) -> String {
    if let Clock::Leapt { believed, now } = purged.clock {
        return format!(
            "nothing purged: the clock says {now}, and when the store was last used it said \
             {believed}; {} days would go; if the clock is right, say --accept-clock",
            purged.kept_for_clock
        );
    }
    let kept = [
        (
            purged.kept_for_younger,
            "past their age stay for younger messages that were committed before their last one; they \
             go with those",
        ),
        (
            purged.kept_in_use,
            "past their age stay because somebody uses their tables; purge again",
        ),
        (
            purged.ahead_of_clock,
            "are later than the clock, which was ahead when they were published to; they go when \
             it is past them",
        ),
    ];
    let kept: Vec<_> = kept.iter().filter(|(days, _)| *days > 0).collect();
    let days: Vec<String> = purged.days.iter().map(ToString::to_string).collect();
    let mut told = match (days.is_empty(), kept.is_empty()) {
        (true, true) => "nothing to purge: no day is past the retention".to_owned(),
        (true, false) => "nothing purged".to_owned(),
        (false, _) => format!("purged {}", days.join(", ")),
    };
    for (days, why) in kept {
        // Writing to a string cannot fail.
        let _ = write!(told, "\n{days} days {why}");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_purge_keeps_it_tells() {
        let nothing = Purged {
            days: Vec::new(),
            kept_for_clock: 0,
            kept_for_younger: 0,
            kept_in_use: 0,
            ahead_of_clock: 0,
            clock: Clock::Believed,
        };
        assert!(purged(&nothing).starts_with("nothing to purge"));
        let kept = Purged {
            kept_for_younger: 1,
            kept_in_use: 2,
            ahead_of_clock: 3,
            ..nothing
        };
        let told = purged(&kept);
        let lines: Vec<_> = told.lines().collect();
        assert_eq!((lines.len(), lines[0]), (4, "nothing purged"));
        for (line, begins) in lines[1..]
            .iter()
            .zip(["1 days past", "2 days past", "3 days are"])
        {
            assert!(line.starts_with(begins), "{told}");
        }
    }
}
