//! Several consumers of one inbox: each message has its effect once.

use std::sync::{Arc, Barrier};
use std::thread;

use outbox::inbox::{Attempt, BoxError};
use outbox::{Message, TransactError, Tx};

use crate::rig::{NOW, Rig, attempt, effect, effects, inbox, message, receive};

const CONSUMERS: usize = 4;
const MESSAGES: u64 = 300;

pub(crate) fn competing_consumers_and_receivers_handle_each_message_once(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    let all: Vec<_> = (0..MESSAGES)
        .map(|number| message(number, "a", "/a"))
        .collect();
    let start = Arc::new(Barrier::new(CONSUMERS));
    let threads: Vec<_> = (0..CONSUMERS)
        .map(|consumer| {
            let (inbox, start) = (inbox.clone(), Arc::clone(&start));
            let (mut database, all) = (rig.database(), all.clone());
            thread::spawn(move || {
                start.wait();
                // Each receives everything, in an order of its own, and then handles.
                let turned = [&all[consumer * 50..], &all[..consumer * 50]].concat();
                let mut stored = 0;
                for page in turned.chunks(30) {
                    stored += receive(&mut database, &inbox, page);
                }
                let mut done = 0;
                loop {
                    match attempt(&mut database, &inbox, NOW, &mut effect) {
                        Attempt::Done(_) => done += 1,
                        Attempt::Nothing(_) => return (stored, done),
                        Attempt::Failed(_, _, error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let ran: Vec<(usize, usize)> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let stored: usize = ran.iter().map(|(stored, _)| stored).sum();
    assert_eq!(
        stored as u64, MESSAGES,
        "each stored by one of them: {ran:?}"
    );
    // Whoever found nothing may have looked while another held the last one.
    let ids: Vec<String> = all.iter().map(|message| message.id.to_string()).collect();
    assert_eq!(effects(&mut database), ids);
}

pub(crate) fn a_consumer_that_fails_its_transaction_leaves_the_message_to_others(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    receive(&mut database, &inbox, &[message(1, "a", "/a")]);
    let refused = database.transact(|tx| {
        let delivery = inbox.dequeue(tx, NOW).unwrap().unwrap();
        effect(tx, &delivery.message).unwrap();
        Err::<(), &str>("changed its mind")
    });
    assert!(matches!(refused, Err(TransactError::Refused(_))));
    let mut other = rig.database();
    let handler: &mut dyn FnMut(&mut Tx<'_>, &Message) -> Result<(), BoxError> = &mut effect;
    assert!(matches!(
        attempt(&mut other, &inbox, NOW, handler),
        Attempt::Done(_)
    ));
    assert_eq!(effects(&mut database).len(), 1);
}
