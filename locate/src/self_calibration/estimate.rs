//! What the links between anchors say about the paths of a site: a ridge fit to its physics.

use nalgebra::{DMatrix, DVector};
use site::{Band, Site};

use super::link::{Link, OPEN_SHARE};
use super::paths::{SPECTRA, Slabs, slabs_of, spectrum_of};
use crate::path_loss::{PathLoss, has_walls};

/// How far a band's level may stray from what powers and physics say, in dB: antennas of anchors,
/// and in a site without walls all that the fixed constants do not know.
const LEVEL_LEASH_DB: f64 = 4.0;
const LEVEL_LEASH_BLIND_DB: f64 = 8.0;

/// How far a band's exponent may stray.
const EXPONENT_LEASH: f64 = 0.4;

/// How far a slab may stray from its material: the file's material is often only a guess.
const SLAB_LEASH_DB: f64 = 6.0;

/// Constant errors of a radio's readings, and of its stated power, in dB.
///
/// # Source
/// AP receive offsets spread by 1.5 dB.
const RECEIVE_LEASH_DB: f64 = 1.5;
const SEND_LEASH_DB: f64 = 1.5;

/// Spread of a link about the physics in dB before the fit, and for how many links that counts.
const DEVIATION_PRIOR_DB: f64 = 5.0;
const DEVIATION_PRIOR_LINKS: f64 = 10.0;
const DEVIATION_MIN_DB: f64 = 1.5;

/// Exponents and slabs that there are.
const EXPONENTS: std::ops::RangeInclusive<f64> = 1.2..=6.0;
const SLABS_DB: std::ops::RangeInclusive<f64> = 0.0..=60.0;

/// Where slabs start, against the site file: a fit that starts with far too heavy ones takes every
/// link for an open path and never finds out.
const SLAB_STARTS: [f64; 3] = [1.0, 0.5, 0.2];

const ROUNDS: usize = 15;

/// Bands that send beacons.
pub(super) const BANDS: [Band; 4] = [Band::Ghz2, Band::Ghz5, Band::Ghz6, Band::Ble];

/// What may be learned; each scope holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Nothing that moves a fix: levels only, to compare with.
    Levels,
    /// Losses of slabs.
    Slabs,
    /// The exponent of each band.
    Exponents,
    /// What each radio reads too much or too little.
    Radios,
}

/// What links say.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    pub(super) scope: Scope,
    /// By [`BANDS`]: how much stronger links are than powers and physics say, in dB.
    pub(super) gains_db: [f64; BANDS.len()],
    /// By [`BANDS`].
    pub(super) exponents: [f64; BANDS.len()],
    /// By [`BANDS`].
    pub(super) deviations_db: [f64; BANDS.len()],
    pub(super) slabs: Slabs,
    /// By radio.
    pub(super) receive_db: Vec<f64>,
    /// By radio.
    pub(super) send_db: Vec<f64>,
}

/// Position of a band in [`BANDS`].
pub(super) fn band_number(band: Band) -> Option<usize> {
    BANDS.iter().position(|other| *other == band)
}

/// A link as one of its ways explains it.
struct Explained {
    residual_db: f64,
    /// Share of the power that went straight through: how much of a wall's loss is felt.
    direct_share: f64,
}

impl Estimate {
    /// The physics of the site file.
    fn of_site(site: &Site, scope: Scope) -> Self {
        let radios = site.radios().count();
        let physics = BANDS.map(|band| PathLoss::unlearned(site, band, band.middle_mhz()));
        Self {
            scope,
            gains_db: [0.0; BANDS.len()],
            exponents: physics.map(|physics| physics.exponent),
            deviations_db: [DEVIATION_PRIOR_DB; BANDS.len()],
            slabs: slabs_of(site),
            receive_db: vec![0.0; radios],
            send_db: vec![0.0; radios],
        }
    }

