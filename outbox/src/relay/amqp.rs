//! AMQP 0.9.1 (RabbitMQ) with publisher confirms: to a durable topic exchange, persistent, the id as
//! `message-id`, mandatory: what no queue takes comes back and does not count as acknowledged.

mod frame;
mod link;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Instant;

use super::config::{RelayConfig, RelayConfigError};
use super::limits::{ANSWER_PATIENCE, IDLE_MAX};
use super::line::{Tls, said};
use super::names;
use super::stop::Stop;
use super::target::{Credentials, Target};
use super::transport::{Sent, Transport};
use crate::{Message, MessageId};

use link::{Confirm, Link, Place};

/// Sends to one exchange, which has the prefix as its name.
pub(super) struct Amqp {
    target: Target,
    tls: Tls,
    credentials: Option<Credentials>,
    place: Place,
    link: Option<(Link, Instant)>,
}

impl Amqp {
    pub(super) fn new(config: &RelayConfig) -> Result<Self, RelayConfigError> {
        let target = Target::of(config)?;
        Ok(Self {
            tls: Tls::new(&target, &config.authorities_pem)?,
            place: Place {
                vhost: match target.path.as_str() {
                    "" => "/".to_owned(),
                    path => path.to_owned(),
                },
                exchange: config.prefix.clone(),
                queue: config.keep_in.clone(),
            },
            target,
            credentials: config.credentials.clone(),
            link: None,
        })
    }

    fn exchange(&mut self, messages: &[Message], stop: &Stop, sent: &mut Sent) -> io::Result<()> {
        let fresh = |(_, used): &(Link, Instant)| used.elapsed() < IDLE_MAX;
        let mut link = match self.link.take().filter(fresh) {
            Some((link, _)) => link,
            None => Link::open(
                &self.target,
                &self.tls,
                self.credentials.as_ref(),
                &self.place,
                stop,
            )?,
        };
        let mut waiting: BTreeMap<u64, MessageId> = BTreeMap::new();
        let mut bytes = Vec::new();
        for message in messages {
            let key = names::routing_key(&self.place.exchange, message);
            let tag = link.publish(&mut bytes, &self.place.exchange, &key, message)?;
            waiting.insert(tag, message.id);
        }
        link.write(&bytes)?;
        let mut returned: HashSet<MessageId> = HashSet::new();
        let mut trouble = None;
        while !waiting.is_empty() {
            match link.next(Instant::now() + ANSWER_PATIENCE)? {
                Confirm::Returned(id, why) => {
                    returned.insert(id);
                    trouble = Some(said(format!(
                        "exchange {} has no queue for a message ({why}); bind one, or name one with keep_in",
                        self.place.exchange
                    )));
                }
                Confirm::Acked(tag, with_older) => {
                    for (tag, id) in take(&mut waiting, tag, with_older) {
                        if !returned.contains(&id) {
                            sent.acked.push((id, format!("confirm {tag}")));
                        }
                    }
                }
                Confirm::Refused(tag, with_older) => {
                    take(&mut waiting, tag, with_older);
                    trouble = Some(said("the broker could not keep a message"));
                }
            }
        }
        self.link = Some((link, Instant::now()));
        trouble.map_or(Ok(()), Err)
    }
}

/// The messages that a confirm is about: one, or all up to it.
fn take(
    waiting: &mut BTreeMap<u64, MessageId>,
    tag: u64,
    with_older: bool,
) -> BTreeMap<u64, MessageId> {
    if with_older {
        let younger = waiting.split_off(&tag.saturating_add(1));
        std::mem::replace(waiting, younger)
    } else {
        waiting
            .remove(&tag)
            .map(|id| (tag, id))
            .into_iter()
            .collect()
    }
}

impl Transport for Amqp {
    fn kind(&self) -> &'static str {
        "amqp"
    }

    fn send(&mut self, messages: &[Message], stop: &Stop) -> Sent {
        let mut sent = Sent::default();
        if let Err(error) = self.exchange(messages, stop, &mut sent) {
            sent.trouble = Some(format!("amqp {}: {error}", self.target));
        }
        sent
    }
}
