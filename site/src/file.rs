//! The site file: TOML text in, a [`Site`] or every problem of the text out.
//!
//! The format is described in `FORMAT.md` of this crate.

mod anchor;
mod bssids;
mod floor;
mod numbering;
mod polygon;
mod radio;
mod stairs;
mod storeys;
mod wall;
mod zone;

use toml::Spanned;
use toml::de::DeTable;

use crate::building::{Propagation, Site};
use crate::limits;
use crate::reader::place::Place;
use crate::reader::problem::{Problem, Problems};
use crate::reader::{self, table::Table};

pub(crate) use radio::parse_band;
use storeys::Storeys;

const SITE_KEYS: [&str; 6] = ["site", "name", "propagation", "floor", "stairs", "anchor"];
const PROPAGATION_KEYS: [&str; 3] = ["diffuse_excess_db", "diffuse_exponent", "direct_exponent"];

impl Default for Propagation {
    /// An office: free space between the walls, 5 dB and exponent 4 around them.
    fn default() -> Self {
        Self {
            diffuse_excess_db: 5.0,
            diffuse_exponent: 4.0,
            direct_exponent: 2.0,
        }
    }
}

impl Site {
    /// Reads a site file; its text is `FORMAT.md`'s TOML.
    ///
    /// # Errors
    /// Every problem of the file (up to 100), in the order of its lines. A file that is no TOML
    /// tells its mistakes of syntax only.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new(text);
        let site = reader::parse_document(text, &mut problems)
            .and_then(|document| read_site(&document, &mut problems));
        problems.into_result(site)
    }
}

fn read_site(document: &Spanned<DeTable<'_>>, problems: &mut Problems) -> Option<Site> {
    if document.get_ref().is_empty() {
        let what_to_do =
            "begin with `site = \"my-site\"`, then add [[floor]] and [[anchor]] tables";
        problems.add(0..0, "the file is empty", what_to_do);
        return None;
    }
    let whole = Place::whole();
    let table = Table::new(document.get_ref(), 0..0, &whole, &SITE_KEYS, problems);
    let id = table.required_id("site", "\"my-site\"", problems);
    let name = table.name_or(id.as_ref().map_or("", |id| id.get_ref()), problems);
    let propagation = read_propagation(table, problems);
    let storeys = Storeys::read(table, problems);
    let stairs = stairs::read(table, &storeys, problems);
    let anchors = anchor::read(table, &storeys, problems);
    Some(Site {
        id: (*id?.get_ref()).to_owned(),
        name: name?,
        propagation: propagation?,
        floors: storeys.into_floors()?,
        stairs: stairs?,
        anchors: anchors?,
    })
}

fn read_propagation(site: Table<'_, '_>, problems: &mut Problems) -> Option<Propagation> {
    let default = Propagation::default();
    let Some(value) = site.value("propagation") else {
        return Some(default);
    };
    let place = site.place.part("propagation");
    let table = Table::open(value, &place, &PROPAGATION_KEYS, problems)?;
    let mut number = |key, default, interval| table.number_or(key, default, interval, problems);
    let excess = number(
        "diffuse_excess_db",
        default.diffuse_excess_db,
        limits::DIFFUSE_EXCESS,
    );
    let diffuse = number(
        "diffuse_exponent",
        default.diffuse_exponent,
        limits::EXPONENT,
    );
    let direct = number("direct_exponent", default.direct_exponent, limits::EXPONENT);
    Some(Propagation {
        diffuse_excess_db: excess?,
        diffuse_exponent: diffuse?,
        direct_exponent: direct?,
    })
}

#[cfg(test)]
mod tests;
