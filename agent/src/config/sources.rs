//! The `[[source]]` tables: which source, with which keys.

use std::path::{Path, PathBuf};

use wire::frame::RadioHello;
use wire::{AgentName, ApName};

use super::error::{ConfigError, Place};
use super::tree::{Node, Table, TreeError, Value};
use crate::address::Address;
use crate::privacy::Rules;
use crate::source::Source;

/// Checks the keys of one kind of source.
type Parse = fn(Table, &Around<'_>) -> Result<Box<dyn Plan>, TreeError>;

/// Kinds of source; `None` for those that this program was built without.
const KINDS: [(&str, Option<Parse>); 8] = [
    ("pcap", PCAP),
    ("replay", REPLAY),
    ("synthetic", SYNTHETIC),
    ("monitor", MONITOR),
    ("nl80211", NL80211),
    ("hostapd", HOSTAPD),
    ("ubus", UBUS),
    ("ble", BLE),
];

#[cfg(feature = "hostapd")]
const HOSTAPD: Option<Parse> = Some(super::hostapd::plan);
#[cfg(not(feature = "hostapd"))]
const HOSTAPD: Option<Parse> = None;

#[cfg(feature = "ble")]
const BLE: Option<Parse> = Some(super::ble::plan);
#[cfg(not(feature = "ble"))]
const BLE: Option<Parse> = None;

#[cfg(feature = "nl80211")]
const NL80211: Option<Parse> = Some(super::nl80211::plan);
#[cfg(not(feature = "nl80211"))]
const NL80211: Option<Parse> = None;

#[cfg(feature = "monitor")]
const MONITOR: Option<Parse> = Some(super::monitor::plan);
#[cfg(not(feature = "monitor"))]
const MONITOR: Option<Parse> = None;

#[cfg(feature = "pcap")]
const PCAP: Option<Parse> = Some(super::capture::plan);
#[cfg(not(feature = "pcap"))]
const PCAP: Option<Parse> = None;

#[cfg(feature = "replay")]
const REPLAY: Option<Parse> = Some(super::replay::plan);
#[cfg(not(feature = "replay"))]
const REPLAY: Option<Parse> = None;

#[cfg(feature = "synthetic")]
const SYNTHETIC: Option<Parse> = Some(super::synthetic::plan);
#[cfg(not(feature = "synthetic"))]
const SYNTHETIC: Option<Parse> = None;

#[cfg(feature = "ubus")]
const UBUS: Option<Parse> = Some(super::ubus::plan);
#[cfg(not(feature = "ubus"))]
const UBUS: Option<Parse> = None;

/// Sources that are checked and can be opened.
pub(super) struct Plans {
    path: PathBuf,
    /// What the plans were made from, to tell whether it changed.
    tables: Vec<Node>,
    radios: Vec<RadioHello>,
    /// Only sources that read frames look at these.
    access_points: Vec<(Address, ApName)>,
    plans: Vec<(usize, Box<dyn Plan>)>,
}

/// One source that is checked and can be opened.
pub(super) trait Plan: Send + Sync {
    /// `own` is this agent's name.
    fn open(&self, own: &AgentName) -> Result<Box<dyn Source>, OpenError>;
}

/// Why a source cannot be opened.
pub(super) type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// What a source's keys are checked against.
pub(super) struct Around<'a> {
    /// Paths are relative to this folder.
    #[cfg_attr(
        not(any(
            feature = "pcap",
            feature = "replay",
            feature = "synthetic",
            feature = "ubus"
        )),
        expect(dead_code, reason = "this build has no source with a path")
    )]
    pub(super) folder: &'a Path,
    #[cfg_attr(
        not(any(
            feature = "pcap",
            feature = "monitor",
            feature = "nl80211",
            feature = "hostapd",
            feature = "ubus",
            feature = "ble"
        )),
        expect(dead_code, reason = "all sources of this build bring their own")
    )]
    pub(super) radios: &'a [RadioHello],
    /// The site's own networks, by their `[[access_point]]`.
    #[cfg_attr(
        not(any(feature = "pcap", feature = "monitor")),
        expect(dead_code, reason = "all sources of this build bring their own")
    )]
    pub(super) access_points: &'a [(Address, ApName)],
}

