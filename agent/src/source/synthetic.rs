//! A simulated world as a source: what one agent's radios would hear in the site of a site file.
//!
//! Several agents, each in a process of its own, hear the same clients: with the same site,
//! configuration and seed their worlds are equal, and the time of a world follows the wall clock.
//! The world begins anew every [`SyntheticOptions::lifetime`], at multiples of it since 1970, so
//! that an agent that starts late has at most that much to catch up with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sim::{Hearing, World, WorldConfig};
use site::Site;
use wire::frame::RadioHello;
use wire::{AgentName, ApName, ClientId, ClientName, Kind, Range};

use crate::address::Address;
use crate::limits::{CATCH_UP_MAX, CATCH_UP_TURN, WORLD_LOOK, WORLD_STEP};
use crate::pseudonym::named_client_id;
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};

/// What world is heard, and by whom.
#[derive(Debug, Clone)]
pub struct SyntheticOptions {
    /// The agent whose APs hear, as the site file names it.
    pub agent: AgentName,
    /// The world; equal at all agents of the site.
    pub world: WorldConfig,
    /// How long a world lasts; equal at all agents of the site, and at most [`CATCH_UP_MAX`].
    pub lifetime: Duration,
    /// Whether the clients use the site's own network; randomised ones that do not are withheld by
    /// the privacy rules.
    pub associated: bool,
    /// Time since 1970 in microseconds.
    pub unix_now_us: fn() -> u64,
}

impl SyntheticOptions {
    /// Ten minutes of a world under the system's clock, with clients that use the site's network.
    pub fn new(agent: AgentName, world: WorldConfig) -> Self {
        Self {
            agent,
            world,
            lifetime: CATCH_UP_MAX,
            associated: true,
            unix_now_us: system_unix_us,
        }
    }
}

/// Why a world cannot be heard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// The site has no AP for this agent.
    #[error("site {site} has no anchor of agent {agent}; it has those of {known}")]
    NoAnchor {
        /// The site.
        site: String,
        /// The agent that was asked for.
        agent: AgentName,
        /// The agents that the site names.
        known: String,
    },
    /// An AP's id cannot be a name on the wire.
    #[error("site {site}, anchor {anchor}: {source}")]
    Name {
        /// The site.
        site: String,
        /// The anchor's id.
        anchor: String,
        /// What is wrong with it.
        source: wire::id::NameError,
    },
    /// A lifetime of zero, or one that takes too long to catch up with.
    #[error("a simulated world may last from 1 s to {CATCH_UP_MAX:?}, not {0:?}")]
    Lifetime(Duration),
}

/// Hears a simulated world.
pub struct SyntheticSource {
    options: SyntheticOptions,
    site: Site,
    radios: Vec<RadioHello>,
    /// The agent's radio for each radio of the site that is one of ours.
    own: Vec<(site::RadioIndex, u8)>,
    /// Names under which the site's APs hear each other, by index of the anchor; `None` for ours.
    others: Vec<Option<(ClientId, ClientName)>>,
    living: Option<Living>,
    /// Time since 1970 minus the agent's clock.
    unix_from_agent_us: Option<u64>,
    /// What was heard in the last step, and how much of it has been looked at.
    hearings: Vec<Hearing>,
    looked_at: usize,
    /// How far the last step came, in the agent's clock.
    reached_us: u64,
    watermark_us: u64,
    health: SourceHealth,
}

/// The world that lives now, and when it began, in microseconds since 1970.
struct Living {
    world: World,
    began_us: u64,
}

impl SyntheticSource {
    /// Hears the world of `site`.
    ///
    /// # Errors
    /// [`SyntheticError`] when the site and the options do not go together.
    pub fn new(site: Site, options: SyntheticOptions) -> Result<Self, SyntheticError> {
        if !(Duration::from_secs(1)..=CATCH_UP_MAX).contains(&options.lifetime) {
            return Err(SyntheticError::Lifetime(options.lifetime));
        }
        let mut radios = Vec::new();
        let mut own = Vec::new();
        let mut others = Vec::new();
        for anchor in &site.anchors {
            let name_error = |source| {
                let (site, anchor) = (site.id.clone(), anchor.id.clone());
                SyntheticError::Name {
                    site,
                    anchor,
                    source,
                }
            };
            let ap = ApName::new(anchor.id.as_str()).map_err(name_error)?;
            if anchor.agent != options.agent.as_str() {
                let name = ClientName::new(anchor.id.as_str()).map_err(name_error)?;
                others.push(Some((named_client_id(&name), name)));
                continue;
            }
            others.push(None);
            for radio in &anchor.radios {
                // The transport refuses an agent with more radios than a byte counts.
                own.push((radio.index, u8::try_from(radios.len()).unwrap_or(u8::MAX)));
                radios.push(RadioHello {
                    ap: ap.clone(),
                    band: radio.band.as_str().to_owned(),
                });
            }
        }
        if own.is_empty() {
            return Err(no_anchor(&site, options.agent));
        }
        Ok(Self {
            options,
            site,
            radios,
            own,
            others,
            living: None,
            unix_from_agent_us: None,
            hearings: Vec::new(),
            looked_at: 0,
            reached_us: 0,
            watermark_us: 0,
            health: SourceHealth::default(),
        })
    }

