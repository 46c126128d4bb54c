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
    if purged.days.is_empty() {
        return "nothing to purge: no day is past the retention".to_owned();
    }
    let days: Vec<String> = purged.days.iter().map(ToString::to_string).collect();
    format!("purged {}", days.join(", "))
}
