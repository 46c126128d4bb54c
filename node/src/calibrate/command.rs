//! The command line of `trilobite calibrate`: on files, or through a running node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use site::Site;

use super::cancel::Cancel;
use super::files::{self, SiteFiles};
use super::held_back::{HeldBack, Placed};
use super::learn::{self, Learned};
use super::origin::{Origin, Way};
use super::{dataset, points, remote, stored, survey_file};
use crate::api_client::ApiClient;
use crate::cli::CalibrateArgs;
use crate::sites;

/// What an order on files came to.
#[derive(Debug, Serialize)]
struct Report<'a> {
    site: &'a str,
    way: &'a str,
    kept: bool,
    told: &'a str,
    origin: &'a Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<String>,
}

/// Does what the command line asks; returns what to tell.
///
/// # Errors
/// Tells which file, line or node is wrong and what to do.
pub fn run(args: &CalibrateArgs) -> anyhow::Result<String> {
    match &args.node {
        Some(url) => through_node(url, args),
        None if args.access.ca.is_some() || args.access.token_file.is_some() => {
            bail!("--ca and --token-file are for a running node: add --node URL")
        }
        None => on_files(args),
    }
}

fn way(args: &CalibrateArgs) -> Way {
    if args.none {
        Way::None
    } else if args.by_self {
        Way::SelfMade
    } else {
        Way::Survey
    }
}

fn through_node(url: &str, args: &CalibrateArgs) -> anyhow::Result<String> {
    if args.survey.as_ref().is_some_and(Option::is_some) {
        bail!(
            "a node calibrates from the points it was given over its API: leave the file away; or \
             leave --node away to calibrate on files, which a node that serves them sees by itself"
        );
    }
    let node = ApiClient::new(url, &args.access, remote::ANSWER_MAX)?;
    let wanted = args.site.as_deref().map(site_id).transpose()?;
    let site = remote::site(&node, wanted.as_deref())?;
    let answer = remote::calibrate(&node, &site, way(args))?;
    if args.json {
        return Ok(answer.to_string());
    }
    Ok(remote::in_words(&site, &answer))
}

/// The id that a site's file tells, or the text itself.
fn site_id(site: &Path) -> anyhow::Result<String> {
    if site.is_file() {
        return Ok(sites::read_site(site)?.id);
    }
    let id = site.to_str().context("the id of a site is plain text")?;
    Ok(id.to_owned())
}

fn on_files(args: &CalibrateArgs) -> anyhow::Result<String> {
    let file = args
        .site
        .as_deref()
        .context("which site? add --site FILE, or --node URL to calibrate on a running node")?;
    let site = sites::read_site(file)?;
    let files = SiteFiles::of(file, args.out.as_deref());
    if args.none {
        return set_aside(&site, &files, args.json);
    }
    if args.by_self {
        bail!("anchors hear each other on a running node only: add --node URL");
    }
    let heard = Heard::read(args, &site, &files)?;
    let never = Cancel::default();
    let learned = learn::by_survey(&site, &heard.placed, &never)?;
    let path = &files.calibration;
    let backup = match &learned.calibration {
        Some(made) => stored::store(path, &site, made, &learned.origin, &never)?.backup,
        None => None,
    };
    let report = Report {
        site: &site.id,
        way: way(args).as_str(),
        kept: learned.calibration.is_some(),
        told: &learned.told,
        origin: &learned.origin,
        file: learned
            .calibration
            .is_some()
            .then(|| files.calibration.display().to_string()),
        backup: backup.map(|path| path.display().to_string()),
    };
    if args.json {
        return Ok(serde_json::to_string(&report)?);
    }
    Ok(in_words(&report, &heard, &learned))
}

/// What the files hold for the way that was asked for.
struct Heard {
    source: PathBuf,
    placed: Vec<Placed>,
    strangers: Vec<String>,
}

impl Heard {
    fn read(args: &CalibrateArgs, site: &Site, files: &SiteFiles) -> anyhow::Result<Self> {
        let given = args.survey.clone().flatten();
        let source = given.unwrap_or_else(|| files.survey.clone());
        if source.is_dir() {
            let set = dataset::read(&source, site)?;
            return Ok(Self {
                source,
                placed: set.placed,
                strangers: set.strangers,
            });
        }
        if !source.exists() {
            bail!(
                "survey {}: there is no such file or folder; name one with --survey, or take points \
                 with POST /api/v1/sites/{}/survey",
                source.display(),
                site.id
            );
        }
        let placed = points::placed(&survey_file::read(&source)?, site, &source)?;
        Ok(Self {
            source,
            placed,
            strangers: Vec::new(),
        })
    }
}

fn set_aside(site: &Site, files: &SiteFiles, json: bool) -> anyhow::Result<String> {
    let path = &files.calibration;
    let backup = files::set_aside(path)
        .with_context(|| format!("calibration file {}: cannot be moved", path.display()))?;
    let told = match &backup {
        Some(backup) => format!(
            "site \"{}\" follows its site file again; the calibration is kept as {}",
            site.id,
            backup.display()
        ),
        None => format!(
            "site \"{}\" follows its site file already, since there is no {}; where the node's \
             configuration names another file as its calibration, name that one with --out",
            site.id,
            path.display()
        ),
    };
    if !json {
        return Ok(told);
    }
    let report = Report {
        site: &site.id,
        way: Way::None.as_str(),
        kept: true,
        told: &told,
        origin: &Origin::none(),
        file: None,
        backup: backup.map(|path| path.display().to_string()),
    };
    Ok(serde_json::to_string(&report)?)
}

fn in_words(report: &Report<'_>, heard: &Heard, learned: &Learned) -> String {
    let mut text = format!(
        "site \"{}\", {}: {} epochs\n",
        report.site,
        heard.source.display(),
        heard.placed.len()
    );
    if !heard.strangers.is_empty() {
        let count = heard.strangers.len();
        let _ = writeln!(
            text,
            "note: {count} radios of the survey are not in the site file and are passed over: {}",
            heard.strangers.join(", ")
        );
    }
    if let Some(held_back) = &learned.origin.held_back {
        text.push_str(&table(held_back));
    }
    text.push_str(report.told);
    if let Some(file) = &report.file {
        let _ = write!(text, "\nwritten to {file}");
    }
    if let Some(backup) = &report.backup {
        let _ = write!(text, "; the old one is kept as {backup}");
    }
    text
}

/// Errors without and with the calibration, for a person.
pub(super) fn table(held_back: &HeldBack) -> String {
    let mut text = format!(
        "{:18}{:>9}{:>9}{:>14}\n",
        "", "median", "RMSE", "right floor"
    );
    let rows = [
        ("no calibration", &held_back.before),
        ("this calibration", &held_back.after),
    ];
    for (name, errors) in rows {
        let _ = writeln!(
            text,
            "{name:18}{:>7.2} m{:>7.2} m{:>12.1} %",
            errors.median_m,
            errors.rmse_m,
            100.0 * errors.floor_share
        );
    }
    text
}

#[cfg(test)]
mod tests;
