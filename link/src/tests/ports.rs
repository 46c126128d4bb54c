//! Ports at both ends, and what only a real socket shows.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::support::{Installation, LOOPBACK, within};
use crate::{AgentEndpoint, Event, Knobs, LinkId, Port, ResetKey};

/// Lets both ports take turns until something is so, for ten seconds at most.
fn until<T>(
    ports: [&mut Port; 2],
    mut so: impl FnMut(&mut Port, &mut Port, &[Vec<Event>; 2]) -> Option<T>,
) -> T {
    let [first, second] = ports;
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        let mut events = [Vec::new(), Vec::new()];
        for (port, events) in [&mut *first, &mut *second].into_iter().zip(&mut events) {
            port.receive(Instant::now() + Duration::from_micros(200))
                .unwrap();
            while let Some(event) = port.engine().poll_event() {
                events.push(event);
            }
        }
        let done = so(first, second, &events);
        first.transmit().unwrap();
        second.transmit().unwrap();
        if let Some(done) = done {
            return done;
        }
    }
    panic!("takes too long");
}

fn opened(events: &[Event]) -> Vec<LinkId> {
    let ids = events.iter().filter_map(|event| match event {
        Event::Opened(id) => Some(*id),
        _ => None,
    });
    ids.collect()
}

#[test]
fn many_agents_of_one_port_send_in_bulk_and_nothing_is_lost_or_mixed_up() {
    const LINKS: usize = 20;
    const DATAGRAMS: u32 = 500;
    let home = Installation::new();
    let knobs = Knobs::default();
    let key = ResetKey::random().unwrap();
    let mut node = Port::bind_node(LOOPBACK, &home.node(), &key, &knobs).unwrap();
    let mut agents = Port::bind_agents(LOOPBACK, &knobs).unwrap();
    let credentials = home.agent("ap-1");
    let address = node.local_addr();
    let links: Vec<_> = (0..LINKS)
        .map(|_| {
            let engine = agents.engine();
            let connected =
                engine.connect(Instant::now(), address, "localhost", &credentials, &knobs);
            connected.unwrap()
        })
        .collect();
    let mut open = HashSet::new();
    until([&mut node, &mut agents], |_, _, [_, events]| {
        open.extend(opened(events));
        (open.len() == LINKS).then_some(())
    });
    let mut sent = [0; LINKS];
    let mut received = HashSet::new();
    let mut from_link = std::collections::HashMap::new();
    until([&mut node, &mut agents], |node, agents, [events, _]| {
        for (number, &id) in links.iter().enumerate() {
            while sent[number] < DATAGRAMS && agents.engine().datagram_room(id) > 1_200 {
                let mut datagram = vec![number as u8; 1_100];
                datagram[1..5].copy_from_slice(&sent[number].to_le_bytes());
                agents.engine().send_datagram(id, datagram.into()).unwrap();
                sent[number] += 1;
            }
        }
        for event in events {
            if let Event::Datagrams(id) = event {
                while let Some(datagram) = node.engine().read_datagram(*id) {
                    let number = u32::from_le_bytes(datagram[1..5].try_into().unwrap());
                    assert_eq!(*from_link.entry(*id).or_insert(datagram[0]), datagram[0]);
                    assert!(received.insert((datagram[0], number)), "twice");
                }
            }
        }
        (received.len() == LINKS * DATAGRAMS as usize).then_some(())
    });
    assert_eq!(from_link.len(), LINKS);
}

