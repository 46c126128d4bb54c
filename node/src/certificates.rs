//! `trilobite ca`: an authority of one's own, certificates for nodes and agents.

use std::fmt::Write as _;

use link::authority::{Authority, AuthorityDir, AuthorityError, Existing};

use crate::cli::CaCommand;

/// Does what the command says; returns what to tell.
///
/// # Errors
/// [`AuthorityError`] when files are in the way, missing, or cannot be written.
pub fn run(command: CaCommand) -> Result<String, AuthorityError> {
    match command {
        CaCommand::Init { dir, names, days } => {
            // Names that cannot be certified must not leave half an authority behind.
            Authority::create()?.issue_node(&names, days)?;
            let authority = AuthorityDir::create(&dir)?;
            let node = authority.issue_node(&names, days, Existing::Keep)?;
            let mut told = String::new();
            let ca = authority.certificate_path();
            // Writing to a string cannot fail.
            let _ = writeln!(
                told,
                "authority    {} (its key stays secret: {})",
                ca.display(),
                dir.join("ca.key").display()
            );
            let _ = writeln!(
                told,
                "node         {} and {}",
                node.certificate.display(),
                node.key.display()
            );
            let _ = writeln!(told, "             for {}", names.join(", "));
            let _ = write!(
                told,
                "next         trilobite ca issue --agent ID --site SITE --dir {}",
                dir.display()
            );
            Ok(told)
        }
        CaCommand::Node { dir, names, days } => {
            let node = AuthorityDir::open(&dir)?.issue_node(&names, days, Existing::Replace)?;
            Ok(format!(
                "node, {days} days, for {}\ncertificate  {}\nkey          {}",
                names.join(", "),
                node.certificate.display(),
                node.key.display(),
            ))
        }
        CaCommand::Issue {
            agent,
            site,
            dir,
            days,
            replace,
        } => {
            let existing = if replace {
                Existing::Replace
            } else {
                Existing::Keep
            };
            let issued = AuthorityDir::open(&dir)?.issue_agent(&agent, &site, days, existing)?;
            Ok(format!(
                "agent {agent} of site {site}, {days} days\n\
                 certificate  {}\n\
                 key          {}\n\
                 authority    {}\n\
                 copy these three to the access point and name them in agent.toml",
                issued.certificate.display(),
                issued.key.display(),
                dir.join("ca.pem").display(),
            ))
        }
    }
}
