//! One message after the other through a command.

use std::time::Duration;

use anyhow::Context as _;
use outbox::inbox::{Bell, Database, Delivery, Failed, Inbox, Until};
use outbox::{SqlError, Time};
use tracing::{info, warn};

use super::exec::{self, Ended};

/// Longest wait for the bell: another process may have stored something, and tries come due.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a lease has beyond the command's time, for the mark.
const MARK_MAX: Duration = Duration::from_secs(60);

/// How often a mark is tried, a second apart, before giving up.
const MARK_TRIES: u32 = 30;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) dead: u64,
}

/// Runs a command for messages.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    pub(super) inbox: &'a Inbox,
    pub(super) command: &'a str,
    pub(super) timeout: Duration,
    pub(super) bell: &'a Bell,
}

impl Runner<'_> {
    /// Handles what is due until the bell is stopped, or nothing is due.
    pub(super) fn run(&self, database: &mut Database, until: Until) -> anyhow::Result<Ran> {
        let mut ran = Ran::default();
        while !self.bell.is_stopped() {
            let rings = self.bell.rings();
            let lease = self.timeout + MARK_MAX;
            let lent = database.transact(|tx| self.inbox.lend(tx, &[], lease, Time::now()));
            match lent {
                Ok(Some(delivery)) => self.handle(database, &delivery, &mut ran)?,
                Ok(None) if until == Until::Idle => break,
                Ok(None) => self.bell.wait(rings, LOOK_EVERY),
                Err(error) if until == Until::Idle => return Err(error).context("inbox"),
                Err(error) => {
                    warn!("inbox: {error}");
                    self.bell.pause(Duration::from_secs(1));
                }
            }
        }
        Ok(ran)
    }

    fn handle(
        &self,
        database: &mut Database,
        delivery: &Delivery,
        ran: &mut Ran,
    ) -> anyhow::Result<()> {
        let message = &delivery.message;
        let fields = [
            ("TRILOBITE_MESSAGE_ID", message.id.to_string()),
            ("TRILOBITE_MESSAGE_TIME", message.time.to_string()),
            ("TRILOBITE_MESSAGE_TYPE", message.kind.to_string()),
            ("TRILOBITE_MESSAGE_RESOURCE", message.resource.to_string()),
        ];
        let arguments: Vec<String> = fields.iter().map(|(_, value)| value.clone()).collect();
        let input = serde_json::to_string(message).context("message as JSON")? + "\n";
        let error = match exec::run(self.command, &arguments, &fields, &input, self.timeout) {
            Ended::Well => {
                self.mark(database, |inbox, tx| inbox.done(tx, delivery))?;
                ran.done += 1;
                return Ok(());
            }
            // Whoever stopped us has stopped the command too: that was no failure of its own.
            Ended::Killed(_) if self.bell.is_stopped() => {
                return self.mark(database, |inbox, tx| {
                    inbox.give_back(tx, delivery, Time::now())
                });
            }
            Ended::Badly(error) | Ended::Killed(error) => error,
        };
        ran.failed += 1;
        let failed = self.mark(database, |inbox, tx| {
            inbox.undone(tx, delivery, &error, Time::now())
        })?;
        match failed {
            Some(Failed::Dead(group)) => {
                ran.dead += 1;
                warn!("message {} is dead (failure {group}): {error}", message.id);
            }
            Some(Failed::Again(at)) => info!("message {} again from {at}: {error}", message.id),
            None => warn!("message {} took longer than its lease: {error}", message.id),
        }
        Ok(())
    }

    /// Stores what became of a message; tried again for a while, since losing it runs the command
    /// again.
    fn mark<T>(
        &self,
        database: &mut Database,
        mark: impl Fn(&Inbox, &mut outbox::Tx<'_>) -> Result<T, SqlError>,
    ) -> anyhow::Result<T> {
        let mut tries = 0;
        loop {
            match database.transact(|tx| mark(self.inbox, tx)) {
                Ok(value) => return Ok(value),
                Err(error) if tries < MARK_TRIES => {
                    warn!("inbox: {error}");
                    tries += 1;
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(error) => {
                    return Err(error).context(
                        "inbox: the end of a command could not be stored; it will run again",
                    );
                }
            }
        }
    }
}
