//! The table that must hold: calibrated, with the mask, one epoch and with memory.

use super::super::baselines::{Baselines, Goal};
use super::markdown::{errors, pair, table};
use super::{Area, Found, Memory, Tally};

pub(super) fn section(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let head = [
        "set",
        "scored on",
        "best baseline, open (method)",
        "baseline",
        "goal",
        "ours",
        "met",
        "baseline",
        "goal",
        "ours",
        "met",
        "ours, both",
    ];
    let has_rows = |goal: &&Goal| {
        let row = found.calibrated(&goal.set, &goal.mode, Area::Mask, Memory::Epoch);
        row.is_some()
    };
    let mut rows = Vec::new();
    for goal in baselines.goal.iter().filter(has_rows) {
        let Goal { set, mode, .. } = goal;
        let ours = |mode, memory| found.calibrated(set, mode, Area::Mask, memory);
        let (epoch, track) = (ours(mode, Memory::Epoch), ours(mode, Memory::Track));
        let epoch_met = tally.pair(
            &format!("{set}, {mode}, mask, one epoch"),
            epoch,
            goal.goal_epoch_m,
        );
        let track_met = tally.pair(
            &format!("{set}, {mode}, mask, track"),
            track,
            goal.goal_track_m,
        );
        let both = match mode.as_str() {
            "range" => errors(ours("both", Memory::Track)),
            _ => String::new(),
        };
        rows.push(vec![
            set.clone(),
            mode.clone(),
            format!("{} ({})", pair(goal.base_m), goal.base_method),
            pair(goal.mask_m),
            pair(goal.goal_epoch_m),
            errors(epoch),
            epoch_met,
            pair(goal.memory_m),
            pair(goal.goal_track_m),
            errors(track),
            track_met,
            both,
        ]);
    }
    let text = "## Calibrated, with the mask\n\n\
        Base and goals of the development sets, and ours. The first four columns after the open \
        area are of one epoch, the next four with \
        memory: baselines filter walks on the grid and average places. The last column is what \
        ranges and signal strength reach together, \
        with memory. Letters name the baselines' variants.\n\n";
    text.to_owned() + &table(&head, &rows) + &others(found, baselines)
}

/// Sets for which nobody set a goal.
fn others(found: &Found<'_>, baselines: &Baselines) -> String {
    let is_known = |set: &str| baselines.goal.iter().any(|goal| goal.set == set);
    let rows: Vec<Vec<String>> = found
        .scored(baselines)
        .iter()
        .filter(|(set, _)| !is_known(set))
        .map(|(set, mode)| {
            let ours = |area, memory| errors(found.calibrated(set, mode.as_str(), area, memory));
            vec![
                set.clone(),
                mode.to_string(),
                ours(Area::Open, Memory::Epoch),
                ours(Area::Open, Memory::Track),
                ours(Area::Mask, Memory::Epoch),
                ours(Area::Mask, Memory::Track),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "set",
        "scored on",
        "open, one epoch",
        "open, track",
        "mask, one epoch",
        "mask, track",
    ];
    format!("\nSets without goals:\n\n{}", table(&head, &rows))
}