impl std::fmt::Debug for Plans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plans")
            .field("sources", &self.plans.len())
            .finish_non_exhaustive()
    }
}

impl Plans {
    pub(super) fn parse(
        place: &Place<'_>,
        folder: &Path,
        radios: &[RadioHello],
        rules: &Rules,
        sources: Option<Node>,
    ) -> Result<Self, ConfigError> {
        let tables = match sources.map(|node| node.value) {
            Some(Value::List(tables) | Value::Sections(tables)) => tables,
            _ => Vec::new(),
        };
        if tables.is_empty() {
            let what = "no source; add a [[source]] table, in UCI a section source; see \
                        agent.example.toml";
            return Err(place.problem(0..0, what));
        }
        let around = Around {
            folder,
            radios,
            access_points: &rules.access_points,
        };
        let mut plans = Vec::with_capacity(tables.len());
        for Node { at, value } in tables.clone() {
            let plan = match value {
                Value::Table(table) => plan(table, &around),
                _ => Err("a source is a table; write [[source]]".into()),
            };
            let plan = plan.map_err(|error| place.tree_error(error, &at))?;
            plans.push((place.line(&at), plan));
        }
        let reads_frames = |table: &Node| matches!(table.text("kind"), Some("pcap" | "monitor"));
        let access_points = match tables.iter().any(reads_frames) {
            true => rules.access_points.clone(),
            false => Vec::new(),
        };
        Ok(Self {
            path: place.path.to_owned(),
            radios: radios.to_vec(),
            access_points,
            tables,
            plans,
        })
    }

    /// Whether these were made from the same words.
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        self.tables == other.tables
            && self.radios == other.radios
            && self.access_points == other.access_points
    }

    pub(super) fn open(&self, own: &AgentName) -> Result<Vec<Box<dyn Source>>, ConfigError> {
        let open = |(number, (line, plan)): (usize, &(usize, Box<dyn Plan>))| {
            plan.open(own).map_err(|source| ConfigError::Source {
                path: self.path.clone(),
                line: *line,
                number,
                source,
            })
        };
        (1..).zip(&self.plans).map(open).collect()
    }
}

/// Checks one table; an error says what is wrong and what to do.
fn plan(mut table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let built = KINDS
        .iter()
        .filter(|(_, parse)| parse.is_some())
        .map(|(kind, _)| *kind);
    let built = built.collect::<Vec<_>>().join(", ");
    let kind = match table.remove("kind").map(|node| node.value) {
        Some(Value::Text(kind) | Value::Word(kind)) => kind,
        Some(_) => return Err("the kind of a source is a text, such as \"pcap\"".into()),
        None => return Err(format!("the source has no kind; use one of {built}").into()),
    };
    match KINDS.iter().find(|(known, _)| *known == kind) {
        Some((_, Some(parse))) => parse(table, around),
        Some((_, None)) => {
            let what = format!(
                "this agent was built without the source {kind:?}; build it with --features {kind}"
            );
            Err(what.into())
        }
        None => Err(format!("unknown kind of source {kind:?}; use one of {built}").into()),
    }
}

/// Reads the keys of a source of this kind.
#[cfg(any(
    feature = "pcap",
    feature = "replay",
    feature = "synthetic",
    feature = "monitor",
    feature = "nl80211",
    feature = "hostapd",
    feature = "ubus",
    feature = "ble"
))]
pub(super) fn keys<T: serde::de::DeserializeOwned>(
    kind: &str,
    table: Table,
) -> Result<T, TreeError> {
    // A place that is not known is that of the source.
    table.read().map_err(|error| TreeError {
        what: format!("source {kind}: {}", error.what),
        ..error
    })
}

