//! The words, read as a person would.

use serde_json::json;

use super::*;

fn answer() -> Answer {
    let radio = json!({
        "anchor": "ap-7", "band": "5", "distance_m": 4.21,
        "walls": [{"material": "drywall", "count": 2, "loss_db": 6.0}],
        "slabs": 0, "slabs_loss_db": 0.0, "count": 3, "age_ms": 120,
        "rssi": {"heard_dbm": -52.0, "corrected_dbm": -50.0, "expected_dbm": -53.0,
                 "residual_db": 3.0, "deviation_db": 4.0},
        "range": null, "weight": 0.414, "moves_m": 0.83, "rejected": null,
    });
    let mut above = radio.clone();
    above["anchor"] = json!("ap-11");
    above["slabs"] = json!(1);
    above["slabs_loss_db"] = json!(18.0);
    above["weight"] = json!(0.002);
    above["moves_m"] = json!(null);
    let mut old = radio.clone();
    old["rejected"] = json!("old");
    old["age_ms"] = json!(6200);
    let answer = json!({
        "fix": {
            "client": "9f0c4e2ab1d07735", "site": "office", "time": "", "age_ms": 180,
            "x_m": 12.41, "y_m": 7.03, "z_m": 1.2, "floor": "2", "floor_probability": 0.98,
            "error": {"cov_m2": [[1.2, 0.1], [0.1, 0.8]], "r50_m": 1.13, "r90_m": 2.2},
            "radios": 2, "observations": 6, "source": "grid", "flags": [],
        },
        "evidence": "exact", "track_weight": 0.33,
        "floors": [{"floor": "1", "probability": 0.02}, {"floor": "2", "probability": 0.98}],
        "offsets_db": {"low": {"mean_db": 0.1, "deviation_db": 2.0},
                       "high": {"mean_db": -2.0, "deviation_db": 1.6}},
        "radios": [radio, above, old],
        "changes": [
            {"kind": "anchor_hears", "anchor": "ap-9", "what": "ap-9 hearing it too",
             "r50_m": {"before": 1.13, "after": 0.91}, "rmse_m": {"before": 1.4, "after": 1.1}},
            {"kind": "known_power", "anchor": null,
             "what": "knowing how strongly the client transmits",
             "r50_m": {"before": 1.13, "after": 1.08}, "rmse_m": {"before": 1.4, "after": 1.3}},
        ],
    });
    serde_json::from_value(answer).unwrap()
}

#[test]
fn an_explanation_reads_well() {
    let expected = "\
client 9f0c4e2ab1d07735 at site office: x 12.4 m, y 7.0 m on floor 2 (98 %)
half of such fixes should be within 1.1 m of the truth, nine of ten within 2.2 m
0.2 s old, from signal strengths: 2 radios, 6 observations

weight  anchor  band    heard  expected    off   away  in the way                        packets    age   without it
  41 %  ap-7    5     -52 dBm   -55 dBm  +3 dB  4.2 m  2 drywall (6 dB)                        3  0.1 s  moves 0.8 m
  <1 %  ap-11   5     -52 dBm   -55 dBm  +3 dB  4.2 m  1 slab (18 dB), 2 drywall (6 dB)        3  0.1 s       no fix
  33 %  what was known from the moments before
not used: ap-7 on 5 GHz: 6.2 s old

floors: 2 (98 %), 1 (2 %)
the client is heard as strong (± 2 dB) at 2.4 GHz and 2 dB weaker (± 2) above, compared with a usual one
would have helped most: ap-9 hearing it too (half of such fixes within 0.91 m instead of 1.13 m)
  also: knowing how strongly the client transmits (1.08 m)";
    assert_eq!(in_words(&answer()), expected, "\n{}", in_words(&answer()));
}

#[test]
fn a_fix_from_distances_shows_distances() {
    let mut answer = answer();
    answer.fix.source = "range".into();
    answer.radios[0].range = Some(super::super::answer::Range {
        corrected_m: 4.61,
        residual_m: 0.4,
    });
    let text = in_words(&answer);
    assert!(text.contains("4.6 m     4.2 m  +0.4 m  4.2 m"), "{text}");
    assert!(text.contains("from distances: 2 radios"), "{text}");
}

#[test]
fn silence_ranges_and_nothing_to_do_are_told() {
    let mut answer = answer();
    answer.evidence = "held".into();
    answer.changes.clear();
    answer.offsets_db = None;
    answer.floors.truncate(1);
    let text = in_words(&answer);
    assert!(text.contains("the client is silent now"), "{text}");
    assert!(text.ends_with("would have helped much"), "{text}");
    assert!(!text.contains("floors:"), "{text}");
}
