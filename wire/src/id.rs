//! Names that travel: clients, agents, sites, sessions.

use std::fmt;
use std::str::FromStr;

/// A client as the node knows it: eight opaque bytes, a keyed pseudonym or the id of a named client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

/// The text is not sixteen hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client id is 16 hexadecimal digits, such as 9f0c4e2ab1d07735")]
pub struct ClientIdError;

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ClientIdError);
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| ClientIdError)
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name is empty; use 1 to {max} characters of a-z, A-Z, 0-9, '-', '_', '.'", max = NAME_BYTES_MAX)]
    Empty,
    /// The text has more than [`NAME_BYTES_MAX`] bytes.
    #[error("the name has {0} bytes; use at most {max}", max = NAME_BYTES_MAX)]
    TooLong(usize),
    /// The text has a character outside the allowed set.
    #[error("the name has the character {0:?}; use a-z, A-Z, 0-9, '-', '_', '.'")]
    Character(char),
}

/// Longest name of an agent, site or AP, in bytes: it appears in certificates, paths and labels.
pub const NAME_BYTES_MAX: usize = 63;

fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(text.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, too long or has a character outside `a-zA-Z0-9-_.`.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check_name(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The process on an access point; it has one certificate.
    AgentName
);
name!(
    /// A site, as certificates, files and paths name it.
    SiteName
);
name!(
    /// An access point, as the site file names it.
    ApName
);
name!(
    /// A client named by consent (a staff badge, an asset, a recording's trajectory).
    ClientName
);

/// Context of the unkeyed hash of a name; its ids must never meet those of addresses.
const NAME_DOMAIN: &[u8] = b"trilobite named client\0";

/// The id of a client that was named by consent: the same at every agent, in every period.
///
/// The first eight bytes, little endian, of the BLAKE3 hash of (domain, name). An AP of the site
/// that others hear has the id of its own name: so its beacons are told from clients at the node.
pub fn named_client_id(name: &ClientName) -> ClientId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(NAME_DOMAIN).update(name.as_str().as_bytes());
    let hash = hasher.finalize();
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    ClientId(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

/// Number of a session, handed out by the node in `welcome`; never used twice by one node process.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Session(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_print_as_sixteen_digits_and_read_back() {
        for id in [0, 1, 0x9f0c_4e2a_b1d0_7735, u64::MAX] {
            assert_eq!(ClientId(id).to_string().parse(), Ok(ClientId(id)));
        }
        for bad in [
            "",
            "9f",
            "9f0c4e2ab1d0773g",
            "+f0c4e2ab1d07735",
            "9f0c4e2ab1d077350",
        ] {
            assert_eq!(bad.parse::<ClientId>(), Err(ClientIdError), "{bad:?}");
        }
    }

    #[test]
    fn a_name_gives_the_same_id_everywhere() {
        let id = |name: &str| named_client_id(&ClientName::new(name).unwrap());
        assert_eq!(id("tag0"), id("tag0"));
        assert_ne!(id("tag0"), id("tag1"));
    }

    #[test]
    fn names_refuse_what_a_path_or_label_could_misread() {
        assert!(AgentName::new("ap-03.north_wing").is_ok());
        assert_eq!(SiteName::new(""), Err(NameError::Empty));
        assert_eq!(ApName::new("a/b"), Err(NameError::Character('/')));
        assert_eq!(AgentName::new("x".repeat(64)), Err(NameError::TooLong(64)));
    }
}
