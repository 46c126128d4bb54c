//! The tables `slab`: learned losses of the slabs between floors.

use crate::building::Site;
use crate::limits;
use crate::material::BandLoss;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;
use crate::reader::word;

const KEYS: [&str; 2] = ["floor", "loss_db"];

pub(super) fn push(text: &mut String, slabs: &[Option<BandLoss>], site: &Site) {
    for (floor, slab) in site.floors.iter().zip(slabs) {
        let Some(loss) = slab else { continue };
        let losses = [loss.ghz2_db, loss.ghz5_db, loss.ghz6_db];
        if losses.iter().all(|loss_db| loss_db.is_finite()) {
            text.push_str("\n[[slab]]\n");
            super::push_line(text, "floor", format_args!("{:?}", floor.id));
            let [ghz2, ghz5, ghz6] = losses;
            super::push_line(text, "loss_db", format_args!("[{ghz2}, {ghz5}, {ghz6}]"));
        }
    }
}

/// Per floor of the site; empty where the file names no slab.
pub(super) fn read(
    file: Table<'_, '_>,
    site: &Site,
    problems: &mut Problems,
) -> Option<Vec<Option<BandLoss>>> {
    let values = file.list("slab", limits::FLOORS_MAX, problems)?;
    if values.is_empty() {
        return Some(Vec::new());
    }
    let whole = Place::whole();
    let ids: Vec<&str> = site.floors.iter().map(|floor| floor.id.as_str()).collect();
    let mut slabs = vec![None; ids.len()];
    for (index, value) in values.iter().enumerate() {
        let place = whole.item("slab", None, index);
        let table = Table::open(value, &place, &KEYS, problems)?;
        let id = table.required_id("floor", "\"1\"", problems)?;
        let loss = table.required("loss_db", "[15, 18, 21]", problems)?;
        let losses = number::numbers(loss, "loss_db", [limits::LOSS; 3], &place, problems)?;
        let Some(floor) = ids.iter().position(|known| known == id.get_ref()) else {
            let what = place.says(format_args!("the site has no floor {:?}", id.get_ref()));
            let what_to_do = word::near(id.get_ref(), &ids)
                .unwrap_or_else(|| "use the id of a floor of the site file".to_owned());
            problems.add(id.span(), what, what_to_do);
            return None;
        };
        let [ghz2_db, ghz5_db, ghz6_db] = losses;
        let loss = BandLoss {
            ghz2_db,
            ghz5_db,
            ghz6_db,
        };
        if slabs[floor].replace(loss).is_some() {
            let what = place.says("an earlier table is of the same floor");
            problems.add(value.span(), what, "keep one of them");
            return None;
        }
    }
    Some(slabs)
}
