//! `enroll`: a join token becomes a key, a certificate and a configuration.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use wire::enrol::{Fingerprint, JoinToken, TokenError};

use super::line::{Line, Misuse, Takes, missing};
use super::{FAILED, MISUSED, fail, from_environment};
use crate::enrol::Enrolment;
use crate::route::NodeAddress;

/// A join token as it was typed. It is parsed behind the command line, whose errors repeat what is
/// wrong: one letter too many would show the secret.
#[derive(Clone)]
struct TokenText(String);

impl fmt::Debug for TokenText {
    /// Hides the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenText").finish_non_exhaustive()
    }
}

pub(super) const HELP: &str = "\
Makes this device an agent: makes its key, gets its certificate from a node, stores both.

\"trilobite token join\", where the node runs, prints this command with everything in it. The key
never leaves the device. If the answer is lost, the same command may be repeated.

Usage: trilobite-agent enroll --node HOST:PORT --token TOKEN [OPTIONS]

Options:
  --node HOST:PORT      the node
  --token TOKEN         the join token; better in TRILOBITE_JOIN_TOKEN where others can list
                        processes
  --ca-fingerprint HEX  SHA-256 of the authority's certificate, where the token does not have it
  --server-name NAME    the name in the node's certificate, where it is not the host of --node
  --out DIR             folder for agent.key, agent.pem and ca.pem; made when missing [default: .]
  --write-config FILE   write a first agent.toml here instead of showing what to put into it
";

pub(super) const TAKES: Takes = Takes {
    options: &[
        ("--node", Some("HOST:PORT")),
        ("--token", Some("TOKEN")),
        ("--ca-fingerprint", Some("HEX")),
        ("--server-name", Some("NAME")),
        ("--out", Some("DIR")),
        ("--write-config", Some("FILE")),
    ],
    word: None,
};

#[derive(Debug)]
pub(super) struct EnrollArgs {
    node: NodeAddress,
    token: TokenText,
    ca_fingerprint: Option<Fingerprint>,
    server_name: Option<String>,
    out: PathBuf,
    write_config: Option<PathBuf>,
}

impl EnrollArgs {
    pub(super) fn read(mut line: Line) -> Result<Self, Misuse> {
        let node = line.value("--node")?;
        let token = line.text("--token")?;
        let token = token.or_else(|| from_environment("TRILOBITE_JOIN_TOKEN"));
        let missing_token =
            || missing("--token TOKEN, or TRILOBITE_JOIN_TOKEN in the environment,");
        Ok(Self {
            node: node.ok_or_else(|| missing("--node HOST:PORT"))?,
            token: TokenText(token.ok_or_else(missing_token)?),
            ca_fingerprint: line.value("--ca-fingerprint")?,
            server_name: line.text("--server-name")?,
            out: line.path("--out").unwrap_or_else(|| ".".into()),
            write_config: line.path("--write-config"),
        })
    }

    fn enrolment(self) -> Result<Enrolment, TokenError> {
        let token: JoinToken = self.token.0.parse()?;
        Ok(Enrolment {
            node: self.node,
            server_name: self.server_name,
            token,
            authority: self.ca_fingerprint,
            out: self.out,
            write_config: self.write_config,
        })
    }
}

pub(super) fn enroll(args: EnrollArgs) -> ExitCode {
    let enrolment = match args.enrolment() {
        Ok(enrolment) => enrolment,
        Err(error) => return fail(MISUSED, &error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.map(|runtime| runtime.block_on(enrolment.run())) {
        Ok(Ok(told)) => {
            // A reader that went away is no mistake of ours: the files are stored.
            let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{told}\n"));
            ExitCode::SUCCESS
        }
        Ok(Err(error)) if error.is_misuse() => fail(MISUSED, &error),
        Ok(Err(error)) => fail(FAILED, &error),
        Err(error) => fail(FAILED, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(token: &str) -> EnrollArgs {
        let words = ["--node", "node.example:4433", "--token", token];
        let (line, _) = Line::read(&mut words.map(Into::into).into_iter(), TAKES, false)
            .expect("a token is not judged here");
        EnrollArgs::read(line).expect("nor here")
    }

    #[test]
    fn a_mistyped_token_is_not_repeated() {
        let digits = "00112233445566778899aabbccddeeff";
        let right = parse(&format!("trilobite-join-{digits}"));
        assert!(right.enrolment().is_ok());
        for wrong in [
            format!("trilobite-join-{digits}0"),
            format!("rilobite-join-{digits}"),
        ] {
            let line = parse(&wrong);
            assert!(!format!("{line:?}").contains("00112233"), "{line:?}");
            let error = line.enrolment().expect_err("mistyped").to_string();
            assert!(error.contains("not a join token"), "{error}");
            assert!(!error.contains("00112233"), "{error}");
        }
    }
}
