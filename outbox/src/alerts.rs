//! Alerts: more messages than usual, more polls than usual, and a silence that is not usual. A core
//! without IO: counts and clocks go in, notices come out.
//!
//! What is usual is learned for each hour of the week by itself, in UTC, so that a quiet night and a
//! busy Monday raise nothing. Nothing is said of an hour before it was seen in as many whole weeks as
//! [`AlertRules::warm_up_weeks`] says. One odd week is not believed at once, a lasting change is learned
//! within some weeks.
//!
//! - An increase begins as soon as an hour's count passes its limit, without waiting for the hour's
//!   end, and ends after a whole hour that stays clearly below it.
//! - A silence begins after [`AlertRules::silence_hours`] whole hours without a count that usually have
//!   one; hours that are usually quiet neither count nor start it anew. The first count ends it.
//! - Hours that were not seen whole (a restart, a clock that stepped, a machine that slept) teach
//!   nothing and raise nothing.
//!
//! # Invariants
//! - Bounded: [`CONSUMERS_WATCHED_MAX`] consumers, 2 KiB each; [`NOTICES_MAX`] notices.
//! - An alert has one beginning and one end, also across a restart with [`Alerts::restore`].

mod hours;
mod keep;
mod rhythm;
mod rules;
mod series;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::Time;
use hours::{Hours, Step};
use series::{Change, Series};

pub use keep::{COMPONENT, Kept, load, save};
pub use rules::{AlertRules, RulesError};

/// Most consumers that are watched one by one; polls of further ones count in the sum only.
pub const CONSUMERS_WATCHED_MAX: usize = 1_024;

/// Most notices that wait to be taken; the oldest go first.
pub const NOTICES_MAX: usize = 4_096;

/// What is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKind {
    /// Substantially more messages than usual.
    MessagesIncrease,
    /// Substantially more polls than usual, of one consumer or of all together.
    PollsIncrease,
    /// No message where there usually are some.
    MessagesSilence,
    /// No poll where there usually are some.
    PollsSilence,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::MessagesIncrease,
        Self::PollsIncrease,
        Self::MessagesSilence,
        Self::PollsSilence,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MessagesIncrease => "messages_increase",
            Self::PollsIncrease => "polls_increase",
            Self::MessagesSilence => "messages_silence",
            Self::PollsSilence => "polls_silence",
        }
    }
}

/// Something that is unusual now, or was.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What.
    pub kind: AlertKind,
    /// Whose polls; nothing for messages, and for the polls of all together.
    pub consumer: Option<String>,
    /// Since when.
    pub since: Time,
    /// Of an increase: the hour's count when it began. Of a silence: its hours when it began.
    pub count: u64,
    /// What an hour like that usually counts.
    pub usual: f64,
    /// What the count was not to pass.
    pub limit: f64,
}

/// An alert began or ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The alert.
    pub alert: Alert,
    /// When it ended; nothing if it just began.
    pub ended: Option<Time>,
}

/// What was counted since the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages published.
    pub messages: u64,
    /// Polls answered, by consumer; those without a name are one, with an empty name.
    pub polls: BTreeMap<String, u64>,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Messages,
    Polls,
    Consumer(String),
}

impl Source {
    fn kind(&self, is_silence: bool) -> AlertKind {
        match (self, is_silence) {
            (Self::Messages, false) => AlertKind::MessagesIncrease,
            (Self::Messages, true) => AlertKind::MessagesSilence,
            (_, false) => AlertKind::PollsIncrease,
            (_, true) => AlertKind::PollsSilence,
        }
    }

    fn consumer(&self) -> Option<String> {
        match self {
            Self::Consumer(name) => Some(name.clone()),
            Self::Messages | Self::Polls => None,
        }
    }

    fn floor(&self, rules: &AlertRules) -> f64 {
        match self {
            Self::Messages => rules.messages_floor,
            Self::Polls | Self::Consumer(_) => rules.polls_floor,
        }
    }
}

