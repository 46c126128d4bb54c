//! Who stands at the door: tokens, and the list of consumers in force.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use outbox::consumer::{Consumer, Consumers, Grant, Token, Watch};
use std::sync::Mutex;
use tokio::sync::watch;

use super::error::ApiError;

/// How often the list is looked at: a revoked token opens nothing after so long.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a token is wanted where there is no list of consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// No: only this machine can ask.
    Welcome,
    /// Yes: others can ask.
    Refused,
}

/// Lets callers in.
#[derive(Debug)]
pub struct Door {
    file: Option<Mutex<Watch>>,
    list: RwLock<Option<Arc<Consumers>>>,
    unlisted: Unlisted,
    changed: watch::Sender<()>,
}

/// Who asks, and what was granted.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// `None` where nobody is asked for a token.
    consumer: Option<Arc<Consumer>>,
    grant: Arc<Grant>,
}

impl Caller {
    /// What was granted.
    pub(crate) fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// The consumer's name; all that need no token are one.
    pub(crate) fn name(&self) -> &str {
        self.consumer.as_ref().map_or("", |consumer| &consumer.name)
    }

    /// Whether a token made known who asks.
    pub(crate) fn is_named(&self) -> bool {
        self.consumer.is_some()
    }
}

impl Door {
    /// Nobody is asked for a token.
    pub fn open() -> Self {
        Self::new(None, Unlisted::Welcome)
    }

    /// Asks for the tokens of a list that is followed.
    pub fn listed(file: Watch, unlisted: Unlisted) -> Self {
        Self::new(Some(file), unlisted)
    }

    fn new(file: Option<Watch>, unlisted: Unlisted) -> Self {
        Self {
            list: RwLock::new(file.as_ref().and_then(Watch::now)),
            file: file.map(Mutex::new),
            unlisted,
            changed: watch::Sender::new(()),
        }
    }

    /// Looks whether the list has changed. It may read a file.
    pub fn look(&self) {
        let Some(file) = &self.file else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        match file.look() {
            Ok(false) => return,
            Ok(true) => {
                let list = file.now();
                let consumers = list.as_ref().map_or(0, |list| list.iter().count());
                match (&list, self.unlisted) {
                    (None, Unlisted::Welcome) => {
                        tracing::warn!(
                            "the list of consumers is gone: nobody is asked for a token"
                        );
                    }
                    _ => tracing::info!(consumers, "the list of consumers has changed"),
                }
                *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the last good list of consumers stays in force");
            }
        }
        self.changed.send_replace(());
    }

    /// Who asks, by the request's headers.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let Some(list) = self.list() else {
            return match self.unlisted {
                Unlisted::Welcome => Ok(Caller {
                    consumer: None,
                    grant: Arc::new(Grant::everything()),
                }),
                Unlisted::Refused => Err(ApiError::unauthorized(
                    "this node has no consumers",
                    "make one where it runs, with \"trilobite token create\"",
                )),
            };
        };
        let token = shown(headers)?;
        let consumer = list.find(&token, unix_s()).map_err(|unknown| {
            let what_to_do = "ask whoever runs this node for a token: \"trilobite token create\"";
            ApiError::unauthorized(unknown.to_string(), what_to_do)
        })?;
        Ok(Caller {
            grant: Arc::new(consumer.grant.clone()),
            consumer: Some(consumer.clone()),
        })
    }

    /// Whether a caller would still be let in, with the same grant.
    pub(crate) fn still_admits(&self, caller: &Caller) -> bool {
        match (self.list(), &caller.consumer) {
            (Some(list), Some(consumer)) => list.still_has(consumer, unix_s()),
            // It is the list that names who is who: without it, or without a name, all over again.
            (None, None) => self.unlisted == Unlisted::Welcome,
            _ => false,
        }
    }

    /// Resolves when a caller would not be let in any more.
    pub(super) async fn shut_for(self: Arc<Self>, caller: Caller) {
        let mut changed = self.changed.subscribe();
        while self.still_admits(&caller) {
            // A token may also be over; the door itself is never gone while `self` lives.
            let _ = tokio::time::timeout(LOOK_INTERVAL, changed.changed()).await;
        }
    }

    /// The consumers on the list; none where there is no list.
    pub(crate) fn names(&self) -> Vec<String> {
        let list = self.list();
        let consumers = list.iter().flat_map(|list| list.iter());
        consumers.map(|consumer| consumer.name.clone()).collect()
    }

    /// The consumers on the list with the marks of their tokens; none where there is no list.
    pub(crate) fn tokens(&self) -> Vec<(String, String)> {
        let list = self.list();
        let consumers = list.iter().flat_map(|list| list.iter());
        consumers
            .map(|consumer| (consumer.name.clone(), consumer.token_mark()))
            .collect()
    }

    fn list(&self) -> Option<Arc<Consumers>> {
        self.list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Looks after the list until the process ends.
pub(crate) async fn look_after(door: Arc<Door>) {
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let door = door.clone();
        // It cannot panic in earnest, and if it did, the next look would be another try.
        let _ = tokio::task::spawn_blocking(move || door.look()).await;
    }
}

