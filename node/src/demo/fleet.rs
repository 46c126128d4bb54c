//! The agents of the demo: one per access point, each with its own certificate and socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent::address::Address;
use agent::route::NodeAddress;
use agent::run::{Agent, AgentConfig};
use agent::source::feed::{FeedClock, FeedOptions, FeedSender, FeedSource, feed};
use agent::source::{Heard, Transmitter};
use agent::status::StatusHandle;
use anyhow::ensure;
use link::authority::Authority;
use link::impair::{Fate, Impairment};
use link::{AgentCredentials, AgentEndpoint, Knobs};
use sim::{Hearing, Loss, LossModel};
use site::Anchor;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::LocalSet;
use wire::frame::RadioHello;
use wire::{AgentName, ClientId, Kind, named_client_id};

use super::DAYS;
use super::world::Stage;
use crate::cli::DemoArgs;
use crate::sites::LoadedSite;

/// Readings that wait for an agent: a minute of a busy access point.
const FEED_CAPACITY: usize = 65_536;

/// How often an idle agent looks whether the world gave it something.
const POLL: Duration = Duration::from_millis(20);

/// Packets smaller than this carry no batch worth naming: acknowledgements and probes. They share the
/// fate of the burst that they fall into but do not shorten it, since a sender sends more of them
/// the more it loses, and the share of telemetry lost would fall below what was asked for.
const TELEMETRY_PACKET_BYTES_MIN: usize = 150;

