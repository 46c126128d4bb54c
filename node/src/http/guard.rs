//! Who may talk to the node: a browser that a foreign page has turned against it may not.
//!
//! A page of `http://evil.example` whose name is made to lead to 127.0.0.1 (DNS rebinding) is of one
//! origin with this node in a browser's eyes, and could read every position. Its requests still
//! name the foreign host, so each request must name a host under which this node is known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::state::HttpState;

/// The hosts under which the node is known, besides loopback addresses and `localhost`: lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// With these names or addresses, without ports.
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| plain(name)).collect())
    }

    fn knows(&self, host: &str) -> bool {
        let host = plain(host);
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        is_loopback || host == "localhost" || self.0.contains(&host)
    }
}

/// Refuses what names another host, and orders that another site's page gives.
pub(super) async fn guard(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    match check(
        &state.hosts,
        request.method(),
        request.uri(),
        request.headers(),
    ) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(hosts: &Hosts, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let authority = authority(uri, headers).ok_or_else(|| {
        ApiError::misdirected(
            "the request does not name one host",
            "send one Host header with the node's address",
        )
    })?;
    if !hosts.knows(authority.host()) {
        return Err(ApiError::misdirected(
            format!("this node is not known as {}", authority.host()),
            "use http://127.0.0.1 with the node's port, or name the host in http.hosts of the node's \
             configuration",
        ));
    }
    if method.is_safe() {
        return Ok(());
    }
    let foreign = || {
        ApiError::forbidden(
            "this order comes from a page of another site",
            "give it from the node's own page, or without an Origin header",
        )
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.parse::<Uri>().ok());
        let same = origin
            .as_ref()
            .and_then(Uri::authority)
            .is_some_and(|origin| origin.as_str().eq_ignore_ascii_case(authority.as_str()));
        if !same {
            return Err(foreign());
        }
    }
    match headers.get("sec-fetch-site") {
        Some(site) if site == "cross-site" => Err(foreign()),
        _ => Ok(()),
    }
}

/// The host and port that a request names: in its target, or in its only `Host` header (RFC 9112,
/// section 3.2).
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok()?,
        _ => return None,
    };
    // A target with a host of its own overrules the header.
    Some(uri.authority().cloned().unwrap_or(host))
}

fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, target: &str, lines: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let hosts = Hosts::new(&["Map.Example.org".to_owned()]);
        let checked = check(&hosts, &method, &target.parse().unwrap(), &headers);
        checked.map_or_else(
            |refusal| refusal.into_response().status().as_u16(),
            |()| 200,
        )
    }

    #[test]
    fn a_host_is_one_under_which_the_node_is_known() {
        for host in [
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "localhost",
            "LocalHost.:8080",
            "map.example.org:443",
        ] {
            assert_eq!(status(Method::GET, "/", &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "192.0.2.7",
            "[::2]",
            "example.org",
            "",
            "a b",
            "x@127.0.0.1/evil",
        ] {
            assert_eq!(status(Method::GET, "/", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(status(Method::GET, "/", &[]), 421);
        let two = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert_eq!(status(Method::GET, "/", &two), 421);
        let target = "http://evil.example/livez";
        assert_eq!(status(Method::GET, target, &[("host", "localhost")]), 421);
    }

    #[test]
    fn an_order_of_another_sites_page_is_forbidden() {
        let order = |name, value| {
            let lines = [("host", "127.0.0.1:8080"), (name, value)];
            status(Method::POST, "/", &lines)
        };
        assert_eq!(order("accept", "*/*"), 200, "no browser");
        assert_eq!(order("origin", "http://127.0.0.1:8080"), 200);
        assert_eq!(order("sec-fetch-site", "same-origin"), 200);
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:9090",
            "http://localhost:8080",
            "null",
            "",
        ] {
            assert_eq!(order("origin", origin), 403, "{origin}");
        }
        assert_eq!(order("sec-fetch-site", "cross-site"), 403);
        let read = [
            ("host", "127.0.0.1:8080"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(
            status(Method::GET, "/", &read),
            200,
            "the browser keeps it to itself"
        );
        assert_eq!(status(Method::DELETE, "/", &read), 403);
    }
}
