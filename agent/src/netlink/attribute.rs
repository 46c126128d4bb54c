//! Attributes: a row of length, kind and value.

use crate::address::Address;

/// Bits of the kind that say something else: nested, and in network order of bytes.
const FLAGS: u16 = 0xc000;

const HEADER_BYTES: usize = 4;

/// Walks over a row of attributes; ends where one contradicts itself.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(&'a [u8]);

/// One attribute. Its value has the type that its kind says; asking for another gives `None`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What it is, in the numbers of whoever nests it.
    pub kind: u16,
    /// Its bytes, without padding.
    pub value: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The first attribute of this kind.
    pub fn find(self, kind: u16) -> Option<Attribute<'a>> {
        let mut attributes = self;
        Iterator::find(&mut attributes, |attribute| attribute.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (&[l0, l1, k0, k1], _) = self.0.split_first_chunk::<HEADER_BYTES>()?;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.0.get(HEADER_BYTES..len)?;
        // The last one need not be padded.
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute {
            kind: u16::from_ne_bytes([k0, k1]) & !FLAGS,
            value,
        })
    }
}

impl<'a> Attribute<'a> {
    /// The attributes that it nests.
    pub fn nested(self) -> Attributes<'a> {
        Attributes(self.value)
    }

    /// A byte.
    pub fn u8(self) -> Option<u8> {
        self.value.first().copied()
    }

    /// A byte with a sign.
    pub fn i8(self) -> Option<i8> {
        self.u8().map(u8::cast_signed)
    }

    /// Two bytes.
    pub fn u16(self) -> Option<u16> {
        self.value.first_chunk().copied().map(u16::from_ne_bytes)
    }

    /// Four bytes.
    pub fn u32(self) -> Option<u32> {
        self.value.first_chunk().copied().map(u32::from_ne_bytes)
    }

    /// Four bytes with a sign.
    pub fn i32(self) -> Option<i32> {
        self.value.first_chunk().copied().map(i32::from_ne_bytes)
    }

    /// Eight bytes.
    pub fn u64(self) -> Option<u64> {
        self.value.first_chunk().copied().map(u64::from_ne_bytes)
    }

    /// Eight bytes with a sign.
    pub fn i64(self) -> Option<i64> {
        self.value.first_chunk().copied().map(i64::from_ne_bytes)
    }

    /// A text up to its first zero, if it is UTF-8.
    pub fn text(self) -> Option<&'a str> {
        let len = self.value.iter().position(|byte| *byte == 0);
        std::str::from_utf8(&self.value[..len.unwrap_or(self.value.len())]).ok()
    }

    /// A device's address.
    pub fn address(self) -> Option<Address> {
        self.value.first_chunk().copied().map(Address::new)
    }
}

impl std::fmt::Debug for Attributes<'_> {
    /// Shows kinds and lengths.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl std::fmt::Debug for Attribute<'_> {
    /// Shows no value: it may be an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attribute")
            .field("kind", &self.kind)
            .field("bytes", &self.value.len())
            .finish()
    }
}
