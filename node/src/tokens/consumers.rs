//! Tokens of consumers: made, listed, revoked, where the node keeps their hashes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use outbox::consumer::{Consumer, ConsumerFile, Grant, May, NewConsumer};

use super::{check_served, time};
use crate::cli::ConsumerArgs;
use crate::config::NodeConfig;
use crate::enrolment::unix_s;
use crate::http::policy::SITES;

/// What stands for all sites, and for all types.
const ALL: &str = "*";

/// Makes a consumer; returns its token, which is not shown again.
pub(super) fn create(args: &ConsumerArgs) -> anyhow::Result<String> {
    let config = args.config.as_deref().map(NodeConfig::load).transpose()?;
    if let Some(config) = &config {
        for site in args.sites.iter().filter(|site| *site != ALL) {
            check_served(config, site)?;
        }
    }
    let state = config
        .as_ref()
        .map_or(&args.state, |config| &config.state_dir);
    std::fs::create_dir_all(state)
        .with_context(|| format!("cannot make the node's state_dir {}", state.display()))?;
    let file = ConsumerFile::in_dir(state);
    let is_first = file.read()?.is_none();
    let grant = grant(&args.may, &args.sites, &args.kinds)?;
    let new = NewConsumer {
        name: args.name.clone(),
        grant: grant.clone(),
        valid: args.valid,
    };
    let now = unix_s();
    let token = file.create(new, now)?.reveal();
    let mut told = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(told, "token        {token}");
    let _ = writeln!(
        told,
        "             for consumer {}, until {}; not shown again",
        args.name,
        time(now.saturating_add(args.valid.as_secs()))
    );
    let _ = writeln!(told, "grants       {}", words(&grant));
    if is_first {
        let _ = writeln!(
            told,
            "first one    from now on the node asks everybody for a token, on loopback too"
        );
    }
    let listen = config
        .as_ref()
        .map(|config| config.messages.listen.to_string());
    let scheme = match config.is_some_and(|config| config.messages.tls.is_some()) {
        true => "https",
        false => "http",
    };
    let listen = listen.unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let _ = write!(
        told,
        "try it       curl -H \"Authorization: Bearer $TOKEN\" {scheme}://{listen}/messages"
    );
    Ok(told)
}

/// A line for each consumer.
pub(super) fn list(config: Option<&Path>, state: &Path) -> anyhow::Result<String> {
    let consumers = file(config, state)?.read()?;
    let now = unix_s();
    let Some(consumers) = consumers else {
        return Ok("no consumers; make one with \"trilobite token create\"".to_owned());
    };
    let lines: Vec<String> = consumers
        .iter()
        .map(|consumer| line(consumer, now))
        .collect();
    Ok(match lines.is_empty() {
        true => "no consumers any more, and nobody gets in without a token".to_owned(),
        false => lines.join("\n"),
    })
}

/// Takes a consumer off the list; `None` where it is not on it.
pub(super) fn revoke(
    config: Option<&Path>,
    state: &Path,
    name: &str,
) -> anyhow::Result<Option<String>> {
    let file = file(config, state)?;
    if file.read()?.is_none() || !file.revoke(name)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "revoked consumer {name}; a running node refuses its token within seconds"
    )))
}

fn file(config: Option<&Path>, state: &Path) -> anyhow::Result<ConsumerFile> {
    let config = config.map(NodeConfig::load).transpose()?;
    let state = config.as_ref().map_or(state, |config| &config.state_dir);
    Ok(ConsumerFile::in_dir(state))
}

fn grant(may: &str, sites: &[String], kinds: &[String]) -> anyhow::Result<Grant> {
    let may: May = may.parse()?;
    let under: Vec<String> = sites
        .iter()
        .map(|site| match site.as_str() {
            ALL => Ok(SITES.to_owned()),
            site if site.contains('/') => Err(anyhow::anyhow!("\"{site}\" is no id of a site")),
            site => Ok(format!("{SITES}/{site}")),
        })
        .collect::<Result<_, _>>()?;
    let under = under.iter().map(String::as_str);
    Ok(Grant::new(may, under, kinds.iter().map(String::as_str))?)
}

fn line(consumer: &Consumer, now_unix_s: u64) -> String {
    let until = time(consumer.until_unix_s);
    let state = match now_unix_s > consumer.until_unix_s {
        true => format!("over since {until}"),
        false => format!("until {until}"),
    };
    format!(
        "{}  consumer of {}, {state}",
        consumer.name,
        words(&consumer.grant)
    )
}

fn words(grant: &Grant) -> String {
    let sites: Vec<&str> = grant
        .under()
        .map(|prefix| match prefix.strip_prefix(SITES) {
            Some("") => "all sites",
            Some(site) => site.trim_start_matches('/'),
            None => prefix,
        })
        .collect();
    let kinds: Vec<&str> = grant.kinds().collect();
    format!(
        "{} x {} ({})",
        sites.join(", "),
        kinds.join(", "),
        grant.may().word()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn args(state: &Path) -> ConsumerArgs {
        ConsumerArgs {
            name: "cleaning".to_owned(),
            sites: vec!["hq".to_owned()],
            kinds: vec!["zone.*".to_owned()],
            may: "messages".to_owned(),
            valid: Duration::from_secs(86_400),
            config: None,
            state: state.to_owned(),
        }
    }

    #[test]
    fn a_token_is_shown_once_and_listed_without_its_secret() {
        let dir = tempfile::tempdir().unwrap();
        assert!(list(None, dir.path()).unwrap().starts_with("no consumers;"));
        assert_eq!(revoke(None, dir.path(), "cleaning").unwrap(), None);
        assert_eq!(
            dir.path().read_dir().unwrap().count(),
            0,
            "looking leaves nothing behind"
        );

        let told = create(&args(dir.path())).unwrap();
        assert!(told.contains("first one"), "{told}");
        let token = told
            .lines()
            .next()
            .unwrap()
            .strip_prefix("token        ")
            .unwrap();
        let secret = token.rsplit('-').next().unwrap();
        let listed = list(None, dir.path()).unwrap();
        assert!(listed.contains("cleaning  consumer of hq x zone.* (messages), until 20"));
        let kept = std::fs::read_to_string(dir.path().join("consumers.json")).unwrap();
        assert!(!listed.contains(secret) && !kept.contains(secret));

        assert!(
            create(&args(dir.path()))
                .unwrap_err()
                .to_string()
                .contains("already")
        );
        assert!(revoke(None, dir.path(), "cleaning").unwrap().is_some());
        assert!(list(None, dir.path()).unwrap().contains("nobody gets in"));
    }

    #[test]
    fn mistakes_are_told_before_anything_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let check = |change: fn(&mut ConsumerArgs), expected: &str| {
            let mut args = args(dir.path());
            change(&mut args);
            let error = format!("{:#}", create(&args).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check(
            |args| args.may = "all".to_owned(),
            "use resources, messages or admin",
        );
        check(
            |args| args.sites = vec!["a/b".to_owned()],
            "no id of a site",
        );
        check(|args| args.sites = vec!["..".to_owned()], "no prefix");
        check(|args| args.kinds = vec!["Zone".to_owned()], "is no type");
        check(|args| args.name = "a b".to_owned(), "no name");
        check(|args| args.valid = Duration::ZERO, "ten years");
        assert!(list(None, dir.path()).unwrap().starts_with("no consumers;"));
    }
}
