//! A configuration as a tree of keys and values with their places: what both forms are read into,
//! so that each key is declared once, in the struct that takes it.
//!
//! Values of UCI are texts whatever they mean; here they become what is asked for.

mod deserialize;
mod spanned;

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

use super::error::in_our_words;
use super::hint;
use super::uci::{Section, UciError};

pub(super) use spanned::Spanned;

/// Bytes of the text of the file.
pub(super) type Span = Range<usize>;

/// A value and where it stands. Two are equal if they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A text and nothing else.
    Text(String),
    /// A text that may stand for a number, for yes or no, or for a list with one value.
    Word(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// Sections of one type: a list of tables, or the one table of its kind.
    Sections(Vec<Node>),
}

/// Keys and values.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    entries: Vec<(Key, Node)>,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) at: Span,
}

/// What is wrong with a tree, and where if that is known.
#[derive(Debug, Clone)]
pub(super) struct TreeError {
    pub(super) at: Option<Span>,
    pub(super) what: String,
}

/// In UCI a section stands for a table of this name inside another.
const NESTED: [(&str, &str, &str); 1] = [("privacy_named", "privacy", "named")];

/// The section with the keys that TOML has outside of tables.
const ROOT_SECTION: &str = "agent";

/// The key of that section that only the init script reads.
const ENABLED: &str = "enabled";

impl Node {
    /// The text under this key, if this is a table that has it.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let Value::Table(table) = &self.value else {
            return None;
        };
        match &table.node(key)?.value {
            Value::Text(text) | Value::Word(text) => Some(text),
            _ => None,
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        let has = |(key, node): &(Key, Node)| other.node(&key.name) == Some(node);
        self.entries.len() == other.entries.len() && self.entries.iter().all(has)
    }
}

