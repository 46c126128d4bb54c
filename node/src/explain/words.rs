//! An explanation for a person.

use std::fmt::Write as _;

use super::answer::{Answer, Offset, Radio};

/// Changes told beside the most helpful one.
const FURTHER_CHANGES: usize = 3;

/// Offsets smaller than this are not worth a word, in dB.
const OFFSET_MIN_DB: f64 = 0.5;

pub(super) fn in_words(answer: &Answer) -> String {
    let mut text = place(answer);
    text.push_str(&table(answer));
    text.push_str(&not_used(&answer.radios));
    text.push_str(&floors(answer));
    text.push_str(&offsets(answer));
    text.push_str(&changes(answer));
    text.truncate(text.trim_end().len());
    text
}

fn place(answer: &Answer) -> String {
    let fix = &answer.fix;
    let mut text = format!(
        "client {} at site {}: x {:.1} m, y {:.1} m on floor {} ({})\n",
        fix.client,
        fix.site,
        fix.x_m,
        fix.y_m,
        fix.floor,
        percent(fix.floor_probability),
    );
    let _ = writeln!(
        text,
        "half of such fixes should be within {:.1} m of the truth, nine of ten within {:.1} m",
        fix.error.r50_m, fix.error.r90_m
    );
    let by = match fix.source.as_str() {
        "range" => "from distances",
        _ => "from signal strengths",
    };
    let _ = writeln!(
        text,
        "{} s old, {by}: {} radios, {} observations{}",
        seconds(fix.age_ms),
        fix.radios,
        fix.observations,
        match fix.flags.is_empty() {
            true => String::new(),
            false => format!("; flags: {}", fix.flags.join(", ")),
        }
    );
    if answer.evidence == "held" {
        text.push_str(
            "the client is silent now: the readings below are what is left of its last window\n",
        );
    }
    text
}

fn table(answer: &Answer) -> String {
    let used: Vec<&Radio> = used(answer).collect();
    let mut rows = vec![
        [
            "weight",
            "anchor",
            "band",
            "heard",
            "expected",
            "off",
            "away",
            "in the way",
            "packets",
            "age",
            "without it",
        ]
        .map(str::to_owned),
    ];
    let by_range = answer.fix.source == "range";
    rows.extend(used.iter().map(|radio| row(radio, by_range)));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        })
        .collect();
    let mut text = "\n".to_owned();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            // Names and walls read from the left, numbers from the right.
            match column {
                1 | 2 | 7 => {
                    let _ = write!(line, "{cell:<width$}  ");
                }
                _ => {
                    let _ = write!(line, "{cell:>width$}  ");
                }
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if answer.track_weight >= 0.005 {
        let width = widths[0];
        let share = percent(answer.track_weight);
        let _ = writeln!(
            text,
            "{share:>width$}  what was known from the moments before"
        );
    }
    text
}

/// What the fix was made of, by falling weight.
fn used(answer: &Answer) -> impl Iterator<Item = &Radio> {
    answer
        .radios
        .iter()
        .filter(|radio| radio.rejected.is_none())
}

fn row(radio: &Radio, by_range: bool) -> [String; 11] {
    let rssi = radio.rssi.as_ref();
    let rssi = rssi.filter(|_| radio.range.is_none() || !by_range);
    let (heard, expected, off) = match (rssi, &radio.range) {
        // What the site lets expect of this client: its own offset belongs to the expectation.
        (Some(rssi), _) => (
            format!("{:.0} dBm", rssi.heard_dbm),
            format!(
                "{:.0} dBm",
                rssi.expected_dbm + rssi.heard_dbm - rssi.corrected_dbm
            ),
            format!("{:+.0} dB", rssi.residual_db),
        ),
        (None, Some(range)) => (
            format!("{:.1} m", range.corrected_m),
            format!("{:.1} m", range.corrected_m - range.residual_m),
            format!("{:+.1} m", range.residual_m),
        ),
        (None, None) => Default::default(),
    };
    [
        percent(radio.weight),
        name(radio),
        radio.band.clone().unwrap_or_default(),
        heard,
        expected,
        off,
        radio
            .distance_m
            .map_or_else(String::new, |m| format!("{m:.1} m")),
        in_the_way(radio),
        radio.count.to_string(),
        format!("{} s", seconds(radio.age_ms)),
        match radio.moves_m {
            Some(moves_m) => format!("moves {moves_m:.1} m"),
            None => "no fix".to_owned(),
        },
    ]
}

