//! Relays as readers of the ledger see them.

use outbox::relay::RelayHealth;
use serde::Serialize;

/// A relay: who sends messages on, and how it fares. Counts are since the start.
#[derive(Debug, Serialize)]
pub struct RelayBody<'a> {
    /// Its name.
    pub relay: &'a str,
    /// `nats`, `mqtt`, `amqp` or `webhook`.
    pub kind: &'a str,
    /// `well` while what it sends is acknowledged, `failing` while it is not.
    pub state: &'static str,
    /// Messages that it has still to look at.
    pub behind: u64,
    /// Time of the oldest message that waits for its acknowledgement.
    pub oldest_waiting: Option<String>,
    /// When something was last acknowledged.
    pub last_ack: Option<String>,
    /// Messages sent.
    pub attempted: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Messages passed over since their receiver refuses them.
    pub refused: u64,
    /// How often messages were purged before they were sent.
    pub gaps: u64,
    /// The last trouble.
    pub last_trouble: Option<TroubleBody<'a>>,
}

/// What went wrong, and when.
#[derive(Debug, Serialize)]
pub struct TroubleBody<'a> {
    /// When.
    pub time: String,
    /// What.
    pub what: &'a str,
}

impl<'a> From<&'a RelayHealth> for RelayBody<'a> {
    fn from(health: &'a RelayHealth) -> Self {
        let told = |time: &outbox::Time| time.to_string();
        Self {
            relay: &health.name,
            kind: health.kind,
            state: match health.is_well {
                true => "well",
                false => "failing",
            },
            behind: health.behind,
            oldest_waiting: health.oldest_waiting.as_ref().map(told),
            last_ack: health.last_ack.as_ref().map(told),
            attempted: health.attempted,
            acked: health.acked,
            failures: health.failures,
            refused: health.refused,
            gaps: health.gaps,
            last_trouble: health
                .last_trouble
                .as_ref()
                .map(|(time, what)| TroubleBody {
                    time: told(time),
                    what,
                }),
        }
    }
}