    /// The estimate that weighs the links against the site file.
    ///
    /// # Source
    /// Ridge regression (Hoerl and Kennard, Technometrics 12 (1970)), linearised anew in each round
    /// (Gauss-Newton) because losses saturate; whether a link across floors goes through the slab or
    /// through an opening is a mixture of two, by expectation and maximisation (Dempster, Laird and
    /// Rubin, J. R. Stat. Soc. B 39 (1977)).
    pub(super) fn fit(site: &Site, links: &[&Link], scope: Scope) -> Self {
        let starts: &[f64] = if scope == Scope::Levels {
            &SLAB_STARTS[..1]
        } else {
            &SLAB_STARTS
        };
        let fits = starts.iter().map(|share| {
            let mut estimate = Self::of_site(site, scope);
            estimate.scale_crossed_slabs(links, *share);
            for _ in 0..ROUNDS {
                estimate.refine(site, links);
            }
            let worth = estimate.log_posterior(site, links);
            (worth, estimate)
        });
        fits.max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, estimate)| estimate)
            .expect("there is at least one start")
    }

    /// Log-density of a link's reading, in nats.
    pub(super) fn log_density(&self, link: &Link) -> f64 {
        let deviation_db = self.deviations_db[link.band_number].hypot(link.noise_db);
        let density = |explained: &Explained| {
            let score = explained.residual_db / deviation_db;
            (-0.5 * score * score).exp() / (deviation_db * std::f64::consts::TAU.sqrt())
        };
        let through = density(&self.explain(link, true));
        // Nothing is impossible: a density of zero would let one odd link decide all.
        let floor = f64::MIN_POSITIVE;
        if link.path.slabs.is_empty() {
            return through.max(floor).ln();
        }
        let open = density(&self.explain(link, false));
        ((1.0 - OPEN_SHARE) * through + OPEN_SHARE * open)
            .max(floor)
            .ln()
    }

    fn explain(&self, link: &Link, through_slabs: bool) -> Explained {
        let band = link.band_number;
        let physics = PathLoss {
            exponent: self.exponents[band],
            ..link.physics
        };
        let slabs_db = if through_slabs {
            link.path.obstruction_db(BANDS[band], &self.slabs)
        } else {
            link.path.walls.at(BANDS[band])
        };
        let decades = link.path.distance_m.max(0.5).log10();
        let effective_db = physics.effective_obstruction_db(decades, slabs_db);
        let expected_dbm = physics.expected_dbm(link.path.distance_m, slabs_db)
            + self.gains_db[band]
            + self.receive_db[link.receiver]
            + self.send_db[link.transmitter];
        Explained {
            residual_db: link.level_dbm - expected_dbm,
            direct_share: 10f64.powf((effective_db - slabs_db) / 10.0).min(1.0),
        }
    }

    /// Probability that a link across floors goes through an opening.
    fn openness(&self, link: &Link, through: &Explained, open: &Explained) -> f64 {
        let deviation_db = self.deviations_db[link.band_number].hypot(link.noise_db);
        let squares =
            (through.residual_db.powi(2) - open.residual_db.powi(2)) / deviation_db.powi(2);
        let odds_log = 0.5 * squares + (OPEN_SHARE / (1.0 - OPEN_SHARE)).ln();
        1.0 / (1.0 + (-odds_log).exp())
    }

    /// Slabs that no link crosses stay what the site file says.
    fn scale_crossed_slabs(&mut self, links: &[&Link], share: f64) {
        let columns = Columns::new(self.scope, links, self.slabs.len());
        for (floor, losses) in self.slabs.iter_mut().enumerate() {
            for (spectrum, loss) in losses.iter_mut().enumerate() {
                if columns.slab(floor, spectrum).is_some() {
                    *loss *= share;
                }
            }
        }
    }

    fn log_posterior(&self, site: &Site, links: &[&Link]) -> f64 {
        let explained: f64 = links
            .iter()
            .map(|link| link.weight * self.log_density(link))
            .sum();
        let strayed: f64 = slabs_of(site)
            .iter()
            .flatten()
            .zip(self.slabs.iter().flatten())
            .map(|(prior, loss)| ((loss - prior) / SLAB_LEASH_DB).powi(2))
            .sum();
        let prior = Self::of_site(site, self.scope);
        let bent: f64 = (prior.exponents.iter().zip(&self.exponents))
            .map(|(prior, exponent)| ((exponent - prior) / EXPONENT_LEASH).powi(2))
            .sum();
        explained - 0.5 * (strayed + bent)
    }

    /// One round: paths with radios held, radios with paths held, then the spread.
    fn refine(&mut self, site: &Site, links: &[&Link]) {
        self.refine_paths(site, links);
        if self.scope >= Scope::Radios {
            self.refine_radios(links);
        }
        self.refine_deviations(links);
    }

    fn refine_paths(&mut self, site: &Site, links: &[&Link]) {
        let columns = Columns::new(self.scope, links, self.slabs.len());
        let prior = Self::of_site(site, self.scope);
        let mut information = DMatrix::zeros(columns.count, columns.count);
        let mut right = DVector::zeros(columns.count);
        self.add_prior(
            &columns,
            &prior,
            has_walls(site),
            &mut information,
            &mut right,
        );
        for link in links {
            let deviation_db = self.deviations_db[link.band_number].hypot(link.noise_db);
            let through = self.explain(link, true);
            let mut ways = [(1.0, true), (0.0, false)];
            if !link.path.slabs.is_empty() {
                let open = self.openness(link, &through, &self.explain(link, false));
                ways = [(1.0 - open, true), (open, false)];
            }
            for (share, through_slabs) in ways {
                if share < 1e-6 {
                    continue;
                }
                let explained = self.explain(link, through_slabs);
                let weight = share * link.weight / (deviation_db * deviation_db);
                let row = columns.row(link, explained.direct_share, through_slabs);
                for (i, a) in &row {
                    right[*i] += weight * a * explained.residual_db;
                    for (j, b) in &row {
                        information[(*i, *j)] += weight * a * b;
                    }
                }
            }
        }
        if let Some(factor) = information.cholesky() {
            self.step(&columns, &factor.solve(&right));
        }
    }

    /// The leash: draws each number back to the prior by what it has strayed.
    fn add_prior(
        &self,
        columns: &Columns,
        prior: &Self,
        walled: bool,
        information: &mut DMatrix<f64>,
        right: &mut DVector<f64>,
    ) {
        let level_leash = if walled {
            LEVEL_LEASH_DB
        } else {
            LEVEL_LEASH_BLIND_DB
        };
        let mut pull = |column: Option<usize>, leash: f64, strayed: f64| {
            if let Some(column) = column {
                information[(column, column)] += leash.powi(-2);
                right[column] -= strayed * leash.powi(-2);
            }
        };
        for band in 0..BANDS.len() {
            pull(Some(columns.gains + band), level_leash, self.gains_db[band]);
            let bent = self.exponents[band] - prior.exponents[band];
            pull(columns.exponent(band), EXPONENT_LEASH, bent);
        }
        for (floor, losses) in self.slabs.iter().enumerate() {
            for (spectrum, loss) in losses.iter().enumerate() {
                let strayed = loss - prior.slabs[floor][spectrum];
                pull(columns.slab(floor, spectrum), SLAB_LEASH_DB, strayed);
            }
        }
    }

    fn step(&mut self, columns: &Columns, change: &DVector<f64>) {
        for band in 0..BANDS.len() {
            self.gains_db[band] += change[columns.gains + band];
            if let Some(column) = columns.exponent(band) {
                let exponent = self.exponents[band] + change[column].clamp(-0.5, 0.5);
                self.exponents[band] = exponent.clamp(*EXPONENTS.start(), *EXPONENTS.end());
            }
        }
        for floor in 0..self.slabs.len() {
            for spectrum in 0..SPECTRA {
                if let Some(column) = columns.slab(floor, spectrum) {
                    // Where walls saturate a linear step overshoots.
                    let loss = self.slabs[floor][spectrum] + change[column].clamp(-6.0, 6.0);
                    self.slabs[floor][spectrum] = loss.clamp(*SLABS_DB.start(), *SLABS_DB.end());
                }
            }
        }
    }

    /// Ridge of each radio's two offsets, one kind with the other held.
    fn refine_radios(&mut self, links: &[&Link]) {
        let of_receiver = |link: &Link| link.receiver;
        let of_transmitter = |link: &Link| link.transmitter;
        let news = self.mean_residuals(links, RECEIVE_LEASH_DB, of_receiver, |it| &it.receive_db);
        self.receive_db = news;
        let news = self.mean_residuals(links, SEND_LEASH_DB, of_transmitter, |it| &it.send_db);
        self.send_db = news;
    }

    fn mean_residuals(
        &self,
        links: &[&Link],
        leash_db: f64,
        radio_of: impl Fn(&Link) -> usize,
        offsets: impl Fn(&Self) -> &Vec<f64>,
    ) -> Vec<f64> {
        let mut sums = vec![(0.0, leash_db.powi(-2)); self.receive_db.len()];
        for link in links {
            let deviation_db = self.deviations_db[link.band_number].hypot(link.noise_db);
            let through = self.explain(link, true);
            let share = if link.path.slabs.is_empty() {
                1.0
            } else {
                1.0 - self.openness(link, &through, &self.explain(link, false))
            };
            let weight = share * link.weight / deviation_db.powi(2);
            let radio = radio_of(link);
            sums[radio].0 += weight * (through.residual_db + offsets(self)[radio]);
            sums[radio].1 += weight;
        }
        sums.iter().map(|(sum, weights)| sum / weights).collect()
    }

    fn refine_deviations(&mut self, links: &[&Link]) {
        let prior = DEVIATION_PRIOR_LINKS * DEVIATION_PRIOR_DB.powi(2);
        let mut sums = [(prior, DEVIATION_PRIOR_LINKS); BANDS.len()];
        for link in links {
            let through = self.explain(link, true);
            let mut squares = through.residual_db.powi(2);
            if !link.path.slabs.is_empty() {
                let open = self.explain(link, false);
                let openness = self.openness(link, &through, &open);
                squares = (1.0 - openness) * squares + openness * open.residual_db.powi(2);
            }
            let (sum, count) = &mut sums[link.band_number];
            *sum += link.weight * (squares - link.noise_db.powi(2)).max(0.0);
            *count += link.weight;
        }
        self.deviations_db = sums.map(|(sum, count)| (sum / count).sqrt().max(DEVIATION_MIN_DB));
    }
}

