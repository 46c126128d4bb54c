//! A connection to a broker: bytes over TCP or TLS, blocking in slices so that a stop is seen.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::limits::{ANSWER_PATIENCE, CONNECT_PATIENCE};
use super::stop::Stop;
use super::target::{Target, TargetError};

/// Longest time for which a read does not look at the stop.
const SLICE: Duration = Duration::from_millis(100);

/// Bytes asked of the system at once.
const READ_BYTES: usize = 16 * 1024;

/// TLS for one host, where its address asks for it.
#[derive(Debug, Clone)]
pub(super) struct Tls(Option<(Arc<ClientConfig>, ServerName<'static>)>);

/// A connection and what was read from it but not yet used.
pub(super) struct Line {
    stream: Stream,
    buffer: Vec<u8>,
    stop: Stop,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Tls {
    pub(super) fn new(target: &Target, authorities_pem: &[u8]) -> Result<Self, TargetError> {
        if !target.is_encrypted {
            return Ok(Self(None));
        }
        let bad = |error: String| TargetError::Authority(error);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities_pem) {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| bad(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TargetError::NoAuthority(target.to_string()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| TargetError::Host(target.host.clone()))?;
        Ok(Self(Some((Arc::new(config), name))))
    }
}

impl Line {
    /// Connects without TLS, also where it is wanted later ([`Self::secure`]).
    pub(super) fn connect(target: &Target, stop: &Stop) -> io::Result<Self> {
        let addresses = (target.host.as_str(), target.port).to_socket_addrs()?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(SLICE))?;
                    stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
                    return Ok(Self {
                        stream: Stream::Plain(stream),
                        buffer: Vec::new(),
                        stop: stop.clone(),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Goes on under TLS, if the address asks for it. Nothing that was read before counts after.
    pub(super) fn secure(self, tls: &Tls) -> io::Result<Self> {
        let (Some((config, name)), Stream::Plain(stream)) = (&tls.0, &self.stream) else {
            return Ok(self);
        };
        if !self.buffer.is_empty() {
            return Err(io::Error::other("the broker spoke out of turn before TLS"));
        }
        let connection =
            ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
        let stream = StreamOwned::new(connection, stream.try_clone()?);
        Ok(Self {
            stream: Stream::Tls(Box::new(stream)),
            ..self
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let until = Instant::now() + ANSWER_PATIENCE;
        let mut left = bytes;
        while !left.is_empty() {
            let written = match &mut self.stream {
                Stream::Plain(stream) => stream.write(left),
                Stream::Tls(stream) => stream.write(left),
            };
            match written {
                Ok(0) => return Err(closed()),
                Ok(count) => left = &left[count..],
                Err(error) => self.may_go_on(error, until)?,
            }
        }
        loop {
            let flushed = match &mut self.stream {
                Stream::Plain(stream) => stream.flush(),
                Stream::Tls(stream) => stream.flush(),
            };
            match flushed {
                Ok(()) => return Ok(()),
                Err(error) => self.may_go_on(error, until)?,
            }
        }
    }

    /// What was read and not used.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Uses the first bytes of the buffer.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count.min(self.buffer.len())).collect()
    }

    /// Waits for at least one byte more. At `until` it fails with `TimedOut`.
    pub(super) fn read_more(&mut self, until: Instant) -> io::Result<()> {
        let mut bytes = [0; READ_BYTES];
        loop {
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut bytes),
                Stream::Tls(stream) => stream.read(&mut bytes),
            };
            match read {
                Ok(0) => return Err(closed()),
                Ok(count) => {
                    self.buffer.extend_from_slice(&bytes[..count]);
                    return Ok(());
                }
                Err(error) => self.may_go_on(error, until)?,
            }
        }
    }

    /// Whether an interrupted call is to be made again.
    fn may_go_on(&self, error: io::Error, until: Instant) -> io::Result<()> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        if !matches!(error.kind(), Interrupted | TimedOut | WouldBlock) {
            return Err(error);
        }
        if self.stop.is_set() {
            return Err(io::Error::new(Interrupted, "stopped"));
        }
        if Instant::now() >= until {
            return Err(io::Error::new(TimedOut, "no answer"));
        }
        Ok(())
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the other side closed the connection",
    )
}

/// A broken rule of the protocol, or an answer that says no.
pub(super) fn said(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(super::health::words(&what.to_string()))
}
