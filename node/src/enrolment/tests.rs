//! A whole node, from the first certificate to the next one, over real QUIC on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ingest::{ShardConfig, WorkerConfig};
use link::authority::Authority;
use link::authority::tokens::TokenBook;
use link::{
    AgentCredentials, AgentEndpoint, DeviceKey, EnrolAt, Knobs, NodeCredentials, NodeLink, ResetKey,
};
use site::{Calibration, Site};
use tempfile::TempDir;
use wire::enrol::EnrolRequest;
use wire::frame::{Clock, Hello, RadioHello};
use wire::{AgentName, Frame, SiteName};

use super::*;
use crate::node::{Node, NodeParts};
use crate::periods::{Calendar, KeyKeeper};
use crate::sites;

const HALL: &str = include_str!("../../../sites/hall.toml");

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A node of the example hall, with or without the key of its authority.
struct Place {
    node: Node,
    authority: Authority,
    dir: TempDir,
    site: SiteName,
}

impl Place {
    fn new(certifies: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create().unwrap();
        let (ca, key) = (authority.certificate_pem(), authority.key_pem());
        let issued = authority.issue_node(&["localhost".to_owned()], 1).unwrap();
        let mut credentials =
            NodeCredentials::from_pem(ca, &issued.certificate_pem, &issued.key_pem).unwrap();
        let hall = sites::prepare(Site::parse(HALL).unwrap(), &Calibration::default());
        let site = hall.name.clone();
        let mut registrar: Option<Arc<dyn Registrar>> = None;
        if certifies {
            let own = Authority::load(ca, &key).unwrap();
            let book = TokenBook::beside(dir.path());
            let clerk = Clerk::new(own, book, vec![site.clone()], 7);
            registrar = Some(Arc::new(Counter::open(clerk).unwrap()));
            credentials = credentials.with_enrolment();
        }
        let node = Node::start(NodeParts {
            listen: SocketAddr::from((LOOPBACK, 0)),
            workers: 1,
            worker: WorkerConfig {
                shard: ShardConfig::default(),
                recording_agents: None,
            },
            credentials,
            registrar,
            reset_key: ResetKey::random().unwrap(),
            sites: vec![hall],
            calendar: Calendar::starting_now(),
            keeper: KeyKeeper::new(None),
            record: None,
            http: None,
            http_tls: None,
            http_hosts: Vec::new(),
            door: Arc::new(crate::http::Door::open()),
            store: None,
            alerts: crate::alerts::AlertsParts::default(),
            relays: Vec::new(),
            messages: None,
            reader: None,
            truth: None,
        })
        .unwrap();
        Self {
            node,
            authority,
            dir,
            site,
        }
    }

    /// Connects an agent and says hello; its link and the welcome's time.
    async fn connect(
        &self,
        endpoint: &AgentEndpoint,
        credentials: &AgentCredentials,
    ) -> (NodeLink, link::ControlReader, link::ControlWriter, u64) {
        let (address, knobs) = (self.node.quic_address(), Knobs::default());
        let link = endpoint.connect(address, "localhost", credentials, &knobs);
        let link = link.await.unwrap();
        let (mut reader, mut writer) = link.open_control().await.unwrap();
        let hello = Hello {
            version: wire::batch::BATCH_VERSION,
            program: "a test".to_owned(),
            radios: vec![RadioHello {
                ap: "hall-01".parse().unwrap(),
                band: "5".to_owned(),
            }],
            clock: Clock::Monotonic,
            previous: None,
        };
        writer.write(&Frame::Hello(hello)).await.unwrap();
        let welcome = match reader.read().await.unwrap() {
            Some(Frame::Welcome(welcome)) => welcome,
            frame => panic!("a welcome expected, got {frame:?}"),
        };
        (link, reader, writer, welcome.time_unix_s)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, future)
        .await
        .expect("takes too long")
}

#[test]
fn from_a_token_to_the_next_certificate() {
    let place = Place::new(true);
    let agent = AgentName::new("hall-01").unwrap();
    let pinned = place.authority.fingerprint();
    let hour = Duration::from_secs(3_600);
    let token = TokenBook::beside(place.dir.path())
        .make(&agent, &place.site, pinned, hour, unix_s())
        .unwrap();
    let key = DeviceKey::generate().unwrap();
    let asked = EnrolRequest {
        secret: token.secret,
        signing_request: key.signing_request(None).unwrap(),
    };
    runtime().block_on(within(async {
        let endpoint = AgentEndpoint::bind((LOOPBACK, 0).into(), &Knobs::default()).unwrap();
        let at = EnrolAt {
            node: place.node.quic_address(),
            server_name: "localhost",
            authority: pinned,
            not_before_unix_s: 0,
        };
        let granted = endpoint.enrol(at, &asked, &Knobs::default()).await.unwrap();
        let (ca, certificate) = (&granted.authority, &granted.certificate);
        let credentials = AgentCredentials::from_pem(ca, certificate, &key.to_pem()).unwrap();

        let (_link, mut reader, mut writer, time) = place.connect(&endpoint, &credentials).await;
        assert!(time.abs_diff(unix_s()) < 60, "{time}");
        let renew = Frame::Renew {
            signing_request: key.signing_request(Some(&agent)).unwrap(),
        };
        writer.write(&renew).await.unwrap();
        let Some(Frame::Renewed { certificate }) = reader.read().await.unwrap() else {
            panic!("a certificate");
        };
        let renewed = AgentCredentials::from_pem(ca, &certificate, &key.to_pem()).unwrap();
        assert_eq!(renewed.identity(), credentials.identity());
        // Again at once: the node does not answer, and the session goes on.
        writer.write(&renew).await.unwrap();
        let last = wire::frame::Report {
            counters: wire::frame::Counters::default(),
            clock_us: 0,
            last: true,
            counted: None,
        };
        writer.write(&Frame::Report(last)).await.unwrap();
        assert_eq!(reader.read().await.unwrap(), Some(Frame::Settled {}));
        place.connect(&endpoint, &renewed).await;
    }));
    place.node.stop(Duration::ZERO);
}

#[test]
fn a_node_without_the_key_says_so() {
    let place = Place::new(false);
    let agent = AgentName::new("hall-01").unwrap();
    let issued = place.authority.issue_agent(&agent, &place.site, 1).unwrap();
    let ca = place.authority.certificate_pem();
    let credentials =
        AgentCredentials::from_pem(ca, &issued.certificate_pem, &issued.key_pem).unwrap();
    runtime().block_on(within(async {
        let endpoint = AgentEndpoint::bind((LOOPBACK, 0).into(), &Knobs::default()).unwrap();
        let (_link, mut reader, mut writer, _) = place.connect(&endpoint, &credentials).await;
        let signing_request = vec![0; 10];
        writer
            .write(&Frame::Renew { signing_request })
            .await
            .unwrap();
        let Some(Frame::NotRenewed { reason }) = reader.read().await.unwrap() else {
            panic!("a refusal");
        };
        assert!(reason.contains("no [enrolment] in node.toml"), "{reason}");
    }));
    place.node.stop(Duration::ZERO);
}
