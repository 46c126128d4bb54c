//! What consumers read after a message: the state of zones, visits, access points and clients.
//!
//! All of it comes out of one [`Reading`], so that a list and the cursor of the same reading belong
//! together. `version` grows with each change of a resource and never falls while its row lives;
//! what ended answers with a reason for [`tombstone_age`](super::limits::tombstone_age) longer.

use outbox::{Reading, Row, SqlError, Value};
use serde::Serialize;

use super::core::{Stored, StoredVisit};
use crate::body::time::rfc3339;

/// Most rows of one page of a list.
pub const PAGE_LEN_MAX: usize = 10_000;

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZoneState {
    /// Id of the site.
    pub site: String,
    /// Id of the zone.
    pub zone: String,
    /// Clients inside.
    pub occupancy: i64,
    /// How many of the numbers that the zone tells of are reached.
    pub level: i64,
    /// Since when.
    pub level_since: String,
    /// Those numbers.
    pub thresholds: Vec<u32>,
    /// When somebody last entered or left.
    pub changed: String,
    /// `removed` when the site file has it no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Grows with each change.
    pub version: i64,
}

/// A client in a zone, or no longer in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VisitState {
    /// Id of the site.
    pub site: String,
    /// Id of the zone.
    pub zone: String,
    /// Sixteen digits, or the name of a named client.
    pub client: String,
    /// Whether it is inside.
    pub inside: bool,
    /// Since when it is or is not.
    pub since: String,
    /// When its stay became as long as the zone wants to hear of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwelt: Option<String>,
    /// Why it is no longer inside: `elsewhere`, `silent`, `rotated`, `opted_out`, `erased`,
    /// `removed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Grows with each change.
    pub version: i64,
}

/// An access point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApState {
    /// Id of the site.
    pub site: String,
    /// Id of the access point.
    pub ap: String,
    /// `online` or `offline`.
    pub state: &'static str,
    /// Since when.
    pub since: String,
    /// `removed` when the site file has it no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Grows with each change.
    pub version: i64,
}

/// A client, as far as messages told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientState {
    /// Id of the site.
    pub site: String,
    /// Sixteen digits, or the name of a named client.
    pub client: String,
    /// `here` while its pseudonym lives; else why it ended: `rotated`, `opted_out`, `erased`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Grows with each change.
    pub version: i64,
}

/// A consumer with a token, or whose token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsumerState {
    /// Its name.
    pub consumer: String,
    /// `valid` or `revoked`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Grows with each change.
    pub version: i64,
}

const ZONE: &str = "SELECT site, zone, occupancy, level, level_since_us, thresholds, changed_us, \
                    removed, version FROM presence_zone WHERE site = ?1";

const VISIT: &str = "SELECT site, zone, client, inside, since_us, dwelt_us, reason, version \
                     FROM presence_visit WHERE site = ?1 AND zone = ?2";

const AP: &str = "SELECT site, ap, online, since_us, reason, version FROM presence_ap \
                  WHERE site = ?1";

/// The zones of a site, in order of their ids.
///
/// # Errors
/// What the database says; the same below.
pub fn zones(reading: &mut Reading<'_>, site: &str) -> Result<Vec<ZoneState>, SqlError> {
    let sql = format!("{ZONE} AND removed = 0 ORDER BY zone");
    let rows = reading.query(&sql, &[site.into()])?;
    rows.iter().map(zone_state).collect()
}

/// A zone; `None` for one that no site file ever had.
///
/// # Errors
/// As [`zones`].
pub fn zone(
    reading: &mut Reading<'_>,
    site: &str,
    zone: &str,
) -> Result<Option<ZoneState>, SqlError> {
    let sql = format!("{ZONE} AND zone = ?2");
    let rows = reading.query(&sql, &[site.into(), zone.into()])?;
    rows.first().map(zone_state).transpose()
}

