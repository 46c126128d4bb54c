//! Reads a command line: options with one value or none, in any order, and one word beside them.
//!
//! This is all that the agent's few commands need. A library for every taste would be 150 kB on an
//! access point, a fourteenth of the program. What is wrong is said without repeating values: one of
//! them may be a secret.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::hint;

/// An option, and what its value is called if it has one.
pub(super) type Known = (&'static str, Option<&'static str>);

/// Options that every command takes.
const EVERYWHERE: [Known; 5] = [
    ("--log", Some("FILTER")),
    ("--help", None),
    ("-h", None),
    ("--version", None),
    ("-V", None),
];

/// What a command takes beside what every command does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Takes {
    pub(super) options: &'static [Known],
    /// What its one word is called, if it has one.
    pub(super) word: Option<&'static str>,
}

impl Takes {
    fn all(self) -> impl Iterator<Item = Known> {
        self.options.iter().copied().chain(EVERYWHERE)
    }
}

/// What a command line holds.
#[derive(Debug, Default)]
pub(super) struct Line {
    values: Vec<(&'static str, OsString)>,
    word: Option<PathBuf>,
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misuse {
    #[error("no option {option:?}{hint}")]
    UnknownOption { option: String, hint: String },
    #[error("{option} needs a value: {option} {value}")]
    NoValue {
        option: &'static str,
        value: &'static str,
    },
    #[error("{option} takes no value")]
    NeedlessValue { option: &'static str },
    #[error("{option} is given twice")]
    Twice { option: &'static str },
    #[error("{what} is missing")]
    Missing { what: String },
    #[error("one word too many; values stand behind their options, as in --log info")]
    NeedlessWord,
    #[error("{option}: {why}")]
    Value { option: &'static str, why: String },
}

impl Line {
    /// Reads words until they end or, if a command may follow, until the first that is no option;
    /// gives that one, too.
    pub(super) fn read(
        words: &mut impl Iterator<Item = OsString>,
        takes: Takes,
        command_follows: bool,
    ) -> Result<(Self, Option<OsString>), Misuse> {
        let mut line = Self::default();
        let mut only_words = false;
        while let Some(word) = words.next() {
            let is_option = !only_words && word.as_encoded_bytes().starts_with(b"-") && word != "-";
            if is_option && word == "--" {
                only_words = true;
            } else if is_option {
                line.take_option(&word, words, takes)?;
            } else if command_follows {
                return Ok((line, Some(word)));
            } else if takes.word.is_some() && line.word.is_none() {
                line.word = Some(word.into());
            } else {
                return Err(Misuse::NeedlessWord);
            }
        }
        Ok((line, None))
    }

    fn take_option(
        &mut self,
        word: &OsStr,
        words: &mut impl Iterator<Item = OsString>,
        takes: Takes,
    ) -> Result<(), Misuse> {
        let (name, attached) = split(word);
        let Some((option, value)) = takes.all().find(|(option, _)| *option == name) else {
            return Err(unknown(name, takes));
        };
        let given = match (value, attached) {
            (None, None) => OsString::new(),
            (None, Some(_)) => return Err(Misuse::NeedlessValue { option }),
            (Some(_), Some(attached)) => attached,
            (Some(value), None) => words
                .next()
                .filter(|next| !next.as_encoded_bytes().starts_with(b"--"))
                .ok_or(Misuse::NoValue { option, value })?,
        };
        if self.has(option) {
            return Err(Misuse::Twice { option });
        }
        self.values.push((option, given));
        Ok(())
    }

    /// Whether an option was given.
    pub(super) fn has(&self, option: &str) -> bool {
        self.values.iter().any(|(given, _)| *given == option)
    }

    /// The value of an option that names a file.
    pub(super) fn path(&mut self, option: &str) -> Option<PathBuf> {
        let at = self.values.iter().position(|(given, _)| *given == option)?;
        Some(self.values.swap_remove(at).1.into())
    }

    /// The value of an option that is a text.
    pub(super) fn text(&mut self, option: &'static str) -> Result<Option<String>, Misuse> {
        let text = |value: PathBuf| {
            let why = "not UTF-8".to_owned();
            let text = value.into_os_string().into_string();
            text.map_err(|_| Misuse::Value { option, why })
        };
        self.path(option).map(text).transpose()
    }

    /// The value of an option that is neither.
    pub(super) fn value<T: FromStr>(&mut self, option: &'static str) -> Result<Option<T>, Misuse>
    where
        T::Err: std::fmt::Display,
    {
        let parse = |text: String| {
            text.parse().map_err(|error: T::Err| Misuse::Value {
                option,
                why: error.to_string(),
            })
        };
        self.text(option)?.map(parse).transpose()
    }

    /// The word beside the options.
    #[cfg(any(feature = "pcap", test))]
    pub(super) fn word(&mut self, what: &str) -> Result<PathBuf, Misuse> {
        self.word.take().ok_or_else(|| missing(what))
    }
}

/// For options and words that must be there.
pub(super) fn missing(what: &str) -> Misuse {
    let what = what.to_owned();
    Misuse::Missing { what }
}

/// Name and value of `--name=value`.
fn split(word: &OsStr) -> (&OsStr, Option<OsString>) {
    let text = word.to_str().unwrap_or_default();
    match text.split_once('=') {
        Some((name, value)) => (OsStr::new(name), Some(value.into())),
        None => (word, None),
    }
}

fn unknown(name: &OsStr, takes: Takes) -> Misuse {
    // Bytes that are no text may hide a value behind a sign of equality.
    let option = name
        .to_str()
        .unwrap_or("in other letters than UTF-8")
        .to_owned();
    let known: Vec<_> = takes.all().map(|(option, _)| option).collect();
    // Of two letters every other pair is near.
    let near = (option.len() > 2).then(|| hint::nearest(&option, &known));
    let hint = match near.flatten() {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; use {}", known.join(", ")),
    };
    Misuse::UnknownOption { option, hint }
}

#[cfg(test)]
mod tests;
