//! A running node, asked over HTTP by the commands, with the token in `TRILOBITE_TOKEN` where it wants
//! one.

use std::time::Duration;

use anyhow::{Context as _, bail};
use outbox::consumer::Token;
use serde::Deserialize;
use serde::de::DeserializeOwned;

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

fn token() -> Option<Token> {
    let text = std::env::var(TOKEN).ok()?;
    let token = text.trim().parse();
    // The node tells that it wants one; why it got none is told here.
    token
        .inspect_err(|error| tracing::warn!("{TOKEN} is {error}"))
        .ok()
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.reveal())
}

impl ApiClient {
    /// A client of the node at this URL (`http://` may be left out) that waits so long for an answer.
    pub fn new(url: &str, answer_max: Duration) -> Self {
        let scheme = if url.contains("://") { "" } else { "http://" };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(answer_max))
            .http_status_as_error(false);
        Self {
            api: format!("{scheme}{}/api/v1", url.trim_end_matches('/')),
            http: config.build().new_agent(),
            token: token(),
        }
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
        let client = ApiClient::new(
            &listener.local_addr().unwrap().to_string(),
            Duration::from_secs(10),
        );
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
}
