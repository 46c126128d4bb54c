//! A client's fixes over time: what is remembered between two fixes.

use nalgebra::{Matrix2, Point2, Vector2};
use site::FloorIndex;

use crate::evidence::Offset;
use crate::limits::TRACK_SILENCE_MAX_S;
use crate::posterior::PlacePrior;

mod clock;
mod motion;
mod packed;

use clock::Clock;
use motion::{Motion, State};
use packed::{PackedCovariance, PackedState, whole};

/// How much better a place out of reach must explain one fix, in nats, for the fix to be held back.
const DOUBT_OF_FIX_NATS: f32 = 6.0;

/// Doubt at which a track starts anew, in nats: it grows by what places out of reach explain
/// better, up to a bound per fix, and shrinks by an allowance, as shadowing favours wrong places
/// now and then.
///
/// # Source
/// Page's cumulative sum test, Biometrika 41 (1954).
const DOUBT_OF_TRACK_NATS: f32 = 6.0;
const DOUBT_PER_FIX_MAX_NATS: f32 = 3.0;
const DOUBT_ALLOWANCE_NATS: f32 = 0.2;

/// Steps per nat in which doubt is stored.
const DOUBT_STEPS: f32 = 8.0;

/// Steps per decibel in which a client's mean offset is stored; it ends at 64 dB.
const OFFSET_STEPS: f64 = 512.0;

/// Chance per second that a client changes floors.
const FLOOR_CHANGE_PER_S: f64 = 0.01;

/// Distance in metres over which shadowing stays alike: fixes closer than that share their errors,
/// and each of them counts for a part only.
const SHADOW_M: f64 = 3.0;

/// Share of a fix's error that is fading, new with each packet, and seconds until there is a new
/// packet.
const FADING_SHARE: f64 = 0.5;
const FADING_S: f64 = 0.5;

/// Speed that even a client at rest has: people turn, doors open.
const IDLE_M_PER_S: f64 = 0.1;

/// Time over which the errors of successive fixes stay shared, in seconds, and the most by which
/// that may widen the variance. With them the stated regions of tracks hold the truth in 57 % and
/// 88 % of cases in a simulated office at two fixes a second, and in 69 % and 93 % on ten real
/// sets.
const ECHO_S: f64 = 10.0;
const ECHO_MAX: f64 = 6.0;

/// Time over which a client's pace is learned, in seconds: long enough to tell a walk from two
/// errors in a row, short enough that somebody who gets up is followed.
const PACE_MEMORY_S: f64 = 10.0;

/// Least and most of that pace, along one axis: nobody indoors is known to stay for ever, and runners
/// are rare.
const PACE_M_PER_S: (f64, f64) = (0.2, 1.2);

/// Smallest deviation of a learned offset in dB: antennas turn and hands move.
const OFFSET_DEVIATION_MIN_DB: f64 = 1.5;

/// Share of a fix's estimate of the offsets that is taken over.
///
/// Errors of place and offset explain each other: a track that learns its offset from its own
/// places as fast as each fix alone suggests walks away with both. Slowly learned, it helps.
const OFFSET_NEWS: f64 = 0.05;

/// Drift of a client's offset, in dB^2 per second.
const OFFSET_DRIFT_DB2_PER_S: f64 = 0.02;

/// What is remembered of one client between fixes; all zero for a client never seen.
///
/// Small and `Copy`: a worker keeps one beside each client's line.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Track {
    at: Clock,
    state: PackedState,
    /// In steps of a part of a decibel.
    offset_mean: [i16; 2],
    offset_covariance_db2: PackedCovariance,
    /// In parts of 65,535.
    floor_probability: u16,
    /// In parts of 65,535.
    rival_probability: u16,
    /// Root mean square speed along one axis in mm/s; 0 before it is known.
    pace: u16,
    floor: u8,
    rival: u8,
    /// In steps of a part of a nat.
    doubt: u8,
    is_started: bool,
}

const _: () = assert!(size_of::<Track>() == 56);

/// A new estimate of place, floor and offset, with the track's memory already in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) mean_in_site: Point2<f64>,
    pub(crate) covariance_m2: Matrix2<f64>,
    pub(crate) floor: FloorIndex,
    pub(crate) floor_probability: f64,
    pub(crate) rival_floor: FloorIndex,
    pub(crate) rival_probability: f64,
    pub(crate) offset: Option<Offset>,
}

/// What follows from a fix that contradicts the motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The motion explains it.
    Plausible,
    /// It does not, but that may pass: hold the track.
    Doubtful,
    /// It did not for several fixes: start anew.
    Elsewhere,
}

