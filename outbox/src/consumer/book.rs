//! The list of consumers, without IO: text in, text out.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grant::{Grant, GrantError};
use super::token::Token;

/// Most consumers: each is a program that somebody runs.
pub const CONSUMERS_MAX: usize = 1_000;

/// Longest name of a consumer in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Longest time for which a token may be valid: ten years.
const VALID_MAX: Duration = Duration::from_secs(3_653 * 86_400);

/// A consumer as the list knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// What people call it; unique.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    /// When its token was made, in Unix seconds.
    pub made_unix_s: u64,
    /// The token's last second, in Unix seconds.
    pub until_unix_s: u64,
    hash: blake3::Hash,
}

impl Consumer {
    /// Tells its token apart from others that a consumer of this name had, and nothing else.
    pub fn token_mark(&self) -> String {
        let hash = blake3::derive_key("outbox 2026-11 mark of a token", self.hash.as_bytes());
        blake3::Hash::from_bytes(hash).to_hex()[..16].to_owned()
    }
}

/// A consumer to be.
#[derive(Debug, Clone)]
pub struct NewConsumer {
    /// What people call it: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    /// How long its token is valid: one second to ten years.
    pub valid: Duration,
}

/// All consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumers(Vec<Arc<Consumer>>);

/// A token opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// It is nobody's.
    #[error("this token is nobody's; it was revoked, or is of another node")]
    Nobody,
    /// Its time is over.
    #[error("the token of {0} is over; make a new one")]
    Over(String),
}

/// Why a list cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The text is none of ours.
    #[error("no list of consumers: {0}; mend it, or remove it and make new tokens")]
    Text(String),
    /// A name is no name.
    #[error(
        "\"{0}\" is no name of a consumer; use up to {NAME_BYTES_MAX} letters, digits, \"-\", \"_\", \".\""
    )]
    Name(String),
    /// The name is taken.
    #[error("there is a consumer {0} already; revoke it first, or choose another name")]
    Taken(String),
    /// A grant is none.
    #[error("consumer {name}: {source}")]
    Grant {
        /// Whose.
        name: String,
        /// What is wrong with it.
        source: GrantError,
    },
    /// The time is not one for which a token may be valid.
    #[error("a token must be valid for one second to ten years")]
    Validity,
    /// There are too many.
    #[error("there are {CONSUMERS_MAX} consumers already; revoke some")]
    Full,
}

/// A consumer in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    may: String,
    resources: Vec<String>,
    types: Vec<String>,
    made_unix_s: u64,
    until_unix_s: u64,
    token_blake3: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    consumers: Vec<Entry>,
}

impl Consumers {
    /// Reads a list.
    ///
    /// # Errors
    /// [`BookError`] tells what is wrong; no part of it is used then.
    pub fn parse(text: &str) -> Result<Self, BookError> {
        let book: Book =
            serde_json::from_str(text).map_err(|error| BookError::Text(error.to_string()))?;
        let mut consumers: Vec<Arc<Consumer>> = Vec::with_capacity(book.consumers.len());
        for entry in book.consumers {
            let consumer = consumer(entry)?;
            if consumers.iter().any(|other| other.name == consumer.name) {
                return Err(BookError::Taken(consumer.name));
            }
            consumers.push(Arc::new(consumer));
        }
        if consumers.len() > CONSUMERS_MAX {
            return Err(BookError::Full);
        }
        Ok(Self(consumers))
    }

    /// The list as a text.
    ///
    /// # Panics
    /// Never: it is made of strings and numbers.
    pub fn text(&self) -> String {
        let entries = self.0.iter().map(|consumer| Entry {
            name: consumer.name.clone(),
            may: consumer.grant.may().word().to_owned(),
            resources: consumer.grant.under().map(str::to_owned).collect(),
            types: consumer.grant.kinds().map(str::to_owned).collect(),
            made_unix_s: consumer.made_unix_s,
            until_unix_s: consumer.until_unix_s,
            token_blake3: consumer.hash.to_hex().to_string(),
        });
        let book = Book {
            consumers: entries.collect(),
        };
        let mut text = serde_json::to_string_pretty(&book).expect("strings and numbers");
        text.push('\n');
        text
    }

