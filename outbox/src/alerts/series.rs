//! One thing that is counted: its rhythm, its running hour, and what is unusual about it.

use super::hours::Step;
use super::rhythm::Rhythm;
use super::{AlertRules, Time};

/// An increase ends after a whole hour below so great a part of the limit.
const ENDS_BELOW: f32 = 0.7;

/// By what, and when, it is judged.
pub(super) struct Judge<'a> {
    pub(super) rules: &'a AlertRules,
    pub(super) floor: f64,
    pub(super) watches_silence: bool,
    pub(super) now: Time,
}

/// An alert that is on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Raised {
    pub(super) since: Time,
    pub(super) count: u64,
    pub(super) usual: f32,
    pub(super) limit: f32,
}

/// An alert that went on or off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) is_silence: bool,
    pub(super) raised: Raised,
    pub(super) ended: Option<Time>,
}

/// A whole hour and what it counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Closed {
    hour: i64,
    count: u64,
    /// More than so much is not believed.
    most: Option<f32>,
}

/// One thing that is counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Series {
    pub(super) rhythm: Rhythm,
    /// Count of the running hour, as far as it was seen.
    pub(super) count: u64,
    /// Whole hours without a count that usually have one.
    pub(super) quiet_hours: u16,
    /// The last whole hour: learned an hour later, so that an odd hour does not make the next one
    /// look usual.
    pub(super) unlearned: Option<Closed>,
    pub(super) increase: Option<Raised>,
    pub(super) silence: Option<Raised>,
}

impl Series {
    pub(super) fn handle(
        &mut self,
        judge: &mut Judge<'_>,
        count: u64,
        step: Step,
    ) -> [Option<Change>; 2] {
        let mut changes = [None, None];
        if count > 0 {
            self.quiet_hours = 0;
            changes[1] = take(&mut self.silence, true, judge.now);
        }
        match step {
            Step::Jump => {
                self.count = 0;
                self.learn(None);
            }
            Step::Same(hour) => {
                self.count = self.count.saturating_add(count);
                changes[0] = self.look(judge, hour);
            }
            Step::Next { closed, whole } => {
                self.count = self.count.saturating_add(count);
                changes[0] = self.look(judge, closed);
                if whole {
                    let ends = self.close(judge, closed);
                    changes = [changes[0].or(ends[0]), changes[1].or(ends[1])];
                }
                self.count = 0;
            }
        }
        changes
    }

    /// Whether the count so far is too great.
    fn look(&mut self, judge: &Judge<'_>, hour: i64) -> Option<Change> {
        let (usual, limit) = self.rhythm.limit(hour, judge.rules, judge.floor)?;
        if self.increase.is_some() || self.count as f32 <= limit {
            return None;
        }
        let raised = Raised {
            since: judge.now,
            count: self.count,
            usual,
            limit,
        };
        self.increase = Some(raised);
        Some(began(false, raised))
    }

    /// A whole hour has ended.
    fn close(&mut self, judge: &Judge<'_>, hour: i64) -> [Option<Change>; 2] {
        let mut changes = [None, None];
        let limit = self.rhythm.limit(hour, judge.rules, judge.floor);
        let is_calm = limit.is_none_or(|(_, limit)| self.count as f32 <= ENDS_BELOW * limit);
        if is_calm {
            changes[0] = take(&mut self.increase, false, judge.now);
        }
        let is_missed = self.count == 0 && self.rhythm.is_usual(hour, judge.rules);
        if judge.watches_silence && is_missed {
            self.quiet_hours = self.quiet_hours.saturating_add(1);
            if self.silence.is_none() && self.quiet_hours >= judge.rules.silence_hours {
                let raised = Raised {
                    since: judge.now,
                    count: u64::from(self.quiet_hours),
                    usual: limit.map_or(0.0, |(usual, _)| usual),
                    limit: 0.0,
                };
                self.silence = Some(raised);
                changes[1] = Some(began(true, raised));
            }
        }
        if !judge.watches_silence {
            changes[1] = take(&mut self.silence, true, judge.now);
        }
        self.learn(Some(Closed {
            hour,
            count: self.count,
            most: limit.map(|(_, limit)| limit),
        }));
        changes
    }

    /// Learns the hour before this one.
    fn learn(&mut self, closed: Option<Closed>) {
        if let Some(before) = std::mem::replace(&mut self.unlearned, closed) {
            self.rhythm.learn(before.hour, before.count, before.most);
        }
    }

    /// What was unusual has ended.
    pub(super) fn end(mut self, now: Time) -> [Option<Change>; 2] {
        [
            take(&mut self.increase, false, now),
            take(&mut self.silence, true, now),
        ]
    }

    /// What is unusual now, and whether that is a silence.
    pub(super) fn active(&self) -> [Option<(bool, Raised)>; 2] {
        [
            self.increase.map(|raised| (false, raised)),
            self.silence.map(|raised| (true, raised)),
        ]
    }

    pub(super) fn hours_learned(&self, rules: &AlertRules) -> usize {
        let hours = self.rhythm.0.iter();
        hours
            .filter(|hour| hour.weeks >= rules.warm_up_weeks)
            .count()
    }
}

const fn began(is_silence: bool, raised: Raised) -> Change {
    Change {
        is_silence,
        raised,
        ended: None,
    }
}

fn take(alert: &mut Option<Raised>, is_silence: bool, now: Time) -> Option<Change> {
    alert.take().map(|raised| Change {
        is_silence,
        raised,
        ended: Some(now),
    })
}
