//! What the API says, as serialisable types: a promise to strangers, kept apart from inner types.

pub mod accuracy;
pub mod explain;
pub mod fix;
pub mod ledger;
pub mod relay;
pub mod site;
pub mod time;
pub mod truth;

/// Rounds to `digits` digits after the point: more would be noise and bytes.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    // Adding zero turns -0 into 0, which reads better.
    (value * scale).round() / scale + 0.0
}
