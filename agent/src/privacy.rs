//! The privacy stage: decides what may leave the agent, and under which id.
//!
//! Everything heard passes here and nowhere else. Real addresses come in with [`Heard`] and end
//! here; an [`Observation`] has none.

mod crowd;
mod opt_outs;
mod rules;

use std::collections::{HashMap, HashSet};

use wire::frame::{Counted, PseudonymKey, RadioHello};
use wire::limits::WELCOME_BSSIDS_MAX;
use wire::{AccessPoint, ApName, ClientId, ClientName, Kind, Observation};

use crate::address::Address;
use crate::pseudonym::{Pseudonymiser, named_client_id};
use crate::source::{Heard, Transmitter};
use crowd::Crowd;
use opt_outs::OptOuts;
use rules::PrefixSet;

pub use rules::{Randomised, RandomisedError, Rules};

/// What the stage let through and what it dropped, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Became observations.
    pub passed: u64,
    /// Of these, from the site's own access points, under their ids.
    pub access_points: u64,
    /// Randomised, not associated, and the rules do not let them through.
    pub randomised: u64,
    /// Weaker than the rules ask for.
    pub weak: u64,
    /// Opted out.
    pub opted_out: u64,
    /// On the deny list.
    pub denied: u64,
    /// Not on the allow list.
    pub not_allowed: u64,
    /// Sent by an access point that is none of the site's, or by this one.
    pub other_access_point: u64,
    /// No device transmits under such an address.
    pub not_a_device: u64,
    /// The node has not handed out a key yet, so that no pseudonym could be made.
    pub without_key: u64,
}

impl Counters {
    /// Every rule that drops, as a person calls it, with what it dropped.
    pub fn dropped(&self) -> [(&'static str, u64); 8] {
        [
            ("randomised", self.randomised),
            ("weak", self.weak),
            ("opted_out", self.opted_out),
            ("denied", self.denied),
            ("not_allowed", self.not_allowed),
            ("other_access_point", self.other_access_point),
            ("not_a_device", self.not_a_device),
            ("without_key", self.without_key),
        ]
    }
}

/// The stage: rules, the key of the period, counters.
#[derive(Debug)]
pub struct Stage {
    randomised: Randomised,
    rssi_min_dbm: Option<i8>,
    opted_out: HashSet<Address>,
    /// Of whom the node must hear that they opted out.
    opt_outs: OptOuts,
    allow: PrefixSet,
    deny: PrefixSet,
    named: HashMap<Address, ClientId>,
    names: Vec<(ClientId, ClientName)>,
    access_points: HashMap<Address, ClientId>,
    /// Those that the node told of. A node must not get at a client by calling it an access point, so
    /// they count for what only an access point sends, and never against the rules.
    told_access_points: HashMap<Address, ClientId>,
    /// The access point of each of the agent's radios.
    radios: Vec<Option<ClientId>>,
    pseudonymiser: Option<Pseudonymiser>,
    counters: Counters,
    /// There while clients are counted.
    crowd: Option<Crowd>,
}

impl Stage {
    /// A stage without a key: until [`Stage::set_key`] only clients whose id is known pass.
    pub fn new(rules: Rules) -> Self {
        let mut stage = Self {
            randomised: Randomised::Off,
            rssi_min_dbm: None,
            opted_out: HashSet::new(),
            opt_outs: OptOuts::default(),
            allow: PrefixSet::default(),
            deny: PrefixSet::default(),
            named: HashMap::new(),
            names: Vec::new(),
            access_points: HashMap::new(),
            told_access_points: HashMap::new(),
            radios: Vec::new(),
            pseudonymiser: None,
            counters: Counters::default(),
            crowd: None,
        };
        stage.set_rules(rules);
        stage
    }

    /// Follows these rules from now on. Key, counters and what was counted stay.
    pub fn set_rules(&mut self, rules: Rules) {
        let named = rules.named.iter();
        self.names = named
            .map(|(_, name)| (named_client_id(name), name.clone()))
            .collect();
        let named = rules.named.iter();
        self.named = named
            .map(|(address, name)| (*address, named_client_id(name)))
            .collect();
        let access_points = rules.access_points.iter();
        self.access_points = access_points
            .filter_map(|(address, ap)| Some((*address, access_point_id(ap)?)))
            .collect();
        self.allow = PrefixSet::new(&rules.allow);
        self.deny = PrefixSet::new(&rules.deny);
        let before = std::mem::take(&mut self.opted_out);
        self.opted_out = rules.opted_out.into_iter().collect();
        if let Some(pseudonymiser) = &mut self.pseudonymiser {
            let new = self.opted_out.difference(&before);
            (self.opt_outs).add(new, &self.named, pseudonymiser);
        }
        self.rssi_min_dbm = rules.rssi_min_dbm;
        self.randomised = rules.randomised;
        match self.randomised {
            Randomised::Count => drop(self.crowd.get_or_insert_with(Crowd::new)),
            Randomised::Off | Randomised::On => self.crowd = None,
        }
    }

    /// These are the agent's radios, as [`Heard::radio`] counts them here: what an access point
    /// hears of itself tells nothing.
    pub fn set_radios(&mut self, radios: &[RadioHello]) {
        self.radios = radios
            .iter()
            .map(|radio| access_point_id(&radio.ap))
            .collect();
    }

    /// These are further access points of the site, as the node tells; those told before are
    /// forgotten. Their networks.
    pub fn set_told_access_points(&mut self, told: &[AccessPoint]) -> Vec<Address> {
        self.told_access_points.clear();
        for AccessPoint { ap, bssids } in told.iter().take(WELCOME_BSSIDS_MAX) {
            let Some(ap) = access_point_id(ap) else {
                continue;
            };
            let addresses = bssids.iter().map(|bssid| Address::new(bssid.0));
            let individual = addresses.filter(|address| !address.is_group());
            self.told_access_points
                .extend(individual.map(|address| (address, ap)));
        }
        self.told_access_points.keys().copied().collect()
    }

