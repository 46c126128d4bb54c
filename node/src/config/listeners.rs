//! The listeners of HTTP: where, for whom, with which certificate.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use outbox::consumer::Pace;
use outbox::{Place, StoreConfig};
use serde::Deserialize;

use crate::http::TlsFiles;

/// The listener of the map and the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Where to listen; off loopback only with TLS and tokens.
    pub listen: SocketAddr,
    /// Further hosts under which people and consumers reach the node, without ports: those of a proxy
    /// before it. Names in the certificates are known anyway.
    pub hosts: Vec<String>,
    /// With TLS.
    pub tls: Option<TlsConfig>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            hosts: Vec::new(),
            tls: None,
        }
    }
}

/// The listener of messages, and their store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesConfig {
    /// Where to listen; off loopback only with TLS and tokens.
    pub listen: SocketAddr,
    /// With TLS.
    pub tls: Option<TlsConfig>,
    /// A file in `state_dir`, or the address of a PostgreSQL database.
    pub store: StorePlace,
    /// Days for which messages are kept at least.
    pub retention_days: u32,
    /// Free space, in MiB, below which nothing new is taken in.
    pub headroom_mib: u64,
    /// Time, in milliseconds, during which changes gather for one commit.
    pub commit_window_ms: u64,
    /// Requests per second of each consumer in the long run.
    pub rate_per_s: f64,
    /// Requests of each consumer at once, after a pause.
    pub rate_burst: f64,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        let store = StoreConfig::sqlite("");
        Self {
            listen: loopback(8081),
            tls: None,
            store: StorePlace("outbox.sqlite".to_owned()),
            retention_days: 5,
            headroom_mib: store.headroom_bytes >> 20,
            // A configured second at most, so it fits.
            commit_window_ms: u64::try_from(store.commit_window.as_millis()).unwrap_or(u64::MAX),
            rate_per_s: 100.0,
            rate_burst: 200.0,
        }
    }
}

/// Where messages are kept, as it is written: an address may hold a password, so `Debug` hides it.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct StorePlace(String);

impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorePlace(..)")
    }
}

/// The certificate of a listener: files, or the node's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The node's certificate of `[quic]`, which its own authority issued.
    pub own: bool,
    /// The chain, in PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key: Option<PathBuf>,
}

impl TlsConfig {
    /// The files; `own` are those of the node.
    pub fn files(&self, own: TlsFiles) -> TlsFiles {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            _ => own,
        }
    }

    fn check(&self) -> Result<(), String> {
        let files = [&self.certificate, &self.key].into_iter().flatten().count();
        match (self.own, files) {
            (true, 0) | (false, 2) => Ok(()),
            _ => Err(
                "say own = true for the node's own certificate, or name certificate and key".into(),
            ),
        }
    }

    fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.certificate, &mut self.key].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

impl MessagesConfig {
    /// The store, whose file lies in `state_dir` unless its path says otherwise.
    pub fn store(&self, state_dir: &Path) -> StoreConfig {
        let place = match self.store.0.parse() {
            Ok(Place::Sqlite(path)) => Place::Sqlite(state_dir.join(path)),
            Ok(place) => place,
            Err(never) => match never {},
        };
        StoreConfig {
            retention: Duration::from_secs(u64::from(self.retention_days) * 86_400),
            headroom_bytes: self.headroom_mib.saturating_mul(1 << 20),
            commit_window: Duration::from_millis(self.commit_window_ms),
            ..StoreConfig::new(place)
        }
    }

    /// How often each consumer may ask.
    pub fn pace(&self) -> Pace {
        Pace {
            per_s: self.rate_per_s,
            burst: self.rate_burst,
        }
    }
}

