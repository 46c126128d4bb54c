//! Sources that wake the agent by their descriptor.

use std::io::Write;
use std::sync::atomic::Ordering;

use super::listening::Wired;
use super::*;

#[tokio::test]
async fn a_source_is_read_when_it_has_something_and_not_before() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (mut writers, drains, source) = Wired::with(1);
    let mut writer = writers.remove(0);
    let agent = agent(&papers, &[node.address()], source);
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        // Written before the key is in use at the agent, it would leave under no id.
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        for client in 0..20 {
            writer.write_all(&[client]).expect("the agent listens");
            let batch = guest.datagrams(1).await.remove(0);
            assert_eq!(batch.observations[0].client, ClientId(client.into()));
        }
        // The first look, one per byte and one more for the socket's end; looks are as far apart
        // as they are without a descriptor, so a late byte may share one.
        drop(writer);
        guest.settle().await;
    })
    .await;
    assert_eq!(
        (outcome.ending, outcome.settled),
        (Ending::SourcesFinished, true)
    );
    let drains = drains.load(Ordering::Relaxed);
    assert!((21..=23).contains(&drains), "{drains} drains");
}

#[tokio::test]
async fn a_source_that_opens_another_descriptor_wakes_by_that() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (writers, _, source) = Wired::with(5);
    let agent = agent(&papers, &[node.address()], source);
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        for (mut writer, client) in writers.into_iter().zip(1..) {
            writer.write_all(&[client]).expect("the agent listens");
            let batch = guest.datagrams(1).await.remove(0);
            assert_eq!(batch.observations[0].client, ClientId(client.into()));
        }
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
}

#[tokio::test]
async fn a_flood_costs_no_more_looks_than_a_trickle() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (mut writers, drains, source) = Wired::with(1);
    let mut writer = writers.remove(0);
    let mut config = config(&[node.address()]);
    config.batcher.hold = Duration::from_millis(800);
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        let started = std::time::Instant::now();
        for client in 0..200 {
            writer.write_all(&[client]).expect("the agent listens");
            tokio::task::yield_now().await;
        }
        drop(writer);
        guest.datagrams(200).await;
        guest.settle().await;
        // A look every 100 ms, a few of them twice for more than there was room.
        let looks_max = 4 + 2 * started.elapsed().as_millis() / 100;
        let drains = drains.load(Ordering::Relaxed);
        assert!(u128::from(drains) <= looks_max, "{drains} > {looks_max}");
    })
    .await;
    assert!(outcome.settled);
}

#[tokio::test]
async fn what_comes_after_a_report_waits_for_others_again() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (mut writers, _, source) = Wired::with(1);
    let mut writer = writers.remove(0);
    let mut config = config(&[node.address()]);
    // Looks are 50 ms apart and reports 100 ms; nothing is due before the next report takes it along.
    config.batcher.hold = Duration::from_millis(200);
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let (outcome, ()) = beside(agent, async |_stop| {
        let mut guest = node.welcome(1).await;
        assert!(matches!(guest.frame().await, Some(Frame::Names { .. })));
        for client in 0..150 {
            writer.write_all(&[client]).expect("the agent listens");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        drop(writer);
        let datagrams = guest.datagrams(150).await.len();
        guest.settle().await;
        let reports = guest.reports.len();
        assert!(
            datagrams <= reports + reports / 4 + 2,
            "{datagrams} datagrams with {reports} reports"
        );
    })
    .await;
    assert!(outcome.settled);
}