#[test]
fn a_train_of_tiny_datagrams_does_not_overflow_the_buffer_of_a_node_that_reads() {
    const DATAGRAMS: usize = 40_000;
    let home = Installation::new();
    let knobs = Knobs::default();
    let key = ResetKey::random().unwrap();
    let mut node = Port::bind_node(LOOPBACK, &home.node(), &key, &knobs).unwrap();
    let mut agents = Port::bind_agents(LOOPBACK, &knobs).unwrap();
    let (now, credentials) = (Instant::now(), home.agent("ap-1"));
    let address = node.local_addr();
    let connected = agents
        .engine()
        .connect(now, address, "localhost", &credentials, &knobs);
    let link = connected.unwrap();
    let at_node = until([&mut node, &mut agents], |_, _, [events, _]| {
        opened(events).first().copied()
    });
    let (mut sent, mut read) = (0, Vec::new());
    until([&mut node, &mut agents], |node, agents, [events, _]| {
        while sent < DATAGRAMS && agents.engine().datagram_room(link) > 30 {
            let datagram = vec![0; 20].into();
            agents.engine().send_datagram(link, datagram).unwrap();
            sent += 1;
        }
        for event in events {
            if let Event::Datagrams(id) = event {
                while node.engine().read_datagrams(*id, 16, &mut read) == 16 {}
            }
        }
        let stats = node.engine().stats(at_node).unwrap();
        // What the system lost on the way is no matter.
        assert_eq!(stats.datagrams_received, read.len() as u64);
        let idle = agents.engine().stats(link).unwrap().datagrams_sent == DATAGRAMS as u64;
        (sent == DATAGRAMS && idle && !read.is_empty()).then_some(())
    });
}

#[test]
fn a_wait_ends_when_another_thread_wakes_it_and_else_when_it_is_over() {
    let knobs = Knobs::default();
    let mut port = Port::bind_agents(LOOPBACK, &knobs).unwrap();
    let waker = port.waker();
    for _ in 0..3 {
        // Twice is as good as once, also before the wait begins.
        waker.wake();
        waker.wake();
        let started = Instant::now();
        port.receive(started + Duration::from_secs(60)).unwrap();
        let until = Instant::now() + Duration::from_millis(20);
        let now = port.receive(until).unwrap();
        assert!(now >= until, "woken by an old ring");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
    let waker = port.waker();
    let ringing = std::thread::spawn(move || waker.wake());
    let now = port
        .receive(Instant::now() + Duration::from_secs(60))
        .unwrap();
    assert!(now < Instant::now() + Duration::from_secs(30));
    ringing.join().unwrap();
}

#[test]
fn a_port_of_ipv6_reaches_a_node_of_ipv4() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let key = ResetKey::random().unwrap();
    let mut node = Port::bind_node(LOOPBACK, &home.node(), &key, &knobs).unwrap();
    let Ok(mut agents) = Port::bind_agents("[::]:0".parse().unwrap(), &knobs) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let address = node.local_addr();
    let credentials = home.agent("ap-1");
    let engine = agents.engine();
    let id = engine
        .connect(Instant::now(), address, "localhost", &credentials, &knobs)
        .unwrap();
    until([&mut node, &mut agents], |_, _, [_, events]| {
        opened(events).contains(&id).then_some(())
    });
    assert_eq!(agents.engine().remote_address(id), Some(address));
}

#[test]
fn what_the_faults_of_a_port_drop_never_arrives_and_is_counted() {
    let home = Installation::new();
    let knobs = Knobs {
        handshake_timeout: Duration::from_millis(300),
        ..Knobs::default()
    };
    let key = ResetKey::random().unwrap();
    let mute = super::support::mute_after(0);
    let mut node = Port::bind_node(LOOPBACK, &home.node(), &key, &knobs).unwrap();
    let mut agents = Port::bind_agents_impaired(LOOPBACK, &knobs, &mute).unwrap();
    let address = node.local_addr();
    let credentials = home.agent("ap-1");
    let engine = agents.engine();
    let id = engine
        .connect(Instant::now(), address, "localhost", &credentials, &knobs)
        .unwrap();
    let closed = until([&mut node, &mut agents], |_, _, [at_node, events]| {
        assert!(at_node.is_empty(), "{at_node:?}");
        events.iter().find_map(|event| match event {
            Event::Closed(closed, why) if *closed == id => Some(why.clone()),
            _ => None,
        })
    });
    assert_eq!(closed, crate::LinkClosed::Silent);
    assert!(mute.counts().dropped >= 1);
    assert_eq!(node.engine().handshakes().open, 0);
}

#[tokio::test]
async fn an_agent_in_the_field_that_gets_another_port_stays_linked() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    let before = at_node.remote_address().await;
    agent.rebind(UdpSocket::bind(LOOPBACK).unwrap());
    at_agent.send_datagram("moved".into()).unwrap();
    let moved = within(5, at_node.read_datagram()).await.unwrap();
    assert_eq!(moved, "moved");
    assert_ne!(at_node.remote_address().await, before);
}
