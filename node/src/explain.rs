//! `trilobite explain`: why a client's last fix is where it is, asked of a running node.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::ExplainArgs;

mod answer;
mod words;

use answer::Answer;

/// Longest wait for an answer: the node waits up to three seconds for the client's next fix.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Runs the command; returns what to print on stdout.
///
/// # Errors
/// Tells that the node does not answer, or what it says of the client.
pub fn run(args: &ExplainArgs) -> anyhow::Result<String> {
    let node = Node::new(&args.node);
    let site = match &args.site {
        Some(site) => site.clone(),
        None => node.site_of(&args.client)?,
    };
    let path = format!(
        "sites/{}/clients/{}/explain",
        escaped(&site),
        escaped(&args.client)
    );
    let text = match node.get(&path)? {
        Got::Answer(text) => text,
        Got::Nothing(told) => bail!("client {} at site {site}: {told}", args.client),
    };
    if args.json {
        return Ok(text);
    }
    let answer: Answer = node.read(&path, &text)?;
    Ok(words::in_words(&answer))
}

/// A node's API.
struct Node {
    api: String,
    http: ureq::Agent,
}

enum Got {
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

impl Node {
    fn new(url: &str) -> Self {
        let scheme = if url.contains("://") { "" } else { "http://" };
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false);
        Self {
            api: format!("{scheme}{}/api/v1", url.trim_end_matches('/')),
            http: config.build().new_agent(),
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<Got> {
        let url = format!("{}/{path}", self.api);
        let mut response = self.http.get(&url).call().with_context(|| {
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

    fn read<T: DeserializeOwned>(&self, path: &str, text: &str) -> anyhow::Result<T> {
        serde_json::from_str(text).with_context(|| {
            let api = &self.api;
            format!("{api}/{path} does not answer as a node of this version does")
        })
    }

    /// The site that knows the client: the only one, or the only one with a fix of it.
    fn site_of(&self, client: &str) -> anyhow::Result<String> {
        let Got::Answer(text) = self.get("sites")? else {
            bail!("{} is not the API of a node", self.api);
        };
        let Sites { sites } = self.read("sites", &text)?;
        if let [only] = &sites[..] {
            return Ok(only.site.clone());
        }
        let mut knowing = Vec::new();
        for SiteName { site } in sites {
            let path = format!("sites/{}/clients/{}", escaped(&site), escaped(client));
            if let Got::Answer(_) = self.get(&path)? {
                knowing.push(site);
            }
        }
        match &knowing[..] {
            [only] => Ok(only.clone()),
            [] => bail!("no site of the node has a fix of client {client}"),
            several => bail!(
                "several sites have fixes of client {client}; name one with --site: {}",
                several.join(", ")
            ),
        }
    }
}

/// A path segment: what is not plain is percent-encoded (RFC 3986, section 2).
fn escaped(segment: &str) -> String {
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
    use super::*;

    #[test]
    fn segments_cannot_change_the_path() {
        assert_eq!(escaped("badge-7"), "badge-7");
        assert_eq!(escaped("../a b"), "..%2Fa%20b");
    }

    #[test]
    fn a_node_that_is_not_there_is_told_in_words() {
        // Port 9 of loopback: nobody listens there.
        let args = ExplainArgs {
            client: "0000000000000001".into(),
            node: "127.0.0.1:9".into(),
            site: None,
            json: false,
        };
        let error = run(&args).unwrap_err().to_string();
        assert_eq!(
            error,
            "no answer from http://127.0.0.1:9/api/v1/sites; name the node's HTTP address with --node"
        );
    }
}
