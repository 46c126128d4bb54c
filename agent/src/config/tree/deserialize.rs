//! From the tree into the structs that declare the keys.

use serde::de::value::{SeqDeserializer, StrDeserializer, StringDeserializer, UsizeDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Key, Node, Span, Table, TreeError, Value, spanned};

impl Node {
    /// Calls a visitor; an error that knows no place happened here.
    fn here<T>(self, visit: impl FnOnce(Value) -> Result<T, TreeError>) -> Result<T, TreeError> {
        let at = self.at;
        visit(self.value).map_err(|error| error.or_at(&at))
    }

    /// A word as a number.
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.here(|value| match value {
            Value::Word(word) => {
                if let Ok(number) = word.parse() {
                    visitor.visit_i64(number)
                } else if let Ok(number) = word.parse() {
                    visitor.visit_u64(number)
                } else {
                    Err(TreeError::invalid_type(Unexpected::Str(&word), &visitor))
                }
            }
            value => visit(value, visitor),
        })
    }

    /// A word as a fraction.
    fn fraction<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.here(|value| match value {
            Value::Word(word) => match word.parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(TreeError::invalid_type(Unexpected::Str(&word), &visitor)),
            },
            value => visit(value, visitor),
        })
    }
}

/// What the value is by itself.
fn visit<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, TreeError> {
    match value {
        Value::Text(text) | Value::Word(text) => visitor.visit_string(text),
        Value::Integer(number) => visitor.visit_i64(number),
        Value::Float(number) => visitor.visit_f64(number),
        Value::Boolean(boolean) => visitor.visit_bool(boolean),
        Value::List(nodes) => visit_list(nodes, visitor),
        Value::Table(table) => visit_table(table, visitor),
        Value::Sections(mut tables) => match (tables.pop(), tables.pop()) {
            (Some(table), None) => table.here(|value| visit(value, visitor)),
            (Some(second), Some(_)) => {
                let what = "a second section of this type; put its keys into the first";
                Err(TreeError::new(&second.at, what))
            }
            (None, _) => visit_table(Table::default(), visitor),
        },
    }
}

fn visit_list<'de, V: Visitor<'de>>(nodes: Vec<Node>, visitor: V) -> Result<V::Value, TreeError> {
    let mut list = SeqDeserializer::new(nodes.into_iter());
    let value = visitor.visit_seq(&mut list)?;
    list.end()?;
    Ok(value)
}

fn visit_table<'de, V: Visitor<'de>>(table: Table, visitor: V) -> Result<V::Value, TreeError> {
    visitor.visit_map(Entries {
        entries: table.entries.into_iter(),
        value: None,
    })
}

/// The keys of a table: an error in one, or in what stands under it, happened there.
struct Entries {
    entries: std::vec::IntoIter<(Key, Node)>,
    value: Option<(Span, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, TreeError> {
        let Some((key, node)) = self.entries.next() else {
            return Ok(None);
        };
        let name: StringDeserializer<TreeError> = key.name.into_deserializer();
        let read = seed
            .deserialize(name)
            .map_err(|error| error.or_at(&key.at))?;
        self.value = Some((key.at, node));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeError> {
        let (at, node) = self.value.take().ok_or("a value without its key")?;
        seed.deserialize(node).map_err(|error| error.or_at(&at))
    }
}

/// A value and its place, for [`spanned::Spanned`].
struct Placed {
    next: usize,
    node: Node,
}

impl<'de> MapAccess<'de> for Placed {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, TreeError> {
        let Some(field) = spanned::FIELDS.get(self.next) else {
            return Ok(None);
        };
        let field: StrDeserializer<'_, TreeError> = field.into_deserializer();
        seed.deserialize(field).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeError> {
        self.next += 1;
        let place = |place: usize| -> UsizeDeserializer<TreeError> { place.into_deserializer() };
        match self.next {
            1 => seed.deserialize(place(self.node.at.start)),
            2 => seed.deserialize(place(self.node.at.end)),
            _ => {
                let value = std::mem::replace(&mut self.node.value, Value::Boolean(false));
                let at = self.node.at.clone();
                seed.deserialize(Node { at, value })
            }
        }
    }
}

impl<'de> IntoDeserializer<'de, TreeError> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.here(|value| visit(value, visitor))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.here(|value| match value {
            Value::Word(word) => match word.as_str() {
                "1" | "on" | "true" | "yes" | "enabled" => visitor.visit_bool(true),
                "0" | "off" | "false" | "no" | "disabled" => visitor.visit_bool(false),
                _ => {
                    let what = format!("{word:?} is neither yes nor no; write 1 or 0");
                    Err(what.into())
                }
            },
            value => visit(value, visitor),
        })
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.number(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.fraction(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.fraction(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        let at = self.at.clone();
        self.here(|value| match value {
            Value::Word(_) => visit_list(vec![Self { at, value }], visitor),
            Value::Sections(tables) => visit_list(tables, visitor),
            value => visit(value, visitor),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        if name == spanned::NAME {
            return visitor.visit_map(Placed {
                next: 0,
                node: self,
            });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        self.here(|value| match value {
            Value::Text(text) | Value::Word(text) => {
                visitor.visit_enum(IntoDeserializer::<TreeError>::into_deserializer(text))
            }
            value => visit(value, visitor),
        })
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for Table {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        visit_table(self, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
