//! Damaged files: any answer is right but a panic.

use proptest::prelude::*;

use super::described;
use super::examples::{HALL, OFFICE, WAREHOUSE};
use crate::building::Site;
use crate::calibration::Calibration;
use crate::limits;

/// What can happen to a file: a byte overwritten, a stretch deleted or doubled.
#[derive(Debug, Clone)]
enum Damage {
    Overwrite { at: f64, byte: u8 },
    Delete { at: f64, bytes: usize },
    Double { at: f64, bytes: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    // Bytes with a meaning in TOML hit the parser harder than letters do.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(b"[]{}=\"'#,.-+e09\n \\".to_vec())
    ];
    prop_oneof![
        (0.0..1.0, byte).prop_map(|(at, byte)| Damage::Overwrite { at, byte }),
        (0.0..1.0, 1..60_usize).prop_map(|(at, bytes)| Damage::Delete { at, bytes }),
        (0.0..1.0, 1..60_usize).prop_map(|(at, bytes)| Damage::Double { at, bytes }),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for damage in damages {
        let place = |at: f64| (at * bytes.len() as f64) as usize;
        match *damage {
            _ if bytes.is_empty() => break,
            Damage::Overwrite { at, byte } => {
                let place = place(at);
                bytes[place] = byte;
            }
            Damage::Delete { at, bytes: count } => {
                let place = place(at);
                bytes.drain(place..(place + count).min(bytes.len()));
            }
            Damage::Double { at, bytes: count } => {
                let place = place(at);
                let stretch = bytes[place..(place + count).min(bytes.len())].to_vec();
                bytes.splice(place..place, stretch);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn check_answer<T>(
    text: &str,
    answer: Result<T, Vec<crate::Problem>>,
) -> Result<(), TestCaseError> {
    let Err(problems) = answer else { return Ok(()) };
    prop_assert!((1..=limits::PROBLEMS_MAX).contains(&problems.len()));
    for problem in problems {
        prop_assert!((1..=text.matches('\n').count() + 1).contains(&problem.line));
        prop_assert!(!problem.what.is_empty() && !problem.what_to_do.is_empty());
        prop_assert!(!problem.to_string().contains('\n'), "{}", problem);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 400,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_damaged_site_file_gets_an_answer(
        text in proptest::sample::select(vec![described(0), HALL, OFFICE, WAREHOUSE]),
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        let text = damaged(text, &damages);
        check_answer(&text, Site::parse(&text))?;
    }

    #[test]
    fn a_damaged_calibration_file_gets_an_answer(
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        let site = Site::parse(described(0)).unwrap();
        let text = damaged(described(1), &damages);
        check_answer(&text, Calibration::parse(&text, &site))?;
    }

    #[test]
    fn noise_gets_an_answer(text in "\\PC{0,200}") {
        check_answer(&text, Site::parse(&text))?;
    }
}
