//! The relay: reads by cursor and gives to a "broker", a file that only grows. Beside each message it
//! keeps that it was attempted and acknowledged, so that one that dies goes on where nobody knows.

use std::time::{Duration, Instant};

use outbox::{
    KvError, Message, MessageId, Page, PageError, PageQuery, SqlError, Start, Store, TransactError,
};

use crate::folder::{Folder, again};
use crate::journal::{self, Journal};

/// Its name beside the messages.
pub(crate) const TRANSPORT: &str = "rig";
pub(crate) const ACKED: &str = "acked";
const ATTEMPTED: &str = "attempted";

pub(crate) fn run(folder: &Folder) {
    let path = folder.file("relay-places");
    let after = journal::read(&path).pop();
    let mut after = after.map_or(Start::Oldest, |text| Start::Cursor(text.parse().unwrap()));
    let mut places = Journal::open(&path);
    let mut broker = Journal::open(&folder.file("broker"));
    let store = folder.open_store();
    while !folder.is_told_to_stop("relay") {
        let page = again(|| look(&store, &after));
        let open: Vec<&Message> = page
            .messages
            .iter()
            .filter(|message| !is_acked(&store, message.id))
            .collect();
        if !open.is_empty() {
            note(&store, &open, ATTEMPTED);
            for message in &open {
                broker.line(&message.id.to_string());
            }
            note(&store, &open, ACKED);
        }
        places.line(&page.next.to_string());
        let deadline = Instant::now() + Duration::from_millis(100);
        if !page.more {
            store.follow().wait(&page.next, deadline);
        }
        after = Start::Cursor(page.next);
    }
    store.close();
}

fn look(store: &Store, after: &Start) -> Result<Page, PageError> {
    store.page(&PageQuery {
        limit: 40,
        ..PageQuery::new(*after)
    })
}

fn note(store: &Store, messages: &[&Message], key: &'static str) {
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    again(|| -> Result<(), TransactError<KvError>> {
        let ids = ids.clone();
        store.transact(move |tx| {
            ids.iter()
                .try_for_each(|id| tx.put_kv(*id, TRANSPORT, key, "1"))
        })
    });
}

/// Whether the broker has said that it has the message.
pub(crate) fn is_acked(store: &Store, id: MessageId) -> bool {
    let pairs: Vec<(String, String)> = again(|| -> Result<_, SqlError> { store.kv(id, TRANSPORT) });
    pairs.iter().any(|(key, _)| key == ACKED)
}
