//! Against scipy: `locate/reference/multilaterate.py` made the numbers.

use super::*;

const REFERENCE: &str = include_str!("../../../reference/multilaterate.txt");

/// One paragraph of the file.
struct Case {
    name: String,
    height: Height,
    prior: Option<Prior>,
    ranges: Vec<Range>,
    place: Point3<f64>,
    cost_nats: f64,
}

fn numbers(words: &str) -> Vec<f64> {
    words
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn height_of(words: &str) -> Height {
    match (words.split_whitespace().next(), &numbers(words)[..]) {
        (Some("known"), &[z_m]) => Height::Known { z_m },
        (Some("about"), &[z_m, deviation_m]) => Height::About { z_m, deviation_m },
        (Some("free"), &[]) => Height::Free,
        other => panic!("{other:?} is no height"),
    }
}

fn prior_of(words: &str) -> Prior {
    let &[x, y, z, xx, xy, xz, yy, yz, zz] = &numbers(words)[..] else {
        panic!("{words} is no prior");
    };
    Prior {
        mean: Point3::new(x, y, z),
        information: Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz),
    }
}

fn case(paragraph: &str) -> Case {
    let mut case = Case {
        name: String::new(),
        height: Height::Free,
        prior: None,
        ranges: Vec::new(),
        place: Point3::origin(),
        cost_nats: 0.0,
    };
    for line in paragraph.lines() {
        let (word, rest) = line.split_once(' ').unwrap();
        match (word, &numbers(rest)[..]) {
            ("case", _) => case.name = rest.to_owned(),
            ("height", _) => case.height = height_of(rest),
            ("prior", _) => case.prior = Some(prior_of(rest)),
            ("range", &[x, y, z, distance_m, deviation_m]) => case.ranges.push(Range {
                anchor: Point3::new(x, y, z),
                distance_m,
                deviation_m,
            }),
            ("solution", &[x, y, z, cost_nats]) => {
                case.place = Point3::new(x, y, z);
                case.cost_nats = cost_nats;
            }
            other => panic!("{other:?} is no line of a case"),
        }
    }
    case
}

#[test]
fn places_and_costs_are_those_of_scipy() {
    let paragraphs = REFERENCE
        .split("\n\n")
        .filter(|text| !text.trim().is_empty());
    let cases: Vec<Case> = paragraphs.map(case).collect();
    assert_eq!(cases.len(), 54);
    for case in &cases {
        let solution = solve(&case.ranges, case.height, case.prior.as_ref()).unwrap();
        let away_m = (solution.position - case.place).norm();
        assert!(away_m < 1e-6, "{}: {away_m} m away", case.name);
        let off_nats = (solution.cost_nats - case.cost_nats).abs();
        assert!(off_nats < 1e-6, "{}: {off_nats} nats off", case.name);
    }
}