    /// Lets the world of this time live on to it, by one step at most; false when there is more to
    /// catch up with.
    fn live_until(&mut self, unix_us: u64) -> bool {
        let lifetime_us = micros(self.options.lifetime);
        let began_us = unix_us / lifetime_us * lifetime_us;
        if self
            .living
            .as_ref()
            .is_none_or(|living| living.began_us != began_us)
        {
            let world = World::new(self.site.clone(), self.options.world.clone());
            self.living = Some(Living { world, began_us });
        }
        let Some(Living { world, .. }) = &mut self.living else {
            return true;
        };
        let behind = Duration::from_micros(unix_us - began_us).saturating_sub(world.now());
        world.advance(behind.min(WORLD_STEP));
        world.hear(&mut self.hearings);
        behind <= WORLD_STEP
    }

    /// What a hearing means to this agent, if one of its radios made it.
    fn heard(&self, hearing: &Hearing, unix_from_agent_us: u64) -> Option<Heard> {
        let Living { world, began_us } = self.living.as_ref()?;
        let &(_, radio) = self.own.iter().find(|(index, _)| *index == hearing.radio)?;
        let (from, kind) = match hearing.from {
            sim::Transmitter::Client(client) => {
                let address = Address::new(world.clients().get(client)?.address);
                (Transmitter::Address(address), Kind::Data)
            }
            sim::Transmitter::Anchor(anchor) => {
                let (id, _) = self.others.get(anchor)?.as_ref()?;
                (Transmitter::Client(*id), Kind::Beacon)
            }
        };
        let unix_us = began_us + micros(hearing.heard_at);
        Some(Heard {
            from,
            heard_at_us: unix_us.saturating_sub(unix_from_agent_us),
            radio,
            rssi_dbm: hearing.rssi_dbm,
            noise_dbm: hearing.noise_dbm,
            channel: hearing.channel,
            kind: match kind {
                Kind::Data if hearing.range.is_some() => Kind::Ranging,
                kind => kind,
            },
            associated: self.options.associated && kind == Kind::Data,
            range: hearing.range.map(|range| Range {
                distance_mm: (range.distance_m * 1_000.0).round() as i32,
                deviation_mm: Some((range.deviation_m * 1_000.0).round() as u16),
            }),
        })
    }
}

impl Source for SyntheticSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        let unix_now_us = self.options.unix_now_us;
        let unix_from_agent_us = *self
            .unix_from_agent_us
            .get_or_insert_with(|| unix_now_us().saturating_sub(now_us));
        if self.looked_at == self.hearings.len() {
            self.hearings.clear();
            self.looked_at = 0;
            let turn_ends_us = unix_now_us().saturating_add(micros(CATCH_UP_TURN));
            while !self.live_until(now_us.saturating_add(unix_from_agent_us)) {
                // What happened before this agent listened is not news.
                self.hearings.clear();
                if unix_now_us() >= turn_ends_us {
                    return Ok(Drained::More);
                }
            }
            self.reached_us = now_us;
        }
        let mut given = 0;
        while let Some(hearing) = self.hearings.get(self.looked_at) {
            if given == room {
                return Ok(Drained::More);
            }
            if let Some(heard) = self.heard(hearing, unix_from_agent_us) {
                given += 1;
                self.health.frames += 1;
                self.health.heard += 1;
                out(heard);
            }
            self.looked_at += 1;
        }
        self.watermark_us = self.reached_us;
        Ok(Drained::NextAt(now_us.saturating_add(micros(WORLD_LOOK))))
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        let beacons = self.options.world.beacon_every.is_some();
        self.others
            .iter()
            .flatten()
            .filter(|_| beacons)
            .cloned()
            .collect()
    }

    fn health(&self) -> SourceHealth {
        self.health.clone()
    }
}

impl std::fmt::Debug for SyntheticSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyntheticSource")
            .field("options", &self.options)
            .field("radios", &self.radios)
            .finish_non_exhaustive()
    }
}

fn no_anchor(site: &Site, agent: AgentName) -> SyntheticError {
    let mut known: Vec<_> = site
        .anchors
        .iter()
        .map(|anchor| anchor.agent.as_str())
        .collect();
    known.sort_unstable();
    known.dedup();
    SyntheticError::NoAnchor {
        site: site.id.clone(),
        agent,
        known: known.join(", "),
    }
}

fn system_unix_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, micros)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
