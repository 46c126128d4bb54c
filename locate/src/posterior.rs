//! Where a client is, given what was heard: the posterior over the grid.
//!
//! Two passes. The coarse one scores every tile of every floor; the fine one scores the sixteen
//! cells of the tiles that matter. Mean, covariance and the probability of each floor are sums over
//! both: no iteration, no local optimum.

use nalgebra::{Matrix2, Point2, Vector2};
use site::FloorIndex;

use crate::evidence::Evidence;
use crate::grid::Grid;
use crate::lanes::{LANES, NOWHERE, Row, exp, largest, places};
use crate::limits::FINE_TILES_MAX;
use crate::model::Model;
use crate::wide::{self, Kernel, Vector};

mod moments;
mod score;

use moments::{Moments, Sums};
use score::{OffsetSums, Place, REACH_SQUARED, Residuals, Scorer};

/// Tiles this far below the best one, in nats, hold nothing worth adding.
const DEPTH_NATS: f32 = 9.0;

/// Blocks that the coarse pass scores together where the machine has room for their sums in its
/// registers.
const BLOCKS_AT_ONCE: usize = 2;

/// Blocks whose tiles fill a word with a bit each.
const WORD_BLOCKS: usize = u64::BITS as usize / LANES;

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
    scores: Vec<Row>,
    offsets: Vec<OffsetSums>,
    /// Blocks with a tile that matters, in order; behind them, anything.
    promising: Vec<usize>,
    promising_len: usize,
    floors: Vec<Moments>,
}

