//! When each test epoch is played: one interval of the node's fixes for each epoch of a client.
//!
//! Every walk, and every static place, is a client of its own, and all begin together. A walk keeps
//! its time scale as far as one interval for each epoch allows; at a static place the epochs follow
//! one another.

use std::collections::BTreeMap;

use agent::pseudonym::named_client_id;
use wire::{ClientId, ClientName};

use crate::dataset::ground::legal_name;
use crate::dataset::split::{Epoch, TestEpochs};

/// Fixes per second at static places.
const STATIC_FIX_HZ: f64 = 1.0;

/// Fixes per second that a node makes.
const FIX_HZ: std::ops::RangeInclusive<f64> = 0.01..=50.0;

/// Readings keep so far from the ends of their interval, in microseconds: the wire rounds to
/// milliseconds.
const EDGE_US: u64 = 4_000;

/// Where the test epochs lie on the recording's clock.
#[derive(Debug)]
pub(super) struct Layout {
    /// Fixes per second that the node is to make.
    pub(super) fix_hz: f64,
    interval_us: u64,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    name: ClientName,
    /// Index of the epoch by number of the interval.
    epochs: BTreeMap<u64, usize>,
}

/// An epoch in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    /// Index of the epoch.
    pub(super) epoch: usize,
    /// Who the node takes its client for.
    pub(super) client: ClientId,
    /// The client's name.
    pub(super) name: &'a ClientName,
    interval: u64,
    interval_us: u64,
}

impl Layout {
    /// Lays the epochs out.
    pub(super) fn new(epochs: &TestEpochs) -> Self {
        let epochs = epochs.as_slice();
        let groups = groups(epochs);
        let fix_hz = fix_hz(epochs, &groups);
        // The node rounds in the same way.
        let interval_us = (1e6 / fix_hz) as u64;
        let several_devices = |name: &str| groups.keys().filter(|(of, _)| of == name).count() > 1;
        let mut taken = Vec::new();
        let clients = groups.iter().map(|((name, device), members)| {
            let name = match several_devices(name) {
                true => format!("{name}.{device}"),
                false => name.clone(),
            };
            let name = unique_name(&name, &mut taken);
            let epochs = intervals(epochs, members, interval_us);
            Client {
                id: named_client_id(&name),
                name,
                epochs,
            }
        });
        Self {
            fix_hz,
            interval_us,
            clients: clients.collect(),
        }
    }

    /// Oldest sighting that may take part in a fix, in seconds: an epoch must answer for itself.
    pub(super) fn window_s(&self) -> f64 {
        (self.interval_us as f64 * 1e-6).clamp(0.1, 60.0)
    }

    /// Every epoch in its place.
    pub(super) fn placed(&self) -> impl Iterator<Item = Placed<'_>> {
        self.clients.iter().flat_map(|client| {
            client.epochs.iter().map(|(&interval, &epoch)| Placed {
                epoch,
                client: client.id,
                name: &client.name,
                interval,
                interval_us: self.interval_us,
            })
        })
    }

    /// The epoch that a fix of this client, by name or digits, speaks of with this time in
    /// microseconds.
    pub(super) fn epoch_of(&self, client: &str, time_us: u64) -> Option<usize> {
        let is_meant =
            |known: &&Client| known.name.as_str() == client || client.parse() == Ok(known.id);
        let client = self.clients.iter().find(is_meant)?;
        client.epochs.get(&(time_us / self.interval_us)).copied()
    }
}

impl Placed<'_> {
    /// When a reading is heard that came so many seconds after its epoch's own time, which is the
    /// middle of the interval.
    pub(super) fn time_us(&self, after_s: f64) -> u64 {
        let reach_us = (self.interval_us / 2).saturating_sub(EDGE_US) as f64;
        let after_us = (after_s * 1e6).clamp(-reach_us, reach_us) as i64;
        let begin_us = self.interval * self.interval_us;
        (begin_us + self.interval_us / 2).saturating_add_signed(after_us)
    }
}

type Groups = BTreeMap<(String, String), Vec<usize>>;

/// Epochs by walk or place and by device, in order of their times.
fn groups(epochs: &[Epoch]) -> Groups {
    let mut groups = Groups::new();
    for (index, epoch) in epochs.iter().enumerate() {
        let name = epoch.walk.clone().unwrap_or_else(|| epoch.place.clone());
        groups
            .entry((name, epoch.device.clone()))
            .or_default()
            .push(index);
    }
    for members in groups.values_mut() {
        members.sort_by(|a, b| epochs[*a].t_s.total_cmp(&epochs[*b].t_s));
    }
    groups
}

