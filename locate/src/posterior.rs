//! Where a client is, given what was heard: the posterior over the grid.
//!
//! Two passes. The coarse one scores every tile of every floor; the fine one scores the sixteen
//! cells of the tiles that matter. Mean, covariance and the probability of each floor are sums over
//! both: no iteration, no local optimum.

use nalgebra::{Matrix2, Point2, Vector2};
use site::FloorIndex;

use crate::evidence::Evidence;
use crate::grid::Grid;
use crate::lanes::{LANES, Lanes, NOWHERE, at_least, exp, lanes, larger_lanes, largest, places};
use crate::limits::FINE_TILES_MAX;
use crate::model::Model;
use crate::wide::{self, Kernel};

mod moments;
mod score;

use moments::{Moments, Sums};
use score::{Place, REACH_SQUARED, Scorer};

/// Tiles this far below the best one, in nats, hold nothing worth adding.
const DEPTH_NATS: f32 = 9.0;

/// Resolution in which the tiles to look at closely are chosen, in nats.
const STEP_NATS: f32 = 0.5;
const STEPS: usize = (DEPTH_NATS / STEP_NATS) as usize;

/// What was known of the place before this fix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacePrior {
    pub(crate) mean_in_site: Point2<f64>,
    pub(crate) covariance_m2: Matrix2<f64>,
}

/// Everything that enters a posterior beside the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) evidence: &'a Evidence,
    /// `None` for a client seen for the first time.
    pub(crate) place: Option<PlacePrior>,
    /// Log-probability of each floor; empty where all are alike.
    pub(crate) floors_log: &'a [f32],
    /// Exponent of the likelihood: below 1 where errors repeat those of the fix before.
    pub(crate) temper: f32,
}

/// Summary of the posterior on its best floor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posterior {
    pub(crate) floor: FloorIndex,
    pub(crate) floor_probability: f64,
    /// The next best floor with its probability; the best one again where there is no other.
    pub(crate) rival_floor: FloorIndex,
    pub(crate) rival_probability: f64,
    pub(crate) mean_in_site: Point2<f64>,
    pub(crate) covariance_m2: Matrix2<f64>,
    /// What this fix says of the client's offsets beyond their prior mean, in dB.
    pub(crate) offset_shift_db: Vector2<f64>,
    /// Covariance of the offsets, in dB^2.
    pub(crate) offset_covariance_db2: Matrix2<f64>,
    /// How much better than the places within reach of the prior the best of all places explains
    /// what was heard, in nats; 0 without a prior.
    pub(crate) surprise_nats: f32,
}

/// Memory of the passes, reused for every fix.
#[derive(Debug)]
pub(crate) struct Scratch {
    scores: Vec<Lanes>,
    offsets: Vec<[Lanes; 2]>,
    /// How well tiles within reach of the prior explain what was heard.
    explained_near: Vec<Lanes>,
    best_of_block: Vec<f32>,
    /// Blocks with a tile that matters, in order.
    promising: Vec<usize>,
    floors: Vec<Moments>,
}

impl Scratch {
    /// Memory for fixes in this model.
    pub(crate) fn new(model: &Model) -> Self {
        let blocks = model.map.grid.blocks.len();
        Self {
            scores: vec![[NOWHERE; LANES]; blocks],
            offsets: vec![[[0.0; LANES]; 2]; blocks],
            explained_near: vec![[NOWHERE; LANES]; blocks],
            best_of_block: vec![NOWHERE; blocks],
            promising: Vec::with_capacity(blocks),
            floors: vec![Moments::default(); model.storeys.len()],
        }
    }

    /// The posterior for one question. Cost: radios times tiles, no allocation.
    pub(crate) fn solve(&mut self, model: &Model, question: &Question<'_>) -> Posterior {
        wide::run(Solve {
            scratch: self,
            model,
            question,
        })
    }

