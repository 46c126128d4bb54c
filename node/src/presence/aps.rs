//! Which access points of a site are online: a state machine without IO or clock.

use std::collections::HashSet;

/// The access points of a site, by the agents that speak for them.
#[derive(Debug)]
pub(super) struct Aps {
    aps: Vec<Ap>,
    grace_us: u64,
}

#[derive(Debug)]
struct Ap {
    id: String,
    agent: String,
    /// As told; `None` for one that never was online.
    online: Option<bool>,
    /// Since when its agent has no session.
    gone_since_us: Option<u64>,
}

/// An access point went online or offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ApChange {
    pub(super) ap: usize,
    pub(super) online: bool,
    pub(super) since_us: u64,
}

impl Aps {
    /// No access point was ever online.
    pub(super) fn new(site: &site::Site, grace_us: u64) -> Self {
        let aps = site.anchors.iter().map(|anchor| Ap {
            id: anchor.id.clone(),
            agent: anchor.agent.clone(),
            online: None,
            gone_since_us: None,
        });
        Self {
            aps: aps.collect(),
            grace_us,
        }
    }

    pub(super) fn id(&self, ap: usize) -> &str {
        &self.aps[ap].id
    }

    /// What was told of an access point before this node started, at `now_us`.
    pub(super) fn restore(&mut self, id: &str, online: bool, now_us: u64) {
        if let Some(ap) = self.aps.iter_mut().find(|ap| ap.id == id) {
            ap.online = Some(online);
            ap.gone_since_us = online.then_some(now_us);
        }
    }

    /// These agents have sessions now. A short absence changes nothing.
    pub(super) fn handle_sessions(&mut self, agents: &HashSet<&str>, now_us: u64) -> Vec<ApChange> {
        let mut changes = Vec::new();
        for (index, ap) in self.aps.iter_mut().enumerate() {
            let change = if agents.contains(ap.agent.as_str()) {
                ap.gone_since_us = None;
                (ap.online != Some(true)).then_some((true, now_us))
            } else if ap.online == Some(true) {
                let since_us = *ap.gone_since_us.get_or_insert(now_us);
                (now_us.saturating_sub(since_us) >= self.grace_us).then_some((false, since_us))
            } else {
                None
            };
            if let Some((online, since_us)) = change {
                ap.online = Some(online);
                changes.push(ApChange {
                    ap: index,
                    online,
                    since_us,
                });
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALL: &str = r#"
site = "hall"
floor = [{ id = "1", elevation_m = 0, height_m = 3, outline = [[0, 0], [9, 0], [9, 9], [0, 9]] }]
anchor = [
  { id = "a", floor = "1", position = [1, 1], radios = ["5"] },
  { id = "b", agent = "a", floor = "1", position = [2, 1], radios = ["5"] },
  { id = "c", floor = "1", position = [3, 1], radios = ["5"] },
]
"#;

    fn aps() -> Aps {
        Aps::new(&site::Site::parse(HALL).unwrap(), 20)
    }

    fn change(ap: usize, online: bool, since_us: u64) -> ApChange {
        ApChange {
            ap,
            online,
            since_us,
        }
    }

    #[test]
    fn a_reconnect_says_nothing_and_a_lasting_absence_does() {
        let mut aps = aps();
        let (here, gone) = (HashSet::from(["a", "stranger"]), HashSet::new());
        assert_eq!(
            aps.handle_sessions(&gone, 0),
            [],
            "never seen is not offline"
        );
        let both = [change(0, true, 5), change(1, true, 5)];
        assert_eq!(aps.handle_sessions(&here, 5), both);
        // Away for less than the grace, again and again.
        for round in 0..10 {
            assert_eq!(aps.handle_sessions(&gone, 10 + 20 * round), []);
            assert_eq!(aps.handle_sessions(&gone, 29 + 20 * round), []);
            assert_eq!(aps.handle_sessions(&here, 29 + 20 * round), []);
        }
        assert_eq!(aps.handle_sessions(&gone, 300), []);
        let both = [change(0, false, 300), change(1, false, 300)];
        assert_eq!(aps.handle_sessions(&gone, 320), both);
        assert_eq!(aps.handle_sessions(&gone, 999), []);
        assert_eq!(aps.handle_sessions(&here, 1_000).len(), 2);
    }

    #[test]
    fn a_restart_of_the_node_is_no_outage() {
        let mut aps = aps();
        aps.restore("a", true, 1_000);
        aps.restore("b", false, 1_000);
        aps.restore("no such", true, 1_000);
        let (here, gone) = (HashSet::from(["a"]), HashSet::new());
        assert_eq!(aps.handle_sessions(&gone, 1_019), []);
        assert_eq!(aps.handle_sessions(&here, 1_019), [change(1, true, 1_019)]);
    }
}
