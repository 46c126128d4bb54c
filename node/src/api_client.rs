//! A running node, asked over HTTP or HTTPS by the commands, with a token where it wants one.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use outbox::consumer::Token;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::Uri;

use crate::trust;

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A node's API.
#[derive(Debug)]
pub struct ApiClient {
    api: String,
    http: ureq::Agent,
    token: Option<Token>,
}

/// What a node says to a request that it understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// A body.
    Answer(String),
    /// There is no such thing; what the node says about it.
    Nothing(String),
}

#[derive(Deserialize)]
struct Sites {
    sites: Vec<SiteName>,
}

#[derive(Deserialize)]
struct SiteName {
    site: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    what: String,
    what_to_do: String,
}

/// The variable that keeps a token out of the list of processes.
const TOKEN: &str = "TRILOBITE_TOKEN";

/// Where `trilobite ca init` puts the own authority's certificate.
const OWN_AUTHORITY: &str = "pki/ca.pem";

/// How to reach a node that asks for more than its address.
#[derive(Debug, Clone, Default, Args)]
pub struct Access {
    /// Certificate of the authority that signed the node's, in PEM; for https, pki/ca.pem unless given
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File with a token, as `trilobite token create` printed it; or set TRILOBITE_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl Access {
    fn token(&self) -> anyhow::Result<Option<Token>> {
        let (text, from) = match &self.token_file {
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("token file {name} cannot be read"))?;
                (text, name)
            }
            None => match std::env::var(TOKEN) {
                Ok(text) => (text, TOKEN.to_owned()),
                Err(_) => return Ok(None),
            },
        };
        let token = text.trim().parse();
        Ok(Some(
            token.map_err(|error| anyhow::anyhow!("{from} is {error}"))?,
        ))
    }

    fn authority(&self) -> anyhow::Result<&Path> {
        let own = Path::new(OWN_AUTHORITY);
        match &self.ca {
            Some(path) => Ok(path),
            None if own.exists() => Ok(own),
            None => bail!(
                "https needs the certificate of the authority that signed the node's: name it with \
                 --ca; it is the ca.pem of trilobite ca init"
            ),
        }
    }
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.reveal())
}

