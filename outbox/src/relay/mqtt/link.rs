//! Packets of MQTT 3.1.1, as far as a publisher and a plain subscriber need them.

use std::io;
use std::time::Instant;

use crate::relay::limits::{ANSWER_PATIENCE, FRAME_BYTES_MAX};
use crate::relay::line::{Line, Tls, said};
use crate::relay::stop::Stop;
use crate::relay::target::{Credentials, Target};

/// A connection that the broker has accepted.
pub(in crate::relay) struct Link(Line);

/// What the broker sends.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::relay) enum Packet {
    /// It accepts the connection, or says why not.
    Connected(u8),
    /// It has the message with this number.
    Acknowledged(u16),
    /// It answers a subscription.
    Subscribed(u8),
    /// Somebody's message.
    Message(Vec<u8>),
    /// Anything else.
    Other,
}

impl Link {
    pub(in crate::relay) fn open(
        target: &Target,
        tls: &Tls,
        credentials: Option<&Credentials>,
        stop: &Stop,
    ) -> io::Result<Self> {
        let mut link = Self(Line::connect(target, stop)?.secure(tls)?);
        let mut drawn = [0; 8];
        getrandom::fill(&mut drawn).map_err(|error| said(format!("no random bytes: {error}")))?;
        // 23 bytes at most are allowed everywhere.
        let name = format!("tril-{:016x}", u64::from_le_bytes(drawn));
        link.write(&connect(&name, credentials))?;
        let until = Instant::now() + ANSWER_PATIENCE;
        match link.next(until)? {
            Packet::Connected(0) => Ok(link),
            Packet::Connected(4 | 5) => Err(said("the broker refuses our credentials")),
            Packet::Connected(code) => Err(said(format!("the broker refuses us with code {code}"))),
            _ => Err(said("not an answer to a connection")),
        }
    }

    /// Asks for everything under a topic filter, each once at most.
    pub(in crate::relay) fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        let mut body = 1_u16.to_be_bytes().to_vec();
        text(&mut body, filter.as_bytes());
        body.push(0);
        let mut bytes = Vec::new();
        packet(&mut bytes, 0x82, &body);
        self.write(&bytes)?;
        let until = Instant::now() + ANSWER_PATIENCE;
        loop {
            match self.next(until)? {
                Packet::Subscribed(0x80) => {
                    return Err(said("the broker refuses the subscription"));
                }
                Packet::Subscribed(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Shows the broker that we live.
    pub(in crate::relay) fn ping(&mut self) -> io::Result<()> {
        self.write(&[0xc0, 0])
    }

    pub(in crate::relay) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write(bytes)
    }

    /// The next packet.
    pub(in crate::relay) fn next(&mut self, until: Instant) -> io::Result<Packet> {
        loop {
            if let Some((packet, length)) = parse(self.0.buffer())? {
                self.0.take(length);
                return Ok(packet);
            }
            self.0.read_more(until)?;
        }
    }
}

/// A clean session without a will. Keep-alive is off: a connection that idles is made anew.
fn connect(name: &str, credentials: Option<&Credentials>) -> Vec<u8> {
    let login = credentials.and_then(Credentials::user_and_password);
    let flags = if login.is_some() { 0xc2 } else { 0x02 };
    let mut body = Vec::new();
    text(&mut body, b"MQTT");
    body.extend_from_slice(&[4, flags, 0, 0]);
    text(&mut body, name.as_bytes());
    if let Some((user, password)) = login {
        text(&mut body, user.as_bytes());
        text(&mut body, password.as_bytes());
    }
    let mut bytes = Vec::new();
    packet(&mut bytes, 0x10, &body);
    bytes
}

/// Adds a message with quality of service 1, not retained.
pub(super) fn publish(bytes: &mut Vec<u8>, topic: &str, number: u16, message: &[u8]) {
    let mut body = Vec::with_capacity(topic.len() + message.len() + 4);
    text(&mut body, topic.as_bytes());
    body.extend_from_slice(&number.to_be_bytes());
    body.extend_from_slice(message);
    packet(bytes, 0x32, &body);
}

fn packet(bytes: &mut Vec<u8>, kind: u8, body: &[u8]) {
    bytes.push(kind);
    let mut left = body.len();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or(0);
        left >>= 7;
        if left == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend_from_slice(body);
}

/// A text with its length. Ours are short; one that was not would be cut.
fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&text[..usize::from(length)]);
}

/// The first packet in a buffer and its length; nothing while it is not whole.
fn parse(buffer: &[u8]) -> io::Result<Option<(Packet, usize)>> {
    let Some((&kind, rest)) = buffer.split_first() else {
        return Ok(None);
    };
    let mut length = 0_usize;
    let mut head = 1;
    loop {
        let Some(&byte) = rest.get(head - 1) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << (7 * (head - 1));
        head += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if head > 4 {
            return Err(said("not MQTT: a length of more than four bytes"));
        }
    }
    if length > FRAME_BYTES_MAX {
        return Err(said("a packet that is too long"));
    }
    let Some(body) = buffer.get(head..head + length) else {
        return Ok(None);
    };
    let short = || said("a packet that is too short");
    let packet = match kind >> 4 {
        2 => Packet::Connected(*body.get(1).ok_or_else(short)?),
        3 => {
            let topic = body.first_chunk().copied().map(u16::from_be_bytes);
            let topic = usize::from(topic.ok_or_else(short)?);
            let number = if kind & 0x06 == 0 { 0 } else { 2 };
            Packet::Message(body.get(2 + topic + number..).ok_or_else(short)?.to_vec())
        }
        4 => Packet::Acknowledged(u16::from_be_bytes(*body.first_chunk().ok_or_else(short)?)),
        9 => Packet::Subscribed(*body.get(2).ok_or_else(short)?),
        _ => Packet::Other,
    };
    Ok(Some((packet, head + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        publish(&mut bytes, "a/b", 7, &vec![b'x'; 300]);
        assert_eq!(bytes[..8], [0x32, 0xb3, 0x02, 0, 3, b'a', b'/', b'b']);
        let cases: [(&[u8], Packet); 5] = [
            (&[0x20, 2, 0, 5], Packet::Connected(5)),
            (&[0x40, 2, 1, 2], Packet::Acknowledged(258)),
            (&[0x90, 3, 0, 1, 0x80], Packet::Subscribed(0x80)),
            (&[0xd0, 0], Packet::Other),
            (&bytes, Packet::Message(vec![b'x'; 300])),
        ];
        for (bytes, packet) in cases {
            assert_eq!(parse(bytes).unwrap(), Some((packet, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]).unwrap(), None);
            }
        }
    }

    #[test]
    fn what_breaks_the_rules_is_an_error_and_bounded() {
        let bad: [&[u8]; 6] = [
            &[0x30, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x30, 0xff, 0xff, 0xff, 0x7f],
            &[0x30, 1, 0],
            &[0x30, 2, 0, 9],
            &[0x40, 1, 0],
            &[0x20, 1, 0],
        ];
        for bytes in bad {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
