//! The storeys of a file and how other parts name them.

use toml::Spanned;

use crate::building::{Floor, FloorIndex};
use crate::file::floor;
use crate::limits;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;
use crate::reader::word::{self, Ids};

/// Float noise in elevations that were summed by hand is no overlap.
const OVERLAP_M_MAX: f64 = 1e-6;

/// All storeys that a file declares, readable or not: a bad storey still can be referred to.
pub(crate) struct Storeys<'t> {
    ids: Vec<Option<&'t str>>,
    floors: Vec<Option<Floor>>,
}

impl<'t> Storeys<'t> {
    /// Reads every `[[floor]]`, their ids and their order in height.
    pub(crate) fn read(site: Table<'t, '_>, problems: &mut Problems) -> Self {
        let mut storeys = Self {
            ids: Vec::new(),
            floors: Vec::new(),
        };
        let Some(values) = site.list("floor", limits::FLOORS_MAX, problems) else {
            return storeys;
        };
        if values.is_empty() {
            site.add(problems, "no floors", "add a [[floor]] table");
        }
        let mut ids = Ids::default();
        let mut zone_ids = Ids::default();
        for (index, value) in values.iter().enumerate() {
            let id = floor::declared_id(value);
            let place = site.place.item("floor", id, index);
            let floor = floor::read(value, &place, &mut ids, &mut zone_ids, problems);
            if let (Some(floor), Some(Some(below))) = (&floor, storeys.floors.last()) {
                check_order(below, floor, value.span().start, &place, problems);
            }
            storeys.ids.push(id);
            storeys.floors.push(floor);
        }
        storeys
    }

    /// The storey that an id names; an unknown id is a problem.
    pub(crate) fn resolve(
        &self,
        id: &Spanned<&str>,
        place: &Place<'_>,
        problems: &mut Problems,
    ) -> Option<FloorIndex> {
        let index = self
            .ids
            .iter()
            .position(|known| *known == Some(*id.get_ref()));
        // Where no floor could be read, that was told already.
        if index.is_none() && self.ids.iter().any(Option::is_some) {
            let known: Vec<&str> = self.ids.iter().copied().flatten().collect();
            let what = place.says(format_args!("no floor {:?}", id.get_ref()));
            problems.add(id.span(), what, word::hint(id.get_ref(), &known));
        }
        index
            .and_then(|index| u8::try_from(index).ok())
            .map(FloorIndex)
    }

    /// A storey, if its own table had no problem.
    pub(crate) fn floor(&self, index: FloorIndex) -> Option<&Floor> {
        self.floors[usize::from(index.0)].as_ref()
    }

    /// Every storey that could be read.
    pub(crate) fn floors(&self) -> impl Iterator<Item = &Floor> {
        self.floors.iter().flatten()
    }

    /// Every storey of the file, lowest first.
    pub(crate) fn indices(&self) -> impl Iterator<Item = FloorIndex> {
        self.floors
            .iter()
            .zip(0..)
            .map(|(_, index)| FloorIndex(index))
    }

    pub(crate) fn into_floors(self) -> Option<Vec<Floor>> {
        self.floors.into_iter().collect()
    }
}

fn check_order(
    below: &Floor,
    floor: &Floor,
    offset: usize,
    place: &Place<'_>,
    problems: &mut Problems,
) {
    let ceiling_m = below.elevation_m + below.height_m;
    let (what, what_to_do) = if floor.elevation_m <= below.elevation_m {
        let what = format!(
            "it is not above floor {:?}, which stands before it",
            below.id
        );
        (
            what,
            "list the floors from the lowest to the highest".to_owned(),
        )
    } else if floor.elevation_m < ceiling_m - OVERLAP_M_MAX {
        let (id, elevation_m) = (&below.id, floor.elevation_m);
        let what = format!("at {elevation_m} m it begins below the ceiling of floor {id:?}");
        (
            what,
            format!("raise elevation_m to {ceiling_m} or lower that floor's height_m"),
        )
    } else {
        return;
    };
    problems.add(offset..offset, place.says(what), what_to_do);
}
