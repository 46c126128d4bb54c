//! A running node, asked over HTTP to calibrate.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::command::table;
use super::held_back::HeldBack;
use super::origin::Way;
use crate::api_client::{ApiClient, Got, escaped};

/// Longest wait for an answer: learning and checking a large site takes a minute.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(300);

/// The site that is meant: the one named, or the node's only one.
///
/// # Errors
/// Tells which sites there are, or why the node does not say.
pub(super) fn site(node: &ApiClient, wanted: Option<&str>) -> anyhow::Result<String> {
    let sites = node.sites()?;
    match (wanted, &sites[..]) {
        (Some(wanted), _) if sites.iter().any(|site| site == wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => bail!(
            "the node serves no site \"{wanted}\"; use one of {}",
            sites.join(", ")
        ),
        (None, [only]) => Ok(only.clone()),
        (None, _) => bail!(
            "the node serves {} sites; name one with --site: {}",
            sites.len(),
            sites.join(", ")
        ),
    }
}

/// Orders a calibration and waits for what comes of it.
///
/// # Errors
/// Tells in the node's words why there is none; when the answer takes too long, that the order goes
/// on and where to look.
pub(super) fn calibrate(node: &ApiClient, site: &str, way: Way) -> anyhow::Result<Value> {
    let path = format!("sites/{}/calibration", escaped(site));
    let order = json!({"way": way.as_str()}).to_string();
    match node.post(&path, &order) {
        Ok(Got::Answer(text)) => node.read(&path, &text),
        Ok(Got::Nothing(told)) => bail!(told),
        Err(error) if is_late(&error) => Err(anyhow!(
            "no answer in time, but the order goes on; what comes of it is in the node's log and, \
             if it is kept, at /api/v1/{path}"
        )),
        Err(error) => Err(error),
    }
}

/// Whether the node had the order, but did not answer in time.
fn is_late(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(ureq::Error::Timeout(of)) => *of != ureq::Timeout::Connect,
        _ => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_client::Access;

    #[test]
    fn an_order_without_an_answer_is_said_to_go_on() {
        // The system accepts the connection, and nobody ever answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = silent.local_addr().unwrap().to_string();
        let node = ApiClient::new(&url, &Access::default(), Duration::from_millis(50)).unwrap();
        let error = calibrate(&node, "office", Way::Survey).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("the order goes on"), "{told}");
        assert!(
            told.ends_with("at /api/v1/sites/office/calibration"),
            "{told}"
        );
    }
}
