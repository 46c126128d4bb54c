//! The radios of an anchor: `radios = ["2.4", "5"]`, or a table for each.

use toml::Spanned;

use crate::building::{Band, Radio, RadioIndex};
use crate::limits::{self, Interval};
use crate::reader::Value;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::{self, Table};
use crate::reader::word;

const RADIO_KEYS: [&str; 3] = ["band", "freq_mhz", "tx_power_dbm"];

/// Reads the radios of an anchor, all with index 0: the site numbers them.
pub(crate) fn read(anchor: Table<'_, '_>, problems: &mut Problems) -> Option<Vec<Radio>> {
    let radios = match (anchor.value("radios"), anchor.value("radio")) {
        (Some(_), Some(_)) => {
            let what_to_do = "keep `radios` for the usual, or [[anchor.radio]] tables for details";
            anchor.add(problems, "both radios and radio", what_to_do);
            return None;
        }
        (_, Some(_)) => read_list(anchor, "radio", read_table, problems)?,
        (_, None) => {
            anchor.required("radios", "[\"2.4\", \"5\"]", problems)?;
            read_list(anchor, "radios", read_band, problems)?
        }
    };
    if radios.is_empty() {
        let what_to_do = "name its bands, such as radios = [\"2.4\", \"5\"]";
        anchor.add(problems, "it has no radio", what_to_do);
        return None;
    }
    Some(radios)
}

/// One item of the list with the span of its band.
type Read<'t> = fn(&'t Value<'t>, &Place<'_>, &mut Problems) -> Option<Spanned<Radio>>;

fn read_list<'t>(
    anchor: Table<'t, '_>,
    key: &str,
    read: Read<'t>,
    problems: &mut Problems,
) -> Option<Vec<Radio>> {
    let values = anchor.list(key, limits::RADIOS_MAX, problems)?;
    let mut radios = Some(Vec::new());
    for (index, value) in values.iter().enumerate() {
        let place = anchor.place.item("radio", None, index);
        let radio = read(value, &place, problems);
        radios = radios.zip(radio).and_then(|(mut radios, radio)| {
            note_band(&radios, &radio, anchor.place, problems)?;
            radios.push(radio.into_inner());
            Some(radios)
        });
    }
    radios
}

fn note_band(
    radios: &[Radio],
    radio: &Spanned<Radio>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<()> {
    let band = radio.get_ref().band;
    if radios.iter().all(|earlier| earlier.band != band) {
        return Some(());
    }
    let what = place.says(format_args!("two radios of band {:?}", band.as_str()));
    problems.add(
        radio.span(),
        what,
        "give each band once; make another anchor",
    );
    None
}

fn read_band(
    value: &Value<'_>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Spanned<Radio>> {
    let band = parse_band(
        table::text(value, "band", place, problems)?,
        place,
        problems,
    )?;
    Some(Spanned::new(value.span(), radio_of(band)))
}

fn read_table<'t>(
    value: &'t Value<'t>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Spanned<Radio>> {
    let table = Table::open(value, place, &RADIO_KEYS, problems)?;
    let spelt = table.required("band", "\"5\"", problems)?;
    let band = parse_band(table.text("band", problems)?, place, problems)?;
    let usual = radio_of(band);
    let freq_mhz = table.number_or("freq_mhz", usual.freq_mhz, channel_centres(band), problems);
    let tx_power_dbm = table.number_or(
        "tx_power_dbm",
        usual.tx_power_dbm,
        limits::TX_POWER,
        problems,
    );
    let radio = Radio {
        freq_mhz: freq_mhz?,
        tx_power_dbm: tx_power_dbm?,
        ..usual
    };
    Some(Spanned::new(spelt.span(), radio))
}

/// A band by its word; an unknown word is a problem.
pub(crate) fn parse_band(
    text: Spanned<&str>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Band> {
    let band = Band::parse(text.get_ref());
    if band.is_none() {
        let known = Band::all().map(Band::as_str);
        let what = place.says(format_args!(
            "unknown band {}",
            word::quoted(text.get_ref())
        ));
        problems.add(text.span(), what, word::hint(text.get_ref(), &known));
    }
    band
}

fn radio_of(band: Band) -> Radio {
    Radio {
        index: RadioIndex(0),
        band,
        freq_mhz: band.middle_mhz(),
        tx_power_dbm: band.usual_tx_power_dbm(),
    }
}

/// Channel centres of a band: 2.4 GHz channels 1 to 14, U-NII-1 to 4, U-NII-5 to 8, BLE 0 to 39,
/// UWB 0 to 15.
///
/// # Source
/// IEEE 802.11-2020 annex E; Bluetooth Core 5.4 volume 6 part B 1.4.1; IEEE 802.15.4-2020 16.4.4.
fn channel_centres(band: Band) -> Interval {
    let (min, max) = match band {
        Band::Ghz2 => (2_412.0, 2_484.0),
        Band::Ghz5 => (5_160.0, 5_895.0),
        Band::Ghz6 => (5_935.0, 7_115.0),
        Band::Ble => (2_402.0, 2_480.0),
        Band::Uwb => (499.2, 9_984.0),
    };
    Interval {
        min,
        max,
        unit: " MHz in this band",
    }
}