    /// All, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Consumer>> {
        self.0.iter()
    }

    /// Whose token this is.
    ///
    /// All hashes are compared, each in constant time, so that the time tells nothing.
    ///
    /// # Errors
    /// [`Unknown`] when it is nobody's, or over.
    pub fn find(&self, token: &Token, now_unix_s: u64) -> Result<&Arc<Consumer>, Unknown> {
        let hash = token.hash();
        let mut found = None;
        for consumer in &self.0 {
            // `blake3::Hash` compares in constant time.
            if consumer.hash == hash {
                found = Some(consumer);
            }
        }
        let consumer = found.ok_or(Unknown::Nobody)?;
        if now_unix_s > consumer.until_unix_s {
            return Err(Unknown::Over(consumer.name.clone()));
        }
        Ok(consumer)
    }

    /// Whether this consumer is still on the list, with the same token and grant, and not over.
    pub fn still_has(&self, consumer: &Consumer, now_unix_s: u64) -> bool {
        now_unix_s <= consumer.until_unix_s && self.0.iter().any(|other| **other == *consumer)
    }

    /// Adds a consumer with this token.
    ///
    /// # Errors
    /// [`BookError`]; then the list is as it was.
    pub fn add(
        &mut self,
        new: NewConsumer,
        token: &Token,
        now_unix_s: u64,
    ) -> Result<(), BookError> {
        check_name(&new.name)?;
        if self.0.iter().any(|other| other.name == new.name) {
            return Err(BookError::Taken(new.name));
        }
        if new.valid < Duration::from_secs(1) || new.valid > VALID_MAX {
            return Err(BookError::Validity);
        }
        if self.0.len() >= CONSUMERS_MAX {
            return Err(BookError::Full);
        }
        self.0.push(Arc::new(Consumer {
            name: new.name,
            grant: new.grant,
            made_unix_s: now_unix_s,
            until_unix_s: now_unix_s.saturating_add(new.valid.as_secs()),
            hash: token.hash(),
        }));
        Ok(())
    }

    /// Takes a consumer off the list; whether it was on it.
    pub fn revoke(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|consumer| consumer.name != name);
        self.0.len() < before
    }
}

fn consumer(entry: Entry) -> Result<Consumer, BookError> {
    check_name(&entry.name)?;
    let grant = entry.may.parse().and_then(|may| {
        let under = entry.resources.iter().map(String::as_str);
        Grant::new(may, under, entry.types.iter().map(String::as_str))
    });
    let hash = blake3::Hash::from_hex(&entry.token_blake3);
    Ok(Consumer {
        grant: grant.map_err(|source| BookError::Grant {
            name: entry.name.clone(),
            source,
        })?,
        hash: hash.map_err(|_| BookError::Text(format!("consumer {}: no hash", entry.name)))?,
        name: entry.name,
        made_unix_s: entry.made_unix_s,
        until_unix_s: entry.until_unix_s,
    })
}

fn check_name(name: &str) -> Result<(), BookError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(known) {
        true => Ok(()),
        false => Err(BookError::Name(name.chars().take(NAME_BYTES_MAX).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::May;

    fn new(name: &str) -> NewConsumer {
        NewConsumer {
            name: name.to_owned(),
            grant: Grant::new(May::ReadMessages, ["/api/v1/sites/hq"], ["zone.*"]).unwrap(),
            valid: Duration::from_secs(100),
        }
    }

    #[test]
    fn a_list_survives_being_written_down_without_its_tokens() {
        let token = Token::new([9; 32]);
        let mut list = Consumers::default();
        list.add(new("cleaning"), &token, 1_000).unwrap();
        let text = list.text();
        assert_eq!(Consumers::parse(&text).unwrap(), list);
        let secret = token.reveal();
        let secret = secret.rsplit('-').next().unwrap();
        assert!(!text.contains(secret) && !format!("{list:?}").contains(secret));
    }

    #[test]
    fn a_token_opens_until_it_is_over_or_revoked() {
        let (token, other) = (Token::new([1; 32]), Token::new([2; 32]));
        let mut list = Consumers::default();
        list.add(new("a"), &token, 1_000).unwrap();
        list.add(new("b"), &other, 1_000).unwrap();
        let found = list.find(&token, 1_100).unwrap().clone();
        assert_eq!(found.name, "a");
        assert_eq!(list.find(&token, 1_101), Err(Unknown::Over("a".to_owned())));
        assert_eq!(list.find(&Token::new([3; 32]), 1_000), Err(Unknown::Nobody));
        assert!(list.still_has(&found, 1_100) && !list.still_has(&found, 1_101));
        assert!(list.revoke("a") && !list.revoke("a"));
        assert!(!list.still_has(&found, 1_000));
        assert_eq!(list.find(&token, 1_000), Err(Unknown::Nobody));
        assert_eq!(list.find(&other, 1_000).unwrap().name, "b");
    }

    #[test]
    fn mistakes_are_told() {
        let token = Token::new([1; 32]);
        let mut list = Consumers::default();
        list.add(new("a"), &token, 0).unwrap();
        let mut refused = |new: NewConsumer| list.add(new, &token, 0).unwrap_err().to_string();
        assert!(refused(new("a")).contains("already"));
        for name in ["", "a b", "ä", &"x".repeat(65), "../a"] {
            assert!(refused(new(name)).contains("no name"), "{name}");
        }
        let valid = Duration::ZERO;
        assert!(refused(NewConsumer { valid, ..new("b") }).contains("ten years"));
        let good = list.text();
        for (from, to) in [
            ("\"messages\"", "\"all\""),
            ("\"zone.*\"", "\"Zone\""),
            ("\"name\": \"a\"", "\"name\": \"a/b\""),
            ("token_blake3", "token"),
            ("\"token_blake3\": \"", "\"token_blake3\": \"zz"),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(Consumers::parse(&good.replace(from, to)).is_err(), "{to}");
        }
        assert!(Consumers::parse("").is_err());
    }
}
