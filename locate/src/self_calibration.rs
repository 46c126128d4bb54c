//! Calibration without a survey: from anchors that hear each other, and from unlabelled clients.
//!
//! Both ends of a link between anchors are known, and so is its power: such links tell exponents,
//! slabs and what each radio reads too much. Clients tell much less, since their places are unknown:
//! they may object, and move a few numbers of the whole site a little. Alone they teach nothing: on
//! four real sets where their held-back readings were explained better, RMSE rose by 0 to 5 %. Whatever is learned is kept only if it
//! explains data that were held back better than the site file does; otherwise the answer is the
//! site file, with the reason.

use std::fmt;

use site::{BandLoss, Calibration, RadioModel, Site};

use crate::fix::Sighting;
use crate::path_loss::PathLoss;

mod bandwide;
mod estimate;
mod ground;
mod held_back;
mod link;
mod paths;

use bandwide::{Shift, offset_deviation_db};
use estimate::{BANDS, Estimate, band_number};
use ground::{Constants, Ground};
use link::Link;
use paths::spectrum_of;

pub use estimate::Scope;
pub use held_back::Comparison;

/// Pairs of anchors from which links say enough to be checked against each other.
pub const PAIRS_MIN: usize = 6;

/// Windows of clients from which their word counts.
pub const WINDOWS_MIN: usize = 30;

/// Clients from which theirs may move a number: one or two would teach their own offset.
pub const CLIENTS_MIN: usize = 5;

/// Share of what links between anchors are too strong that is taken over for clients: the rest is
/// the antennas of the anchors.
const LEVEL_SHARE: f64 = 0.5;

/// Links as many as the site file's spread counts beside theirs.
const DEVIATION_PRIOR_PAIRS: f64 = 20.0;

/// What one radio heard of the beacons of another anchor's radio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beacon {
    /// Which radio heard.
    pub receiver: site::RadioIndex,
    /// Which sent, at the power that the site file says.
    pub transmitter: site::RadioIndex,
    /// Mean signal strength in dBm.
    pub mean_dbm: f32,
    /// How many beacons the mean holds.
    pub count: u32,
}

/// What was heard of a client at one time; nobody knows where it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Which client, by any number: the windows of one client stay together in the check.
    pub client: u64,
    /// What was heard.
    pub sightings: Vec<Sighting>,
}

/// What self-calibration came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfCalibration {
    /// What to use from now on; `None` where the site file serves better.
    pub calibration: Option<Calibration>,
    /// What links between anchors were allowed to teach.
    pub scope: Option<Scope>,
    /// Whether clients moved numbers of the whole site.
    pub moved_by_clients: bool,
    /// Why it was kept or not.
    pub verdict: Verdict,
    /// Pairs of anchors that heard each other.
    pub pairs: usize,
    /// Windows of clients that could be used.
    pub windows: usize,
    /// Log-density of held-back links, site file against calibration.
    pub links: Option<Comparison>,
    /// Log-density of held-back readings of clients, site file against calibration.
    pub traffic: Option<Comparison>,
}

/// Why a self-calibration was kept or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Held-back data are explained better.
    Kept,
    /// Too few anchors hear each other; clients alone say too little.
    TooLittle,
    /// Held-back data are not explained better.
    NoGain,
    /// Links between anchors are explained better, but readings of clients worse.
    WorseForClients,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => write!(f, "held-back data are explained better with it"),
            Self::TooLittle => write!(
                f,
                "too little was heard: it takes {PAIRS_MIN} pairs of anchors that hear each other; \
                 clients at unknown places are not enough"
            ),
            Self::NoGain => write!(f, "held-back data are not explained better with it"),
            Self::WorseForClients => write!(
                f,
                "links between anchors are explained better with it, \
                 but held-back readings of clients are not"
            ),
        }
    }
}

