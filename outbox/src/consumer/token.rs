//! What a consumer shows: `trilobite-token-` and 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

/// What every token begins with, so that scanners find those that lie about.
const PREFIX: &str = "trilobite-token-";

/// Bytes of a secret: nobody finds it by trying, so that a fast hash of it is enough.
const SECRET_BYTES: usize = 32;

/// A consumer's secret. `Debug` does not show it; [`Token::reveal`] does.
#[derive(Clone)]
pub struct Token([u8; SECRET_BYTES]);

/// A text is no token. It does not say what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no token; a token is {PREFIX} and 64 hexadecimal digits")]
pub struct TokenError;

impl Token {
    /// A new one; the random bytes are the caller's.
    pub fn new(secret: [u8; SECRET_BYTES]) -> Self {
        Self(secret)
    }

    /// The text that its owner keeps: to be told once.
    pub fn reveal(&self) -> String {
        let digits = self.0.iter().map(|byte| format!("{byte:02x}"));
        format!("{PREFIX}{}", digits.collect::<String>())
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> blake3::Hash {
        blake3::hash(&self.0)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let digits = text.strip_prefix(PREFIX).ok_or(TokenError)?.as_bytes();
        if digits.len() != 2 * SECRET_BYTES {
            return Err(TokenError);
        }
        let digit = |byte: u8| {
            let digit = char::from(byte).to_digit(16);
            digit
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(TokenError)
        };
        let mut secret = [0; SECRET_BYTES];
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(secret))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_written_down_and_is_not_shown_otherwise() {
        let token = Token::new([0xa5; 32]);
        let text = token.reveal();
        assert_eq!(text.len(), 16 + 64);
        assert_eq!(text.parse::<Token>().unwrap().hash(), token.hash());
        assert!(!format!("{token:?}").contains("a5"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = Token::new([7; 32]).reveal();
        for bad in [
            "",
            "trilobite-token-",
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.replace("07", "0g"),
            &good.replace("token", "join"),
            &format!("{}ü", &good[..good.len() - 2]),
        ] {
            assert_eq!(bad.parse::<Token>().unwrap_err(), TokenError, "{bad}");
        }
    }
}
