//! The calibration file: readable TOML, `<site>.calibration.toml` beside the site file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Spanned;
use toml::de::DeTable;

use crate::building::{Anchor, Band, RadioIndex, Site};
use crate::calibration::{Calibration, RadioModel, RangeModel, Shadow};
use crate::file::parse_band;
use crate::limits;
use crate::reader::place::Place;
use crate::reader::problem::{Problem, Problems};
use crate::reader::table::Table;
use crate::reader::{self, Value, word};

mod regions;
mod shadow;
mod slabs;

const CALIBRATION_KEYS: [&str; 6] = [
    "site",
    "client_offset_deviation_db",
    "regions",
    "slab",
    "shadow",
    "radio",
];
const RADIO_KEYS: [&str; 8] = [
    "anchor",
    "band",
    "rssi_at_1m_dbm",
    "exponent",
    "deviation_db",
    "range",
    "shadow_db",
    "shadow_m",
];
const RANGE_KEYS: [&str; 3] = ["bias_m", "slope", "deviation_m"];

/// The site's anchors by id, in an order that makes hints the same each time.
type Anchors<'s> = BTreeMap<&'s str, &'s Anchor>;

impl Calibration {
    /// Reads the calibration of a site; its text is `FORMAT.md`'s TOML.
    ///
    /// The result has an entry for every radio of the site, `None` where the file names none.
    /// # Errors
    /// Every problem of the file (up to 100), among them radios that the site does not have.
    pub fn parse(text: &str, site: &Site) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new(text);
        let calibration = reader::parse_document(text, &mut problems)
            .and_then(|document| read_calibration(&document, site, &mut problems));
        problems.into_result(calibration)
    }

    /// The file's text; [`Calibration::parse`] with the same site gives back the same values.
    ///
    /// A model with a number that is not finite is left out, as if nothing had been learned.
    pub fn to_toml(&self, site: &Site) -> String {
        let mut text = format!(
            "# What was learned about the radios of this site.\n\nsite = {:?}\n",
            site.id
        );
        if let Some(deviation_db) = self.client_offset_deviation_db.filter(|db| db.is_finite()) {
            push_line(&mut text, "client_offset_deviation_db", deviation_db);
        }
        regions::push(&mut text, &self.regions);
        slabs::push(&mut text, &self.slabs, site);
        if let Some(shadow) = &self.shadow {
            shadow::push(&mut text, shadow);
        }
        for (anchor, radio) in site.radios() {
            if let Some(model) = self.radio(radio.index).filter(|model| model.is_finite()) {
                push_radio(&mut text, &anchor.id, radio.band, model);
                if let Some(shadow) = &self.shadow {
                    shadow::push_radio(&mut text, shadow, radio.index);
                }
            }
        }
        text
    }
}

impl RadioModel {
    fn is_finite(&self) -> bool {
        let range = self.range.map_or([0.0; 3], |range| {
            [range.bias_m, range.slope, range.deviation_m]
        });
        let signal = [self.rssi_at_1m_dbm, self.exponent, self.deviation_db];
        signal.iter().chain(&range).all(|number| number.is_finite())
    }
}

fn push_radio(text: &mut String, anchor: &str, band: Band, model: &RadioModel) {
    text.push_str("\n[[radio]]\n");
    // Ids are plain ASCII, which Rust's and TOML's quotes spell alike.
    push_line(text, "anchor", format_args!("{anchor:?}"));
    push_line(text, "band", format_args!("{:?}", band.as_str()));
    push_line(text, "rssi_at_1m_dbm", model.rssi_at_1m_dbm);
    push_line(text, "exponent", model.exponent);
    push_line(text, "deviation_db", model.deviation_db);
    if let Some(RangeModel {
        bias_m,
        slope,
        deviation_m,
    }) = model.range
    {
        let table =
            format_args!("{{ bias_m = {bias_m}, slope = {slope}, deviation_m = {deviation_m} }}");
        push_line(text, "range", table);
    }
}

fn push_line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    writeln!(text, "{key} = {value}").expect("a String takes any text");
}

