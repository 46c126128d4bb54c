//! Named values: what a message tells, as tables, arrays, texts and numbers.
//!
//! A field is an attribute whose id is its type and whose data begins with a name: the name's
//! length in two bytes, big-endian, the name, a zero, padding to a multiple of four; then the
//! value. In an array names are empty.
//!
//! Format: libubox, `blobmsg.h`.

use super::blob::{Attribute, Attributes, BlobError, BlobWriter, padded, text};
use crate::limits::UBUS_DEPTH_MAX;

const ARRAY: u8 = 1;
const TABLE: u8 = 2;
const TEXT: u8 = 3;
const U64: u8 = 4;
const U32: u8 = 5;
const U16: u8 = 6;
const U8: u8 = 7;
const DOUBLE: u8 = 8;

/// A value of the bus. Numbers have no sign of their own: who reads them knows.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// Values without names.
    Array(Fields<'a>),
    /// Values with names.
    Table(Fields<'a>),
    /// A text; `None` if it is not UTF-8 or has no end.
    Text(Option<&'a str>),
    /// A number of 64 bits.
    U64(u64),
    /// A number of 32 bits.
    U32(u32),
    /// A number of 16 bits.
    U16(u16),
    /// A number of 8 bits, or a yes or no.
    U8(u8),
    /// A fraction.
    Double(f64),
    /// A type that is not known here.
    Other,
}

/// A value and its name.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// Empty in an array.
    pub name: &'a [u8],
    /// Its value.
    pub value: Value<'a>,
}

/// The fields in some bytes, one after the other; ends after the first error.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    attributes: Attributes<'a>,
    depth_left: u8,
}

