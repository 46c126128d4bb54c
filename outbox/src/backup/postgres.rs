//! Backup and restore of PostgreSQL databases, by PostgreSQL's own programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postgres::config::Host;

use super::BackupError;
use crate::migrate;
use crate::store::{StoreConfig, in_transaction, server, writer};
use crate::tx::one_row;

pub(super) fn backup(address: &str, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut command = program("pg_dump", address)?;
    // One of a dump that was broken off may have another mode, and there may be none.
    let _ = fs::remove_file(&partial);
    crate::private::make(&partial).map_err(|source| io(&partial, source))?;
    command
        .args(["--format=custom", "--no-owner", "--file"])
        .arg(&partial);
    let made = run("pg_dump", command).and_then(|()| {
        let synced = fs::File::open(&partial).and_then(|file| file.sync_all());
        synced
            .and_then(|()| fs::rename(&partial, to))
            .map_err(|source| io(to, source))
    });
    if made.is_err() {
        // There may be none.
        let _ = fs::remove_file(&partial);
    }
    made
}

pub(super) fn restore(
    config: &StoreConfig,
    address: &str,
    from: &Path,
    replace: bool,
) -> Result<(), BackupError> {
    fs::File::open(from).map_err(|source| io(from, source))?;
    let mut link = writer(config)?;
    let tables = "SELECT count(*) FROM pg_class WHERE relname = 'outbox_state'";
    if one_row(link.as_mut(), tables, &[])?.integer(0)? > 0 && !replace {
        return Err(BackupError::Occupied);
    }
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND application_name = 'outbox' AND pid <> pg_backend_pid()";
    if one_row(link.as_mut(), others, &[])?.integer(0)? > 0 {
        return Err(super::InUseError::Locked(PathBuf::from("the database")).into());
    }
    let mut command = program("pg_restore", address)?;
    command.args([
        "--clean",
        "--if-exists",
        "--no-owner",
        "--single-transaction",
        "--exit-on-error",
    ]);
    // The database is told on the command line; its password is not.
    let name = server(address)?.get_dbname().unwrap_or_default().to_owned();
    command.args(["--dbname", &name]).arg(from);
    // What a dump brings has the epoch and the transactions of another server until the new
    // history begins: nobody may open it in between, whatever happens here.
    let was_half = migrate::is_half_restored(link.as_mut())?;
    link.batch(migrate::MARK_HALF_RESTORED)?;
    if let Err(error) = run("pg_restore", command) {
        // It restores all or nothing.
        if !was_half {
            link.batch(migrate::UNMARK_HALF_RESTORED)?;
        }
        return Err(error);
    }
    migrate::check_known(link.as_mut())?;
    in_transaction(link.as_mut(), |link| migrate::begin_new_history(link))?;
    Ok(())
}

/// A program that is told where the database is by its environment: others on the machine may
/// read command lines.
fn program(name: &'static str, address: &str) -> Result<Command, BackupError> {
    let server = server(address)?;
    let mut command = Command::new(find(name));
    command.stdin(Stdio::null()).env("PGCONNECT_TIMEOUT", "10");
    match server.get_hosts().first() {
        Some(Host::Tcp(host)) => {
            command.env("PGHOST", host);
        }
        #[cfg(unix)]
        Some(Host::Unix(folder)) => {
            command.env("PGHOST", folder);
        }
        None => {}
    }
    if let Some(port) = server.get_ports().first() {
        command.env("PGPORT", port.to_string());
    }
    if let Some(user) = server.get_user() {
        command.env("PGUSER", user);
    }
    if let Some(password) = server.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    if let Some(name) = server.get_dbname() {
        command.env("PGDATABASE", name);
    }
    Ok(command)
}

/// In the path, or where Debian has the newest.
fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return name.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let found = versions.map(|version| version.path().join("bin").join(name));
    found
        .filter(|path| path.is_file())
        .max()
        .unwrap_or_else(|| name.into())
}

fn run(program: &'static str, mut command: Command) -> Result<(), BackupError> {
    let failed = |why: String| BackupError::Program { program, why };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.lines().take(3).collect::<Vec<_>>().join("; ")))
}

fn io(path: &Path, source: std::io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