/// Learns what is usual, and tells what is not.
#[derive(Debug)]
pub struct Alerts {
    rules: AlertRules,
    hours: Hours,
    series: BTreeMap<Source, Series>,
    changed: BTreeSet<Source>,
    notices: VecDeque<Notice>,
}

impl Alerts {
    /// Knows nothing yet.
    pub fn new(rules: AlertRules) -> Self {
        let series = [Source::Messages, Source::Polls].map(|source| (source, Series::default()));
        Self {
            rules,
            hours: Hours::default(),
            series: series.into(),
            changed: BTreeSet::new(),
            notices: VecDeque::new(),
        }
    }

    /// Takes what was counted until `now`; `running` is a clock that nobody sets. Several times a
    /// minute, also when nothing was counted.
    pub fn handle_counts(&mut self, counts: &Counts, now: Time, running: Duration) {
        for name in counts.polls.keys().filter(|name| !name.is_empty()) {
            let source = Source::Consumer(name.clone());
            let is_room = self.series.len() < CONSUMERS_WATCHED_MAX + 2;
            if !self.series.contains_key(&source) && is_room {
                self.series.insert(source, Series::default());
            }
        }
        let step = self.hours.step(now, running);
        let polls: u64 = counts.polls.values().sum();
        let is_nobody_named = self.series.len() == 2;
        for (source, series) in &mut self.series {
            let count = match source {
                Source::Messages => counts.messages,
                Source::Polls => polls,
                Source::Consumer(name) => counts.polls.get(name).copied().unwrap_or_default(),
            };
            // Where consumers have names, each tells for itself whether it is silent.
            let watches_silence = is_nobody_named || *source != Source::Polls;
            let floor = source.floor(&self.rules);
            let mut judge = series::Judge {
                rules: &self.rules,
                floor,
                watches_silence,
                now,
            };
            let changes = series.handle(&mut judge, count, step);
            if matches!(step, Step::Next { .. }) || changes.iter().any(Option::is_some) {
                self.changed.insert(source.clone());
            }
            for change in changes.into_iter().flatten() {
                let notice = notice(source, &change);
                if self.notices.len() == NOTICES_MAX {
                    self.notices.pop_front();
                }
                self.notices.push_back(notice);
            }
        }
    }

    /// Forgets consumers that are no more; what was unusual about them has ended.
    pub fn handle_consumers(&mut self, is_known: impl Fn(&str) -> bool, now: Time) {
        let gone: Vec<Source> = (self.series.keys())
            .filter(|source| matches!(source, Source::Consumer(name) if !is_known(name)))
            .cloned()
            .collect();
        for source in gone {
            let series = self.series.remove(&source).unwrap_or_default();
            for change in series.end(now).into_iter().flatten() {
                self.notices.push_back(notice(&source, &change));
            }
            self.changed.insert(source);
        }
        while self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
    }

    /// The next beginning or end.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// What is unusual now.
    pub fn active(&self) -> Vec<Alert> {
        let active = self.series.iter().flat_map(|(source, series)| {
            let on = series.active().into_iter().flatten();
            on.map(move |(is_silence, raised)| alert(source, is_silence, &raised))
        });
        active.collect()
    }

    /// Consumers that are watched one by one.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.series.keys().filter_map(|source| match source {
            Source::Consumer(name) => Some(name.as_str()),
            Source::Messages | Source::Polls => None,
        })
    }

    /// Hours of the week, of 168, about which messages are past their warm-up.
    pub fn hours_learned(&self) -> usize {
        let messages = self.series.get(&Source::Messages);
        messages.map_or(0, |series| series.hours_learned(&self.rules))
    }
}

fn alert(source: &Source, is_silence: bool, raised: &series::Raised) -> Alert {
    Alert {
        kind: source.kind(is_silence),
        consumer: source.consumer(),
        since: raised.since,
        count: raised.count,
        usual: f64::from(raised.usual),
        limit: f64::from(raised.limit),
    }
}

fn notice(source: &Source, change: &Change) -> Notice {
    Notice {
        alert: alert(source, change.is_silence, &change.raised),
        ended: change.ended,
    }
}