/// Running agents, all on one thread.
pub(super) struct Fleet {
    senders: Vec<FeedSender>,
    /// For each radio of the site, the agent that has it and its number there.
    radios: Vec<(usize, u8)>,
    /// Under which id each anchor's beacons are told.
    anchors: Vec<ClientId>,
    created: Instant,
    statuses: Vec<StatusHandle>,
    impairments: Vec<Impairment>,
    shutdown: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Fleet {
    /// Starts an agent for each anchor of the site.
    pub(super) fn start(
        loaded: &LoadedSite,
        authority: &Authority,
        node: SocketAddr,
        args: &DemoArgs,
    ) -> anyhow::Result<Self> {
        let created = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut agents = Vec::new();
        let mut senders = Vec::new();
        let mut radios = Vec::new();
        let mut impairments = Vec::new();
        for (index, anchor) in loaded.site.anchors.iter().enumerate() {
            let (sender, source) = ears(anchor, created);
            let credentials = issue(authority, anchor, loaded)?;
            let mut config = AgentConfig::new(vec![NodeAddress {
                host: node.ip().to_string(),
                port: node.port(),
            }]);
            config.server_name = Some("localhost".into());
            config.seed = Some(args.seed.wrapping_add(index as u64));
            let endpoint = match impairment(args, index)? {
                None => open(&runtime, &config.knobs, None)?,
                Some(impairment) => {
                    impairments.push(impairment.clone());
                    open(&runtime, &config.knobs, Some(&impairment))?
                }
            };
            let agent = Agent::new(config, credentials, vec![Box::new(source)])?;
            agents.push(agent.with_endpoint(endpoint));
            radios.extend((0..anchor.radios.len()).map(|radio| (index, radio as u8)));
            senders.push(sender);
        }
        let statuses = agents.iter().map(Agent::status).collect();
        let shutdown = watch::Sender::new(false);
        let stop = shutdown.subscribe();
        let thread = std::thread::Builder::new()
            .name("agents".into())
            .spawn(move || run(&runtime, agents, &stop))?;
        let anchors = loaded.site.anchors.iter().map(|anchor| {
            let name = anchor.id.parse()?;
            anyhow::Ok(named_client_id(&name))
        });
        let anchors = anchors.collect::<Result<_, _>>()?;
        Ok(Self {
            senders,
            radios,
            anchors,
            created,
            statuses,
            impairments,
            shutdown,
            thread,
        })
    }

    /// Waits until every agent has a session.
    pub(super) fn wait_until_connected(&self, at_most: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + at_most;
        loop {
            let waiting = self
                .statuses
                .iter()
                .filter(|s| s.now().session.is_none())
                .count();
            if waiting == 0 {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{waiting} agents found no way to the node on loopback"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What hands the world's hearings to the agents, for a world that began at this instant.
    pub(super) fn ears(&self, began: Instant) -> Ears {
        Ears {
            senders: self.senders.clone(),
            radios: self.radios.clone(),
            anchors: self.anchors.clone(),
            offset: began.saturating_duration_since(self.created),
        }
    }

    /// Lets the network begin to lose packets, if it shall.
    pub(super) fn begin_loss(&self) {
        self.impairments.iter().for_each(Impairment::start);
    }

    /// Asks all agents to leave and waits until their last reports are booked.
    pub(super) fn leave(self) {
        self.shutdown.send_replace(true);
        // A panic of the agents' thread was told by it.
        let _ = self.thread.join();
        if !self.impairments.is_empty() {
            let counts = self.impairments.iter().map(Impairment::counts);
            let (sent, dropped) = counts.fold((0, 0), |(s, d), c| (s + c.sent, d + c.dropped));
            tracing::info!("the network lost {dropped} of {} packets", sent + dropped);
        }
    }
}

/// Hands hearings of the world to the agents whose radios heard.
pub(super) struct Ears {
    senders: Vec<FeedSender>,
    radios: Vec<(usize, u8)>,
    anchors: Vec<ClientId>,
    offset: Duration,
}

impl Ears {
    pub(super) fn hear(&self, stage: &Stage, hearing: &Hearing) {
        let (from, kind) = match hearing.from {
            sim::Transmitter::Client(client) => {
                let address = Address::new(stage.address(client));
                (Transmitter::Address(address), Kind::Data)
            }
            sim::Transmitter::Anchor(anchor) => {
                (Transmitter::Client(self.anchors[anchor]), Kind::Beacon)
            }
        };
        let (agent, radio) = self.radios[usize::from(hearing.radio.0)];
        let heard_at = self.offset + hearing.heard_at;
        self.senders[agent].send(Heard {
            from,
            heard_at_us: heard_at.as_micros() as u64,
            radio,
            rssi_dbm: hearing.rssi_dbm,
            noise_dbm: hearing.noise_dbm,
            channel: hearing.channel,
            kind,
            associated: kind == Kind::Data,
            range: hearing.range.map(|range| wire::Range {
                distance_mm: (range.distance_m * 1e3) as i32,
                deviation_mm: Some((range.deviation_m * 1e3) as u16),
            }),
        });
    }
}

/// A feed for the radios of an anchor.
fn ears(anchor: &Anchor, created: Instant) -> (FeedSender, FeedSource) {
    let ap = anchor
        .id
        .parse::<wire::ApName>()
        .expect("a valid site has valid ids");
    let radios = anchor.radios.iter();
    feed(FeedOptions {
        capacity: FEED_CAPACITY,
        radios: radios
            .map(|radio| RadioHello {
                ap: ap.clone(),
                band: radio.band.as_str().to_owned(),
            })
            .collect(),
        names: Vec::new(),
        clock: FeedClock::Since(created),
        poll_interval: POLL,
    })
}

fn issue(
    authority: &Authority,
    anchor: &Anchor,
    loaded: &LoadedSite,
) -> anyhow::Result<AgentCredentials> {
    let agent: AgentName = anchor.agent.parse()?;
    let issued = authority.issue_agent(&agent, &loaded.name, DAYS)?;
    Ok(AgentCredentials::from_pem(
        authority.certificate_pem(),
        &issued.certificate_pem,
        &issued.key_pem,
    )?)
}

/// The faults of one agent's socket, if the network shall lose packets.
fn impairment(args: &DemoArgs, index: usize) -> anyhow::Result<Option<Impairment>> {
    if args.loss == 0.0 {
        return Ok(None);
    }
    let loss = if args.burst > 1.0 {
        Loss::Bursts {
            share: args.loss,
            burst_packets: args.burst,
        }
    } else {
        Loss::Independent { share: args.loss }
    };
    let mut model = LossModel::new(
        loss,
        args.seed.wrapping_mul(1_000).wrapping_add(index as u64),
    )?;
    let bursts = args.burst > 1.0;
    let fate = move |bytes| {
        let counts = !bursts || bytes >= TELEMETRY_PACKET_BYTES_MIN;
        let lost = if counts {
            model.next_is_lost()
        } else {
            model.last_was_lost()
        };
        if lost { Fate::Drop } else { Fate::Send }
    };
    Ok(Some(Impairment::new(fate)))
}

fn open(
    runtime: &Runtime,
    knobs: &Knobs,
    impairment: Option<&Impairment>,
) -> anyhow::Result<AgentEndpoint> {
    let _entered = runtime.enter();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(match impairment {
        None => AgentEndpoint::bind(any, knobs)?,
        Some(impairment) => AgentEndpoint::bind_impaired(any, knobs, impairment)?,
    })
}

fn run(runtime: &Runtime, agents: Vec<Agent>, stop: &watch::Receiver<bool>) {
    let local = LocalSet::new();
    let running: Vec<_> = agents
        .into_iter()
        .map(|agent| {
            let mut stop = stop.clone();
            let told = async move {
                let _ = stop.wait_for(|stop| *stop).await;
            };
            local.spawn_local(agent.run(told))
        })
        .collect();
    local.block_on(runtime, async {
        for agent in running {
            if let Ok(outcome) = agent.await
                && !outcome.settled
            {
                tracing::warn!("an agent left without the node's receipt");
            }
        }
    });
}
