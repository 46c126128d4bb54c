//! Which node to connect to next: seeds in turn, and redirects.

use std::fmt;
use std::str::FromStr;

use crate::limits::REDIRECTS_MAX;

/// Host and port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// Name or IP address, without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// The text is no address of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a node; use host:port, such as node.example:4433 or [::1]:4433")]
pub struct NodeAddressError(String);

impl FromStr for NodeAddress {
    type Err = NodeAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match split(text) {
            Some((host, port)) if !host.is_empty() => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(NodeAddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Splits `host:port`; the host may be empty, an IPv6 address stands in brackets.
fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let plain = bare.unwrap_or(host);
    // Brackets are for addresses with colons, and for nothing else.
    let sound = bare.is_some() == plain.contains(':') && !plain.contains(['[', ']', '/', ' ']);
    sound.then_some((plain, port))
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    #[error("the node redirects to a place that cannot be read: {0}")]
    Address(#[from] NodeAddressError),
    #[error(
        "redirected {REDIRECTS_MAX} times without being served; the nodes disagree on who owns this site"
    )]
    TooMany,
}

/// The way to a node: a list of seeds and where the last one asked sent us.
#[derive(Debug)]
pub(crate) struct Route {
    seeds: Vec<NodeAddress>,
    seed: usize,
    redirected: Option<NodeAddress>,
    redirects: u32,
}

impl Route {
    /// `seeds` is not empty.
    pub(crate) fn new(seeds: Vec<NodeAddress>) -> Self {
        Self {
            seeds,
            seed: 0,
            redirected: None,
            redirects: 0,
        }
    }

    /// Where to connect now.
    pub(crate) fn address(&self) -> &NodeAddress {
        self.redirected.as_ref().unwrap_or(&self.seeds[self.seed])
    }

    /// The node at [`Route::address`] names another one.
    pub(crate) fn handle_redirect(&mut self, to: &str) -> Result<(), RedirectError> {
        if self.redirects == REDIRECTS_MAX {
            self.handle_failure();
            return Err(RedirectError::TooMany);
        }
        let Some((host, port)) = split(to) else {
            self.handle_failure();
            return Err(NodeAddressError(to.to_owned()).into());
        };
        let host = if host.is_empty() {
            self.address().host.clone()
        } else {
            host.to_owned()
        };
        self.redirected = Some(NodeAddress { host, port });
        self.redirects += 1;
        Ok(())
    }

    /// The node serves this agent.
    pub(crate) fn handle_welcome(&mut self) {
        self.redirects = 0;
    }

    /// A node that had served this agent is gone: ask the seed that led to it first, for it may
    /// have come back with other ports.
    pub(crate) fn handle_session_ended(&mut self) {
        self.redirected = None;
        self.redirects = 0;
    }

    /// The node did not answer or did not want us: the next seed is asked.
    pub(crate) fn handle_failure(&mut self) {
        self.redirected = None;
        self.redirects = 0;
        self.seed = (self.seed + 1) % self.seeds.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(seeds: &[&str]) -> Route {
        Route::new(
            seeds
                .iter()
                .map(|seed| seed.parse().expect("address"))
                .collect(),
        )
    }

    #[test]
    fn addresses_are_read_and_printed() {
        for good in ["127.0.0.1:4433", "node.example:1", "[::1]:65535"] {
            assert_eq!(
                good.parse::<NodeAddress>().map(|a| a.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            "node",
            "node:",
            ":4433",
            "node:0",
            "node:65536",
            "::1:4433",
            "a b:1",
        ] {
            assert!(bad.parse::<NodeAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn brackets_hold_addresses_with_colons_only() {
        for bad in ["[[\u{e}D1]:54339", "[a]:1", "[]:1", "[:: 1]:1", "[::1]]:1"] {
            assert!(bad.parse::<NodeAddress>().is_err(), "{bad:?}");
        }
        let mut route = route(&["a:1"]);
        assert!(route.handle_redirect("[]:5").is_err());
    }

    #[test]
    fn seeds_are_asked_in_turn() {
        let mut route = route(&["a:1", "b:2"]);
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(route.address().to_string());
            route.handle_failure();
        }
        assert_eq!(asked, ["a:1", "b:2", "a:1"]);
    }

    #[test]
    fn an_empty_host_means_the_same_host() {
        let mut route = route(&["a:1", "b:2"]);
        route.handle_redirect(":4434").expect("redirect");
        assert_eq!(route.address().to_string(), "a:4434");
        route.handle_redirect("c:7").expect("redirect");
        assert_eq!(route.address().to_string(), "c:7");
        route.handle_session_ended();
        assert_eq!(route.address().to_string(), "a:1");
    }

    #[test]
    fn redirects_end() {
        let mut route = route(&["a:1", "b:2"]);
        for _ in 0..REDIRECTS_MAX {
            route.handle_redirect(":9").expect("redirect");
        }
        assert_eq!(route.handle_redirect(":9"), Err(RedirectError::TooMany));
        assert_eq!(route.address().to_string(), "b:2");
        assert!(matches!(
            route.handle_redirect("nowhere"),
            Err(RedirectError::Address(_))
        ));
        for _ in 0..2 {
            route.handle_redirect(":9").expect("redirect");
            route.handle_welcome();
        }
    }
}
