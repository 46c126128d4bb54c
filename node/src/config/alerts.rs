//! `[alerts]`: when something counts as unusual, and whom to tell.

use std::path::{Path, PathBuf};

use outbox::alerts::AlertRules;
use serde::Deserialize;

use super::listeners::Wrong;
use crate::alerts::{Hook, HookError};

/// When something counts as unusual, and whom to tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// So many messages in an hour are no increase, whatever is usual.
    pub messages_floor: f64,
    /// So many polls in an hour are no increase, whatever is usual.
    pub polls_floor: f64,
    /// More than so many times what is usual is an increase.
    pub factor: f64,
    /// So many hours without anything, where there usually is something, are a silence.
    pub silence_hours: u16,
    /// Weeks for which an hour of the week is only watched.
    pub warm_up_weeks: u16,
    /// Address that is told by POST when an alert begins or ends.
    pub webhook: Option<String>,
    /// Certificates of the authority that vouches for it, in PEM; https needs them.
    pub webhook_ca: Option<PathBuf>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        let rules = AlertRules::default();
        Self {
            messages_floor: rules.messages_floor,
            polls_floor: rules.polls_floor,
            factor: rules.factor,
            silence_hours: rules.silence_hours,
            warm_up_weeks: rules.warm_up_weeks,
            webhook: None,
            webhook_ca: None,
        }
    }
}

impl AlertsConfig {
    /// When something counts as unusual.
    pub fn rules(&self) -> AlertRules {
        AlertRules {
            messages_floor: self.messages_floor,
            polls_floor: self.polls_floor,
            factor: self.factor,
            silence_hours: self.silence_hours,
            warm_up_weeks: self.warm_up_weeks,
        }
    }

    /// Whom to tell.
    ///
    /// # Errors
    /// [`HookError`] tells what of address or certificates cannot be used.
    pub fn hook(&self) -> Result<Option<Hook>, HookError> {
        let hook = |url: &String| Hook::new(url, self.webhook_ca.clone());
        self.webhook.as_ref().map(hook).transpose()
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        self.rules().validate().map_err(|error| {
            let key = match error.key {
                "messages_floor" => "alerts.messages_floor",
                "polls_floor" => "alerts.polls_floor",
                "factor" => "alerts.factor",
                "silence_hours" => "alerts.silence_hours",
                _ => "alerts.warm_up_weeks",
            };
            (key, error.to_string())
        })
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = &mut self.webhook_ca {
            *path = folder.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> AlertsConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn mistakes_tell_the_key() {
        for (line, key) in [
            ("messages_floor = -1.0", "alerts.messages_floor"),
            ("factor = nan", "alerts.factor"),
            ("silence_hours = 0", "alerts.silence_hours"),
            ("warm_up_weeks = 0", "alerts.warm_up_weeks"),
        ] {
            assert_eq!(config(line).check().unwrap_err().0, key);
        }
        assert_eq!(config("").check(), Ok(()));
    }

    #[test]
    fn a_webhook_is_an_address_and_https_has_an_authority() {
        let error = |text: &str| config(text).hook().unwrap_err().to_string();
        for url in [
            "alarm.example",
            "ftp://alarm.example",
            "https://",
            "http:///x",
        ] {
            let text = error(&format!("webhook = \"{url}\""));
            assert!(text.contains("is no address"), "{text}");
        }
        let text = error("webhook = \"https://alarm.example/x\"");
        assert!(text.contains("webhook_ca"), "{text}");
        let text = error("webhook = \"https://a.example\"\nwebhook_ca = \"/none.pem\"");
        assert!(text.contains("/none.pem"), "{text}");
        assert!(config("").hook().unwrap().is_none());
        let plain = config("webhook = \"http://127.0.0.1:9/x\"");
        assert!(plain.hook().unwrap().is_some());
    }
}