fn read_calibration(
    document: &Spanned<DeTable<'_>>,
    site: &Site,
    problems: &mut Problems,
) -> Option<Calibration> {
    let whole = Place::whole();
    let table = Table::new(
        document.get_ref(),
        0..0,
        &whole,
        &CALIBRATION_KEYS,
        problems,
    );
    if let Some(id) = table.required_id("site", "\"my-site\"", problems)
        && *id.get_ref() != site.id
    {
        let what = format!(
            "the calibration is of site {:?}, not of {:?}",
            id.get_ref(),
            site.id
        );
        problems.add(id.span(), what, "use the file made for this site");
    }
    let client_offset_deviation_db = match table.value("client_offset_deviation_db") {
        Some(_) => Some(table.required_number(
            "client_offset_deviation_db",
            "4.5",
            limits::DEVIATION_DB,
            problems,
        )?),
        None => None,
    };
    let values = table.list("radio", limits::RADIOS_MAX, problems)?;
    let anchors: Anchors<'_> = site
        .anchors
        .iter()
        .map(|anchor| (anchor.id.as_str(), anchor))
        .collect();
    let regions = regions::read(table, problems)?;
    let slabs = slabs::read(table, site, problems)?;
    let mut shadow = match table.value("shadow") {
        Some(value) => Some(shadow::read(value, site, problems)?),
        None => None,
    };
    let mut radios = vec![None; site.radios().count()];
    for (index, value) in values.iter().enumerate() {
        let place = whole.item("radio", None, index);
        if let Some((radio, model)) = read_radio(value, &place, &anchors, shadow.as_mut(), problems)
            && radios[usize::from(radio.0)].replace(model).is_some()
        {
            let what = place.says("an earlier table is of the same anchor and band");
            problems.add(value.span(), what, "keep one of them");
        }
        if problems.is_full() {
            break;
        }
    }
    Some(Calibration {
        radios,
        client_offset_deviation_db,
        slabs,
        shadow,
        regions,
    })
}

fn read_radio(
    value: &Value<'_>,
    place: &Place<'_>,
    anchors: &Anchors<'_>,
    shadow: Option<&mut Shadow>,
    problems: &mut Problems,
) -> Option<(RadioIndex, RadioModel)> {
    let table = Table::open(value, place, &RADIO_KEYS, problems)?;
    let index = radio_index(table, anchors, problems);
    let rssi = table.required_number("rssi_at_1m_dbm", "-40", limits::RSSI_AT_1M, problems);
    let exponent = table.required_number("exponent", "2.0", limits::EXPONENT, problems);
    let deviation = table.required_number("deviation_db", "4.0", limits::DEVIATION_DB, problems);
    let range = match table.value("range") {
        Some(value) => Some(read_range(value, place, problems)?),
        None => None,
    };
    let model = RadioModel {
        rssi_at_1m_dbm: rssi?,
        exponent: exponent?,
        deviation_db: deviation?,
        range,
    };
    let residuals = shadow::read_radio(table, shadow.as_deref(), problems)?;
    let index = index?;
    if let Some(shadow) = shadow {
        shadow.radios[usize::from(index.0)] = residuals;
    }
    Some((index, model))
}

/// The radio that `anchor` and `band` name.
fn radio_index(
    table: Table<'_, '_>,
    anchors: &Anchors<'_>,
    problems: &mut Problems,
) -> Option<RadioIndex> {
    let id = table.required_id("anchor", "\"ap-1\"", problems);
    let band = table.required("band", "\"5\"", problems).and_then(|_| {
        let spelt = table.text("band", problems)?;
        Some((spelt.span(), parse_band(spelt, table.place, problems)?))
    });
    let (id, (span, band)) = (id?, band?);
    let Some(anchor) = anchors.get(id.get_ref()) else {
        let known: Vec<&str> = anchors.keys().copied().collect();
        let what = format!("the site has no anchor {:?}", id.get_ref());
        let what_to_do = word::near(id.get_ref(), &known)
            .unwrap_or_else(|| "remove the table, or use an id of the site file".to_owned());
        problems.add(id.span(), table.place.says(what), what_to_do);
        return None;
    };
    let radio = anchor.radios.iter().find(|radio| radio.band == band);
    if radio.is_none() {
        let known: Vec<&str> = anchor
            .radios
            .iter()
            .map(|radio| radio.band.as_str())
            .collect();
        let (anchor, band) = (&anchor.id, band.as_str());
        let what = format!("anchor {anchor:?} has no radio of band {band:?}");
        let what_to_do = format!("use one of {}", known.join(", "));
        problems.add(span, table.place.says(what), what_to_do);
    }
    radio.map(|radio| radio.index)
}

fn read_range(value: &Value<'_>, place: &Place<'_>, problems: &mut Problems) -> Option<RangeModel> {
    let place = place.part("range");
    let table = Table::open(value, &place, &RANGE_KEYS, problems)?;
    let bias = table.required_number("bias_m", "0.3", limits::RANGE_BIAS, problems);
    let slope = table.required_number("slope", "1.0", limits::RANGE_SLOPE, problems);
    let deviation = table.required_number("deviation_m", "0.8", limits::RANGE_DEVIATION, problems);
    Some(RangeModel {
        bias_m: bias?,
        slope: slope?,
        deviation_m: deviation?,
    })
}

#[cfg(test)]
mod tests;
