mod asking;
mod fake_node;
mod listening;
mod renewal;
mod waking;

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use link::Knobs;
use tokio::sync::oneshot;
use wire::frame::{Configure, Defined};
use wire::{ClientId, Frame};

use super::*;
use crate::address::Address;
use crate::pseudonym::Pseudonymiser;
use crate::source::Transmitter;
use fake_node::{FakeNode, Papers, in_time, key};
use listening::{Recording, tap};

fn config(nodes: &[SocketAddr]) -> AgentConfig {
    let node = |address: &SocketAddr| address.to_string().parse().expect("an address");
    let mut config = AgentConfig::new(nodes.iter().map(node).collect());
    config.batcher.hold = Duration::from_millis(10);
    config.seed = Some(1);
    config
}

fn agent(papers: &Papers, nodes: &[SocketAddr], source: Box<dyn Source>) -> Agent {
    Agent::new(config(nodes), papers.agent.clone(), vec![source]).expect("an agent")
}

/// Runs the agent beside `test`; the agent is asked to end when the test sends on its channel.
async fn beside<T>(
    agent: Agent,
    test: impl AsyncFnOnce(oneshot::Sender<()>) -> T,
) -> (AgentOutcome, T) {
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        // A test that only drops the sender leaves the agent alone.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    in_time(async { tokio::join!(agent.run(shutdown), test(stop)) }).await
}

#[tokio::test]
async fn a_session_from_hello_to_settled() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let status = agent.status();
    let (outcome, last) = beside(agent, async |stop| {
        let mut guest = node.welcome(3).await;
        assert_eq!(guest.identity().await.to_string(), "trilobite://hq/ap-1");
        assert_eq!(guest.hello().radios.len(), 1);
        assert_eq!(guest.hello().previous, None);
        let names = vec![(7, "badge-7".parse().expect("name"))];
        assert_eq!(guest.frame().await, Some(Frame::Names { names }));
        for client in 0..250 {
            tap.send(Transmitter::Client(ClientId(client)))
                .expect("the agent listens");
        }
        let received = guest.datagrams(250).await;
        assert!(
            received
                .iter()
                .zip(0..)
                .all(|(batch, i)| batch.header.sequence == i)
        );
        assert!(received.iter().all(|batch| batch.header.session.0 == 3));
        let clients: BTreeSet<_> = received
            .iter()
            .flat_map(|batch| &batch.observations)
            .map(|o| o.client.0)
            .collect();
        assert!(clients.into_iter().eq(0..250));
        while guest.report().await.counters.observations_sent < 250 {}
        assert_eq!(status.now().counters.observations_offered, 250);
        tap.send(Transmitter::Client(ClientId(1)))
            .expect("the agent listens");
        stop.send(()).expect("the agent runs");
        guest.settle().await
    })
    .await;
    assert_eq!((outcome.ending, outcome.settled), (Ending::Shutdown, true));
    assert_eq!(last.counters, outcome.counters);
    assert_eq!(
        last.counters.observations_offered,
        last.counters.observations_sent
    );
    assert_eq!(last.counters.dropped.total(), 0);
}

#[tokio::test]
async fn a_client_goes_by_a_short_id_once_the_node_has_acknowledged_it() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let client = ClientId(0x1234_5678);
    let hear = || {
        tap.send(Transmitter::Client(client))
            .expect("the agent listens");
    };
    let (outcome, last) = beside(agent, async |stop| {
        let mut guest = node.welcome_with_short_ids(3, 100).await;
        guest.frame().await.expect("names");
        for _ in 0..3 {
            hear();
        }
        let Some(Frame::Define(define)) = guest.frame().await else {
            panic!("a definition expected");
        };
        assert_eq!((define.first, &define.clients[..]), (0, &[client][..]));
        guest.datagrams(3).await;
        guest
            .write(Frame::Defined(Defined { first: 0, count: 1 }))
            .await;
        // Full until the answer has come, short from then on.
        loop {
            hear();
            let bytes = guest.datagram().await.expect("another datagram");
            let batch = wire::batch::decode(&bytes).expect("a batch");
            if let Some(row) = batch.short_rows.row(0) {
                assert_eq!((row.short_id(), batch.len()), (0, 1));
                break;
            }
        }
        stop.send(()).expect("the agent runs");
        guest.settle().await
    })
    .await;
    assert!(outcome.settled);
    assert_eq!(last.counters.dropped.total(), 0);
    assert_eq!(
        last.counters.observations_sent,
        outcome.counters.observations_offered
    );
}

