//! Where a receiver is, who we are to it, and who vouches for it.

use std::fmt;
use std::net::IpAddr;

use super::config::{RelayConfig, RelayKind};

/// A receiver's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_encrypted: bool,
    /// What follows the first slash, if anything does.
    pub(super) path: String,
}

/// User and password, a token, or a secret; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

/// An address or credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The address.
    #[error("{url:?} is no address of {kind}; use {example}, without user and password")]
    Url {
        /// As it was given.
        url: String,
        /// What is spoken there.
        kind: RelayKind,
        /// What one looks like.
        example: &'static str,
    },
    /// Messages would be readable on their way.
    #[error(
        "{0:?} is not on this machine, and without TLS everybody on the way can read messages and \
         credentials; use the address with TLS, or say plain = true"
    )]
    Clear(String),
    /// Nobody vouches for it.
    #[error("{0:?}: TLS needs the certificate of the receiver's authority, in PEM")]
    NoAuthority(String),
    /// The certificate is none.
    #[error("the authority's certificate is no PEM: {0}")]
    Authority(String),
    /// The credentials.
    #[error(
        "the credentials are not one line of visible ASCII; write user:password, a token, or a \
         webhook's secret of 24 characters or more"
    )]
    Credentials,
    /// The name of the host.
    #[error("{0:?} is no host that a certificate could name")]
    Host(String),
}

impl Credentials {
    /// Credentials from a file's text; blanks around it do not count.
    ///
    /// # Errors
    /// [`TargetError::Credentials`].
    pub fn new(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let is_line = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_line
            .then(|| Self(text.to_owned()))
            .ok_or(TargetError::Credentials)
    }

    /// User and password, where it is both.
    #[cfg(any(feature = "relay-nats", feature = "relay-mqtt", feature = "relay-amqp"))]
    pub(super) fn user_and_password(&self) -> Option<(&str, &str)> {
        self.0.split_once(':')
    }

    #[cfg(any(feature = "relay-nats", feature = "relay-webhook"))]
    pub(super) fn whole(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Schemes without and with TLS, their ports, and an example.
const fn schemes(kind: RelayKind) -> ([(&'static str, u16); 2], &'static str) {
    match kind {
        RelayKind::Nats => (
            [("nats", 4222), ("tls", 4222)],
            "nats://127.0.0.1:4222 or tls://host:4222",
        ),
        RelayKind::Mqtt => (
            [("mqtt", 1883), ("mqtts", 8883)],
            "mqtt://127.0.0.1:1883 or mqtts://host:8883",
        ),
        RelayKind::Amqp => (
            [("amqp", 5672), ("amqps", 5671)],
            "amqp://127.0.0.1:5672/vhost or amqps://host:5671/vhost",
        ),
        RelayKind::Webhook => (
            [("http", 80), ("https", 443)],
            "https://host/path or http://127.0.0.1:port/path",
        ),
    }
}

impl Target {
    /// Checks the address of a configuration, and that nothing of it goes readably over a network.
    pub(super) fn of(config: &RelayConfig) -> Result<Self, TargetError> {
        Self::parse(config.kind, &config.url, config.plain)
    }

    pub(super) fn parse(kind: RelayKind, url: &str, plain: bool) -> Result<Self, TargetError> {
        let (schemes, example) = schemes(kind);
        let bad = || TargetError::Url {
            // Somebody may have written a password into it.
            url: url.split('@').next_back().unwrap_or_default().to_owned(),
            kind,
            example,
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let known = schemes.iter().position(|(name, _)| *name == scheme);
        let is_encrypted = known.ok_or_else(bad)? == 1;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(bad)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| bad())?,
            None if port.is_empty() => schemes[usize::from(is_encrypted)].1,
            None => return Err(bad()),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        if host.is_empty() || !host.bytes().all(allowed) || port == 0 {
            return Err(bad());
        }
        let ip = host.parse::<IpAddr>();
        let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        if !is_encrypted && !is_here && !plain {
            return Err(TargetError::Clear(url.to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            is_encrypted,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_protocols_schemes_and_ports() {
        let parse = |kind, url| Target::parse(kind, url, false).map(|t| (t.to_string(), t.path));
        let good = [
            (RelayKind::Nats, "nats://127.0.0.1", "127.0.0.1:4222", ""),
            (RelayKind::Nats, "tls://hub.example:1", "hub.example:1", ""),
            (RelayKind::Mqtt, "mqtts://hub/", "hub:8883", ""),
            (RelayKind::Amqp, "amqp://[::1]:99/a/b", "::1:99", "a/b"),
            (
                RelayKind::Webhook,
                "http://localhost:8/x?y",
                "localhost:8",
                "x?y",
            ),
        ];
        for (kind, url, place, path) in good {
            assert_eq!(
                parse(kind, url).unwrap(),
                (place.to_owned(), path.to_owned()),
                "{url}"
            );
        }
        for url in [
            "",
            "nats",
            "mqtt://127.0.0.1",
            "nats://",
            "nats://:1",
            "nats://me:secret@127.0.0.1",
            "nats://127.0.0.1:0",
            "nats://127.0.0.1:x",
            "nats://[::1",
            "nats://[::1]1",
            "nats://a b",
            "nats://127.0.0.1:65536",
        ] {
            let error = parse(RelayKind::Nats, url).unwrap_err();
            assert!(matches!(error, TargetError::Url { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn nothing_goes_readably_over_a_network() {
        for url in [
            "mqtt://hub.example",
            "mqtt://10.0.0.1",
            "mqtt://127.0.0.1.example",
        ] {
            let refused = Target::parse(RelayKind::Mqtt, url, false);
            assert!(matches!(refused, Err(TargetError::Clear(_))), "{url}");
            assert!(Target::parse(RelayKind::Mqtt, url, true).is_ok(), "{url}");
        }
        let shown = format!("{:?}", Credentials::new("me:secret\n").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        for bad in ["", " \n", "a b", "a\nb", "ä"] {
            assert!(Credentials::new(bad).is_err(), "{bad:?}");
        }
    }
}
