//! Blobs: the padded, nested attributes that every message on the bus is made of.
//!
//! An attribute is a big-endian word, then its data, then padding to a multiple of four bytes. The
//! word's uppermost bit says that the data begins with a name ([`super::fields`]), the next seven
//! are the attribute's id, the lowest 24 its length with the word and without the padding.
//!
//! Format: libubox, `blob.h`.

/// Bytes of the word in front of the data.
pub const HEADER_BYTES: usize = 4;

/// Longest attribute, by the 24 bits of its length.
pub const ATTRIBUTE_BYTES_MAX: usize = 0x00ff_ffff;

const EXTENDED: u32 = 0x8000_0000;
const ID_SHIFT: u32 = 24;
const ID_MASK: u32 = 0x7f;

/// The bytes are no attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// An attribute is shorter than its own header, or longer than what is left.
    #[error("an attribute does not fit its place")]
    Length,
    /// A name is longer than its attribute, or does not end.
    #[error("a name does not fit its attribute")]
    Name,
    /// A value is not of the length that its type has.
    #[error("a value does not fit its type")]
    Value,
    /// Tables and arrays are nested deeper than anything on the bus.
    #[error("values are nested too deep")]
    Depth,
}

/// One attribute; its data may be attributes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What it means; from 0 to 127.
    pub id: u8,
    /// The data begins with a name.
    pub extended: bool,
    /// Without the padding.
    pub data: &'a [u8],
}

impl Attribute<'_> {
    /// The data as a number of 32 bits.
    pub fn as_u32(&self) -> Option<u32> {
        self.data.try_into().map(u32::from_be_bytes).ok()
    }

    /// The data as a yes or no.
    pub fn as_flag(&self) -> Option<bool> {
        match self.data {
            [flag] => Some(*flag != 0),
            _ => None,
        }
    }

    /// The data as a text.
    pub fn as_text(&self) -> Option<&str> {
        text(self.data)
    }
}

/// A text ends with its first zero and must have one.
pub(super) fn text(data: &[u8]) -> Option<&str> {
    let end = data.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(data.get(..end)?).ok()
}

/// The attributes in some bytes, one after the other; ends after the first error.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Reads attributes from these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn split_first(&mut self) -> Option<Attribute<'a>> {
        let (word, _) = self.rest.split_first_chunk::<HEADER_BYTES>()?;
        let word = u32::from_be_bytes(*word);
        let bytes = word as usize & ATTRIBUTE_BYTES_MAX;
        let data = self.rest.get(HEADER_BYTES..bytes)?;
        // libubox takes an attribute whose padding is cut off for none at all.
        self.rest = self.rest.get(padded(bytes)..)?;
        Some(Attribute {
            id: (word >> ID_SHIFT & ID_MASK) as u8,
            extended: word & EXTENDED != 0,
            data,
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, BlobError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let attribute = self.split_first();
        if attribute.is_none() {
            self.rest = &[];
        }
        Some(attribute.ok_or(BlobError::Length))
    }
}

/// A length with its padding.
pub(super) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(4)
}

/// Writes attributes one after the other.
#[derive(Debug, Clone, Default)]
pub struct BlobWriter {
    bytes: Vec<u8>,
    /// Where the first attribute begins; the padding counts from there.
    base: usize,
}

