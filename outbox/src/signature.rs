//! Signatures of what is posted to others, in the way of Standard Webhooks, whose libraries check them.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | of what is posted: the same again is the same thing |
//! | `webhook-timestamp` | seconds since 1970 when it was sent: refuse what is older than some minutes |
//! | `webhook-signature` | `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`, with the secret as key |

use std::fmt;

use ring::hmac;

use crate::Time;

/// Shortest secret, in bytes: a shorter one can be guessed from one signature.
const SECRET_BYTES_MIN: usize = 24;

/// A secret that signs; never shown.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// A secret that could be guessed, or is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "a secret to sign with has {SECRET_BYTES_MIN} characters or more; behind whsec_ it is the Base64 \
     of as many bytes"
)]
pub struct SecretError;

impl Secret {
    /// A secret: behind `whsec_` the Base64 of the key, otherwise the key itself.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let bytes = match text.strip_prefix("whsec_") {
            Some(text) => from_base64(text).ok_or(SecretError)?,
            None => text.as_bytes().to_vec(),
        };
        match bytes.len() >= SECRET_BYTES_MIN {
            true => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))),
            false => Err(SecretError),
        }
    }

    fn signature(&self, id: &str, sent_s: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{sent_s}.").as_bytes());
        context.update(body);
        format!("v1,{}", to_base64(context.sign().as_ref()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The headers of a body that is sent now; without a secret it goes unsigned.
pub fn headers(
    secret: Option<&Secret>,
    id: &str,
    now: Time,
    body: &[u8],
) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let sent_s = now.as_micros() / 1_000_000;
    let signature = secret.map(|secret| secret.signature(id, sent_s, body));
    let always = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", sent_s.to_string()),
    ];
    let signature = signature.map(|signature| ("webhook-signature", signature));
    always.into_iter().chain(signature)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut word = [0, 0, 0, 0];
        word[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(word);
        for place in 0..4 {
            let sextet = usize::try_from(bits >> (18 - 6 * place) & 0x3f).unwrap_or(0);
            text.push(match place <= three.len() {
                true => char::from(BASE64[sextet]),
                false => '=',
            });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::new();
    for letter in text.bytes() {
        let sextet = BASE64.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(sextet).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(to_base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert!(from_base64("a b").is_none());
    }

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_signature_is_the_standards() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let sent = Time::from_micros(1_614_265_330_000_001);
        let signed: Vec<_> =
            headers(Some(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", sent, body).collect();
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(signed[2], ("webhook-signature", signature.to_owned()));
        assert_eq!(headers(None, "a", sent, body).count(), 2);
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_none_is_shown() {
        for weak in [
            "short",
            "whsec_Zm9vYmFy",
            "whsec_not base64 at all, but long",
        ] {
            let error = Secret::new(weak).unwrap_err().to_string();
            assert!(!error.contains(weak), "{error}");
        }
        let good = Secret::new("a-secret-of-many-letters").unwrap();
        assert_eq!(format!("{good:?}"), "Secret(..)");
    }
}