/// Who is inside a zone, in order of client, from the first above `after` on; at most `limit`.
///
/// # Errors
/// As [`zones`].
pub fn clients_inside(
    reading: &mut Reading<'_>,
    site: &str,
    zone: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<VisitState>, SqlError> {
    let sql = format!("{VISIT} AND inside = 1 AND client > ?3 ORDER BY client LIMIT ?4");
    let limit = i64::try_from(limit.min(PAGE_LEN_MAX)).unwrap_or(i64::MAX);
    let values: [Value; 4] = [
        site.into(),
        zone.into(),
        after.unwrap_or_default().into(),
        limit.into(),
    ];
    let rows = reading.query(&sql, &values)?;
    rows.iter().map(visit_state).collect()
}

/// A client in a zone; `None` for one that never was inside, or left too long ago.
///
/// # Errors
/// As [`zones`].
pub fn visit(
    reading: &mut Reading<'_>,
    site: &str,
    zone: &str,
    client: &str,
) -> Result<Option<VisitState>, SqlError> {
    let sql = format!("{VISIT} AND client = ?3");
    let rows = reading.query(&sql, &[site.into(), zone.into(), client.into()])?;
    rows.first().map(visit_state).transpose()
}

/// The access points of a site that were ever online, in order of their ids.
///
/// # Errors
/// As [`zones`].
pub fn aps(reading: &mut Reading<'_>, site: &str) -> Result<Vec<ApState>, SqlError> {
    let rows = reading.query(&format!("{AP} ORDER BY ap"), &[site.into()])?;
    rows.iter().map(ap_state).collect()
}

/// An access point; `None` for one that never was online.
///
/// # Errors
/// As [`zones`].
pub fn ap(reading: &mut Reading<'_>, site: &str, ap: &str) -> Result<Option<ApState>, SqlError> {
    let rows = reading.query(&format!("{AP} AND ap = ?2"), &[site.into(), ap.into()])?;
    rows.first().map(ap_state).transpose()
}

/// A client; `None` for one of whom no message ever told, or that ended too long ago.
///
/// # Errors
/// As [`zones`].
pub fn client(
    reading: &mut Reading<'_>,
    site: &str,
    client: &str,
) -> Result<Option<ClientState>, SqlError> {
    let rows = reading.query(
        "SELECT site, client, state, since_us, version FROM presence_client \
         WHERE site = ?1 AND client = ?2",
        &[site.into(), client.into()],
    )?;
    let state = |row: &Row| {
        Ok(ClientState {
            site: row.text(0)?.to_owned(),
            client: row.text(1)?.to_owned(),
            state: row.text(2)?.to_owned(),
            since: time(row, 3)?,
            version: row.integer(4)?,
        })
    };
    rows.first().map(state).transpose()
}

/// A consumer; `None` for one that never had a token, or whose token was revoked too long ago.
///
/// # Errors
/// As [`zones`].
pub fn consumer(
    reading: &mut Reading<'_>,
    consumer: &str,
) -> Result<Option<ConsumerState>, SqlError> {
    let rows = reading.query(
        "SELECT consumer, state, since_us, version FROM presence_consumer WHERE consumer = ?1",
        &[consumer.into()],
    )?;
    let state = |row: &Row| {
        Ok(ConsumerState {
            consumer: row.text(0)?.to_owned(),
            state: row.text(1)?.to_owned(),
            since: time(row, 2)?,
            version: row.integer(3)?,
        })
    };
    rows.first().map(state).transpose()
}

/// What of a site's plan and calibration messages told: grows with each change; 0 for a site that
/// was never served.
///
/// # Errors
/// As [`zones`].
pub fn site_version(reading: &mut Reading<'_>, site: &str) -> Result<i64, SqlError> {
    let sql = "SELECT version FROM presence_site WHERE site = ?1";
    let rows = reading.query(sql, &[site.into()])?;
    rows.first().map_or(Ok(0), |row| row.integer(0))
}

/// What a node that starts must know of a site.
pub(super) fn stored(reading: &mut Reading<'_>, site: &str) -> Result<Stored, SqlError> {
    let visits = reading.query(
        "SELECT zone, client_id, client, since_us, dwelt_us FROM presence_visit \
         WHERE site = ?1 AND inside = 1",
        &[site.into()],
    )?;
    let visit = |row: &Row| {
        Ok::<_, SqlError>(StoredVisit {
            zone: row.text(0)?.to_owned(),
            client: row.integer(1)?.cast_unsigned(),
            text: row.text(2)?.to_owned(),
            since_us: row.integer(3)?.max(0).cast_unsigned(),
            dwelt: !row.is_null(4),
        })
    };
    let aps = reading.query(
        "SELECT ap, online FROM presence_ap WHERE site = ?1",
        &[site.into()],
    )?;
    let ap = |row: &Row| Ok::<_, SqlError>((row.text(0)?.to_owned(), row.integer(1)? != 0));
    Ok(Stored {
        visits: visits.iter().map(visit).collect::<Result<_, _>>()?,
        aps: aps.iter().map(ap).collect::<Result<_, _>>()?,
    })
}

fn zone_state(row: &Row) -> Result<ZoneState, SqlError> {
    Ok(ZoneState {
        site: row.text(0)?.to_owned(),
        zone: row.text(1)?.to_owned(),
        occupancy: row.integer(2)?,
        level: row.integer(3)?,
        level_since: time(row, 4)?,
        thresholds: super::tables::thresholds(row.text(5)?).to_vec(),
        changed: time(row, 6)?,
        reason: (row.integer(7)? != 0).then(|| "removed".to_owned()),
        version: row.integer(8)?,
    })
}

fn visit_state(row: &Row) -> Result<VisitState, SqlError> {
    Ok(VisitState {
        site: row.text(0)?.to_owned(),
        zone: row.text(1)?.to_owned(),
        client: row.text(2)?.to_owned(),
        inside: row.integer(3)? != 0,
        since: time(row, 4)?,
        dwelt: (!row.is_null(5)).then(|| time(row, 5)).transpose()?,
        reason: text(row, 6)?,
        version: row.integer(7)?,
    })
}

fn ap_state(row: &Row) -> Result<ApState, SqlError> {
    let online = row.integer(2)? != 0;
    Ok(ApState {
        site: row.text(0)?.to_owned(),
        ap: row.text(1)?.to_owned(),
        state: if online { "online" } else { "offline" },
        since: time(row, 3)?,
        reason: text(row, 4)?,
        version: row.integer(5)?,
    })
}

fn time(row: &Row, column: usize) -> Result<String, SqlError> {
    Ok(rfc3339(row.integer(column)?.max(0).cast_unsigned()))
}

fn text(row: &Row, column: usize) -> Result<Option<String>, SqlError> {
    if row.is_null(column) {
        return Ok(None);
    }
    Ok(Some(row.text(column)?.to_owned()))
}
