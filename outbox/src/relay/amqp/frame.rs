//! Frames of AMQP 0.9.1: what is written and read of them, bounded.

use std::io;

use crate::relay::limits::FRAME_BYTES_MAX;
use crate::relay::line::said;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
const END: u8 = 0xce;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) body: Vec<u8>,
}

/// Class and method.
pub(super) type Method = (u16, u16);

/// Writes the arguments of a method.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

/// Reads the arguments of a method.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(super) fn method((class, method): Method) -> Self {
        Self::default().u16(class).u16(method)
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A text of at most 255 bytes; ours are shorter, one that was not would be cut.
    pub(super) fn short(mut self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.0.push(length);
        self.0
            .extend_from_slice(&text.as_bytes()[..usize::from(length)]);
        self
    }

    pub(super) fn long(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        let mut with = self.u32(length);
        with.0.extend_from_slice(bytes);
        with
    }

    /// Adds the frame to bytes that are to be sent.
    pub(super) fn frame(self, bytes: &mut Vec<u8>, kind: u8, channel: u16) {
        frame(bytes, kind, channel, &self.0);
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

pub(super) fn frame(bytes: &mut Vec<u8>, kind: u8, channel: u16, body: &[u8]) {
    bytes.push(kind);
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes.push(END);
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or_else(|| said("a frame that is too short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub(super) fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    pub(super) fn method(&mut self) -> io::Result<Method> {
        Ok((self.u16()?, self.u16()?))
    }

    /// A short text; what is no text in it is replaced.
    pub(super) fn short(&mut self) -> io::Result<String> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| said("a frame that is too short"))?;
        self.0 = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// The first frame in a buffer and its length; nothing while it is not whole.
pub(super) fn parse(buffer: &[u8]) -> io::Result<Option<(Frame, usize)>> {
    // A server that wants another version answers with its own greeting and hangs up.
    if buffer.starts_with(b"AMQP") {
        return Err(said("the broker does not speak AMQP 0.9.1"));
    }
    let Some(head) = buffer.first_chunk::<7>() else {
        return Ok(None);
    };
    let mut reader = Reader::new(head);
    let (kind, channel, length) = (reader.u8()?, reader.u16()?, reader.u32()?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX || !matches!(kind, 1..=3 | 8) {
        return Err(said("not AMQP: a frame of an odd kind or length"));
    }
    let Some(rest) = buffer.get(7..7 + length + 1) else {
        return Ok(None);
    };
    if rest[length] != END {
        return Err(said("not AMQP: a frame without its end"));
    }
    let frame = Frame {
        kind,
        channel,
        body: rest[..length].to_vec(),
    };
    Ok(Some((frame, 7 + length + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        Writer::method((60, 80))
            .u64(9)
            .u8(1)
            .frame(&mut bytes, METHOD, 1);
        let (frame, length) = parse(&bytes).unwrap().unwrap();
        assert_eq!(
            (length, frame.kind, frame.channel),
            (bytes.len(), METHOD, 1)
        );
        let mut reader = Reader::new(&frame.body);
        assert_eq!(reader.method().unwrap(), (60, 80));
        assert_eq!((reader.u64().unwrap(), reader.u8().unwrap()), (9, 1));
        assert!(reader.u8().is_err());
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None);
        }
    }

    #[test]
    fn what_breaks_the_rules_is_an_error_and_bounded() {
        let bad: [&[u8]; 4] = [
            b"AMQP\0\x01\0\0",
            &[9, 0, 0, 0, 0, 0, 0, END],
            &[1, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[1, 0, 0, 0, 0, 0, 0, 0],
        ];
        for bytes in bad {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
        let mut long = Reader::new(&[5, b'a']);
        assert!(long.short().is_err());
    }
}
