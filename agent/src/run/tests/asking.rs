//! What others ask of a running agent.

use wire::frame::RadioHello;

use super::listening::{heard, radios, tap_of};
use super::*;
use crate::source::{Drained, Heard, SourceError, SourceHealth};
use crate::system::own_use;

const DEVICE: Address = Address::new([0, 1, 2, 3, 4, 5]);

fn change(privacy: Rules) -> Change {
    Change {
        privacy,
        coalesce: None,
        cpu_percent: None,
        sources: None,
    }
}

#[tokio::test]
async fn rules_and_sources_change_while_the_agent_runs() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let agent = agent(&papers, &[node.address()], source);
    let handle = agent.handle();
    let (outcome, ()) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        guest.frame().await.expect("names");
        tap.send(Transmitter::Address(DEVICE))
            .expect("the agent listens");
        guest.datagrams(1).await;

        let rules = Rules {
            opted_out: vec![DEVICE],
            named: vec![(Address::new([6; 6]), "badge-1".parse().expect("name"))],
            ..Rules::default()
        };
        assert_eq!(handle.change(change(rules.clone())).await, Some(Ok(())));
        let Some(Frame::Names { names }) = guest.frame().await else {
            panic!("names expected");
        };
        assert_eq!(names.len(), 2, "those of the source and of the rules");
        tap.send(Transmitter::Address(DEVICE))
            .expect("the agent listens");
        tap.send(Transmitter::Client(ClientId(9)))
            .expect("the agent listens");
        let told = guest.datagrams(1).await;
        assert_eq!(told[0].observations[0].client, ClientId(9));
        let detail = handle.detail().await.expect("the agent runs");
        assert_eq!((detail.privacy.passed, detail.privacy.opted_out), (2, 1));
        assert_eq!(detail.remote, Some(node.address()));

        // A source on another clock changes nothing, not even the rules that come with it.
        let refused = Change {
            sources: Some(vec![Box::new(Recording::new([(0, 1)]))]),
            ..change(Rules::default())
        };
        let answer = handle.change(refused).await;
        assert_eq!(answer, Some(Err(SourcesError::ClockChanged)));

        // Another radio: the session ends in good order and begins anew.
        let radio = RadioHello {
            ap: "ap-1".parse().expect("name"),
            band: "2.4".to_owned(),
        };
        let (other, source) = tap_of(vec![radio.clone()]);
        let sources = Change {
            sources: Some(vec![source]),
            ..change(rules)
        };
        assert_eq!(handle.change(sources).await, Some(Ok(())));
        guest.settle().await;
        let mut guest = node.welcome(2).await;
        assert_eq!(guest.hello().radios.len(), 2);
        assert_eq!(guest.hello().radios[1], radio);
        guest.frame().await.expect("names");
        other
            .send(Transmitter::Client(ClientId(10)))
            .expect("the agent listens");
        let told = guest.datagrams(1).await;
        assert_eq!(
            (told[0].header.radio, told[0].observations[0].client.0),
            (1, 10)
        );
        stop.send(()).expect("the agent runs");
        guest.settle().await;
    })
    .await;
    assert!(outcome.settled);
    assert_eq!(outcome.privacy.opted_out, 1);
    assert_eq!(handle.detail().await, None, "the agent has ended");
    assert_eq!(handle.change(change(Rules::default())).await, None);
}

#[tokio::test]
async fn an_agent_without_a_node_answers_too() {
    let papers = Papers::new();
    let (_tap, source) = tap();
    // Nobody listens there.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let agent = agent(&papers, &[silent.local_addr().expect("bound")], source);
    let handle = agent.handle();
    let (outcome, detail) = beside(agent, async |stop| {
        let detail = handle.detail().await.expect("the agent runs");
        stop.send(()).expect("the agent runs");
        detail
    })
    .await;
    assert_eq!((detail.remote, detail.status.session), (None, None));
    assert_eq!(outcome.sessions, 0);
}

#[tokio::test]
async fn gathered_observations_go_out_as_one() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let (tap, source) = tap();
    let mut config = config(&[node.address()]);
    config.coalesce = Some(Duration::from_secs(2));
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let (_, last) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        guest.frame().await.expect("names");
        for client in [1, 2, 1, 1] {
            tap.send(Transmitter::Client(ClientId(client)))
                .expect("the agent listens");
        }
        // All of it is in the table before the agent is asked to leave.
        drop(tap);
        let told = guest.datagrams(2).await;
        let clients = told
            .iter()
            .flat_map(|batch| &batch.observations)
            .map(|o| o.client.0);
        assert_eq!(clients.collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
        drop(stop);
        guest.settle().await
    })
    .await;
    assert_eq!(last.counters.observations_offered, 2);
}

/// Works for a while whenever it is read, as on a device that is too slow for it.
struct Laborious {
    radios: Vec<RadioHello>,
    drains: u64,
}

impl Source for Laborious {
    fn drain(
        &mut self,
        now_us: u64,
        _room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        let until_us = own_use::thread_cpu_us() + 30_000;
        while own_use::thread_cpu_us() < until_us {}
        self.drains += 1;
        let client = Transmitter::Client(ClientId(self.drains));
        out(heard(client, now_us));
        Ok(Drained::NextAt(now_us))
    }

    fn watermark_us(&self) -> u64 {
        0
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn health(&self) -> SourceHealth {
        SourceHealth {
            heard: self.drains,
            ..SourceHealth::default()
        }
    }
}

#[tokio::test]
async fn an_agent_that_works_too_much_rests_and_answers_nonetheless() {
    let papers = Papers::new();
    let node = FakeNode::start(&papers);
    let source = Box::new(Laborious {
        radios: radios(),
        drains: 0,
    });
    let mut config = config(&[node.address()]);
    config.cpu_percent = Some(2);
    let agent = Agent::new(config, papers.agent.clone(), vec![source]).expect("an agent");
    let handle = agent.handle();
    let (outcome, detail) = beside(agent, async |stop| {
        let mut guest = node.welcome(1).await;
        let detail = loop {
            let detail = handle.detail().await.expect("the agent runs");
            if detail.rests >= 2 {
                break detail;
            }
            // Reports go on while the agent rests.
            guest.report().await;
        };
        stop.send(()).expect("the agent runs");
        guest.settle().await;
        detail
    })
    .await;
    assert!(detail.rested >= Duration::from_secs(1), "{detail:?}");
    // Without a rest it would have been read every millisecond that it did not work.
    let read = detail.sources[0].heard * 30;
    assert!(
        u128::from(read) * 4 < detail.running.as_millis(),
        "{detail:?}"
    );
    assert!(outcome.settled);
}
