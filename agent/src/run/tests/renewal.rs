//! The next certificate comes over the living link and counts from the next one on.

use std::fs;

use link::authority::Authority;
use link::signing_request::SigningRequest;
use link::{AgentCredentials, NodeCredentials};

use super::fake_node::Guest;
use super::*;

/// Papers for a node that trusts agents of `agents`, all of them with a certificate of `by`.
fn node_papers(agents: &str, by: &Authority, agent: &AgentCredentials) -> Papers {
    let issued = by.issue_node(&["127.0.0.1".to_owned()], 1).unwrap();
    let node = NodeCredentials::from_pem(agents, &issued.certificate_pem, &issued.key_pem);
    Papers::of(node.unwrap(), agent.clone())
}

/// The agent's request, before or after its names.
async fn renewal_request(guest: &mut Guest) -> SigningRequest {
    loop {
        if let Frame::Renew { signing_request } = guest.frame().await.expect("a request") {
            return SigningRequest::parse(&signing_request).unwrap();
        }
    }
}

/// The agent's first certificate is of an authority that the second node does not trust: it gets in
/// there with the renewed one, or not at all.
#[tokio::test]
async fn a_renewed_certificate_is_stored_and_shown_from_the_next_link_on() {
    let (old, new) = (Authority::create().unwrap(), Authority::create().unwrap());
    let both = format!("{}{}", old.certificate_pem(), new.certificate_pem());
    let (name, site) = ("ap-1".parse().unwrap(), "hq".parse().unwrap());
    let issued = old.issue_agent(&name, &site, 3).unwrap();
    let credentials =
        AgentCredentials::from_pem(&both, &issued.certificate_pem, &issued.key_pem).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.pem");
    let key_pem = issued.key_pem.clone();
    let renewal = Renewal::new(credentials.clone(), key_pem, both.clone(), path.clone()).unwrap();

    let papers = node_papers(&both, &new, &credentials);
    let next_papers = node_papers(new.certificate_pem(), &new, &credentials);
    let (node, next) = (FakeNode::start(&papers), FakeNode::start(&next_papers));
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source).with_renewal(Some(renewal));
    // The last day: by the node's clock only, whatever the machine's says.
    let last_day = credentials.expires_at_unix_s() - 86_400;
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome_at(3, last_day).await;
        let request = renewal_request(&mut guest).await;
        let certificate = new.certify_agent(&request, &name, &site, 30).unwrap();
        let renewed = certificate.clone();
        guest.write(Frame::Renewed { certificate }).await;
        let address = next.address().to_string();
        guest.write(Frame::Redirect { address }).await;
        guest.settle().await;
        assert_eq!(fs::read_to_string(&path).unwrap(), renewed);

        let mut guest = next.welcome_at(4, last_day).await;
        assert_eq!(guest.identity().await.to_string(), "trilobite://hq/ap-1");
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
    drop(tap);
}

#[tokio::test]
async fn a_node_without_the_authoritys_key_changes_nothing() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let dir = tempfile::tempdir().unwrap();
    let [ca, _, key] = papers.agent_pem.clone();
    let path = dir.path().join("agent.pem");
    let renewal = Renewal::new(papers.agent.clone(), key, ca, path.clone()).unwrap();
    let agent = agent(&papers, &[node.address()], source).with_renewal(Some(renewal));
    let last_hour = papers.agent.expires_at_unix_s() - 3_600;
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome_at(3, last_hour).await;
        renewal_request(&mut guest).await;
        let reason = "no key here".to_owned();
        guest.write(Frame::NotRenewed { reason }).await;
        // The session goes on as if nothing had been.
        tap.send(Transmitter::Client(ClientId(1))).unwrap();
        guest.datagrams(1).await;
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
    assert!(!path.exists());
}
