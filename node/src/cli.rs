//! The command line of `trilobite`, written for a person.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use wire::{AgentName, SiteName};

use crate::api_client::Access;
use crate::inbox_command::InboxCommand;
use crate::outbox_command::OutboxCommand;

/// Real-time indoor location from what access points already hear.
///
/// Agents on access points stream who they hear to this node over QUIC; the node locates every
/// client and shows it on a map. Start with `trilobite demo`.
#[derive(Debug, Parser)]
#[command(name = "trilobite", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `trilobite` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it: a simulated building, agents over real QUIC on loopback, fixes, the map in a browser
    Demo(DemoArgs),
    /// Run a node: receive from agents, locate, serve the map and the API
    Serve(ServeArgs),
    /// Check a site file and say what is wrong in it, line by line
    Validate(ValidateArgs),
    /// Learn what a site's radios really do, and keep it only if held-back data say that it helps
    Calibrate(CalibrateArgs),
    /// Say why a client's last fix is where it is, and what would have helped most
    Explain(ExplainArgs),
    /// Make certificates for the node and its agents
    #[command(subcommand)]
    Ca(CaCommand),
    /// Let a new device get its certificate by itself, once; let a consumer read over HTTP
    #[command(subcommand)]
    Token(TokenCommand),
    /// Handle a node's messages by a command of your own, each at least once
    #[command(subcommand)]
    Inbox(InboxCommand),
    /// Look after the store of messages and its relays: status, backup, restore, migrate, purge, ...
    #[command(subcommand)]
    Outbox(OutboxCommand),
}

