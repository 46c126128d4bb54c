//! `trilobite token`: what a person carries to a new device, so that it gets a certificate once, and
//! what consumers show.

mod consumers;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use link::authority::node_names;
use link::authority::tokens::{TokenBook, TokenEntry};
use link::{fingerprint, private_file};
use wire::SiteName;
use wire::enrol::Fingerprint;

use crate::cli::{Authority, TokenCommand};
use crate::config::NodeConfig;
use crate::enrolment::unix_s;
use crate::sites;

/// Port of agents where no configuration says otherwise.
const PORT: u16 = 4433;

/// Does what the command says; returns what to tell.
///
/// # Errors
/// Tells which file is missing or unfit, and what to do.
pub fn run(command: TokenCommand) -> anyhow::Result<String> {
    match command {
        TokenCommand::Join {
            agent,
            site,
            valid,
            node,
            authority,
        } => {
            let place = Place::find(&authority)?;
            place.check_site(&site)?;
            let fingerprint = place.fingerprint()?;
            let now = unix_s();
            let token = place.book().make(&agent, &site, fingerprint, valid, now)?;
            let node = node.unwrap_or_else(|| place.node());
            let mut told = String::new();
            // Writing to a string cannot fail.
            let until = time(now + valid.as_secs());
            let _ = writeln!(told, "token        {token}");
            let _ = writeln!(
                told,
                "             for agent {agent} of site {site}, once, until {until}; not shown again"
            );
            let _ = writeln!(told, "authority    {fingerprint} (SHA-256)");
            let _ = write!(
                told,
                "on the device\n             trilobite-agent enroll --node {node} --token {token}"
            );
            Ok(told)
        }
        TokenCommand::Create(args) => consumers::create(&args),
        TokenCommand::List { authority, state } => {
            let config = authority.config.as_deref();
            let consumers = consumers::list(config, &state)?;
            if !has_join_tokens(config)? {
                return Ok(consumers);
            }
            let entries = Place::find(&authority)?.book().entries()?;
            let now = unix_s();
            let mut lines: Vec<String> = entries.iter().map(|entry| line(entry, now)).collect();
            if lines.is_empty() {
                let none = "no join tokens; make one with \"trilobite token join\"";
                lines.push(none.to_owned());
            }
            lines.push(consumers);
            Ok(lines.join("\n"))
        }
        TokenCommand::Revoke {
            id,
            authority,
            state,
        } => {
            let config = authority.config.as_deref();
            if let Some(told) = consumers::revoke(config, &state, &id)? {
                return Ok(told);
            }
            if !has_join_tokens(config)? {
                bail!("there is no consumer {id}; see \"trilobite token list\"");
            }
            let revoked = Place::find(&authority)?.book().revoke(&id)?;
            let Some(entry) = revoked.first() else {
                bail!("there is no join token and no consumer {id}; see \"trilobite token list\"");
            };
            let after = match entry.redeemed {
                Some(_) => "; it had been redeemed, and that certificate stays valid",
                None => "",
            };
            Ok(format!(
                "revoked {id}, for agent {} of site {}{after}",
                entry.agent, entry.site
            ))
        }
    }
}

/// Whether a node with this configuration redeems join tokens; without one, whoever asks knows.
fn has_join_tokens(config: Option<&Path>) -> anyhow::Result<bool> {
    let config = config.map(NodeConfig::load).transpose()?;
    Ok(config.is_none_or(|config| config.enrolment.is_some()))
}

fn line(entry: &TokenEntry, now_unix_s: u64) -> String {
    let state = match entry.redeemed {
        Some(redeemed) => format!("redeemed {}", time(redeemed.at_unix_s)),
        None if now_unix_s > entry.until_unix_s => {
            format!("over since {}", time(entry.until_unix_s))
        }
        None => format!("open until {}", time(entry.until_unix_s)),
    };
    format!(
        "{}  agent {} of site {}, {state}",
        entry.id(),
        entry.agent,
        entry.site
    )
}

