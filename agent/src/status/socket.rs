//! The status socket: who may open it gets one answer, as JSON or as lines, and is shown out.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
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
    /// Opens the socket, for this user only from its first moment. A socket that an agent left behind
    /// is replaced; one on which somebody answers, and whatever else lies there, is not.
    ///
    /// # Errors
    /// What the system says, that another agent answers there, or that no socket lies there.
    pub fn bind(path: &Path) -> io::Result<Self> {
        refuse_what_stays(path)?;
        let listener = bind_privately(path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
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
        let _ = fs::remove_file(&self.path);
    }
}

/// Refuses a path that holds anything but a socket on which nobody answers.
fn refuse_what_stays(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let what = match () {
            () if kind.is_file() => "an ordinary file",
            () if kind.is_dir() => "a folder",
            () if kind.is_symlink() => "a symbolic link",
            () => "a device or pipe",
        };
        let text = format!("{what} lies there and was left alone");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::other("another agent answers there")),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        },
    }
}

/// Binds in a folder that only this user may enter, since a new socket's mode is the umask's, and
/// moves the socket out when its mode is right. That replaces what was left behind.
fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    // Short, because the path of a socket may have some hundred bytes only.
    let folder = path.with_file_name(format!(".{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = folder.join("s");
    let listener = UnixListener::bind(&bound).and_then(|listener| {
        fs::set_permissions(&bound, Permissions::from_mode(0o600))?;
        fs::rename(&bound, path)?;
        Ok(listener)
    });
    if listener.is_err() {
        // It may not have come so far as to be there.
        let _ = fs::remove_file(&bound);
    }
    fs::remove_dir(&folder)?;
    listener
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &Path) -> io::Result<StatusSocket> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async { StatusSocket::bind(path) })
    }

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect()
    }

    #[test]
    fn a_socket_is_private_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        let socket = bind(&path).expect("a socket");
        let mode = fs::metadata(&path).expect("bound").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["status"]);
        let error = bind(&path).expect_err("the first one listens");
        assert_eq!(error.to_string(), "another agent answers there");
        drop(socket);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        bind(&path).expect("nobody answers");
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        fs::write(&path, "precious").expect("a file");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        for (path, what) in [
            (path.as_path(), "an ordinary file"),
            (folder.path(), "a folder"),
            (&link, "a symbolic link"),
        ] {
            let error = bind(path).expect_err("no socket").to_string();
            assert!(error.starts_with(what), "{error}");
        }
        assert_eq!(fs::read(&path).expect("kept"), b"precious");
        assert_eq!(names(folder.path()).len(), 2);
    }
}
