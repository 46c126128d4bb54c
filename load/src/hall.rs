//! A made-up hall: agents on a grid under its ceiling, clients that stroll below.
//!
//! Not a world as `sim` has it: what a client sounds like at an agent is worked out once, so that
//! the generator costs next to nothing per observation. Clients come in blocks that can be made in
//! any order and by any thread.

mod grid;

use std::fmt::Write as _;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::ClientId;

use grid::{Grid, Point, square};

/// Clients that are made together.
pub(crate) const BLOCK_CLIENTS: usize = 65_536;

/// Agents that hear a client, or all where there are fewer.
pub(crate) const HEARERS_MAX: usize = 8;

/// Signal strength at 1 m, and the exponent by which it falls: the blind constants of Wi-Fi.
const RSSI_AT_1M_DBM: f64 = -42.0;
const EXPONENT: f64 = 2.4;

/// Standard deviation of shadowing and of clients' transmit power, in dB.
const SHADOW_DB: f64 = 4.0;
const POWER_DB: f64 = 2.0;

/// Standard deviation of fading from one observation to the next, in dB.
pub(crate) const FADING_DB: f64 = 2.0;

/// Height of an agent over its clients, in metres.
const HEIGHT_M: f64 = 3.8;

/// What one agent hears of one client: its strength at the begin of a run and at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Audible {
    /// The agent, as an index into [`Hall::agents`].
    pub(crate) agent: usize,
    /// The client, as an index.
    pub(crate) client: u32,
    /// At the begin, in dBm.
    pub(crate) begin_dbm: f32,
    /// At the end, in dBm.
    pub(crate) end_dbm: f32,
}

/// What a hall is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HallPlan {
    /// Number of the hall; halls of other numbers have other names and clients.
    pub(crate) number: usize,
    /// Agents in it; at least one.
    pub(crate) agents: usize,
    /// Clients in it.
    pub(crate) clients: usize,
    /// How far a client strolls in a run, at most in each direction, in metres.
    pub(crate) stroll_m: f64,
    /// Seed of everything.
    pub(crate) seed: u64,
}

impl HallPlan {
    /// Plans of `count` halls that share agents and clients as evenly as they can.
    pub(crate) fn deal(
        count: u64,
        agents: u64,
        clients: u64,
        stroll_m: f64,
        seed: u64,
    ) -> impl Iterator<Item = Self> {
        let share = move |all: u64, n: u64| (all * (n + 1) / count - all * n / count) as usize;
        (0..count).map(move |n| Self {
            number: n as usize,
            agents: share(agents, n),
            clients: share(clients, n),
            stroll_m,
            seed,
        })
    }
}

/// A hall with its agents.
#[derive(Debug)]
pub(crate) struct Hall {
    /// Id of the site.
    pub(crate) id: String,
    /// Text of the site file.
    pub(crate) site: String,
    /// Text of its calibration: the hall was surveyed.
    pub(crate) calibration: String,
    /// Names of the agents, which are those of their APs.
    pub(crate) agents: Vec<String>,
    /// Ids of the clients.
    pub(crate) ids: ClientIds,
    plan: HallPlan,
    grid: Grid,
}

impl Hall {
    /// The same plan gives the same hall.
    pub(crate) fn new(plan: HallPlan) -> Self {
        let grid = Grid::new(plan.agents);
        let id = format!("hall-{}", plan.number + 1);
        let agents: Vec<String> = (1..=plan.agents)
            .map(|n| format!("{id}-ap-{n:04}"))
            .collect();
        Self {
            site: site_file(&id, &agents, &grid),
            calibration: calibration_file(&id, &agents),
            ids: ClientIds::new(&plan),
            id,
            agents,
            plan,
            grid,
        }
    }

    /// Blocks of clients.
    pub(crate) fn blocks(&self) -> usize {
        self.plan.clients.div_ceil(BLOCK_CLIENTS)
    }

    /// Tells who hears the clients of a block, and how.
    pub(crate) fn listen(&self, block: usize, tell: &mut impl FnMut(Audible)) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed);
        rng.set_stream((self.plan.number as u64) << 32 | block as u64);
        let first = block * BLOCK_CLIENTS;
        let last = (first + BLOCK_CLIENTS).min(self.plan.clients);
        let size = self.grid.size();
        let mut near = Vec::new();
        for client in first..last {
            let begin = stroll(size, [0.5, 0.5], f64::INFINITY, &mut rng);
            let end = stroll(size, begin, self.plan.stroll_m, &mut rng);
            let power_db = POWER_DB * normal(&mut rng);
            self.grid.nearest(begin, HEARERS_MAX, &mut near);
            for &agent in &near {
                let heard_dbm = power_db + SHADOW_DB * normal(&mut rng);
                let at = |client| heard_dbm + rssi_dbm(self.grid.place(agent), client);
                tell(Audible {
                    agent,
                    client: client as u32,
                    begin_dbm: at(begin) as f32,
                    end_dbm: at(end) as f32,
                });
            }
        }
    }
}

/// Pseudonyms as a key would make them: spread over all 64 bits, none twice in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIds {
    first: u64,
    key: u64,
}

impl ClientIds {
    fn new(plan: &HallPlan) -> Self {
        Self {
            first: (plan.number as u64) << 32,
            key: ChaCha8Rng::seed_from_u64(plan.seed).random(),
        }
    }

