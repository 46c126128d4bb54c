//! `[coalesce]`, `[limits]` and `[status]`: how the agent behaves on its device.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::error::{ConfigError, Place};
use super::tree::Spanned;
use crate::limits::{COALESCE_INTERVAL_MAX, MEMORY_MIB_MIN};
use crate::status::DEFAULT_SOCKET;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoalesceText {
    interval_ms: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsText {
    cpu_percent: Option<u8>,
    memory_mib: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusText {
    socket: Option<PathBuf>,
}

/// The interval; 0 is none.
pub(super) fn coalesce(
    place: &Place<'_>,
    table: &Spanned<CoalesceText>,
) -> Result<Option<Duration>, ConfigError> {
    let interval = Duration::from_millis(table.get_ref().interval_ms.into());
    if interval > COALESCE_INTERVAL_MAX {
        let max = COALESCE_INTERVAL_MAX.as_millis();
        let what = format!("interval_ms must be from 0 (each by itself) to {max}");
        return Err(place.problem(table.span(), what));
    }
    Ok((!interval.is_zero()).then_some(interval))
}

/// The share of a processor and the memory in MiB.
pub(super) fn limits(
    place: &Place<'_>,
    table: &Spanned<LimitsText>,
) -> Result<(Option<u8>, Option<u32>), ConfigError> {
    let LimitsText {
        cpu_percent,
        memory_mib,
    } = *table.get_ref();
    if cpu_percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
        return Err(place.problem(table.span(), "cpu_percent must be from 1 to 100"));
    }
    if memory_mib.is_some_and(|mib| mib < MEMORY_MIB_MIN) {
        let what = format!(
            "memory_mib must be at least {MEMORY_MIB_MIN}, which the queues and a handshake take"
        );
        return Err(place.problem(table.span(), what));
    }
    Ok((cpu_percent, memory_mib))
}

/// Where the socket is.
pub(super) fn status(folder: &Path, table: &Spanned<StatusText>) -> PathBuf {
    let path = table.get_ref().socket.as_deref();
    folder.join(path.unwrap_or(Path::new(DEFAULT_SOCKET)))
}
