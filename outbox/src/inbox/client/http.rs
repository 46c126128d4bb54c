//! One request to a feed, and what its answer means.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::ClientConfig;
use crate::inbox::FeedPage;
use crate::inbox::limits::BODY_BYTES_MAX;
use crate::inbox::poller::{Failure, Filter, Gone, PollRequest};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// What an answer may take beyond the time for which the feed was asked to hold the request.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Days for which the feed keeps messages, in a header of its answers.
const RETENTION_HEADER: &str = "retention-days";

/// Most of a refusal's text that is told.
const TOLD_CHARS_MAX: usize = 300;

/// A consumer's token; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// An address, token or certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address.
    #[error("feed {0:?} is no address; use http://host:port or https://host:port")]
    Url(String),
    /// The token.
    #[error("the token is not one line of visible ASCII; use what trilobite token create printed")]
    Token,
    /// A token would be readable on its way.
    #[error("feed {0:?}: a token goes in clear text to loopback only; use https")]
    Clear(String),
    /// Nobody vouches for the feed.
    #[error("feed {0:?}: https needs the certificate of the feed's authority, in PEM")]
    NoAuthority(String),
    /// The certificate is none.
    #[error("the authority's certificate is no PEM: {0}")]
    Authority(String),
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A page, and for how many days the feed says that it keeps messages.
    Page(FeedPage, Option<u32>),
    /// None, and why.
    Failed(Failure, String),
}

/// Asks one feed.
#[derive(Debug)]
pub(super) struct Http {
    url: String,
    authorization: Option<Token>,
    agent: ureq::Agent,
}

impl Token {
    /// A token from a file's text; blanks around it do not count.
    ///
    /// # Errors
    /// [`HttpError::Token`] for what cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, HttpError> {
        let text = text.trim();
        let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token
            .then(|| Self(text.to_owned()))
            .ok_or(HttpError::Token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Http {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, HttpError> {
        let url = address(&config.url)?;
        let uri: Uri = url
            .parse()
            .map_err(|_| HttpError::Url(config.url.clone()))?;
        let is_encrypted = uri.scheme_str() == Some("https");
        if config.token.is_some() && !is_encrypted && !is_loopback(&uri) {
            return Err(HttpError::Clear(config.url.clone()));
        }
        let authorities = authorities(&config.authorities_pem)?;
        if is_encrypted && authorities.is_empty() {
            return Err(HttpError::NoAuthority(config.url.clone()));
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&authorities))
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .build();
        let settings = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_MAX))
            .http_status_as_error(false)
            // A token goes to the address that it was given for, directly.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(tls);
        Ok(Self {
            url,
            authorization: config.token.clone(),
            agent: settings.build().new_agent(),
        })
    }

    pub(super) fn fetch(&self, request: &PollRequest, filter: &Filter) -> Fetched {
        let url = format!("{}?{}", self.url, request.query(filter));
        let mut call = self
            .agent
            .get(&url)
            .config()
            .timeout_global(Some(request.wait + ANSWER_MAX))
            .build()
            .header("accept", "application/json");
        if let Some(Token(token)) = &self.authorization {
            call = call.header("authorization", format!("Bearer {token}"));
        }
        let mut response = match call.call() {
            Ok(response) => response,
            Err(error) => return self.failed(Failure::Broken, &format!("no answer: {error}")),
        };
        let status = response.status().as_u16();
        let number = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            value.trim().parse::<u32>().ok()
        };
        let (retention_days, retry_after) = (number(RETENTION_HEADER), number("retry-after"));
        // One byte more than a page may have, so that a longer one is told from a full one.
        let limit = BODY_BYTES_MAX as u64 + 1;
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                return self.failed(Failure::Broken, &format!("the answer breaks off: {error}"));
            }
        };
        match status {
            200 => match FeedPage::parse(&body) {
                Ok(page) => Fetched::Page(page, retention_days),
                Err(error) => self.failed(Failure::Broken, &chain(&error)),
            },
            410 => self.failed(Failure::Gone(Gone::parse(&body)), &told(410, &body)),
            429 | 503 => {
                let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
                self.failed(Failure::Busy { retry_after }, &told(status, &body))
            }
            400..=499 => self.failed(Failure::Refused, &told(status, &body)),
            _ => self.failed(Failure::Broken, &told(status, &body)),
        }
    }

    fn failed(&self, failure: Failure, what: &str) -> Fetched {
        Fetched::Failed(failure, format!("feed {}: {what}", self.url))
    }
}

