//! Agents without a certificate: how one gets its first, and that they can do nothing else.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use rustls_pki_types::UnixTime;
use wire::control::encode_frame;
use wire::enrol::{Denial, EnrolAnswer, EnrolRequest, Fingerprint, Granted, SECRET_BYTES};
use wire::limits::ENROL_REQUEST_BYTES_MAX;
use wire::{AgentName, Frame, SiteName};

use super::node::Node;
use super::support::{Installation, LOOPBACK, within};
use crate::signing_request::SigningRequest;
use crate::transport::NEWCOMERS_MAX;
use crate::{
    AgentCredentials, AgentEndpoint, ConnectError, DeviceKey, EnrolAt, EnrolError, Knobs, tls,
};

fn at(node: &Node, authority: Fingerprint) -> EnrolAt<'static> {
    EnrolAt {
        node: node.local_addr(),
        server_name: "localhost",
        authority,
        not_before_unix_s: 0,
    }
}

fn request(key: &DeviceKey) -> EnrolRequest {
    EnrolRequest {
        secret: [7; SECRET_BYTES],
        signing_request: key.signing_request(None).unwrap(),
    }
}

/// Answers the next request to enrol as an authority that believes every token.
async fn grant_next(node: &Node, home: &Installation) -> EnrolRequest {
    let id = node.enrolment().await;
    let bytes = node
        .engine(move |engine, _| engine.take_enrolment(id))
        .await;
    let asked = EnrolRequest::parse(&bytes.unwrap()).unwrap();
    let (agent, site) = (
        AgentName::new("ap-1").unwrap(),
        SiteName::new("hq").unwrap(),
    );
    let signing_request = SigningRequest::parse(&asked.signing_request).unwrap();
    let certificate = home
        .authority
        .certify_agent(&signing_request, &agent, &site, 7)
        .unwrap();
    let answer = EnrolAnswer::Granted(Granted {
        certificate,
        authority: home.authority.certificate_pem().to_owned(),
        time_unix_s: 1_795_000_000,
    });
    let answer = answer.encode().unwrap();
    node.engine(move |engine, _| {
        assert_eq!(engine.take_enrolment(id), None, "a request is given once");
        assert_eq!(engine.identity(id), None);
        engine.answer_enrolment(id, answer);
    })
    .await;
    asked
}

#[tokio::test]
async fn an_agent_gets_its_first_certificate_and_connects_with_it() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_enrolling_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let key = DeviceKey::generate().unwrap();
    let asked = request(&key);

    let place = at(&node, home.authority.fingerprint());
    let granted = agent.enrol(place, &asked, &knobs);
    let both = async { tokio::join!(granted, grant_next(&node, &home)) };
    let (granted, heard) = within(10, both).await;
    let granted = granted.unwrap();
    assert_eq!(heard, asked);
    assert_eq!(granted.time_unix_s, 1_795_000_000);

    let key = key.to_pem();
    let credentials =
        AgentCredentials::from_pem(&granted.authority, &granted.certificate, &key).unwrap();
    assert_eq!(credentials.identity().to_string(), "trilobite://hq/ap-1");
    let link = agent.connect(node.local_addr(), "localhost", &credentials, &knobs);
    let (link, at_node) = within(10, async { tokio::join!(link, node.arrival()) }).await;
    let link = link.unwrap();
    link.send_datagram("hello".into()).unwrap();
    assert_eq!(at_node.unwrap().read_datagram().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_node_of_another_authority_hears_nothing() {
    let (home, other) = (Installation::new(), Installation::new());
    let knobs = Knobs::default();
    let node = home.run_enrolling_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let request = request(&DeviceKey::generate().unwrap());

    let (expected, instead) = (other.authority.fingerprint(), home.authority.fingerprint());
    let granted = agent.enrol(at(&node, expected), &request, &knobs);
    let (error, refused) = within(10, async { tokio::join!(granted, node.arrival()) }).await;
    assert_eq!(
        error.unwrap_err(),
        EnrolError::Fingerprint {
            node: node.local_addr(),
            expected,
            instead
        }
    );
    assert_eq!(refused.err().unwrap().reason.label(), "turned_away");
    assert!(!node.has_heard_anything().await);
}

#[tokio::test]
async fn the_name_of_the_node_counts_as_well() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_enrolling_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let elsewhere = EnrolAt {
        server_name: "elsewhere",
        ..at(&node, home.authority.fingerprint())
    };
    let request = request(&DeviceKey::generate().unwrap());
    let error = within(10, agent.enrol(elsewhere, &request, &knobs)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, EnrolError::Connect(ConnectError::Untrusted { .. })),
        "{error}"
    );
    assert!(!node.has_heard_anything().await);
}

#[tokio::test]
async fn a_node_may_enrol_nobody() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let place = at(&node, home.authority.fingerprint());
    let request = request(&DeviceKey::generate().unwrap());
    let error = within(10, agent.enrol(place, &request, &knobs)).await;
    let expected = EnrolError::NotOffered {
        node: node.local_addr(),
    };
    assert_eq!(error.unwrap_err(), expected);
}

