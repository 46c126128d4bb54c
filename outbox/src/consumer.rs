//! Who may poll: consumers, their tokens, and what each may see.
//!
//! A consumer has a token of 32 random bytes, which is told once and kept only as a hash, and a
//! [`Grant`]: which resources, which types, and what it may do with them. [`Consumers`] is the list,
//! without IO; [`ConsumerFile`] keeps it in a file that commands change while a process reads it.
//!
//! # Invariants
//! - No `Debug` text, error or file holds a token.
//! - A list that exists admits only who is on it, even when it is empty; only where there is no list is
//!   nobody asked for a token.

mod book;
mod file;
mod grant;
mod pace;
mod token;

pub use book::{
    BookError, CONSUMERS_MAX, Consumer, Consumers, NAME_BYTES_MAX, NewConsumer, Unknown,
};
pub use file::{ConsumerFile, FileError, Watch};
pub use grant::{Grant, GrantError, May, PATTERNS_MAX};
pub use pace::{Bucket, Pace};
pub use token::{Token, TokenError};