/// Where each number stands in the equations.
struct Columns {
    gains: usize,
    exponents: Option<usize>,
    /// By floor and spectrum, where a link crosses the slab.
    slabs: Vec<[Option<usize>; SPECTRA]>,
    count: usize,
}

impl Columns {
    fn new(scope: Scope, links: &[&Link], floors: usize) -> Self {
        let mut count = BANDS.len();
        let exponents = (scope >= Scope::Exponents).then_some(count);
        count += exponents.map_or(0, |_| BANDS.len());
        let mut slabs = vec![[None; SPECTRA]; floors];
        if scope >= Scope::Slabs {
            for link in links {
                for floor in link.path.slabs.clone() {
                    let slab = &mut slabs[floor][spectrum_of(BANDS[link.band_number])];
                    if slab.is_none() {
                        *slab = Some(count);
                        count += 1;
                    }
                }
            }
        }
        Self {
            gains: 0,
            exponents,
            slabs,
            count,
        }
    }

    fn exponent(&self, band: usize) -> Option<usize> {
        self.exponents.map(|first| first + band)
    }

    fn slab(&self, floor: usize, spectrum: usize) -> Option<usize> {
        self.slabs[floor][spectrum]
    }

    /// The derivatives of a link's expected level, where they are not zero.
    fn row(&self, link: &Link, direct_share: f64, through_slabs: bool) -> Vec<(usize, f64)> {
        let decades = link.path.distance_m.max(0.5).log10();
        let mut row = vec![(self.gains + link.band_number, 1.0)];
        if let Some(column) = self.exponent(link.band_number) {
            row.push((column, -10.0 * decades * direct_share));
        }
        if through_slabs {
            let spectrum = spectrum_of(BANDS[link.band_number]);
            let crossed = link.path.slabs.clone();
            row.extend(
                crossed
                    .filter_map(|floor| self.slab(floor, spectrum))
                    .map(|column| (column, -direct_share)),
            );
        }
        row
    }
}
