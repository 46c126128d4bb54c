//! What a relay needs of a protocol.

use std::time::Duration;

use super::config::{RelayConfig, RelayConfigError, RelayKind};
use super::stop::Stop;
use crate::{Message, MessageId};

/// Sends messages to one receiver. It connects when it has to, and again after a failure.
pub trait Transport: Send {
    /// What it speaks, for people and metrics.
    fn kind(&self) -> &'static str;

    /// Sends messages and waits for their acknowledgements, within bounds; returns early when
    /// `stop` is set. What is in neither list of the answer is sent again later.
    fn send(&mut self, messages: &[Message], stop: &Stop) -> Sent;
}

/// What became of messages that were sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Acknowledged: the receiver has them as safely as it ever will. With what it called each.
    pub acked: Vec<(MessageId, String)>,
    /// The receiver refuses this very message and may take others. With its words.
    pub refused: Vec<(MessageId, String)>,
    /// Lines for the delivery log.
    pub log: Vec<(MessageId, Delivery)>,
    /// Why the rest is in neither list.
    pub trouble: Option<String>,
}

/// One line of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The receiver's status, if it said one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Sent {
    /// None of them, for this reason.
    pub fn none(trouble: impl Into<String>) -> Self {
        Self {
            trouble: Some(trouble.into()),
            ..Self::default()
        }
    }
}

/// The transport that the configuration asks for.
pub(super) fn open(
    config: &RelayConfig,
    retention: Duration,
) -> Result<Box<dyn Transport>, RelayConfigError> {
    config.check()?;
    match config.kind {
        #[cfg(feature = "relay-nats")]
        RelayKind::Nats => Ok(Box::new(super::nats::Nats::new(config, retention)?)),
        #[cfg(feature = "relay-mqtt")]
        RelayKind::Mqtt => Ok(Box::new(super::mqtt::Mqtt::new(config)?)),
        #[cfg(feature = "relay-amqp")]
        RelayKind::Amqp => Ok(Box::new(super::amqp::Amqp::new(config)?)),
        #[cfg(feature = "relay-webhook")]
        RelayKind::Webhook => Ok(Box::new(super::webhook::Webhook::new(config)?)),
        #[allow(unreachable_patterns, reason = "with all features every kind is there")]
        kind => {
            let _ = retention;
            Err(RelayConfigError::NotBuilt(kind))
        }
    }
}
