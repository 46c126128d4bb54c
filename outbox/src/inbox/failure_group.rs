//! Which failures are the same one: errors that differ in numbers and ids only.

use std::fmt;

use super::limits::ERROR_BYTES_MAX;
use crate::Message;

/// The fingerprint of an error: 16 hexadecimal digits, the same for errors of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureGroup(String);

impl FailureGroup {
    /// The group of an error that a message met.
    ///
    /// Words with digits, long words of hexadecimal digits, and the words of the message's own id
    /// and resource do not count, nor do blanks and punctuation.
    #[must_use]
    pub fn of(error: &str, message: &Message) -> Self {
        let resource = message.resource.to_string();
        let own: Vec<&str> = words(&resource).collect();
        let mut hash = Fnv::new();
        for word in words(error) {
            let word = if is_id(word) || own.contains(&word) {
                "#"
            } else {
                word
            };
            hash.write(word.as_bytes());
            hash.write(b" ");
        }
        Self(format!("{:016x}", hash.0))
    }

    /// A group by its name, as lists show it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = text.len() == 16
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_name.then(|| Self(text.to_owned()))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FailureGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error as it is kept: its first bytes, without what a terminal or a log would obey.
#[must_use]
pub(super) fn shortened(error: &str) -> String {
    let mut kept = String::new();
    for letter in error.trim().chars() {
        let letter = if letter.is_control() && letter != '\n' {
            ' '
        } else {
            letter
        };
        if kept.len() + letter.len_utf8() > ERROR_BYTES_MAX {
            break;
        }
        kept.push(letter);
    }
    kept
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_'))
        .filter(|word| !word.is_empty())
}

/// A number, a version, a UUID, a hash: what tells two of a kind apart.
fn is_id(word: &str) -> bool {
    let hexadecimal = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal || word.chars().any(char::is_numeric)
}

/// FNV-1a with 64 bits (Fowler, Noll, Vo): the name is kept in tables, so it must never change.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::testing::message;

    fn group(error: &str, resource: &str) -> String {
        FailureGroup::of(error, &message(1, 1, "zone.entered", resource)).to_string()
    }

    #[test]
    fn fnv_is_the_published_one() {
        // Test vector of draft-eastlake-fnv: FNV-1a 64 of "foobar".
        let mut hash = Fnv::new();
        hash.write(b"foobar");
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn numbers_and_ids_do_not_tell_failures_apart() {
        let (lobby, hall) = (
            "/api/v1/sites/hq/zones/lobby",
            "/api/v1/sites/hq/zones/hall",
        );
        let same = [
            ("timeout after 30 s", "timeout after 5 s"),
            (
                "row 0198c5f2-7d10-7abc-8def-0123456789ab is locked",
                "row 7 is locked",
            ),
            ("no client deadbeefcafe", "no client 00ff00ff00ff"),
            ("zone lobby: HTTP 500", "zone hall: HTTP 502"),
            ("exit 1:  disk full.", "exit 2: disk full"),
        ];
        for (one, other) in same {
            assert_eq!(group(one, lobby), group(other, hall), "{one} / {other}");
        }
        let different = [
            ("timeout after 30 s", "refused after 30 s"),
            ("zone lobby is unknown", "zone lobby is closed"),
        ];
        for (one, other) in different {
            assert_ne!(group(one, lobby), group(other, lobby), "{one} / {other}");
        }
    }

    #[test]
    fn a_group_is_known_by_its_name() {
        let name = group("any", "/a");
        assert_eq!(FailureGroup::parse(&name).unwrap().as_str(), name);
        for bad in [
            "",
            "123",
            "00000000000000000",
            "GGGGGGGGGGGGGGGG",
            "0123456789abcdeF",
        ] {
            assert_eq!(FailureGroup::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_error_is_kept_short_and_harmless() {
        assert_eq!(shortened(" a\u{1b}[2Jb\r\n"), "a [2Jb");
        let long = "ä".repeat(5_000);
        assert_eq!(shortened(&long).len(), ERROR_BYTES_MAX);
    }
}
