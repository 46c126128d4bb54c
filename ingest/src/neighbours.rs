//! The site's own networks, as an agent is told of them: those that it may hear.

use site::{Anchor, Site};
use wire::limits::WELCOME_BSSIDS_MAX;
use wire::{AccessPoint, AgentName, Bssid};

/// Access points whose networks the site file names, this agent's own first and then by distance to
/// them, as many as a `welcome` may have.
pub(crate) fn access_points(site: &Site, agent: &AgentName) -> Vec<AccessPoint> {
    let own = || {
        let anchors = site.anchors.iter();
        anchors.filter(|anchor| anchor.agent == agent.as_str())
    };
    let distance_m = |anchor: &Anchor| {
        let distances = own().map(|own| (own.position - anchor.position).norm());
        distances.fold(f64::INFINITY, f64::min)
    };
    let anchors = site.anchors.iter();
    let mut near: Vec<_> = anchors
        .filter(|anchor| !anchor.bssids.is_empty())
        .map(|anchor| (distance_m(anchor), anchor))
        .collect();
    near.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut room = WELCOME_BSSIDS_MAX;
    let mut told = Vec::new();
    for (_, anchor) in near {
        // A site's ids are names on the wire.
        let Ok(ap) = anchor.id.parse() else { continue };
        let bssids = anchor.bssids.iter().take(room);
        let bssids: Vec<_> = bssids.map(|bssid| Bssid(bssid.0)).collect();
        room -= bssids.len();
        if !bssids.is_empty() {
            told.push(AccessPoint { ap, bssids });
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anchors in a row, a metre apart; each with so many networks.
    fn row(anchors: u16, networks: u8) -> Site {
        let mut text = "site = \"row\"\n[[floor]]\nid = \"0\"\nelevation_m = 0\nheight_m = 3\n\
                        outline = [[0, 0], [999, 0], [999, 9], [0, 9]]\n"
            .to_owned();
        for x in 0..anchors {
            let [high, low] = x.to_be_bytes();
            let bssid = |n: u8| format!("\"02:00:00:{high:02x}:{low:02x}:{n:02x}\"");
            let bssids: Vec<_> = (0..networks).map(bssid).collect();
            text += &format!(
                "[[anchor]]\nid = \"ap-{x}\"\nfloor = \"0\"\nposition = [{x}, 1]\nradios = [\"5\"]\n\
                 bssids = [{}]\n",
                bssids.join(", ")
            );
        }
        Site::parse(&text).unwrap()
    }

    #[test]
    fn an_agent_is_told_of_the_nearest_and_of_no_more_than_fit() {
        let site = row(300, 3);
        let told = access_points(&site, &"ap-100".parse().unwrap());
        let networks: usize = told.iter().map(|ap| ap.bssids.len()).sum();
        assert_eq!((told.len(), networks), (171, WELCOME_BSSIDS_MAX));
        assert_eq!(told[0].ap.as_str(), "ap-100");
        assert_eq!(told[0].bssids[2], Bssid([2, 0, 0, 0, 100, 2]));
        let far = |ap: &AccessPoint| {
            let x: i32 = ap.ap.as_str()["ap-".len()..].parse().unwrap();
            (x - 100).abs()
        };
        assert!(told.iter().all(|ap| far(ap) <= 85), "the nearest");
    }

    #[test]
    fn a_site_that_names_no_networks_tells_none() {
        assert_eq!(access_points(&row(3, 0), &"ap-1".parse().unwrap()), []);
    }
}
