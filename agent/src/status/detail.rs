//! All that an agent can say of itself, for the one who looks after the device.

use std::net::SocketAddr;
use std::time::Duration;

use wire::frame::Counted;

use super::AgentStatus;
use super::value::Value;
use crate::privacy;
use crate::source::SourceHealth;

/// Everything that `trilobite-agent status` shows. It names no device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentDetail {
    /// Session and counters.
    pub status: AgentStatus,
    /// How long the agent has run.
    pub running: Duration,
    /// The node that it is or wants to be connected to.
    pub node: String,
    /// Where that node was found, while there is a session.
    pub remote: Option<SocketAddr>,
    /// Observations that wait to be sent.
    pub waiting: u64,
    /// What each source went through.
    pub sources: Vec<SourceHealth>,
    /// What the privacy stage let through and dropped.
    pub privacy: privacy::Counters,
    /// Devices that are only counted, in the last interval that is over.
    pub counted: Option<Counted>,
    /// Observations that went into the mean of others.
    pub coalesced: u64,
    /// How often the agent rested because its share of the processor was used up.
    pub rests: u32,
    /// How long it rested in all.
    pub rested: Duration,
}

impl AgentDetail {
    /// One line of JSON.
    pub fn json(&self) -> String {
        self.tree().json()
    }

    /// Lines for a person.
    pub fn lines(&self) -> String {
        self.tree().lines()
    }

    fn tree(&self) -> Value {
        Value::Map(vec![
            ("program", Value::text(crate::PROGRAM)),
            ("running_s", Value::Number(self.running.as_secs())),
            ("link", self.link()),
            ("ledger", self.ledger()),
            ("privacy", self.privacy()),
            (
                "sources",
                Value::List(self.sources.iter().map(health).collect()),
            ),
            ("coalesced", Value::Number(self.coalesced)),
            ("rests", Value::Number(self.rests.into())),
            ("rested_ms", Value::Number(self.rested.as_millis() as u64)),
            ("rest_notice", self.rest_notice()),
        ])
    }

    /// What a rest costs is in no ledger: what was never read was never offered.
    fn rest_notice(&self) -> Value {
        match self.rests {
            0 => Value::Nothing,
            _ => Value::text(
                "while it rests nothing is read: frames that a source's queue cannot hold until then are \
                 missing, counted under \"dropped by kernel\" for a monitor and by nobody else; raise \
                 cpu_percent, or leave it out",
            ),
        }
    }

    fn link(&self) -> Value {
        let number = |number: Option<u64>| number.map_or(Value::Nothing, Value::Number);
        Value::Map(vec![
            ("connected", Value::Flag(self.status.session.is_some())),
            ("node", Value::text(&self.node)),
            ("address", self.remote.map_or(Value::Nothing, Value::text)),
            (
                "session",
                number(self.status.session.map(|session| session.0)),
            ),
            ("sessions", Value::Number(self.status.sessions.into())),
        ])
    }

    fn ledger(&self) -> Value {
        let counters = &self.status.counters;
        let dropped = &counters.dropped;
        Value::Map(vec![
            (
                "observations_offered",
                Value::Number(counters.observations_offered),
            ),
            (
                "observations_sent",
                Value::Number(counters.observations_sent - dropped.unsent),
            ),
            (
                "datagrams_sent",
                Value::Number(counters.datagrams_sent - counters.datagrams_unsent),
            ),
            ("dropped_queue_full", Value::Number(dropped.queue_full)),
            ("dropped_too_old", Value::Number(dropped.too_old)),
            ("dropped_disconnected", Value::Number(dropped.disconnected)),
            ("dropped_unsent", Value::Number(dropped.unsent)),
            ("waiting", Value::Number(self.waiting)),
        ])
    }

    fn privacy(&self) -> Value {
        let mut entries = vec![
            ("passed", Value::Number(self.privacy.passed)),
            ("access_points", Value::Number(self.privacy.access_points)),
        ];
        let dropped = self.privacy.dropped().into_iter();
        entries.extend(dropped.map(|(rule, count)| (rule, Value::Number(count))));
        if let Some(counted) = &self.counted {
            let by_class = |counts: [u32; 4]| Value::numbers(counts.map(u64::from));
            entries.push(("counted_devices_by_class", by_class(counted.devices)));
            entries.push(("counted_frames_by_class", by_class(counted.frames)));
            entries.push(("counted_in_ms", Value::Number(counted.length_ms.into())));
        }
        Value::Map(entries)
    }
}

fn health(health: &SourceHealth) -> Value {
    let SourceHealth {
        frames,
        heard,
        without_signal,
        without_transmitter,
        from_access_point,
        without_radio,
        bad_checksum,
        malformed,
        dropped,
        dropped_by_kernel,
        stale,
        restarts,
        notice,
    } = health;
    let notice = notice.as_ref().map_or(Value::Nothing, Value::text);
    Value::Map(vec![
        ("frames", Value::Number(*frames)),
        ("heard", Value::Number(*heard)),
        ("without_signal", Value::Number(*without_signal)),
        ("without_transmitter", Value::Number(*without_transmitter)),
        ("from_access_point", Value::Number(*from_access_point)),
        ("without_radio", Value::Number(*without_radio)),
        ("bad_checksum", Value::Number(*bad_checksum)),
        ("malformed", Value::Number(*malformed)),
        ("dropped", Value::Number(*dropped)),
        ("dropped_by_kernel", Value::Number(*dropped_by_kernel)),
        ("stale", Value::Number(*stale)),
        ("restarts", Value::Number(*restarts)),
        ("notice", notice),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_explained() {
        let mut detail = AgentDetail::default();
        assert!(detail.json().contains("\"rest_notice\":null"));
        detail.rests = 1;
        assert!(detail.json().contains("while it rests nothing is read"));
    }
}
