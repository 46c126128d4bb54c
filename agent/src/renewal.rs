//! The agent's next certificate: when to ask for it over the living link, and what to do with it.
//!
//! The key stays the same. A new one would have to be put in place together with its certificate,
//! and two files cannot be replaced in one step: a power cut in between would leave a device that
//! nobody lets in. A thief of the key could renew it as well as we; `trilobite-agent enroll` makes a
//! new key. So one file is replaced, as a whole, and whatever happens meanwhile, the device has a
//! certificate that fits its key.

use std::path::PathBuf;

use link::private_file::{self, Existing, Readers};
use link::{AgentCredentials, DeviceKey};
use wire::Frame;

use crate::config::ConfigError;
use crate::time_of_day::TimeOfDay;

/// How long no answer is taken for a node of an older version.
const ANSWER_MAX_US: u64 = 60_000_000;

/// Longest time between two requests; a shorter life has them closer together.
const AGAIN_MAX_S: u64 = 86_400;

/// Requests that fit into the life of a certificate: about three in its last third.
const AGAIN_PER_LIFE: u64 = 8;

/// Renews a certificate; knows neither link nor clock.
#[derive(Debug)]
pub struct Renewal {
    key: DeviceKey,
    key_pem: String,
    authority_pem: String,
    certificate_path: PathBuf,
    credentials: AgentCredentials,
    time: TimeOfDay,
    asked_at_us: Option<u64>,
    /// Not before this time of the monotonic clock.
    again_at_us: u64,
}

/// What came of a node's answer.
#[derive(Debug)]
pub enum Outcome {
    /// To be shown from the next link on.
    Renewed(Box<AgentCredentials>),
    /// The certificate stays; in words for the log.
    Kept(String),
}

impl Renewal {
    /// Takes the key and the authority's certificate as PEM, and where the agent's own is kept.
    ///
    /// # Errors
    /// [`link::DeviceKeyError`] when the key is not of a kind that can be renewed.
    pub fn new(
        credentials: AgentCredentials,
        key_pem: String,
        authority_pem: String,
        certificate_path: PathBuf,
    ) -> Result<Self, link::DeviceKeyError> {
        Ok(Self {
            key: DeviceKey::from_pem(&key_pem)?,
            key_pem,
            authority_pem,
            certificate_path,
            credentials,
            time: TimeOfDay::default(),
            asked_at_us: None,
            again_at_us: 0,
        })
    }

    /// The node has told its time.
    pub fn handle_time(&mut self, unix_s: u64, now_us: u64) {
        self.time.handle_told(unix_s, now_us);
    }

    /// The link is gone, and with it the answer that was to come over it: it may be asked for again.
    pub fn handle_link_lost(&mut self) {
        if self.asked_at_us.take().is_some() {
            self.again_at_us = 0;
        }
    }

    /// The request to send now, if two thirds of the certificate's life are over.
    pub fn poll_request(&mut self, now_us: u64, own_unix_s: u64) -> Option<Frame> {
        if let Some(asked_at_us) = self.asked_at_us {
            if now_us.saturating_sub(asked_at_us) >= ANSWER_MAX_US {
                self.asked_at_us = None;
                let until = self.last_day(now_us, own_unix_s);
                tracing::warn!(
                    "the node does not answer a request for the next certificate, this one {until}; \
                     update the node, or issue one with \"trilobite ca issue --replace\""
                );
            }
            return None;
        }
        if now_us < self.again_at_us || !self.is_due(now_us, own_unix_s) {
            return None;
        }
        self.again_at_us = now_us + self.again_s() * 1_000_000;
        let identity = self.credentials.identity();
        match self.key.signing_request(Some(&identity.agent)) {
            Ok(signing_request) => {
                self.asked_at_us = Some(now_us);
                Some(Frame::Renew { signing_request })
            }
            Err(error) => {
                tracing::warn!("cannot ask for the next certificate: {error}");
                None
            }
        }
    }

    /// The node has sent a certificate, which is put on the disk if it is ours.
    pub fn handle_renewed(&mut self, certificate_pem: &str) -> Outcome {
        if self.asked_at_us.take().is_none() {
            return Outcome::Kept("the node sent a certificate that nobody asked for".to_owned());
        }
        let renewed =
            AgentCredentials::from_pem(&self.authority_pem, certificate_pem, &self.key_pem);
        let renewed = match renewed {
            Ok(renewed) if renewed.identity() == self.credentials.identity() => renewed,
            Ok(other) => {
                let other = other.identity();
                return Outcome::Kept(format!("the node sent the certificate of {other}"));
            }
            Err(error) => return Outcome::Kept(format!("the node sent no certificate: {error}")),
        };
        let (path, bytes) = (&self.certificate_path, certificate_pem.as_bytes());
        if let Err(error) = private_file::write(path, bytes, Readers::Owner, Existing::Replace) {
            // In memory it serves as long as this process runs.
            tracing::warn!("{}", crate::intake::in_one_line(&error));
        }
        self.again_at_us = 0;
        self.credentials = renewed.clone();
        Outcome::Renewed(Box::new(renewed))
    }

    /// The node sends none and says why.
    pub fn handle_not_renewed(&mut self, reason: &str, now_us: u64, own_unix_s: u64) -> Outcome {
        self.asked_at_us = None;
        let until = self.last_day(now_us, own_unix_s);
        Outcome::Kept(format!("this certificate {until}: {reason}"))
    }

    fn is_due(&self, now_us: u64, own_unix_s: u64) -> bool {
        let issued = self.credentials.issued_at_unix_s();
        let due = issued + self.life_s() / 3 * 2;
        let now = self.time.unix_s(now_us, own_unix_s, issued);
        now.is_some_and(|now| now >= due)
    }

    fn again_s(&self) -> u64 {
        (self.life_s() / AGAIN_PER_LIFE).clamp(60, AGAIN_MAX_S)
    }

    fn life_s(&self) -> u64 {
        let credentials = &self.credentials;
        credentials
            .expires_at_unix_s()
            .saturating_sub(credentials.issued_at_unix_s())
    }

    fn last_day(&self, now_us: u64, own_unix_s: u64) -> String {
        let (issued, end) = (
            self.credentials.issued_at_unix_s(),
            self.credentials.expires_at_unix_s(),
        );
        match self.time.unix_s(now_us, own_unix_s, issued) {
            Some(now) if now < end => format!("ends in {:.1} days", (end - now) as f64 / 86_400.0),
            _ => "is about to end".to_owned(),
        }
    }
}

/// Reads what a renewal needs; `None`, with a word in the log, for a key that cannot be renewed.
pub(crate) fn from_files(
    credentials: &AgentCredentials,
    authority: &std::path::Path,
    certificate: &std::path::Path,
    key: &std::path::Path,
) -> Result<Option<Renewal>, ConfigError> {
    let text = |path| -> Result<String, ConfigError> {
        let bytes = private_file::read(path).map_err(ConfigError::Identity)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (key_pem, authority_pem) = (text(key)?, text(authority)?);
    let path = certificate.to_owned();
    match Renewal::new(credentials.clone(), key_pem, authority_pem, path) {
        Ok(renewal) => Ok(Some(renewal)),
        Err(error) => {
            tracing::warn!("the certificate is not renewed by itself: {error}");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