    /// Uses the key of a period from now on and forgets the one before.
    pub fn set_key(&mut self, key: &PseudonymKey) {
        if !self.opt_outs.handle_key(key) {
            return;
        }
        let is_first = self.pseudonymiser.is_none();
        let pseudonymiser = self.pseudonymiser.insert(Pseudonymiser::new(key));
        if is_first {
            // What was told before this process began, nobody here knows.
            (self.opt_outs).add(self.opted_out.iter(), &self.named, pseudonymiser);
        }
    }

    /// Clients of whom each session of this key must tell that they opted out: those that may have
    /// been told under it before they did. Whether they were heard does not matter, so that the list
    /// says nothing of who is there.
    pub fn opt_outs(&self) -> &[ClientId] {
        self.opt_outs.clients()
    }

    /// Ids and names of the devices that the rules name.
    pub fn names(&self) -> &[(ClientId, ClientName)] {
        &self.names
    }

    /// Takes what a source heard; gives the observation that may leave, or counts why none may.
    pub fn handle(&mut self, heard: Heard) -> Option<Observation> {
        let (client, kind, randomised) = match heard.from {
            Transmitter::Client(client) => {
                self.admit_strength(&heard)?;
                (client, heard.kind, false)
            }
            Transmitter::Address(address) => match self.access_point(&address, heard.kind) {
                Some(ap) => (
                    self.admit_access_point(ap, heard.radio)?,
                    Kind::Beacon,
                    false,
                ),
                None => {
                    let client = self.admit(&address, &heard)?;
                    (client, heard.kind, address.is_randomised())
                }
            },
        };
        self.counters.passed += 1;
        Some(Observation {
            client,
            heard_at_us: heard.heard_at_us,
            radio: heard.radio,
            rssi_dbm: heard.rssi_dbm,
            noise_dbm: heard.noise_dbm,
            channel: heard.channel,
            kind,
            randomised,
            associated: heard.associated && kind != Kind::Beacon,
            range: heard.range,
        })
    }

    /// Counters since the stage was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Devices that are only counted, in the last interval that is over at this time of the clock
    /// that stamps observations; `None` before the first, and while none are counted.
    pub fn counted(&mut self, clock_us: u64) -> Option<Counted> {
        let crowd = self.crowd.as_mut()?;
        crowd.handle_time(clock_us);
        crowd.last()
    }

    /// Closes the interval that runs, since none will follow.
    pub fn close_counted(&mut self, clock_us: u64) {
        if let Some(crowd) = &mut self.crowd {
            crowd.close(clock_us);
        }
    }

    /// Which of the site's access points sent it.
    fn access_point(&self, address: &Address, kind: Kind) -> Option<ClientId> {
        let configured = self.access_points.get(address).copied();
        if configured.is_some() || kind != Kind::Beacon {
            return configured;
        }
        let told = self.told_access_points.get(address).copied()?;
        let spared = self.opted_out.contains(address)
            || self.deny.contains(address)
            || self.named.contains_key(address);
        (!spared).then_some(told)
    }

    fn admit_strength(&mut self, heard: &Heard) -> Option<()> {
        if let (Some(rssi), Some(least)) = (heard.rssi_dbm, self.rssi_min_dbm)
            && rssi < least
        {
            self.counters.weak += 1;
            return None;
        }
        Some(())
    }

    /// The id of one of the site's access points, unless it is the one that heard. All that is told
    /// of it, ranges as well, goes out as a beacon: to a node, that is what calibrates the site.
    fn admit_access_point(&mut self, ap: ClientId, radio: u8) -> Option<ClientId> {
        if self.radios.get(usize::from(radio)) == Some(&Some(ap)) {
            self.counters.other_access_point += 1;
            return None;
        }
        self.counters.access_points += 1;
        Some(ap)
    }

    /// The id under which a device may be told.
    fn admit(&mut self, address: &Address, heard: &Heard) -> Option<ClientId> {
        let refused = if address.is_group() {
            &mut self.counters.not_a_device
        } else if heard.kind == Kind::Beacon {
            &mut self.counters.other_access_point
        } else {
            self.admit_strength(heard)?;
            if self.opted_out.contains(address) {
                &mut self.counters.opted_out
            } else if self.deny.contains(address) {
                &mut self.counters.denied
            } else if let Some(client) = self.named.get(address) {
                return Some(*client);
            } else if heard.kind == Kind::Ranging {
                // Sources that know real addresses measure ranges to access points only.
                &mut self.counters.other_access_point
            } else if !self.allow.is_empty() && !self.allow.contains(address) {
                &mut self.counters.not_allowed
            } else {
                return self.admit_unnamed(address, heard);
            }
        };
        *refused += 1;
        None
    }

    fn admit_unnamed(&mut self, address: &Address, heard: &Heard) -> Option<ClientId> {
        if self.randomised != Randomised::On && address.is_randomised() && !heard.associated {
            self.counters.randomised += 1;
            if let Some(crowd) = &mut self.crowd {
                crowd.handle(*address, heard.rssi_dbm, heard.heard_at_us);
            }
            return None;
        }
        let Some(pseudonymiser) = &mut self.pseudonymiser else {
            self.counters.without_key += 1;
            return None;
        };
        Some(pseudonymiser.client_id(address))
    }
}

/// The id under which beacons of this access point go out: that of a client of the same name.
fn access_point_id(ap: &ApName) -> Option<ClientId> {
    let name = ClientName::new(ap.as_str()).ok()?;
    Some(named_client_id(&name))
}

#[cfg(test)]
mod tests;
