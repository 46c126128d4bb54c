//! What is wrong with a configuration file, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

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
            what: what.to_string(),
        }
    }

    pub(super) fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        self.problem(error.span().unwrap_or(0..0), in_our_words(error.message()))
    }
}

/// The parser speaks of fields, and leaves out what to do about a missing one.
pub(super) fn in_our_words(message: &str) -> String {
    let message = message.trim().replace('\n', ", ").replace('`', "\"");
    let message = message.replace("unknown field", "unknown key");
    let message = message.replace(", expected ", "; expected ");
    match message.strip_prefix("missing field ") {
        Some(key) => format!("the key {key} is missing; add it, see agent.example.toml"),
        None => message,
    }
}
