//! Pseudonym periods: which key is in force at a site, and until when.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wire::frame::PseudonymKey;

/// A calendar of periods of equal length, the same for every node with the same settings.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    length_s: f64,
    starts_at_s: f64,
}

impl Calendar {
    /// Periods of so many hours, one of which begins at this hour of the day in UTC.
    pub fn new(period_h: f64, starts_at_utc_h: f64) -> Self {
        Self {
            length_s: period_h * 3_600.0,
            starts_at_s: starts_at_utc_h * 3_600.0,
        }
    }

    /// Periods of a day, the first of which begins now.
    pub fn starting_now() -> Self {
        Self {
            length_s: 86_400.0,
            starts_at_s: unix_s() % 86_400.0,
        }
    }

    /// Number of the period that runs now.
    pub fn current(&self) -> u32 {
        self.period(unix_s())
    }

    /// Time until the running period ends.
    pub fn current_remaining(&self) -> Duration {
        self.remaining(unix_s())
    }

    /// Number of the period that holds a Unix time in seconds.
    pub fn period(&self, unix_s: f64) -> u32 {
        ((unix_s - self.starts_at_s) / self.length_s).floor() as u32
    }

    /// Time until that period ends.
    pub fn remaining(&self, unix_s: f64) -> Duration {
        let end_s = f64::from(self.period(unix_s) + 1) * self.length_s + self.starts_at_s;
        Duration::from_secs_f64((end_s - unix_s).max(0.0))
    }
}

/// Keeps the running key of each site: in memory, and between two processes in a folder that is in
/// memory too, if there is one. Clones keep the same keys.
#[derive(Debug, Clone)]
pub struct KeyKeeper {
    runtime_dir: Option<PathBuf>,
    running: Arc<Mutex<HashMap<String, PseudonymKey>>>,
}

/// A key could not be drawn or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The system gave no random bytes.
    #[error("the system gives no random bytes for a pseudonym key: {0}")]
    Random(getrandom::Error),
    /// The key could not be written.
    #[error("cannot keep the pseudonym key in {path}; check runtime_dir")]
    Keep {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

const PERIOD_BYTES: usize = 4;
const KEY_BYTES: usize = 32;

impl KeyKeeper {
    /// Keeps keys in this folder, or in the process alone.
    pub fn new(runtime_dir: Option<PathBuf>) -> Self {
        Self {
            runtime_dir,
            running: Arc::default(),
        }
    }

    /// The key of a site's period: the kept one if it is of this period, else a new random one. A
    /// kept key of another period is overwritten: it must not outlive its period.
    ///
    /// # Errors
    /// [`KeyError`] when no key can be drawn or kept.
    pub fn key(&self, site: &str, period: u32) -> Result<PseudonymKey, KeyError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = running.get(site).filter(|key| key.period == period) {
            return Ok(key.clone());
        }
        let key = self.read_or_draw(site, period)?;
        running.insert(site.to_owned(), key.clone());
        Ok(key)
    }

    fn read_or_draw(&self, site: &str, period: u32) -> Result<PseudonymKey, KeyError> {
        let path = self
            .runtime_dir
            .as_ref()
            .map(|folder| folder.join(format!("{site}.key")));
        if let Some(key) = path
            .as_deref()
            .and_then(read_key)
            .filter(|key| key.period == period)
        {
            return Ok(key);
        }
        let mut key = PseudonymKey {
            period,
            key: [0; KEY_BYTES],
        };
        getrandom::fill(&mut key.key).map_err(KeyError::Random)?;
        if let Some(path) = path {
            write_key(&path, &key).map_err(|source| KeyError::Keep { path, source })?;
        }
        Ok(key)
    }
}

fn unix_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

fn read_key(path: &Path) -> Option<PseudonymKey> {
    let bytes = fs::read(path).ok()?;
    let (period, key) = bytes.split_first_chunk::<PERIOD_BYTES>()?;
    Some(PseudonymKey {
        period: u32::from_le_bytes(*period),
        key: key.try_into().ok()?,
    })
}

fn write_key(path: &Path, key: &PseudonymKey) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&key.period.to_le_bytes())?;
    file.write_all(&key.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_hour() {
        let calendar = Calendar::new(24.0, 3.0);
        let day = 86_400.0;
        let before = 100.0 * day + 2.99 * 3_600.0;
        let after = 100.0 * day + 3.0 * 3_600.0;
        assert_eq!(calendar.period(before) + 1, calendar.period(after));
        assert_eq!(calendar.remaining(after), Duration::from_secs(86_400));
        assert!(calendar.remaining(before) <= Duration::from_secs(37));
    }

    #[test]
    fn a_kept_key_survives_the_process_but_not_its_period() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = || KeyKeeper::new(Some(folder.path().join("run")));
        let key = keeper().key("hq", 7).unwrap();
        assert_eq!(
            keeper().key("hq", 7).unwrap(),
            key,
            "another process, the same key"
        );
        assert_ne!(keeper().key("lab", 7).unwrap().key, key.key);
        assert_ne!(keeper().key("hq", 8).unwrap().key, key.key);
        assert_ne!(
            keeper().key("hq", 7).unwrap().key,
            key.key,
            "the old key is gone"
        );
    }

    #[test]
    fn without_a_folder_a_key_lives_with_the_process() {
        let keeper = KeyKeeper::new(None);
        let key = keeper.key("hq", 7).unwrap();
        assert_eq!(keeper.clone().key("hq", 7).unwrap(), key);
        assert_ne!(KeyKeeper::new(None).key("hq", 7).unwrap().key, key.key);
    }
}