/// The token that a request shows: as `Bearer` (RFC 6750), or as the password of `Basic` (RFC 7617),
/// so that a browser can ask a person for it.
fn shown(headers: &HeaderMap) -> Result<Token, ApiError> {
    let refused = |what: &str| {
        let what_to_do = "send one header authorization: Bearer TOKEN; in a browser give the token as \
                          password, with any name; for trilobite's commands set TRILOBITE_TOKEN";
        ApiError::unauthorized(what, what_to_do)
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value
            .to_str()
            .map_err(|_| refused("the token cannot be read"))?,
        (None, _) => return Err(refused("this needs a token")),
        _ => return Err(refused("there is more than one Authorization header")),
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let text = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => base64(rest.trim())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|pair| {
                pair.split_once(':')
                    .map(|(_, password)| password.to_owned())
            }),
        _ => None,
    };
    let token = text.and_then(|text| text.parse().ok());
    token.ok_or_else(|| refused("what was shown is no token"))
}

/// RFC 4648, section 4; padding is optional.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let digits = digits.collect::<Option<Vec<u8>>>()?;
    let mut bytes = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let value = group
            .iter()
            .fold(0_u32, |value, digit| value << 6 | u32::from(*digit));
        let value = value << (6 * (4 - group.len()));
        // A group of n digits holds n - 1 bytes.
        bytes.extend_from_slice(&value.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

pub(crate) fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use outbox::consumer::{ConsumerFile, May, NewConsumer};

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::AUTHORIZATION, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, section 10.
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text).unwrap(), plain.as_bytes());
        }
        assert!(base64("Zm9v!").is_none());
        assert_eq!(base64("Z"), Some(Vec::new()), "half a byte is none");
    }

    #[test]
    fn a_token_opens_in_both_schemes_until_it_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(dir.path());
        let door = Door::listed(file.clone().watch().unwrap(), Unlisted::Welcome);
        let before = door.admit(&headers(&[])).unwrap();
        assert!(!before.is_named() && door.still_admits(&before));
        let new = NewConsumer {
            name: "a".to_owned(),
            grant: Grant::new(May::ReadMessages, ["/api/v1/sites/hq"], ["zone.*"]).unwrap(),
            valid: Duration::from_secs(3_600),
        };
        let token = file.create(new, unix_s()).unwrap().reveal();
        door.look();
        assert!(
            !door.still_admits(&before),
            "who came without a token is asked again"
        );
        let caller = door.admit(&headers(&[&format!("bearer {token}")])).unwrap();
        assert_eq!(caller.name(), "a");
        let basic = {
            use std::io::Write as _;
            // "x:" and the token, by the table of RFC 4648.
            let mut pair = Vec::new();
            write!(pair, "x:{token}").unwrap();
            const DIGITS: &[u8] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let mut text = String::new();
            for group in pair.chunks(3) {
                let bits = group.iter().fold(0_u32, |v, b| v << 8 | u32::from(*b))
                    << (8 * (3 - group.len()));
                for place in 0..=group.len() {
                    let digit = bits >> (18 - 6 * place) & 63;
                    text.push(char::from(DIGITS[usize::try_from(digit).unwrap()]));
                }
            }
            format!("Basic {text}")
        };
        assert_eq!(door.admit(&headers(&[&basic])).unwrap().name(), "a");
        for lines in [
            &[][..],
            &["Bearer"],
            &["Bearer trilobite-token-00"],
            &["Digest x"],
            &["Basic ###"],
            &[&format!("Bearer {token}"), &format!("Bearer {token}")],
        ] {
            let error = door.admit(&headers(lines)).unwrap_err();
            assert!(!format!("{error:?}").contains(&token));
        }
        file.revoke("a").unwrap();
        door.look();
        assert!(!door.still_admits(&caller));
        door.admit(&headers(&[&format!("Bearer {token}")]))
            .unwrap_err();
        door.admit(&headers(&[])).unwrap_err();
    }
}
