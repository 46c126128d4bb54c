//! Rows for a person.

use std::fmt::{self, Display, Formatter};

use super::{Row, Rows};

impl Display for Rows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .iter()
            .map(|row| row.set.len())
            .max()
            .unwrap_or(0)
            .max(3);
        write!(
            f,
            "{:<width$} {:<5} {:<10} {:<4} {:<5} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>5} {:>5} \
                {:>6} {:>7}",
            "set",
            "mode",
            "scoring",
            "area",
            "mem",
            "epochs",
            "fixes%",
            "median",
            "mean",
            "rmse",
            "p90",
            "in50%",
            "in90%",
            "floor%",
            "us/fix"
        )?;
        for row in &self.0 {
            writeln!(f)?;
            write_row(f, row, width)?;
        }
        Ok(())
    }
}

fn write_row(f: &mut Formatter<'_>, row: &Row, width: usize) -> fmt::Result {
    let metres = |value: Option<f64>| value.map_or_else(|| "-".into(), |m| format!("{m:.3}"));
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".into(), |share| format!("{:.1}", 100.0 * share))
    };
    write!(
        f,
        "{:<width$} {:<5} {:<10} {:<4} {:<5} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>5} {:>5} \
            {:>6} {:>7.2}",
        row.set,
        row.mode,
        row.scoring,
        row.area,
        row.memory,
        row.epochs,
        percent(Some(row.fix_rate)),
        metres(row.median_m),
        metres(row.mean_m),
        metres(row.rmse_m),
        metres(row.p90_m),
        percent(row.coverage50),
        percent(row.coverage90),
        percent(row.floor_accuracy),
        row.us_per_fix
    )
}
