//! The other end: messages from a broker, for an inbox that also polls.
//!
//! A plain subscription that loses whatever is sent while it is away: it makes messages come sooner,
//! and polling makes sure that they come.

use std::io;
use std::time::{Duration, Instant};

use super::config::{RelayConfig, RelayConfigError, RelayKind};
use super::limits::IDLE_MAX;
use super::line::Tls;
use super::stop::Stop;
use super::target::{Credentials, Target};
use crate::Message;

/// Which broker, and what is listened to.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// `nats://`, `tls://`, `mqtt://` or `mqtts://`.
    pub url: String,
    /// User and password, or a token.
    pub credentials: Option<Credentials>,
    /// Certificates in PEM of the authorities that vouch for the broker.
    pub authorities_pem: Vec<u8>,
    /// Lets it speak without TLS to a broker that is not on this machine.
    pub plain: bool,
    /// First word of subjects or topics, as the relay has it.
    pub prefix: String,
}

/// Hears messages of a broker, and connects again when it has to.
pub struct Listener {
    kind: RelayKind,
    target: Target,
    tls: Tls,
    config: ListenerConfig,
    stop: Stop,
    link: Option<Link>,
}

enum Link {
    #[cfg(feature = "relay-nats")]
    Nats(super::nats::Link),
    #[cfg(feature = "relay-mqtt")]
    Mqtt(super::mqtt::Link, Instant),
}

impl Listener {
    /// A listener that has not connected yet.
    ///
    /// # Errors
    /// [`RelayConfigError`] for settings that cannot be used.
    pub fn new(config: ListenerConfig, stop: Stop) -> Result<Self, RelayConfigError> {
        let scheme = config.url.split("://").next().unwrap_or_default();
        let kind = match scheme {
            "mqtt" | "mqtts" => RelayKind::Mqtt,
            _ => RelayKind::Nats,
        };
        let known = RelayConfig {
            prefix: config.prefix.clone(),
            plain: config.plain,
            ..RelayConfig::new("listener", kind, &config.url)
        };
        known.check()?;
        let target = Target::of(&known)?;
        let tls = Tls::new(&target, &config.authorities_pem)?;
        Ok(Self {
            kind,
            target,
            tls,
            config,
            stop,
            link: None,
        })
    }

    /// The next message, or nothing if none came within `patience`. What is no message of ours is
    /// passed over.
    ///
    /// # Errors
    /// A broker that does not answer or breaks the rules; the next call connects again.
    pub fn next(&mut self, patience: Duration) -> io::Result<Option<Message>> {
        let until = Instant::now() + patience;
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.open()?,
        };
        loop {
            let body = match self.hear(&mut link, until) {
                Ok(body) => body,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.link = Some(link);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            if let Ok(message) = serde_json::from_slice(&body) {
                self.link = Some(link);
                return Ok(Some(message));
            }
        }
    }

    fn open(&self) -> io::Result<Link> {
        let (credentials, stop) = (self.config.credentials.as_ref(), &self.stop);
        match self.kind {
            #[cfg(feature = "relay-nats")]
            RelayKind::Nats => {
                let mut link = super::nats::Link::open(&self.target, &self.tls, credentials, stop)?;
                link.subscribe(&format!("{}.>", self.config.prefix))?;
                Ok(Link::Nats(link))
            }
            #[cfg(feature = "relay-mqtt")]
            RelayKind::Mqtt => {
                let mut link = super::mqtt::Link::open(&self.target, &self.tls, credentials, stop)?;
                link.subscribe(&format!("{}/#", self.config.prefix.replace('.', "/")))?;
                Ok(Link::Mqtt(link, Instant::now()))
            }
            kind => Err(io::Error::other(format!("no listener for {kind}"))),
        }
    }

    fn hear(&self, link: &mut Link, until: Instant) -> io::Result<Vec<u8>> {
        match link {
            #[cfg(feature = "relay-nats")]
            Link::Nats(link) => Ok(link.next(until)?.body),
            #[cfg(feature = "relay-mqtt")]
            Link::Mqtt(link, pinged) => loop {
                if pinged.elapsed() > IDLE_MAX {
                    link.ping()?;
                    *pinged = Instant::now();
                }
                if let super::mqtt::Packet::Message(body) = link.next(until)? {
                    return Ok(body);
                }
            },
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
