//! The flags of `trilobite inbox`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use outbox::inbox::{After, FailureGroup, Which};
use outbox::{KindPattern, MessageId, Place};

/// What `trilobite inbox` can do.
#[derive(Debug, Clone, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once, from the command line"
)]
pub enum InboxCommand {
    /// Poll a node's messages and run a command for each, at least once, until it ends with 0
    Poll(PollArgs),
    /// Messages whose command failed too often: list them, try them again, give them up
    #[command(subcommand)]
    Dead(DeadCommand),
    /// How many messages wait, failed, are known
    Status {
        /// Which inbox.
        #[command(flatten)]
        store: StoreArgs,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Which inbox.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Where the inbox is: a file of SQLite, made when missing, or postgres://user@host/database
    #[arg(long, value_name = "FILE", default_value = "inbox.sqlite", value_parser = place)]
    pub store: Place,
    /// Name of the inbox; several in one store have different names
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub name: String,
}

/// Options of `poll`.
#[derive(Debug, Clone, Args)]
pub struct PollArgs {
    /// Which inbox.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The node's messages listener, such as https://node:8081
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub url: String,
    /// File with the consumer's token, as `trilobite token create` printed it
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate of the authority that signed the node's, in PEM; https needs it
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A broker that a relay of the node sends to, such as nats://host:4222 or mqtts://host:8883:
    /// messages come sooner, and polling rests longer while they do. tls:// and mqtts:// take the
    /// authorities in --ca. Not with --once
    #[arg(long, value_name = "URL", conflicts_with = "once")]
    pub broker: Option<String>,
    /// File with user:password or a token for the broker
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub broker_credentials: Option<PathBuf>,
    /// First word of the broker's subjects or topics, as the relay has it
    #[arg(long, value_name = "WORD", default_value = "trilobite")]
    pub broker_prefix: String,
    /// Run for each message by `sh -c`: TRILOBITE_MESSAGE_ID, _TIME, _TYPE and _RESOURCE in its
    /// environment, the same four as $1 to $4, the message as JSON on stdin. 0 means done; anything
    /// else is tried again later
    #[arg(long, value_name = "COMMAND")]
    pub exec: String,
    /// Run when messages were missed (the inbox was away for longer than the node keeps them): it
    /// reads the state that TRILOBITE_RESYNC names. Without it polling ends with an error then
    #[arg(long, value_name = "COMMAND")]
    pub resync: Option<String>,
    /// Handle what there is and end; with code 1 if something failed
    #[arg(long)]
    pub once: bool,
    /// Only these types, such as zone.entered or zone.*; repeat for several
    #[arg(long = "type", value_name = "TYPE")]
    pub kinds: Vec<KindPattern>,
    /// Only these sites; repeat for several
    #[arg(long = "site", value_name = "SITE")]
    pub sites: Vec<String>,
    /// Of the messages that wait for one resource handle only the newest
    #[arg(long)]
    pub coalesce: bool,
    /// Where a new inbox begins: oldest, now, or a time in RFC 3339
    #[arg(long, value_name = "WHERE", default_value = "oldest", value_parser = beginning)]
    pub from: After,
    /// Seconds after which a command is killed and has failed
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout: Duration,
    /// How often a message is tried before it goes to the dead letters
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub attempts: u32,
    /// Days for which ids are known again; more than the node keeps messages
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub window_days: u32,
}

/// What `trilobite inbox dead` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadCommand {
    /// List failures, or with --group, --id or --all the messages
    List {
        /// Which of them.
        #[command(flatten)]
        dead: DeadArgs,
        /// Most lines
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
        /// Print one JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Let them wait again, with all tries before them
    Replay(DeadArgs),
    /// Give them up for good
    Drop(DeadArgs),
}

/// Which dead letters of which inbox.
#[derive(Debug, Clone, Args)]
pub struct DeadArgs {
    /// Which inbox.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Which of them.
    #[command(flatten)]
    pub which: WhichArgs,
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct WhichArgs {
    /// Those with this failure, as `list` names it
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub group: Option<FailureGroup>,
    /// This message
    #[arg(long, value_name = "ID")]
    pub id: Option<MessageId>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

impl WhichArgs {
    /// Those that were named, if any were.
    #[must_use]
    pub fn which(&self) -> Option<Which> {
        let group = self.group.clone().map(Which::Group);
        let id = self.id.map(Which::Id);
        group.or(id).or(self.all.then_some(Which::All))
    }
}

fn place(text: &str) -> Result<Place, std::convert::Infallible> {
    text.parse()
}

fn group(text: &str) -> Result<FailureGroup, String> {
    FailureGroup::parse(text).ok_or_else(|| "not a failure; see `trilobite inbox dead list`".into())
}

fn beginning(text: &str) -> Result<After, String> {
    match text {
        "oldest" => Ok(After::Oldest),
        "now" => Ok(After::Head),
        text => text
            .parse()
            .map(After::Since)
            .map_err(|error| format!("use oldest, now or a time: {error}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds.into())),
        _ => Err("use 1 to 86400 seconds".to_owned()),
    }
}
