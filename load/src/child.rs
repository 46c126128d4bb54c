//! A node of our own: `trilobite serve` as a child process that never outlives the run.

mod usage;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::interrupt::{Interrupt, Interrupted};
use crate::limits::{LOG_LINES_SHOWN, LOOK_INTERVAL, READY_MAX, STOP_MAX};

pub use usage::Usage;

/// Why there is no node of our own, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The program is not there.
    #[error(
        "there is no node at {path}; build it with `cargo build --release --bin trilobite`, or name \
         a running one with --node"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The system does not start it.
    #[error("cannot start the node {path}")]
    Start {
        /// The program, or the file for its log.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It did not become ready.
    #[error("the node is not ready after {} s; its last words:\n{log}", READY_MAX.as_secs())]
    NotReady {
        /// The end of its log.
        log: String,
    },
    /// It ended by itself.
    #[error("the node ended early ({status}); its last words:\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Somebody asked the run to end.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What a node says once it serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// Where agents connect: one address per worker.
    pub quic: Vec<SocketAddr>,
    /// Where the API is.
    pub http: SocketAddr,
}

/// A running node; dropping it kills and reaps the process.
#[derive(Debug)]
pub struct NodeChild {
    process: Child,
    ready: Ready,
    log: PathBuf,
}

impl NodeChild {
    /// Starts the node with this configuration and waits until it serves.
    ///
    /// # Errors
    /// [`ChildError`], with the end of its log.
    pub fn start(config: &Path, interrupt: &Interrupt) -> Result<Self, ChildError> {
        Self::start_program(&program(), config, interrupt)
    }

    fn start_program(
        program: &Path,
        config: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, ChildError> {
        if !program.exists() {
            return Err(ChildError::Missing {
                path: program.to_owned(),
            });
        }
        let wrong = |path: &Path, source| ChildError::Start {
            path: path.to_owned(),
            source,
        };
        let log = config.with_extension("log");
        let stderr = File::create(&log).map_err(|error| wrong(&log, error))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(config);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        // Ctrl-C at a terminal reaches the whole group, and the node must drain after its agents.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn().map_err(|error| wrong(program, error))?;
        let stdout = process.stdout.take();
        let nothing_yet = Ready {
            quic: Vec::new(),
            http: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        let mut child = Self {
            process,
            ready: nothing_yet,
            log,
        };
        let said = stdout.map(listen).ok_or_else(|| ChildError::NotReady {
            log: child.last_words(),
        })?;
        child.ready = child.wait_ready(&said, interrupt)?;
        Ok(child)
    }

    fn wait_ready(
        &mut self,
        said: &Receiver<Ready>,
        interrupt: &Interrupt,
    ) -> Result<Ready, ChildError> {
        let until = Instant::now() + READY_MAX;
        while Instant::now() < until {
            interrupt.check()?;
            match said.recv_timeout(LOOK_INTERVAL) {
                Ok(ready) => return Ok(ready),
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    self.check()?;
                    std::thread::sleep(LOOK_INTERVAL);
                }
            }
        }
        Err(ChildError::NotReady {
            log: self.last_words(),
        })
    }

    /// Where it listens.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Makes sure that it still runs.
    ///
    /// # Errors
    /// [`ChildError::Ended`] when it does not.
    pub fn check(&mut self) -> Result<(), ChildError> {
        match self.process.try_wait() {
            Ok(Some(status)) => Err(ChildError::Ended {
                status,
                log: self.last_words(),
            }),
            // A process that cannot be asked about is found dead by whoever talks to it.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Its number as the system knows it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has used so far; `None` where the system does not tell.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.process.id())
    }

    /// Asks it to drain and waits until it has ended.
    ///
    /// # Errors
    /// [`ChildError::Ended`] when it did not end well.
    pub fn stop(mut self) -> Result<(), ChildError> {
        self.check()?;
        self.ask_to_end();
        let until = Instant::now() + STOP_MAX;
        while Instant::now() < until {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(ChildError::Ended {
                        status,
                        log: self.last_words(),
                    });
                }
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        tracing::warn!(
            "the node did not drain within {} s and is killed",
            STOP_MAX.as_secs()
        );
        Ok(())
    }

    #[cfg(unix)]
    fn ask_to_end(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        // Fails only when the process has ended already, which is what is asked for.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
    }

    #[cfg(not(unix))]
    fn ask_to_end(&mut self) {
        // There is no signal to drain on.
        let _ = self.process.kill();
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        last_lines(&text, LOG_LINES_SHOWN)
    }
}

impl Drop for NodeChild {
    fn drop(&mut self) {
        // Both fail only for a process that was reaped before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The node's program: beside our own.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(format!("trilobite{}", std::env::consts::EXE_SUFFIX))
}

/// Waits for the one line on another thread, since a read of a pipe cannot be interrupted, and keeps
/// the pipe open until the node closes it.
fn listen(stdout: ChildStdout) -> Receiver<Ready> {
    let (tell, said) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Ok(ready) = serde_json::from_str(&line) {
                // Whoever waited may have given up.
                let _ = tell.send(ready);
            }
        }
    });
    said
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_node_is_told_with_what_to_do() {
        let nowhere = Path::new("/nowhere/trilobite");
        let error =
            NodeChild::start_program(nowhere, Path::new("node.toml"), &Interrupt::default())
                .unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("/nowhere/trilobite") && told.contains("cargo build"),
            "{told}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_node_that_fails_is_reaped_and_its_last_words_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("node.toml");
        let error = NodeChild::start_program(Path::new("/bin/ls"), &config, &Interrupt::default())
            .unwrap_err();
        assert!(matches!(error, ChildError::Ended { .. }), "{error}");
        assert!(error.to_string().contains("--config"), "{error}");
    }

    #[test]
    fn the_ready_line_is_understood() {
        let line = r#"{"quic":["127.0.0.1:41234","127.0.0.1:41235"],"http":"127.0.0.1:8123"}"#;
        let ready: Ready = serde_json::from_str(line).unwrap();
        assert_eq!((ready.quic.len(), ready.http.port()), (2, 8123));
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
