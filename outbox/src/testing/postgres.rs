//! A PostgreSQL cluster that lives as long as a test.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a cluster may take until it answers; made on a loaded machine it takes seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// A cluster with `fsync` on, that trusts everybody on the loopback.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Makes a cluster below `parent` and starts it; says `skipped` and gives nothing where
    /// PostgreSQL is not installed.
    ///
    /// # Errors
    /// A cluster that cannot be made or does not answer.
    pub fn start_below(parent: &Path) -> io::Result<Option<Self>> {
        let Some(programs) = programs() else {
            eprintln!("skipped: no PostgreSQL server (initdb and postgres) on this machine");
            return Ok(None);
        };
        if rustix::process::geteuid().is_root() && !is_program("setpriv") {
            eprintln!("skipped: PostgreSQL does not run as root, and there is no setpriv");
            return Ok(None);
        }
        let folder = parent.join("postgres");
        fs::create_dir(&folder)?;
        if rustix::process::geteuid().is_root() {
            open_way_to(&folder);
            if !Command::new("chown")
                .arg("postgres")
                .arg(&folder)
                .status()?
                .success()
            {
                eprintln!("skipped: there is no user postgres to run PostgreSQL as");
                return Ok(None);
            }
        }
        let mut server = Self {
            programs,
            folder,
            port: 0,
            server: None,
            databases: AtomicU32::new(0),
        };
        let mut initdb = server.command("initdb");
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "-U",
            "tester",
        ]);
        let made = initdb.arg("-D").arg(server.data()).output()?;
        if !made.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&made.stderr).into_owned(),
            ));
        }
        server.start()?;
        Ok(Some(server))
    }

    /// Starts the server, on the port it had before if it had one.
    ///
    /// # Errors
    /// A server that does not answer in two minutes; with the end of its log.
    pub fn start(&mut self) -> io::Result<()> {
        let began = Instant::now();
        loop {
            if self.port == 0 {
                self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            }
            let log = File::options().create(true).append(true).open(self.log())?;
            let mut command = self.command("postgres");
            command
                .arg("-D")
                .arg(self.data())
                .args(["-h", "127.0.0.1", "-k", ""]);
            command.args(["-p", &self.port.to_string(), "-c", "fsync=on"]);
            command.args(["-c", "max_connections=100", "-c", "shared_buffers=32MB"]);
            // What nobody waits for reaches the disk as late as can be, so that a crash loses it.
            command.args(["-c", "wal_writer_delay=10s"]);
            let mut child = command.stdout(Stdio::null()).stderr(log).spawn()?;
            let ended = loop {
                if self.answers() {
                    break None;
                }
                if let Some(status) = child.try_wait()? {
                    break Some(status);
                }
                if began.elapsed() > START_PATIENCE {
                    stop(&mut child, rustix::process::Signal::QUIT);
                    return Err(io::Error::other(format!("no answer; {}", self.log_end())));
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            match ended {
                None => {
                    self.server = Some(child);
                    return Ok(());
                }
                // Somebody took the port between the look and the start.
                Some(_)
                    if began.elapsed() < START_PATIENCE && self.log_end().contains("in use") =>
                {
                    self.port = 0;
                }
                Some(status) => {
                    return Err(io::Error::other(format!("{status}; {}", self.log_end())));
                }
            }
        }
    }

    /// A new, empty database; the address for [`StoreConfig::postgres`](crate::StoreConfig::postgres).
    ///
    /// # Errors
    /// A server that refuses.
    pub fn database(&self) -> io::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.psql("postgres", &format!("CREATE DATABASE {name}"))?;
        if made {
            Ok(self.address(&name))
        } else {
            Err(io::Error::other("no database"))
        }
    }

    /// Drops a database that nobody needs any more, with the connections that it may still have.
    ///
    /// # Errors
    /// A server that refuses.
    pub fn drop_database(&self, address: &str) -> io::Result<()> {
        let name = address.rsplit('/').next().unwrap_or_default();
        let dropped = self.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"))?;
        dropped
            .then_some(())
            .ok_or_else(|| io::Error::other("the database is not dropped"))
    }

    /// The address of a database that may exist.
    pub fn address(&self, name: &str) -> String {
        format!("postgres://tester@127.0.0.1:{}/{name}", self.port)
    }

    /// Kills the server and all of its processes at once, as a crash would. [`Self::start`]
    /// brings it back; the log then tells of an unclean shutdown.
    ///
    /// # Errors
    /// A server that cannot be waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.server.take() else {
            return Ok(());
        };
        let postmaster = child.id();
        let mut doomed = children_of(postmaster);
        doomed.push(postmaster);
        for id in &doomed {
            signal(*id, rustix::process::Signal::KILL);
        }
        child.wait()?;
        // Nobody may still hold its shared memory when it starts again.
        let began = Instant::now();
        while doomed.iter().any(|id| is_alive(*id)) && began.elapsed() < START_PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        // A failure to remove what is not there is none.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        Ok(())
    }

    /// How often the server found at its start that it had not been shut down.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn unclean_starts(&self) -> io::Result<usize> {
        let log = fs::read_to_string(self.log())?;
        Ok(log.matches("was not properly shut down").count())
    }

    /// The folder of PostgreSQL's programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    fn psql(&self, database: &str, sql: &str) -> io::Result<bool> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args([
            "-X",
            "-q",
            "-h",
            "127.0.0.1",
            "-U",
            "tester",
            "-d",
            database,
            "-c",
            sql,
        ]);
        command.args(["-p", &self.port.to_string()]);
        Ok(command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?
            .success())
    }

    fn answers(&self) -> bool {
        self.psql("postgres", "SELECT 1").unwrap_or(false)
    }

    /// A program of PostgreSQL, run as a user that is not root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().rev().take(4).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.take() {
            stop(&mut child, rustix::process::Signal::QUIT);
        }
    }
}

/// Where `initdb` and `postgres` are: the newest version of Debian's folders, or the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let has = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|p| folder.join(p).is_file())
    };
    folders.into_iter().find(has)
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Lets another user walk to a folder below a private one of our own.
fn open_way_to(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(parent) = folder.parent() else {
        return;
    };
    if let Ok(metadata) = fs::metadata(parent) {
        let mode = metadata.permissions().mode() | 0o011;
        // If it fails, the server says so when it cannot reach its folder.
        let _ = fs::set_permissions(parent, fs::Permissions::from_mode(mode));
    }
}

fn stop(child: &mut Child, how: rustix::process::Signal) {
    signal(child.id(), how);
    // A child that cannot be waited for is gone.
    let _ = child.wait();
}

fn signal(id: u32, signal: rustix::process::Signal) {
    let id = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        // One that is gone already is what was wanted.
        let _ = rustix::process::kill_process(id, signal);
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| stat_of(*id).is_some_and(|(_, of)| of == parent))
        .collect()
}

fn is_alive(id: u32) -> bool {
    stat_of(id).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// State and parent of a process.
fn stat_of(id: u32) -> Option<(char, u32)> {
    let mut text = String::new();
    File::open(format!("/proc/{id}/stat"))
        .ok()?
        .read_to_string(&mut text)
        .ok()?;
    // The name may hold anything, but it ends with the last parenthesis.
    let mut words = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}
