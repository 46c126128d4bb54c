//! What a node tells over HTTP: its ledger, and its fixes as they come.

pub mod ledger;

use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::limits::{ANSWER_MAX, LEDGER_BYTES_MAX};
use ledger::LedgerBody;

/// Why a node's API does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Nobody answers, or with an error.
    #[error("no answer from {url}; check that the node runs and that this is its HTTP address")]
    Answer {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The answer is not what this version knows.
    #[error("{url} answers something else; use a node and a load generator of the same version")]
    Body {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A fix, as far as a run needs it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FixLine {
    /// Sixteen digits, or the name of a named client.
    pub client: String,
    /// Middle of the sightings used, in microseconds since 1970; of a replay, on its clock.
    #[serde(rename = "time", deserialize_with = "unix_us")]
    pub time_us: u64,
    /// In the site's frame, in metres.
    pub x_m: f64,
    /// In the site's frame, in metres.
    pub y_m: f64,
    /// Id of the floor.
    pub floor: String,
}

fn unix_us<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
    u64::try_from(time.as_microsecond()).map_err(D::Error::custom)
}

/// A line of the stream of fixes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum StreamLine {
    /// A fix.
    Fix(FixLine),
    /// So many fixes were lost, because this reader was slow.
    Lagged {
        /// How many.
        lagged: u64,
    },
}

/// A reader of one node's API.
#[derive(Debug, Clone)]
pub struct NodeApi {
    base: String,
    http: ureq::Agent,
    streams: ureq::Agent,
}

impl NodeApi {
    /// A reader of the API at this URL, such as `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> Self {
        let http = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .build();
        let streams = ureq::Agent::config_builder()
            .timeout_connect(Some(ANSWER_MAX))
            .timeout_recv_response(Some(ANSWER_MAX))
            .build();
        Self {
            base: url.trim_end_matches('/').to_owned(),
            http: http.new_agent(),
            streams: streams.new_agent(),
        }
    }

    /// The books, latencies and counters as they stand.
    ///
    /// # Errors
    /// [`ApiError`] when the node does not answer, or not in our words.
    pub fn ledger(&self) -> Result<LedgerBody, ApiError> {
        self.ledger_at("/api/v1/ledger")
    }

    /// The same without the agents one by one: with a thousand of them a look costs the node far
    /// less.
    ///
    /// # Errors
    /// [`ApiError`] when the node does not answer, or not in our words.
    pub fn ledger_in_brief(&self) -> Result<LedgerBody, ApiError> {
        self.ledger_at("/api/v1/ledger?agents=false")
    }

    fn ledger_at(&self, path: &str) -> Result<LedgerBody, ApiError> {
        let (url, text) = self.text(path)?;
        serde_json::from_str(&text).map_err(|source| ApiError::Body { url, source })
    }

    /// Asks whether the process lives.
    ///
    /// # Errors
    /// [`ApiError`] when it does not answer.
    pub fn live(&self) -> Result<(), ApiError> {
        self.text("/livez").map(drop)
    }

    /// What the node answers there, with the whole URL.
    fn text(&self, path: &str) -> Result<(String, String), ApiError> {
        let url = format!("{}{path}", self.base);
        let answer = |source| ApiError::Answer {
            url: url.clone(),
            source: Box::new(source),
        };
        let mut response = self.http.get(&url).call().map_err(answer)?;
        // A thousand agents take more room than the ten megabytes that are usual.
        let body = response.body_mut().with_config().limit(LEDGER_BYTES_MAX);
        let text = body.read_to_string().map_err(answer)?;
        Ok((url, text))
    }

    /// Every fix of a site from now on.
    ///
    /// # Errors
    /// [`ApiError`] when the node does not answer.
    pub fn follow(&self, site: &str) -> Result<FixStream, ApiError> {
        let url = format!("{}/api/v1/sites/{site}/fixes", self.base);
        let request = self
            .streams
            .get(&url)
            .header("accept", "application/x-ndjson");
        let response = request.call().map_err(|source| ApiError::Answer {
            url: url.clone(),
            source: Box::new(source),
        })?;
        let reader = BufReader::new(response.into_body().into_reader());
        let (tell, lines) = mpsc::channel();
        // The thread ends with the stream, or with the first line after its receiver is gone.
        std::thread::spawn(move || {
            for line in reader
                .lines()
                .map_while(Result::ok)
                .filter(|line| !line.is_empty())
            {
                let parsed = serde_json::from_str(&line).map_err(|source| ApiError::Body {
                    url: url.clone(),
                    source,
                });
                if tell.send(parsed).is_err() {
                    break;
                }
            }
        });
        Ok(FixStream(lines))
    }
}

/// Fixes as they come.
#[derive(Debug)]
pub struct FixStream(Receiver<Result<StreamLine, ApiError>>);

impl FixStream {
    /// The next line; `None` when none comes within so long, or none will ever come.
    ///
    /// # Errors
    /// [`ApiError::Body`] for a line that is not understood.
    pub fn next(&self, wait: Duration) -> Result<Option<StreamLine>, ApiError> {
        self.0.recv_timeout(wait).ok().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_stream_are_told_apart() {
        let fix = r#"{"client":"5-M1","site":"yu","time":"1970-01-01T00:00:02.500Z","age_ms":9,
            "x_m":1.5,"y_m":-2.0,"z_m":1.2,"floor":"0","floor_probability":1.0}"#;
        let StreamLine::Fix(fix) = serde_json::from_str(fix).unwrap() else {
            panic!("a fix")
        };
        assert_eq!((fix.client.as_str(), fix.time_us), ("5-M1", 2_500_000));
        let lagged: StreamLine = serde_json::from_str(r#"{"lagged":7}"#).unwrap();
        assert_eq!(lagged, StreamLine::Lagged { lagged: 7 });
    }

    #[test]
    fn a_node_that_is_not_there_is_told_with_its_url() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = NodeApi::new(&format!("http://{address}/"))
            .ledger()
            .unwrap_err();
        assert!(error.to_string().contains("/api/v1/ledger"), "{error}");
    }
}
