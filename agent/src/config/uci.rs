//! The configuration format of OpenWrt: sections with options and lists, quotes and comments.
//!
//! ```text
//! config source 'hostapd'        # a section: its type, and a name if it has one
//!     option kind 'ubus'         # one value
//!     list interfaces 'phy0-ap0' # one of several values
//! ```
//!
//! Text in, sections out; what a section means is for others to say.
//! Format: OpenWrt's documentation of UCI, and libuci's reader where that leaves a choice.

mod words;

use std::ops::Range;

use crate::limits::{UCI_ENTRIES_MAX, UCI_SECTIONS_MAX, UCI_TEXT_BYTES_MAX, UCI_VALUES_MAX};
use words::{Word, Words};

/// A section of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it describes.
    pub kind: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its first line, as bytes of the text.
    pub at: Range<usize>,
    /// Its options and lists, in the order of the file.
    pub entries: Vec<Entry>,
}

/// An option or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Letters, digits and underscores.
    pub key: String,
    /// The key, as bytes of the text.
    pub at: Range<usize>,
    /// It is a list, even if it has but one value.
    pub is_list: bool,
    /// One value for an option, one or more for a list; each with its place in the text.
    pub values: Vec<(String, Range<usize>)>,
}

/// The text is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct UciError {
    /// Where, as bytes of the text.
    pub at: Range<usize>,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl UciError {
    fn new(at: &Range<usize>, what: impl Into<String>) -> Self {
        Self {
            at: at.clone(),
            what: what.into(),
        }
    }
}

/// Whether a text looks like this format and not like TOML: its first word is one of ours, and no
/// equals sign follows.
pub fn is_uci(text: &str) -> bool {
    let line = text
        .lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    ["config", "package"].iter().any(|word| {
        let rest = line.strip_prefix(word).unwrap_or_default();
        rest.starts_with([' ', '\t']) && !rest.trim_start().starts_with(['=', '.'])
    })
}

/// Reads the sections of a text.
///
/// # Errors
/// [`UciError`] with the first place that is wrong, or where a limit is reached.
pub fn parse(text: &str) -> Result<Vec<Section>, UciError> {
    if text.len() > UCI_TEXT_BYTES_MAX {
        let what = format!("the file is longer than {UCI_TEXT_BYTES_MAX} bytes; make it shorter");
        return Err(UciError::new(&(0..0), what));
    }
    let mut sections: Vec<Section> = Vec::new();
    let mut words = Words::new(text);
    while let Some(statement) = words.next_statement()? {
        let [command, arguments @ ..] = &statement[..] else {
            continue;
        };
        match (command.text.as_str(), arguments) {
            ("package", [_]) => {}
            ("config", [kind]) => sections.push(section(&sections, command, kind, None)?),
            ("config", [kind, name]) => {
                sections.push(section(&sections, command, kind, Some(name))?);
            }
            ("option", [key, value]) => add(&mut sections, key, value, false)?,
            ("list", [key, value]) => add(&mut sections, key, value, true)?,
            ("package" | "config" | "option" | "list", _) => {
                let what = format!(
                    "{} has {} words behind it; write: config TYPE 'NAME', option KEY 'VALUE' or \
                     list KEY 'VALUE'",
                    command.text,
                    arguments.len()
                );
                return Err(UciError::new(&command.at, what));
            }
            (unknown, _) => {
                let what =
                    format!("unknown word {unknown:?}; a line begins with config, option or list");
                return Err(UciError::new(&command.at, what));
            }
        }
    }
    Ok(sections)
}

fn section(
    sections: &[Section],
    command: &Word,
    kind: &Word,
    name: Option<&Word>,
) -> Result<Section, UciError> {
    if sections.len() >= UCI_SECTIONS_MAX {
        let what = format!("more than {UCI_SECTIONS_MAX} sections; remove some");
        return Err(UciError::new(&command.at, what));
    }
    check_identifier(kind, "the type of a section")?;
    if let Some(name) = name {
        check_identifier(name, "the name of a section")?;
    }
    Ok(Section {
        kind: kind.text.clone(),
        name: name.map(|name| name.text.clone()),
        at: command.at.start..kind.at.end,
        entries: Vec::new(),
    })
}

fn add(sections: &mut [Section], key: &Word, value: &Word, is_list: bool) -> Result<(), UciError> {
    check_identifier(key, "a key")?;
    let Some(section) = sections.last_mut() else {
        let what = format!(
            "{:?} stands in front of the first section; begin with: config agent",
            key.text
        );
        return Err(UciError::new(&key.at, what));
    };
    let value = (value.text.clone(), value.at.clone());
    let refuse = |what: String| Err(UciError::new(&key.at, what));
    let known = section
        .entries
        .iter()
        .position(|entry| entry.key == key.text);
    let Some(index) = known else {
        if section.entries.len() >= UCI_ENTRIES_MAX {
            let what = format!("more than {UCI_ENTRIES_MAX} keys in a section; remove some");
            return refuse(what);
        }
        section.entries.push(Entry {
            key: key.text.clone(),
            at: key.at.clone(),
            is_list,
            values: vec![value],
        });
        return Ok(());
    };
    let entry = &mut section.entries[index];
    if !entry.is_list || !is_list {
        let name = &key.text;
        return refuse(format!(
            "{name:?} is there twice; keep one, or make both a list"
        ));
    }
    if entry.values.len() >= UCI_VALUES_MAX {
        let name = &key.text;
        return refuse(format!(
            "{name:?} has more than {UCI_VALUES_MAX} values; remove some"
        ));
    }
    entry.values.push(value);
    Ok(())
}

fn check_identifier(word: &Word, what: &str) -> Result<(), UciError> {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if word.text.is_empty() || !word.text.bytes().all(fit) {
        let what = format!(
            "{:?} is {what}; use letters, digits and underscores",
            word.text
        );
        return Err(UciError::new(&word.at, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
