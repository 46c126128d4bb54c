//! What the store knows of relays and their deliveries, for people; the relay itself need not run.

use super::limits::BATCH_MAX;
use super::table::{self, ACKED, ATTEMPTED, DELIVERY, REFUSED};
use crate::kv::KV_AGAIN;
use crate::limits::PAGE_MESSAGES_MAX;
use crate::value::{SqlError, Value};
use crate::{Cursor, Message, PageError, PageQuery, Start, Store, Time, page, schema};

/// Keys that a relay keeps beside one message.
const KEYS: usize = 5;

/// What the store knows of one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRecord {
    /// The name of the transport.
    pub name: String,
    /// When its place was last stored.
    pub stored: Time,
    /// Messages behind its place, as far as numbers tell: some of them may be unwanted.
    pub behind: u64,
    /// The first message behind its place that is neither acknowledged nor given up.
    pub next: Option<Message>,
    /// Whether messages behind its place were purged, or the store was restored.
    pub has_gap: bool,
}

/// What became of one message at one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The message.
    pub message: Message,
    /// How often it was sent, and when last.
    pub attempted: Option<String>,
    /// When it was last acknowledged, and what the receiver called it.
    pub acked: Option<String>,
    /// How often the receiver refused it, when last, and its words.
    pub refused: Option<String>,
    /// Status, attempts and error of the last delivery, as JSON; webhooks only.
    pub delivery: Option<String>,
    /// Whether somebody asked to send it again.
    pub is_asked_again: bool,
}

impl Store {
    /// What is known of each relay that ever stored a place. Needs [`super::COMPONENT`].
    ///
    /// # Errors
    /// What the database says.
    pub fn relay_records(&self) -> Result<Vec<RelayRecord>, SqlError> {
        let (places, newest) = self.read(|reading| {
            let state = *reading.state();
            let places = table::places_stored(reading)?;
            let newest = page::head(reading.link(), &state)?;
            Ok::<_, SqlError>((places, newest))
        })?;
        let record = |(name, place, stored): (String, Option<Cursor>, Time)| {
            let start = place.map_or(Start::Oldest, Start::Cursor);
            let query = PageQuery {
                limit: BATCH_MAX,
                ..PageQuery::new(start)
            };
            let (page, has_gap) = match self.page(&query) {
                Ok(page) => (page.messages, false),
                Err(PageError::Gone { .. }) => (Vec::new(), true),
                Err(PageError::Sql(error)) => return Err(error),
            };
            let next = self.first_waiting(&name, &page)?;
            // A place behind everything has no number of its own on PostgreSQL.
            let at = place.map_or(0, |place| place.at.sequence);
            let behind = match (&next, has_gap) {
                (None, false) => 0,
                _ => newest.sequence.saturating_sub(at),
            };
            Ok(RelayRecord {
                name,
                stored,
                behind: u64::try_from(behind).unwrap_or(0),
                next,
                has_gap,
            })
        };
        places.into_iter().map(record).collect()
    }

    /// The first message of a page that a relay has not settled.
    fn first_waiting(&self, name: &str, page: &[Message]) -> Result<Option<Message>, SqlError> {
        let ids: Vec<_> = page.iter().map(|message| message.id).collect();
        let marks = self.read(|reading| table::marks(reading, name, &ids))?;
        let waits = |message: &&Message| {
            let marks = marks.get(&message.id).copied().unwrap_or_default();
            !marks.is_settled()
        };
        Ok(page.iter().find(waits).cloned())
    }

    /// What became of messages at one relay, the newest first; at most `limit` of them, and only
    /// those without an acknowledgement if `is_open`.
    ///
    /// # Errors
    /// What the database says.
    pub fn deliveries(
        &self,
        transport: &str,
        is_open: bool,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, SqlError> {
        let limit = limit.clamp(1, PAGE_MESSAGES_MAX);
        self.read(|reading| {
            let mut records: Vec<DeliveryRecord> = Vec::new();
            let mut days = schema::days(reading.link())?;
            days.reverse();
            for day in days {
                let rows_max = i64::try_from((limit - records.len()) * KEYS).unwrap_or(i64::MAX);
                let open = match is_open {
                    true => format!(
                        "AND NOT EXISTS (SELECT 1 FROM outbox_kv_{} AS a WHERE a.message = kv.message \
                         AND a.transport = kv.transport AND a.key = '{ACKED}')",
                        day.0
                    ),
                    false => String::new(),
                };
                let sql = format!(
                    "SELECT m.id, m.time, k.name, m.resource, kv.key, kv.value \
                     FROM outbox_kv_{day} AS kv \
                     JOIN outbox_message_{day} AS m ON m.id = kv.message \
                     JOIN outbox_kind AS k ON k.number = m.kind \
                     WHERE kv.transport = ?1 {open} ORDER BY kv.message DESC, kv.key LIMIT ?2",
                    day = day.0
                );
                for row in reading.query(&sql, &[transport.into(), Value::Integer(rows_max)])? {
                    let message = schema::message(&row)?;
                    if records.last().is_none_or(|last| last.message.id != message.id) {
                        if records.len() == limit {
                            break;
                        }
                        records.push(DeliveryRecord::new(message));
                    }
                    if let Some(last) = records.last_mut() {
                        last.note(row.text(4)?, row.text(5)?);
                    }
                }
                if records.len() == limit {
                    break;
                }
            }
            Ok(records)
        })
    }
}

impl DeliveryRecord {
    const fn new(message: Message) -> Self {
        Self {
            message,
            attempted: None,
            acked: None,
            refused: None,
            delivery: None,
            is_asked_again: false,
        }
    }

    fn note(&mut self, key: &str, value: &str) {
        let place = match key {
            ATTEMPTED => &mut self.attempted,
            ACKED => &mut self.acked,
            REFUSED => &mut self.refused,
            DELIVERY => &mut self.delivery,
            KV_AGAIN => {
                self.is_asked_again = true;
                return;
            }
            _ => return,
        };
        *place = Some(value.to_owned());
    }
}
