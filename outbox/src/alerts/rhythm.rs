//! What is usual in each hour of the week.

use super::AlertRules;

/// Hours of a week.
pub(super) const HOURS: usize = 168;

/// Weight of the newest week.
const NEWEST: f32 = 0.3;

/// An increase is also more than so many times the usual deviation above what is usual.
const SPREADS: f32 = 6.0;

/// An hour usually counts something if it did in so great a share of weeks. After one quiet week it
/// does not until two weeks later.
const USUAL_SHARE: f32 = 0.75;

/// One hour of the week.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hour {
    /// Count, averaged over the weeks.
    pub(super) mean: f32,
    /// Deviation from it, averaged likewise.
    pub(super) spread: f32,
    /// Share of weeks in which there was any count, averaged likewise.
    pub(super) share: f32,
    /// Weeks that it was seen.
    pub(super) weeks: u16,
}

/// All hours of the week.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rhythm(pub(super) Box<[Hour; HOURS]>);

impl Default for Rhythm {
    fn default() -> Self {
        Self(Box::new([Hour::default(); HOURS]))
    }
}

impl Rhythm {
    /// What an hour usually counts, and what it is not to pass; nothing before its warm-up is over.
    ///
    /// The hours beside it count too: people are early or late, and summer time moves everything.
    pub(super) fn limit(&self, hour: i64, rules: &AlertRules, floor: f64) -> Option<(f32, f32)> {
        let [before, this, after] = self.around(hour);
        let is_known = |hour: &Hour| hour.weeks >= rules.warm_up_weeks;
        if !is_known(this) {
            return None;
        }
        let busiest = [before, after]
            .into_iter()
            .filter(|hour| is_known(hour))
            .fold(this, |a, b| if b.mean > a.mean { b } else { a });
        let mean = busiest.mean;
        let limit = (mean * rules.factor as f32)
            .max(mean + SPREADS * busiest.spread)
            .max(floor as f32);
        Some((mean, limit))
    }

    /// Whether an hour usually counts something: it and those beside it, each past its warm-up.
    pub(super) fn is_usual(&self, hour: i64, rules: &AlertRules) -> bool {
        let usual = |hour: &Hour| hour.weeks >= rules.warm_up_weeks && hour.share >= USUAL_SHARE;
        self.around(hour).into_iter().all(usual)
    }

    /// Learns an hour that was seen whole; `most` keeps one odd week from being believed.
    pub(super) fn learn(&mut self, hour: i64, count: u64, most: Option<f32>) {
        let any = f32::from(u8::from(count > 0));
        let count = most.map_or(count as f32, |most| most.min(count as f32));
        let hour = &mut self.0[index(hour)];
        if hour.weeks == 0 {
            *hour = Hour {
                mean: count,
                spread: count / 4.0,
                share: any,
                weeks: 1,
            };
            return;
        }
        hour.spread += NEWEST * ((count - hour.mean).abs() - hour.spread);
        hour.mean += NEWEST * (count - hour.mean);
        hour.share += NEWEST * (any - hour.share);
        hour.weeks = hour.weeks.saturating_add(1);
    }

    fn around(&self, hour: i64) -> [&Hour; 3] {
        [hour - 1, hour, hour + 1].map(|hour| &self.0[index(hour)])
    }
}

fn index(hour: i64) -> usize {
    // Between 0 and 167.
    hour.rem_euclid(HOURS as i64) as usize
}
