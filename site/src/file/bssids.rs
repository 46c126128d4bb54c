//! The networks of an anchor: `bssids = ["00:00:5e:00:53:aa"]`.

use std::collections::HashSet;

use crate::building::Bssid;
use crate::limits;
use crate::reader::problem::Problems;
use crate::reader::table::{self, Table};

/// The networks of the file so far.
#[derive(Default)]
pub(crate) struct Networks {
    seen: HashSet<Bssid>,
}

impl Networks {
    /// Reads those of the next anchor; one that the file has already is a problem.
    pub(crate) fn read(
        &mut self,
        anchor: Table<'_, '_>,
        problems: &mut Problems,
    ) -> Option<Vec<Bssid>> {
        if anchor.value("bssids").is_none() {
            return Some(Vec::new());
        }
        let values = anchor.list("bssids", limits::BSSIDS_MAX, problems)?;
        let mut bssids = Some(Vec::new());
        for value in values {
            let text = table::text(value, "bssids", anchor.place, problems);
            let read = text.as_ref().and_then(|text| Bssid::parse(text.get_ref()));
            let fault = match read {
                Some(bssid) if self.seen.insert(bssid) => None,
                Some(_) => Some((
                    "an earlier network of the file has the same address",
                    "name each network once, at the access point that sends it",
                )),
                None => Some((
                    "bssids has what is no address of a network",
                    "write six pairs of hexadecimal digits such as \"00:00:5e:00:53:aa\", as \
                     \"iw dev\" shows them on the access point",
                )),
            };
            if let (Some(text), Some((what, what_to_do))) = (text, fault) {
                problems.add(text.span(), anchor.place.says(what), what_to_do);
            }
            bssids = bssids.zip(read).map(|(mut bssids, bssid)| {
                bssids.push(bssid);
                bssids
            });
        }
        bssids
    }
}
