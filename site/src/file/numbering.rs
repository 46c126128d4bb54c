//! Indices for the radios of a site, and how many there may be.

use std::collections::HashMap;

use crate::building::{Anchor, RadioIndex};
use crate::limits;
use crate::reader::Value;
use crate::reader::place::Place;
use crate::reader::problem::Problems;

/// Counts the radios of a file as its anchors are read.
#[derive(Default)]
pub(crate) struct Numbering {
    of_site: usize,
    of_agents: HashMap<String, usize>,
}

impl Numbering {
    /// Gives the radios of the next anchor their indices; tells when they are too many.
    pub(crate) fn number(
        &mut self,
        mut anchor: Anchor,
        value: &Value<'_>,
        place: &Place<'_>,
        problems: &mut Problems,
    ) -> Option<Anchor> {
        let of_agent = self.of_agents.entry(anchor.agent.clone()).or_default();
        for radio in &mut anchor.radios {
            if *of_agent == limits::AGENT_RADIOS_MAX {
                let (agent, max) = (&anchor.agent, limits::AGENT_RADIOS_MAX);
                let what = place.says(format_args!("agent {agent:?} has more than {max} radios"));
                problems.add(value.span(), what, "share its anchors among several agents");
                return None;
            }
            let index = u16::try_from(self.of_site)
                .ok()
                .filter(|_| self.of_site < limits::RADIOS_MAX);
            let Some(index) = index else {
                let what = place.says(format_args!("more than {} radios", limits::RADIOS_MAX));
                problems.add(value.span(), what, "split the site");
                return None;
            };
            radio.index = RadioIndex(index);
            self.of_site += 1;
            *of_agent += 1;
        }
        Some(anchor)
    }
}
