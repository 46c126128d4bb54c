//! The writer: changes state and publishes, and journals what it wants before and what it knows after.
//!
//! Lines of the journal: `will MESSAGE` before a transaction that is to be committed, `wont MESSAGE`
//! before one that refuses at its end, `done ID` and `refused ID` once that is known, `unknown ID` for a
//! commit without an answer, `again ID new|already` for one that was done again with the same id.

use std::collections::BTreeMap;
use std::time::Duration;

use outbox::{
    Message, Publish as _, PublishError, Published, Store, Ticket, TransactError, Tx, Value,
};

use crate::folder::Folder;
use crate::journal::{self, Journal};
use crate::random::Random;

/// Most changes given at once.
const AT_ONCE_MAX: u64 = 8;

/// A message whose fate is not known.
struct Open {
    message: Message,
    /// Whether its transaction is to refuse at its end.
    refuses: bool,
    /// Whether a commit of it may have been asked for, and never answered.
    unanswered: bool,
}

#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("as planned")]
    Planned,
    #[error(transparent)]
    Publish(#[from] PublishError),
}

pub(crate) fn run(folder: &Folder) {
    let path = folder.file("journal");
    let mut open = unresolved(&journal::read(&path));
    let mut journal = Journal::open(&path);
    let store = folder.open_store();
    let mut random = Random(u64::from(std::process::id()));
    while !(folder.is_told_to_stop("writer") && open.is_empty()) {
        // While the database is down, nothing more is wanted than what waits.
        if open.is_empty() && !folder.is_told_to_stop("writer") {
            for _ in 0..=random.below(AT_ONCE_MAX) {
                open.push(new(&mut journal, &mut random));
            }
        }
        open = give(&store, &mut journal, open);
        std::thread::sleep(Duration::from_millis(random.below(25)));
    }
    store.close();
}

fn new(journal: &mut Journal, random: &mut Random) -> Open {
    let resource = format!("/things/{}", random.below(500));
    let kind = ["thing.made", "thing.moved", "thing.gone"][random.below(3) as usize];
    let message = Message::new(kind.parse().unwrap(), resource.parse().unwrap());
    let refuses = random.below(11) == 0;
    let word = if refuses { "wont" } else { "will" };
    journal.line(&format!(
        "{word} {}",
        serde_json::to_string(&message).unwrap()
    ));
    Open {
        message,
        refuses,
        unanswered: false,
    }
}

/// Gives all of them, journals what became of each, and gives back those that nobody knows of.
fn give(store: &Store, journal: &mut Journal, open: Vec<Open>) -> Vec<Open> {
    let given: Vec<(Open, Ticket<Published, JobError>)> = open
        .into_iter()
        .map(|one| {
            let (message, refuses) = (one.message.clone(), one.refuses);
            let ticket = store.transact_later(move |tx| change(tx, &message, refuses));
            (one, ticket)
        })
        .collect();
    let mut left = Vec::new();
    for (mut one, ticket) in given {
        let id = one.message.id;
        match ticket.wait() {
            Ok(published) => {
                if one.unanswered {
                    let how = match published {
                        Published::New => "new",
                        Published::Already => "already",
                    };
                    journal.line(&format!("again {id} {how}"));
                }
                journal.line(&format!("done {id}"));
                continue;
            }
            Err(TransactError::Refused(JobError::Planned)) => {
                journal.line(&format!("refused {id}"));
                continue;
            }
            Err(TransactError::Unknown(_)) => {
                journal.line(&format!("unknown {id}"));
                one.unanswered = true;
            }
            Err(error) => eprintln!("not committed: {error}"),
        }
        left.push(one);
    }
    left
}

/// State and message in one transaction.
fn change(tx: &mut Tx<'_>, message: &Message, refuses: bool) -> Result<Published, JobError> {
    let published = tx.publish(message)?;
    // Where the message is there already, so is the state: they were one transaction.
    if published == Published::New {
        let values = [
            Value::Text(message.id.to_string()),
            Value::from(message.resource.as_str()),
        ];
        tx.execute("INSERT INTO state (id, resource) VALUES (?1, ?2)", &values)
            .map_err(PublishError::from)?;
    }
    if refuses {
        return Err(JobError::Planned);
    }
    Ok(published)
}

/// What was wanted and has no end in the journal, in the order of the wishes.
fn unresolved(lines: &[String]) -> Vec<Open> {
    let mut open = BTreeMap::new();
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap();
        match word {
            "will" | "wont" => {
                let message: Message = serde_json::from_str(rest).unwrap();
                let one = Open {
                    refuses: word == "wont",
                    // Perhaps it was killed before it gave it: nobody knows.
                    unanswered: true,
                    message,
                };
                open.insert(one.message.id.to_string(), one);
            }
            "done" | "refused" => {
                open.remove(rest);
            }
            _ => {}
        }
    }
    open.into_values().collect()
}