#[tokio::test]
async fn a_node_that_is_killed_and_restarted_is_found_again() {
    let papers = Arc::new(Papers::new());
    let (tap, source) = tap();
    let (address, reported) = start_node_that_dies(&papers, tap.clone());
    let address = address.await.expect("the node starts");
    let agent = agent(&papers, &[address], source);
    let (outcome, (ended, last)) = beside(agent, async |stop| {
        let reported = reported.await.expect("the node lives that long");
        let node = restart(&papers, address).await;
        for client in 0..40 {
            tap.send(Transmitter::Client(ClientId(client)))
                .expect("the agent listens");
        }
        let mut guest = node.welcome(9).await;
        let previous = guest.hello().previous.clone().expect("a session ended");
        assert_eq!(previous.session.0, 1);
        // The node died so soon after the report that its acknowledgement may not have left.
        assert!([wire::frame::Counters::default(), reported].contains(&previous.reported));
        stop.send(()).expect("the agent runs");
        (previous.ended, guest.settle().await.counters)
    })
    .await;
    assert_eq!((outcome.settled, outcome.sessions), (true, 2));
    let mut books = ended;
    crate::counters::add(&mut books, &last);
    assert_eq!(books, outcome.counters);
    assert_eq!(books.observations_offered, 60);
    let sent = books.observations_sent - books.dropped.unsent;
    assert_eq!(sent + books.dropped.total(), 60);
}

/// A node on a thread of its own, which serves one session, has a report of 20 observations and is
/// gone without a word. Gives its address, then what was reported.
fn start_node_that_dies(
    papers: &Arc<Papers>,
    tap: mpsc::Sender<Transmitter>,
) -> (
    oneshot::Receiver<SocketAddr>,
    oneshot::Receiver<wire::frame::Counters>,
) {
    let (tell_address, address) = oneshot::channel();
    let (tell_reported, reported) = oneshot::channel();
    let papers = Arc::clone(papers);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let (node, guest, counters) = runtime.block_on(async {
            let node = FakeNode::start(&papers);
            tell_address.send(node.address()).expect("the test waits");
            let mut guest = node.welcome(1).await;
            for client in 0..20 {
                tap.send(Transmitter::Client(ClientId(client)))
                    .expect("the agent listens");
            }
            let mut report = guest.report().await;
            while report.counters.observations_sent < 20 {
                report = guest.report().await;
            }
            (node, guest, report.counters)
        });
        // What drives the connection goes first, so that it cannot say goodbye.
        drop(runtime);
        drop((guest, node));
        tell_reported.send(counters).expect("the test waits");
    });
    (address, reported)
}

/// Starts a node again at the address of one that has just died.
async fn restart(papers: &Papers, address: SocketAddr) -> FakeNode {
    while UdpSocket::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
    FakeNode::start_at(papers, address)
}

#[tokio::test]
async fn a_refused_agent_comes_back_later() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (_tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.accept().await;
        let refused_at = std::time::Instant::now();
        guest
            .write(Frame::Reject {
                reason: "no such site".to_owned(),
            })
            .await;
        assert_eq!(guest.frame().await, None);
        let mut guest = node.welcome(1).await;
        assert!(refused_at.elapsed() >= crate::limits::RETRY_REFUSED_FIRST / 2);
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert_eq!(outcome.sessions, 1);
}

#[tokio::test]
async fn redirects_are_followed_to_another_port_of_the_same_host() {
    let papers = Papers::new();
    let [first, second] = [FakeNode::start(&papers), FakeNode::start(&papers)];
    let (tap, source) = tap();
    let agent = agent(&papers, &[first.address()], source);
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = first.accept().await;
        let address = format!(":{}", second.address().port());
        guest.write(Frame::Redirect { address }).await;
        let guest = second.welcome(1).await;
        tap.send(Transmitter::Client(ClientId(1)))
            .expect("the agent listens");
        guest.datagrams(1).await;
        // Redirected while the session runs, it settles its books first.
        let mut guest = guest;
        let address = format!(":{}", first.address().port());
        guest.write(Frame::Redirect { address }).await;
        assert_eq!(guest.settle().await.counters.observations_sent, 1);
        let mut guest = first.welcome(2).await;
        let previous = guest.hello().previous.clone().expect("a session ended");
        assert_eq!(previous.reported, previous.ended);
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert_eq!(
        (outcome.sessions, outcome.counters.observations_sent),
        (2, 1)
    );
}

