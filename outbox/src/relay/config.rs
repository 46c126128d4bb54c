//! Settings of a relay.

use std::fmt;
use std::str::FromStr;

use super::target::{Credentials, TargetError};
use crate::limits::KV_NAME_BYTES_MAX;
use crate::{KindPattern, Message};

/// What a relay speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayKind {
    /// NATS JetStream: published with acknowledgement, the id in `Nats-Msg-Id`.
    Nats,
    /// MQTT 3.1.1 with quality of service 1.
    Mqtt,
    /// AMQP 0.9.1 (RabbitMQ) with publisher confirms.
    Amqp,
    /// A signed POST for each message.
    Webhook,
}

/// Which messages a relay sends.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Types; empty: all.
    pub kinds: Vec<KindPattern>,
    /// Resources and all below them; empty: all.
    pub resources: Vec<String>,
}

/// A relay's settings.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Its name: of the transport beside messages, in metrics, for `outbox replay`.
    pub name: String,
    /// What it speaks.
    pub kind: RelayKind,
    /// Where the receiver is: `nats://`, `tls://`, `mqtt://`, `mqtts://`, `amqp://host:port/vhost`,
    /// `amqps://`, `http://` or `https://`.
    pub url: String,
    /// User and password, a token, or a webhook's secret.
    pub credentials: Option<Credentials>,
    /// Certificates in PEM of the authorities that vouch for the receiver; TLS needs some.
    pub authorities_pem: Vec<u8>,
    /// Lets it speak without TLS to a receiver that is not on this machine.
    pub plain: bool,
    /// First word of subjects, topics and routing keys.
    pub prefix: String,
    /// NATS: the stream, made if it does not exist. AMQP: a durable queue that gets everything,
    /// made if it does not exist; nothing: queues are somebody else's work.
    pub keep_in: Option<String>,
    /// Which messages it sends.
    pub wanted: Wanted,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayConfigError {
    /// The name.
    #[error("relay {0:?}: names are of a-z, 0-9, _ and -, 1 to {KV_NAME_BYTES_MAX} of them")]
    Name(String),
    /// The prefix.
    #[error(
        "prefix {0:?}: use words of letters, digits, _ and -, joined by dots, at most 64 bytes"
    )]
    Prefix(String),
    /// The name of a stream or queue.
    #[error("stream or queue {0:?}: use letters, digits, _ and -, 1 to 64 of them")]
    KeepIn(String),
    /// This program cannot speak it.
    #[error("this program was built without {0}; build it with the feature relay-{0}")]
    NotBuilt(RelayKind),
    /// The receiver's address, credentials or certificates.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No thread.
    #[error("relay: no thread: {0}")]
    Thread(std::io::Error),
}

impl RelayConfig {
    /// A relay of everything, without credentials.
    pub fn new(name: &str, kind: RelayKind, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            url: url.to_owned(),
            credentials: None,
            authorities_pem: Vec::new(),
            plain: false,
            prefix: "trilobite".to_owned(),
            keep_in: None,
            wanted: Wanted::default(),
        }
    }

    /// Checks everything but the receiver itself.
    ///
    /// # Errors
    /// [`RelayConfigError`].
    pub fn check(&self) -> Result<(), RelayConfigError> {
        check_name(&self.name)?;
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(bare);
        if self.prefix.len() > 64 || !self.prefix.split('.').all(is_word) {
            return Err(RelayConfigError::Prefix(self.prefix.clone()));
        }
        match &self.keep_in {
            Some(name) if name.len() > 64 || !is_word(name) => {
                Err(RelayConfigError::KeepIn(name.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl Wanted {
    /// Whether a message is among them.
    pub fn wants(&self, message: &Message) -> bool {
        let of_kind = self.kinds.iter().any(|kind| kind.matches(&message.kind));
        let under = |prefix: &String| message.resource.is_under(prefix);
        (self.kinds.is_empty() || of_kind)
            && (self.resources.is_empty() || self.resources.iter().any(under))
    }
}

/// A name that can stand beside messages, in a metric and in a thread's name.
pub(super) fn check_name(name: &str) -> Result<(), RelayConfigError> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let fits = (1..=KV_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    if fits {
        Ok(())
    } else {
        Err(RelayConfigError::Name(name.chars().take(80).collect()))
    }
}

impl fmt::Display for RelayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats => "nats",
            Self::Mqtt => "mqtt",
            Self::Amqp => "amqp",
            Self::Webhook => "webhook",
        })
    }
}

impl FromStr for RelayKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Nats, Self::Mqtt, Self::Amqp, Self::Webhook]
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no relay; use nats, mqtt, amqp or webhook"))
    }
}