fn in_the_way(radio: &Radio) -> String {
    let mut parts = Vec::new();
    if radio.slabs > 0 {
        let slabs = if radio.slabs == 1 { "slab" } else { "slabs" };
        parts.push(format!(
            "{} {slabs} ({:.0} dB)",
            radio.slabs, radio.slabs_loss_db
        ));
    }
    for walls in &radio.walls {
        parts.push(format!(
            "{} {} ({:.0} dB)",
            walls.count, walls.material, walls.loss_db
        ));
    }
    match parts.is_empty() {
        true => "nothing".to_owned(),
        false => parts.join(", "),
    }
}

fn not_used(radios: &[Radio]) -> String {
    let mut text = String::new();
    for radio in radios {
        let Some(why) = &radio.rejected else { continue };
        let why = match why.as_str() {
            "unknown_radio" => "the site has no such radio".to_owned(),
            "impossible" => "no such reading can be".to_owned(),
            "repeated" => "a younger reading of the same radio counts".to_owned(),
            "weak" => "weaker than all that a fix takes".to_owned(),
            "old" => format!("{} s old", seconds(radio.age_ms)),
            "outlier" => match &radio.range {
                Some(range) => format!("its distance is {:+.1} m off", range.residual_m),
                None => "too far off".to_owned(),
            },
            other => other.to_owned(),
        };
        let on = match radio.band.as_deref() {
            Some("ble") => " on Bluetooth".to_owned(),
            Some("uwb") => " on ultra-wideband".to_owned(),
            Some(ghz) => format!(" on {ghz} GHz"),
            None => String::new(),
        };
        let _ = writeln!(text, "not used: {}{on}: {why}", name(radio));
    }
    text
}

fn name(radio: &Radio) -> String {
    radio.anchor.clone().unwrap_or_else(|| "unknown".to_owned())
}

fn floors(answer: &Answer) -> String {
    let mut floors = answer.floors.clone();
    floors.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let floors: Vec<String> = floors
        .iter()
        .map(|floor| format!("{} ({})", floor.floor, percent(floor.probability)))
        .collect();
    match floors.len() {
        0 | 1 => "\n".to_owned(),
        _ => format!("\nfloors: {}\n", floors.join(", ")),
    }
}

fn offsets(answer: &Answer) -> String {
    let Some(offsets) = &answer.offsets_db else {
        return String::new();
    };
    let in_words = |offset: &Offset| {
        let (mean_db, deviation_db) = (offset.mean_db, offset.deviation_db);
        match mean_db {
            db if db >= OFFSET_MIN_DB => format!("{db:.0} dB stronger (± {deviation_db:.0})"),
            db if db <= -OFFSET_MIN_DB => format!("{:.0} dB weaker (± {deviation_db:.0})", -db),
            _ => format!("as strong (± {deviation_db:.0} dB)"),
        }
    };
    format!(
        "the client is heard {} at 2.4 GHz and {} above, compared with a usual one\n",
        in_words(&offsets.low),
        in_words(&offsets.high)
    )
}

fn changes(answer: &Answer) -> String {
    let Some((best, others)) = answer.changes.split_first() else {
        return "nothing that is known of here would have helped much\n".to_owned();
    };
    let mut text = format!(
        "would have helped most: {} (half of such fixes within {:.2} m instead of {:.2} m)\n",
        best.what, best.r50_m.after, best.r50_m.before
    );
    for change in others.iter().take(FURTHER_CHANGES) {
        let _ = writeln!(
            text,
            "  also: {} ({:.2} m)",
            change.what, change.r50_m.after
        );
    }
    text
}

/// A share as whole percents; a small one is not none, a large one not all.
fn percent(share: f64) -> String {
    match share {
        share if share > 0.0 && share < 0.005 => "<1 %".to_owned(),
        share if share > 0.995 && share < 1.0 => ">99 %".to_owned(),
        share => format!("{:.0} %", 100.0 * share),
    }
}

fn seconds(ms: u64) -> String {
    format!("{:.1}", ms as f64 * 1e-3)
}

#[cfg(test)]
mod tests;
