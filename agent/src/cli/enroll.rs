//! `enroll`: a join token becomes a key, a certificate and a configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use wire::enrol::{Fingerprint, JoinToken};

use super::{FAILED, MISUSED, fail};
use crate::enrol::Enrolment;
use crate::route::NodeAddress;

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
    token: JoinToken,

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

pub(super) fn enroll(args: EnrollArgs) -> ExitCode {
    let enrolment = Enrolment {
        node: args.node,
        server_name: args.server_name,
        token: args.token,
        authority: args.ca_fingerprint,
        out: args.out,
        write_config: args.write_config,
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