/// The feed's address: what was given, with the usual path where it has none.
fn address(text: &str) -> Result<String, HttpError> {
    let bad = || HttpError::Url(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| bad())?;
    let scheme = uri.scheme_str().ok_or_else(bad)?;
    let authority = uri.authority().ok_or_else(bad)?;
    if !["http", "https"].contains(&scheme)
        || uri.query().is_some()
        || authority.as_str().contains('@')
    {
        return Err(bad());
    }
    let path = match uri.path().trim_end_matches('/') {
        "" => "/messages",
        path => path,
    };
    Ok(format!("{scheme}://{authority}{path}"))
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate<'static>>, HttpError> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(HttpError::Authority(error.to_string())),
        }
    }
    if found.is_empty() && !pem.is_empty() {
        return Err(HttpError::Authority("no certificate in it".to_owned()));
    }
    Ok(found)
}

/// A refusal in the feed's own words where it has some.
fn told(status: u16, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: Words,
    }
    #[derive(serde::Deserialize)]
    struct Words {
        what: String,
        what_to_do: String,
    }
    let words = match serde_json::from_slice(body) {
        Ok(Refusal { error }) => format!(": {}; {}", error.what, error.what_to_do),
        Err(_) => String::new(),
    };
    let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
    let words: String = words.chars().take(TOLD_CHARS_MAX).map(letter).collect();
    format!("HTTP {status}{words}")
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::{After, PollerConfig};

    fn config(url: &str, token: Option<&str>) -> ClientConfig {
        ClientConfig {
            url: url.to_owned(),
            token: token.map(|text| Token::new(text).unwrap()),
            authorities_pem: Vec::new(),
            filter: Filter::default(),
            poller: PollerConfig::default(),
            beginning: After::Oldest,
        }
    }

    #[test]
    fn an_address_gets_the_usual_path() {
        let check = |text: &str, expected: &str| assert_eq!(address(text).unwrap(), expected);
        check("http://127.0.0.1:8081", "http://127.0.0.1:8081/messages");
        check("http://127.0.0.1:8081/", "http://127.0.0.1:8081/messages");
        check("https://hq:1/x/feed/", "https://hq:1/x/feed");
        for bad in [
            "",
            "127.0.0.1:8081",
            "ftp://a",
            "http://",
            "http://a?b=c",
            "http://me:pw@a",
            "http://a b",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_never_shown_nor_sent_readably() {
        let token = Token::new(" secret\n").unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        for bad in ["", " ", "a b", "a\nb", "ä"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
        for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert!(Http::new(&config(url, Some("secret"))).is_ok(), "{url}");
        }
        let clear = Http::new(&config("http://feed.example:1", Some("secret")));
        assert!(matches!(clear, Err(HttpError::Clear(_))));
        assert!(Http::new(&config("http://feed.example:1", None)).is_ok());
        let unknown = Http::new(&config("https://feed.example:1", Some("secret")));
        assert!(matches!(unknown, Err(HttpError::NoAuthority(_))));
    }

    #[test]
    fn refusals_are_told_in_the_feeds_words_and_harmlessly() {
        let body = br#"{"error":{"what":"it is\u001b[2J so","what_to_do":"do this"}}"#;
        assert_eq!(told(403, body), "HTTP 403: it is [2J so; do this");
        assert_eq!(told(502, b"<html>"), "HTTP 502");
        let long = format!(
            r#"{{"error":{{"what":"{}","what_to_do":""}}}}"#,
            "x".repeat(10_000)
        );
        assert!(told(400, long.as_bytes()).len() < 400);
    }
}
