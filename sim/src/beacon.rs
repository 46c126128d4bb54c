//! Anchors hear each other's beacons: links of known ends, for calibration.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use site::Band;

use crate::chance::{Purpose, stream};
use crate::config::WorldConfig;
use crate::links::{Link, Links};
use crate::radio::{Hearing, Receivers};

/// The beacons of all radios that have a strength to hear: all but ultra-wideband.
#[derive(Debug)]
pub(crate) struct Beacons {
    every: Duration,
    senders: Vec<Sender>,
}

#[derive(Debug)]
struct Sender {
    band: Band,
    /// Position among the radios of its band.
    number: usize,
    sends_next_at: Duration,
    rng: ChaCha8Rng,
    /// Links to the other radios of the band; `None` to those of its own anchor.
    links: Vec<Option<Link>>,
}

impl Beacons {
    /// The beacons of a site; none at all where the configuration wants silence.
    pub(crate) fn new(receivers: &Receivers, links: &Links, config: &WorldConfig) -> Self {
        let every = config.beacon_every.filter(|every| !every.is_zero());
        let Some(every) = every else {
            return Self {
                every: Duration::MAX,
                senders: Vec::new(),
            };
        };
        let bands = receivers
            .bands()
            .into_iter()
            .filter(|band| *band != Band::Uwb);
        let senders = bands.flat_map(|band| {
            let radios = receivers.of_band(band);
            radios.iter().enumerate().map(move |(number, radio)| {
                let mut rng = stream(config.seed, Purpose::Beacon, u64::from(radio.index.0));
                let link = |to: usize| {
                    (to != radio.anchor).then(|| links.between_anchors(radio.anchor, to))
                };
                Sender {
                    band,
                    number,
                    sends_next_at: every.mul_f64(rng.random()),
                    rng,
                    links: radios.iter().map(|other| link(other.anchor)).collect(),
                }
            })
        });
        Self {
            every,
            senders: senders.collect(),
        }
    }

    /// Sends what is due by `until`.
    pub(crate) fn send(&mut self, receivers: &Receivers, until: Duration, out: &mut Vec<Hearing>) {
        for sender in &mut self.senders {
            while sender.sends_next_at <= until {
                sender.send(receivers, out);
                sender.sends_next_at += self.every.mul_f64(0.5 + sender.rng.random::<f64>());
            }
        }
    }
}

impl Sender {
    fn send(&mut self, receivers: &Receivers, out: &mut Vec<Hearing>) {
        let radios = receivers.of_band(self.band);
        for (radio, link) in radios.iter().zip(&self.links) {
            let Some(link) = link else { continue };
            let sender = &radios[self.number];
            out.extend(receivers.hear_beacon(
                sender,
                radio,
                self.sends_next_at,
                link,
                &mut self.rng,
            ));
        }
    }
}
