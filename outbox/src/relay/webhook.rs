//! A signed POST for each message, in the way of Standard Webhooks, whose libraries check it.
//!
//! The body is the four fields as JSON, with the headers of [`crate::signature`]. Answers: 2xx
//! acknowledges; 408, 425, 429, 5xx and none mean *later*; any other status refuses this message.
//! Redirects are not followed. After a start a message of type `ping` goes first: it is in no outbox,
//! and nothing else is sent until it is acknowledged.

use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::config::{RelayConfig, RelayConfigError};
use super::limits::{ANSWER_PATIENCE, CONNECT_PATIENCE};
use super::stop::Stop;
use super::target::{Target, TargetError};
use super::transport::{Delivery, Sent, Transport};
use crate::signature::{self, Secret};
use crate::{Message, Time};

/// Most of an answer that is read, so that its connection can be used again.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Sends to one address.
pub(super) struct Webhook {
    url: String,
    agent: ureq::Agent,
    secret: Option<Secret>,
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
        let secret = config
            .credentials
            .as_ref()
            .map(|secret| Secret::new(secret.whole()).map_err(|_| TargetError::Credentials))
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
            secret,
            ping: ping(&config.name),
        })
    }

    fn post(&self, message: &Message) -> (Said, Delivery) {
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(error) => return later(None, error.to_string()),
        };
        let id = message.id.to_string();
        let mut call = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        for (name, value) in signature::headers(self.secret.as_ref(), &id, Time::now(), &body) {
            call = call.header(name, value);
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
