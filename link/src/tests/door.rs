//! Who comes in, who does not, and what each side is told.

use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::support::{FUTURE, Installation, LOOPBACK, PAST, certificate, mute_after, within};
use crate::authority::Issued;
use crate::{AgentEndpoint, ConnectError, Knobs, LinkClosed, tls};

/// A client that shows whatever it is given and stops at nothing.
struct Stranger {
    config: rustls::ClientConfig,
}

impl Stranger {
    fn new(installation: &Installation) -> Self {
        Self {
            config: tls::agent_config(&installation.agent("ap-1")),
        }
    }

    fn shows(mut self, issued: &Issued) -> Self {
        let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
        let provider = self.config.crypto_provider();
        let certified = CertifiedKey::from_der(vec![certificate(issued)], key, provider).unwrap();
        self.config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        self
    }

    fn shows_nothing(mut self) -> Self {
        #[derive(Debug)]
        struct Nothing;
        impl ResolvesClientCert for Nothing {
            fn resolve(
                &self,
                _: &[&[u8]],
                _: &[rustls::SignatureScheme],
            ) -> Option<Arc<CertifiedKey>> {
                None
            }
            fn has_certs(&self) -> bool {
                false
            }
        }
        self.config.client_auth_cert_resolver = Arc::new(Nothing);
        self
    }

    fn speaks(mut self, alpn: &[&[u8]]) -> Self {
        self.config.alpn_protocols = alpn.iter().map(|alpn| alpn.to_vec()).collect();
        self
    }

    /// Connects, sends datagrams as long as it can, and returns how the connection ended, with
    /// the node's one line about it.
    async fn tries(self, installation: &Installation) -> (String, String) {
        let knobs = Knobs::default();
        let node = installation.run_enrolling_node(&knobs);
        let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
        let crypto = QuicClientConfig::try_from(self.config).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(knobs.agent_transport()));
        let connecting = endpoint
            .connect_with(config, node.local_addr(), "localhost")
            .unwrap();

        let at_node = node.arrival();
        let at_agent = async {
            match connecting.await {
                Ok(connection) => {
                    while connection.send_datagram("let me in".into()).is_ok() {
                        tokio::task::yield_now().await;
                    }
                    LinkClosed::of(&connection.closed().await).to_string()
                }
                Err(error) => LinkClosed::of(&error).to_string(),
            }
        };
        let (at_node, at_agent) = within(20, async { tokio::join!(at_node, at_agent) }).await;
        let refused = at_node.err().expect("nobody may come in here").to_string();
        let (start, reason) = refused.split_once(" refused: ").unwrap();
        let port = endpoint.local_addr().unwrap().port();
        assert_eq!(start, format!("agent at 127.0.0.1:{port}"));
        (reason.to_owned(), at_agent)
    }
}

async fn check(stranger: Stranger, installation: &Installation, node: &str, agent: &str) {
    let (at_node, at_agent) = stranger.tries(installation).await;
    assert!(at_node.contains(node), "node: {at_node}");
    assert!(at_agent.contains(agent), "agent: {at_agent}");
}

#[tokio::test]
async fn no_certificate() {
    let home = Installation::new();
    let node = "it showed no certificate; issue one with \"trilobite ca issue\"";
    let agent = "the node asks for a certificate and got none";
    check(Stranger::new(&home).shows_nothing(), &home, node, agent).await;
}

