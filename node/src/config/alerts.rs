//! `[alerts]`: when something counts as unusual, and whom to tell.

use std::fmt;
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
    /// Secret that signs what it is told.
    pub webhook_secret: Option<SecretText>,
    /// Certificates of the authority that vouches for it, in PEM; https needs them.
    pub webhook_ca: Option<PathBuf>,
}

/// A secret as it is written; `Debug` hides it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
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
            webhook_secret: None,
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
    /// [`HookError`] tells what of address, secret or certificates cannot be used.
    pub fn hook(&self) -> Result<Option<Hook>, HookError> {
        let Some(url) = &self.webhook else {
            return Ok(None);
        };
        let hook = Hook::new(url, self.webhook_ca.clone())?;
        let hook = match &self.webhook_secret {
            Some(SecretText(secret)) => hook.signed(secret)?,
            None => hook,
        };
        Ok(Some(hook))
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        if let (Some(_), None) = (&self.webhook_secret, &self.webhook) {
            let hint = "there is no webhook to sign for; add alerts.webhook or take it out";
            return Err(("alerts.webhook_secret", hint.to_owned()));
        }
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
            ("webhook_secret = \"x\"", "alerts.webhook_secret"),
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
        let signed = |secret: &str| {
            let text = format!("webhook = \"http://127.0.0.1:9/x\"\nwebhook_secret = \"{secret}\"");
            let config = config(&text);
            assert!(!format!("{config:?} {:?}", config.hook()).contains(secret));
            config.hook().map_err(|error| error.to_string())
        };
        assert!(signed("guess-me").unwrap_err().contains("24 characters"));
        assert!(signed("a-secret-of-many-letters").unwrap().is_some());
        assert!(config("").hook().unwrap().is_none());
        let plain = config("webhook = \"http://127.0.0.1:9/x\"");
        assert!(plain.hook().unwrap().is_some());
    }
}
