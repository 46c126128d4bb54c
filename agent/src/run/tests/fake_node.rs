//! A node that does what a test says, over real QUIC on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use link::authority::Authority;
use link::{
    AgentCredentials, AgentLink, ControlReader, ControlWriter, Knobs, NodeCredentials,
    NodeEndpoint, ResetKey,
};
use wire::frame::{Configure, Hello, PseudonymKey, Report, Welcome};
use wire::{Frame, Session};

/// One authority with a certificate for a node and one for an agent.
pub(super) struct Papers {
    node: NodeCredentials,
    pub(super) agent: AgentCredentials,
    reset_key: ResetKey,
}

impl Papers {
    pub(super) fn new() -> Self {
        let authority = Authority::create().expect("authority");
        let ca = authority.certificate_pem();
        let node = authority
            .issue_node(&["127.0.0.1".to_owned()], 1)
            .expect("node");
        let names = ("ap-1".parse().expect("name"), "hq".parse().expect("name"));
        let agent = authority.issue_agent(&names.0, &names.1, 1).expect("agent");
        let credentials = NodeCredentials::from_pem(ca, &node.certificate_pem, &node.key_pem);
        let of_agent = AgentCredentials::from_pem(ca, &agent.certificate_pem, &agent.key_pem);
        Self {
            node: credentials.expect("node credentials"),
            agent: of_agent.expect("agent credentials"),
            reset_key: ResetKey::random().expect("randomness"),
        }
    }
}

pub(super) struct FakeNode {
    endpoint: NodeEndpoint,
}

impl FakeNode {
    pub(super) fn start(papers: &Papers) -> Self {
        Self::start_at(papers, ([127, 0, 0, 1], 0).into())
    }

    pub(super) fn start_at(papers: &Papers, address: SocketAddr) -> Self {
        let knobs = Knobs::default();
        let endpoint = NodeEndpoint::bind(address, &papers.node, &papers.reset_key, &knobs);
        Self {
            endpoint: endpoint.expect("bind"),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// The next agent, up to its `hello`.
    pub(super) async fn accept(&self) -> Guest {
        let arriving = self.endpoint.accept().await.expect("open");
        let link = arriving.finish().await.expect("an agent");
        let (reader, writer) = link.accept_control().await.expect("control stream");
        let mut guest = Guest {
            link,
            reader,
            writer,
            reports: Vec::new(),
            hello: None,
        };
        match guest.frame().await {
            Some(Frame::Hello(hello)) => guest.hello = Some(hello),
            frame => panic!("hello expected, got {frame:?}"),
        }
        guest
    }

    pub(super) async fn welcome(&self, session: u64) -> Guest {
        let mut guest = self.accept().await;
        guest.write(Frame::Welcome(welcome(session))).await;
        guest
    }
}

pub(super) fn key(period: u32) -> PseudonymKey {
    PseudonymKey {
        period,
        key: [period as u8; 32],
    }
}

fn welcome(session: u64) -> Welcome {
    Welcome {
        session: Session(session),
        agent: "ap-1".parse().expect("name"),
        report_interval_ms: 100,
        configure: Configure {
            pseudonym_key: key(1),
        },
    }
}

/// An agent that is connected to a fake node.
pub(super) struct Guest {
    pub(super) link: AgentLink,
    reader: ControlReader,
    writer: ControlWriter,
    hello: Option<Hello>,
    pub(super) reports: Vec<Report>,
}

impl Guest {
    pub(super) fn hello(&self) -> &Hello {
        self.hello.as_ref().expect("accepted with a hello")
    }

    /// The next frame that is no report, `None` when the agent has closed.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            match self.reader.read().await.ok()?? {
                Frame::Report(report) => self.reports.push(report),
                frame => return Some(frame),
            }
        }
    }

    pub(super) async fn report(&mut self) -> Report {
        loop {
            match self.reader.read().await {
                Ok(Some(Frame::Report(report))) => {
                    self.reports.push(report.clone());
                    return report;
                }
                Ok(Some(_)) => {}
                end => panic!("report expected, got {end:?}"),
            }
        }
    }

    /// Books the final report, and waits until the agent has closed.
    pub(super) async fn settle(&mut self) -> Report {
        let report = loop {
            let report = self.report().await;
            if report.last {
                break report;
            }
        };
        self.write(Frame::Settled {}).await;
        self.link.closed().await;
        report
    }

    pub(super) async fn write(&mut self, frame: Frame) {
        self.writer.write(&frame).await.expect("the agent listens");
    }

    /// Datagrams until `observations` have come.
    pub(super) async fn datagrams(&self, observations: usize) -> Vec<Received> {
        let mut received = Vec::new();
        let mut count = 0;
        while count < observations {
            let bytes = self.link.read_datagram().await.expect("another datagram");
            let batch = wire::batch::decode(&bytes).expect("a batch");
            count += batch.rows.len();
            received.push(Received {
                header: batch.header,
                observations: batch.observations().collect(),
            });
        }
        received
    }
}

pub(super) struct Received {
    pub(super) header: wire::batch::Header,
    pub(super) observations: Vec<wire::Observation>,
}

/// A test that hangs should say so instead.
pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .expect("done within 30 s")
}