/// Options of the demo.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Stop after so many seconds; without it, run until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Seed of the simulated world: the same seed gives the same walks and the same radio
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many clients walk about
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub clients: u64,
    /// Site file to simulate instead of the built-in office of three floors
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Share of UDP packets from agents to node that the network loses, 0 to 0.95
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub loss: f64,
    /// Mean number of packets lost in a row; 1 loses each packet by itself
    #[arg(long, default_value_t = 1.0, value_name = "PACKETS", value_parser = burst)]
    pub burst: f64,
    /// Serve no map; for scripts and CI
    #[arg(long)]
    pub headless: bool,
    /// Print the result as one JSON object on stdout at the end
    #[arg(long)]
    pub json: bool,
    /// Where to serve the map
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS", value_parser = loopback)]
    pub http: SocketAddr,
    /// Write what the node receives to a recording, for `trilobite-load replay`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Configuration file; node.example.toml explains every key
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Write what the node receives to a recording, for `trilobite-load replay`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Options of `validate`.
#[derive(Debug, Clone, Args)]
pub struct ValidateArgs {
    /// Site files to check
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Options of `calibrate`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("way").required(true).args(["none", "by_self", "survey"])))]
pub struct CalibrateArgs {
    /// Site file; with --node, the id of one of the node's sites or its file
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Use no calibration: set a stored one aside, as a backup beside it (see --out)
    #[arg(long)]
    pub none: bool,
    /// Learn from anchors that hear each other and clients at unknown places; needs --node
    #[arg(long = "self")]
    pub by_self: bool,
    /// Learn from known places: a survey file, or a folder in CSV; by default the survey beside the
    /// site file, with --node the points that the node was given
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub survey: Option<Option<PathBuf>>,
    /// Let a running node do it, so that it is in use at once
    #[arg(long, value_name = "URL", conflicts_with = "out")]
    pub node: Option<String>,
    /// How to reach it.
    #[command(flatten)]
    pub access: Access,
    /// Calibration file to write or set aside instead of the one beside the site file; where the
    /// node's configuration has `calibration = …` for the site, name that file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The client: 16 hexadecimal digits, or the name of a named client
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// A running node's HTTP address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub node: String,
    /// How to reach it.
    #[command(flatten)]
    pub access: Access,
    /// Id of the client's site, if more than one of the node's knows it
    #[arg(long, value_name = "ID")]
    pub site: Option<String>,
    /// Print the node's answer as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `trilobite ca` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum CaCommand {
    /// Make an authority of your own and a certificate for the node
    Init {
        /// Folder for keys and certificates; created when missing, never overwritten
        #[arg(long, default_value = "pki", value_name = "DIR")]
        dir: PathBuf,
        /// Name or address under which agents reach the node; repeat for several
        #[arg(long = "name", value_name = "NAME", default_values_t = default_names())]
        names: Vec<String>,
        /// Days until the node's certificate expires
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Make a new certificate for the node, in place of the old one
    Node {
        /// Folder made by `trilobite ca init`
        #[arg(long, default_value = "pki", value_name = "DIR")]
        dir: PathBuf,
        /// Name or address under which agents reach the node; repeat for several
        #[arg(long = "name", value_name = "NAME", default_values_t = default_names())]
        names: Vec<String>,
        /// Days until the certificate expires
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Make a certificate for one agent at one site
    Issue {
        /// Id of the agent: the AP's id in the site file, unless its `agent` key says otherwise
        #[arg(long, value_name = "ID")]
        agent: AgentName,
        /// Id of the site
        #[arg(long, value_name = "SITE")]
        site: SiteName,
        /// Folder made by `trilobite ca init`
        #[arg(long, default_value = "pki", value_name = "DIR")]
        dir: PathBuf,
        /// Days until the certificate expires
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Replace an existing certificate of this agent
        #[arg(long)]
        replace: bool,
    },
}

/// What `trilobite token` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Make a token with which a new device becomes one agent of one site
    Join {
        /// Id of the agent: the AP's id in the site file, unless its `agent` key says otherwise
        #[arg(long, value_name = "ID")]
        agent: AgentName,
        /// Id of the site
        #[arg(long, value_name = "SITE")]
        site: SiteName,
        /// For how long the token may be redeemed: 90s, 30m, 1h or 2d; at most 7d
        #[arg(long, default_value = "1h", value_name = "TIME", value_parser = duration)]
        valid: Duration,
        /// Where the device reaches the node, HOST:PORT; by default a name in the node's certificate
        #[arg(long, value_name = "HOST:PORT")]
        node: Option<String>,
        /// Which authority.
        #[command(flatten)]
        authority: Authority,
    },
    /// Make a token with which a consumer polls messages and reads resources over HTTP; as soon as
    /// there is one, the node asks everybody for a token
    Create(ConsumerArgs),
    /// Show all join tokens that are open, redeemed or lately over, and all consumers; never their
    /// secrets
    List {
        /// Which authority.
        #[command(flatten)]
        authority: Authority,
        /// Without --config: the node's state_dir, where its consumers are
        #[arg(long, default_value = "state", value_name = "DIR")]
        state: PathBuf,
    },
    /// Make a token worthless; a certificate that a join token has given stays valid
    Revoke {
        /// A consumer's name, or a join token's id, as `trilobite token list` shows them
        #[arg(value_name = "TOKEN")]
        id: String,
        /// Which authority.
        #[command(flatten)]
        authority: Authority,
        /// Without --config: the node's state_dir, where its consumers are
        #[arg(long, default_value = "state", value_name = "DIR")]
        state: PathBuf,
    },
}

/// Options of `token create`.
#[derive(Debug, Clone, Args)]
pub struct ConsumerArgs {
    /// What to call the consumer: letters, digits, "-", "_", "."
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Id of a site that it may read; repeat for several, "*" for all
    #[arg(long = "site", value_name = "SITE", required = true)]
    pub sites: Vec<String>,
    /// What it may hear of and read: types such as zone.entered, zone.* or ap.*, position.* for
    /// fixes; repeat for several, "*" for all
    #[arg(long = "type", value_name = "TYPE", required = true)]
    pub kinds: Vec<String>,
    /// What it may do: read "resources", poll "messages" too, or as "admin" also give orders
    #[arg(long, default_value = "messages", value_name = "RIGHT")]
    pub may: String,
    /// For how long the token is valid: 90s, 30m, 1h or 365d; at most ten years
    #[arg(long, default_value = "365d", value_name = "TIME", value_parser = duration)]
    pub valid: Duration,
    /// The node's configuration: it says where consumers are kept, and sites are checked
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub config: Option<PathBuf>,
    /// Without it: the node's state_dir
    #[arg(long, default_value = "state", value_name = "DIR")]
    pub state: PathBuf,
}

/// Which authority tokens are for.
#[derive(Debug, Clone, Args)]
pub struct Authority {
    /// The node's configuration: enrolment in it says where the authority is, and sites are checked
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    pub config: Option<PathBuf>,
    /// Without it: folder made by `trilobite ca init`
    #[arg(long, default_value = "pki", value_name = "DIR")]
    pub dir: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wanted = "use a number and s, m, h or d, such as 30m";
    let (digits, unit_s) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => return Err(wanted.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| wanted.to_owned())?;
    let seconds = number.checked_mul(unit_s).ok_or(wanted)?;
    Ok(Duration::from_secs(seconds))
}

fn default_names() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec()
}

fn seconds(text: &str) -> Result<f64, String> {
    number(
        text,
        0.1,
        1e6,
        "a number of seconds from 0.1 on, such as 20",
    )
}

fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, 0.95, "a share from 0 to 0.95, such as 0.3")
}

fn burst(text: &str) -> Result<f64, String> {
    number(
        text,
        1.0,
        1_000.0,
        "a mean run of 1 to 1000 packets, such as 8",
    )
}

fn number(text: &str, least: f64, most: f64, wanted: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("use {wanted}")),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let wanted = "use a loopback address and a port, such as 127.0.0.1:8080";
    let address: SocketAddr = text.parse().map_err(|_| wanted.to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(wanted.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in [
            "",
            "h",
            "1",
            "-1h",
            "1.5h",
            "1 h",
            "1ü",
            "99999999999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn absurd_values_are_refused_in_words() {
        for (flag, value) in [
            ("--loss", "1.5"),
            ("--loss", "nan"),
            ("--burst", "0"),
            ("--http", "0.0.0.0:80"),
        ] {
            let error = Cli::try_parse_from(["trilobite", "demo", flag, value]).unwrap_err();
            assert!(error.to_string().contains("use a "), "{error}");
        }
    }
}
