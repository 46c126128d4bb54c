//! Numbers of a file: finite and within an interval that makes sense.

use nalgebra::Point2;
use toml::de::{DeInteger, DeValue};

use crate::limits::{self, Interval};
use crate::reader::Value;
use crate::reader::place::Place;
use crate::reader::problem::Problems;

/// A number within an interval; anything else is told as a problem of `key`.
pub(crate) fn number(
    value: &Value<'_>,
    key: &str,
    interval: Interval,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<f64> {
    let (written, number) = match value.get_ref() {
        DeValue::Integer(integer) => (integer.as_str(), integer_value(integer)),
        DeValue::Float(float) => (float.as_str(), float.as_str().parse().unwrap_or(f64::NAN)),
        other => {
            let what = place.says(format_args!("{key} is {}, not a number", kind_of(other)));
            problems.add(
                value.span(),
                what,
                format!("write {key} as a number such as 2.5"),
            );
            return None;
        }
    };
    if interval.holds(number) {
        return Some(number);
    }
    let Interval { min, max, unit } = interval;
    let what = if written.ends_with("nan") || written.ends_with("inf") {
        format!("{key} is {written}, not a finite number")
    } else {
        format!("{key} = {} is out of range", shortened(written))
    };
    problems.add(
        value.span(),
        place.says(what),
        format!("use {min} to {max}{unit}"),
    );
    None
}

/// A point `[x, y]` of the plan.
pub(crate) fn point(
    value: &Value<'_>,
    key: &str,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Point2<f64>> {
    let pair = value.get_ref().as_array().filter(|items| items.len() == 2);
    let Some(pair) = pair else {
        let what = match value.get_ref() {
            DeValue::Array(items) => format!("{key} has {} numbers", items.len()),
            other => format!("{key} is {}, not a point", kind_of(other)),
        };
        problems.add(
            value.span(),
            place.says(what),
            "write a point as [x, y] in metres",
        );
        return None;
    };
    let x = number(&pair[0], "x", limits::COORDINATE, place, problems);
    let y = number(&pair[1], "y", limits::COORDINATE, place, problems);
    Some(Point2::new(x?, y?))
}

/// A list of exactly as many numbers as there are intervals.
pub(crate) fn numbers<const N: usize>(
    value: &Value<'_>,
    key: &str,
    intervals: [Interval; N],
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<[f64; N]> {
    let items = value.get_ref().as_array().filter(|items| items.len() == N);
    let Some(items) = items else {
        let what = match value.get_ref() {
            DeValue::Array(items) => format!("{key} has {} numbers", items.len()),
            other => format!("{key} is {}, not a list", kind_of(other)),
        };
        let rule = format!("write {key} as a list of {N} numbers");
        problems.add(value.span(), place.says(what), rule);
        return None;
    };
    let mut read = [0.0; N];
    for ((read, item), interval) in read.iter_mut().zip(items.iter()).zip(intervals) {
        *read = number(item, key, interval, place, problems)?;
    }
    Some(read)
}

/// A kind of value with its article, as a sentence needs it.
pub(crate) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// NaN, which lies in no interval, for more digits than any interval holds.
fn integer_value(integer: &DeInteger<'_>) -> f64 {
    i64::from_str_radix(integer.as_str(), integer.radix()).map_or(f64::NAN, |value| value as f64)
}

/// A number may be written with a million digits; a message shows the first few.
fn shortened(written: &str) -> &str {
    written.get(..24).unwrap_or(written)
}
