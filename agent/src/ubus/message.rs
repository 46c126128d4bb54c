//! Messages: eight bytes that say what is wanted and by whom, then one attribute with the rest.
//!
//! The sequence number and the peer are bytes that the daemon gives back as they came: it and its
//! clients have not always agreed on their order, and nobody here needs their value.
//!
//! Format: ubus, `ubusmsg.h`.

use super::blob::{self, Attributes, BlobError, BlobWriter};
use crate::limits::{UBUS_BUFFER_BYTES, UBUS_MESSAGE_BYTES_MAX};

/// Bytes in front of a message's attribute.
const PREFIX_BYTES: usize = 8;

/// What a message is. Others than these are of no use here.
pub mod kind {
    /// The daemon greets.
    pub const HELLO: u8 = 0;
    /// How a request ended.
    pub const STATUS: u8 = 1;
    /// A part of the answer to a request.
    pub const DATA: u8 = 2;
    /// Asks for objects by path.
    pub const LOOKUP: u8 = 4;
    /// Calls a method; a notification arrives as a call as well.
    pub const INVOKE: u8 = 5;
    /// Puts an object on the bus.
    pub const ADD_OBJECT: u8 = 6;
    /// Asks for the notifications of an object.
    pub const SUBSCRIBE: u8 = 8;
    /// The object of a subscription is gone.
    pub const UNSUBSCRIBE: u8 = 9;
    /// An object notifies its subscribers.
    pub const NOTIFY: u8 = 10;
}

/// Ids of the attributes inside a message's own one.
pub mod attribute {
    /// How a request ended; 0 is well.
    pub const STATUS: u8 = 1;
    /// Where an object is on the bus.
    pub const OBJECT_PATH: u8 = 2;
    /// Which object.
    pub const OBJECT: u8 = 3;
    /// Which method, or which notification.
    pub const METHOD: u8 = 4;
    /// What is told: fields.
    pub const DATA: u8 = 7;
    /// The object of a subscription.
    pub const TARGET: u8 = 8;
    /// Nobody waits for an answer.
    pub const NO_REPLY: u8 = 10;
}

/// What comes is no message; nothing behind it can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what ubusd sends are no messages")]
pub struct FramingLost;

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// One of [`kind`].
    pub kind: u8,
    /// Which request, as its sender counts.
    pub sequence: [u8; 2],
    /// Who asks, or which client this is.
    pub peer: [u8; 4],
    /// The attributes, not yet looked at.
    pub body: &'a [u8],
}

/// The attributes of a message that matter here; the first of each id.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body<'a> {
    /// [`attribute::STATUS`].
    pub status: Option<u32>,
    /// [`attribute::OBJECT_PATH`].
    pub object_path: Option<&'a str>,
    /// [`attribute::OBJECT`].
    pub object: Option<u32>,
    /// [`attribute::METHOD`].
    pub method: Option<&'a str>,
    /// [`attribute::DATA`].
    pub data: Option<&'a [u8]>,
    /// [`attribute::TARGET`].
    pub target: Option<u32>,
    /// [`attribute::NO_REPLY`].
    pub no_reply: bool,
}

impl<'a> Message<'a> {
    /// Reads the attributes.
    ///
    /// # Errors
    /// [`BlobError`] when they do not fit the message, or one that matters has not its type.
    pub fn body(&self) -> Result<Body<'a>, BlobError> {
        let mut body = Body::default();
        for read in Attributes::new(self.body) {
            let read = read?;
            let as_u32 = || read.as_u32().ok_or(BlobError::Value).map(Some);
            let as_text = || blob::text(read.data).ok_or(BlobError::Value).map(Some);
            match read.id {
                attribute::STATUS => body.status = body.status.or(as_u32()?),
                attribute::OBJECT_PATH => body.object_path = body.object_path.or(as_text()?),
                attribute::OBJECT => body.object = body.object.or(as_u32()?),
                attribute::METHOD => body.method = body.method.or(as_text()?),
                attribute::DATA => body.data = body.data.or(Some(read.data)),
                attribute::TARGET => body.target = body.target.or(as_u32()?),
                attribute::NO_REPLY => {
                    body.no_reply |= read.as_flag().ok_or(BlobError::Value)?;
                }
                _ => {}
            }
        }
        Ok(body)
    }
}

/// Appends a message with the attributes that `fill` writes.
pub fn encode(
    out: &mut Vec<u8>,
    kind: u8,
    sequence: [u8; 2],
    peer: [u8; 4],
    fill: impl FnOnce(&mut BlobWriter),
) {
    out.extend_from_slice(&[0, kind]);
    out.extend_from_slice(&sequence);
    out.extend_from_slice(&peer);
    let mut writer = BlobWriter::behind(std::mem::take(out));
    writer.nest(0, fill);
    *out = writer.into_bytes();
}

/// Cuts a stream of bytes into messages, in a buffer that never grows.
#[derive(Debug)]
pub struct MessageReader {
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    /// Bytes of a message too long to be kept that are still to come.
    to_skip: usize,
    skipped: u64,
}

impl Default for MessageReader {
    fn default() -> Self {
        Self::new()
    }
}

impl MessageReader {
    /// A reader with its buffer.
    pub fn new() -> Self {
        Self {
            buffer: vec![0; UBUS_BUFFER_BYTES].into(),
            begin: 0,
            end: 0,
            to_skip: 0,
            skipped: 0,
        }
    }