impl ApiClient {
    /// A client of the node at this URL (`http://` may be left out) that waits so long for an answer.
    ///
    /// # Errors
    /// Tells what of the address, the certificate or the token cannot be used.
    pub fn new(url: &str, access: &Access, answer_max: Duration) -> anyhow::Result<Self> {
        let scheme = if url.contains("://") { "" } else { "http://" };
        let url = format!("{scheme}{}", url.trim_end_matches('/'));
        let uri: Option<Uri> = url.parse().ok();
        let known = ["http", "https"];
        let Some(uri) = uri.filter(|uri| uri.scheme_str().is_some_and(|one| known.contains(&one)))
        else {
            bail!("{url} is no address of a node; use one such as https://node.example:8080");
        };
        let token = access.token()?;
        let mut config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(answer_max))
            // A token goes to the address that it was given for, directly.
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false);
        if uri.scheme_str() == Some("https") {
            config = config.tls_config(trust::tls(access.authority()?)?);
        } else if token.is_some() && !is_loopback(&uri) {
            bail!("{url}: a token goes in clear text to loopback only; use https");
        }
        Ok(Self {
            api: format!("{url}/api/v1"),
            http: config.build().new_agent(),
            token,
        })
    }

    /// Reads what is at a path below `/api/v1/`.
    ///
    /// # Errors
    /// Tells that nobody answers there, or in the node's words why not; what is not there is
    /// [`Got::Nothing`].
    pub fn get(&self, path: &str) -> anyhow::Result<Got> {
        let url = self.url(path);
        let mut request = self.http.get(&url);
        if let Some(token) = &self.token {
            request = request.header("authorization", bearer(token));
        }
        self.answer(path, request.call())
    }

    /// Gives an order, a JSON document, to a path below `/api/v1/`.
    ///
    /// # Errors
    /// As [`ApiClient::get`].
    pub fn post(&self, path: &str, json: &str) -> anyhow::Result<Got> {
        let url = self.url(path);
        let mut request = self
            .http
            .post(&url)
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", bearer(token));
        }
        self.answer(path, request.send(json))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Tells that it is not what a node of this version answers at the path.
    pub fn read<T: DeserializeOwned>(&self, path: &str, text: &str) -> anyhow::Result<T> {
        serde_json::from_str(text).with_context(|| {
            let url = self.url(path);
            format!("{url} does not answer as a node of this version does")
        })
    }

    /// The ids of the node's sites.
    ///
    /// # Errors
    /// As [`ApiClient::get`].
    pub fn sites(&self) -> anyhow::Result<Vec<String>> {
        let Got::Answer(text) = self.get("sites")? else {
            bail!("{} is not the API of a node", self.api);
        };
        let Sites { sites } = self.read("sites", &text)?;
        Ok(sites.into_iter().map(|entry| entry.site).collect())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.api)
    }

    fn answer(
        &self,
        path: &str,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Got> {
        let url = self.url(path);
        let mut response = answered.with_context(|| {
            format!("no answer from {url}; name the node's HTTP address with --node")
        })?;
        let text = response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("{url} breaks off"))?;
        if response.status().is_success() {
            return Ok(Got::Answer(text));
        }
        let refusal: Refusal = self.read(path, &text)?;
        let told = format!("{}; {}", refusal.error.what, refusal.error.what_to_do);
        if response.status().as_u16() == 404 {
            return Ok(Got::Nothing(told));
        }
        bail!("{told}")
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A path segment: what is not plain is percent-encoded (RFC 3986, section 2).
pub fn escaped(segment: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    segment
        .bytes()
        .map(|b| match plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A node that answers one request with `status` and `body`; ends with what it was sent.
    fn node(status: &'static str, body: &'static str) -> (ApiClient, JoinHandle<(String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = listener.local_addr().unwrap().to_string();
        let client = ApiClient::new(&url, &Access::default(), Duration::from_secs(10)).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.parse().unwrap())
            });
            let mut sent = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut sent).unwrap();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
            let line = head.lines().next().unwrap_or_default().to_owned();
            (line, String::from_utf8(sent).unwrap())
        });
        (client, serving)
    }

    const REFUSAL: &str = r#"{"error":{"what":"it is so","what_to_do":"do this"}}"#;

    #[test]
    fn segments_cannot_change_the_path() {
        assert_eq!(escaped("badge-7"), "badge-7");
        assert_eq!(escaped("../a b"), "..%2Fa%20b");
    }

    #[test]
    fn sites_are_read_and_orders_given_as_json() {
        let (client, serving) = node("200 OK", r#"{"sites":[{"site":"a"},{"site":"b"}]}"#);
        assert_eq!(client.sites().unwrap(), ["a", "b"]);
        let (line, _) = serving.join().unwrap();
        assert_eq!(line, "GET /api/v1/sites HTTP/1.1");
        let (client, serving) = node("200 OK", "{}");
        let got = client.post("sites/a/calibration", r#"{"way":"none"}"#);
        assert_eq!(got.unwrap(), Got::Answer("{}".into()));
        let (line, sent) = serving.join().unwrap();
        assert_eq!(line, "POST /api/v1/sites/a/calibration HTTP/1.1");
        assert_eq!(sent, r#"{"way":"none"}"#);
    }

    #[test]
    fn what_a_node_refuses_is_told_in_its_words() {
        let (client, serving) = node("404 Not Found", REFUSAL);
        let nothing = Got::Nothing("it is so; do this".into());
        assert_eq!(client.get("sites/x").unwrap(), nothing);
        serving.join().unwrap();
        let (client, serving) = node("503 Service Unavailable", REFUSAL);
        let error = client.get("sites/x").unwrap_err().to_string();
        assert_eq!(error, "it is so; do this");
        serving.join().unwrap();
        let (client, serving) = node("502 Bad Gateway", "<html>");
        let error = client.get("sites/x").unwrap_err().to_string();
        assert!(error.contains("as a node of this version does"), "{error}");
        serving.join().unwrap();
    }

    #[test]
    fn what_is_wrong_with_an_address_a_token_or_a_certificate_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let hex = "0a".repeat(32);
        let good = file("good", &format!("trilobite-token-{hex}\n"));
        let check = |url: &str, ca: &Option<PathBuf>, token: &Option<PathBuf>, told: &str| {
            let access = Access {
                ca: ca.clone(),
                token_file: token.clone(),
            };
            let client = ApiClient::new(url, &access, Duration::from_secs(1));
            let error = format!("{:#}", client.unwrap_err());
            assert!(error.contains(told), "{url}: {error}");
            assert!(!error.contains(&hex), "{error}");
        };
        check("ftp://a", &None, &None, "is no address of a node");
        check("http://", &None, &None, "is no address of a node");
        check("http://a.example", &None, &good, "loopback only");
        check("localhost:1", &None, &file("bad", "x"), "bad is ");
        check(
            "localhost:1",
            &None,
            &Some("/none".into()),
            "/none cannot be read",
        );
        check("https://a", &None, &None, "name it with --ca");
        check("https://a", &file("ca", "x"), &None, "there is none in it");
    }
}
