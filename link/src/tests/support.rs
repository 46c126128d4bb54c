//! An installation in miniature: an authority, its certificates, and endpoints on loopback.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::authority::{Authority, Issued, agent_params, node_params};
use crate::impair::{Fate, Impairment};
use crate::{AgentCredentials, AgentEndpoint, Knobs, NodeCredentials, NodeLink, Port, ResetKey};

use super::node::{AtNode, Node};

/// Unix seconds of an interval that ended on 2001-09-09.
pub(crate) const PAST: Range<u64> = 900_000_000..1_000_000_000;

/// Unix seconds of an interval that starts on 2223-07-06.
pub(crate) const FUTURE: Range<u64> = 8_000_000_000..9_000_000_000;

/// Any free port.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// An authority that can also issue what it should not.
pub(crate) struct Installation {
    pub(crate) authority: Authority,
}

impl Installation {
    pub(crate) fn new() -> Self {
        Self {
            authority: Authority::create().unwrap(),
        }
    }

    pub(crate) fn issue_agent(&self, agent: &str) -> Issued {
        let (agent, site) = (agent.parse().unwrap(), "hq".parse().unwrap());
        self.authority.issue_agent(&agent, &site, 7).unwrap()
    }

    pub(crate) fn issue_agent_valid(&self, agent: &str, valid: Range<u64>) -> Issued {
        let (agent, site) = (agent.parse().unwrap(), "hq".parse().unwrap());
        self.authority
            .issue(agent_params(&agent, &site, valid))
            .unwrap()
    }

    /// For agents by its usage, with no word about which one.
    pub(crate) fn issue_nobody(&self) -> Issued {
        let (agent, site) = ("ap-1".parse().unwrap(), "hq".parse().unwrap());
        let mut params = agent_params(&agent, &site, 0..FUTURE.end);
        params.subject_alt_names.clear();
        self.authority.issue(params).unwrap()
    }

    pub(crate) fn issue_node(&self) -> Issued {
        self.authority
            .issue_node(&["localhost".to_owned()], 7)
            .unwrap()
    }

    pub(crate) fn agent_certificate_valid(&self, valid: Range<u64>) -> CertificateDer<'static> {
        certificate(&self.issue_agent_valid("ap-1", valid))
    }

    pub(crate) fn node_certificate_valid(&self, valid: Range<u64>) -> CertificateDer<'static> {
        let params = node_params(&["localhost".to_owned()], valid).unwrap();
        certificate(&self.authority.issue(params).unwrap())
    }

    pub(crate) fn node(&self) -> NodeCredentials {
        let Issued {
            certificate_pem,
            key_pem,
        } = self.issue_node();
        NodeCredentials::from_pem(self.authority.certificate_pem(), &certificate_pem, &key_pem)
            .unwrap()
    }

    pub(crate) fn agent(&self, agent: &str) -> AgentCredentials {
        let Issued {
            certificate_pem,
            key_pem,
        } = self.issue_agent(agent);
        AgentCredentials::from_pem(self.authority.certificate_pem(), &certificate_pem, &key_pem)
            .unwrap()
    }

    pub(crate) fn run_node(&self, knobs: &Knobs) -> Node {
        run(&self.node(), knobs)
    }

    /// A node that lets agents enrol.
    pub(crate) fn run_enrolling_node(&self, knobs: &Knobs) -> Node {
        run(&self.node().with_enrolment(), knobs)
    }

    /// Both ends of a new link between these.
    pub(crate) async fn link(
        &self,
        node: &Node,
        agent: &AgentEndpoint,
        knobs: &Knobs,
    ) -> (AtNode, NodeLink) {
        let credentials = self.agent("ap-1");
        let at_node = node.arrival();
        let at_agent = agent.connect(node.local_addr(), "localhost", &credentials, knobs);
        let (at_node, at_agent) = tokio::join!(at_node, at_agent);
        (at_node.unwrap(), at_agent.unwrap())
    }
}

fn run(credentials: &NodeCredentials, knobs: &Knobs) -> Node {
    let reset_key = ResetKey::random().unwrap();
    Node::run(Port::bind_node(LOOPBACK, credentials, &reset_key, knobs).unwrap())
}

pub(crate) fn certificate(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap()
}

/// An agent's faults: after so many packets it is never heard again.
pub(crate) fn mute_after(packets: usize) -> Impairment {
    let mut left = packets;
    let mute = Impairment::new(move |_| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            Fate::Send
        }
        None => Fate::Drop,
    });
    mute.start();
    mute
}

/// Fails a test that would otherwise hang.
pub(crate) async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future)
        .await
        .expect("takes too long")
}
