//! MQTT 3.1.1 with quality of service 1: acknowledged when the broker has it. The id is in the
//! message; this version of MQTT has no headers.
//!
//! A broker acknowledges also what nobody is subscribed to, and what it drops because a subscriber's
//! queue is full: whoever must not miss anything polls.

mod link;

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use super::config::{RelayConfig, RelayConfigError};
use super::limits::{ANSWER_PATIENCE, IDLE_MAX};
use super::line::Tls;
use super::names;
use super::stop::Stop;
use super::target::{Credentials, Target};
use super::transport::{Sent, Transport};
use crate::{Message, MessageId};

pub(super) use link::{Link, Packet};

/// Sends to one broker.
pub(super) struct Mqtt {
    target: Target,
    tls: Tls,
    credentials: Option<Credentials>,
    prefix: String,
    link: Option<(Link, Instant)>,
}

impl Mqtt {
    pub(super) fn new(config: &RelayConfig) -> Result<Self, RelayConfigError> {
        let target = Target::of(config)?;
        Ok(Self {
            tls: Tls::new(&target, &config.authorities_pem)?,
            target,
            credentials: config.credentials.clone(),
            prefix: config.prefix.clone(),
            link: None,
        })
    }

    fn exchange(&mut self, messages: &[Message], stop: &Stop, sent: &mut Sent) -> io::Result<()> {
        let fresh = |(_, used): &(Link, Instant)| used.elapsed() < IDLE_MAX;
        let mut link = match self.link.take().filter(fresh) {
            Some((link, _)) => link,
            None => Link::open(&self.target, &self.tls, self.credentials.as_ref(), stop)?,
        };
        let mut waiting: HashMap<u16, MessageId> = HashMap::new();
        let mut bytes = Vec::new();
        // A batch is far smaller than the numbers there are, and nothing of an older one waits on
        // this connection.
        for (message, number) in messages.iter().zip(1..) {
            let topic = names::slashed(&self.prefix, message);
            link::publish(&mut bytes, &topic, number, &serde_json::to_vec(message)?);
            waiting.insert(number, message.id);
        }
        link.write(&bytes)?;
        while !waiting.is_empty() {
            if let Packet::Acknowledged(number) = link.next(Instant::now() + ANSWER_PATIENCE)?
                && let Some(id) = waiting.remove(&number)
            {
                sent.acked.push((id, "PUBACK".to_owned()));
            }
        }
        self.link = Some((link, Instant::now()));
        Ok(())
    }
}

impl Transport for Mqtt {
    fn kind(&self) -> &'static str {
        "mqtt"
    }

    fn send(&mut self, messages: &[Message], stop: &Stop) -> Sent {
        let mut sent = Sent::default();
        if let Err(error) = self.exchange(messages, stop, &mut sent) {
            sent.trouble = Some(format!("mqtt {}: {error}", self.target));
        }
        sent
    }
}
