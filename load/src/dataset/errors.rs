//! How far fixes were from the truth, in a few numbers.

/// Horizontal errors in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Errors {
    /// Half of them are smaller.
    pub(crate) median_m: f64,
    /// Their mean.
    pub(crate) mean_m: f64,
    /// Root of their mean square.
    pub(crate) rmse_m: f64,
    /// Nine of ten are smaller.
    pub(crate) p90_m: f64,
}

impl Errors {
    /// Sums up; `None` of nothing.
    pub(crate) fn of(mut errors_m: Vec<f64>) -> Option<Self> {
        errors_m.sort_by(f64::total_cmp);
        let count = errors_m.len() as f64;
        let mean = |of: fn(f64) -> f64| errors_m.iter().copied().map(of).sum::<f64>() / count;
        Some(Self {
            median_m: quantile(&errors_m, 0.5)?,
            mean_m: mean(|error_m| error_m),
            rmse_m: mean(|error_m| error_m * error_m).sqrt(),
            p90_m: quantile(&errors_m, 0.9)?,
        })
    }
}

/// Quantile of sorted values, linear between neighbours; `None` without values.
///
/// # Source
/// R. J. Hyndman and Y. Fan, The American Statistician 50 (1996), definition 7.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = place as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (place - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_everybody_computes_them() {
        // numpy.quantile([1, 2, 3, 4], [0.5, 0.9])
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.5));
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0], 0.9).unwrap() - 3.7).abs() < 1e-12);
        assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
        assert_eq!(quantile(&[], 0.9), None);
    }
}
