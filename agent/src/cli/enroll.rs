//! `enroll`: a join token becomes a key, a certificate and a configuration.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use wire::enrol::{Fingerprint, JoinToken, TokenError};

use super::{FAILED, MISUSED, fail};
use crate::enrol::Enrolment;
use crate::route::NodeAddress;

/// A join token as it was typed. It is parsed behind the command line, whose errors repeat what is
/// wrong: one letter too many would show the secret.
#[derive(Clone)]
struct TokenText(String);

impl From<String> for TokenText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for TokenText {
    /// Hides the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenText").finish_non_exhaustive()
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct EnrollArgs {
    /// The node.
    #[arg(long, value_name = "HOST:PORT")]
    node: NodeAddress,

    /// The join token; better in TRILOBITE_JOIN_TOKEN where others can list processes.
    #[arg(
        long,
        env = "TRILOBITE_JOIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: TokenText,

    /// SHA-256 of the authority's certificate, where the token does not have it.
    #[arg(long, value_name = "HEX")]
    ca_fingerprint: Option<Fingerprint>,

    /// The name in the node's certificate, where it is not the host of --node.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,

    /// Folder for agent.key, agent.pem and ca.pem; made when missing.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,

    /// Write a first agent.toml here instead of showing what to put into it.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
}

impl EnrollArgs {
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
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: EnrollArgs,
    }

    fn parse(token: &str) -> Line {
        let line = ["enroll", "--node", "node.example:4433", "--token", token];
        Line::try_parse_from(line).expect("a token is not judged here")
    }

    #[test]
    fn a_mistyped_token_is_not_repeated() {
        let digits = "00112233445566778899aabbccddeeff";
        let right = parse(&format!("trilobite-join-{digits}"));
        assert!(right.args.enrolment().is_ok());
        for wrong in [
            format!("trilobite-join-{digits}0"),
            format!("rilobite-join-{digits}"),
        ] {
            let line = parse(&wrong);
            assert!(!format!("{line:?}").contains("00112233"), "{line:?}");
            let error = line.args.enrolment().expect_err("mistyped").to_string();
            assert!(error.contains("not a join token"), "{error}");
            assert!(!error.contains("00112233"), "{error}");
        }
    }
}
