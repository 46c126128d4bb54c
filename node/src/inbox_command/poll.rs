//! `trilobite inbox poll`: the feed into the inbox, the inbox through a command.

use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use outbox::inbox::client::{ClientConfig, InboxClient, Token, Watch};
use outbox::inbox::{
    After, Bell, BoxError, Database, Filter, Gone, Inbox, InboxConfig, PollerConfig, Until,
};
use tracing::{info, warn};

use super::PollArgs;
use super::exec::{self, Ended};
use super::run::{Ran, Runner};

/// Polls and runs until SIGTERM or Ctrl-C, or with `--once` until there is nothing more.
pub(super) fn run(args: &PollArgs) -> anyhow::Result<String> {
    let mut config = InboxConfig::new(&args.store.name);
    config.kinds.clone_from(&args.kinds);
    config.coalesce = args.coalesce;
    config.attempts_max = args.attempts;
    config.window_days = args.window_days;
    let (inbox, mut database) = super::open(&args.store, config)?;
    let client = InboxClient::new(client_config(args)?, inbox.clone())?;
    let bell = Bell::new();
    stop_on_signals(&bell)?;
    let runner = Runner {
        inbox: &inbox,
        command: &args.exec,
        timeout: args.timeout,
        bell: &bell,
    };
    let ran = if args.once {
        once(args, &client, &runner, &mut database)?
    } else {
        always(args, client, &inbox, &runner, &mut database)?
    };
    let told = format!(
        "{} done, {} failed, {} dead",
        ran.done, ran.failed, ran.dead
    );
    if args.once && ran.failed > 0 {
        bail!("{told}; see trilobite inbox status and trilobite inbox dead list");
    }
    Ok(told)
}

fn client_config(args: &PollArgs) -> anyhow::Result<ClientConfig> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let token = match &args.token_file {
        Some(path) => {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            Some(Token::new(&text).with_context(|| path.display().to_string())?)
        }
        None => None,
    };
    Ok(ClientConfig {
        url: args.url.clone(),
        token,
        authorities_pem: args.ca.as_ref().map(read).transpose()?.unwrap_or_default(),
        filter: Filter {
            kinds: args.kinds.iter().map(ToString::to_string).collect(),
            sites: args.sites.clone(),
            coalesce: args.coalesce,
        },
        poller: PollerConfig::default(),
        beginning: args.from.clone(),
    })
}

/// Polls and runs in turns until neither brings anything: a full inbox ends a turn too.
fn once(
    args: &PollArgs,
    client: &InboxClient,
    runner: &Runner<'_>,
    database: &mut Database,
) -> anyhow::Result<Ran> {
    let mut sum = Ran::default();
    let mut watch = CommandWatch::new(args);
    loop {
        client.run(database, Until::Idle, runner.bell, &mut watch)?;
        let ran = runner.run(database, Until::Idle)?;
        sum.done += ran.done;
        sum.failed += ran.failed;
        sum.dead += ran.dead;
        if ran == Ran::default() || runner.bell.is_stopped() {
            return Ok(sum);
        }
    }
}

/// Polls on a thread of its own. When stopped, the thread is left behind: it may be in a request
/// that the feed holds, and all that it stores is stored whole.
fn always(
    args: &PollArgs,
    client: InboxClient,
    inbox: &Inbox,
    runner: &Runner<'_>,
    database: &mut Database,
) -> anyhow::Result<Ran> {
    let mut polled = Database::open(args.store.store.clone()).context("--store")?;
    let bell = runner.bell.clone();
    let mut watch = CommandWatch::new(args);
    let client = Arc::new(client);
    if let Some(url) = &args.broker {
        listen(args, url, &client, &bell)?;
    }
    let (sender, ended) = std::sync::mpsc::sync_channel(1);
    info!("polling {} into inbox {}", args.url, inbox.config().name);
    thread::Builder::new()
        .name("inbox-poll".to_owned())
        .spawn(move || {
            let result = client.run(&mut polled, Until::Stopped, &bell, &mut watch);
            if result.is_err() {
                // Told before the bell, so that whoever it wakes finds it.
                let _ = sender.try_send(result);
                bell.stop();
            }
        })
        .context("no thread for polling")?;
    let ran = runner.run(database, Until::Stopped)?;
    if let Ok(result) = ended.try_recv() {
        result?;
    }
    Ok(ran)
}

#[cfg(any(feature = "relay-nats", feature = "relay-mqtt"))]
fn listen(
    args: &PollArgs,
    url: &str,
    client: &Arc<InboxClient>,
    bell: &Bell,
) -> anyhow::Result<()> {
    super::broker::start(args, url, client.clone(), bell.clone())
}

#[cfg(not(any(feature = "relay-nats", feature = "relay-mqtt")))]
fn listen(_: &PollArgs, _: &str, _: &Arc<InboxClient>, _: &Bell) -> anyhow::Result<()> {
    bail!("--broker: this program was built without brokers; build it with the feature relay-nats")
}

/// Lets SIGTERM and Ctrl-C stop the bell: the running command ends and is marked, then we end.
fn stop_on_signals(bell: &Bell) -> anyhow::Result<()> {
    let bell = bell.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime for signals")?;
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new()
        .name("inbox-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let mut terminate = std::pin::pin!(crate::signals::terminate());
                // The first poll sets the handlers up; a signal before it would kill us.
                let first =
                    std::future::poll_fn(|context| Poll::Ready(terminate.as_mut().poll(context)))
                        .await;
                let _ = ready.try_send(());
                let result = match first {
                    Poll::Ready(result) => result,
                    Poll::Pending => terminate.await,
                };
                if let Err(error) = result {
                    warn!("signals cannot be heard: {error}");
                    return;
                }
                bell.stop();
            });
        })
        .context("no thread for signals")?;
    let _ = is_ready.recv();
    Ok(())
}

/// Logs troubles, the same one not again and again, and reads the state anew by a command.
struct CommandWatch {
    resync: Option<String>,
    timeout: Duration,
    last: String,
}

impl CommandWatch {
    fn new(args: &PollArgs) -> Self {
        Self {
            resync: args.resync.clone(),
            timeout: args.timeout,
            last: String::new(),
        }
    }
}

impl Watch for CommandWatch {
    fn trouble(&mut self, what: &str) {
        if self.last != what {
            warn!("{what}");
            what.clone_into(&mut self.last);
        }
    }

    fn resync(&mut self, gone: &Gone) -> Result<After, BoxError> {
        let place = gone.resync.clone().unwrap_or_default();
        let Some(command) = &self.resync else {
            let hint = "read it, then name a command with --resync that does so, or `true` if \
                        nothing has to be done";
            return Err(format!("the state is at {place:?}; {hint}").into());
        };
        let oldest = gone
            .oldest
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let environment = [
            ("TRILOBITE_RESYNC", place.clone()),
            ("TRILOBITE_OLDEST", oldest),
        ];
        match exec::run(command, &[place], &environment, "", self.timeout) {
            // The oldest place was told before the state was read: nothing lies between.
            Ended::Well => Ok(gone.oldest.clone().map_or(After::Oldest, After::Cursor)),
            Ended::Badly(error) | Ended::Killed(error) => Err(format!("--resync: {error}").into()),
        }
    }
}
