//! A join token and the fingerprint of an authority, as a person copies them.

use std::fmt;
use std::str::FromStr;

/// Random bytes of a join token: 128 bits, which nobody guesses.
pub const SECRET_BYTES: usize = 16;

/// How every token begins: a person, and a search for leaked secrets, knows it by that.
const PREFIX: &str = "trilobite-join-";

/// What a person carries from the node to a device, so that it gets a certificate once.
///
/// As text `trilobite-join-SECRET-FINGERPRINT`, both hexadecimal; the fingerprint may be missing.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// What only the token's bearer and the node know, the latter as a hash.
    pub secret: [u8; SECRET_BYTES],
    /// The authority that the bearer may trust with it.
    pub authority: Option<Fingerprint>,
}

/// The text is not a join token. The text itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a join token; copy the whole text that \"trilobite token join\" printed, from {PREFIX} on"
)]
pub struct TokenError;

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(TokenError)?;
        let (secret, authority) = match text.split_once('-') {
            Some((secret, fingerprint)) => {
                (secret, Some(fingerprint.parse().map_err(|_| TokenError)?))
            }
            None => (text, None),
        };
        let secret = bytes_of_hex(secret).ok_or(TokenError)?;
        Ok(Self { secret, authority })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        write_hex(f, &self.secret)?;
        match &self.authority {
            Some(authority) => write!(f, "-{authority}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for JoinToken {
    /// Hides the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// SHA-256 of an authority's certificate in DER: by this an agent knows it before it has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a fingerprint; it has 64 hexadecimal digits, with or without colons, and is the SHA-256 of \
     the authority's certificate"
)]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Also takes colons between the bytes and upper case, as other programs print them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.trim().chars().filter(|&c| c != ':').collect();
        bytes_of_hex(&digits).map(Self).ok_or(FingerprintError)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_prints_and_reads_back() {
        for authority in [None, Some(Fingerprint([0xc7; 32]))] {
            let token = JoinToken {
                secret: *b"0123456789abcdef",
                authority,
            };
            assert_eq!(token.to_string().parse(), Ok(token.clone()));
            assert!(!format!("{token:?}").contains("3031"), "{token:?}");
        }
    }

    #[test]
    fn a_fingerprint_may_have_colons_and_capitals() {
        let plain: Fingerprint = "0a".repeat(32).parse().unwrap();
        let colons = ["0A"; 32].join(":");
        assert_eq!(colons.parse(), Ok(plain));
        assert_eq!(
            "0a".repeat(31).parse::<Fingerprint>(),
            Err(FingerprintError)
        );
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        let secret = "ab".repeat(16);
        for wrong in [
            String::new(),
            secret.clone(),
            format!("{PREFIX}{}", &secret[1..]),
            format!("{PREFIX}{secret}-"),
            format!("{PREFIX}{secret}-12"),
            format!("{PREFIX}ü{}", &secret[2..]),
        ] {
            let error = wrong.parse::<JoinToken>().unwrap_err().to_string();
            assert!(!error.contains(&secret), "{error}");
        }
    }
}