/// Refuses a source that hears with radios which the file does not name.
#[cfg(any(
    feature = "pcap",
    feature = "monitor",
    feature = "nl80211",
    feature = "hostapd",
    feature = "ubus"
))]
pub(super) fn needs_radios(kind: &str, around: &Around<'_>) -> Result<(), String> {
    match around.radios {
        [] => Err(format!(
            "source {kind}: nothing says which radio heard it; add a [[radio]] with its AP and band"
        )),
        _ => Ok(()),
    }
}

/// The addresses of the site's own networks: those of the source, and each `[[access_point]]`.
#[cfg(any(feature = "pcap", feature = "monitor"))]
pub(super) fn addresses(
    kind: &str,
    texts: &[String],
    around: &Around<'_>,
) -> Result<Vec<Address>, String> {
    let address = |text: &String| {
        text.parse()
            .map_err(|error| format!("source {kind}, access_points: {error}"))
    };
    let named = around.access_points.iter().map(|(address, _)| Ok(*address));
    texts.iter().map(address).chain(named).collect()
}

/// Refuses what cannot be the name of an interface.
#[cfg(any(feature = "monitor", feature = "nl80211", feature = "hostapd"))]
pub(super) fn interface_name(kind: &str, name: String) -> Result<String, String> {
    let is_odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > 15 || name.contains(is_odd) {
        return Err(format!(
            "source {kind}: {name:?} is no name of an interface; use one that \"iw dev\" lists, \
             such as \"wlan0\""
        ));
    }
    Ok(name)
}

/// How often clients are polled.
#[cfg(any(feature = "nl80211", feature = "hostapd"))]
pub(super) fn interval(kind: &str, ms: Option<u32>) -> Result<std::time::Duration, String> {
    use crate::limits::{STATIONS_INTERVAL, STATIONS_INTERVAL_MAX, STATIONS_INTERVAL_MIN};
    let ms = ms.map(|ms| std::time::Duration::from_millis(ms.into()));
    let interval = ms.unwrap_or(STATIONS_INTERVAL);
    if !(STATIONS_INTERVAL_MIN..=STATIONS_INTERVAL_MAX).contains(&interval) {
        let (min, max) = (
            STATIONS_INTERVAL_MIN.as_millis(),
            STATIONS_INTERVAL_MAX.as_millis(),
        );
        return Err(format!(
            "source {kind}: interval_ms must be from {min} to {max}"
        ));
    }
    Ok(interval)
}

/// The word for other systems.
#[cfg(all(
    any(
        feature = "monitor",
        feature = "nl80211",
        feature = "hostapd",
        feature = "ubus",
        feature = "ble"
    ),
    not(target_os = "linux")
))]
pub(super) fn only_on_linux(kind: &str) -> OpenError {
    format!("the source {kind} works on Linux only").into()
}

/// A pace as the file spells it: a factor, or `"max"`.
#[cfg(any(feature = "pcap", feature = "replay"))]
#[derive(serde::Deserialize)]
#[serde(untagged)]
pub(super) enum SpeedText {
    Times(f64),
    Word(String),
}

#[cfg(any(feature = "pcap", feature = "replay"))]
impl SpeedText {
    /// As recorded when the file does not say.
    pub(super) fn pace(speed: Option<&Self>) -> Result<crate::source::pace::Pace, String> {
        use crate::source::pace::Pace;
        match speed {
            None => Ok(Pace::Speed(1.0)),
            Some(Self::Times(times)) if *times > 0.0 && times.is_finite() => {
                Ok(Pace::Speed(*times))
            }
            Some(Self::Word(word)) if word == "max" => Ok(Pace::AsFastAsPossible),
            // In UCI a number is a word as well.
            Some(Self::Word(word)) => match word.parse() {
                Ok(times) => Self::pace(Some(&Self::Times(times))),
                Err(_) => Err("speed is a positive number, or \"max\"".to_owned()),
            },
            Some(Self::Times(_)) => Err("speed is a positive number, or \"max\"".to_owned()),
        }
    }
}
