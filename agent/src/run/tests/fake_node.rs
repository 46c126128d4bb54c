//! A node that does what a test says, over real QUIC on loopback.

#[path = "fake_node/served.rs"]
mod served;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use link::authority::Authority;
use link::{AgentCredentials, Identity, Knobs, LinkId, NodeCredentials, Port, ResetKey};
use wire::frame::{Configure, Hello, PseudonymKey, Report, Welcome};
use wire::{Frame, Session};

use served::Served;

/// One authority with a certificate for a node and one for an agent.
pub(super) struct Papers {
    node: NodeCredentials,
    pub(super) agent: AgentCredentials,
    /// The same as PEM text: the authority's certificate, the agent's own, its key.
    pub(super) agent_pem: [String; 3],
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
            agent_pem: [ca.to_owned(), agent.certificate_pem, agent.key_pem],
            reset_key: ResetKey::random().expect("randomness"),
        }
    }

    /// Papers that a test has made by itself.
    pub(super) fn of(node: NodeCredentials, agent: AgentCredentials) -> Self {
        Self {
            node,
            agent,
            agent_pem: Default::default(),
            reset_key: ResetKey::random().expect("randomness"),
        }
    }
}

pub(super) struct FakeNode {
    served: Arc<Served>,
}

impl FakeNode {
    pub(super) fn start(papers: &Papers) -> Self {
        Self::start_at(papers, ([127, 0, 0, 1], 0).into())
    }

    pub(super) fn start_at(papers: &Papers, address: SocketAddr) -> Self {
        let knobs = Knobs::default();
        let port = Port::bind_node(address, &papers.node, &papers.reset_key, &knobs);
        Self {
            served: Arc::new(Served::start(port.expect("bind"))),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// The next agent, up to its `hello`.
    pub(super) async fn accept(&self) -> Guest {
        let id = self.served.ask(|node| node.opened.pop_front()).await;
        let mut guest = Guest {
            served: self.served.clone(),
            id,
            reports: Vec::new(),
            hello: None,
        };
        match guest.frame().await {
            Some(Frame::Hello(hello)) => guest.hello = Some(hello),
            frame => panic!("hello expected, got {frame:?}"),
        }
        guest
    }

    /// Welcomes the next agent and grants it short ids.
    pub(super) async fn welcome_with_short_ids(&self, session: u64, short_ids: u32) -> Guest {
        let mut guest = self.accept().await;
        let welcome = Welcome {
            short_ids,
            ..welcome(session)
        };
        guest.write(Frame::Welcome(welcome)).await;
        guest
    }

    /// Welcomes the next agent and tells it the time of day.
    pub(super) async fn welcome_at(&self, session: u64, time_unix_s: u64) -> Guest {
        let mut guest = self.accept().await;
        let welcome = Welcome {
            time_unix_s,
            ..welcome(session)
        };
        guest.write(Frame::Welcome(welcome)).await;
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
        short_ids: 0,
        time_unix_s: 0,
        access_points: Vec::new(),
    }
}

/// An agent that is connected to a fake node.
pub(super) struct Guest {
    served: Arc<Served>,
    id: LinkId,
    hello: Option<Hello>,
    pub(super) reports: Vec<Report>,
}

impl Guest {
    pub(super) async fn identity(&self) -> Identity {
        let id = self.id;
        self.served
            .ask(move |node| node.port.engine().identity(id).cloned())
            .await
    }

    /// The next frame of any kind, `None` when the agent has closed. Words that only ask what got
    /// lost are passed over.
    pub(super) async fn read(&self) -> Option<Frame> {
        let id = self.id;
        self.served
            .ask(move |node| {
                loop {
                    return match node.port.engine().read_frame(id) {
                        Ok(Some(Frame::Names { names })) if names.is_empty() => continue,
                        Ok(Some(frame)) => Some(Some(frame)),
                        Ok(None) => node.closed.contains(&id).then_some(None),
                        Err(_) => Some(None),
                    };
                }
            })
            .await
    }

    /// The next datagram, `None` when the agent has closed.
    pub(super) async fn datagram(&self) -> Option<Bytes> {
        let id = self.id;
        self.served
            .ask(move |node| match node.port.engine().read_datagram(id) {
                Some(datagram) => Some(Some(datagram)),
                None => node.closed.contains(&id).then_some(None),
            })
            .await
    }

    pub(super) fn hello(&self) -> &Hello {
        self.hello.as_ref().expect("accepted with a hello")
    }

    /// The next frame that is no report, `None` when the agent has closed.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            match self.read().await? {
                Frame::Report(report) => self.reports.push(report),
                frame => return Some(frame),
            }
        }
    }

    pub(super) async fn report(&mut self) -> Report {
        loop {
            match self.read().await {
                Some(Frame::Report(report)) => {
                    self.reports.push(report.clone());
                    return report;
                }
                Some(_) => {}
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
        let id = self.id;
        self.served
            .ask(move |node| node.closed.contains(&id).then_some(()))
            .await;
        report
    }

    pub(super) async fn write(&mut self, frame: Frame) {
        let id = self.id;
        self.served
            .ask(move |node| Some(node.port.engine().write_frame(id, &frame)))
            .await
            .expect("the agent listens");
    }

    /// Datagrams until `observations` have come.
    pub(super) async fn datagrams(&self, observations: usize) -> Vec<Received> {
        let mut received = Vec::new();
        let mut count = 0;
        while count < observations {
            let datagrams = self.some_datagrams(observations - count).await;
            for bytes in datagrams.expect("another datagram") {
                let batch = wire::batch::decode(&bytes).expect("a batch");
                count += batch.rows.len();
                received.push(Received {
                    header: batch.header,
                    observations: batch.observations().collect(),
                });
            }
        }
        received
    }

    /// Those that are there, with at most so many observations and one datagram more, `None` when the
    /// agent has closed. Not one by one: an agent that has told everything waits two seconds only.
    async fn some_datagrams(&self, observations: usize) -> Option<Vec<Bytes>> {
        let id = self.id;
        self.served
            .ask(move |node| {
                let (mut some, mut count) = (Vec::new(), 0);
                while count < observations
                    && let Some(bytes) = node.port.engine().read_datagram(id)
                {
                    count += wire::batch::decode(&bytes).map_or(0, |batch| batch.rows.len());
                    some.push(bytes);
                }
                match some.is_empty() {
                    false => Some(Some(some)),
                    true => node.closed.contains(&id).then_some(None),
                }
            })
            .await
    }
}

impl Drop for Guest {
    /// Who lets go of a guest shows it out.
    fn drop(&mut self) {
        let id = self.id;
        self.served.tell(move |node| {
            let now = node.now;
            node.port.engine().close(id, now, "");
            true
        });
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