impl Scratch {
    /// Memory for fixes in this model.
    pub(crate) fn new(model: &Model) -> Self {
        let blocks = model.map.grid.blocks.len();
        Self {
            scores: vec![Row([NOWHERE; LANES]); blocks],
            offsets: vec![[Row([0.0; LANES]); 2]; blocks],
            promising: vec![0; blocks],
            promising_len: 0,
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
    fn passes<V: Vector>(&mut self, model: &Model, question: &Question<'_>) -> Posterior {
        let grid = &model.map.grid;
        let scorer = Scorer::new(model, question);
        let coarse = self.score_tiles::<V>(grid, &scorer);
        self.find_promising::<V>(coarse.best);
        let fine_from = self.fine_threshold::<V>(coarse.best);
        let reference = Reference {
            score: coarse.best,
            place: self.best_place::<V>(grid, coarse.best),
        };
        self.sum_up::<V>(grid, &scorer, fine_from, &reference);
        let mut posterior = self.summarise(grid, question, &reference);
        posterior.surprise_nats = coarse.surprise_nats;
        posterior
    }

    #[inline(always)]
    fn score_tiles<V: Vector>(&mut self, grid: &Grid, scorer: &Scorer<'_>) -> CoarsePass {
        let mut most = Most {
            score: V::splat(NOWHERE),
            explained: V::splat(NOWHERE),
            explained_near: V::splat(NOWHERE),
        };
        for (floor, blocks) in grid.floors.iter().enumerate() {
            let mut next = blocks.start;
            while V::IS_ROOMY && next + BLOCKS_AT_ONCE <= blocks.end {
                self.score_blocks::<V, BLOCKS_AT_ONCE>(grid, scorer, floor, next, &mut most);
                next += BLOCKS_AT_ONCE;
            }
            for block in next..blocks.end {
                self.score_blocks::<V, 1>(grid, scorer, floor, block, &mut most);
            }
        }
        let most_near = largest(&most.explained_near.lanes());
        CoarsePass {
            best: largest(&most.score.lanes()),
            surprise_nats: largest(&most.explained.lanes()) - most_near,
        }
    }

    #[inline(always)]
    fn score_blocks<V: Vector, const N: usize>(
        &mut self,
        grid: &Grid,
        scorer: &Scorer<'_>,
        floor: usize,
        first: usize,
        most: &mut Most<V>,
    ) {
        let floor_log = scorer.floor_log(floor);
        let residuals: [Residuals<V>; N] = scorer.residuals_of_tiles(first);
        for (block, residuals) in (first..).zip(&residuals) {
            let tiles = &grid.blocks[block];
            let place = Place {
                floor,
                x_m: &tiles.x_m,
                y_m: &tiles.y_m,
            };
            let offsets = &mut self.offsets[block];
            let likelihood = scorer.tiles(block, &place, residuals, offsets);
            let prior = scorer.prior(floor_log, V::load(&tiles.x_m), V::load(&tiles.y_m));
            let (nowhere, log_cells) = (V::splat(NOWHERE), V::load(&tiles.log_cells));
            let explained = log_cells.where_less(V::splat(0.0), nowhere, likelihood);
            let reach = V::splat(REACH_SQUARED);
            let near = prior.away_squared.where_less(reach, explained, nowhere);
            let score = explained + prior.log + log_cells;
            most.explained = most.explained.larger(explained);
            most.explained_near = most.explained_near.larger(near);
            most.score = most.score.larger(score);
            score.store(&mut self.scores[block].0);
        }
    }

    /// Without a branch: which blocks they are is as good as random.
    #[inline(always)]
    fn find_promising<V: Vector>(&mut self, best: f32) {
        let bound = V::splat(best - DEPTH_NATS);
        let mut len = 0;
        for (block, scores) in self.scores.iter().enumerate() {
            self.promising[len] = block;
            len += usize::from(V::load(&scores.0).at_least(bound) != 0);
        }
        self.promising_len = len;
    }

    fn promising(&self) -> &[usize] {
        &self.promising[..self.promising_len]
    }

    /// The score from which tiles are looked at cell by cell: as deep as [`FINE_TILES_MAX`] allows,
    /// in steps.
    #[inline(always)]
    fn fine_threshold<V: Vector>(&self, best: f32) -> f32 {
        // More steps hold no fewer tiles, so halving finds how many hold few enough. The best step
        // is looked at in any case: a flat posterior then costs more, not less truth.
        let (mut steps, mut too_many) = (1, STEPS + 1);
        while steps + 1 < too_many {
            let middle = (steps + too_many) / 2;
            if self.tiles_from::<V>(best - STEP_NATS * middle as f32) <= FINE_TILES_MAX {
                steps = middle;
            } else {
                too_many = middle;
            }
        }
        best - STEP_NATS * steps as f32
    }

    /// How many tiles score at least this.
    #[inline(always)]
    fn tiles_from<V: Vector>(&self, bound: f32) -> usize {
        let count = |&block: &usize| self.at_least::<V>(block, bound).count_ones() as usize;
        self.promising().iter().map(count).sum()
    }

    /// The tiles of a block that score at least this, as a bit each.
    #[inline(always)]
    fn at_least<V: Vector>(&self, block: usize, bound: f32) -> u16 {
        V::load(&self.scores[block].0).at_least(V::splat(bound))
    }

    #[inline(always)]
    fn best_place<V: Vector>(&self, grid: &Grid, best: f32) -> [f32; 2] {
        for &block in self.promising() {
            let bits = self.at_least::<V>(block, best);
            if let Some(lane) = places(bits.into()).next() {
                return [grid.blocks[block].x_m[lane], grid.blocks[block].y_m[lane]];
            }
        }
        [0.0; 2]
    }

    /// The tiles of these blocks that are looked at cell by cell, as a bit each.
    #[inline(always)]
    fn fine_tiles<V: Vector>(&self, blocks: &[usize], fine_from: f32) -> u64 {
        let (mut bits, mut shift) = (0, 0);
        for &block in blocks {
            bits |= u64::from(self.at_least::<V>(block, fine_from)) << shift;
            shift += LANES;
        }
        bits
    }

    /// Adds up the places floor by floor: tiles above the threshold cell by cell, the others as
    /// they are.
    #[inline(always)]
    fn sum_up<V: Vector>(
        &mut self,
        grid: &Grid,
        scorer: &Scorer<'_>,
        fine_from: f32,
        reference: &Reference,
    ) {
        let depth_from = reference.score - DEPTH_NATS;
        let none = V::splat(0.0);
        let mut promising = &self.promising[..self.promising_len];
        for (floor, blocks) in grid.floors.iter().enumerate() {
            let floor_log = scorer.floor_log(floor);
            let mut sums = Sums::<V>::new(reference.place);
            let here = promising.partition_point(|&block| block < blocks.end);
            let (here, others) = promising.split_at(here);
            promising = others;
            for blocks in here.chunks(WORD_BLOCKS) {
                for bit in places(self.fine_tiles::<V>(blocks, fine_from)) {
                    scorer.fetch_cells::<V>(blocks[bit / LANES] * LANES + bit % LANES);
                }
            }
            for &block in here {
                let tiles = &grid.blocks[block];
                let score = V::load(&self.scores[block].0);
                let weight = exp(score - V::splat(reference.score));
                let deep = score.where_less(V::splat(depth_from), none, weight);
                let weight = score.where_less(V::splat(fine_from), deep, none);
                let (x_m, y_m) = (V::load(&tiles.x_m), V::load(&tiles.y_m));
                sums.add_tiles(weight, x_m, y_m, &self.offsets[block], scorer.has_low());
            }
            for blocks in here.chunks(WORD_BLOCKS) {
                for bit in places(self.fine_tiles::<V>(blocks, fine_from)) {
                    let tile_index = blocks[bit / LANES] * LANES + bit % LANES;
                    let tile = &grid.tiles[tile_index];
                    let (x_m, y_m) = tile.cell_middles(grid.cell_m as f32);
                    let place = Place {
                        floor,
                        x_m: &x_m,
                        y_m: &y_m,
                    };
                    let mut offsets = [Row([0.0; LANES]); 2];
                    let mut log: V = scorer.cells(tile_index, &place, &mut offsets);
                    let (x_m, y_m) = (V::load(&x_m), V::load(&y_m));
                    log = log + scorer.prior(floor_log, x_m, y_m).log;
                    if tile.allowed != u16::MAX {
                        log = log + V::load(&tile.log_allowed());
                    }
                    let weight = exp(log - V::splat(reference.score));
                    sums.add_cells(weight, x_m, y_m, &offsets, scorer.has_low());
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
    fn compute<V: Vector>(self) -> Posterior {
        self.scratch.passes::<V>(self.model, self.question)
    }
}

/// The most of all tiles, in sixteen parts.
struct Most<V> {
    score: V,
    /// How well they explain what was heard.
    explained: V,
    /// The same of those within reach of the prior.
    explained_near: V,
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
