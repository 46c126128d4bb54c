//! The table `regions`: factors on the stated radii.

use crate::calibration::{RegionScale, Regions};
use crate::limits;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;

const KEYS: [&str; 3] = ["rssi", "range", "both"];

pub(super) fn push(text: &mut String, regions: &Regions) {
    if *regions == Regions::default() {
        return;
    }
    text.push_str("\n# Factors on the radii of 50 and 90 %, from held-back places.\n[regions]\n");
    let scales = [regions.rssi, regions.range, regions.both];
    for (key, RegionScale { r50, r90 }) in KEYS.into_iter().zip(scales) {
        if r50.is_finite() && r90.is_finite() {
            super::push_line(text, key, format_args!("[{r50}, {r90}]"));
        }
    }
}

pub(super) fn read(file: Table<'_, '_>, problems: &mut Problems) -> Option<Regions> {
    let Some(value) = file.value("regions") else {
        return Some(Regions::default());
    };
    let whole = Place::whole();
    let place = whole.part("regions");
    let table = Table::open(value, &place, &KEYS, problems)?;
    let mut scale = |key| match table.value(key) {
        Some(value) => {
            let intervals = [limits::REGION_SCALE; 2];
            let [r50, r90] = number::numbers(value, key, intervals, &place, problems)?;
            Some(RegionScale { r50, r90 })
        }
        None => Some(RegionScale::default()),
    };
    Some(Regions {
        rssi: scale("rssi")?,
        range: scale("range")?,
        both: scale("both")?,
    })
}
