//! How far fixes are from the truth, at the fix's own time.

use std::sync::{Arc, Mutex, PoisonError};

use hdrhistogram::Histogram;
use ingest::SentFix;

use super::world::Stage;
use crate::node::FixReader;

/// Largest error told apart, in millimetres.
const ERROR_MM_MAX: u64 = 1_000_000;

/// Compares fixes with the simulated world. Clones share the count.
#[derive(Clone)]
pub(super) struct Score {
    stage: Arc<Stage>,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug)]
struct Counts {
    error_mm: Histogram<u64>,
    floors_right: u64,
}

/// What the comparison came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accuracy {
    pub(super) fixes: u64,
    pub(super) median_error_m: f64,
    pub(super) p90_error_m: f64,
    pub(super) floor_accuracy: f64,
}

impl Score {
    /// Compares with the world on this stage.
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        let error_mm = Histogram::new_with_max(ERROR_MM_MAX, 3).expect("constant bounds are valid");
        Self {
            stage,
            counts: Arc::new(Mutex::new(Counts {
                error_mm,
                floors_right: 0,
            })),
        }
    }

    /// What the node hands its fixes to.
    pub(super) fn reader(&self) -> FixReader {
        let score = self.clone();
        Box::new(move |fixes| score.handle_fixes(fixes))
    }

    fn handle_fixes(&self, fixes: &[SentFix]) {
        let world = self.stage.world();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for sent in fixes {
            let Some(client) = self.stage.client(sent.client) else {
                continue;
            };
            let fix_us = sent
                .sent_at_us
                .saturating_sub((sent.fix.age_s * 1e6) as u64);
            let at = self.stage.world_time(fix_us).min(world.now());
            let Some((truth, floor)) = world.truth_at(client, at) else {
                continue;
            };
            let error = sent.fix.position_in_site.xy() - truth.xy();
            counts
                .error_mm
                .saturating_record((error.norm() * 1e3) as u64);
            counts.floors_right += u64::from(sent.fix.floor == floor);
        }
    }

    /// The result so far.
    pub(super) fn accuracy(&self) -> Accuracy {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fixes = counts.error_mm.len();
        let metres = |quantile| counts.error_mm.value_at_quantile(quantile) as f64 * 1e-3;
        Accuracy {
            fixes,
            median_error_m: metres(0.5),
            p90_error_m: metres(0.9),
            floor_accuracy: counts.floors_right as f64 / fixes.max(1) as f64,
        }
    }
}