    /// Forgets everything but the buffer: a new stream begins.
    pub fn reset(&mut self) {
        (self.begin, self.end, self.to_skip) = (0, 0, 0);
    }

    /// Where the next bytes go; then say [`MessageReader::filled`]. Never empty after
    /// [`MessageReader::next_message`] said `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        &mut self.buffer[self.end..]
    }

    /// Says how many bytes of that space are now filled.
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    /// Messages so far that were too long to be kept.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next message that is whole.
    ///
    /// # Errors
    /// [`FramingLost`] when the stream cannot be followed any more.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, FramingLost> {
        loop {
            let skip = self.to_skip.min(self.end - self.begin);
            self.begin += skip;
            self.to_skip -= skip;
            if self.to_skip > 0 {
                return Ok(None);
            }
            let waiting = &self.buffer[self.begin..self.end];
            let Some(head) = waiting.first_chunk::<{ PREFIX_BYTES + blob::HEADER_BYTES }>() else {
                return Ok(None);
            };
            let [version, kind, s0, s1, p0, p1, p2, p3, rest @ ..] = *head;
            let word = u32::from_be_bytes(rest) as usize;
            // The outermost attribute has the id 0 and no name: above its length there is nothing.
            if version != 0 || !(blob::HEADER_BYTES..=UBUS_MESSAGE_BYTES_MAX).contains(&word) {
                return Err(FramingLost);
            }
            let bytes = PREFIX_BYTES + word;
            if bytes > self.buffer.len() {
                self.skipped += 1;
                self.to_skip = bytes;
                continue;
            }
            if waiting.len() < bytes {
                return Ok(None);
            }
            let begin = self.begin + head.len();
            self.begin += bytes;
            return Ok(Some(Message {
                kind,
                sequence: [s0, s1],
                peer: [p0, p1, p2, p3],
                body: &self.buffer[begin..self.begin],
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, kind::LOOKUP, [0, 1], [0; 4], |writer| {
            writer.put_text(attribute::OBJECT_PATH, path);
        });
        bytes
    }

    /// Kinds and paths of the messages in a stream that comes in pieces of these lengths.
    fn read(stream: &[u8], piece: usize) -> Result<Vec<(u8, String)>, FramingLost> {
        let mut reader = MessageReader::new();
        let mut messages = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            let space = reader.space();
            let bytes = piece.min(rest.len()).min(space.len());
            assert!(bytes > 0, "room for more");
            space[..bytes].copy_from_slice(&rest[..bytes]);
            reader.filled(bytes);
            rest = &rest[bytes..];
            while let Some(message) = reader.next_message()? {
                let path = message.body().unwrap().object_path.unwrap_or_default();
                messages.push((message.kind, path.to_owned()));
            }
        }
        Ok(messages)
    }

    #[test]
    fn a_lookup_byte_by_byte() {
        let expected = [
            0, 4, 0, 1, 0, 0, 0, 0, // version, kind, sequence, peer
            0, 0, 0, 12, // 12 bytes in all
            2, 0, 0, 7, b'a', b'*', 0, 0,
        ];
        assert_eq!(lookup("a*"), expected);
    }

    #[test]
    fn messages_survive_being_cut_anywhere() {
        let paths = ["a", "hostapd.wlan0", ""];
        let stream: Vec<u8> = paths.iter().flat_map(|path| lookup(path)).collect();
        let expected: Vec<_> = paths
            .iter()
            .map(|path| (kind::LOOKUP, (*path).to_owned()))
            .collect();
        for piece in 1..=stream.len() {
            assert_eq!(read(&stream, piece).as_ref(), Ok(&expected), "{piece}");
        }
    }

    #[test]
    fn a_message_too_long_to_keep_is_passed_over() {
        let long = "x".repeat(2 * UBUS_BUFFER_BYTES);
        let stream = [lookup("a"), lookup(&long), lookup("b")].concat();
        let expected = vec![
            (kind::LOOKUP, "a".to_owned()),
            (kind::LOOKUP, "b".to_owned()),
        ];
        assert_eq!(read(&stream, 1_000), Ok(expected));
        let longest = "x".repeat(UBUS_BUFFER_BYTES - 12 - 4 - 4);
        assert_eq!(read(&lookup(&longest), 1_000).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_message_is_told() {
        let check = |at: usize, byte| {
            let mut bytes = lookup("a");
            bytes[at] = byte;
            assert_eq!(read(&bytes, 1_000), Err(FramingLost), "{at}");
        };
        check(0, 1);
        check(8, 0x80);
        check(8, 0x01);
        check(9, 0xff);
        check(11, 3);
    }

    #[test]
    fn a_body_with_a_wrong_type_is_refused() {
        let mut bytes = Vec::new();
        encode(&mut bytes, kind::DATA, [0, 1], [0; 4], |writer| {
            writer.put_text(attribute::OBJECT, "text");
        });
        let mut reader = MessageReader::new();
        reader.space()[..bytes.len()].copy_from_slice(&bytes);
        reader.filled(bytes.len());
        let message = reader.next_message().unwrap().unwrap();
        assert_eq!(message.body().err(), Some(BlobError::Value));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, piece in 1_usize..64) {
            let mut reader = MessageReader::new();
            for piece in bytes.chunks(piece) {
                reader.space()[..piece.len()].copy_from_slice(piece);
                reader.filled(piece.len());
                while let Ok(Some(message)) = reader.next_message() {
                    let _ = message.body();
                }
            }
        }
    }
}
