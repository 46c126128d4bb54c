//! A fix in 48 bytes: what the hub remembers of each client.
//!
//! A million clients are a million of these; a [`SentFix`] is three times as large.

use std::time::{Duration, Instant};

use ingest::SentFix;
use locate::{Fix, Flags, Source};
use site::FloorIndex;
use wire::ClientId;

use super::Published;

/// A fix, rounded to what readers are shown (`body::fix`).
///
/// Exact: client, floor, source, flags, radios up to 63, observations up to 65,535, and of everything else
/// the digits shown: place to a centimetre (within 10 km of the site's origin), radii to a centimetre
/// (up to 655 m), time and ages to a millisecond (ages up to 65 s), the floor's probability to a thousandth. Of
/// covariances 18 significant bits remain, so that the fourth digit after the point holds up to
/// 10 m^2, and of the height's deviation, which is not shown, decimetres. What lies beyond
/// becomes the nearest that can be said.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedFix {
    client: ClientId,
    /// Three times 21 bits: x, y, z in centimetres.
    place: u64,
    /// Variances of x and y, 22 bits each, and 20 bits of correlation.
    spread: u64,
    /// Place in the site's feed, without what lies above 2^32.
    number: u32,
    /// Middle of the sightings: Unix time in milliseconds, without what lies above 2^32.
    time_ms: u32,
    /// When the hub took it: 24 bits of milliseconds; below them the height's deviation in decimetres.
    at_ms: u32,
    /// From the top: 8 bits of floor, 13 of its probability, 6 of radios, 5 of source and flags.
    floor: u32,
    r50_cm: u16,
    r90_cm: u16,
    age_ms: u16,
    observations: u16,
}

const _: () = assert!(size_of::<PackedFix>() == 48);

const PLACE_BITS: u32 = 21;
const AT_BITS: u32 = 24;
const PROBABILITY_STEPS: f64 = 1e3;
const RADIOS_MAX: u16 = 63;

/// What packed times are near to: those of the newest fix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    /// When the hub was made.
    pub(super) began: Instant,
    /// When it took the newest fix, in milliseconds since then.
    pub(super) at_ms: u64,
    /// Middle of that fix's sightings, in milliseconds since 1970.
    pub(super) time_ms: u64,
}

/// Middle of a fix's sightings, in milliseconds since 1970.
pub(super) fn time_ms(sent: &SentFix) -> u64 {
    let age_us = whole(sent.fix.age_s * 1e9).max(0) as u64 / 1_000;
    sent.sent_at_us.saturating_sub(age_us) / 1_000
}

impl PackedFix {
    /// A fix with its number in the feed, taken `at_ms` after the hub was made.
    pub(super) fn new(sent: &SentFix, number: u64, at_ms: u64) -> Self {
        let fix = &sent.fix;
        let [x, y, z]: [f64; 3] = fix.position_in_site.coords.into();
        // Casts from floats saturate; those between integers cut off what is above, on purpose.
        let height = whole(fix.height_deviation_m * 10.0).clamp(0, u8::MAX.into()) as u32;
        Self {
            client: sent.client,
            place: centimetres(x)
                | centimetres(y) << PLACE_BITS
                | centimetres(z) << (2 * PLACE_BITS),
            spread: spread(<[[f64; 2]; 2]>::from(fix.covariance_m2)),
            number: number as u32,
            time_ms: time_ms(sent) as u32,
            at_ms: (at_ms as u32) << (u32::BITS - AT_BITS) | height,
            floor: u32::from(fix.floor.0) << 24
                | (whole(fix.floor_probability.clamp(0.0, 1.0) * PROBABILITY_STEPS) as u32) << 11
                | u32::from(fix.radios.min(RADIOS_MAX)) << 5
                | marks(fix.source, fix.flags),
            r50_cm: sixteen_bits(fix.r50_m * 100.0),
            r90_cm: sixteen_bits(fix.r90_m * 100.0),
            age_ms: sixteen_bits(fix.age_s * 1e3),
            observations: u16::try_from(fix.observations).unwrap_or(u16::MAX),
        }
    }

    pub(super) fn client(&self) -> ClientId {
        self.client
    }

    pub(super) fn floor(&self) -> FloorIndex {
        FloorIndex((self.floor >> 24) as u8)
    }

    /// Whether it came before the fix with this number. Numbers are compared by their difference:
    /// no fix that is remembered is two billion fixes old.
    pub(super) fn is_before(&self, number: u64) -> bool {
        (self.number.wrapping_sub(number as u32) as i32) < 0
    }

    /// When the hub took it, in milliseconds since the hub was made.
    pub(super) fn at_ms(&self, reference: &Reference) -> u64 {
        nearest(
            self.at_ms >> (u32::BITS - AT_BITS),
            AT_BITS,
            reference.at_ms,
        )
    }

