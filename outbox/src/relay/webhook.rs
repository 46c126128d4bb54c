//! A signed POST for each message, in the way of Standard Webhooks, whose libraries check it.
//!
//! The body is the four fields as JSON. Headers:
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the message's id: the same again is the same message |
//! | `webhook-timestamp` | seconds since 1970 when it was sent: refuse what is older than some minutes |
//! | `webhook-signature` | `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`, with the secret as key |
//!
//! A secret that begins with `whsec_` is the Base64 of the key; any other is the key itself. Answers:
//! 2xx acknowledges; 408, 425, 429, 5xx and none mean *later*; any other status refuses this message.
//! Redirects are not followed. After a start a message of type `ping` goes first: it is in no outbox,
//! and nothing else is sent until it is acknowledged.

use std::time::Duration;

use ring::hmac;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::config::{RelayConfig, RelayConfigError};
use super::limits::{ANSWER_PATIENCE, CONNECT_PATIENCE};
use super::stop::Stop;
use super::target::{Target, TargetError};
use super::transport::{Delivery, Sent, Transport};
use crate::{Message, Time};

/// Shortest secret, in bytes: a shorter one can be guessed from one signature.
const SECRET_BYTES_MIN: usize = 24;

/// Most of an answer that is read, so that its connection can be used again.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Sends to one address.
pub(super) struct Webhook {
    url: String,
    agent: ureq::Agent,
    key: Option<hmac::Key>,
    ping: Option<Message>,
}

/// What the receiver said of one message.
enum Said {
    Yes,
    Later(String),
    Never(String),
}

impl Webhook {
    pub(super) fn new(config: &RelayConfig) -> Result<Self, RelayConfigError> {
        let target = Target::of(config)?;
        let mut authorities: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(&config.authorities_pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => authorities.push(certificate),
                Ok(_) => {}
                Err(error) => return Err(TargetError::Authority(error.to_string()).into()),
            }
        }
        if target.is_encrypted && authorities.is_empty() {
            return Err(TargetError::NoAuthority(target.to_string()).into());
        }
        let key = config
            .credentials
            .as_ref()
            .map(|secret| key(secret.whole()));
        let key = key
            .map(|key| key.ok_or(TargetError::Credentials))
            .transpose()?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&authorities))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let settings = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_global(Some(CONNECT_PATIENCE + ANSWER_PATIENCE))
            .max_idle_age(Duration::from_secs(25))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(tls);
        Ok(Self {
            url: config.url.clone(),
            agent: settings.build().new_agent(),
            key,
            ping: ping(&config.name),
        })
    }

    fn post(&self, message: &Message) -> (Said, Delivery) {
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(error) => return later(None, error.to_string()),
        };
        let id = message.id.to_string();
        let sent_s = Time::now().as_micros() / 1_000_000;
        let mut call = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", sent_s.to_string());
        if let Some(key) = &self.key {
            call = call.header("webhook-signature", signature(key, &id, sent_s, &body));
        }
        let mut answer = match call.send(&body[..]) {
            Ok(answer) => answer,
            Err(error) => return later(None, format!("no answer: {error}")),
        };
        let status = answer.status().as_u16();
        // Whatever it says besides its status does not matter.
        let _ = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec();
        match status {
            200..=299 => {
                let delivery = Delivery {
                    status: Some(status),
                    error: None,
                };
                (Said::Yes, delivery)
            }
            408 | 425 | 429 | 500.. => later(Some(status), format!("HTTP {status}")),
            _ => {
                let error = format!("HTTP {status}");
                let delivery = Delivery {
                    status: Some(status),
                    error: Some(error.clone()),
                };
                (Said::Never(error), delivery)
            }
        }
    }
}

fn later(status: Option<u16>, error: String) -> (Said, Delivery) {
    let delivery = Delivery {
        status,
        error: Some(error.clone()),
    };
    (Said::Later(error), delivery)
}

impl Transport for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn send(&mut self, messages: &[Message], stop: &Stop) -> Sent {
        let mut sent = Sent::default();
        if let Some(ping) = &self.ping {
            match self.post(ping).0 {
                Said::Yes => self.ping = None,
                Said::Later(why) | Said::Never(why) => {
                    return Sent::none(format!("webhook: ping: {why}"));
                }
            }
        }
        for message in messages {
            if stop.is_set() {
                break;
            }
            let (said, delivery) = self.post(message);
            sent.log.push((message.id, delivery));
            match said {
                Said::Yes => sent.acked.push((message.id, "2xx".to_owned())),
                Said::Never(why) => {
                    sent.trouble = Some(format!("webhook: message {}: {why}", message.id));
                    sent.refused.push((message.id, why));
                }
                Said::Later(why) => {
                    sent.trouble = Some(format!("webhook: {why}"));
                    break;
                }
            }
        }
        sent
    }
}

/// The message that asks whether anybody is there.
fn ping(name: &str) -> Option<Message> {
    let resource = format!("/relays/{name}").parse().ok()?;
    Some(Message::new("ping".parse().ok()?, resource))
}

/// The key in a secret; nothing if the secret is none.
fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(text) => from_base64(text)?,
        None => secret.as_bytes().to_vec(),
    };
    (bytes.len() >= SECRET_BYTES_MIN).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(key: &hmac::Key, id: &str, sent_s: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{sent_s}.").as_bytes());
    context.update(body);
    format!("v1,{}", to_base64(context.sign().as_ref()))
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

pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
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
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        for weak in [
            "short",
            "whsec_Zm9vYmFy",
            "whsec_not base64 at all, but long",
        ] {
            assert!(key(weak).is_none(), "{weak}");
        }
    }
}
