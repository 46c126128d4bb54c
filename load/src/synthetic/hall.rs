//! A made-up hall: agents on a grid under its ceiling, clients that stroll below.
//!
//! Not a world as `sim` has it: what a client sounds like at an agent is worked out once, so that
//! the generator costs next to nothing per observation.

use std::fmt::Write as _;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::ClientId;

/// Metres between neighbouring agents: a dense venue.
const SPACING_M: f64 = 8.0;

/// Agents that hear a client: what fits its line at the node.
const HEARERS_MAX: usize = 8;

/// Signal strength at 1 m, and the exponent by which it falls: the blind constants of Wi-Fi.
const RSSI_AT_1M_DBM: f64 = -42.0;
const EXPONENT: f64 = 2.4;

/// Standard deviation of shadowing and of clients' transmit power, in dB.
const SHADOW_DB: f64 = 4.0;
const POWER_DB: f64 = 2.0;

/// Standard deviation of fading from one observation to the next, in dB.
pub(super) const FADING_DB: f64 = 2.0;

/// Height of an agent over its clients, in metres.
const HEIGHT_M: f64 = 3.8;

/// How far a client strolls per second, at most, in metres.
const STROLL_M_PER_S_MAX: f64 = 0.5;

/// What one agent hears of one client: its strength at the begin of the run and at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// Who.
    pub(super) client: ClientId,
    /// At the begin, in dBm.
    pub(super) begin_dbm: f32,
    /// At the end, in dBm.
    pub(super) end_dbm: f32,
}

/// A hall with its agents and what each of them hears.
#[derive(Debug)]
pub(super) struct Hall {
    /// Id of the site.
    pub(super) id: String,
    /// Text of the site file.
    pub(super) site: String,
    /// Text of its calibration: the hall was surveyed.
    pub(super) calibration: String,
    /// Names of the agents, which are those of their APs.
    pub(super) agents: Vec<String>,
    /// What each agent hears, in the order of `agents`.
    pub(super) links: Vec<Vec<Link>>,
}

/// What a hall is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct HallPlan {
    /// Number of the hall; halls of other numbers have other names and clients.
    pub(super) number: usize,
    /// Agents in it; at least one.
    pub(super) agents: usize,
    /// Clients in it.
    pub(super) clients: usize,
    /// How long clients stroll, in seconds.
    pub(super) seconds: f64,
    /// Seed of everything.
    pub(super) seed: u64,
}

type Point = [f64; 2];

impl Hall {
    /// Builds the hall: the same plan gives the same hall.
    pub(super) fn new(plan: &HallPlan) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(plan.number as u64);
        let (places, size) = grid(plan.agents);
        let id = format!("hall-{}", plan.number + 1);
        let agents: Vec<String> = (1..=plan.agents)
            .map(|n| format!("{id}-ap-{n:04}"))
            .collect();
        let mut links = vec![Vec::new(); plan.agents];
        for _ in 0..plan.clients {
            let client = ClientId(rng.random());
            let begin = stroll(size, [0.5, 0.5], 1e9, &mut rng);
            let end = stroll(size, begin, STROLL_M_PER_S_MAX * plan.seconds, &mut rng);
            let power_db = POWER_DB * normal(&mut rng);
            for agent in nearest(&places, begin) {
                let heard_dbm = power_db + SHADOW_DB * normal(&mut rng);
                links[agent].push(Link {
                    client,
                    begin_dbm: (heard_dbm + rssi_dbm(places[agent], begin)) as f32,
                    end_dbm: (heard_dbm + rssi_dbm(places[agent], end)) as f32,
                });
            }
        }
        Self {
            site: site_file(&id, size, &agents, &places),
            calibration: calibration_file(&id, &agents),
            id,
            agents,
            links,
        }
    }
}

/// Places of agents in rows, and the size of the hall.
fn grid(agents: usize) -> (Vec<Point>, Point) {
    let columns = (agents as f64).sqrt().ceil().max(1.0) as usize;
    let place = |n| {
        let (row, column) = (n / columns, n % columns);
        [
            (column as f64 + 0.5) * SPACING_M,
            (row as f64 + 0.5) * SPACING_M,
        ]
    };
    let rows = agents.div_ceil(columns).max(1);
    let size = [columns as f64 * SPACING_M, rows as f64 * SPACING_M];
    ((0..agents).map(place).collect(), size)
}

