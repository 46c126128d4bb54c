//! What was learned survives a restart: a row for each thing that is counted, in the store.

use super::rhythm::{HOURS, Hour, Rhythm};
use super::series::{Raised, Series};
use super::{Alerts, CONSUMERS_WATCHED_MAX, Source};
use crate::migrate::{Component, Migration};
use crate::value::{SqlError, Value};
use crate::{Reading, Time, Tx};

/// The table that [`save`] and [`load`] need: open the store with it.
pub const COMPONENT: Component = Component {
    name: "alerts",
    migrations: &[Migration {
        version: 1,
        sqlite: "CREATE TABLE alerts_series (name TEXT PRIMARY KEY, state BLOB NOT NULL)",
        postgres: "CREATE TABLE alerts_series (name text PRIMARY KEY, state bytea NOT NULL)",
    }],
};

/// First byte of every row; rows of another are forgotten.
const VERSION: u8 = 1;

const HOUR_BYTES: usize = 14;
const RAISED_BYTES: usize = 1 + 8 + 8 + 4 + 4;
const ROW_BYTES: usize = 1 + 2 + 2 * RAISED_BYTES + HOURS * HOUR_BYTES;

/// Rows to be kept, each with its name; nothing where a row is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept(pub(super) Vec<(String, Option<Vec<u8>>)>);

impl Kept {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes what [`Alerts::take_changes`] gave.
///
/// # Errors
/// What the database says.
pub fn save(tx: &mut Tx<'_>, kept: &Kept) -> Result<(), SqlError> {
    for (name, state) in &kept.0 {
        let name = Value::from(name.as_str());
        tx.execute(
            "DELETE FROM alerts_series WHERE name = ?1",
            std::slice::from_ref(&name),
        )?;
        if let Some(state) = state {
            let values = [name, Value::Blob(state.clone())];
            tx.execute("INSERT INTO alerts_series VALUES (?1, ?2)", &values)?;
        }
    }
    Ok(())
}

/// Reads what was kept, for [`Alerts::restore`].
///
/// # Errors
/// What the database says.
pub fn load(reading: &mut Reading<'_>) -> Result<Kept, SqlError> {
    let most = i64::try_from(CONSUMERS_WATCHED_MAX + 2).unwrap_or(i64::MAX);
    let sql = "SELECT name, state FROM alerts_series ORDER BY name LIMIT ?1";
    let rows = reading.query(sql, &[most.into()])?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.text(0)?.to_owned(), Some(row.blob(1)?.to_owned()))));
    rows.collect::<Result<_, SqlError>>().map(Kept)
}

impl Alerts {
    /// Takes up what was kept. A row that cannot be read is as good as none: it is learned again.
    pub fn restore(&mut self, kept: &Kept) {
        for (name, state) in &kept.0 {
            let series = state.as_deref().and_then(from_bytes);
            if let (Some(source), Some(series)) = (Source::of(name), series) {
                self.series.insert(source, series);
            }
        }
    }

    /// What is to be kept since the last time: once an hour, and when an alert begins or ends. Give it
    /// to [`Alerts::keep_again`] if it could not be kept.
    pub fn take_changes(&mut self) -> Kept {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let rows = changed.map(|source| {
            let state = self.series.get(&source).map(to_bytes);
            (source.name(), state)
        });
        Kept(rows.collect())
    }

    /// They were not kept: they are among the next ones.
    pub fn keep_again(&mut self, kept: &Kept) {
        let sources = kept.0.iter().filter_map(|(name, _)| Source::of(name));
        self.changed.extend(sources);
    }
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Messages => "messages".to_owned(),
            Self::Polls => "polls".to_owned(),
            Self::Consumer(name) => format!("polls/{name}"),
        }
    }

    fn of(name: &str) -> Option<Self> {
        match name {
            "messages" => Some(Self::Messages),
            "polls" => Some(Self::Polls),
            _ => (name.strip_prefix("polls/")).map(|name| Self::Consumer(name.to_owned())),
        }
    }
}

fn to_bytes(series: &Series) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROW_BYTES);
    bytes.push(VERSION);
    bytes.extend(series.quiet_hours.to_le_bytes());
    for raised in [series.increase, series.silence] {
        bytes.push(u8::from(raised.is_some()));
        let raised = raised.unwrap_or(Raised {
            since: Time::from_micros(0),
            count: 0,
            usual: 0.0,
            limit: 0.0,
        });
        bytes.extend(raised.since.as_micros().to_le_bytes());
        bytes.extend(raised.count.to_le_bytes());
        bytes.extend(raised.usual.to_le_bytes());
        bytes.extend(raised.limit.to_le_bytes());
    }
    for hour in series.rhythm.0.iter() {
        for number in [hour.mean, hour.spread, hour.share] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(hour.weeks.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<Series> {
    let mut bytes = Bytes(bytes);
    if bytes.0.len() != ROW_BYTES || bytes.take()? != [VERSION] {
        return None;
    }
    let mut series = Series {
        quiet_hours: u16::from_le_bytes(bytes.take()?),
        ..Series::default()
    };
    for alert in [&mut series.increase, &mut series.silence] {
        let is_on = bytes.take()? != [0];
        let raised = Raised {
            since: Time::from_micros(i64::from_le_bytes(bytes.take()?)),
            count: u64::from_le_bytes(bytes.take()?),
            usual: bytes.number()?,
            limit: bytes.number()?,
        };
        *alert = is_on.then_some(raised);
    }
    let mut rhythm = Rhythm::default();
    for hour in rhythm.0.iter_mut() {
        *hour = Hour {
            mean: bytes.number()?,
            spread: bytes.number()?,
            share: bytes.number()?,
            weeks: u16::from_le_bytes(bytes.take()?),
        };
    }
    series.rhythm = rhythm;
    Some(series)
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    /// A count or a share.
    fn number(&mut self) -> Option<f32> {
        let number = f32::from_le_bytes(self.take()?);
        (number.is_finite() && number >= 0.0).then_some(number)
    }
}
