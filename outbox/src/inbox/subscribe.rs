//! A loop that hands each message to a handler inside the transaction that marks it as handled.

use std::time::Duration;

use super::dequeue::{Attempt, BoxError};
use super::{Bell, Database, Inbox};
use crate::store::TransactError;
use crate::{KindPattern, Message, SqlError, Time, Tx};

/// Longest wait for the bell: another process may have stored something without ringing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pause after the database refused, at first and at most.
const TROUBLE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// When a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When its bell is stopped.
    Stopped,
    /// When nothing is due, or its bell is stopped.
    Idle,
}

/// What a subscription did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handled {
    /// Messages that were handled, each with its effect.
    pub done: u64,
    /// Tries that failed and left no effect.
    pub failed: u64,
    /// Messages that went to the dead letters.
    pub dead: u64,
}

/// Hands messages of these types (none means all) to a handler until told to end.
///
/// Whatever the handler does with its [`Tx`] is committed together with the message's mark, or not
/// at all. What it does elsewhere may happen twice, if the process dies before the commit. A
/// handler that fails or panics is tried again later, ever more seldom, and at last the message
/// goes to the dead letters; other messages go on meanwhile. On SQLite the handler holds the write
/// lock: what takes long is better done before, or with [`Inbox::lend`].
///
/// A database that refuses is tried again, ever more seldom; `trouble` hears of it and of each
/// failure, and may stop the bell.
pub fn subscribe(
    database: &mut Database,
    inbox: &Inbox,
    kinds: &[KindPattern],
    until: Until,
    bell: &Bell,
    handler: &mut dyn FnMut(&mut Tx<'_>, &Message) -> Result<(), BoxError>,
    trouble: &mut dyn FnMut(&str),
) -> Handled {
    let mut handled = Handled::default();
    let mut pause = TROUBLE[0];
    while !bell.is_stopped() {
        let rings = bell.rings();
        let result = database
            .transact(|tx| inbox.attempt(tx, kinds, Time::now(), handler))
            .map_err(|error: TransactError<SqlError>| error.to_string());
        match result {
            Ok(Attempt::Done(_)) => handled.done += 1,
            Ok(Attempt::Failed(message, failed, error)) => {
                handled.failed += 1;
                handled.dead += u64::from(matches!(failed, super::Failed::Dead(_)));
                trouble(&format!(
                    "message {} ({}): {error}",
                    message.id, message.kind
                ));
            }
            Ok(Attempt::Nothing(_)) if until == Until::Idle => return handled,
            Ok(Attempt::Nothing(due)) => {
                let wait = due.map_or(LOOK_EVERY, |due| due.since(Time::now()));
                bell.wait(rings, wait.clamp(Duration::from_millis(1), LOOK_EVERY));
            }
            Err(error) => {
                trouble(&error);
                bell.pause(pause);
                pause = (pause * 2).min(TROUBLE[1]);
                continue;
            }
        }
        pause = TROUBLE[0];
    }
    handled
}