/// A place in the hall, at most so far from another one in each direction.
fn stroll(size: Point, from: Point, far_m: f64, rng: &mut impl Rng) -> Point {
    [0, 1].map(|axis| {
        let low = (from[axis] - far_m).max(0.5);
        let high = (from[axis] + far_m).min(size[axis] - 0.5);
        rng.random_range(low..=high)
    })
}

/// The agents next to a place.
fn nearest(places: &[Point], at: Point) -> Vec<usize> {
    let square = |agent: &usize| {
        let [x, y] = places[*agent];
        (x - at[0]).powi(2) + (y - at[1]).powi(2)
    };
    let mut agents: Vec<usize> = (0..places.len()).collect();
    let count = HEARERS_MAX.min(agents.len());
    if count < agents.len() {
        agents.select_nth_unstable_by(count, |a, b| square(a).total_cmp(&square(b)));
    }
    agents.truncate(count);
    agents
}

/// Log-distance path loss. Source: T. S. Rappaport, "Wireless Communications", 2nd ed., 4.9.
fn rssi_dbm(agent: Point, client: Point) -> f64 {
    let square = (agent[0] - client[0]).powi(2) + (agent[1] - client[1]).powi(2);
    RSSI_AT_1M_DBM - 5.0 * EXPONENT * (square + HEIGHT_M.powi(2)).log10()
}

/// A standard normal number.
///
/// # Source
/// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates" (1958).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = rng.random();
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn site_file(id: &str, [width, depth]: Point, agents: &[String], places: &[Point]) -> String {
    let mut text = format!(
        "site = \"{id}\"\n\n[[floor]]\nid = \"0\"\nelevation_m = 0\nheight_m = 8\n\
         outline = [[0, 0], [{width}, 0], [{width}, {depth}], [0, {depth}]]\n"
    );
    for (agent, [x, y]) in agents.iter().zip(places) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[anchor]]\nid = \"{agent}\"\nfloor = \"0\"\nposition = [{x}, {y}]\n\
             height_m = 5\nradios = [\"5\"]\n"
        );
    }
    text
}

fn calibration_file(id: &str, agents: &[String]) -> String {
    let mut text = format!("site = \"{id}\"\nclient_offset_deviation_db = {POWER_DB:?}\n");
    let deviation_db = SHADOW_DB.hypot(FADING_DB);
    for agent in agents {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[radio]]\nanchor = \"{agent}\"\nband = \"5\"\nrssi_at_1m_dbm = {RSSI_AT_1M_DBM:?}\n\
             exponent = {EXPONENT:?}\ndeviation_db = {deviation_db:?}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(agents: usize, clients: usize) -> HallPlan {
        HallPlan {
            number: 0,
            agents,
            clients,
            seconds: 10.0,
            seed: 1,
        }
    }

    #[test]
    fn site_and_calibration_are_valid() {
        for agents in [1, 3, 64] {
            let hall = Hall::new(&plan(agents, 10));
            let site = site::Site::parse(&hall.site).unwrap();
            assert_eq!((site.id.as_str(), site.anchors.len()), ("hall-1", agents));
            let calibration = site::Calibration::parse(&hall.calibration, &site).unwrap();
            assert!(calibration.radios.iter().all(Option::is_some));
        }
    }

    #[test]
    fn each_client_is_heard_by_the_agents_next_to_it() {
        let hall = Hall::new(&plan(64, 1_000));
        assert_eq!(hall.links.iter().map(Vec::len).sum::<usize>(), 8 * 1_000);
        let strength = |link: &Link| f64::from(link.begin_dbm);
        let all = hall.links.iter().flatten();
        assert!(
            all.clone()
                .all(|link| (-110.0..-30.0).contains(&strength(link)))
        );
        let drift = |link: &Link| (link.end_dbm - link.begin_dbm).abs();
        assert!(all.clone().any(|link| drift(link) > 1.0));
        assert!(all.clone().all(|link| drift(link) < 15.0));
    }

    #[test]
    fn the_seed_decides_and_halls_differ() {
        let first = |plan: &HallPlan| Hall::new(plan).links[0][0];
        assert_eq!(first(&plan(4, 9)), first(&plan(4, 9)));
        assert_ne!(
            first(&plan(4, 9)),
            first(&HallPlan {
                seed: 2,
                ..plan(4, 9)
            })
        );
        assert_ne!(
            first(&plan(4, 9)),
            first(&HallPlan {
                number: 1,
                ..plan(4, 9)
            })
        );
    }
}
