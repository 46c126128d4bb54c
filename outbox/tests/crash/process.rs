//! A role as a process of its own, the traces that it leaves, and its violent end.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::folder::Folder;
use crate::journal::{self, Journal};
use crate::{consumer, feed, relay, writer};

/// The roles that are processes of the rig's.
pub(crate) const ROLES: [&str; 4] = ["writer", "feed", "consumer", "relay"];

/// How long nothing may move before the rig gives up; no verdict but this one hangs on a clock.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Number of SIGKILL on every Unix.
const SIGKILL: i32 = 9;

/// Does the role's work until it is told to stop. Tells how the one before it ended.
pub(crate) fn become_role(role: &str, folder: &Path) {
    let folder = Folder::at(folder);
    let running = folder.file(&format!("{role}.running"));
    let before = if running.exists() { "unclean" } else { "clean" };
    File::create(&running).unwrap();
    Journal::open(&folder.file(&format!("{role}.starts"))).line(before);
    // Nobody is left alone if the rig itself is killed.
    let rig = std::os::unix::process::parent_id();
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == rig {
            std::thread::sleep(Duration::from_millis(200));
        }
        std::process::exit(3);
    });
    match role {
        "writer" => writer::run(&folder),
        "feed" => feed::run(&folder),
        "consumer" => consumer::run(&folder),
        "relay" => relay::run(&folder),
        other => panic!("no role {other}"),
    }
    std::fs::remove_file(running).unwrap();
}

/// A role that is running.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: &'static str,
    folder: Folder,
    child: Child,
    starts: usize,
    /// Ends by SIGKILL that its parent was told of.
    pub(crate) kills: usize,
}

impl Process {
    pub(crate) fn start(role: &'static str, folder: &Folder, socket: &TcpListener) -> Self {
        let mut process = Self {
            role,
            folder: folder.clone(),
            child: spawn(role, folder, socket),
            starts: 0,
            kills: 0,
        };
        process.wait_for_start();
        process
    }

    /// Kills it, and starts it again.
    pub(crate) fn kill(&mut self, socket: &TcpListener) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(SIGKILL),
            "{} had ended by itself: {status}\n{}",
            self.role,
            self.log_end()
        );
        self.kills += 1;
        self.child = spawn(self.role, &self.folder, socket);
        self.wait_for_start();
    }

    /// Until it has noted its start, so that each one is counted.
    fn wait_for_start(&mut self) {
        self.starts += 1;
        let path = self.folder.file(&format!("{}.starts", self.role));
        wait_until(&format!("the start of {}", self.role), || {
            journal::read(&path).len() == self.starts
        });
    }

    /// Asks it to end; it does so without an error.
    pub(crate) fn stop(&mut self) {
        self.folder.tell_to_stop(self.role);
        let status = self.child.wait().unwrap();
        assert!(
            status.success(),
            "{}: {status}\n{}",
            self.role,
            self.log_end()
        );
    }

    pub(crate) fn assert_lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "{} ended by itself: {ended:?}\n{}",
            self.role,
            self.log_end()
        );
    }

    /// How often a start found that the one before it had not ended well.
    pub(crate) fn unclean_starts(&self) -> usize {
        let starts = journal::read(&self.folder.file(&format!("{}.starts", self.role)));
        starts.iter().filter(|line| *line == "unclean").count()
    }

    fn log_end(&self) -> String {
        let log = journal::read(&self.folder.file(&format!("{}.log", self.role)));
        log[log.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended is waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(role: &str, folder: &Folder, socket: &TcpListener) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.file(&format!("{role}.log")))
        .unwrap();
    let stdin = match role {
        "feed" => Stdio::from(OwnedFd::from(socket.try_clone().unwrap())),
        _ => Stdio::null(),
    };
    Command::new(std::env::current_exe().unwrap())
        .arg("role")
        .arg(role)
        .arg(folder.path())
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Waits, at most for the rig's patience.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}