    /// The id of a client by its index.
    ///
    /// # Source
    /// The finalizer of SplitMix64, which is a bijection: G. L. Steele, D. Lea, C. H. Flood, "Fast
    /// splittable pseudorandom number generators" (2014).
    #[inline]
    pub(crate) fn of(self, client: u32) -> ClientId {
        let mut id = self.key.wrapping_add(self.first | u64::from(client));
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ClientId(id ^ (id >> 31))
    }
}

/// A place in the hall, at most so far from another one in each direction.
fn stroll(size: Point, from: Point, far_m: f64, rng: &mut impl Rng) -> Point {
    [0, 1].map(|axis| {
        let low = (from[axis] - far_m).max(0.5);
        let high = (from[axis] + far_m).min(size[axis] - 0.5);
        rng.random_range(low..=high)
    })
}

/// Log-distance path loss. Source: T. S. Rappaport, "Wireless Communications", 2nd ed., 4.9.
fn rssi_dbm(agent: Point, client: Point) -> f64 {
    RSSI_AT_1M_DBM - 5.0 * EXPONENT * (square(agent, client) + HEIGHT_M.powi(2)).log10()
}

/// A standard normal number.
///
/// # Source
/// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates" (1958).
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = rng.random();
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn site_file(id: &str, agents: &[String], grid: &Grid) -> String {
    let [width, depth] = grid.size();
    let mut text = format!(
        "site = \"{id}\"\n\n[[floor]]\nid = \"0\"\nelevation_m = 0\nheight_m = 8\n\
         outline = [[0, 0], [{width}, 0], [{width}, {depth}], [0, {depth}]]\n"
    );
    for (index, agent) in agents.iter().enumerate() {
        let [x, y] = grid.place(index);
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
    use std::collections::HashSet;

    use super::*;

    fn plan(agents: usize, clients: usize) -> HallPlan {
        HallPlan {
            number: 0,
            agents,
            clients,
            stroll_m: 5.0,
            seed: 1,
        }
    }

    fn all(plan: HallPlan) -> Vec<Audible> {
        let hall = Hall::new(plan);
        let mut all = Vec::new();
        for block in 0..hall.blocks() {
            hall.listen(block, &mut |audible| all.push(audible));
        }
        all
    }

    #[test]
    fn site_and_calibration_are_valid() {
        for agents in [1, 3, 64] {
            let hall = Hall::new(plan(agents, 10));
            let site = site::Site::parse(&hall.site).unwrap();
            assert_eq!((site.id.as_str(), site.anchors.len()), ("hall-1", agents));
            let calibration = site::Calibration::parse(&hall.calibration, &site).unwrap();
            assert!(calibration.radios.iter().all(Option::is_some));
        }
    }

    #[test]
    fn each_client_is_heard_by_eight_agents_while_it_strolls() {
        let clients = BLOCK_CLIENTS + 10;
        let all = all(plan(64, clients));
        assert_eq!(all.len(), 8 * clients);
        assert_eq!(all.last().unwrap().client as usize, clients - 1);
        assert!(
            all.iter()
                .all(|one| (-110.0..-30.0).contains(&one.begin_dbm))
        );
        let drift = |one: &Audible| (one.end_dbm - one.begin_dbm).abs();
        assert!(all.iter().any(|one| drift(one) > 1.0));
        assert!(all.iter().all(|one| drift(one) < 15.0));
    }

    #[test]
    fn who_does_not_stroll_sounds_the_same_at_the_end() {
        let still = HallPlan {
            stroll_m: 0.0,
            ..plan(9, 20)
        };
        assert!(all(still).iter().all(|one| one.begin_dbm == one.end_dbm));
    }

    #[test]
    fn the_seed_decides_and_halls_differ() {
        let other_seed = HallPlan {
            seed: 2,
            ..plan(4, 9)
        };
        let other_hall = HallPlan {
            number: 1,
            ..plan(4, 9)
        };
        assert_eq!(all(plan(4, 9)), all(plan(4, 9)));
        assert_ne!(all(plan(4, 9)), all(other_seed));
        assert_ne!(all(plan(4, 9)), all(other_hall));
        let id = |plan| Hall::new(plan).ids.of(0);
        assert_eq!(id(plan(4, 9)), id(plan(5, 9)));
        assert_ne!(id(plan(4, 9)), id(other_seed));
    }

    #[test]
    fn no_client_of_a_run_has_the_id_of_another() {
        let mut seen = HashSet::new();
        for plan in HallPlan::deal(3, 6, 3_000, 0.0, 1) {
            let hall = Hall::new(plan);
            assert!((0..1_000).all(|client| seen.insert(hall.ids.of(client))));
        }
        assert_eq!(seen.len(), 3_000);
    }

    #[test]
    fn halls_share_all_agents_and_clients() {
        let plans: Vec<HallPlan> = HallPlan::deal(3, 7, 100, 0.0, 1).collect();
        let of = |pick: fn(&HallPlan) -> usize| plans.iter().map(pick).collect::<Vec<_>>();
        assert_eq!(of(|plan| plan.agents), [2, 2, 3]);
        assert_eq!(of(|plan| plan.clients), [33, 33, 34]);
        assert_eq!(of(|plan| plan.number), [0, 1, 2]);
    }
}