#[tokio::test]
async fn no_certificate_and_an_offer_to_enrol_or_not() {
    let home = Installation::new();
    for offers in [
        [tls::ALPN, wire::enrol::PROTOCOL],
        [wire::enrol::PROTOCOL, tls::ALPN],
    ] {
        let stranger = Stranger::new(&home).shows_nothing().speaks(&offers);
        let agent = "the node asks for a certificate and got none";
        check(stranger, &home, "it showed no certificate", agent).await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority() {
    let (home, other) = (Installation::new(), Installation::new());
    let stranger = Stranger::new(&home).shows(&other.issue_agent("ap-1"));
    let node = "its certificate is not from this node's authority";
    check(stranger, &home, node, "another authority issued it").await;
}

#[tokio::test]
async fn an_expired_certificate() {
    let home = Installation::new();
    let stranger = Stranger::new(&home).shows(&home.issue_agent_valid("ap-1", PAST));
    let node = "its certificate expired on 2001-09-09; issue a new one with \"trilobite ca issue\"";
    check(stranger, &home, node, "it has expired or is not valid yet").await;
}

#[tokio::test]
async fn a_certificate_of_the_future() {
    let home = Installation::new();
    let stranger = Stranger::new(&home).shows(&home.issue_agent_valid("ap-1", FUTURE));
    let node = "its certificate is valid from 2223-07-06 on; check this node's clock";
    check(stranger, &home, node, "it has expired or is not valid yet").await;
}

#[tokio::test]
async fn a_certificate_for_nodes() {
    let home = Installation::new();
    let stranger = Stranger::new(&home).shows(&home.issue_node());
    check(
        stranger,
        &home,
        "its certificate is not for agents",
        "it is not for agents",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_without_identity() {
    let home = Installation::new();
    let stranger = Stranger::new(&home).shows(&home.issue_nobody());
    check(
        stranger,
        &home,
        "the certificate names no agent",
        "it names no agent",
    )
    .await;
}

#[tokio::test]
async fn another_protocol() {
    let home = Installation::new();
    let stranger = Stranger::new(&home).speaks(&[b"h3"]);
    let both = "not speak trilobite/1; update the older of agent and node";
    check(stranger, &home, both, both).await;
}

#[tokio::test]
async fn an_agent_that_does_not_trust_the_node_says_so_at_both_ends() {
    let (home, other) = (Installation::new(), Installation::new());
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();

    for (credentials, name, expected) in [
        (
            other.agent("ap-1"),
            "localhost",
            "give the agent the ca.pem of the node's authority",
        ),
        (
            home.agent("ap-1"),
            "elsewhere",
            "certificate not valid for name \"elsewhere\"",
        ),
    ] {
        let at_node = node.arrival();
        let at_agent = agent.connect(node.local_addr(), name, &credentials, &knobs);
        let (at_node, at_agent) = within(20, async { tokio::join!(at_node, at_agent) }).await;
        let error = at_agent.unwrap_err();
        assert!(matches!(error, ConnectError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        let refused = at_node.err().unwrap();
        assert_eq!(refused.reason.label(), "turned_away", "{refused}");
    }
}

#[tokio::test]
async fn a_slow_peer_is_refused_in_time_and_holds_up_nobody() {
    let home = Installation::new();
    let knobs = Knobs {
        handshake_timeout: std::time::Duration::from_millis(300),
        ..Knobs::default()
    };
    let node = home.run_node(&knobs);
    let mute = mute_after(1);
    let slow = AgentEndpoint::bind_impaired(LOOPBACK, &knobs, &mute).unwrap();
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();

    let credentials = home.agent("ap-1");
    let at_slow = slow.connect(node.local_addr(), "localhost", &credentials, &knobs);
    let at_node = async {
        node.until(|engine| (engine.handshakes().open == 1).then_some(()))
            .await;
        let (link, at_agent) = home.link(&node, &agent, &knobs).await;
        at_agent.send_datagram("in time".into()).unwrap();
        assert_eq!(link.read_datagram().await.unwrap(), "in time");
        node.arrival().await.err().unwrap().reason.label()
    };
    // The slow one may believe that it is in: it has heard all that it needs from the node.
    let (_at_slow, at_node) = within(20, async { tokio::join!(at_slow, at_node) }).await;
    assert_eq!(at_node, "too_slow");
}

#[tokio::test]
async fn new_credentials_count_from_the_next_handshake_on() {
    let (home, other) = (Installation::new(), Installation::new());
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (before, at_agent) = home.link(&node, &agent, &knobs).await;
    let credentials = other.node();
    node.engine(move |engine, _| engine.replace_credentials(&credentials))
        .await;
    let (_after, _) = other.link(&node, &agent, &knobs).await;
    at_agent.send_datagram("still here".into()).unwrap();
    assert_eq!(
        within(5, before.read_datagram()).await.unwrap(),
        "still here"
    );
}
