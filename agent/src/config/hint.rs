//! What somebody may have meant who wrote something else.

/// The one of these that is closest to a word, if one is close; a beginning of it is close.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let far = (word.chars().count() / 3).clamp(1, 3);
    let cost = |other: &str| match other.starts_with(word) && word.len() > 2 {
        true => 1,
        false => distance(word, other),
    };
    let near = known.iter().map(|&other| (cost(other), other));
    near.filter(|(cost, _)| *cost <= far)
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, other)| other)
}

/// Letters to be changed, added, removed or swapped with their neighbour, to make one word of the
/// other.
///
/// Source: optimal string alignment distance, after Damerau (1964) and Wagner and Fischer (1974).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let known = ["path", "speed", "hold_ms", "age_max_ms", "opted_out"];
        let check = |word, expected| assert_eq!(nearest(word, &known), expected, "{word}");
        check("spede", Some("speed"));
        check("pth", Some("path"));
        check("hold_s", Some("hold_ms"));
        check("opt_out", Some("opted_out"));
        check("age_max", Some("age_max_ms"));
        check("colour", None);
        check("", None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(
            (
                distance("ab", "ba"),
                distance("", "abc"),
                distance("x", "x")
            ),
            (1, 3, 0)
        );
    }
}