/// A key and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// Checks both listeners and the store.
pub(super) fn check(http: &HttpConfig, messages: &MessagesConfig) -> Result<(), Wrong> {
    let listeners = [
        ("http.listen", "http.tls", http.listen, &http.tls),
        (
            "messages.listen",
            "messages.tls",
            messages.listen,
            &messages.tls,
        ),
    ];
    for (listen_key, tls_key, listen, tls) in listeners {
        if let Some(tls) = tls {
            tls.check().map_err(|what| (tls_key, what))?;
        } else if !listen.ip().is_loopback() {
            return Err((
                listen_key,
                format!(
                    "{listen} is not loopback, and positions must not leave the machine unprotected; \
                     add [{tls_key}] with own = true or with certificate and key, or listen on \
                     127.0.0.1 and put a proxy with TLS and authentication before it"
                ),
            ));
        }
    }
    if http.listen == messages.listen && http.listen.port() != 0 {
        return Err((
            "messages.listen",
            format!(
                "{} is the place of http.listen; use another port",
                messages.listen
            ),
        ));
    }
    if let Some(odd) = http.hosts.iter().find(|host| !is_host(host)) {
        return Err((
            "http.hosts",
            format!("\"{odd}\" is no host; use names like map.example.org, without port and path"),
        ));
    }
    if messages.store.0.is_empty() {
        let hint = "no file; use a name such as outbox.sqlite, or postgres://...".to_owned();
        return Err(("messages.store", hint));
    }
    for (key, value) in [
        ("messages.rate_per_s", messages.rate_per_s),
        ("messages.rate_burst", messages.rate_burst),
    ] {
        if !(1.0..=1e6).contains(&value) {
            return Err((key, format!("{value} is out of range; use 1 to 1000000")));
        }
    }
    let store = messages.store(Path::new("")).validate();
    store.map_err(|error| match error.key {
        "retention" => (
            "messages.retention_days",
            format!(
                "{} is out of range; {}",
                messages.retention_days, error.rule
            ),
        ),
        "headroom_bytes" => (
            "messages.headroom_mib",
            format!("{} is out of range; {}", messages.headroom_mib, error.rule),
        ),
        "commit_window" => (
            "messages.commit_window_ms",
            format!(
                "{} is out of range; {}",
                messages.commit_window_ms, error.rule
            ),
        ),
        _ => ("messages", error.to_string()),
    })
}

/// Paths relative to the configuration's folder become whole.
pub(super) fn resolve(http: &mut HttpConfig, messages: &mut MessagesConfig, folder: &Path) {
    for tls in [&mut http.tls, &mut messages.tls].into_iter().flatten() {
        tls.resolve(folder);
    }
}

/// Whether a text is a host as a URL spells it, without a port.
fn is_host(text: &str) -> bool {
    let authority = text.parse::<axum::http::uri::Authority>();
    authority.is_ok_and(|authority| authority.host() == text && !text.contains('*'))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        #[derive(Deserialize)]
        struct Both {
            #[serde(default)]
            http: HttpConfig,
            #[serde(default)]
            messages: MessagesConfig,
        }
        let both: Both = toml::from_str(text).unwrap();
        let wrong = check(&both.http, &both.messages);
        wrong.map_or_else(|(key, what)| format!("{key}: {what}"), |()| String::new())
    }

    #[test]
    fn off_loopback_a_listener_needs_tls() {
        for listener in ["http", "messages"] {
            let open = format!("[{listener}]\nlisten = \"0.0.0.0:9000\"\n");
            let text = wrong(&open);
            assert!(text.contains(&format!("add [{listener}.tls]")), "{text}");
            let own = format!("{open}[{listener}.tls]\nown = true\n");
            assert_eq!(wrong(&own), "");
            let files = format!("{open}[{listener}.tls]\ncertificate = \"a\"\nkey = \"b\"\n");
            assert_eq!(wrong(&files), "");
            for half in ["", "certificate = \"a\"\n", "own = true\nkey = \"b\"\n"] {
                let text = wrong(&format!("{open}[{listener}.tls]\n{half}"));
                assert!(text.contains("own = true"), "{text}");
            }
        }
    }

    #[test]
    fn mistakes_tell_the_key() {
        for (line, key) in [
            ("retention_days = 0", "messages.retention_days: 0"),
            ("headroom_mib = 0", "messages.headroom_mib: 0"),
            ("commit_window_ms = 5000", "messages.commit_window_ms: 5000"),
            ("rate_per_s = 0.0", "messages.rate_per_s: 0"),
            ("rate_burst = nan", "messages.rate_burst: NaN"),
            ("store = \"\"", "messages.store: no file"),
            (
                "listen = \"127.0.0.1:8080\"",
                "messages.listen: 127.0.0.1:8080 is the place",
            ),
        ] {
            let text = wrong(&format!("[messages]\n{line}"));
            assert!(text.starts_with(key), "{line}: {text}");
        }
        assert_eq!(wrong(""), "");
    }

    #[test]
    fn the_store_is_a_file_in_state_dir_or_a_database() {
        let place = |text: &str| {
            let config = MessagesConfig {
                store: StorePlace(text.to_owned()),
                ..MessagesConfig::default()
            };
            assert!(!format!("{config:?}").contains("secret"));
            config.store(Path::new("state")).place
        };
        assert_eq!(place("a.sqlite"), Place::Sqlite("state/a.sqlite".into()));
        assert_eq!(place("/var/a"), Place::Sqlite("/var/a".into()));
        let url = "postgres://me:secret@127.0.0.1/outbox";
        assert_eq!(place(url), Place::Postgres(url.to_owned()));
    }
}
