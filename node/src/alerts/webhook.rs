//! Posts what begins and ends to an address: a few tries, a bounded queue, a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use outbox::alerts::Notice;
use outbox::signature::{self, Secret, SecretError};
use outbox::{MessageId, Time};

use super::body::NoticeBody;
use crate::trust::{self, TrustError};

/// Notices that wait; further ones are not sent, and counted.
const WAITING_MAX: usize = 64;

/// Pauses before each further try.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];

/// Longest time for one try.
const TRY_MAX: Duration = Duration::from_secs(10);

/// Where to post.
#[derive(Debug, Clone)]
pub struct Hook {
    url: String,
    http: ureq::Agent,
    secret: Option<Secret>,
}

/// A webhook cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// The address is none.
    #[error("\"{0}\" is no address; use one such as https://alarm.example.org/trilobite")]
    Url(String),
    /// https without certificates.
    #[error("https needs webhook_ca: the certificate of the authority that vouches for it, in PEM")]
    NoAuthority,
    /// The secret can be guessed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificates cannot be read.
    #[error(transparent)]
    Authority(#[from] TrustError),
}

impl Hook {
    /// A webhook at `url`; for https the authority's certificates come from a file.
    ///
    /// # Errors
    /// [`HookError`] tells what cannot be used.
    pub fn new(url: &str, authority: Option<PathBuf>) -> Result<Self, HookError> {
        let is_https = url.starts_with("https://");
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !has_host || url.parse::<axum::http::Uri>().is_err() {
            return Err(HookError::Url(url.chars().take(128).collect()));
        }
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(TRY_MAX))
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false);
        if is_https {
            let path = authority.ok_or(HookError::NoAuthority)?;
            config = config.tls_config(trust::tls(&path)?);
        }
        Ok(Self {
            url: url.to_owned(),
            http: config.build().new_agent(),
            secret: None,
        })
    }

    /// The same, signed with a secret.
    ///
    /// # Errors
    /// [`HookError::Secret`] for one that can be guessed.
    pub fn signed(mut self, secret: &str) -> Result<Self, HookError> {
        self.secret = Some(Secret::new(secret)?);
        Ok(self)
    }

    /// One try.
    fn post(&self, letter: &Letter) -> Result<(), String> {
        let mut request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json");
        let (id, json) = (letter.id.to_string(), &letter.json[..]);
        for (name, value) in signature::headers(self.secret.as_ref(), &id, Time::now(), json) {
            request = request.header(name, value);
        }
        match request.send(json) {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("HTTP {}", response.status().as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What is posted: the same id in every try, so that a receiver knows it again.
#[derive(Debug)]
struct Letter {
    id: MessageId,
    json: Vec<u8>,
}

/// The running sender; what waits when it is dropped is not sent.
#[derive(Debug)]
pub(super) struct Webhook {
    letters: SyncSender<Letter>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    failed: AtomicU64,
}

impl Webhook {
    pub(super) fn start(hook: Hook) -> std::io::Result<Self> {
        let (letters, to_send) = sync_channel(WAITING_MAX);
        let shared = Arc::<Shared>::default();
        let told = shared.clone();
        std::thread::Builder::new()
            .name("alerts-webhook".into())
            .spawn(move || run(&hook, &to_send, &told))?;
        Ok(Self { letters, shared })
    }

    /// Takes a notice, and never waits.
    pub(super) fn give(&self, notice: &Notice) {
        let json = serde_json::to_vec(&NoticeBody::new(notice));
        let sent = json.is_ok_and(|json| {
            let id = MessageId::new(Time::now());
            self.letters.try_send(Letter { id, json }).is_ok()
        });
        if !sent {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("alerts: too many notices wait for the webhook; one is not sent");
        }
    }

    /// Notices that were not taken, in all tries.
    pub(super) fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        // A try that is under way ends by itself, within its time.
        self.shared.stop.store(true, Ordering::Release);
    }
}

fn run(hook: &Hook, letters: &Receiver<Letter>, shared: &Shared) {
    while let Ok(letter) = letters.recv() {
        let mut pauses = PAUSES.iter();
        while let Err(what) = hook.post(&letter) {
            let Some(pause) = pauses.next() else {
                shared.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("alerts: the webhook does not take a notice: {what}");
                break;
            };
            if !rest(*pause, shared) {
                return;
            }
        }
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
    }
}

/// Waits, but not for a stop; whether to go on.
fn rest(pause: Duration, shared: &Shared) -> bool {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        if shared.stop.load(Ordering::Acquire) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
