//! What one radio contributes to a likelihood.

use nalgebra::Point3;
use site::RadioIndex;

/// One radio's signal strength.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RssiTerm {
    pub(crate) radio: RadioIndex,
    /// Heard minus the client's expected offset.
    pub(crate) rssi_dbm: f32,
    /// Of the squared residual.
    pub(crate) weight: f32,
    /// Of the residual in the sums that tell the client's offsets, by [`OffsetBand`].
    pub(crate) offset_weights: [f32; 2],
    /// Of the residual in the sum over the anchor's radios; 0 for a lone radio.
    pub(crate) anchor_weight: f32,
    /// What the squared sum over the anchor's radios takes back; set on the last of them.
    pub(crate) anchor_share: f32,
}

/// Which sums a term enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    LoneLow,
    LoneHigh,
    Joined,
}

impl RssiTerm {
    pub(super) fn kind(&self) -> Kind {
        match self.offset_weights {
            _ if self.anchor_weight != 0.0 => Kind::Joined,
            [0.0, _] => Kind::LoneHigh,
            _ => Kind::LoneLow,
        }
    }
}

/// One radio's range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeTerm {
    pub(crate) radio: RadioIndex,
    pub(crate) anchor_in_site: Point3<f64>,
    /// Measured minus bias.
    pub(crate) distance_m: f32,
    /// Metres measured per metre of distance.
    pub(crate) slope: f32,
    /// Scale of the residual.
    pub(crate) deviation_m: f32,
}
