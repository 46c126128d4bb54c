//! NATS JetStream: each message published with an acknowledgement, its id in `Nats-Msg-Id`, so that
//! the stream takes what is sent again soon after only once.

mod link;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use super::config::{RelayConfig, RelayConfigError};
use super::limits::{ANSWER_PATIENCE, IDLE_MAX};
use super::line::{Tls, said};
use super::names;
use super::stop::Stop;
use super::target::{Credentials, Target};
use super::transport::{Sent, Transport};
use crate::{Message, MessageId};

pub(super) use link::{Delivered, Link};

/// Name of the stream unless the configuration says another.
const STREAM: &str = "TRILOBITE";

/// For how long the stream recognises an id. Longer than a broken connection takes to be made anew.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Sends to one stream.
pub(super) struct Nats {
    target: Target,
    tls: Tls,
    credentials: Option<Credentials>,
    prefix: String,
    stream: String,
    retention: Duration,
    link: Option<(Link, Instant)>,
}

/// JetStream's answer to whatever it was asked.
#[derive(Debug, serde::Deserialize)]
struct Answer {
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    seq: Option<u64>,
}

#[derive(Debug, serde::Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    description: String,
}

impl Nats {
    pub(super) fn new(config: &RelayConfig, retention: Duration) -> Result<Self, RelayConfigError> {
        let target = Target::of(config)?;
        Ok(Self {
            tls: Tls::new(&target, &config.authorities_pem)?,
            target,
            credentials: config.credentials.clone(),
            prefix: config.prefix.clone(),
            stream: config.keep_in.clone().unwrap_or(STREAM.to_owned()),
            retention,
            link: None,
        })
    }

    /// The connection, with the stream there; made anew if it was idle for long.
    fn link(&mut self, stop: &Stop) -> io::Result<Link> {
        let fresh = |(_, used): &(Link, Instant)| used.elapsed() < IDLE_MAX;
        if let Some((link, _)) = self.link.take().filter(fresh) {
            return Ok(link);
        }
        let mut link = Link::open(&self.target, &self.tls, self.credentials.as_ref(), stop)?;
        self.make_stream(&mut link)?;
        Ok(link)
    }

    /// Makes the stream where it does not exist; one that exists is left as it is.
    fn make_stream(&self, link: &mut Link) -> io::Result<()> {
        let info = format!("$JS.API.STREAM.INFO.{}", self.stream);
        match ask(link, &info, b"")?.error {
            None => return Ok(()),
            Some(refusal) if refusal.code == 404 => {}
            Some(refusal) => return Err(said(refusal.description)),
        }
        let wanted = serde_json::json!({
            "name": self.stream,
            "subjects": [format!("{}.>", self.prefix)],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": u64::try_from(self.retention.as_nanos()).unwrap_or(0),
            "duplicate_window": u64::try_from(DUPLICATE_WINDOW.as_nanos()).unwrap_or(0),
        });
        let create = format!("$JS.API.STREAM.CREATE.{}", self.stream);
        match ask(link, &create, wanted.to_string().as_bytes())?.error {
            None => Ok(()),
            Some(refusal) => Err(said(format!(
                "stream {} cannot be made: {}",
                self.stream, refusal.description
            ))),
        }
    }

    fn exchange(&mut self, messages: &[Message], stop: &Stop, sent: &mut Sent) -> io::Result<()> {
        let mut link = self.link(stop)?;
        let mut waiting: HashMap<String, MessageId> = HashMap::new();
        let mut bytes = Vec::new();
        for message in messages {
            let reply = link.reply_subject();
            let subject = names::dotted(&self.prefix, message);
            let header = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\n\r\n", message.id);
            let body = serde_json::to_vec(message)?;
            let all = header.len() + body.len();
            bytes.extend_from_slice(
                format!("HPUB {subject} {reply} {} {all}\r\n{header}", header.len()).as_bytes(),
            );
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(b"\r\n");
            waiting.insert(reply, message.id);
        }
        link.write(&bytes)?;
        let mut refused = None;
        while !waiting.is_empty() {
            let answer = link.next(Instant::now() + ANSWER_PATIENCE)?;
            // An answer to something older that we gave up waiting for.
            let Some(id) = waiting.remove(&answer.subject) else {
                continue;
            };
            match parse(&answer) {
                Ok(Answer {
                    error: None,
                    stream: Some(stream),
                    seq: Some(sequence),
                }) => sent.acked.push((id, format!("{stream} {sequence}"))),
                Ok(Answer {
                    error: Some(refusal),
                    ..
                }) => refused = Some(said(refusal.description)),
                Ok(_) => refused = Some(said("an answer without stream and sequence")),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            // What is refused is refused until the server is mended; then the stream may be gone.
            Some(error) => Err(error),
            None => {
                self.link = Some((link, Instant::now()));
                Ok(())
            }
        }
    }
}

impl Transport for Nats {
    fn kind(&self) -> &'static str {
        "nats"
    }

    fn send(&mut self, messages: &[Message], stop: &Stop) -> Sent {
        let mut sent = Sent::default();
        if let Err(error) = self.exchange(messages, stop, &mut sent) {
            sent.trouble = Some(format!("nats {}: {error}", self.target));
        }
        sent
    }
}

/// One question, one answer.
fn ask(link: &mut Link, subject: &str, body: &[u8]) -> io::Result<Answer> {
    let reply = link.reply_subject();
    let mut bytes = format!("PUB {subject} {reply} {}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\r\n");
    link.write(&bytes)?;
    let until = Instant::now() + ANSWER_PATIENCE;
    loop {
        let answer = link.next(until)?;
        if answer.subject == reply {
            return parse(&answer);
        }
    }
}

fn parse(answer: &Delivered) -> io::Result<Answer> {
    if answer.is_unheard {
        return Err(said(
            "nobody answers: is JetStream on, and does a stream take the subject?",
        ));
    }
    serde_json::from_slice(&answer.body).map_err(|error| said(format!("an odd answer: {error}")))
}