/// The rate at which epochs of walks follow one another: their median.
fn fix_hz(epochs: &[Epoch], groups: &Groups) -> f64 {
    let mut steps_s: Vec<f64> = groups
        .values()
        .filter(|members| members.iter().all(|&index| epochs[index].walk.is_some()))
        .flat_map(|members| {
            members
                .windows(2)
                .map(|pair| epochs[pair[1]].t_s - epochs[pair[0]].t_s)
        })
        .filter(|step_s| *step_s > 0.0)
        .collect();
    steps_s.sort_by(f64::total_cmp);
    let median_s = steps_s.get(steps_s.len() / 2);
    median_s.map_or(STATIC_FIX_HZ, |step_s| {
        (1.0 / step_s).clamp(*FIX_HZ.start(), *FIX_HZ.end())
    })
}

/// One interval per epoch, rising: the next free one at or after its own time.
fn intervals(epochs: &[Epoch], members: &[usize], interval_us: u64) -> BTreeMap<u64, usize> {
    let first_s = members.first().map_or(0.0, |&index| epochs[index].t_s);
    let mut next = 1;
    let mut placed = BTreeMap::new();
    for &index in members {
        let epoch = &epochs[index];
        if epoch.walk.is_some() {
            let own = (epoch.t_s - first_s) * 1e6 / interval_us as f64;
            next = next.max(1 + own.round() as u64);
        }
        placed.insert(next, index);
        next += 1;
    }
    placed
}

fn unique_name(text: &str, taken: &mut Vec<ClientName>) -> ClientName {
    let mut number = 1;
    loop {
        let name = match number {
            1 => legal_name(text),
            _ => legal_name(&format!("{number}-{text}")),
        };
        let name = ClientName::new(name).expect("a legal name is one");
        if !taken.contains(&name) {
            taken.push(name.clone());
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::fixture::{epoch, test};

    #[test]
    fn a_walk_keeps_its_time_scale() {
        let walk = |t_s| epoch(Some("w 1"), "p", t_s);
        let layout = Layout::new(&test([10.0, 10.5, 11.0, 11.4, 15.0].map(walk).into()));
        assert_eq!(layout.fix_hz, 2.0);
        let intervals: Vec<u64> = layout.placed().map(|placed| placed.interval).collect();
        assert_eq!(intervals, [1, 2, 3, 4, 11]);
        assert_eq!(layout.placed().next().unwrap().name.as_str(), "w-1");
    }

    #[test]
    fn epochs_too_close_take_the_next_interval() {
        let walk = |t_s| epoch(Some("w"), "p", t_s);
        let layout = Layout::new(&test([0.0, 1.0, 1.1, 2.0, 3.0, 4.0].map(walk).into()));
        let intervals: Vec<u64> = layout.placed().map(|placed| placed.interval).collect();
        assert_eq!(intervals, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn places_are_clients_of_their_own_with_an_epoch_per_interval() {
        let epochs = [("a", 6.0), ("b", 0.0), ("a", 0.0), ("a", 3.0)];
        let layout = Layout::new(&test(
            epochs.map(|(place, t_s)| epoch(None, place, t_s)).into(),
        ));
        let placed: Vec<_> = layout
            .placed()
            .map(|p| (p.name.as_str().to_owned(), p.interval, p.epoch))
            .collect();
        let expected = [("a", 1, 2), ("a", 2, 3), ("a", 3, 0), ("b", 1, 1)];
        assert_eq!(
            placed,
            expected.map(|(name, interval, epoch)| (name.to_owned(), interval, epoch))
        );
    }

    #[test]
    fn two_devices_at_one_place_are_two_clients() {
        let mut other = epoch(None, "a", 0.0);
        other.device = "tablet".into();
        let layout = Layout::new(&test(vec![epoch(None, "a", 0.0), other]));
        let names: Vec<&str> = layout.placed().map(|placed| placed.name.as_str()).collect();
        assert_eq!(names, ["a.phone", "a.tablet"]);
    }

    #[test]
    fn names_that_look_alike_on_the_wire_stay_apart() {
        let layout = Layout::new(&test(vec![
            epoch(None, "a b", 0.0),
            epoch(None, "a/b", 0.0),
        ]));
        let names: Vec<&str> = layout.placed().map(|placed| placed.name.as_str()).collect();
        assert_eq!(names, ["a-b", "2-a-b"]);
    }

    #[test]
    fn readings_stay_in_their_interval_and_fixes_find_their_epoch() {
        let layout = Layout::new(&test(vec![epoch(None, "a", 0.0), epoch(None, "a", 1.0)]));
        for placed in layout.placed() {
            for after_s in [-9.0, -0.2, 0.0, 0.3, 9.0] {
                let time_us = placed.time_us(after_s);
                assert_eq!(layout.epoch_of("a", time_us), Some(placed.epoch));
            }
            assert_eq!(placed.time_us(0.0) % 1_000_000, 500_000);
        }
        let digits = layout.clients[0].id.to_string();
        assert!(layout.epoch_of(&digits, 1_500_000).is_some());
        assert_eq!(layout.epoch_of("a", 0), None);
        assert_eq!(layout.epoch_of("b", 1_500_000), None);
    }
}