#[tokio::test]
async fn a_denial_tells_kind_and_reason() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_enrolling_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let request = request(&DeviceKey::generate().unwrap());
    let deny = async {
        let id = node.enrolment().await;
        let answer = EnrolAnswer::Denied {
            why: Denial::UsedToken,
            reason: "it was redeemed".to_owned(),
        };
        node.engine(move |engine, _| {
            engine.take_enrolment(id).unwrap();
            engine.answer_enrolment(id, answer.encode().unwrap());
        })
        .await;
    };
    let place = at(&node, home.authority.fingerprint());
    let granted = agent.enrol(place, &request, &knobs);
    let (error, ()) = within(10, async { tokio::join!(granted, deny) }).await;
    let EnrolError::Denied { why, reason, .. } = error.unwrap_err() else {
        panic!("a denial");
    };
    assert_eq!(
        (why, reason.as_str()),
        (Denial::UsedToken, "it was redeemed")
    );
}

/// A connection that may enrol, in the hands of somebody who has other plans.
async fn newcomer(home: &Installation, node: &Node) -> (quinn::Endpoint, quinn::Connection) {
    let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
    let pinned = home.authority.fingerprint();
    let not_before = UnixTime::since_unix_epoch(Duration::ZERO);
    let tls = tls::newcomer_config(pinned, not_before, &Arc::default());
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(Knobs::default().agent_transport()));
    let connecting = endpoint.connect_with(config, node.local_addr(), "localhost");
    let connection = within(10, connecting.unwrap()).await.unwrap();
    (endpoint, connection)
}

const TURNED_OUT: &str = "one request to enrol, and nothing else";

#[tokio::test]
async fn a_newcomer_sends_no_datagrams() {
    let home = Installation::new();
    let node = home.run_enrolling_node(&Knobs::default());
    let (_endpoint, connection) = newcomer(&home, &node).await;
    connection.send_datagram("heard".into()).unwrap();
    let closed = within(10, connection.closed()).await.to_string();
    assert!(closed.contains(TURNED_OUT), "{closed}");
    assert!(!node.has_heard_anything().await);
}

#[tokio::test]
async fn a_newcomers_frames_are_no_frames() {
    let home = Installation::new();
    let node = home.run_enrolling_node(&Knobs::default());
    let (_endpoint, connection) = newcomer(&home, &node).await;
    let mut frame = Vec::new();
    encode_frame(&Frame::Drain {}, &mut frame).unwrap();
    let (mut writer, _reader) = connection.open_bi().await.unwrap();
    writer.write_all(&frame).await.unwrap();
    writer.finish().unwrap();
    let id = within(10, node.enrolment()).await;
    let (bytes, frame_at_node, identity) = node
        .engine(move |engine, _| {
            let frame = engine.read_frame(id);
            (
                engine.take_enrolment(id).unwrap(),
                frame,
                engine.identity(id).cloned(),
            )
        })
        .await;
    assert!(EnrolRequest::parse(&bytes).is_err());
    assert_eq!((frame_at_node, identity), (Ok(None), None));
    assert!(!node.has_heard_anything().await);
}

#[tokio::test]
async fn a_newcomer_has_one_stream_and_says_little_on_it() {
    let home = Installation::new();
    let node = home.run_enrolling_node(&Knobs::default());
    let (_endpoint, connection) = newcomer(&home, &node).await;
    let (mut writer, _reader) = connection.open_bi().await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(200), connection.open_bi()).await;
    assert!(second.is_err(), "no second stream is granted");
    // The stream may be gone before all is written.
    let _ = writer.write_all(&[0; ENROL_REQUEST_BYTES_MAX + 1]).await;
    let closed = within(10, connection.closed()).await.to_string();
    assert!(closed.contains(TURNED_OUT), "{closed}");
    assert!(!node.has_heard_anything().await);
}

#[tokio::test]
async fn a_newcomer_does_not_stay() {
    let home = Installation::new();
    let knobs = Knobs {
        handshake_timeout: Duration::from_secs(1),
        ..Knobs::default()
    };
    let node = home.run_enrolling_node(&knobs);
    let (_endpoint, connection) = newcomer(&home, &node).await;
    let (mut writer, _reader) = connection.open_bi().await.unwrap();
    writer.write_all(b"I am still think").await.unwrap();
    // Before the idle timeout, after the newcomer's own time.
    node.engine(|engine, now| engine.handle_timeout(now + Duration::from_secs(8)))
        .await;
    within(10, node.any_closed()).await;
    let closed = within(10, connection.closed()).await;
    let by_node = matches!(closed, quinn::ConnectionError::ApplicationClosed(_));
    assert!(by_node, "{closed}");
}

#[tokio::test]
async fn newcomers_do_not_crowd_the_node() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_enrolling_node(&knobs);
    let mut there = Vec::new();
    for _ in 0..NEWCOMERS_MAX {
        there.push(newcomer(&home, &node).await);
    }
    let (_endpoint, one_more) = newcomer(&home, &node).await;
    let closed = within(10, one_more.closed()).await.to_string();
    assert!(closed.contains("too many enrol at once"), "{closed}");
    let refused = within(10, node.arrival()).await.err().unwrap();
    assert_eq!(refused.reason.label(), "crowded");

    // Who has a certificate is not kept out by them.
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    within(10, home.link(&node, &agent, &knobs)).await;

    // One that leaves makes room for another.
    let (endpoint, leaves) = there.pop().unwrap();
    leaves.close(0u32.into(), b"");
    within(10, endpoint.wait_idle()).await;
    within(10, node.any_closed()).await;
    let (_endpoint, comes) = newcomer(&home, &node).await;
    let (mut writer, _reader) = comes.open_bi().await.unwrap();
    writer.write_all(b"me").await.unwrap();
    writer.finish().unwrap();
    let id = within(10, node.enrolment()).await;
    comes.close(0u32.into(), b"");
    within(10, node.closed(id)).await;
}
