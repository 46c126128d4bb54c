//! What is wrong with a configuration file, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::tree::TreeError;
use crate::address::Address;

/// The address in our own advice.
const EXAMPLE: &str = "00:11:22:aa:bb:cc";

/// Six pairs of digits and what separates them.
const ADDRESS_BYTES: usize = 17;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "configuration file {}: it cannot be read; check the path, or start from agent.example.toml",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that says who the agent is cannot be read.
    #[error(transparent)]
    Identity(link::private_file::FileError),
    /// The file says something that cannot be.
    #[error("configuration file {}, line {line}: {what}", path.display())]
    Problem {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do about it.
        what: String,
    },
    /// A source cannot be opened.
    #[error("configuration file {}, line {line}: source {number} cannot be opened", path.display())]
    Source {
        /// The configuration file.
        path: PathBuf,
        /// The line where the source begins, from 1.
        line: usize,
        /// Which source, from 1.
        number: usize,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A file and its text, to say where something stands.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Place<'_> {
    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    pub(super) fn problem(&self, at: Range<usize>, what: impl fmt::Display) -> ConfigError {
        let line = self.line(&at);
        ConfigError::Problem {
            path: self.path.to_owned(),
            line,
            what: without_addresses(&what.to_string()),
        }
    }

    /// An error in the tree; one that knows no place of its own is somewhere in `whole`.
    pub(super) fn tree_error(&self, error: TreeError, whole: &Range<usize>) -> ConfigError {
        self.problem(error.at.unwrap_or(whole.clone()), error.what)
    }
}

/// A message may quote what stands in the file, and it may reach a log.
fn without_addresses(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(char) = rest.chars().next() {
        let address = rest.get(..ADDRESS_BYTES);
        if address.is_some_and(|text| text != EXAMPLE && text.parse::<Address>().is_ok()) {
            clean.push_str("(an address)");
            rest = &rest[ADDRESS_BYTES..];
        } else {
            clean.push(char);
            rest = &rest[char.len_utf8()..];
        }
    }
    clean
}

/// The parser speaks of fields, and leaves out what to do about a missing one.
pub(super) fn in_our_words(message: &str) -> String {
    let message = message.trim().replace('\n', ", ").replace('`', "\"");
    let message = message.replace(", expected ", "; expected ");
    match message.strip_prefix("missing field ") {
        Some(key) => format!("the key {key} is missing; add it, see agent.example.toml"),
        None => message,
    }
}
