//! What kind of world to simulate.

use std::time::Duration;

use site::Propagation;

/// How many clients there are, and how they and the radios behave.
///
/// Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct WorldConfig {
    /// Seed of everything: two worlds of equal site and configuration are equal to the last bit.
    pub seed: u64,
    /// Number of clients.
    pub clients: usize,
    /// Transmissions of a client per second on average, finite; the gaps vary by half of their mean.
    /// Zero for silence.
    pub transmissions_per_second: f64,
    /// Mean over clients of their walking speed.
    pub walking_speed_mean_m_per_s: f64,
    /// Standard deviation over clients of their walking speed.
    pub walking_speed_deviation_m_per_s: f64,
    /// Mean time spent at a target before the next trip; exponentially distributed.
    pub pause_mean: Duration,
    /// Share of trips that lead to another storey.
    pub floor_change_share: f64,
    /// Height above the storey's walking surface at which a client is carried.
    pub carried_height_m: f64,
    /// Share of clients with a randomised (locally administered) address.
    pub randomised_share: f64,
    /// Share of hearings that tell a noise floor.
    pub noise_share: f64,
    /// Share of Wi-Fi radios, and of clients, that range by FTM; ranging needs it at both ends.
    ///
    /// Ultra-wideband radios always range.
    pub ftm_share: f64,
    /// Mean time between the beacons of a radio that other anchors hear; `None` for silence.
    pub beacon_every: Option<Duration>,
    /// How signals really travel; `None` where the site file is right about it.
    pub propagation: Option<Propagation>,
}

impl Default for WorldConfig {
    /// A hundred people in an office, half of them with randomised addresses; no ranging.
    fn default() -> Self {
        Self {
            seed: 1,
            clients: 100,
            transmissions_per_second: 2.5,
            walking_speed_mean_m_per_s: 1.3,
            walking_speed_deviation_m_per_s: 0.2,
            pause_mean: Duration::from_secs(20),
            floor_change_share: 0.1,
            carried_height_m: 1.2,
            randomised_share: 0.5,
            noise_share: 0.3,
            ftm_share: 0.0,
            beacon_every: None,
            propagation: None,
        }
    }
}