    /// The fix as it was, but for the rounding. Times are those nearest to the reference: within
    /// two hours of the hub's time and 24 days of the fix's own.
    pub(super) fn published(&self, site: usize, reference: &Reference) -> Published {
        let [x_m, y_m, z_m] = [0, 1, 2].map(|axis| metres(self.place >> (axis * PLACE_BITS)));
        let time_ms = nearest(self.time_ms, u32::BITS, reference.time_ms);
        let (source, flags) = unmarked(self.floor);
        let fix = Fix {
            position_in_site: [x_m, y_m, z_m].into(),
            covariance_m2: covariance(self.spread).into(),
            height_deviation_m: f64::from(self.at_ms as u8) / 10.0,
            floor: self.floor(),
            floor_probability: f64::from(self.floor >> 11 & 0x1FFF) / PROBABILITY_STEPS,
            r50_m: f64::from(self.r50_cm) / 100.0,
            r90_m: f64::from(self.r90_cm) / 100.0,
            radios: (self.floor >> 5) as u16 & RADIOS_MAX,
            observations: self.observations.into(),
            age_s: f64::from(self.age_ms) / 1e3,
            source,
            flags,
        };
        Published {
            sent: SentFix {
                site,
                client: self.client,
                fix,
                sent_at_us: (time_ms + u64::from(self.age_ms)) * 1_000,
            },
            at: reference.began + Duration::from_millis(self.at_ms(reference)),
        }
    }
}

/// The number nearest to `reference` that ends in these bits.
fn nearest(low: u32, bits: u32, reference: u64) -> u64 {
    let unused = u32::BITS - bits;
    let ahead = (low.wrapping_sub(reference as u32) << unused) as i32 >> unused;
    reference.saturating_add_signed(ahead.into())
}

/// The nearest whole number. Not `round`: without the instruction, which not all machines have, that is a
/// call, and there are ten to a fix.
fn whole(number: f64) -> i64 {
    // Casts from floats saturate.
    (number + 0.5_f64.copysign(number)) as i64
}

fn sixteen_bits(number: f64) -> u16 {
    whole(number).clamp(0, u16::MAX.into()) as u16
}

fn centimetres(metres: f64) -> u64 {
    let most = f64::from((1_i32 << (PLACE_BITS - 1)) - 1);
    let signed = whole((metres * 100.0).clamp(-most, most));
    signed as u64 & ((1 << PLACE_BITS) - 1)
}

fn metres(centimetres: u64) -> f64 {
    let unused = u64::BITS - PLACE_BITS;
    ((centimetres << unused) as i64 >> unused) as f64 / 100.0
}

const VARIANCE_BITS: u32 = 22;
const VARIANCE_FRACTION_BITS: u32 = 17;
const VARIANCE_LEFT_OUT_BITS: u32 = f32::MANTISSA_DIGITS - 1 - VARIANCE_FRACTION_BITS;
/// What the least variance, 2^-14 m^2, would be as a code, if singles were codes.
const VARIANCE_LEAST: u32 = (127 - 14) << VARIANCE_FRACTION_BITS;
const CORRELATION_STEPS: f64 = (1 << 19) as f64;

/// A variance, five bits of exponent above the fraction: 2^-14 to 2^18 m^2.
fn variance_code(variance: f64) -> u32 {
    let most = variance_of((1 << VARIANCE_BITS) - 1);
    let bits = (variance as f32).max(variance_of(0)).min(most).to_bits();
    let rounded = (bits + (1 << (VARIANCE_LEFT_OUT_BITS - 1))) >> VARIANCE_LEFT_OUT_BITS;
    rounded - VARIANCE_LEAST
}

fn variance_of(code: u32) -> f32 {
    f32::from_bits((code + VARIANCE_LEAST) << VARIANCE_LEFT_OUT_BITS)
}

fn spread([[xx, xy], [_, yy]]: [[f64; 2]; 2]) -> u64 {
    let [x, y] = [xx, yy].map(variance_code);
    let scale = (f64::from(variance_of(x)) * f64::from(variance_of(y))).sqrt();
    let most = CORRELATION_STEPS - 1.0;
    let correlation = whole((xy / scale * CORRELATION_STEPS).clamp(-most, most));
    u64::from(x) | u64::from(y) << VARIANCE_BITS | (correlation as u64) << (2 * VARIANCE_BITS)
}

fn covariance(spread: u64) -> [[f64; 2]; 2] {
    let variance = |bits: u64| f64::from(variance_of(bits as u32 & ((1 << VARIANCE_BITS) - 1)));
    let (xx, yy) = (variance(spread), variance(spread >> VARIANCE_BITS));
    let correlation = (spread as i64 >> (2 * VARIANCE_BITS)) as f64 / CORRELATION_STEPS;
    let xy = correlation * (xx * yy).sqrt();
    [[xx, xy], [xy, yy]]
}

fn marks(source: Source, flags: Flags) -> u32 {
    let Flags {
        teleport,
        degenerate,
        stale,
        outside,
    } = flags;
    [
        source == Source::Range,
        teleport,
        degenerate,
        stale,
        outside,
    ]
    .into_iter()
    .fold(0, |marks, mark| marks << 1 | u32::from(mark))
}

fn unmarked(marks: u32) -> (Source, Flags) {
    let [outside, stale, degenerate, teleport, range] =
        [0, 1, 2, 3, 4].map(|bit| marks >> bit & 1 == 1);
    let flags = Flags {
        teleport,
        degenerate,
        stale,
        outside,
    };
    (if range { Source::Range } else { Source::Grid }, flags)
}

#[cfg(test)]
mod tests;
