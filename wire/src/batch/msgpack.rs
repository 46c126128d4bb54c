//! The three MessagePack shapes of a batch: array, unsigned integer, byte string.
//!
//! Hand-written for what `rmp-serde` does not give: a refusal that names its reason and allocates
//! nothing, since bad datagrams may come as fast as good ones. It is also a little faster. Type
//! codes: MessagePack specification, "Formats".

use super::DecodeError;

/// Reads MessagePack items from the front of borrowed bytes.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The number of items of an array; the items follow.
    #[inline]
    pub(super) fn read_array(&mut self) -> Result<usize, DecodeError> {
        match self.read_byte()? {
            code @ 0x90..=0x9f => Ok(usize::from(code & 0x0f)),
            0xdc => Ok(usize::from(u16::from_be_bytes(self.read_chunk()?))),
            0xdd => Ok(u32::from_be_bytes(self.read_chunk()?) as usize),
            _ => Err(DecodeError::ItemType),
        }
    }

    /// An integer of 0 or more, in whatever width and signedness the sender's library chose.
    #[inline]
    pub(super) fn read_uint(&mut self) -> Result<u64, DecodeError> {
        let signed = match self.read_byte()? {
            code @ 0..=0x7f => return Ok(u64::from(code)),
            0xcc => return Ok(u64::from(self.read_byte()?)),
            0xcd => return Ok(u64::from(u16::from_be_bytes(self.read_chunk()?))),
            0xce => return Ok(u64::from(u32::from_be_bytes(self.read_chunk()?))),
            0xcf => return Ok(u64::from_be_bytes(self.read_chunk()?)),
            0xd0 => i64::from(i8::from_be_bytes(self.read_chunk()?)),
            0xd1 => i64::from(i16::from_be_bytes(self.read_chunk()?)),
            0xd2 => i64::from(i32::from_be_bytes(self.read_chunk()?)),
            0xd3 => i64::from_be_bytes(self.read_chunk()?),
            _ => return Err(DecodeError::ItemType),
        };
        u64::try_from(signed).map_err(|_| DecodeError::ItemType)
    }

    /// A byte string, borrowed.
    #[inline]
    pub(super) fn read_bin(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = match self.read_byte()? {
            0xc4 => usize::from(self.read_byte()?),
            0xc5 => usize::from(u16::from_be_bytes(self.read_chunk()?)),
            0xc6 => u32::from_be_bytes(self.read_chunk()?) as usize,
            _ => return Err(DecodeError::ItemType),
        };
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn read_byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    fn read_chunk<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (&chunk, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(chunk)
    }
}

/// Appends an array of at most 15 items, which must follow.
pub(super) fn put_array(out: &mut Vec<u8>, items: u8) {
    debug_assert!(items <= 15, "a longer array has another code");
    out.push(0x90 | items);
}

/// Appends an integer in the fewest bytes.
pub(super) fn put_uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    }
}

/// Appends the head of a byte string of this length; its bytes must follow.
pub(super) fn put_bin_head(out: &mut Vec<u8>, length: u16) {
    match u8::try_from(length) {
        Ok(length) => out.extend([0xc4, length]),
        Err(_) => {
            out.push(0xc5);
            out.extend(length.to_be_bytes());
        }
    }
}

/// Bytes that a byte string of this length takes, head included.
pub(super) const fn bin_bytes(length: usize) -> usize {
    length + if length <= 0xff { 2 } else { 3 }
}
