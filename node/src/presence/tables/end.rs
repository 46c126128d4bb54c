//! Clients that end: opted out, erased, or with their pseudonym's key; and rows that nobody needs.

use outbox::Tx;

use super::visit::leave;
use super::{Progress, WriteError, column, tell};
use crate::presence::limits::{PURGED_PER_COMMIT_MAX, ROTATED_PER_COMMIT_MAX};
use crate::presence::paths;
use crate::presence::write::{Client, EndReason, KeyId, ZoneFacts};

/// Forgets a client: it leaves all zones, and what is left of it says why.
pub(super) fn end(
    tx: &mut Tx<'_>,
    site: &str,
    client: &Client,
    reason: EndReason,
    at_us: u64,
) -> Result<(), WriteError> {
    let rows = tx.query(
        "SELECT state, since_us FROM presence_client WHERE site = ?1 AND client = ?2",
        &[site.into(), (&*client.text).into()],
    )?;
    if let Some(row) = rows.first()
        && row.text(0)? == reason.as_str()
        // Agents repeat who opted out; who asks for an erasure wants one, but for the same order
        // whose answer did not come.
        && (reason == EndReason::OptedOut || row.integer(1)? == column(at_us))
    {
        return Ok(());
    }
    leave_all(tx, site, &client.text, reason.as_str(), at_us)?;
    // What earlier visits told goes as well.
    tx.execute(
        "UPDATE presence_visit SET since_us = ?3, dwelt_us = NULL, reason = ?4, \
         version = version + 1, changed_us = ?3 \
         WHERE site = ?1 AND client = ?2 AND (reason IS NULL OR reason <> ?4)",
        &[
            site.into(),
            (&*client.text).into(),
            column(at_us).into(),
            reason.as_str().into(),
        ],
    )?;
    tx.execute(
        "INSERT INTO presence_client (site, client, client_id, key_id, state, since_us, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1) ON CONFLICT (site, client) DO UPDATE SET \
         key_id = excluded.key_id, state = excluded.state, since_us = excluded.since_us, \
         version = presence_client.version + 1",
        &[
            site.into(),
            (&*client.text).into(),
            client.id.cast_signed().into(),
            client.key.0.into(),
            reason.as_str().into(),
            column(at_us).into(),
        ],
    )?;
    let kind = match reason {
        EndReason::OptedOut => "client.optout",
        EndReason::Erased => "client.erased",
    };
    tell(tx, kind, paths::client(site, &client.text)?)
}

/// Ends pseudonyms of other keys than this one, some in each transaction: each leaves its zones in
/// the transaction that says so.
pub(super) fn rotate(
    tx: &mut Tx<'_>,
    site: &str,
    key: KeyId,
    at_us: u64,
) -> Result<Progress, WriteError> {
    let limit = i64::try_from(ROTATED_PER_COMMIT_MAX).unwrap_or(i64::MAX);
    let rows = tx.query(
        "SELECT client FROM presence_client WHERE site = ?1 AND state = 'here' \
         AND key_id <> ?2 AND key_id <> ?3 ORDER BY client LIMIT ?4",
        &[
            site.into(),
            key.0.into(),
            KeyId::NAMED.0.into(),
            limit.into(),
        ],
    )?;
    for row in &rows {
        let client = row.text(0)?;
        leave_all(tx, site, client, "rotated", at_us)?;
        tx.execute(
            "UPDATE presence_client SET state = 'rotated', since_us = ?3, version = version + 1 \
             WHERE site = ?1 AND client = ?2",
            &[site.into(), client.into(), column(at_us).into()],
        )?;
        tell(tx, "client.identity", paths::client(site, client)?)?;
    }
    Ok(if rows.len() < ROTATED_PER_COMMIT_MAX {
        Progress::Done
    } else {
        Progress::More
    })
}

/// A client leaves wherever it is inside.
fn leave_all(
    tx: &mut Tx<'_>,
    site: &str,
    client: &str,
    reason: &str,
    at_us: u64,
) -> Result<(), WriteError> {
    let rows = tx.query(
        "SELECT v.zone, z.thresholds FROM presence_visit v \
         JOIN presence_zone z ON z.site = v.site AND z.zone = v.zone \
         WHERE v.site = ?1 AND v.client = ?2 AND v.inside = 1 ORDER BY v.zone",
        &[site.into(), client.into()],
    )?;
    for row in rows {
        let zone = ZoneFacts {
            id: row.text(0)?.into(),
            occupancy: thresholds(row.text(1)?),
        };
        leave(tx, site, &zone, client, at_us, reason)?;
    }
    Ok(())
}

/// The numbers of clients that a zone tells of, as its row has them.
pub(in crate::presence) fn thresholds(text: &str) -> std::sync::Arc<[u32]> {
    let numbers = text.split(' ').filter_map(|number| number.parse().ok());
    numbers.collect()
}

/// Removes rows of what ended before then, some in each transaction.
pub(super) fn purge(tx: &mut Tx<'_>, before_us: u64) -> Result<Progress, WriteError> {
    let values = [column(before_us).into(), PURGED_PER_COMMIT_MAX.into()];
    let visits = tx.execute(
        "DELETE FROM presence_visit WHERE (site, zone, client) IN (SELECT site, zone, client \
         FROM presence_visit WHERE inside = 0 AND changed_us < ?1 LIMIT ?2)",
        &values,
    )?;
    let clients = tx.execute(
        "DELETE FROM presence_client WHERE (site, client) IN (SELECT site, client \
         FROM presence_client WHERE state <> 'here' AND since_us < ?1 LIMIT ?2)",
        &values,
    )?;
    // Of these there are few: each is a program that somebody ran.
    tx.execute(
        "DELETE FROM presence_consumer WHERE state <> 'valid' AND since_us < ?1",
        &values[..1],
    )?;
    let most = PURGED_PER_COMMIT_MAX.cast_unsigned();
    Ok(if visits < most && clients < most {
        Progress::Done
    } else {
        Progress::More
    })
}
