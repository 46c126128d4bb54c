//! A connection with one channel, as far as a publisher needs it.

use std::io;
use std::time::Instant;

use super::frame::{self, BODY, Frame, HEADER, METHOD, Method, Reader, Writer};
use crate::relay::limits::ANSWER_PATIENCE;
use crate::relay::line::{Line, Tls, said};
use crate::relay::stop::Stop;
use crate::relay::target::{Credentials, Target};
use crate::{Message, MessageId};

const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CHANNEL_CLOSE: Method = (20, 40);
const EXCHANGE_DECLARE: Method = (40, 10);
const EXCHANGE_DECLARE_OK: Method = (40, 11);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const QUEUE_BIND: Method = (50, 20);
const QUEUE_BIND_OK: Method = (50, 21);
const PUBLISH: Method = (60, 40);
const RETURN: Method = (60, 50);
const ACK: Method = (60, 80);
const NACK: Method = (60, 120);
const CONFIRM_SELECT: Method = (85, 10);
const CONFIRM_SELECT_OK: Method = (85, 11);

const CHANNEL: u16 = 1;
const DURABLE: u8 = 0b10;
const MANDATORY: u8 = 0b1;

/// Properties: content type, delivery mode, message id, timestamp, type, application.
const PROPERTIES: u16 = 1 << 15 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 3;
const PERSISTENT: u8 = 2;

/// Where messages go.
pub(super) struct Place {
    pub(super) vhost: String,
    pub(super) exchange: String,
    pub(super) queue: Option<String>,
}

/// A connection with one channel that confirms what it takes.
pub(super) struct Link {
    line: Line,
    frame_max: usize,
    /// The broker counts what we publish; so do we.
    published: u64,
}

/// What the broker says of what was published.
#[derive(Debug)]
pub(super) enum Confirm {
    /// Kept: this one, or all up to it.
    Acked(u64, bool),
    /// Not kept.
    Refused(u64, bool),
    /// No queue takes it. A confirm of it follows nevertheless.
    Returned(MessageId, String),
}

