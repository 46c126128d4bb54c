//! Sites: what they are made of, and their access points.

use outbox::Tx;

use super::visit::{count, leave};
use super::{WriteError, column, tell};
use crate::presence::paths;
use crate::presence::write::{SiteFacts, ZoneFacts};

/// Makes true whether an access point is online.
pub(super) fn write_ap(
    tx: &mut Tx<'_>,
    site: &str,
    ap: &str,
    online: bool,
    since_us: u64,
) -> Result<(), WriteError> {
    let rows = tx.query(
        "SELECT online FROM presence_ap WHERE site = ?1 AND ap = ?2",
        &[site.into(), ap.into()],
    )?;
    let before = rows.first().map(|row| row.integer(0)).transpose()?;
    if before == Some(online.into()) {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO presence_ap (site, ap, online, since_us, reason, version) \
         VALUES (?1, ?2, ?3, ?4, NULL, 1) ON CONFLICT (site, ap) DO UPDATE SET \
         online = excluded.online, since_us = excluded.since_us, reason = NULL, \
         version = presence_ap.version + 1",
        &[
            site.into(),
            ap.into(),
            online.into(),
            column(since_us).into(),
        ],
    )?;
    let kind = if online { "ap.online" } else { "ap.offline" };
    tell(tx, kind, paths::ap(site, ap)?)
}

/// Compares a site with what it was when a node last served it.
pub(super) fn compare(tx: &mut Tx<'_>, facts: &SiteFacts) -> Result<(), WriteError> {
    let site = &*facts.site;
    let rows = tx.query(
        "SELECT file_hash, plan_hash, zones_hash, calibration_hash FROM presence_site \
         WHERE site = ?1",
        &[site.into()],
    )?;
    let mut kinds = Vec::new();
    let now = [
        &facts.file_hash,
        &facts.plan_hash,
        &facts.zones_hash,
        &facts.calibration_hash,
    ];
    if let Some(row) = rows.first() {
        // Another version of this program may see the same file with other eyes: no change.
        let is_other_file = row.text(0)? != facts.file_hash;
        if is_other_file && row.text(1)? != facts.plan_hash {
            kinds.push("floorplan.changed");
        }
        if is_other_file && row.text(2)? != facts.zones_hash {
            kinds.push("zone.changed");
        }
        if row.text(3)? != facts.calibration_hash {
            kinds.push("calibration.changed");
        }
    }
    let [file, plan, zones, calibration] = now.map(|hash| hash.as_str().into());
    tx.execute(
        "INSERT INTO presence_site (site, file_hash, plan_hash, zones_hash, calibration_hash, \
         version) VALUES (?1, ?2, ?3, ?4, ?5, 1) ON CONFLICT (site) DO UPDATE SET \
         file_hash = excluded.file_hash, plan_hash = excluded.plan_hash, \
         zones_hash = excluded.zones_hash, calibration_hash = excluded.calibration_hash, \
         version = presence_site.version + ?6",
        &[
            site.into(),
            file,
            plan,
            zones,
            calibration,
            i64::from(!kinds.is_empty()).into(),
        ],
    )?;
    for kind in kinds {
        tell(tx, kind, paths::site(site)?)?;
    }
    remove_aps(tx, facts)?;
    remove_zones(tx, facts)?;
    facts
        .zones
        .iter()
        .try_for_each(|zone| declare(tx, site, zone, facts.at_us))
}

/// A zone that there is, with the numbers of clients that it tells of.
fn declare(tx: &mut Tx<'_>, site: &str, zone: &ZoneFacts, at_us: u64) -> Result<(), WriteError> {
    let numbers: Vec<String> = zone.occupancy.iter().map(u32::to_string).collect();
    tx.execute(
        "INSERT INTO presence_zone (site, zone, occupancy, level, level_since_us, thresholds, \
         removed, version, changed_us) VALUES (?1, ?2, 0, 0, ?3, ?4, 0, 1, ?3) \
         ON CONFLICT (site, zone) DO UPDATE SET thresholds = excluded.thresholds, removed = 0",
        &[
            site.into(),
            (&*zone.id).into(),
            column(at_us).into(),
            numbers.join(" ").into(),
        ],
    )?;
    let rows = tx.query(
        "SELECT level, occupancy FROM presence_zone WHERE site = ?1 AND zone = ?2",
        &[site.into(), (&*zone.id).into()],
    )?;
    match rows.first() {
        // Other numbers than before may be reached already.
        Some(row)
            if super::level(&zone.occupancy, row.integer(0)?, row.integer(1)?)
                != row.integer(0)? =>
        {
            count(tx, site, &zone.id, &zone.occupancy, 0, at_us)
        }
        _ => Ok(()),
    }
}

/// Zones that are no longer there: whoever was inside has left.
fn remove_zones(tx: &mut Tx<'_>, facts: &SiteFacts) -> Result<(), WriteError> {
    let site = &*facts.site;
    let rows = tx.query(
        "SELECT zone FROM presence_zone WHERE site = ?1 AND removed = 0 ORDER BY zone",
        &[site.into()],
    )?;
    for row in rows {
        let zone = ZoneFacts {
            id: row.text(0)?.into(),
            occupancy: [].into(),
        };
        if facts.zones.iter().any(|known| known.id == zone.id) {
            continue;
        }
        let inside = tx.query(
            "SELECT client FROM presence_visit WHERE site = ?1 AND zone = ?2 AND inside = 1",
            &[site.into(), (&*zone.id).into()],
        )?;
        for client in inside {
            leave(tx, site, &zone, client.text(0)?, facts.at_us, "removed")?;
        }
        tx.execute(
            "UPDATE presence_zone SET removed = 1, thresholds = '', version = version + 1 \
             WHERE site = ?1 AND zone = ?2",
            &[site.into(), (&*zone.id).into()],
        )?;
    }
    Ok(())
}

/// Access points that the site file no longer has are offline for good.
fn remove_aps(tx: &mut Tx<'_>, facts: &SiteFacts) -> Result<(), WriteError> {
    let site = &*facts.site;
    let rows = tx.query(
        "SELECT ap FROM presence_ap WHERE site = ?1 AND online = 1 ORDER BY ap",
        &[site.into()],
    )?;
    for row in rows {
        let ap = row.text(0)?;
        if facts.aps.iter().any(|known| known == ap) {
            continue;
        }
        tx.execute(
            "UPDATE presence_ap SET online = 0, since_us = ?3, reason = 'removed', \
             version = version + 1 WHERE site = ?1 AND ap = ?2",
            &[site.into(), ap.into(), column(facts.at_us).into()],
        )?;
        tell(tx, "ap.offline", paths::ap(site, ap)?)?;
    }
    Ok(())
}

/// Makes true which calibration is in force.
pub(super) fn write_calibration(tx: &mut Tx<'_>, site: &str, hash: &str) -> Result<(), WriteError> {
    let changed = tx.execute(
        "UPDATE presence_site SET calibration_hash = ?2, version = version + 1 \
         WHERE site = ?1 AND calibration_hash <> ?2",
        &[site.into(), hash.into()],
    )?;
    if changed > 0 {
        tell(tx, "calibration.changed", paths::site(site)?)?;
    }
    Ok(())
}