    #[inline(always)]
    fn passes(&mut self, model: &Model, question: &Question<'_>) -> Posterior {
        let grid = &model.map.grid;
        let scorer = Scorer::new(model, question);
        let coarse = self.score_tiles(grid, &scorer);
        self.find_promising(coarse.best);
        let fine_from = self.fine_threshold(coarse.best);
        let reference = Reference {
            score: coarse.best,
            place: self.best_place(grid, coarse.best),
        };
        self.sum_up(grid, &scorer, fine_from, &reference);
        let mut posterior = self.summarise(grid, question, &reference);
        posterior.surprise_nats = coarse.surprise_nats;
        posterior
    }

    #[inline(always)]
    fn score_tiles(&mut self, grid: &Grid, scorer: &Scorer<'_>) -> CoarsePass {
        let (mut best, mut likeliest) = ([NOWHERE; LANES], [NOWHERE; LANES]);
        for (floor, blocks) in grid.floors.iter().enumerate() {
            for block in blocks.clone() {
                let tiles = &grid.blocks[block];
                let place = Place {
                    floor,
                    x_m: &tiles.x_m,
                    y_m: &tiles.y_m,
                };
                let likelihood = scorer.tiles(block, &place);
                let prior = scorer.prior(&place);
                let explained = lanes(|lane| {
                    if tiles.log_cells[lane] >= 0.0 {
                        likelihood.log[lane]
                    } else {
                        NOWHERE
                    }
                });
                self.explained_near[block] = lanes(|lane| {
                    if prior.away_squared[lane] < REACH_SQUARED {
                        explained[lane]
                    } else {
                        NOWHERE
                    }
                });
                let scores =
                    lanes(|lane| explained[lane] + prior.log[lane] + tiles.log_cells[lane]);
                likeliest = larger_lanes(&likeliest, &explained);
                best = larger_lanes(&best, &scores);
                self.scores[block] = scores;
                self.offsets[block] = likelihood.offset_sums;
                self.best_of_block[block] = largest(&scores);
            }
        }
        CoarsePass {
            best: largest(&best),
            surprise_nats: largest(&likeliest) - self.likeliest_near(),
        }
    }

    /// A loop of its own: beside the maxima of the first one the compiler would no longer see lanes.
    #[inline(always)]
    fn likeliest_near(&self) -> f32 {
        let near = self.explained_near.iter();
        largest(&near.fold([NOWHERE; LANES], |most, here| larger_lanes(&most, here)))
    }

    fn find_promising(&mut self, best: f32) {
        self.promising.clear();
        for (block, &best_here) in self.best_of_block.iter().enumerate() {
            if best_here > best - DEPTH_NATS {
                self.promising.push(block);
            }
        }
    }

    /// The score from which tiles are looked at cell by cell: as deep as [`FINE_TILES_MAX`] allows,
    /// in steps.
    #[inline(always)]
    fn fine_threshold(&self, best: f32) -> f32 {
        // More steps hold no fewer tiles, so halving finds how many hold few enough. The best step
        // is looked at in any case: a flat posterior then costs more, not less truth.
        let (mut steps, mut too_many) = (1, STEPS + 1);
        while steps + 1 < too_many {
            let middle = (steps + too_many) / 2;
            if self.tiles_within(best, STEP_NATS * middle as f32) <= FINE_TILES_MAX {
                steps = middle;
            } else {
                too_many = middle;
            }
        }
        best - STEP_NATS * steps as f32
    }

    /// How many tiles score less than this below the best.
    #[inline(always)]
    fn tiles_within(&self, best: f32, depth_nats: f32) -> usize {
        let mut counts = [0u32; LANES];
        for &block in &self.promising {
            let scores = &self.scores[block];
            for lane in 0..LANES {
                counts[lane] += u32::from(best - scores[lane] < depth_nats);
            }
        }
        counts.iter().sum::<u32>() as usize
    }

    fn best_place(&self, grid: &Grid, best: f32) -> [f32; 2] {
        for &block in &self.promising {
            if self.best_of_block[block] >= best {
                let here = |&score: &f32| score >= best;
                let lane = self.scores[block].iter().position(here).unwrap_or(0);
                return [grid.blocks[block].x_m[lane], grid.blocks[block].y_m[lane]];
            }
        }
        [0.0; 2]
    }

