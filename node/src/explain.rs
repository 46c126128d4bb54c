//! `trilobite explain`: why a client's last fix is where it is, asked of a running node.

use std::time::Duration;

use anyhow::bail;

use crate::api_client::{ApiClient, Got, escaped};
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
    let node = ApiClient::new(&args.node, &args.access, ANSWER_MAX)?;
    let site = match &args.site {
        Some(site) => site.clone(),
        None => site_of(&node, &args.client)?,
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

/// The site that knows the client: the only one, or the only one with a fix of it.
fn site_of(node: &ApiClient, client: &str) -> anyhow::Result<String> {
    let sites = node.sites()?;
    if let [only] = &sites[..] {
        return Ok(only.clone());
    }
    let mut knowing = Vec::new();
    for site in sites {
        let path = format!("sites/{}/clients/{}", escaped(&site), escaped(client));
        if let Got::Answer(_) = node.get(&path)? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_client::Access;

    #[test]
    fn a_node_that_is_not_there_is_told_in_words() {
        // Port 9 of loopback: nobody listens there.
        let args = ExplainArgs {
            client: "0000000000000001".into(),
            node: "127.0.0.1:9".into(),
            access: Access::default(),
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