impl BlobWriter {
    /// A writer that has written nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that goes on behind these bytes.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        let base = bytes.len();
        Self { bytes, base }
    }

    /// All bytes, those in front as well.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes a number.
    pub fn put_u32(&mut self, id: u8, value: u32) {
        self.put(id, &value.to_be_bytes());
    }

    /// Writes a yes or no.
    pub fn put_flag(&mut self, id: u8, value: bool) {
        self.put(id, &[value.into()]);
    }

    /// Writes a text.
    pub fn put_text(&mut self, id: u8, value: &str) {
        self.nest(id, |writer| writer.push_text(value));
    }

    /// Writes an attribute with this data.
    pub fn put(&mut self, id: u8, data: &[u8]) {
        self.nest(id, |writer| writer.push(data));
    }

    /// Writes an attribute whose data is what `fill` writes.
    ///
    /// # Panics
    /// When that is longer than an attribute can be, 16 MB.
    pub fn nest(&mut self, id: u8, fill: impl FnOnce(&mut Self)) {
        self.attribute(u32::from(id) << ID_SHIFT, fill);
    }

    pub(super) fn nest_extended(&mut self, id: u8, fill: impl FnOnce(&mut Self)) {
        self.attribute(EXTENDED | u32::from(id) << ID_SHIFT, fill);
    }

    fn attribute(&mut self, id: u32, fill: impl FnOnce(&mut Self)) {
        let begin = self.bytes.len();
        self.push(&[0; HEADER_BYTES]);
        fill(self);
        let bytes = self.bytes.len() - begin;
        assert!(
            bytes <= ATTRIBUTE_BYTES_MAX,
            "an attribute of {bytes} bytes"
        );
        self.bytes[begin..begin + HEADER_BYTES].copy_from_slice(&(id | bytes as u32).to_be_bytes());
        self.pad();
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn push_text(&mut self, value: &str) {
        self.push(value.as_bytes());
        self.push(&[0]);
    }

    /// Attributes begin at multiples of four, so padding the whole pads its last part.
    pub(super) fn pad(&mut self) {
        let written = self.bytes.len() - self.base;
        self.bytes.resize(self.base + padded(written), 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Attribute<'_>, BlobError>> {
        Attributes::new(bytes).collect()
    }

    #[test]
    fn an_attribute_is_a_word_its_data_and_padding() {
        let bytes = [
            3, 0, 0, 8, 0x89, 0xab, 0xcd, 0xef, 2, 0, 0, 6, b'a', 0, 0, 0,
        ];
        let mut writer = BlobWriter::new();
        writer.put_u32(3, 0x89ab_cdef);
        writer.put_text(2, "a");
        assert_eq!(writer.as_bytes(), bytes);
        let [Ok(number), Ok(text)] = read(&bytes)[..] else {
            panic!("two attributes");
        };
        assert_eq!((number.id, number.as_u32()), (3, Some(0x89ab_cdef)));
        assert_eq!((text.id, text.as_text()), (2, Some("a")));
        assert_eq!((text.as_u32(), number.as_flag()), (None, None));
    }

    #[test]
    fn what_does_not_fit_ends_the_reading() {
        let check = |bytes: &[u8]| assert_eq!(read(bytes), [Err(BlobError::Length)], "{bytes:?}");
        check(&[0]);
        check(&[0, 0, 0, 3]);
        check(&[0, 0, 0, 0, 0, 0, 0, 0]);
        check(&[0, 0, 0, 9, 0, 0, 0, 0]);
        // The padding is missing.
        check(&[0, 0, 0, 5, 0]);
        check(&[0xff; 16]);
        assert_eq!(read(&[]), []);
    }

    #[test]
    fn a_text_needs_its_end() {
        assert_eq!(
            (text(b"ab"), text(b""), text(b"\xff\0")),
            (None, None, None)
        );
        assert_eq!((text(b"\0"), text(b"ab\0c")), (Some(""), Some("ab")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_reading_ends(bytes: Vec<u8>) {
            let read = read(&bytes);
            prop_assert!(read.len() <= bytes.len() / HEADER_BYTES + 1);
            let data: usize = read.iter().flatten().map(|a| a.data.len()).sum();
            prop_assert!(data <= bytes.len());
        }

        #[test]
        fn what_is_written_is_read(attributes: Vec<(u8, Vec<u8>)>) {
            let mut writer = BlobWriter::new();
            for (id, data) in &attributes {
                writer.put(id & 0x7f, data);
            }
            prop_assert_eq!(writer.as_bytes().len() % 4, 0);
            let read: Result<Vec<_>, _> = Attributes::new(writer.as_bytes())
                .map(|read| read.map(|a| (a.id, a.data.to_vec())))
                .collect();
            let expected = attributes.into_iter().map(|(id, data)| (id & 0x7f, data));
            prop_assert_eq!(read, Ok(expected.collect()));
        }
    }
}
