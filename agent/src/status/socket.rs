//! The status socket: who may open it gets one answer, as JSON or as lines, and is shown out.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::limits::STATUS_ANSWER_MAX;
use crate::run::AgentHandle;

/// Where the socket is unless configured otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/trilobite-agent.sock";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line of JSON.
    Json,
    /// Lines for a person.
    Lines,
}

impl Format {
    fn letter(self) -> u8 {
        match self {
            Self::Json => b'j',
            Self::Lines => b'l',
        }
    }
}

/// A socket on which an agent answers. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct StatusSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl StatusSocket {
    /// Opens the socket, readable for this user only. A file that an agent left behind is replaced;
    /// one on which somebody answers is not.
    ///
    /// # Errors
    /// What the system says, or that another agent answers there.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::other("another agent answers there")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        let socket = Self {
            listener,
            path: path.to_owned(),
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(socket)
    }

    /// Answers for this agent until dropped, one after the other; nobody may take long.
    pub async fn serve(&self, agent: AgentHandle) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let answered = answer(stream, &agent);
                    // Who is too slow gets nothing; the next one may be better.
                    let _ = tokio::time::timeout(STATUS_ANSWER_MAX, answered).await;
                }
                Err(error) => {
                    tracing::warn!("status socket {}: {error}", self.path.display());
                    tokio::time::sleep(STATUS_ANSWER_MAX).await;
                }
            }
        }
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        // What stays behind is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: tokio::net::UnixStream, agent: &AgentHandle) -> io::Result<()> {
    let letter = read_letter(&stream).await?;
    let Some(detail) = agent.detail().await else {
        return Ok(());
    };
    let text = if letter == Format::Json.letter() {
        detail.json()
    } else {
        detail.lines()
    };
    write_all(&stream, text.as_bytes()).await
}

async fn read_letter(stream: &tokio::net::UnixStream) -> io::Result<u8> {
    let mut letter = [0];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut letter) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(letter[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &tokio::net::UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Asks the agent behind a socket how it is doing.
///
/// # Errors
/// What the system says; most likely that no agent answers there.
pub fn ask(path: &Path, format: Format) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(2 * STATUS_ANSWER_MAX))?;
    stream.write_all(&[format.letter()])?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    match text.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(text),
    }
}
