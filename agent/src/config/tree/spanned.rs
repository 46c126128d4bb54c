//! A value together with its place in the file.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::Span;

/// The name under which a place is asked for; a tree knows it.
pub(super) const NAME: &str = "$spanned";

/// What a tree then gives, in this order.
pub(super) const FIELDS: [&str; 3] = ["start", "end", "value"];

/// A value together with its place in the file.
#[derive(Debug, Clone)]
pub(in crate::config) struct Spanned<T> {
    at: Span,
    value: T,
}

impl<T> Spanned<T> {
    pub(in crate::config) fn span(&self) -> Span {
        self.at.clone()
    }

    pub(in crate::config) fn get_ref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, &FIELDS, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("a value without its place");
        let (_, start): (String, usize) = map.next_entry()?.ok_or_else(missing)?;
        let (_, end): (String, usize) = map.next_entry()?.ok_or_else(missing)?;
        let (_, value): (String, T) = map.next_entry()?.ok_or_else(missing)?;
        Ok(Spanned {
            at: start..end,
            value,
        })
    }
}
