//! What is left when everything has ended, compared with what was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use outbox::inbox::Database;
use outbox::{PageQuery, SqlError, Start, Store, Tx};

use crate::consumer::effects;
use crate::folder::{Folder, again};
use crate::journal;
use crate::process::{Process, wait_until};
use crate::relay::is_acked;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Found {
    committed: usize,
    delivered: usize,
    duplicates: usize,
    relayed: usize,
    refused: usize,
    /// Commits whose answer never came.
    pub(crate) unanswered: usize,
    /// Of those, the ones that had been committed all the same.
    already: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "committed {}, delivered {}, duplicates suppressed {}; refused and rolled back {}; \
             relayed {} with {} repeated; {} commits without an answer done again with the same \
             id, {} of them were there already",
            self.committed,
            self.delivered,
            self.duplicates,
            self.refused,
            self.relayed,
            self.relayed - self.committed,
            self.unanswered,
            self.already,
        )
    }
}

fn messages(store: &Store) -> Vec<String> {
    let mut ids = Vec::new();
    let mut query = PageQuery::new(Start::Oldest);
    loop {
        let page = again(|| store.page(&query));
        ids.extend(page.messages.iter().map(|message| message.id.to_string()));
        query.after = Start::Cursor(page.next);
        if !page.more {
            return ids;
        }
    }
}

/// Before the feed is told to stop, all effects are there; before the relay is, all are relayed.
pub(crate) fn wait_for_all_before(folder: &Folder, store: &Store, process: &mut Process) {
    if process.role == "writer" {
        return;
    }
    let all = messages(store);
    if process.role == "relay" {
        wait_until("the last message at the broker", || {
            process.assert_lives();
            journal::read(&folder.file("broker"))
                .iter()
                .collect::<BTreeSet<_>>()
                .len()
                >= all.len()
        });
        return;
    }
    let mut database = Database::open(folder.consumer_place()).unwrap();
    let mut before = 0;
    loop {
        // As long as it comes on, it has time.
        let mut now = before;
        wait_until("an effect in the consumer's database", || {
            process.assert_lives();
            now = count(&mut database);
            now > before || now >= all.len()
        });
        if now >= all.len() {
            return;
        }
        before = now;
    }
}

fn count(database: &mut Database) -> usize {
    let count = |tx: &mut Tx<'_>| -> Result<i64, SqlError> {
        tx.query("SELECT count(*) FROM effect", &[])?[0].integer(0)
    };
    again(|| database.transact(count)).try_into().unwrap()
}

/// Compares; panics at the first broken promise.
pub(crate) fn judge(folder: &Folder, store: &Store) -> Found {
    let journal = journal::read(&folder.file("journal"));
    let of = |wanted: &str| -> Vec<&str> {
        let words = journal.iter().map(|line| line.split_once(' ').unwrap());
        words
            .filter(|(word, _)| *word == wanted)
            .map(|(_, rest)| rest)
            .collect()
    };
    let done: BTreeSet<&str> = of("done").into_iter().collect();
    let refused: BTreeSet<&str> = of("refused").into_iter().collect();
    assert_eq!(
        of("will").len(),
        done.len(),
        "what was wanted and what was acknowledged"
    );
    assert_eq!(of("wont").len(), refused.len());

    let messages = messages(store);
    let as_set: BTreeSet<&str> = messages.iter().map(String::as_str).collect();
    assert_eq!(messages.len(), as_set.len(), "a message twice");
    let missing: Vec<_> = done.difference(&as_set).collect();
    assert!(missing.is_empty(), "acknowledged and missing: {missing:?}");
    assert_eq!(done, as_set, "messages that nobody acknowledged");
    assert!(refused.is_disjoint(&as_set), "a refused one was committed");

    let states: Vec<String> = again(|| -> Result<_, SqlError> {
        store.read(|reading| {
            let rows = reading.query("SELECT id FROM state", &[])?;
            rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
        })
    });
    let states: BTreeSet<&str> = states.iter().map(String::as_str).collect();
    assert_eq!(states, as_set, "state rows and messages");

    let mut database = Database::open(folder.consumer_place()).unwrap();
    let effects = effects(&mut database);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    effects
        .iter()
        .for_each(|id| *times.entry(id).or_default() += 1);
    let unlike: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(unlike.is_empty(), "effects not once: {unlike:?}");
    assert!(
        times.keys().copied().eq(as_set.iter().copied()),
        "effects and messages"
    );
    let inbox = Folder::inbox();
    let status = again(|| database.transact(|tx| inbox.status(tx)));
    assert_eq!((status.waiting, status.dead), (0, 0));

    let relayed = journal::read(&folder.file("broker"));
    let at_broker: BTreeSet<&str> = relayed.iter().map(String::as_str).collect();
    assert_eq!(at_broker, as_set, "what the broker has and messages");
    let unacked = messages
        .iter()
        .find(|id| !is_acked(store, id.parse().unwrap()));
    assert_eq!(unacked, None, "relayed, and not noted");

    let given = journal::read(&folder.file("given"));
    let given: usize = given
        .iter()
        .map(|line| line.parse::<usize>().unwrap())
        .sum();
    let again = of("again");
    Found {
        committed: as_set.len(),
        delivered: effects.len(),
        duplicates: given.saturating_sub(effects.len()),
        relayed: relayed.len(),
        refused: refused.len(),
        unanswered: again.len(),
        already: again
            .iter()
            .filter(|line| line.ends_with("already"))
            .count(),
    }
}