impl Table {
    fn node(&self, key: &str) -> Option<&Node> {
        let mut entries = self.entries.iter();
        entries.find_map(|(known, node)| (known.name == key).then_some(node))
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Node> {
        let index = self
            .entries
            .iter()
            .position(|(known, _)| known.name == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`TreeError`]; its place is not known if the table itself is what is wrong.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, TreeError> {
        T::deserialize(self)
    }

    fn insert(&mut self, key: Key, node: Node) -> Result<(), TreeError> {
        if self.entries.iter().any(|(known, _)| known.name == key.name) {
            let what = format!("{:?} is there twice; keep one", key.name);
            return Err(TreeError::new(&key.at, what));
        }
        self.entries.push((key, node));
        Ok(())
    }

    /// The sections of this type, which are added if there are none.
    fn sections(&mut self, kind: &str, at: &Span) -> Result<&mut Vec<Node>, TreeError> {
        let known = self.entries.iter().position(|(key, _)| key.name == kind);
        let index = known.unwrap_or_else(|| {
            let key = Key {
                name: kind.to_owned(),
                at: at.clone(),
            };
            let value = Value::Sections(Vec::new());
            self.entries.push((
                key,
                Node {
                    at: at.clone(),
                    value,
                },
            ));
            self.entries.len() - 1
        });
        match &mut self.entries[index].1.value {
            Value::Sections(sections) => Ok(sections),
            _ => {
                let what = format!("{kind:?} is the type of a section and a key; remove the key");
                Err(TreeError::new(at, what))
            }
        }
    }

    /// Reads TOML.
    pub(super) fn from_toml(text: &str) -> Result<Self, TreeError> {
        let document = toml::de::DeTable::parse(text).map_err(|error| TreeError {
            at: error.span(),
            what: in_our_words(error.message()),
        })?;
        toml_table(document.into_inner())
    }

    /// Reads the sections of UCI.
    pub(super) fn from_uci(sections: Vec<Section>) -> Result<Self, TreeError> {
        let mut root = Self::default();
        let mut has_root = false;
        let mut nested = Vec::new();
        for section in sections {
            let at = section.at.clone();
            if section.kind == ROOT_SECTION {
                if std::mem::replace(&mut has_root, true) {
                    let what = "a second section agent; put its keys into the first";
                    return Err(TreeError::new(&at, what));
                }
                let mut own = uci_table(section)?;
                if let Some(enabled) = own.remove(ENABLED) {
                    // Whether the agent runs at all is the init script's business.
                    serde::Deserialize::deserialize(enabled).map(|_: bool| ())?;
                }
                for (key, node) in own.entries {
                    root.insert(key, node)?;
                }
                continue;
            }
            let node = |table| Node {
                at: at.clone(),
                value: Value::Table(table),
            };
            match NESTED.iter().find(|(kind, ..)| *kind == section.kind) {
                Some((_, outer, inner)) => nested.push((*outer, *inner, node(uci_table(section)?))),
                None => {
                    let kind = section.kind.clone();
                    let node = node(uci_table(section)?);
                    root.sections(&kind, &at)?.push(node);
                }
            }
        }
        for (outer, inner, node) in nested {
            let outer = root.sections(outer, &node.at)?;
            if outer.is_empty() {
                outer.push(Node {
                    at: node.at.clone(),
                    value: Value::Table(Self::default()),
                });
            }
            if let Some(Node {
                value: Value::Table(outer),
                ..
            }) = outer.first_mut()
            {
                outer.sections(inner, &node.at)?.push(node);
            }
        }
        Ok(root)
    }
}

fn toml_table(table: toml::de::DeTable<'_>) -> Result<Table, TreeError> {
    let entry = |(key, value): (toml::Spanned<std::borrow::Cow<'_, str>>, _)| {
        let key = Key {
            at: key.span(),
            name: key.into_inner().into_owned(),
        };
        toml_node(value).map(|node| (key, node))
    };
    Ok(Table {
        entries: table.into_iter().map(entry).collect::<Result<_, _>>()?,
    })
}

fn toml_node(node: toml::Spanned<toml::de::DeValue<'_>>) -> Result<Node, TreeError> {
    use toml::de::DeValue;

    let at = node.span();
    let unfit = |what: &str| TreeError::new(&at, what);
    let value = match node.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            Value::Integer(number.map_err(|_| unfit("the number is too large"))?)
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse();
            Value::Float(number.map_err(|_| unfit("no number"))?)
        }
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => return Err(unfit("no key takes a date; write a text in quotes")),
        DeValue::Array(array) => {
            Value::List(array.into_iter().map(toml_node).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Value::Table(toml_table(table)?),
    };
    Ok(Node { at, value })
}

fn uci_table(section: Section) -> Result<Table, TreeError> {
    let mut table = Table::default();
    for entry in section.entries {
        let word = |(text, at)| Node {
            at,
            value: Value::Word(text),
        };
        let mut words: Vec<_> = entry.values.into_iter().map(word).collect();
        let node = match (entry.is_list, words.len()) {
            (false, 1) => words.remove(0),
            _ => Node {
                at: entry.at.clone(),
                value: Value::List(words),
            },
        };
        table.insert(
            Key {
                name: entry.key,
                at: entry.at,
            },
            node,
        )?;
    }
    Ok(table)
}

impl TreeError {
    fn new(at: &Span, what: impl Into<String>) -> Self {
        Self {
            at: Some(at.clone()),
            what: what.into(),
        }
    }

    /// The innermost place is the one to tell.
    fn or_at(mut self, at: &Span) -> Self {
        self.at.get_or_insert_with(|| at.clone());
        self
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for TreeError {}

impl serde::de::Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            at: None,
            what: in_our_words(&message.to_string()),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = match hint::nearest(field, expected) {
            Some(near) => format!("did you mean \"{near}\"? "),
            None => String::new(),
        };
        let known = expected.join("\", \"");
        Self {
            at: None,
            what: format!("unknown key \"{field}\"; {hint}use one of \"{known}\""),
        }
    }
}

impl From<UciError> for TreeError {
    fn from(error: UciError) -> Self {
        Self::new(&error.at, error.what)
    }
}

impl From<String> for TreeError {
    fn from(what: String) -> Self {
        Self { at: None, what }
    }
}

impl From<&str> for TreeError {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}