    /// Adds up the places floor by floor: tiles above the threshold cell by cell, the others as
    /// they are.
    #[inline(always)]
    fn sum_up(&mut self, grid: &Grid, scorer: &Scorer<'_>, fine_from: f32, reference: &Reference) {
        let depth_from = reference.score - DEPTH_NATS;
        let mut promising = self.promising.as_slice();
        for (floor, blocks) in grid.floors.iter().enumerate() {
            let mut sums = Sums::new(reference.place);
            while let Some((&block, rest)) = promising.split_first()
                && block < blocks.end
            {
                promising = rest;
                let scores = &self.scores[block];
                let tiles = &grid.blocks[block];
                let weights = lanes(|lane| {
                    let score = scores[lane];
                    let weight = exp(score - reference.score);
                    if score > depth_from && score < fine_from {
                        weight
                    } else {
                        0.0
                    }
                });
                sums.add_tiles(&weights, &tiles.x_m, &tiles.y_m, &self.offsets[block]);
                for lane in places(at_least(scores, fine_from)) {
                    let tile_index = block * LANES + lane;
                    let tile = &grid.tiles[tile_index];
                    let (x_m, y_m) = tile.cell_middles(grid.cell_m as f32);
                    let place = Place {
                        floor,
                        x_m: &x_m,
                        y_m: &y_m,
                    };
                    let cells = scorer.cells(tile_index, &place);
                    let prior = scorer.prior(&place);
                    let allowed = tile.log_allowed();
                    let weights = lanes(|cell| {
                        exp(cells.log[cell] + prior.log[cell] + allowed[cell] - reference.score)
                    });
                    sums.add_cells(&weights, &x_m, &y_m, &cells.offset_sums);
                }
            }
            self.floors[floor] = sums.moments((4.0 * grid.cell_m).powi(2) / 12.0);
        }
    }

    fn summarise(&self, grid: &Grid, question: &Question<'_>, reference: &Reference) -> Posterior {
        let total: f64 = self.floors.iter().map(|moments| moments.mass).sum();
        let (floor, rival) = best_two(&self.floors);
        let moments = &self.floors[floor];
        let mean = moments.mean;
        let place = Vector2::new(f64::from(reference.place[0]), f64::from(reference.place[1]));
        let cell_variance = grid.cell_m.powi(2) / 12.0;
        let given_place = question.evidence.offset_covariance_db2;
        let has_rival = rival != floor;
        Posterior {
            floor: FloorIndex(floor as u8),
            floor_probability: (moments.mass / total).clamp(f64::MIN_POSITIVE, 1.0),
            rival_floor: FloorIndex(rival as u8),
            rival_probability: if has_rival {
                self.floors[rival].mass / total
            } else {
                0.0
            },
            mean_in_site: grid.origin + place + mean,
            covariance_m2: moments.covariance + Matrix2::identity() * cell_variance,
            offset_shift_db: given_place * moments.offset_mean,
            offset_covariance_db2: given_place
                + given_place * moments.offset_covariance * given_place,
            surprise_nats: 0.0,
        }
    }
}

/// All of a solve, compiled for the widest vectors of the machine.
struct Solve<'a> {
    scratch: &'a mut Scratch,
    model: &'a Model,
    question: &'a Question<'a>,
}

impl Kernel for Solve<'_> {
    type Answer = Posterior;

    #[inline(always)]
    fn compute(self) -> Posterior {
        self.scratch.passes(self.model, self.question)
    }
}

/// What the coarse pass found.
struct CoarsePass {
    best: f32,
    surprise_nats: f32,
}

/// Score and place against which the sums are taken, so that nothing overflows or cancels.
struct Reference {
    score: f32,
    place: [f32; 2],
}

fn best_two(floors: &[Moments]) -> (usize, usize) {
    let heaviest = |but: Option<usize>| {
        (0..floors.len())
            .filter(|&floor| Some(floor) != but)
            .max_by(|&a, &b| floors[a].mass.total_cmp(&floors[b].mass))
    };
    let best = heaviest(None).unwrap_or(0);
    (best, heaviest(Some(best)).unwrap_or(best))
}

#[cfg(test)]
mod tests;
