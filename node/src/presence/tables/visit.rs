//! Who is in which zone.

use outbox::{Tx, Value};

use super::{WriteError, column, tell};
use crate::presence::paths;
use crate::presence::write::{Client, KeyId, Visit, VisitState, ZoneFacts};

/// Makes true whether a client is in a zone.
pub(super) fn write(tx: &mut Tx<'_>, visit: &Visit) -> Result<(), WriteError> {
    let Visit {
        site,
        zone,
        client,
        state,
    } = visit;
    let rows = tx.query(
        "SELECT inside, since_us, dwelt_us FROM presence_visit \
         WHERE site = ?1 AND zone = ?2 AND client = ?3",
        &[(&**site).into(), (&*zone.id).into(), (&*client.text).into()],
    )?;
    let row = match rows.first() {
        Some(row) if row.integer(0)? != 0 => Some((row.integer(1)?, !row.is_null(2))),
        _ => None,
    };
    match (*state, row) {
        (VisitState::Inside { since_us, dwelt_us }, row) => {
            let stays = row.is_some_and(|(since, _)| since == column(since_us));
            if stays && (dwelt_us.is_none() || row.is_some_and(|(_, dwelt)| dwelt)) {
                return Ok(());
            }
            if !stays && !admit(tx, site, client, since_us)? {
                return Ok(());
            }
            store_inside(tx, visit, since_us, dwelt_us)?;
            let path = || paths::visit(site, &zone.id, &client.text);
            if !stays {
                tell(tx, "zone.entered", path()?)?;
            }
            if dwelt_us.is_some() {
                tell(tx, "zone.dwell", path()?)?;
            }
            if row.is_none() {
                count(tx, site, &zone.id, &zone.occupancy, 1, since_us)?;
            }
            Ok(())
        }
        (VisitState::Outside { .. }, None) => Ok(()),
        (VisitState::Outside { at_us, reason }, Some(_)) => {
            leave(tx, site, zone, &client.text, at_us, reason)
        }
    }
}

/// A client leaves a zone in which it is.
pub(super) fn leave(
    tx: &mut Tx<'_>,
    site: &str,
    zone: &ZoneFacts,
    client: &str,
    at_us: u64,
    reason: &str,
) -> Result<(), WriteError> {
    tx.execute(
        "UPDATE presence_visit SET inside = 0, since_us = ?4, dwelt_us = NULL, reason = ?5, \
         version = version + 1, changed_us = ?4 WHERE site = ?1 AND zone = ?2 AND client = ?3",
        &[
            site.into(),
            (&*zone.id).into(),
            client.into(),
            column(at_us).into(),
            reason.into(),
        ],
    )?;
    tell(tx, "zone.left", paths::visit(site, &zone.id, client)?)?;
    count(tx, site, &zone.id, &zone.occupancy, -1, at_us)
}

fn store_inside(
    tx: &mut Tx<'_>,
    visit: &Visit,
    since_us: u64,
    dwelt_us: Option<u64>,
) -> Result<(), WriteError> {
    tx.execute(
        "INSERT INTO presence_visit (site, zone, client, client_id, inside, since_us, dwelt_us, \
         reason, version, changed_us) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, NULL, 1, ?5) \
         ON CONFLICT (site, zone, client) DO UPDATE SET client_id = excluded.client_id, \
         inside = 1, since_us = excluded.since_us, dwelt_us = excluded.dwelt_us, reason = NULL, \
         version = presence_visit.version + 1, changed_us = excluded.changed_us",
        &[
            (&*visit.site).into(),
            (&*visit.zone.id).into(),
            (&*visit.client.text).into(),
            visit.client.id.cast_signed().into(),
            column(since_us).into(),
            dwelt_us.map(column).into(),
        ],
    )?;
    Ok(())
}

