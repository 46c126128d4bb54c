//! Tables and cells.

use super::super::baselines::Pair;
use super::super::row::Row;

/// A table; every row has as many cells as the head.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head_cells: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(&head_cells) + &rule + &body
}

/// Median and RMSE of a row.
pub(super) fn errors(row: Option<&Row>) -> String {
    match row.and_then(|row| row.median_m.zip(row.rmse_m)) {
        Some((median_m, rmse_m)) => format!("{median_m:.3} / {rmse_m:.3}"),
        None => "-".to_owned(),
    }
}

/// Median and RMSE of others, with as many digits as are known.
pub(super) fn pair([median_m, rmse_m]: Pair) -> String {
    format!("{median_m:.2} / {rmse_m:.2}")
}

/// A share in per cent.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}", 100.0 * share))
}

/// A ratio.
pub(super) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}
