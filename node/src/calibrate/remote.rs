//! A running node, asked over HTTP to calibrate.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::command::table;
use super::held_back::HeldBack;
use super::origin::Way;

/// Longest wait for an answer: learning and checking a large site takes a minute.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// A node's API.
pub(super) struct RemoteNode {
    base: String,
    http: ureq::Agent,
}

impl RemoteNode {
    pub(super) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false);
        let base = url.trim_end_matches('/');
        let base = if base.contains("://") {
            base.to_owned()
        } else {
            format!("http://{base}")
        };
        Self {
            base,
            http: config.build().new_agent(),
        }
    }

    /// The site that is meant: the one named, or the only one.
    pub(super) fn site(&self, wanted: Option<&str>) -> anyhow::Result<String> {
        let url = format!("{}/api/v1/sites", self.base);
        let answer = self.answer(&url, self.http.get(&url).call())?;
        let sites: Vec<&str> = (answer["sites"].as_array().into_iter().flatten())
            .filter_map(|site| site["site"].as_str())
            .collect();
        match (wanted, &sites[..]) {
            (Some(wanted), _) if sites.contains(&wanted) => Ok(wanted.to_owned()),
            (Some(wanted), _) => bail!(
                "the node serves no site \"{wanted}\"; use one of {}",
                sites.join(", ")
            ),
            (None, [only]) => Ok((*only).to_owned()),
            (None, _) => bail!(
                "the node serves {} sites; name one with --site: {}",
                sites.len(),
                sites.join(", ")
            ),
        }
    }

    pub(super) fn calibrate(&self, site: &str, way: Way) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1/sites/{site}/calibration", self.base);
        let body = json!({"way": way.as_str()}).to_string();
        let request = self
            .http
            .post(&url)
            .header("content-type", "application/json");
        self.answer(&url, request.send(&body))
    }

    fn answer(
        &self,
        url: &str,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Value> {
        let mut response = answered.with_context(|| {
            format!(
                "no answer from {url}; check that the node runs and that this is its HTTP address"
            )
        })?;
        let is_error = !response.status().is_success();
        let text = response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("{url} breaks off"))?;
        let answer: Value = serde_json::from_str(&text)
            .with_context(|| format!("{url} does not answer as a node of this version does"))?;
        if is_error {
            let told = |key: &str| answer["error"][key].as_str().unwrap_or("?").to_owned();
            bail!("{}; {}", told("what"), told("what_to_do"));
        }
        Ok(answer)
    }
}

/// An answer for a person.
pub(super) fn in_words(site: &str, answer: &Value) -> String {
    let mut text = format!("site \"{site}\"\n");
    let held_back = serde_json::from_value::<HeldBack>(answer["tried"]["held_back"].clone());
    if let Ok(held_back) = held_back {
        text.push_str(&table(&held_back));
    }
    text.push_str(answer["told"].as_str().unwrap_or("done"));
    if let Some(backup) = answer["backup"].as_str() {
        let _ = write!(text, "\nthe old calibration is kept as {backup}");
    }
    text
}
