//! When something counts as unusual.

/// When something counts as unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlertRules {
    /// So many messages in an hour are no increase, whatever is usual. Default 1,000.
    pub messages_floor: f64,
    /// So many polls in an hour are no increase, of one consumer and of all. Default 5,000.
    pub polls_floor: f64,
    /// An increase is more than so many times what is usual. 1.5 to 1,000; default 3.
    pub factor: f64,
    /// A silence is so many hours without a count that usually have one. 1 to 168; default 2.
    pub silence_hours: u16,
    /// Weeks in which an hour is only watched. 1 to 52; default 2.
    pub warm_up_weeks: u16,
}

impl Default for AlertRules {
    fn default() -> Self {
        Self {
            messages_floor: 1_000.0,
            polls_floor: 5_000.0,
            factor: 3.0,
            silence_hours: 2,
            warm_up_weeks: 2,
        }
    }
}

/// A rule is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is out of range; {rule}")]
#[non_exhaustive]
pub struct RulesError {
    /// Which field of [`AlertRules`].
    pub key: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it may be.
    pub rule: &'static str,
}

impl AlertRules {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn validate(&self) -> Result<(), RulesError> {
        let check = |holds: bool, key, value: String, rule| {
            if holds {
                Ok(())
            } else {
                Err(RulesError { key, value, rule })
            }
        };
        for (key, floor) in [
            ("messages_floor", self.messages_floor),
            ("polls_floor", self.polls_floor),
        ] {
            let holds = (0.0..=1e12).contains(&floor);
            check(
                holds,
                key,
                floor.to_string(),
                "use a count per hour, 0 or more",
            )?;
        }
        let holds = (1.5..=1_000.0).contains(&self.factor);
        check(holds, "factor", self.factor.to_string(), "use 1.5 to 1000")?;
        let hours = self.silence_hours;
        let holds = (1..=168).contains(&hours);
        check(holds, "silence_hours", hours.to_string(), "use 1 to 168")?;
        let weeks = self.warm_up_weeks;
        let holds = (1..=52).contains(&weeks);
        check(holds, "warm_up_weeks", weeks.to_string(), "use 1 to 52")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_out_of_range_are_refused_by_name() {
        assert_eq!(AlertRules::default().validate(), Ok(()));
        let check = |change: fn(&mut AlertRules), key: &str| {
            let mut rules = AlertRules::default();
            change(&mut rules);
            assert_eq!(rules.validate().unwrap_err().key, key);
        };
        check(|r| r.messages_floor = -1.0, "messages_floor");
        check(|r| r.polls_floor = f64::NAN, "polls_floor");
        check(|r| r.factor = 1.0, "factor");
        check(|r| r.silence_hours = 0, "silence_hours");
        check(|r| r.warm_up_weeks = 53, "warm_up_weeks");
    }
}
