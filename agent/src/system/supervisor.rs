//! Tells the one who started this process (systemd) that it is ready, and that it lives.
//!
//! Source: sd_notify(3): datagrams of `KEY=VALUE` to the socket that `NOTIFY_SOCKET` names.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The one who started this process, if it wants to be told.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often it wants a sign of life, halved.
    beat: Option<Duration>,
}

impl Supervisor {
    /// As the environment says.
    pub(crate) fn from_environment() -> Self {
        let text = |name| std::env::var(name).ok();
        let name = text("NOTIFY_SOCKET");
        let of_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog_us = text("WATCHDOG_USEC").and_then(|usec| usec.parse().ok());
        Self::new(name.as_deref(), watchdog_us.filter(|_| of_us))
    }

    fn new(name: Option<&str>, watchdog_us: Option<u64>) -> Self {
        let socket = name.and_then(|name| match connect(name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET {name}: {error}; nobody is told that we are ready");
                None
            }
        });
        let beat = watchdog_us.map(|us| Duration::from_micros(us / 2));
        Self {
            beat: beat.filter(|beat| socket.is_some() && !beat.is_zero()),
            socket,
        }
    }

    /// How often to call [`Supervisor::alive`].
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.beat
    }

    /// The agent runs.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The agent's loop goes round.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The agent is about to end.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, word: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(word.as_bytes())
        {
            tracing::debug!("{word} was not told: {error}");
        }
    }
}

/// A name that begins with `@` is in the abstract namespace of Linux.
fn connect(name: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not listen must not hold us up.
    socket.set_nonblocking(true)?;
    match name.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.connect_addr(&address)?;
        }
        _ => socket.connect(name)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_a_socket_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::new(path.to_str(), Some(3_000_000));
        assert_eq!(supervisor.beat(), Some(Duration::from_millis(1_500)));
        supervisor.ready();
        supervisor.alive();
        supervisor.stopping();
        for expected in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
            let mut word = [0; 32];
            let len = listener.recv(&mut word).unwrap();
            assert_eq!(&word[..len], expected.as_bytes());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_name_works_too() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("trilobite-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        Supervisor::new(Some(&format!("@{name}")), None).ready();
        let mut word = [0; 32];
        assert_eq!(listener.recv(&mut word).unwrap(), "READY=1".len());
    }

    #[test]
    fn without_a_supervisor_nothing_is_told() {
        let nobody = Supervisor::new(None, Some(3_000_000));
        assert_eq!(nobody.beat(), None);
        nobody.ready();
        let gone = Supervisor::new(Some("/nowhere/at/all"), Some(3_000_000));
        assert_eq!(gone.beat(), None);
    }
}
