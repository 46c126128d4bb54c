//! How many observations an agent makes now, and when it makes the next.

/// Where the time of an observation comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// As many as the transport has room for, heard when they are made.
    WithRoom,
    /// At this rate per second, a whole burst at a time, each heard when it is due.
    Bursts(f64),
    /// At this rate per second, each heard when it is due.
    Steady(f64),
}

/// An even row of due times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timetable {
    begin_us: f64,
    step_us: f64,
    made: u64,
}

impl Timetable {
    /// So many per second; `phase` in [0, 1) is the part of `of_us` that passes before the first.
    pub(super) fn new(rate_per_s: f64, begin_us: u64, phase: f64, of_us: f64) -> Self {
        Self {
            begin_us: begin_us as f64 + phase * of_us,
            step_us: 1e6 / rate_per_s,
            made: 0,
        }
    }

    /// How many are due and not made yet.
    pub(super) fn due(&self, now_us: u64) -> u64 {
        let passed_us = now_us as f64 - self.begin_us;
        if passed_us < 0.0 {
            return 0;
        }
        ((passed_us / self.step_us) as u64 + 1).saturating_sub(self.made)
    }

    /// The next one is made: when it is due.
    pub(super) fn make(&mut self) -> u64 {
        let due_us = self.due_us(0);
        self.made += 1;
        due_us
    }

    /// When the one that comes after `ahead` others is due, rounded up.
    pub(super) fn due_us(&self, ahead: u64) -> u64 {
        (self.begin_us + (self.made + ahead) as f64 * self.step_us).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_made_in_time_and_none_before() {
        let mut table = Timetable::new(1_000.0, 5_000, 0.5, 1_000.0);
        assert_eq!((table.due(0), table.due(5_499)), (0, 0));
        assert_eq!(table.due_us(0), 5_500);
        assert_eq!(table.due(5_500), 1);
        assert_eq!(table.due(105_500), 101);
        for number in 0..101 {
            assert_eq!(table.make(), 5_500 + number * 1_000);
        }
        assert_eq!(table.due(105_500), 0);
        assert_eq!(table.due_us(0), 106_500);
        assert_eq!(table.due_us(9), 115_500);
    }

    #[test]
    fn a_time_at_which_one_is_due_finds_it_due() {
        let mut table = Timetable::new(7_777.7, 3, 0.123, 250_000.0);
        for _ in 0..10_000 {
            let due_us = table.due_us(0);
            assert_eq!((table.due(due_us), table.due(due_us - 1)), (1, 0));
            table.make();
        }
    }

    #[test]
    fn the_rate_holds_over_a_day() {
        let table = Timetable::new(950.0, 0, 0.0, 0.0);
        let day_us = 86_400 * 1_000_000;
        assert_eq!(table.due(day_us - 1), 950 * 86_400);
    }
}