/// Learns what it can without a survey, checks it on held-back data, and keeps it only if they are
/// explained better.
///
/// Readings that cannot be are passed over; more traffic than the check needs is thinned out. Cost:
/// up to some seconds for a large site.
pub fn self_calibrate(site: &Site, beacons: &[Beacon], traffic: &[Traffic]) -> SelfCalibration {
    let links = link::links(site, beacons);
    let pairs = held_back::pairs(&links);
    let ground = Ground::new(site, traffic);
    let clients = held_back::clients(&ground.windows);
    let has_links = pairs.len() >= PAIRS_MIN;
    let has_traffic = ground.windows.len() >= WINDOWS_MIN && clients >= CLIENTS_MIN;
    let unlearned = Constants::of_site(site);
    let mut told = SelfCalibration {
        calibration: None,
        scope: None,
        moved_by_clients: false,
        verdict: Verdict::NoGain,
        pairs: pairs.len(),
        windows: ground.windows.len(),
        links: None,
        traffic: None,
    };
    if !has_links {
        told.verdict = Verdict::TooLittle;
        return told;
    }
    let mut constants = unlearned.clone();
    let judge = |learned: &Constants| {
        has_traffic.then(|| held_back::compare_traffic(&ground, &unlearned, learned))
    };
    if let Some(found) = learn_from_links(site, &links, &pairs, judge, &mut told) {
        constants = found;
    }
    if has_traffic
        && let Some(found) = learn_from_traffic(&ground, &unlearned, &constants, &mut told)
    {
        constants = found;
    }
    if told.scope.is_some() || told.moved_by_clients {
        told.verdict = Verdict::Kept;
        told.calibration = Some(calibration(site, &links, &constants, &told));
    }
    told
}

/// The widest scope whose held-back links gain most, unless clients speak against it.
fn learn_from_links(
    site: &Site,
    links: &[Link],
    pairs: &[(usize, usize)],
    judge: impl Fn(&Constants) -> Option<Comparison>,
    told: &mut SelfCalibration,
) -> Option<Constants> {
    let mut found: Option<(Comparison, Constants)> = None;
    for scope in [Scope::Slabs, Scope::Exponents, Scope::Radios] {
        let gain = held_back::compare_links(site, links, pairs, scope);
        let better = |best: &(Comparison, Constants)| gain.gain() > best.0.gain();
        let is_best = found.as_ref().is_none_or(better);
        if found.is_none() && told.links.is_none_or(|known| gain.gain() > known.gain()) {
            told.links = Some(gain);
        }
        if !gain.is_gain() || !is_best {
            continue;
        }
        let all: Vec<&Link> = links.iter().collect();
        let estimate = Estimate::fit(site, &all, scope);
        let learned = Constants::learned(site, &estimate, links);
        let by_clients = judge(&learned);
        if by_clients.is_some_and(|compared| compared.gain() <= 0.0) {
            told.verdict = Verdict::WorseForClients;
            continue;
        }
        told.links = Some(gain);
        told.traffic = by_clients;
        told.scope = Some(scope);
        found = Some((gain, learned));
    }
    found.map(|(_, constants)| constants)
}

/// Fits on the windows of one half of the clients and asks those of the other.
fn learn_from_traffic(
    ground: &Ground,
    unlearned: &Constants,
    constants: &Constants,
    told: &mut SelfCalibration,
) -> Option<Constants> {
    let (fitting, _) = held_back::halves(&ground.windows);
    let shift = Shift::fit(ground, &fitting, constants);
    if shift == Shift::default() {
        return None;
    }
    let moved = shift.of(constants);
    let (_, checking) = held_back::halves(&ground.windows);
    let gain = held_back::compare_windows(ground, &checking, constants, &moved);
    if !gain.is_gain() {
        told.traffic = told.traffic.or(Some(gain));
        return None;
    }
    told.moved_by_clients = true;
    told.traffic = Some(held_back::compare_windows(
        ground, &checking, unlearned, &moved,
    ));
    Some(moved)
}

