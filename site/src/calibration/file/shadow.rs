//! The table `shadow`: surveyed places, and the residuals there of every radio.

use std::fmt::Write as _;

use nalgebra::Point3;

use crate::building::{RadioIndex, Site};
use crate::calibration::{Kernel, RadioShadow, Shadow};
use crate::limits::{self, Interval};
use crate::reader::Value;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;

const KEYS: [&str; 3] = ["places", "rssi", "range"];
const KERNEL_KEYS: [&str; 3] = ["length_m", "deviation", "noise"];

pub(super) fn push(text: &mut String, shadow: &Shadow) {
    text.push_str(
        "\n# Residuals of the survey: in dB, in metres; `places` are x, y, z.\n[shadow]\n",
    );
    for (key, kernel) in [("rssi", shadow.rssi), ("range", shadow.range)] {
        if let Some(kernel) = kernel {
            let Kernel {
                length_m,
                deviation,
                noise,
            } = kernel;
            let table = format_args!(
                "{{ length_m = {length_m}, deviation = {deviation}, noise = {noise} }}"
            );
            super::push_line(text, key, table);
        }
    }
    text.push_str("places = [\n");
    for place in &shadow.places {
        writeln!(text, "    [{}, {}, {}],", place.x, place.y, place.z)
            .expect("a String takes any text");
    }
    text.push_str("]\n");
}

pub(super) fn push_radio(text: &mut String, shadow: &Shadow, radio: RadioIndex) {
    let Some(radio) = shadow.radios.get(usize::from(radio.0)) else {
        return;
    };
    for (key, residuals) in [("shadow_db", &radio.rssi_db), ("shadow_m", &radio.range_m)] {
        if residuals.is_empty() {
            continue;
        }
        let pairs: Vec<String> = residuals
            .iter()
            .map(|(place, residual)| format!("[{place}, {residual}]"))
            .collect();
        super::push_line(text, key, format_args!("[{}]", pairs.join(", ")));
    }
}

pub(super) fn read(value: &Value<'_>, site: &Site, problems: &mut Problems) -> Option<Shadow> {
    let whole = Place::whole();
    let place = whole.part("shadow");
    let table = Table::open(value, &place, &KEYS, problems)?;
    let mut kernel = |key: &'static str| match table.value(key) {
        Some(value) => read_kernel(value, key, &place, problems).map(Some),
        None => Some(None),
    };
    let (rssi, range) = (kernel("rssi")?, kernel("range")?);
    let values = table.list("places", limits::SURVEYED_PLACES_MAX, problems)?;
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        let [x, y, z] =
            number::numbers(value, "places", [limits::COORDINATE; 3], &place, problems)?;
        places.push(Point3::new(x, y, z));
    }
    Some(Shadow {
        places,
        rssi,
        range,
        radios: vec![RadioShadow::default(); site.radios().count()],
    })
}

fn read_kernel(
    value: &Value<'_>,
    key: &'static str,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Kernel> {
    let place = place.part(key);
    let table = Table::open(value, &place, &KERNEL_KEYS, problems)?;
    let length = table.required_number("length_m", "3.0", limits::SHADOW_LENGTH, problems);
    let deviation = table.required_number("deviation", "4.0", limits::SHADOW_DEVIATION, problems);
    let noise = table.required_number("noise", "2.0", limits::SHADOW_DEVIATION, problems);
    Some(Kernel {
        length_m: length?,
        deviation: deviation?,
        noise: noise?,
    })
}

/// The residuals of one `radio` table.
pub(super) fn read_radio(
    table: Table<'_, '_>,
    shadow: Option<&Shadow>,
    problems: &mut Problems,
) -> Option<RadioShadow> {
    Some(RadioShadow {
        rssi_db: residuals(table, "shadow_db", shadow, problems)?,
        range_m: residuals(table, "shadow_m", shadow, problems)?,
    })
}

fn residuals(
    table: Table<'_, '_>,
    key: &str,
    shadow: Option<&Shadow>,
    problems: &mut Problems,
) -> Option<Vec<(u32, f64)>> {
    let values = table.list(key, limits::SURVEYED_PLACES_MAX, problems)?;
    let places = shadow.map_or(0, |shadow| shadow.places.len());
    if places == 0 && !values.is_empty() {
        table.add(
            problems,
            format!("{key} without surveyed places"),
            "add [shadow] with its places, or remove the line",
        );
        return None;
    }
    let numbers_of_places = Interval {
        min: 0.0,
        max: places.saturating_sub(1) as f64,
        unit: "",
    };
    let mut read = Vec::with_capacity(values.len());
    let mut known = vec![false; places];
    for value in values {
        let intervals = [numbers_of_places, limits::RESIDUAL];
        let [place, residual] = number::numbers(value, key, intervals, table.place, problems)?;
        let is_new = !std::mem::replace(&mut known[place as usize], true);
        if place.fract() != 0.0 || !is_new {
            let what = if is_new {
                format!("{key}: {place} is not the number of a place")
            } else {
                format!("{key} names place {place} twice")
            };
            let what_to_do = "write one pair [place, residual] for each place, counted from 0";
            problems.add(value.span(), table.place.says(what), what_to_do);
            return None;
        }
        read.push((place as u32, residual));
    }
    Some(read)
}