fn time(unix_s: u64) -> String {
    let second = i64::try_from(unix_s).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Where an authority is, and what is known of the node that uses it.
struct Place {
    dir: PathBuf,
    certificate: PathBuf,
    node_certificate: PathBuf,
    config: Option<NodeConfig>,
}

impl Place {
    fn find(authority: &Authority) -> anyhow::Result<Self> {
        let Some(path) = &authority.config else {
            let dir = authority.dir.clone();
            return Ok(Self {
                certificate: dir.join("ca.pem"),
                node_certificate: dir.join("node.pem"),
                dir,
                config: None,
            });
        };
        let config = NodeConfig::load(path)?;
        let Some(enrolment) = &config.enrolment else {
            bail!(
                "{} has no [enrolment], so its node redeems no token; add that section, or use \
                 \"trilobite ca issue\"",
                path.display()
            );
        };
        let dir = enrolment.authority_key.parent().unwrap_or(Path::new("."));
        Ok(Self {
            dir: dir.to_owned(),
            certificate: config.quic.authority.clone(),
            node_certificate: config.quic.certificate.clone(),
            config: Some(config),
        })
    }

    fn book(&self) -> TokenBook {
        TokenBook::beside(&self.dir)
    }

    fn fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let pem = private_file::read(&self.certificate)?;
        fingerprint::of_pem(&String::from_utf8_lossy(&pem)).with_context(|| {
            format!(
                "{}: no PEM certificate in it; use the ca.pem of \"trilobite ca init\"",
                self.certificate.display()
            )
        })
    }

    /// Refuses a site that the node would refuse later, when nobody is looking any more.
    fn check_site(&self, site: &SiteName) -> anyhow::Result<()> {
        let Some(config) = &self.config else {
            return Ok(());
        };
        check_served(config, site.as_str())
    }

    /// Where the device reaches the node, as far as its certificate and configuration tell.
    fn node(&self) -> String {
        let pem = private_file::read(&self.node_certificate).unwrap_or_default();
        let names = node_names(&String::from_utf8_lossy(&pem));
        let name = names.iter().find(|name| *name != "localhost");
        let name = name.or(names.first()).map_or("NODE", String::as_str);
        let listen = self.config.as_ref().map(|config| config.quic.listen.port());
        format!("{name}:{}", listen.unwrap_or(PORT))
    }
}

fn check_served(config: &NodeConfig, site: &str) -> anyhow::Result<()> {
    let mut served = Vec::with_capacity(config.sites.len());
    for entry in &config.sites {
        served.push(sites::read_site(&entry.file)?.id);
    }
    if !served.iter().any(|id| id == site) {
        bail!(
            "the node does not serve site {site}; use one of {}, or add it to the configuration",
            served.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use link::authority::{AuthorityDir, Existing};
    use wire::enrol::JoinToken;

    use super::*;

    fn authority(dir: &Path) -> Authority {
        Authority {
            config: None,
            dir: dir.to_owned(),
        }
    }

    fn join(dir: &Path) -> anyhow::Result<String> {
        run(TokenCommand::Join {
            agent: "ap-1".parse().unwrap(),
            site: "hq".parse().unwrap(),
            valid: Duration::from_secs(3_600),
            node: None,
            authority: authority(dir),
        })
    }

    #[test]
    fn a_token_is_shown_once_with_the_command_that_uses_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = AuthorityDir::create(dir.path()).unwrap();
        let names = ["localhost".to_owned(), "node.example".to_owned()];
        made.issue_node(&names, 7, Existing::Keep).unwrap();
        let told = join(dir.path()).unwrap();
        let command = told.lines().last().unwrap().trim();
        let token = command
            .strip_prefix("trilobite-agent enroll --node node.example:4433 --token ")
            .unwrap();
        let token: JoinToken = token.parse().unwrap();
        let fingerprint = made.authority().fingerprint();
        assert_eq!(token.authority, Some(fingerprint));
        assert!(told.contains(&fingerprint.to_string()));

        let list = |dir| {
            run(TokenCommand::List {
                authority: authority(dir),
                state: dir.to_owned(),
            })
            .unwrap()
        };
        let listed = list(dir.path());
        let (id, rest) = listed.split_once(' ').unwrap();
        assert!(
            rest.contains("agent ap-1 of site hq, open until 20"),
            "{rest}"
        );
        let secret: String = token.secret.iter().map(|b| format!("{b:02x}")).collect();
        assert!(!listed.contains(&secret));

        let revoke = |id: &str| {
            run(TokenCommand::Revoke {
                id: id.to_owned(),
                authority: authority(dir.path()),
                state: dir.path().to_owned(),
            })
        };
        assert!(revoke(id).unwrap().starts_with("revoked"));
        assert!(revoke(id).unwrap_err().to_string().contains("token list"));
        assert!(list(dir.path()).starts_with("no join tokens"));
    }

    #[test]
    fn without_an_authority_or_its_place_there_are_no_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let error = join(dir.path()).unwrap_err().to_string();
        assert!(error.contains("ca.pem; check the path"), "{error}");
    }
}