/// Whether a client may be told of; notes that it was. A pseudonym whose key ended may not, nor who
/// opted out under this key. The names of named clients have no key; they are agents' to tell.
fn admit(tx: &mut Tx<'_>, site: &str, client: &Client, since_us: u64) -> Result<bool, WriteError> {
    let key: [Value; 2] = [site.into(), (&*client.text).into()];
    let rows = tx.query(
        "SELECT state, key_id FROM presence_client WHERE site = ?1 AND client = ?2",
        &key,
    )?;
    let state = rows.first().map(|row| row.text(0)).transpose()?;
    if matches!(state, Some("here" | "rotated")) {
        return Ok(state == Some("here"));
    }
    let known_key = rows.first().map(|row| row.integer(1)).transpose()?;
    let is_same_key = client.key != KeyId::NAMED && known_key == Some(client.key.0);
    if state == Some("opted_out") && is_same_key {
        return Ok(false);
    }
    // Unknown so far, or forgotten and heard again.
    tx.execute(
        "INSERT INTO presence_client (site, client, client_id, key_id, state, since_us, version) \
         VALUES (?1, ?2, ?3, ?4, 'here', ?5, 1) ON CONFLICT (site, client) DO UPDATE SET \
         key_id = excluded.key_id, state = 'here', since_us = excluded.since_us, \
         version = presence_client.version + 1",
        &[
            site.into(),
            (&*client.text).into(),
            client.id.cast_signed().into(),
            client.key.0.into(),
            column(since_us).into(),
        ],
    )?;
    Ok(true)
}

/// One more or less in a zone; says so when a number that is told of is crossed.
pub(super) fn count(
    tx: &mut Tx<'_>,
    site: &str,
    zone: &str,
    thresholds: &[u32],
    change: i64,
    at_us: u64,
) -> Result<(), WriteError> {
    let key: [Value; 2] = [site.into(), zone.into()];
    let rows = tx.query(
        "SELECT occupancy, level FROM presence_zone WHERE site = ?1 AND zone = ?2",
        &key,
    )?;
    let Some(row) = rows.first() else {
        // Each zone is declared before anybody enters it.
        return Ok(());
    };
    let (before, level_before) = (row.integer(0)?, row.integer(1)?);
    let occupancy = (before + change).max(0);
    let level = level(thresholds, level_before, occupancy);
    tx.execute(
        "UPDATE presence_zone SET occupancy = ?3, level_since_us = CASE WHEN level = ?4 \
         THEN level_since_us ELSE ?5 END, level = ?4, version = version + 1, changed_us = ?5 \
         WHERE site = ?1 AND zone = ?2",
        &[
            site.into(),
            zone.into(),
            occupancy.into(),
            level.into(),
            column(at_us).into(),
        ],
    )?;
    if level != level_before {
        tell(tx, "zone.occupancy", paths::zone(site, zone)?)?;
    }
    Ok(())
}

/// How many of the numbers that are told of are reached. One that was reached stays so until a tenth
/// of it, rounded down, is missing.
pub(in crate::presence) fn level(thresholds: &[u32], before: i64, occupancy: i64) -> i64 {
    let reached = |slack: fn(u32) -> u32| {
        let reached = |number: &&u32| i64::from(**number - slack(**number)) <= occupancy;
        i64::try_from(thresholds.iter().take_while(reached).count()).unwrap_or(i64::MAX)
    };
    before.clamp(reached(|_| 0), reached(|number| number / 10))
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn a_number_that_was_reached_stays_so_for_a_tenth_of_it() {
        let numbers = [5, 20, 100];
        let mut now = 0;
        let mut at = |occupancy| {
            now = level(&numbers, now, occupancy);
            now
        };
        assert_eq!(
            [4, 5, 4].map(&mut at),
            [0, 1, 0],
            "small numbers have no slack"
        );
        assert_eq!([19, 20, 19, 18, 17].map(&mut at), [1, 2, 2, 2, 1]);
        assert_eq!([100, 90, 89, 0].map(&mut at), [3, 3, 2, 0]);
        assert_eq!(level(&[], 3, 50), 0, "numbers that are no longer declared");
    }
}