impl<'a> Fields<'a> {
    /// Reads the fields of a table from these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            attributes: Attributes::new(bytes),
            depth_left: UBUS_DEPTH_MAX,
        }
    }

    /// The first field with this name, if everything in front of it is sound.
    pub fn find(self, name: &str) -> Option<Value<'a>> {
        self.map_while(Result::ok)
            .find(|field| field.name == name.as_bytes())
            .map(|field| field.value)
    }

    fn inside(&self, bytes: &'a [u8]) -> Result<Self, BlobError> {
        Ok(Self {
            attributes: Attributes::new(bytes),
            depth_left: self.depth_left.checked_sub(1).ok_or(BlobError::Depth)?,
        })
    }

    fn field(&self, attribute: &Attribute<'a>) -> Result<Field<'a>, BlobError> {
        let (name, value) = if attribute.extended {
            split_name(attribute.data).ok_or(BlobError::Name)?
        } else {
            (&[][..], attribute.data)
        };
        Ok(Field {
            name,
            value: self.value(attribute.id, value)?,
        })
    }

    fn value(&self, kind: u8, data: &'a [u8]) -> Result<Value<'a>, BlobError> {
        Ok(match kind {
            ARRAY => Value::Array(self.inside(data)?),
            TABLE => Value::Table(self.inside(data)?),
            TEXT => Value::Text(text(data)),
            U64 => Value::U64(u64::from_be_bytes(exactly(data)?)),
            U32 => Value::U32(u32::from_be_bytes(exactly(data)?)),
            U16 => Value::U16(u16::from_be_bytes(exactly(data)?)),
            U8 => Value::U8(u8::from_be_bytes(exactly(data)?)),
            DOUBLE => Value::Double(f64::from_be_bytes(exactly(data)?)),
            _ => Value::Other,
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, BlobError>;

    fn next(&mut self) -> Option<Self::Item> {
        let field = self
            .attributes
            .next()?
            .and_then(|attribute| self.field(&attribute));
        if field.is_err() {
            self.attributes = Attributes::new(&[]);
        }
        Some(field)
    }
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], BlobError> {
    data.try_into().map_err(|_| BlobError::Value)
}

/// The name at the beginning of the data, and the value behind it.
fn split_name(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    let name_bytes = usize::from(u16::from_be_bytes(*length));
    let name = rest.get(..name_bytes)?;
    let ended = rest.get(name_bytes) == Some(&0);
    let value = data.get(padded(2 + name_bytes + 1)..)?;
    ended.then_some((name, value))
}

impl BlobWriter {
    /// Writes a named text.
    pub fn field_text(&mut self, name: &str, value: &str) {
        self.field(TEXT, name, |writer| writer.push_text(value));
    }

    /// Writes a named number.
    pub fn field_u32(&mut self, name: &str, value: u32) {
        self.field(U32, name, |writer| writer.push(&value.to_be_bytes()));
    }

    /// Writes a named number.
    pub fn field_u16(&mut self, name: &str, value: u16) {
        self.field(U16, name, |writer| writer.push(&value.to_be_bytes()));
    }

    /// Writes a named table with the fields that `fill` writes.
    pub fn field_table(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.field(TABLE, name, fill);
    }

    /// Writes a named array with the fields that `fill` writes; their names should be empty.
    pub fn field_array(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.field(ARRAY, name, fill);
    }

    /// Our names are short; the length has two bytes.
    fn field(&mut self, kind: u8, name: &str, fill: impl FnOnce(&mut Self)) {
        let name_bytes = u16::try_from(name.len()).expect("a name below 64 kB");
        self.nest_extended(kind, |writer| {
            writer.push(&name_bytes.to_be_bytes());
            writer.push_text(name);
            writer.pad();
            fill(writer);
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_is_a_type_a_name_and_a_value() {
        let bytes = [
            0x85, 0, 0, 16, 0, 4, b'f', b'r', b'e', b'q', 0, 0, 0, 0, 0x14, 0x3c,
        ];
        let mut writer = BlobWriter::new();
        writer.field_u32("freq", 5_180);
        assert_eq!(writer.as_bytes(), bytes);
        assert!(matches!(
            Fields::new(&bytes).find("freq"),
            Some(Value::U32(5_180))
        ));
        assert!(Fields::new(&bytes).find("fre").is_none());
    }

    #[test]
    fn nested_fields_are_found() {
        let mut writer = BlobWriter::new();
        writer.field_table("outer", |writer| {
            writer.field_array("inner", |writer| writer.field_u16("", 7));
            writer.field_text("text", "x");
        });
        let Some(Value::Table(outer)) = Fields::new(writer.as_bytes()).find("outer") else {
            panic!("a table");
        };
        assert!(matches!(
            outer.clone().find("text"),
            Some(Value::Text(Some("x")))
        ));
        let Some(Value::Array(mut inner)) = outer.find("inner") else {
            panic!("an array");
        };
        assert!(matches!(
            inner.next(),
            Some(Ok(Field {
                name: b"",
                value: Value::U16(7)
            }))
        ));
        assert!(inner.next().is_none());
    }

    #[test]
    fn nesting_has_an_end() {
        let mut bytes = BlobWriter::new();
        fn nest(writer: &mut BlobWriter, levels: u8) {
            if levels > 0 {
                writer.field_table("", |writer| nest(writer, levels - 1));
            }
        }
        nest(&mut bytes, UBUS_DEPTH_MAX + 1);
        let mut fields = Fields::new(bytes.as_bytes());
        for _ in 0..UBUS_DEPTH_MAX {
            let Some(Ok(Field {
                value: Value::Table(inside),
                ..
            })) = fields.next()
            else {
                panic!("a table");
            };
            fields = inside;
        }
        assert_eq!(
            fields.next().map(|field| field.err()),
            Some(Some(BlobError::Depth))
        );
        assert!(fields.next().is_none());
    }

    #[test]
    fn names_and_values_that_do_not_fit_are_refused() {
        let check = |bytes: &[u8], expected| {
            let error = Fields::new(bytes).next().map(|field| field.err());
            assert_eq!(error, Some(Some(expected)), "{bytes:?}");
        };
        check(&[0x85, 0, 0, 5, 0, 0, 0, 0], BlobError::Name);
        // A name of nine bytes in an attribute of eight.
        check(&[0x85, 0, 0, 8, 0, 9, 0, 0], BlobError::Name);
        // A name without its end.
        check(&[0x85, 0, 0, 8, 0, 1, b'a', b'b'], BlobError::Name);
        check(
            &[0x85, 0, 0, 10, 0, 1, b'a', 0, 1, 2, 0, 0],
            BlobError::Value,
        );
        check(&[0x87, 0, 0, 8, 0, 1, b'a', 0], BlobError::Value);
    }

    #[test]
    fn attributes_without_a_name_and_unknown_types_are_passed_over() {
        let bytes = [0x7f, 0, 0, 4, 0x05, 0, 0, 8, 0, 0, 0, 1];
        let kinds: Vec<_> = Fields::new(&bytes).map(|f| f.map(|f| f.value)).collect();
        assert!(matches!(kinds[..], [Ok(Value::Other), Ok(Value::U32(1))]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            fn walk(fields: Fields<'_>) -> usize {
                fields.flatten().map(|field| match field.value {
                    Value::Array(inside) | Value::Table(inside) => 1 + walk(inside),
                    _ => 1,
                }).sum()
            }
            prop_assert!(walk(Fields::new(&bytes)) <= bytes.len() * usize::from(UBUS_DEPTH_MAX + 1));
        }

        #[test]
        fn texts_survive(fields: Vec<(String, String)>) {
            let mut writer = BlobWriter::new();
            for (name, value) in &fields {
                writer.field_text(name, value);
            }
            let read: Vec<_> = Fields::new(writer.as_bytes()).map(|field| field.unwrap()).collect();
            prop_assert_eq!(read.len(), fields.len());
            for (read, (name, value)) in read.iter().zip(&fields) {
                let Value::Text(Some(text)) = read.value else { panic!("a text") };
                prop_assert_eq!(read.name, name.as_bytes());
                prop_assert_eq!(Some(text), value.split('\0').next());
            }
        }
    }
}