impl Track {
    /// Brings the track to `now_s`; one that was silent for too long, or whose clock ran back, is
    /// forgotten.
    ///
    /// Returns the seconds since the last fix, `None` when there is nothing to continue.
    pub(crate) fn advance(&mut self, now_s: f64) -> Option<f64> {
        let now = Clock::new(now_s);
        let passed_s = now
            .map(|now| now.since_s(self.at))
            .filter(|passed_s| self.is_started && (0.0..=TRACK_SILENCE_MAX_S).contains(passed_s));
        let (Some(now), Some(passed_s)) = (now, passed_s) else {
            *self = Self::default();
            return None;
        };
        let state = self.state.state().predict(&self.motion(), passed_s);
        self.state = PackedState::new(&state);
        self.at = now;
        if self.knows_offset() {
            let drift = Matrix2::identity() * (OFFSET_DRIFT_DB2_PER_S * passed_s);
            let covariance = self.offset_covariance_db2.matrix() + drift;
            self.offset_covariance_db2 = PackedCovariance::new(&covariance);
        }
        let stay = (-FLOOR_CHANGE_PER_S * passed_s).exp() as f32;
        self.floor_probability = fixed(loose(self.floor_probability) * stay);
        self.rival_probability = fixed(loose(self.rival_probability) * stay);
        Some(passed_s)
    }

    /// Exponent of the likelihood of a fix that follows another one so closely: the share of its
    /// errors that are not those of the fix before.
    pub(crate) fn temper(&self, passed_s: f64) -> f64 {
        let walked_m = (self.velocity_m_per_s().norm() + IDLE_M_PER_S) * passed_s;
        let fading = FADING_SHARE * (passed_s / FADING_S).min(1.0);
        fading + (1.0 - FADING_SHARE) * (1.0 - (-walked_m / SHADOW_M).exp())
    }

    /// Where the client should be by now.
    pub(crate) fn place(&self) -> Option<PlacePrior> {
        let state = self.is_started.then(|| self.state.state())?;
        Some(PlacePrior {
            mean_in_site: state.position,
            covariance_m2: state.covariance,
        })
    }

    /// The client's offsets, or those of a client of whom nothing is known.
    pub(crate) fn offset(&self, population_deviation_db: f64) -> Offset {
        if !self.knows_offset() {
            return Offset::unknown(population_deviation_db);
        }
        Offset {
            mean_db: self.offset_mean_db(),
            covariance_db2: self.offset_covariance_db2.matrix(),
        }
    }

    fn knows_offset(&self) -> bool {
        !self.offset_covariance_db2.is_none()
    }

    fn offset_mean_db(&self) -> Vector2<f64> {
        Vector2::from(
            self.offset_mean
                .map(|steps| f64::from(steps) / OFFSET_STEPS),
        )
    }

    /// Log-probability of each floor; what neither the best nor the second best have is shared out.
    pub(crate) fn floors_log(&self, floors: &mut [f32]) {
        let count = floors.len();
        if !self.is_started || count < 2 {
            floors.fill(0.0);
            return;
        }
        let named = if self.rival == self.floor { 1 } else { 2 };
        let [best, second] = [self.floor_probability, self.rival_probability].map(loose);
        let rest = (1.0 - best - second).max(1e-6);
        let share = rest / count as f32;
        for (index, floor) in floors.iter_mut().enumerate() {
            let known = match index {
                index if index == usize::from(self.floor) => best,
                index if named == 2 && index == usize::from(self.rival) => second,
                _ => 0.0,
            };
            *floor = (known + share).ln();
        }
    }

    /// The floor the track believes in.
    pub(crate) fn floor(&self) -> (FloorIndex, f64) {
        (FloorIndex(self.floor), loose(self.floor_probability).into())
    }

    /// Whether to believe a fix, by how much better a place out of reach explains what was heard.
    pub(crate) fn judge(&mut self, surprise_nats: f32, temper: f64) -> Verdict {
        let news_nats = (temper as f32 * surprise_nats).min(DOUBT_PER_FIX_MAX_NATS);
        let before_nats = f32::from(self.doubt) / DOUBT_STEPS;
        let doubt_nats = (before_nats + news_nats - DOUBT_ALLOWANCE_NATS).max(0.0);
        if doubt_nats >= DOUBT_OF_TRACK_NATS {
            return Verdict::Elsewhere;
        }
        self.doubt = (doubt_nats * DOUBT_STEPS).round() as u8;
        if surprise_nats < DOUBT_OF_FIX_NATS {
            Verdict::Plausible
        } else {
            Verdict::Doubtful
        }
    }