#[tokio::test]
async fn a_node_that_drains_gets_a_final_report_and_is_asked_again() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        tap.send(Transmitter::Client(ClientId(1)))
            .expect("the agent listens");
        guest.datagrams(1).await;
        guest.write(Frame::Drain {}).await;
        assert_eq!(guest.settle().await.counters.observations_sent, 1);
        let mut guest = node.welcome(2).await;
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert_eq!((outcome.sessions, outcome.settled), (2, true));
}

#[tokio::test]
async fn the_next_seed_is_asked_when_one_does_not_answer() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let deaf = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let (_tap, source) = tap();
    let mut config = config(&[deaf.local_addr().expect("bound"), node.address()]);
    config.knobs = Knobs::default();
    config.knobs.handshake_timeout = Duration::from_millis(100);
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert_eq!(outcome.sessions, 1);
}

#[tokio::test]
async fn addresses_become_pseudonyms_of_the_latest_key() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let address = Address::new([0, 1, 2, 3, 4, 5]);
    let expected = |period| Pseudonymiser::new(&key(period)).client_id(&address);
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        // Names follow once the key is in use; what is heard before cannot be kept.
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        tap.send(Transmitter::Address(address))
            .expect("the agent listens");
        assert_eq!(
            guest.datagrams(1).await[0].observations[0].client,
            expected(1)
        );
        guest
            .write(Frame::Configure(Configure {
                pseudonym_key: key(2),
            }))
            .await;
        loop {
            tap.send(Transmitter::Address(address))
                .expect("the agent listens");
            let client = guest.datagrams(1).await[0].observations[0].client;
            if client == expected(2) {
                break;
            }
            assert_eq!(client, expected(1));
        }
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
}

#[tokio::test]
async fn a_recording_is_sent_whole_in_its_own_time_and_the_agent_ends() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    // Ten minutes with ten observations a second: ages would not fit if it left in full packets.
    let time_us = |i| 1_000_000 + i * 100_000;
    let source = Box::new(Recording::new((0..6_000).map(|i| (time_us(i), i % 5))));
    let mut config = config(&[node.address()]);
    config.batcher.hold = Duration::from_millis(250);
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        let mut times = Vec::new();
        for batch in guest.datagrams(6_000).await {
            let ages = |o: &wire::Observation| batch.header.sent_us - o.heard_at_us;
            assert!(
                batch
                    .observations
                    .iter()
                    .map(ages)
                    .all(|age_us| age_us <= 251_000)
            );
            times.extend(batch.observations.iter().map(|o| o.heard_at_us));
        }
        assert_eq!(times.len(), 6_000);
        assert_eq!(guest.settle().await.clock_us, time_us(5_999));
        assert!(guest.reports.is_sorted_by_key(|report| report.clock_us));
        assert!(guest.reports.len() > 10, "{}", guest.reports.len());
    })
    .await;
    assert_eq!(
        (outcome.ending, outcome.settled),
        (Ending::SourcesFinished, true)
    );
    assert_eq!(outcome.counters.dropped.total(), 0);
}

#[tokio::test]
async fn a_source_that_ends_at_once_still_tells_its_names() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (sender, source) = tap();
    sender
        .send(Transmitter::Client(ClientId(7)))
        .expect("the source stands");
    drop(sender);
    let agent = Agent::new(
        config(&[node.address()]),
        papers.agent.clone(),
        vec![source],
    )
    .expect("an agent");
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        guest.datagrams(1).await;
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
}

#[tokio::test]
async fn an_agent_that_never_met_a_node_ends_when_asked() {
    let papers = Papers::new();
    let deaf = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let (tap, source) = tap();
    let agent = agent(&papers, &[deaf.local_addr().expect("bound")], source);
    for client in 0..5 {
        tap.send(Transmitter::Client(ClientId(client)))
            .expect("the agent listens");
    }
    let (outcome, ()) = beside(agent, async |stop| {
        stop.send(()).expect("the agent runs");
    })
    .await;
    assert_eq!((outcome.settled, outcome.sessions), (false, 0));
    let counters = outcome.counters;
    assert_eq!(counters.observations_offered, counters.dropped.disconnected);
}
