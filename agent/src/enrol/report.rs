//! What a person is told after an enrolment, and the configuration that follows from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use link::AgentCredentials;

use super::Enrolment;
use super::files::Files;

/// The part of `agent.toml` that the enrolment knows; sources are the operator's choice.
pub(super) fn config(enrolment: &Enrolment, files: &Files) -> String {
    let folder = enrolment.write_config.as_deref().and_then(Path::parent);
    let path = |path: &PathBuf| toml::Value::from(path_from(folder, path)).to_string();
    let mut text = format!(
        "nodes = [{}]\n",
        toml::Value::from(enrolment.node.to_string())
    );
    // Writing to a string cannot fail.
    if let Some(name) = &enrolment.server_name {
        let _ = writeln!(text, "server_name = {}", toml::Value::from(name.as_str()));
    }
    let _ = writeln!(text, "\n[identity]");
    let _ = writeln!(text, "authority = {}", path(&files.authority));
    let _ = writeln!(text, "certificate = {}", path(&files.certificate));
    let _ = writeln!(text, "key = {}", path(&files.key));
    let _ = writeln!(
        text,
        "\n# Add what this device hears with: a [[source]], and its [[radio]]s; see agent.example.toml."
    );
    text
}

pub(super) fn told(
    enrolment: &Enrolment,
    credentials: &AgentCredentials,
    files: &Files,
    config: &str,
) -> String {
    let identity = credentials.identity();
    let life_s = credentials.expires_at_unix_s() - credentials.issued_at_unix_s();
    let mut told = format!(
        "this device is agent {} of site {}, for {} days; it renews that by itself\n",
        identity.agent,
        identity.site,
        life_s / 86_400
    );
    let _ = writeln!(told, "key          {}", files.key.display());
    let _ = writeln!(told, "certificate  {}", files.certificate.display());
    let _ = writeln!(told, "authority    {}", files.authority.display());
    let _ = match &enrolment.write_config {
        Some(path) => write!(
            told,
            "configured   {}; add a [[source]] to it, then\n             trilobite-agent run \
             --config {}",
            path.display(),
            path.display()
        ),
        None => write!(told, "put this into agent.toml:\n\n{}", config.trim_end()),
    };
    told
}

/// A path as a configuration in that folder may spell it: relative where it lies beside or below.
fn path_from(folder: Option<&Path>, path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let below = folder
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        })
        .and_then(|folder| std::path::absolute(folder).ok())
        .and_then(|folder| absolute.strip_prefix(folder).ok().map(Path::to_owned));
    below.unwrap_or(absolute).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_beside_the_configuration_are_relative() {
        let check = |folder, path, expected| {
            assert_eq!(path_from(folder, Path::new(path)), expected);
        };
        let etc = Some(Path::new("/etc/trilobite"));
        check(etc, "/etc/trilobite/agent.pem", "agent.pem");
        check(etc, "/etc/trilobite/pki/agent.pem", "pki/agent.pem");
        check(etc, "/keys/agent.pem", "/keys/agent.pem");
        check(None, "/keys/agent.pem", "/keys/agent.pem");
        check(Some(Path::new("")), "agent.pem", "agent.pem");
    }
}