    /// By how much the variance of an estimate is larger than the filter believes; at least 1.
    ///
    /// The filter counts fixes in shadow as news, for it would lag behind a walker otherwise. If
    /// their errors are wholly shared, a run of fixes is worth a single one, whose variance is that
    /// of the estimate times `temper / (1 - k)`, where `k` is the share of the information that
    /// came from memory. The truth lies between, the nearer to it the closer the fixes follow each
    /// other.
    pub(crate) fn echo(&self, estimate: &Estimate, temper: f64, passed_s: f64) -> f64 {
        let Some(before) = self.state.state().covariance.try_inverse() else {
            return 1.0;
        };
        let from_memory = (estimate.covariance_m2 * before).trace() / 2.0;
        let alone = temper / (1.0 - from_memory).max(0.01);
        let shared = (-passed_s / ECHO_S).exp();
        (1.0 + shared * (alone - 1.0)).clamp(1.0, ECHO_MAX)
    }

    /// Takes the estimate as the new state; a track that is not started starts with it.
    ///
    /// `passed_s` is the time since the fix before, `None` for the first.
    pub(crate) fn accept(
        &mut self,
        estimate: &Estimate,
        temper: f64,
        now_s: f64,
        passed_s: Option<f64>,
    ) {
        let state = if self.is_started {
            self.state
                .state()
                .condition(estimate.mean_in_site, &estimate.covariance_m2)
        } else {
            State::at(
                estimate.mean_in_site,
                &estimate.covariance_m2,
                &Motion::WALK,
            )
        };
        self.state = PackedState::new(&state);
        if let Some(passed_s) = passed_s {
            self.learn_pace(&state, passed_s);
        }
        self.learn_offset(estimate.offset, temper);
        self.floor = estimate.floor.0;
        self.rival = estimate.rival_floor.0;
        self.floor_probability = fixed(estimate.floor_probability as f32);
        self.rival_probability = fixed(estimate.rival_probability as f32);
        // After a time that cannot be, there is nothing to continue.
        let at = Clock::new(now_s);
        self.at = at.unwrap_or_default();
        self.is_started = at.is_some();
    }

    /// How this client moves: as people do, at the pace that was learned of it.
    fn motion(&self) -> Motion {
        if self.pace == 0 {
            return Motion::WALK;
        }
        Motion {
            speed_m_per_s: f64::from(self.pace) * 1e-3,
            ..Motion::WALK
        }
    }

    /// Moves the pace towards the expected square of the velocity.
    ///
    /// # Source
    /// Expectation and maximisation of a state's noise, on line: Cappe and Moulines, J. R. Stat.
    /// Soc. B 71 (2009).
    fn learn_pace(&mut self, state: &State, passed_s: f64) {
        let news = 1.0 - (-passed_s / PACE_MEMORY_S).exp();
        let known = self.motion().speed_m_per_s.powi(2);
        let power = known + news * (state.power() - known);
        let pace_m_per_s = power.max(0.0).sqrt().clamp(PACE_M_PER_S.0, PACE_M_PER_S.1);
        self.pace = (pace_m_per_s * 1e3 + 0.5) as u16;
    }

    /// Moves the offsets by a part of what the fix says.
    fn learn_offset(&mut self, offset: Option<Offset>, temper: f64) {
        let Some(offset) = offset else { return };
        let news = if self.knows_offset() {
            OFFSET_NEWS * temper
        } else {
            1.0
        };
        let (mean, known) = (self.offset_mean_db(), self.offset_covariance_db2.matrix());
        let mut covariance = known + (offset.covariance_db2 - known) * news;
        let missing = OFFSET_DEVIATION_MIN_DB.powi(2) - covariance.m11.min(covariance.m22);
        covariance += Matrix2::identity() * missing.max(0.0);
        let mean = mean + (offset.mean_db - mean) * news;
        self.offset_mean = [mean.x, mean.y].map(|db| whole((db * OFFSET_STEPS) as f32));
        self.offset_covariance_db2 = PackedCovariance::new(&covariance);
    }

    /// Velocity in metres per second.
    pub fn velocity_m_per_s(&self) -> Vector2<f64> {
        self.state.state().velocity
    }

    /// Learned transmit offsets of the client against the model's nominal one, at 2.4 GHz and
    /// above, in dB, each with its standard deviation; `None` before the first fix.
    pub fn offsets_db(&self) -> Option<[(f64, f64); 2]> {
        let (mean, covariance) = (self.offset_mean_db(), self.offset_covariance_db2.matrix());
        self.knows_offset().then(|| {
            [
                (mean.x, covariance.m11.sqrt()),
                (mean.y, covariance.m22.sqrt()),
            ]
        })
    }
}

/// The probability that is stored as so many parts of 65,535.
fn loose(parts: u16) -> f32 {
    f32::from(parts) / f32::from(u16::MAX)
}

/// A probability in parts of 65,535.
fn fixed(probability: f32) -> u16 {
    (probability.clamp(0.0, 1.0) * f32::from(u16::MAX) + 0.5) as u16
}