impl Constants {
    fn of_site(site: &Site) -> Self {
        let radios = site
            .radios()
            .map(|(_, radio)| PathLoss::unlearned(site, radio.band, radio.freq_mhz));
        Self {
            radios: radios.collect(),
            slabs: paths::slabs_of(site),
            offset_deviation_db: offset_deviation_db(site),
        }
    }

    fn learned(site: &Site, estimate: &Estimate, links: &[Link]) -> Self {
        let mut constants = Self::of_site(site);
        constants.slabs.clone_from(&estimate.slabs);
        continue_spectra(site, links, &mut constants.slabs);
        if estimate.scope < Scope::Exponents {
            return constants;
        }
        for (index, (_, radio)) in site.radios().enumerate() {
            let Some(number) = band_number(radio.band) else {
                continue;
            };
            let pairs: f64 = links
                .iter()
                .filter(|link| link.band_number == number)
                .map(|link| link.weight)
                .sum();
            if pairs == 0.0 {
                continue;
            }
            let model = &mut constants.radios[index];
            model.exponent = estimate.exponents[number];
            model.rssi_at_1m_dbm +=
                LEVEL_SHARE * estimate.gains_db[number] + estimate.receive_db[index];
            let own = estimate.deviations_db[number].powi(2);
            let prior = model.deviation_db.powi(2);
            let spread =
                (own * pairs + prior * DEVIATION_PRIOR_PAIRS) / (pairs + DEVIATION_PRIOR_PAIRS);
            model.deviation_db = spread.sqrt();
        }
        constants
    }
}

/// Bands in which nobody heard anybody through a slab follow those in which somebody did.
fn continue_spectra(site: &Site, links: &[Link], slabs: &mut paths::Slabs) {
    let filed = paths::slabs_of(site);
    for (floor, losses) in slabs.iter_mut().enumerate() {
        let heard: Vec<usize> = (0..losses.len())
            .filter(|spectrum| crosses(links, floor, *spectrum))
            .collect();
        let Some(first) = heard.first() else {
            continue;
        };
        let share = losses[*first] / filed[floor][*first].max(1.0);
        for spectrum in 0..losses.len() {
            if !heard.contains(&spectrum) {
                losses[spectrum] = filed[floor][spectrum] * share;
            }
        }
    }
}

fn crosses(links: &[Link], floor: usize, spectrum: usize) -> bool {
    links.iter().any(|link| {
        link.path.slabs.contains(&floor) && spectrum_of(BANDS[link.band_number]) == spectrum
    })
}

/// What differs from the site file.
fn calibration(
    site: &Site,
    links: &[Link],
    constants: &Constants,
    told: &SelfCalibration,
) -> Calibration {
    let radios_moved =
        told.moved_by_clients || told.scope.is_some_and(|scope| scope >= Scope::Exponents);
    let radios = constants.radios.iter().zip(site.radios());
    let radios = radios.map(|(model, (_, radio))| {
        (radios_moved && radio.band != site::Band::Uwb).then_some(RadioModel {
            rssi_at_1m_dbm: hundredths(model.rssi_at_1m_dbm),
            exponent: hundredths(model.exponent),
            deviation_db: hundredths(model.deviation_db),
            range: None,
        })
    });
    let slabs = constants.slabs.iter().enumerate().map(|(floor, losses)| {
        let crossed = (0..paths::SPECTRA).any(|spectrum| crosses(links, floor, spectrum));
        (told.scope.is_some() && crossed).then_some(BandLoss {
            ghz2_db: hundredths(losses[0]),
            ghz5_db: hundredths(losses[1]),
            ghz6_db: hundredths(losses[2]),
        })
    });
    Calibration {
        radios: radios.collect(),
        client_offset_deviation_db: radios_moved
            .then_some(hundredths(constants.offset_deviation_db)),
        slabs: slabs.collect(),
        ..Calibration::default()
    }
}

/// As exact as it is known, and readable in a file.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
