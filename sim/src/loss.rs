//! Which packets a network loses: independently, or in bursts.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::chance::{Purpose, stream};

/// How packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Every packet alike, whatever happened to the one before.
    Independent {
        /// Share of packets lost, in [0, 1].
        share: f64,
    },
    /// In runs, as radio links and full queues do.
    Bursts {
        /// Share of packets lost in the long run, in [0, 1).
        share: f64,
        /// Mean length of a run of lost packets; at least 1, and at least `share / (1 - share)`.
        burst_packets: f64,
    },
}

/// A loss that no chain of packets can have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// The share is not one.
    #[error("loss share {share}: not a share; use a number from 0 to 1, below 1 for bursts")]
    Share {
        /// What was asked for.
        share: f64,
    },
    /// So much cannot be lost in bursts so short, as each ends with a packet that arrives.
    #[error(
        "bursts of {burst_packets} packets cannot lose a share of {share}; use at least {least}"
    )]
    Burst {
        /// What was asked for.
        share: f64,
        /// What was asked for.
        burst_packets: f64,
        /// Shortest mean burst that loses this share.
        least: f64,
    },
}

/// Decides packet by packet, in the order of sending.
///
/// Bursts come from the two-state chain of Gilbert and Elliott in its simplest form: the good
/// state loses nothing, the bad one everything. It starts in its stationary distribution.
/// # Source
/// E. N. Gilbert, "Capacity of a burst-noise channel" (1960).
#[derive(Debug, Clone)]
pub struct LossModel {
    /// Chance that a packet is lost after one that arrived.
    lost_after_arrived: f64,
    /// Chance that a packet is lost after one that was lost.
    lost_after_lost: f64,
    last_was_lost: bool,
    rng: ChaCha8Rng,
}

impl LossModel {
    /// A model with its own random numbers.
    ///
    /// # Errors
    /// [`LossError`] when nothing can lose packets that way.
    pub fn new(loss: Loss, seed: u64) -> Result<Self, LossError> {
        let (share, lost_after_arrived, lost_after_lost) = match loss {
            Loss::Independent { share } => {
                check_share(share, share <= 1.0)?;
                (share, share, share)
            }
            Loss::Bursts {
                share,
                burst_packets,
            } => {
                check_share(share, share < 1.0)?;
                let odds = share / (1.0 - share);
                let least = odds.max(1.0);
                // A hair of room for rounding; a burst length that is no number fails too.
                if !(burst_packets >= least * (1.0 - 1e-9) && burst_packets.is_finite()) {
                    return Err(LossError::Burst {
                        share,
                        burst_packets,
                        least,
                    });
                }
                // Stationary share = a / (a + b), a = chance into the bad state, b = out of it.
                (share, odds / burst_packets, 1.0 - 1.0 / burst_packets)
            }
        };
        let mut rng = stream(seed, Purpose::Loss, 0);
        let last_was_lost = rng.random::<f64>() < share;
        Ok(Self {
            lost_after_arrived,
            lost_after_lost,
            last_was_lost,
            rng,
        })
    }

    /// Whether the next packet is lost.
    pub fn next_is_lost(&mut self) -> bool {
        let chance = if self.last_was_lost {
            self.lost_after_lost
        } else {
            self.lost_after_arrived
        };
        self.last_was_lost = self.rng.random::<f64>() < chance;
        self.last_was_lost
    }

    /// Whether the last packet was lost: the fate of one that goes with it and does not count.
    pub fn last_was_lost(&self) -> bool {
        self.last_was_lost
    }
}

fn check_share(share: f64, in_reach: bool) -> Result<(), LossError> {
    if share >= 0.0 && in_reach {
        Ok(())
    } else {
        Err(LossError::Share { share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of lost packets and mean length of their runs, over many packets.
    fn measure(loss: Loss) -> (f64, f64) {
        let packets = 1_000_000;
        let mut model = LossModel::new(loss, 7).unwrap();
        let (mut lost, mut runs, mut last) = (0, 0, false);
        for _ in 0..packets {
            let now = model.next_is_lost();
            lost += u32::from(now);
            runs += u32::from(now && !last);
            last = now;
        }
        (
            f64::from(lost) / f64::from(packets),
            f64::from(lost) / f64::from(runs),
        )
    }

    fn check(loss: Loss, share: f64, run: f64) {
        let (measured_share, measured_run) = measure(loss);
        assert!(
            (measured_share / share - 1.0).abs() < 0.03,
            "{loss:?}: share {measured_share}"
        );
        assert!(
            (measured_run / run - 1.0).abs() < 0.03,
            "{loss:?}: run {measured_run}"
        );
    }

    #[test]
    fn losses_have_the_share_and_the_run_length_asked_for() {
        check(Loss::Independent { share: 0.1 }, 0.1, 1.0 / 0.9);
        check(Loss::Independent { share: 0.5 }, 0.5, 2.0);
        check(
            Loss::Bursts {
                share: 0.1,
                burst_packets: 5.0,
            },
            0.1,
            5.0,
        );
        check(
            Loss::Bursts {
                share: 0.5,
                burst_packets: 20.0,
            },
            0.5,
            20.0,
        );
        check(
            Loss::Bursts {
                share: 0.02,
                burst_packets: 1.0,
            },
            0.02,
            1.0,
        );
        check(
            Loss::Bursts {
                share: 0.8,
                burst_packets: 4.0,
            },
            0.8,
            4.0,
        );
    }

    #[test]
    fn extremes_lose_all_or_nothing() {
        assert_eq!(measure(Loss::Independent { share: 1.0 }).0, 1.0);
        assert_eq!(measure(Loss::Independent { share: 0.0 }).0, 0.0);
        assert_eq!(
            measure(Loss::Bursts {
                share: 0.0,
                burst_packets: 3.0
            })
            .0,
            0.0
        );
    }

    #[test]
    fn impossible_losses_are_refused() {
        let fails = |loss| assert!(LossModel::new(loss, 1).is_err(), "{loss:?}");
        fails(Loss::Independent { share: 1.1 });
        fails(Loss::Independent { share: f64::NAN });
        fails(Loss::Bursts {
            share: 1.0,
            burst_packets: 9.0,
        });
        fails(Loss::Bursts {
            share: 0.1,
            burst_packets: 0.5,
        });
        fails(Loss::Bursts {
            share: 0.1,
            burst_packets: f64::NAN,
        });
        let error = LossModel::new(
            Loss::Bursts {
                share: 0.75,
                burst_packets: 2.0,
            },
            1,
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "bursts of 2 packets cannot lose a share of 0.75; use at least 3"
        );
    }
}
