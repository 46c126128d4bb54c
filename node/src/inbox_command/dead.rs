//! `trilobite inbox dead`: what failed too often.

use anyhow::{Context as _, bail};
use outbox::Time;
use outbox::inbox::{Database, DeadGroup, DeadLetter, Inbox, InboxConfig, Which};
use serde_json::json;

use super::{DeadArgs, DeadCommand};

/// Letters of an error on one line of a list.
const SHOWN_CHARS_MAX: usize = 100;

pub(super) fn run(command: &DeadCommand) -> anyhow::Result<String> {
    match command {
        DeadCommand::List { dead, limit, json } => {
            let (inbox, mut database) = open(dead)?;
            list(&inbox, &mut database, dead.which.which(), *limit, *json)
        }
        DeadCommand::Replay(dead) => {
            let (inbox, mut database) = open(dead)?;
            let which = named(dead)?;
            let now = Time::now();
            let count = database
                .transact(|tx| inbox.replay_dead(tx, &which, now))
                .context("inbox")?;
            Ok(format!("{count} wait again"))
        }
        DeadCommand::Drop(dead) => {
            let (inbox, mut database) = open(dead)?;
            let which = named(dead)?;
            let count = database
                .transact(|tx| inbox.drop_dead(tx, &which))
                .context("inbox")?;
            Ok(format!("{count} dropped"))
        }
    }
}

fn open(dead: &DeadArgs) -> anyhow::Result<(Inbox, Database)> {
    super::open(&dead.store, InboxConfig::new(&dead.store.name))
}

/// Acting on dead letters needs a word which.
fn named(dead: &DeadArgs) -> anyhow::Result<Which> {
    match dead.which.which() {
        Some(which) => Ok(which),
        None => bail!("which? name --group, --id or --all"),
    }
}

fn list(
    inbox: &Inbox,
    database: &mut Database,
    which: Option<Which>,
    limit: u32,
    json: bool,
) -> anyhow::Result<String> {
    let lines: Vec<String> = match which {
        None => {
            let groups = database
                .transact(|tx| inbox.dead_groups(tx, limit))
                .context("inbox")?;
            groups.iter().map(|group| group_line(group, json)).collect()
        }
        Some(which) => {
            let letters = database
                .transact(|tx| inbox.dead_letters(tx, &which, limit))
                .context("inbox")?;
            letters
                .iter()
                .map(|letter| letter_line(letter, json))
                .collect()
        }
    };
    if lines.is_empty() && !json {
        return Ok("no dead letters".to_owned());
    }
    Ok(lines.join("\n"))
}

fn group_line(group: &DeadGroup, json: bool) -> String {
    let [first, last] = group.failed;
    if json {
        return json!({
            "group": group.group.as_str(), "count": group.count, "first": first.to_string(),
            "last": last.to_string(), "error": group.error,
        })
        .to_string();
    }
    let error = one_line(&group.error);
    format!("{}  {:>6}  last {last}  {error}", group.group, group.count)
}

fn letter_line(letter: &DeadLetter, json: bool) -> String {
    if json {
        return json!({
            "message": letter.message, "attempts": letter.attempts, "replays": letter.replays,
            "failed": letter.failed.to_string(), "group": letter.group.as_str(),
            "error": letter.error,
        })
        .to_string();
    }
    let message = &letter.message;
    let error = one_line(&letter.error);
    format!(
        "{}  {}  {}  {} tries  {error}",
        message.id, message.kind, message.resource, letter.attempts
    )
}

fn one_line(error: &str) -> String {
    let one: String = error.split_whitespace().collect::<Vec<_>>().join(" ");
    match one.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &one[..end]),
        None => one,
    }
}
