//! Messages from a broker into the inbox, beside those that are polled.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use outbox::inbox::client::InboxClient;
use outbox::inbox::{Bell, Database};
use outbox::relay::{Credentials, Listener, ListenerConfig, Stop};
use outbox::{Message, Time};
use tracing::{info, warn};

use super::PollArgs;

/// How often the bell is looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Wait after a failure: polling goes on meanwhile, so nobody is in a hurry.
const RETRY: Duration = Duration::from_secs(2);

/// Listens on a thread of its own until the bell is stopped; it is left behind then, since all that it
/// stores is stored whole.
pub(super) fn start(
    args: &PollArgs,
    url: &str,
    client: Arc<InboxClient>,
    bell: Bell,
) -> anyhow::Result<()> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let credentials = match &args.broker_credentials {
        Some(path) => {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            Some(Credentials::new(&text).with_context(|| path.display().to_string())?)
        }
        None => None,
    };
    let config = ListenerConfig {
        url: url.to_owned(),
        credentials,
        authorities_pem: args.ca.as_ref().map(read).transpose()?.unwrap_or_default(),
        plain: false,
        prefix: args.broker_prefix.clone(),
    };
    let listener = Listener::new(config, Stop::new()).context("--broker")?;
    let database = Database::open(args.store.store.clone()).context("--store")?;
    let ears = Ears {
        sites: args
            .sites
            .iter()
            .map(|site| format!("/api/v1/sites/{site}"))
            .collect(),
        listener,
        database,
        client,
        bell,
    };
    info!("listening to {url}");
    std::thread::Builder::new()
        .name("inbox-broker".to_owned())
        .spawn(move || ears.run())
        .context("no thread for the broker")?;
    Ok(())
}

struct Ears {
    sites: Vec<String>,
    listener: Listener,
    database: Database,
    client: Arc<InboxClient>,
    bell: Bell,
}

impl Ears {
    fn run(mut self) {
        let mut last = String::new();
        while !self.bell.is_stopped() {
            let trouble = match self.listener.next(LOOK_EVERY) {
                Ok(None) => continue,
                Ok(Some(message)) => match self.receive(message) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Err(error) => format!("broker: {error}"),
            };
            if trouble != last {
                warn!("{trouble}; polling goes on");
                last = trouble;
            }
            self.bell.pause(RETRY);
        }
    }

    /// Stores a message. One that cannot be stored comes by polling.
    fn receive(&mut self, message: Message) -> Result<(), String> {
        let under = |site: &String| message.resource.is_under(site);
        if !self.sites.is_empty() && !self.sites.iter().any(under) {
            return Ok(());
        }
        let client = &self.client;
        let received = self
            .database
            .transact(|tx| client.receive_from_broker(tx, &message, Time::now()))
            .map_err(|error| format!("inbox: {error}"))?;
        if received.stored > 0 {
            self.bell.ring();
        }
        Ok(())
    }
}
