//! The `[[source]]` tables: which source, with which keys.

use std::path::{Path, PathBuf};

use toml::Spanned;
use wire::AgentName;
use wire::frame::RadioHello;

use super::error::{ConfigError, Place};
use crate::source::Source;

/// Checks the keys of one kind of source.
type Parse = fn(toml::Table, &Around<'_>) -> Result<Box<dyn Plan>, String>;

/// Kinds of source; `None` for those that this program was built without.
const KINDS: [(&str, Option<Parse>); 3] =
    [("pcap", PCAP), ("replay", REPLAY), ("synthetic", SYNTHETIC)];

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

/// Sources that are checked and can be opened.
pub(super) struct Plans {
    path: PathBuf,
    plans: Vec<(usize, Box<dyn Plan>)>,
}

/// One source that is checked and can be opened.
pub(super) trait Plan: Send + Sync {
    /// `own` is this agent's name.
    fn open(
        &self,
        own: &AgentName,
    ) -> Result<Box<dyn Source>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What a source's keys are checked against.
pub(super) struct Around<'a> {
    /// Paths are relative to this folder.
    #[cfg_attr(
        not(any(feature = "pcap", feature = "replay", feature = "synthetic")),
        expect(dead_code, reason = "this build has no source with a path")
    )]
    pub(super) folder: &'a Path,
    #[cfg_attr(
        not(feature = "pcap"),
        expect(dead_code, reason = "all sources of this build bring their own")
    )]
    pub(super) radios: &'a [RadioHello],
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
        radios: Vec<RadioHello>,
        tables: &[Spanned<toml::Table>],
    ) -> Result<Self, ConfigError> {
        if tables.is_empty() {
            let what = "no source; add a [[source]] table, see agent.example.toml";
            return Err(place.problem(0..0, what));
        }
        let around = Around {
            folder,
            radios: &radios,
        };
        let mut plans = Vec::with_capacity(tables.len());
        for table in tables {
            let plan = plan(table.get_ref().clone(), &around)
                .map_err(|what| place.problem(table.span(), what))?;
            plans.push((place.line(&table.span()), plan));
        }
        Ok(Self {
            path: place.path.to_owned(),
            plans,
        })
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
fn plan(mut table: toml::Table, around: &Around<'_>) -> Result<Box<dyn Plan>, String> {
    let built = KINDS
        .iter()
        .filter(|(_, parse)| parse.is_some())
        .map(|(kind, _)| *kind);
    let built = built.collect::<Vec<_>>().join(", ");
    let kind = match table.remove("kind") {
        Some(toml::Value::String(kind)) => kind,
        Some(_) => return Err("the kind of a source is a text, such as \"pcap\"".to_owned()),
        None => return Err(format!("the source has no kind; use one of {built}")),
    };
    match KINDS.iter().find(|(known, _)| *known == kind) {
        Some((_, Some(parse))) => parse(table, around),
        Some((_, None)) => Err(format!(
            "this agent was built without the source {kind:?}; build it with --features {kind}"
        )),
        None => Err(format!(
            "unknown kind of source {kind:?}; use one of {built}"
        )),
    }
}

/// Reads the keys of a source of this kind.
#[cfg(any(feature = "pcap", feature = "replay", feature = "synthetic"))]
pub(super) fn keys<T: serde::de::DeserializeOwned>(
    kind: &str,
    table: toml::Table,
) -> Result<T, String> {
    let keys = table
        .try_into()
        .map_err(|error: toml::de::Error| super::error::in_our_words(error.message()));
    keys.map_err(|what| format!("source {kind}: {what}"))
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
            Some(_) => Err("speed is a positive number, or \"max\"".to_owned()),
        }
    }
}