impl Link {
    pub(super) fn open(
        target: &Target,
        tls: &Tls,
        credentials: Option<&Credentials>,
        place: &Place,
        stop: &Stop,
    ) -> io::Result<Self> {
        let mut link = Self {
            line: Line::connect(target, stop)?.secure(tls)?,
            frame_max: 4096,
            published: 0,
        };
        link.write(b"AMQP\0\0\x09\x01")?;
        link.expect(START)?;
        let login = credentials.and_then(Credentials::user_and_password);
        let (user, password) = login.unwrap_or(("guest", "guest"));
        // Without properties of ours; the broker tells refusals by hanging up.
        let hello = Writer::method(START_OK)
            .u32(0)
            .short("PLAIN")
            .long(format!("\0{user}\0{password}").as_bytes())
            .short("en_US");
        link.call(hello, 0)?;
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => said("the broker refuses our credentials"),
            _ => error,
        };
        let tune = link.expect(TUNE).map_err(refused)?;
        link.tune(&tune)?;
        link.call(Writer::method(OPEN).short(&place.vhost).short("").u8(0), 0)?;
        link.expect(OPEN_OK)?;
        link.call(Writer::method(CHANNEL_OPEN).short(""), CHANNEL)?;
        link.expect(CHANNEL_OPEN_OK)?;
        link.declare(place)?;
        link.call(Writer::method(CONFIRM_SELECT).u8(0), CHANNEL)?;
        link.expect(CONFIRM_SELECT_OK)?;
        Ok(link)
    }

    /// Takes the broker's limits; no heartbeats, since a connection that idles is made anew.
    fn tune(&mut self, tune: &Frame) -> io::Result<()> {
        let mut reader = Reader::new(&tune.body);
        reader.method()?;
        let (channels, frame_max) = (reader.u16()?, reader.u32()?);
        let ours = 131_072;
        let frame_max = if frame_max == 0 {
            ours
        } else {
            frame_max.min(ours)
        };
        self.frame_max = usize::try_from(frame_max).unwrap_or(4096).max(4096);
        let answer = Writer::method(TUNE_OK).u16(channels).u32(frame_max).u16(0);
        self.call(answer, 0)
    }

    /// Makes the exchange, and the queue with its binding if there is to be one.
    fn declare(&mut self, place: &Place) -> io::Result<()> {
        let declare = Writer::method(EXCHANGE_DECLARE)
            .u16(0)
            .short(&place.exchange)
            .short("topic")
            .u8(DURABLE)
            .u32(0);
        self.call(declare, CHANNEL)?;
        self.expect(EXCHANGE_DECLARE_OK)?;
        let Some(queue) = &place.queue else {
            return Ok(());
        };
        let declare = Writer::method(QUEUE_DECLARE)
            .u16(0)
            .short(queue)
            .u8(DURABLE)
            .u32(0);
        self.call(declare, CHANNEL)?;
        self.expect(QUEUE_DECLARE_OK)?;
        let bind = Writer::method(QUEUE_BIND)
            .u16(0)
            .short(queue)
            .short(&place.exchange)
            .short("#")
            .u8(0)
            .u32(0);
        self.call(bind, CHANNEL)?;
        self.expect(QUEUE_BIND_OK).map(|_| ())
    }

    /// Adds a message to bytes that are to be sent; returns its number.
    pub(super) fn publish(
        &mut self,
        bytes: &mut Vec<u8>,
        exchange: &str,
        key: &str,
        message: &Message,
    ) -> io::Result<u64> {
        let body = serde_json::to_vec(message)?;
        // A message is far smaller than the least frame that the protocol allows.
        if body.len() + 8 > self.frame_max {
            return Err(said("a message that is longer than a frame"));
        }
        Writer::method(PUBLISH)
            .u16(0)
            .short(exchange)
            .short(key)
            .u8(MANDATORY)
            .frame(bytes, METHOD, CHANNEL);
        let seconds = u64::try_from(message.time.as_micros() / 1_000_000).unwrap_or(0);
        Writer::default()
            .u16(PUBLISH.0)
            .u16(0)
            .u64(body.len() as u64)
            .u16(PROPERTIES)
            .short("application/json")
            .u8(PERSISTENT)
            .short(&message.id.to_string())
            .u64(seconds)
            .short(message.kind.as_str())
            .short("trilobite-outbox")
            .frame(bytes, HEADER, CHANNEL);
        frame::frame(bytes, BODY, CHANNEL, &body);
        self.published += 1;
        Ok(self.published)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.write(bytes)
    }

    /// What the broker says next of what was published.
    pub(super) fn next(&mut self, until: Instant) -> io::Result<Confirm> {
        loop {
            let frame = self.read(until)?;
            if frame.kind != METHOD {
                continue;
            }
            let mut reader = Reader::new(&frame.body);
            match reader.method()? {
                ACK => return Ok(Confirm::Acked(reader.u64()?, reader.u8()? & 1 == 1)),
                NACK => return Ok(Confirm::Refused(reader.u64()?, reader.u8()? & 1 == 1)),
                RETURN => {
                    let (code, text) = (reader.u16()?, reader.short()?);
                    let id = self.returned(until)?;
                    return Ok(Confirm::Returned(id, format!("{code} {text}")));
                }
                method => hung_up(method, &mut reader)?,
            }
        }
    }

    /// The id of a message that comes back: its body is what we sent.
    fn returned(&mut self, until: Instant) -> io::Result<MessageId> {
        let header = self.read(until)?;
        let mut reader = Reader::new(&header.body);
        let (_, _, length) = (reader.u16()?, reader.u16()?, reader.u64()?);
        let mut body = Vec::new();
        while (body.len() as u64) < length {
            let part = self.read(until)?;
            if part.kind != BODY || part.body.is_empty() {
                return Err(said("a message that comes back without its body"));
            }
            body.extend_from_slice(&part.body);
            if body.len() > self.frame_max {
                return Err(said("a message that comes back longer than it was"));
            }
        }
        serde_json::from_slice::<Message>(&body)
            .map(|message| message.id)
            .map_err(|_| said("a message comes back that is not ours"))
    }

    fn call(&mut self, method: Writer, channel: u16) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::frame(&mut bytes, METHOD, channel, &method.done());
        self.write(&bytes)
    }

    fn expect(&mut self, wanted: Method) -> io::Result<Frame> {
        let until = Instant::now() + ANSWER_PATIENCE;
        loop {
            let frame = self.read(until)?;
            if frame.kind != METHOD {
                continue;
            }
            let mut reader = Reader::new(&frame.body);
            let method = reader.method()?;
            if method == wanted {
                return Ok(frame);
            }
            hung_up(method, &mut reader)?;
            return Err(said(format!("method {method:?} where {wanted:?} belongs")));
        }
    }

    fn read(&mut self, until: Instant) -> io::Result<Frame> {
        loop {
            if let Some((frame, length)) = frame::parse(self.line.buffer())? {
                self.line.take(length);
                return Ok(frame);
            }
            self.line.read_more(until)?;
        }
    }
}

/// The broker's reason, if it closes the channel or the connection.
fn hung_up(method: Method, reader: &mut Reader<'_>) -> io::Result<()> {
    if method == CLOSE || method == CHANNEL_CLOSE {
        let (code, text) = (reader.u16()?, reader.short()?);
        return Err(said(format!("the broker hangs up: {code} {text}")));
    }
    Ok(())
}
